"""Labels and a judge together: known cases, agreement, and how often the interval holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vlmbench.stats.judges.agreement import weighted_kappa
from vlmbench.stats.judges.prediction_powered import FEWEST, Powered, powered

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


def draws(count: int, labels: int, bias: float, each: int) -> Iterator[tuple[Powered, float]]:
    """Simulated runs of 216 answers, `each` per image: (estimate, true mean)."""
    import numpy as np

    rng = np.random.default_rng(7)

    def world(clusters: int) -> tuple[object, object]:
        base = rng.normal(0, 1, (clusters, each)) + rng.normal(0, 0.6, (clusters, 1))
        truth = np.where(base > 0.5, 1.0, np.where(base < -0.3, 0.0, np.round(rng.random((clusters, each)), 1)))
        return truth, np.clip(np.round(truth + bias + rng.normal(0, 0.15, truth.shape), 1), 0, 1)

    mean = float(world(400_000 // each)[0].mean())  # type: ignore[attr-defined]
    known = labels // each
    for _ in range(count):
        truth, grade = world(216 // each)
        rows = [(float(t), float(g), str(c)) for c in range(known) for t, g in zip(truth[c], grade[c], strict=True)]  # type: ignore[index]
        rest = [(float(g), str(c)) for c in range(known, 216 // each) for g in grade[c]]  # type: ignore[index]
        found = powered(rows, rest)
        assert found is not None
        yield found, mean


@pytest.mark.slow
@pytest.mark.parametrize(("labels", "bias", "each"), [(20, 0.1, 1), (60, 0.05, 1), (100, 0.0, 1), (60, 0.1, 3)])
def test_the_interval_holds(labels: int, bias: float, each: int) -> None:
    """600 draws: a standard error of .009 around .95; three answers per image reach .97 (docs/evaluate/judging.md)."""
    held = [one.value.low <= mean <= one.value.high for one, mean in draws(600, labels, bias, each)]
    assert 0.93 <= sum(held) / len(held) <= 0.98
