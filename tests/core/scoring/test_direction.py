"""Every metric of every task says what is better, and what it would be if missing answers were wrong or right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from vlmbench.base import registry
from vlmbench.base.registry import TaskChoice, choose_task
from vlmbench.base.samples import Sample, Score, Status
from vlmbench.data.files import Folder
from vlmbench.scoring import bounds
from vlmbench.scoring import score as scoring
from vlmbench.scoring.verdicts import metrics
from vlmbench.stats.metrics import LESS, MORE, NEITHER, TARGET, Metric, mean, upward

EVERY = [f"{name}@{protocol}" for name in registry.tasks.builtin for protocol in registry.tasks.get(name).protocols]
NOT_MORE = {
    "distribution": LESS,
    "yes_ratio": TARGET,
    "yes_ratio_of_targets": NEITHER,
    "reference_score": NEITHER,
    "figures_all_wrong": LESS,
    "yes_bias": TARGET,
    "false_yes_ratio": TARGET,
    "hallucination_rate": LESS,
    "guessed": NEITHER,
    "language_hallucination": NEITHER,
    "visual_illusion": NEITHER,
    "mixed_cause": NEITHER,
    "chair": LESS,
    "chair_i": LESS,
    "chair_s": LESS,
    "hal": LESS,
    "cog": LESS,
}
"""What is better of the metrics of which more is not."""


def made_up(key: str, runs: int = 2) -> tuple[TaskChoice, list[tuple[Sample, Score]], list[tuple[Score, Score]]]:
    """Scores of a task's embedded questions, those of every third cluster the worst; and both ends of each.

    By cluster, since questions of some benchmarks count as groups: one that is wrong in each would leave nothing right.
    """
    choice = choose_task(key)
    samples: Sequence[Sample] = choice.task.samples(Folder.sample(choice.task.name), choice.split)[:300]
    several = runs if choice.task.protocols[choice.protocol].judge is not None else 0
    ends = [bounds.extremes(choice.task, choice.protocol, sample, several) for sample in samples]
    number = numbers(samples)
    return (
        choice,
        [(sample, end[number[sample.cluster] % 3 != 0]) for sample, end in zip(samples, ends, strict=True)],
        ends,
    )


def most(choice: TaskChoice, scored: Sequence[tuple[Sample, Score]], headline: str) -> float:
    """100, or the highest of another scale that a metric has."""
    metric = next(m for m in choice.task.summarise(scored, choice.protocol) if m.name == headline)
    return min(100.0, metric.bounds[1]) if metric.bounds is not None else 100.0


def numbers(samples: Sequence[Sample]) -> Mapping[str, int]:
    """The clusters by their places."""
    return {cluster: at for at, cluster in enumerate(dict.fromkeys(sample.cluster for sample in samples))}


@pytest.mark.parametrize("key", EVERY)
def test_every_metric_says_what_is_better(key: str) -> None:
    choice, scored, _ = made_up(key)
    for metric in choice.task.summarise(scored, choice.protocol):
        assert metric.better == NOT_MORE.get(metric.name.partition("_")[2], NOT_MORE.get(metric.name, MORE)), (
            metric.name
        )
        assert (metric.target is not None) == (metric.better == TARGET)


@pytest.mark.parametrize("key", EVERY)
def test_right_answers_are_no_worse_than_wrong_ones_by_every_metric(key: str) -> None:
    choice, scored, ends = made_up(key)
    samples = [sample for sample, _ in scored]
    worst, best = (
        {m.name: upward(m).value() for m in metrics(choice.task, choice.protocol, pairs)}
        for pairs in (list(zip(samples, (end[side] for end in ends), strict=True)) for side in (0, 1))
    )
    headline = choice.task.protocols[choice.protocol].headline
    top = 0.0 if headline in NOT_MORE else most(choice, scored, headline)  # of what is turned, the least is the best
    assert best[headline] > top - 0.1 * most(choice, scored, headline)
    compared = [name for name in worst if name in best and not np.isnan([worst[name], best[name]]).any()]
    assert [
        name for name in compared if best[name] < worst[name] and not name.endswith(("_of_targets", "reference_score"))
    ] == []


@pytest.mark.parametrize("key", EVERY)
def test_failing_on_what_would_be_wrong_shows_in_the_bounds(key: str) -> None:
    """The score rises by leaving failures out; the lower end is what the model is worth."""
    choice, scored, _ = made_up(key)
    headline = choice.task.protocols[choice.protocol].headline
    whole = next(m.value() for m in metrics(choice.task, choice.protocol, scored) if m.name == headline)
    number = numbers([sample for sample, _ in scored])
    failing = [
        (sample, Score(None, Status.ERROR) if number[sample.cluster] % 12 == 0 else score) for sample, score in scored
    ]
    entry = scoring.summarise(choice, failing, resamples=50)
    low, high = entry[headline]["bounds"]
    worst = high if NOT_MORE.get(headline) == LESS else low
    assert worst == pytest.approx(whole)
    assert low < high
    assert any(f"{worst:.1f}, if all of them were wrong" in note for note in entry["notes"])
    assert entry["coverage"] < 1


@pytest.mark.parametrize("key", EVERY)
def test_a_run_in_which_everything_failed_could_be_anything(key: str) -> None:
    choice, scored, _ = made_up(key)
    entry = scoring.summarise(choice, [(sample, Score(None, Status.ERROR)) for sample, _ in scored], resamples=50)
    headline = entry[entry["headline"]]
    assert headline["value"] is None and entry["coverage"] == 0
    low, high = headline["bounds"]
    assert high - low > 0.5 * most(choice, scored, entry["headline"])


def test_nothing_missing_has_no_bounds() -> None:
    choice, scored, _ = made_up("pope")
    entry = scoring.summarise(choice, scored, resamples=50)
    assert "bounds" not in entry["mean_f1"] and not any("no score" in note for note in entry["notes"])
    assert entry["yes_ratio"]["better"] == "target" and "better" not in entry["mean_f1"]
    assert entry["yes_ratio"]["target"] == 100 * sum(s.target == "yes" for s, _ in scored) / len(scored)


def test_what_only_a_server_can_score_is_not_missing() -> None:
    choice, scored, _ = made_up("vqav2")
    withheld = [(sample, Score(None, Status.UNLABELED)) for sample, _ in scored]
    assert bounds.bounds(choice.task, choice.protocol, withheld) == {}


def test_turned_so_that_more_is_better() -> None:
    names = [str(at) for at in range(4)]
    plain = mean("m", [1.0, 1.0, 1.0, 0.0], names)
    assert upward(plain) is plain
    items = plain.items
    less = Metric("less", items, names, plain.combine, proportion=True, limits=(0.0, 100.0), better=LESS)
    assert (upward(less).value(), upward(less).bounds, upward(less).proportion) == (-75, (-100, 0), False)
    target = Metric("ratio", items, names, plain.combine, limits=(0.0, 100.0), better=TARGET, target=60.0)
    assert (upward(target).value(), upward(target).bounds) == (-15, (-60, 0))
    assert Metric("silent", items, names, plain.combine).direction == MORE
