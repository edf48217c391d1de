"""The whole gate on runs rebuilt from resampled pictures: what it passes, finds, and says it cannot tell."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.gate_runs import ran, script
from vlmbench.compare.gates import gate
from vlmbench.compare.gates.gate import Report
from vlmbench.compare.gates.rules import GateRules
from vlmbench.runs.storage import reload
from vlmbench.runs.storage.reload import Item, StoredRun
from vlmbench.scoring import score
from vlmbench.stats.noninferiority import Outcome

pytestmark = pytest.mark.slow

TIMES = 20
RULES = GateRules({}, {})


@pytest.fixture(scope="module")
def pope(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """A run of pope, 88 % right."""
    return reload.load(ran(tmp_path_factory.mktemp("gate") / "run", script("pope", 0.12)))


def turned(item: Item) -> Item:
    """The item, answered the other way."""
    read = "no" if item.score.parsed_answer == "yes" else "yes"
    return replace(
        item, score=replace(item.score, parsed_answer=read, value=float(read == item.sample.target)), text=read
    )


def run_of(like: StoredRun, items: list[Item]) -> StoredRun:
    """A run made of these items."""
    task = like.tasks["pope"]
    scores = score.summarise(task.choice, [(item.sample, item.score) for item in items], resamples=2)
    made = replace(task, items=items, scores=scores, answers_hash=reload.answers_hash(items))
    return replace(like, tasks={"pope": made})


def resampled(like: StoredRun, pictures: int, rng: random.Random) -> list[Item]:
    """The questions of pictures drawn with replacement, each drawing a picture of its own."""
    groups: dict[str, list[Item]] = {}
    for item in like.tasks["pope"].items:
        groups.setdefault(item.sample.cluster, []).append(item)
    drawn = [rng.choice(list(groups)) for _ in range(pictures)]
    return [
        replace(item, sample=replace(item.sample, id=f"{at}/{item.sample.id}", cluster=f"{at}"))
        for at, name in enumerate(drawn)
        for item in groups[name]
    ]


def pair(like: StoredRun, rng: random.Random, *, noise: float, drop: float) -> Report:
    """The gate on resampled pictures; the later run has some answers turned both ways, and a drop (shares)."""
    before = resampled(like, 200, rng)
    right = sum(item.score.value == 1 for item in before) / len(before)
    chance = {1.0: (noise / 2 + drop) / right, 0.0: noise / 2 / (1 - right)}
    after = [turned(item) if rng.random() < chance[item.score.value or 0.0] else item for item in before]
    return gate.check(run_of(like, after), run_of(like, before), RULES, seed=0)


def test_identical_runs_pass_on_resampled_pictures(pope: StoredRun) -> None:
    rng = random.Random(1)
    for _ in range(5):
        report = pair(pope, rng, noise=0.0, drop=0.0)
        assert (report.outcome, report.verdicts[0].decision.rule) == (Outcome.PASS, "same answers")


def test_equally_good_runs_pass_and_a_drop_of_the_announced_size_is_found(pope: StoredRun) -> None:
    rng = random.Random(2)
    calm = [pair(pope, rng, noise=0.01, drop=0.0) for _ in range(TIMES)]
    assert Counter(report.outcome for report in calm)[Outcome.PASS] >= 0.95 * TIMES
    told = sorted(report.verdicts[0].decision.detectable or 0.0 for report in calm)[TIMES // 2]
    assert 1.0 < told < 2.0
    fallen = [pair(pope, rng, noise=0.01, drop=told / 100) for _ in range(TIMES)]
    assert Counter(report.outcome for report in fallen)[Outcome.FAIL] >= 0.8 * TIMES - 3


def test_few_pictures_cannot_tell_and_say_how_many_would(pope: StoredRun, tmp_path: Path) -> None:
    rng = random.Random(3)
    before = resampled(pope, 15, rng)
    after = [turned(item) if rng.random() < 0.02 else item for item in before]
    verdict = gate.check(run_of(pope, after), run_of(pope, before), RULES).verdicts[0]
    assert verdict.decision.outcome is Outcome.UNKNOWN
    assert verdict.items_needed is None or verdict.items_needed > len(before)
    assert verdict.available == 9000 and "270 items can show a drop of" in verdict.reason
