"""Runs whose answers a judge graded, with a judge that leans, for comparisons and gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Sample, Verdict
from vlmbench.data.files import Folder
from vlmbench.runs.storage import reload
from vlmbench.runs.storage.reload import Item, StoredRun, StoredTask
from vlmbench.scoring import score
from vlmbench.scoring.verdicts import combine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

KEY = "mmvet"
JUDGE: Mapping[str, Any] = {"name": "judge", "identity": "one", "prompt_hash": "words"}


def samples(count: int) -> list[Sample]:
    """Questions of MM-Vet, one per image, as many as wanted."""
    choice = choose_task(KEY)
    known = list(choice.task.samples(Folder.sample(KEY), choice.split))
    return [replace(known[at % len(known)], id=f"q{at}", cluster=f"image {at}") for at in range(count)]


def run_of(
    texts: Sequence[str],
    grades: Floats,
    judge: Mapping[str, Any] = JUDGE,
    asked: Sequence[Sample] | None = None,
) -> StoredRun:
    """A run with these answers, graded so: (answers, runs of the judge). An empty text is one that was not kept."""
    choice = choose_task(KEY)
    asked = asked or samples(len(texts))
    items = []
    for sample, text, row in zip(asked, texts, grades, strict=True):
        graded = combine([Verdict(float(grade)) for grade in row])
        items.append(Item(sample, graded, text, (), reload.text_hash(text) if text else ""))
    scores = score.summarise(choice, [(item.sample, item.score) for item in items], resamples=2)
    entry = {"version": choice.task.version, "judge": dict(judge), "samples": len(items)}
    task = StoredTask(choice, entry, scores, items, reload.answers_hash(items))
    return StoredRun(Path("run"), {"model": {"name": "toy"}, "asked": {}}, {KEY: task})


def graded(truth: Floats, runs: int, lean: float, rng: np.random.Generator) -> Floats:
    """(answers, runs): tenths from 0 to 1; a run leans by `lean` points (sd), and each grade has noise of 10."""
    own = rng.normal(0, lean / 100, runs) + rng.normal(0, 0.1, (len(truth), runs))
    found: Floats = np.clip(np.round(truth[:, None] + own, 1), 0, 1)
    return found


def truths(count: int, rng: np.random.Generator) -> Floats:
    """What answers deserve: a third right, a third wrong, the others between."""
    kind = rng.integers(0, 3, count)
    found: Floats = np.where(kind == 0, 0.85, np.where(kind == 1, 0.15, rng.uniform(0.15, 0.85, count)))
    return found
