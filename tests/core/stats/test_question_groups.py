"""Groups that are right as a whole: by hand, overlapping, with missing scores, and over several runs of a judge."""

from __future__ import annotations

import pytest

from vlmbench.base.samples import Score, Status, Verdict
from vlmbench.stats.figures.question_groups import Member, all_right, all_wrong, group_values
from vlmbench.stats.intervals import interval
from vlmbench.stats.metrics import LESS, average, mean


def members(*rows: tuple[str, str, float | None]) -> list[Member]:
    """(cluster, group, value); sizes as there are."""
    groups = [group for _, group, _ in rows]
    return [
        Member(group, groups.count(group), cluster, Score(value, Status.OK if value is not None else Status.ERROR))
        for cluster, group, value in rows
    ]


FOUR = members(
    ("s1", "f1", 1), ("s1", "f1", 1), ("s1", "f2", 1), ("s1", "f2", 0), ("s2", "f3", 0), ("s2", "f3", 0),
    ("s3", "f4", 1),
)  # fmt: skip


def test_a_group_is_right_where_all_its_questions_are() -> None:
    right, wrong = all_right("f_acc", FOUR), all_wrong("none", FOUR)
    assert (right.value(), wrong.value(), wrong.better) == (50, 25, LESS)
    assert list(right.clusters) == ["s1", "s1", "s2", "s3"] and right.note == ""


def test_the_interval_is_that_of_the_clusters() -> None:
    """Groups that are right together tell less than groups that are right by themselves."""
    alike = all_right("x", members(*((f"s{n // 5}", f"g{n}", n // 5 % 2) for n in range(40))))
    apart = all_right("x", members(*((f"s{n}", f"g{n}", n % 2) for n in range(40))))
    wide, narrow = interval(alike), interval(apart)
    assert alike.value() == apart.value() == 50
    assert wide.high is not None and wide.low is not None and narrow.high is not None and narrow.low is not None
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_a_group_across_clusters_is_refused() -> None:
    with pytest.raises(ValueError, match="group f are in several clusters"):
        all_right("x", members(("s1", "f", 1), ("s2", "f", 1)))


def test_a_group_that_lacks_a_score_is_left_out() -> None:
    """Also one of which a question was not asked at all: its size says that there is one more."""
    found = [*members(("s1", "f1", 1), ("s1", "f1", None), ("s2", "f2", 1)), Member("f3", 2, "s3", Score(0.0))]
    metric = all_right("x", found)
    assert metric.value() == 100 and metric.note == "2 groups left out: a question has no score"
    assert group_values(found)[1] == 2


def test_runs_of_a_judge_count_one_by_one() -> None:
    """Each run has one of two questions right: the group is never right, though both have half a score."""

    def graded(*values: float) -> Score:
        return Score(sum(values) / len(values), verdicts=tuple(map(Verdict, values)))

    pair = [Member("f", 2, "s", graded(1, 0)), Member("f", 2, "s", graded(0, 1))]
    assert all_right("x", pair).value() == 0
    by_rule = [Member("f", 2, "s", Score(1.0)), Member("f", 2, "s", graded(1, 0))]
    assert all_right("x", by_rule).value() == 50


def test_an_average_moves_with_all_its_parts() -> None:
    one = mean("a", [1, 0, 1, 1], ["p", "q", "r", "s"])
    other = mean("b", [0, 1], ["p", "q"])
    both = average("ab", [one, other])
    assert both.value() == pytest.approx((75 + 50) / 2) and both.bounds == (0, 100) and both.n == 4
    found = interval(both)
    assert found.low is not None and found.high is not None and found.low < both.value() < found.high
    alone = interval(average("aa", [one, one]))
    assert alone.low == pytest.approx(interval(average("aaa", [one, one, one])).low, abs=0.5)  # no more is known
