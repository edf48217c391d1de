"""Orders and mixtures: the official algorithm's own orders, and the same rows for the same moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.sources.official import opened, says, write
from vlmbench.base.errors import TrainingError, UnknownNameError, UsageError
from vlmbench.base.samples import Conversation
from vlmbench.training.sources import Entry, Mixture, Part, mix, order
from vlmbench.training.sources.ordering import by_length, by_modality

LENGTHS = [((at * 37) % 50 + 1) * (-1 if at % 3 == 0 else 1) for at in range(29)]
OFFICIAL = {
    ("modality", 2, 2): "17 23 10 24 28 26 13 25 8 14 16 20 9 18 21 6 1 22 5 2 4 19 7 11 27 0 12 15 3",
    ("length", 2, 2): "21 0 18 7 8 26 12 24 4 10 9 2 16 23 1 22 27 11 14 3 17 15 25 6 20 19 28 13 5",
    ("modality", 4, 1): "17 10 23 24 28 13 25 26 8 16 20 14 9 21 6 18 1 5 2 22 4 7 11 19 27 12 15 0 3",
    ("length", 4, 1): "21 18 7 0 8 12 24 26 4 9 2 10 16 1 22 23 27 14 3 11 17 25 6 15 20 28 13 19 5",
    ("modality", 2, 3): "27 0 9 18 21 6 4 19 28 11 13 7 1 23 5 22 2 10 8 26 16 14 20 25 17 12 15 24 3",
    ("length", 2, 3): "8 0 12 7 21 18 4 26 24 10 9 2 27 23 16 11 1 22 17 15 25 3 6 14 20 13 28 19 5",
}
"""What TinyLLaVA_Factory's functions at 53f12c7 return for these lengths behind torch.manual_seed(7)."""


class Numbers:
    """Rows that are only numbers."""

    def __init__(self, name: str, count: int, lengths: list[int] | None = None) -> None:
        self.name, self._lengths = name, lengths or [3] * count
        self.bad: Mapping[str, int] = {}
        self.skipped: Mapping[str, int] = {}
        self.named: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self._lengths)

    def entry(self, index: int, epoch: int = 0) -> Entry:
        return Entry(((self.name, f"{index} in {epoch}"),))

    def row(self, index: int, epoch: int = 0) -> Conversation:
        return self.entry(index, epoch).conversation()

    def length(self, index: int) -> int:
        return abs(self._lengths[index])

    def has_image(self, index: int) -> bool:
        return self._lengths[index] > 0


class Counting:
    """A stream of its own positions."""

    name = "stream"
    bad: Mapping[str, int] = {}
    named: tuple[str, ...] = ()

    def rows(self, start: int, count: int) -> list[Conversation]:
        return [Conversation((("", str(at)),)) for at in range(start, start + count)]


@pytest.mark.parametrize("case", OFFICIAL, ids=str)
def test_groups_are_the_official_ones(case: tuple[str, int, int]) -> None:
    group, batch, world = case
    chance = torch.Generator().manual_seed(7)
    lengths = np.array(LENGTHS)
    if group == "modality":
        found = by_modality(lengths, batch, world, chance)
    else:
        found = by_length(np.abs(lengths), batch, world, chance)
    assert found.tolist() == [int(word) for word in OFFICIAL[case].split()]


@pytest.mark.parametrize("group", ["", "length", "modality"])
@pytest.mark.parametrize("lengths", [LENGTHS, [5] * 29, [-5] * 29], ids=["mixed", "pictures", "text"])
def test_an_order_holds_every_row_once(group: str, lengths: list[int]) -> None:
    rows = Numbers("x", 29, lengths)
    one, two = (order(rows, 3, 0, 4, group, 2).tolist() for _ in range(2))
    assert one == two
    assert sorted(one) == list(range(29))
    assert one != order(rows, 3, 1, 4, group, 2).tolist()
    assert one != order(rows, 4, 0, 4, group, 2).tolist()


def test_batches_hold_one_kind(tmp_path: Path) -> None:
    rows = Numbers("x", 29, LENGTHS)
    found = order(rows, 0, 0, 4, "modality").tolist()
    kinds = [{LENGTHS[at] > 0 for at in found[start : start + 4]} for start in range(0, 28, 4)]
    assert sum(len(kind) == 2 for kind in kinds) <= 1
    with pytest.raises(UnknownNameError, match="grouping"):
        order(rows, 0, 0, 4, "modalty")


def test_data_sets_are_drawn_by_ratio_and_each_in_its_own_order() -> None:
    parts = [Part("a", Numbers("a", 7), 2, 3.0), Part("b", Numbers("b", 5), 5, 1.0), Part("s", Counting(), 3, 1.0)]
    mixture = Mixture(parts, seed=1)
    draws = [mixture.draw(moment) for moment in range(5000)]
    drawn = Counter(draw.name for draw in draws)
    assert 2850 < drawn["a"] < 3150
    assert 900 < drawn["b"] < 1100
    first = [place for draw in draws if draw.name == "a" for place in draw.places][:12]
    assert {epoch for _, epoch in first[:6]} == {0}
    assert len({row for row, _ in first[:6]}) == 6  # the seventh is left out: its batch would not be full
    assert {epoch for _, epoch in first[6:]} == {1}
    streamed = [place for draw in draws if draw.name == "s" for place in draw.places]
    assert streamed == [(at, 0) for at in range(len(streamed))]


def test_a_moment_needs_no_moments_before_it() -> None:
    parts = [Part("a", Numbers("a", 7), 2, 3.0), Part("s", Counting(), 3)]
    through = Mixture(parts, seed=1)
    draws = [through.draw(moment) for moment in range(50)]
    for moment in (49, 7, 30):
        fresh = Mixture(parts, seed=1)
        assert fresh.draw(moment) == draws[moment]
        assert fresh.rows(fresh.draw(moment)) == through.rows(draws[moment])
    assert [Mixture(parts, seed=2).draw(at) for at in range(50)] != draws


def test_processes_share_a_batch() -> None:
    mixture = Mixture([Part("a", Numbers("a", 8), 4)], seed=0)
    draw = mixture.draw(1)
    assert (*draw.share(0, 2), *draw.share(1, 2)) == draw.places
    assert len(mixture.entries(draw, 1, 2)) == 2
    assert mixture.rows(draw, 0, 1)[3] == mixture.rows(draw, 1, 2)[1]
    assert mixture.moments(3) == 6
    uneven = Mixture([Part("a", Numbers("a", 7), 4, whole=False)], seed=0)
    assert uneven.moments(1) == 2
    assert [len(uneven.draw(1).share(rank, 2)) for rank in range(2)] == [2, 1]


def test_batches_that_are_dealt_together_are_alike() -> None:
    """Batch after batch in the order of Factory's sampler for so many processes."""
    rows = Numbers("a", 29, LENGTHS)
    mixture = Mixture([Part("a", rows, 2, group="modality", world=3, whole=False)], seed=0)
    found = [row for moment in range(15) for row, _ in mixture.draw(moment).places]
    assert found == order(rows, mix(0, "a"), 0, 2, "modality", 3).tolist()


def test_contradictions_are_refused_with_both_names() -> None:
    rows = Numbers("a", 3)
    with pytest.raises(TrainingError, match="batch=4 rows are wanted, but the source has 3"):
        Part("a", rows, 4)
    with pytest.raises(TrainingError, match="above 0"):
        Part("a", rows, 1, ratio=0)
    with pytest.raises(TrainingError, match="needs rows that are counted"):
        Part("s", Counting(), 1, group="length")
    with pytest.raises(TrainingError, match="names of their own"):
        Mixture([Part("a", rows, 1), Part("a", rows, 1)], 0)
    with pytest.raises(UsageError, match="no epochs"):
        Mixture([Part("s", Counting(), 1)], 0).moments(1)
    both = Mixture([Part("a", rows, 1), Part("s", Counting(), 1)], 0)
    with pytest.raises(UsageError, match="say how many steps"):
        both.moments(1)


def test_rows_of_a_file(tmp_path: Path) -> None:
    content = [{"id": str(at), "conversations": says("q " * (at + 1), "a")} for at in range(9)]
    rows = opened("llava", write(tmp_path / "rows.json", content))
    mixture = Mixture([Part("llava", rows, 4, group="modality", whole=False)], seed=5)
    ids = [row.id for moment in range(3) for row in mixture.rows(mixture.draw(moment))]
    assert sorted(ids) == [str(at) for at in range(9)]
    assert [len(mixture.rows(mixture.draw(moment))) for moment in range(4)] == [4, 4, 1, 4]
