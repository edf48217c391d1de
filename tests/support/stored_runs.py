"""Stored runs of POPE made in memory, as right as wanted, for what looks at many of them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.support.gate_runs import wrong
from vlmbench.base import registry
from vlmbench.base.samples import Sample, Score, Status
from vlmbench.runs.storage.reload import Item, StoredRun, StoredTask, answers_hash

Flags = NDArray[np.bool_]
IMAGES, EACH = 500, 18
"""POPE's real size."""


def stored(right: Flags, name: str, failed: Collection[int] = (), **entry: object) -> StoredRun:
    """A run of POPE whose answers are as right as told, every other target being yes; `failed` have no score."""
    items = []
    for at, good in enumerate(right.tolist()):
        target = "yes" if at % 2 else "no"
        tags = {"split": ("random", "popular", "adversarial")[at // 2 % 3]}
        sample = Sample(f"{at}", "", (), target, tags=tags, cluster=f"{at // EACH}")
        said = target if good else wrong(target)
        score = Score(None, Status.ERROR) if at in failed else Score(float(good), parsed_answer=said)
        items.append(Item(sample, score, said))
    choice = registry.choose_task("pope")
    entry = {
        "version": choice.task.version,
        "split": choice.split,
        "protocol": choice.protocol,
        "samples": len(items),
        **entry,
    }
    scores = {"headline": "accuracy", "coverage": 1 - len(failed) / len(items), "statuses": {"ok": len(items)}}
    task = StoredTask(choice, entry, scores, items, answers_hash(items))
    manifest = {"model": {"name": name, "fingerprint": name}, "asked": {}, "tasks": {"pope": entry}}
    return StoredRun(Path(name), manifest, {"pope": task})


def drifted(right: Flags, drop: float, rng: np.random.Generator) -> Flags:
    """The next commit: 1 % of the answers turn, so many more to wrong that accuracy falls by `drop` points."""
    gained = int(len(right) * (0.01 - drop / 100) / 2)
    lost = gained + round(len(right) * drop / 100)
    after = right.copy()
    after[rng.choice(np.flatnonzero(right), lost, replace=False)] = False
    after[rng.choice(np.flatnonzero(~right), gained, replace=False)] = True
    return after
