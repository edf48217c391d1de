"""Handing groups to workers: each is answered once, lost ones come again, the end is split. No Ray."""

from __future__ import annotations

import random

import pytest

from vlmbench.runs.workers.scheduler import IN_HAND, LARGEST, TRIES, Handing


def drain(handing: Handing, worker: str) -> list[int]:
    """Take and answer until there is nothing to take."""
    seen = []
    while portion := handing.take(worker):
        seen += [number for number in portion if handing.answered(number)]
        handing.ended(worker)
    return seen


def test_portions_shrink_to_single_groups() -> None:
    handing = Handing(500, 2)
    sizes = []
    while portion := handing.take("a"):
        sizes.append(len(portion))
        assert all(map(handing.answered, portion))
        handing.ended("a")
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (LARGEST, 1)
    assert sum(sizes) == 500
    assert handing.done


def test_a_worker_holds_the_next_portion_too_and_no_more() -> None:
    handing = Handing(100, 2)
    assert all(handing.take("a") for _ in range(IN_HAND))
    assert handing.take("a") == []


def test_what_a_dead_worker_held_is_given_again_and_only_what_it_worked_on_is_blamed() -> None:
    handing = Handing(4, 1)
    assert (handing.take("a"), handing.take("a")) == ([0], [1])
    assert handing.lost("a") == []
    assert drain(handing, "b") == [1, 2, 3, 0]
    assert handing.given_again == 2
    assert handing.done


def test_a_group_that_kills_its_workers_fails_at_last() -> None:
    handing = Handing(1, 1)
    for number in range(TRIES):
        assert handing.take(number) == [0]
        assert handing.lost(number) == ([0] if number == TRIES - 1 else [])
    assert handing.done


def test_an_idle_worker_takes_from_the_end_of_a_straggler() -> None:
    handing = Handing(40, 1)
    slow = handing.take("slow")
    while handing.take("quick"):
        for number in [n for portion in handing._held["quick"] for n in portion]:
            handing.answered(number)
        handing.ended("quick")
        if handing._held["quick"]:
            handing.ended("quick")
        if not handing._waiting:
            break
    assert len(slow) == 10
    assert [handing.take("quick") for _ in range(2)] == [[slow[-1]], []]
    assert handing.answered(slow[-1])
    assert not handing.answered(slow[-1]), "the slow one's own answer comes too late"
    handing.ended("quick")
    assert handing.take("quick") == [slow[-2]]
    assert handing.lost("slow") == []
    handing.answered(slow[-2])
    handing.ended("quick")
    assert sorted(drain(handing, "quick")) == slow[:-2]
    assert handing.done


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_every_group_ends_once(seed: int) -> None:
    rng = random.Random(seed)
    count, crew = rng.randrange(1, 200), rng.randrange(1, 6)
    handing = Handing(count, crew)
    inbox: dict[int, list[list[int]]] = {worker: [] for worker in range(crew)}
    ended: list[int] = []
    for _ in range(20_000):
        if handing.done:
            break
        worker = rng.randrange(crew)
        while portion := handing.take(worker):
            inbox[worker].append(portion)
        if rng.random() < 0.02:
            ended += handing.lost(worker)
            inbox[worker] = []
        elif inbox[worker] and inbox[worker][0]:
            number = inbox[worker][0][0]
            inbox[worker][0] = inbox[worker][0][1:]
            ended += [number] * handing.answered(number)
        elif inbox[worker]:
            inbox[worker].pop(0)
            handing.ended(worker)
    assert handing.done
    assert sorted(ended) == list(range(count))
