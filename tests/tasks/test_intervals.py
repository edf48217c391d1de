"""Every metric of every benchmark and protocol has an interval, and questions that belong together are one cluster."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from vlmbench.base import registry
from vlmbench.base.errors import UsageError
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import ChoiceScore, Request, Response, Sample, Score, Status, Verdict
from vlmbench.data.files import Folder
from vlmbench.scoring import verdicts as judge_verdicts
from vlmbench.scoring.score import ONE_RUN, score_response, summarise

RUNS = 3
SKILL = 0.6
WORDS = ("yes", "no", "True", "False", "A", "B", "C", "D", "unanswerable", "0", "1", "2", "0.8", "0.3")


@cache
def samples_of(name: str) -> tuple[Sample, ...]:
    """The embedded sample."""
    task = registry.tasks.get(name)
    return tuple(task.samples(Folder.sample(name), task.splits[0]))


def boxes(sample: Sample) -> Iterator[str]:
    """The right box as the readers of boxes know it: whole percents, fractions, thousandths, pixels."""
    if not isinstance(sample.target, dict) or "bbox" not in sample.target:
        return
    x, y, w, h = sample.target["bbox"]
    width, height = sample.target["width"], sample.target["height"]
    share = (x / width, y / height, (x + w) / width, (y + h) / height)
    yield "{" + "".join(f"<{round(100 * edge)}>" for edge in share) + "}"
    yield str([round(edge, 3) for edge in share])
    yield str([round(1000 * edge) for edge in share])
    yield json.dumps([x, y, x + w, y + h])


def candidates(sample: Sample, rng: random.Random) -> list[str]:
    """Texts among which the right answer is, whatever form it has here."""
    target = sample.target
    told = [target] if isinstance(target, str) else list(target) if isinstance(target, tuple | list) else []
    found = [*map(str, told), *sample.choices, *boxes(sample), *WORDS, "{<0><0><9><9>}", "[0.0, 0.0, 0.1, 0.1]"]
    found += [str(place) for place in range(len(sample.choices))]
    rng.shuffle(found)
    return found


def ranked(request: Request, rng: random.Random) -> Response:
    """Random log-probabilities."""
    return Response(choices=tuple(ChoiceScore(choice, -3 * rng.random(), 1) for choice in request.choices))


def answered(choice: TaskChoice, sample: Sample, rng: random.Random) -> Score:
    """A score as a model of some skill would get it."""
    task, protocol = choice.task, choice.protocol
    request = task.build_request(sample, protocol)
    if request.choices:
        return score_response(task, protocol, sample, ranked(request, rng))
    skilled = rng.random() < SKILL
    best = Score(None, Status.UNPARSED)
    for text in candidates(sample, rng):
        score = score_response(task, protocol, sample, Response(text))
        if score.status is Status.JUDGE_FAILED:
            return judged(choice, rng)
        if score.status is Status.OK and (best.value is None or (score.value or 0) > best.value):
            best = score
            if not skilled or best.value == 1:
                break
    return best


def asks(choice: TaskChoice, sample: Sample) -> bool:
    """Whether the protocol has a question for it: two of IconQA's know questions with texts alone."""
    try:
        choice.task.build_request(sample, choice.protocol)
    except UsageError:
        return False
    return True


def judged(choice: TaskChoice, rng: random.Random) -> Score:
    """Verdicts of several runs that differ a little."""
    if choice.task.name == "llava_bench":
        pairs = [(rng.choice((8.0, 9.0)), rng.choice((4.0, 5.0, 6.0, 7.0))) for _ in range(RUNS)]
        return judge_verdicts.combine([Verdict(b / a, values=(a, b)) for a, b in pairs])
    grade = rng.choice((0.0, 0.3, 0.6, 1.0)) if choice.task.name == "mmvet" else float(rng.random() < SKILL)
    near = [min(1.0, max(0.0, grade + rng.choice((-0.1, 0.0, 0.1)))) for _ in range(RUNS)]
    return judge_verdicts.combine([Verdict(value if choice.task.name == "mmvet" else grade) for value in near])


CASES = [
    pytest.param(name, protocol, id=f"{name}@{protocol}")
    for name in registry.tasks.builtin
    for protocol in registry.tasks.get(name).protocols
]


@pytest.mark.parametrize(("name", "protocol"), CASES)
def test_every_metric_has_its_interval(name: str, protocol: str) -> None:
    """Of a model that is right now and then: low < value < high, or at a border of what the metric can be."""
    task = registry.tasks.get(name)
    choice = TaskChoice(task, task.splits[0], protocol)
    rng = random.Random(4)
    scored = [(sample, answered(choice, sample, rng)) for sample in samples_of(name) if asks(choice, sample)]
    entry = summarise(choice, scored)
    ok = [(sample, score) for sample, score in scored if score.status is Status.OK]
    assert len(ok) > 0.9 * len(scored)
    metrics = judge_verdicts.metrics(task, protocol, ok)
    assert metrics and entry["headline"] in {metric.name for metric in metrics}
    without = []
    for metric in metrics:
        found = entry[metric.name]
        if found["low"] is None:
            without.append(metric)
            continue
        assert found["low"] <= found["value"] + 1e-9 and found["value"] - 1e-9 <= found["high"]
        assert found["low"] < found["high"]
    for metric in without:  # what is undefined, or of a single picture, which is said
        undefined = math.isnan(metric.value())
        alone = len(set(metric.clusters)) == 1 and entry[metric.name]["reason"] == "too few to tell: one image"
        assert metric.breakdown and (undefined or alone), metric


@pytest.mark.parametrize("name", registry.tasks.builtin)
def test_a_picture_is_one_cluster(name: str) -> None:
    """Samples that show the same picture are drawn together, and so are the turns of one question."""
    seen: dict[str, str] = {}
    for sample in samples_of(name):
        assert sample.cluster
        for picture in sample.images[:1]:
            assert seen.setdefault(picture.name, sample.cluster) == sample.cluster
        if "group" in sample.extra and name == "mmbench":
            group = f"group {sample.extra['group']}"
            assert seen.setdefault(group, sample.cluster) == sample.cluster


def test_the_judges_runs_are_carried_in() -> None:
    """MM-Vet: five runs that differ as wholes make the interval wider than the same grades without runs."""
    task = registry.tasks.get("mmvet")
    choice = TaskChoice(task, task.splits[0], next(iter(task.protocols)))
    rng = random.Random(1)
    lean = (-0.1, -0.05, 0.0, 0.05, 0.1)
    grades = {sample.id: rng.uniform(0.2, 0.8) for sample in samples_of("mmvet")}
    drifting = [
        (sample, judge_verdicts.combine([Verdict(grades[sample.id] + step) for step in lean]))
        for sample in samples_of("mmvet")
    ]
    steady = [(s, replace(score, verdicts=(Verdict(score.value),) * 5)) for s, score in drifting]
    wide, narrow = summarise(choice, drifting), summarise(choice, steady)
    assert wide["total"]["value"] == pytest.approx(narrow["total"]["value"])
    assert wide["total"]["high"] - wide["total"]["low"] > 1.1 * (narrow["total"]["high"] - narrow["total"]["low"])
    assert wide["judge"]["in_intervals"] and wide["judge"]["std"] == pytest.approx(100 * 0.0707, abs=0.01)
    one = summarise(choice, judge_verdicts.one_run(drifting, 2))
    assert not one["judge"]["in_intervals"] and ONE_RUN in one["notes"]
