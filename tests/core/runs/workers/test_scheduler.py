"""The work queue: each group is answered once, lost ones are requeued, the end is shared. No Ray."""

from __future__ import annotations

import random

import pytest

from vlmbench.runs.workers.scheduler import IN_HAND, LARGEST, TRIES, WorkQueue


def drain(queue: WorkQueue, worker: str) -> list[int]:
    """Take and answer until there is nothing to take."""
    seen = []
    while portion := queue.acquire(worker):
        seen += [number for number in portion if queue.answered(number)]
        queue.finish_portion(worker)
    return seen


def test_portions_shrink_to_single_groups() -> None:
    queue = WorkQueue(5_000, 2)
    sizes = []
    while portion := queue.acquire("a"):
        sizes.append(len(portion))
        assert all(map(queue.answered, portion))
        queue.finish_portion("a")
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (LARGEST, 1)
    assert sum(sizes) == 5_000
    assert queue.done


def test_a_worker_holds_the_next_portion_too_and_no_more() -> None:
    queue = WorkQueue(100, 2)
    assert all(queue.acquire("a") for _ in range(IN_HAND))
    assert queue.acquire("a") == []


def test_what_a_dead_worker_held_is_given_again_and_only_what_it_worked_on_is_blamed() -> None:
    queue = WorkQueue(4, 1)
    assert (queue.acquire("a"), queue.acquire("a")) == ([0], [1])
    assert queue.requeue("a") == []
    assert drain(queue, "b") == [1, 2, 3, 0]
    assert queue.requeued == 2
    assert queue.done


def test_a_group_that_kills_its_workers_fails_at_last() -> None:
    queue = WorkQueue(1, 1)
    for number in range(TRIES):
        assert queue.acquire(number) == [0]
        assert queue.requeue(number) == ([0] if number == TRIES - 1 else [])
    assert queue.done


def test_an_idle_worker_takes_from_the_end_of_a_straggler() -> None:
    queue = WorkQueue(40, 1)
    slow = queue.acquire("slow")
    while queue.acquire("quick"):
        for number in [n for portion in queue._held["quick"] for n in portion]:
            queue.answered(number)
        queue.finish_portion("quick")
        if queue._held["quick"]:
            queue.finish_portion("quick")
        if not queue._waiting:
            break
    assert len(slow) == 10
    assert [queue.acquire("quick") for _ in range(2)] == [[slow[-1]], []]
    assert queue.answered(slow[-1])
    assert not queue.answered(slow[-1]), "the slow one's own answer comes too late"
    queue.finish_portion("quick")
    assert queue.acquire("quick") == [slow[-2]]
    assert queue.requeue("slow") == []
    queue.answered(slow[-2])
    queue.finish_portion("quick")
    assert sorted(drain(queue, "quick")) == slow[:-2]
    assert queue.done


def test_what_a_worker_leaves_without_an_answer_is_given_again_and_fails_at_last() -> None:
    queue = WorkQueue(2, 1)
    for left in range(1, TRIES + 1):
        failed = []
        for portion in [queue.acquire("a"), queue.acquire("a")]:
            assert len(portion) == 1
            failed += queue.finish_portion("a")
        assert sorted(failed) == ([0, 1] if left == TRIES else [])
    assert queue.done


def test_a_group_that_a_worker_could_not_begin_with_is_given_to_the_next_without_blame() -> None:
    queue = WorkQueue(8, 1)
    for _ in range(2 * TRIES):
        (first,) = queue.acquire("a")[:1]
        assert queue.give_back("a", first, blamed=False) == []
        queue.finish_portion("a")
    assert sorted(drain(queue, "b")) == list(range(8))
    assert queue.done


def test_a_shared_group_whose_other_holder_is_lost_can_be_shared_again() -> None:
    queue = WorkQueue(1, 3)
    assert queue.acquire("slow") == [0]
    assert queue.acquire("second") == [0]
    assert queue.acquire("third") == [], "two have it"
    assert queue.requeue("second") == []
    assert queue.acquire("third") == [0]
    assert queue.answered(0)
    assert queue.done


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_every_group_ends_once(seed: int) -> None:
    rng = random.Random(seed)
    count, crew = rng.randrange(1, 200), rng.randrange(1, 6)
    queue = WorkQueue(count, crew)
    inbox: dict[int, list[list[int]]] = {worker: [] for worker in range(crew)}
    ended: list[int] = []
    for _ in range(20_000):
        if queue.done:
            break
        worker = rng.randrange(crew)
        while portion := queue.acquire(worker):
            inbox[worker].append(portion)
        if rng.random() < 0.02:
            ended += queue.requeue(worker)
            inbox[worker] = []
        elif rng.random() < 0.02 and inbox[worker] and inbox[worker][0]:
            ended += queue.give_back(worker, inbox[worker][0].pop(), blamed=rng.random() < 0.5)
        elif inbox[worker] and inbox[worker][0]:
            number = inbox[worker][0][0]
            inbox[worker][0] = inbox[worker][0][1:]
            ended += [number] * queue.answered(number)
        elif inbox[worker]:
            inbox[worker].pop(0)
            queue.finish_portion(worker)
    assert queue.done
    assert sorted(ended) == list(range(count))
