"""Labels and a judge together: known cases, agreement, and how often the interval holds."""

from __future__ import annotations

import pytest

from tests.performance.statistics.judges import label_intervals
from vlmbench.stats.intervals import student
from vlmbench.stats.judges.agreement import weighted_kappa
from vlmbench.stats.judges.prediction_powered import FEWEST, powered

Labelled = list[tuple[float, float, str]]
Others = list[tuple[float, str]]


def test_a_judge_that_is_right_lends_all_its_answers() -> None:
    labelled = [(float(n % 2), float(n % 2), f"l{n}") for n in range(20)]
    others = [(1.0, f"o{n}") for n in range(150)] + [(0.0, f"p{n}") for n in range(50)]
    found = powered(labelled, others)
    assert found is not None
    weight = 1 / (1 + 20 / 200)
    assert found.weight == pytest.approx(weight) and found.bias.value == 0
    assert found.value.value == pytest.approx(0.5 * (1 - weight) + 0.75 * weight)
    assert found.value.width < found.people.width / 2


def test_a_judge_that_says_one_thing_is_not_listened_to() -> None:
    labelled = [(float(n % 4 == 0), 0.5, str(n)) for n in range(40)]
    found = powered(labelled, [(0.5, f"o{n}") for n in range(100)])
    assert found is not None and found.weight == 0 and found.value.value == pytest.approx(0.25)
    assert found.bias.value == pytest.approx(0.25)


def test_needed_labels_halve_the_width() -> None:
    """With four times the labels in all, where the judge is not listened to."""
    labelled = [(float(n % 2), 0.5, str(n)) for n in range(20)]
    found = powered(labelled, [(0.5, "x"), (0.5, "y")])
    assert found is not None and found.needed == 60


def test_too_few_clusters() -> None:
    assert powered([(1.0, 1.0, str(n % (FEWEST - 1))) for n in range(50)], [(1.0, "x")]) is None


def test_kappa() -> None:
    """Of two values: the plain kappa. Seen agreement .7, by chance .5."""
    first = [1] * 20 + [1] * 10 + [0] * 5 + [0] * 15
    second = [1] * 20 + [0] * 10 + [1] * 5 + [0] * 15
    assert weighted_kappa(first, second) == pytest.approx(0.4)
    assert weighted_kappa([1, 1], [1, 1]) is None and weighted_kappa([0, 1], [1, 0]) == pytest.approx(-1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "labels", "bias", "each"),
    [("0 to 1", 20, 0.1, 1), ("0 to 1", 60, 0.05, 1), ("0 to 1", 100, 0.0, 1), ("0 to 1", 20, 0.0, 3),
     ("0 to 1", 60, 0.1, 3), ("0 to 1", 60, 0.0, 6), ("0 or 1", 20, 0.1, 1), ("0 or 1", 30, 0.05, 3)],
)  # fmt: skip
def test_the_interval_holds(kind: str, labels: int, bias: float, each: int) -> None:
    """1,000 draws: a standard error of .007 around .95; docs/evaluate/judging.md has all cells, .934 to .957."""
    found = label_intervals.held(kind, labels, bias, each, 1000)
    assert found is not None and 0.925 <= found.share <= 0.97 and found.width < found.alone


def test_few_images_with_many_labels_give_no_interval() -> None:
    assert label_intervals.held("0 to 1", 30, 0.0, 6, 1) is None


def test_a_slope_costs_a_degree_of_freedom() -> None:
    """The variance of y - L f is over C - 2 clusters, Welch's freedom between C - 3 and that of all."""
    import numpy as np

    rng = np.random.default_rng(3)
    truth, grade = label_intervals.between(rng, 216, 1, 0.0)
    rows = [(float(truth[c, 0]), float(grade[c, 0]), str(c)) for c in range(20)]
    found = powered(rows, [(float(grade[c, 0]), str(c)) for c in range(20, 216)])
    assert found is not None and 0 < found.weight < 1
    rest = float(np.var(truth[:20, 0] - found.weight * grade[:20, 0], ddof=2)) / 20
    judge = found.weight**2 * float(np.var(grade[20:, 0], ddof=1)) / 196
    freedom = (rest + judge) ** 2 / (rest**2 / 17 + judge**2 / 195)
    assert found.value.width == pytest.approx(2 * student(freedom, 0.95) * np.sqrt(rest + judge))
