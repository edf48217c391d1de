"""Runs of scripted models over the embedded samples, as right as wanted; and runs that are made in memory."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vlmbench.base import registry
from vlmbench.base.process import exit_codes
from vlmbench.base.samples import Sample, Score, Status
from vlmbench.cli import main as cli
from vlmbench.data.files import Folder
from vlmbench.runs.storage import reload
from vlmbench.runs.storage.reload import Item, StoredRun, StoredTask, answers_hash
from vlmbench.scoring import score


@lru_cache
def truths(name: str) -> Mapping[str, str]:
    """Sample id to the right answer, of a task whose targets are texts."""
    choice = registry.choose_task(name)
    return {sample.id: str(sample.target) for sample in choice.task.samples(Folder.sample(name), choice.split)}


def wrong(answer: str) -> str:
    """Another answer."""
    return "no" if answer == "yes" else "yes"


def script(name: str, share_wrong: float, seed: int = 0) -> dict[str, str]:
    """Answers of which a share is wrong."""
    rng = random.Random(seed)
    return {key: wrong(truth) if rng.random() < share_wrong else truth for key, truth in truths(name).items()}


def ran(folder: Path, answers: Mapping[str, str], *words: str, tasks: str = "pope", code: int = exit_codes.OK) -> Path:
    """Run a scripted model into a folder; returns the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    told = folder.with_suffix(".answers.json")
    told.write_text(json.dumps(dict(answers)))
    command = ["run", "--model", f"echo:{told}", "--tasks", tasks, "--output", str(folder), "--json", *words]
    assert cli.main(command) == code
    return folder


def changed(folder: Path, name: str, change: Callable[[dict[str, object]], object]) -> None:
    """Edit a JSON file of a folder in place."""
    content = json.loads((folder / name).read_text())
    change(content)
    (folder / name).write_text(json.dumps(content))


def worse(folder: Path, target: Path, statuses: dict[int, str], name: str = "pope") -> Path:
    """A run's folder again, in which samples at some rows have no score."""
    target.mkdir()
    for path in folder.iterdir():
        if path.is_file():
            (target / path.name).write_bytes(path.read_bytes())
    table = pq.read_table(target / "records.parquet")
    for column, value in (("status", lambda row, old: statuses.get(row, old)),
                        ("value", lambda row, old: None if row in statuses else old)):  # fmt: skip
        cells = [value(row, old) for row, old in enumerate(table[column].to_pylist())]
        table = table.set_column(table.column_names.index(column), column, pa.array(cells))
    pq.write_table(table, target / "records.parquet")
    choice = registry.choose_task(name)
    rows = reload._rows(target, {name}, {})[name]
    items = [reload._item(row, (), target) for row in rows]
    scores = score.summarise(choice, [(item.sample, item.score) for item in items])
    changed(target, "scores.json", lambda content: content.update({name: scores}))
    return target


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
