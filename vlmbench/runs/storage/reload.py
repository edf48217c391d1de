"""A stored run, rebuilt for its task's metrics: samples and scores from records.parquet alone, without data or model.

What the metrics say of the rebuilt samples is checked against scores.json before anything else is made of them, so
records of another version, or damaged ones, cannot pass for the run.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from vlmbench.base import registry
from vlmbench.base.errors import ImageError, StoreError, UsageError
from vlmbench.base.samples import ImageRef, Sample, Score, Status, Verdict
from vlmbench.runs.storage import manifest, run_tables
from vlmbench.runs.storage.layout import JUDGEMENTS, RECORDS
from vlmbench.runs.storage.run_files import read_finished
from vlmbench.scoring import verdicts as judge_verdicts
from vlmbench.scoring.suites.choosing import expanded
from vlmbench.stats.intervals import LEVEL

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice
    from vlmbench.stats.metrics import Metric

COLUMNS = ("task", "sample_id", "question", "images", "image_hashes", "target", "options", "tags", "cluster")
OUTCOME = ("status", "value", "parsed_answer", "note", "text")
AGAIN = "`vlmbench score RUN` writes the records anew from the answers; or run it again"
SAME = 1e-6
"""How far a metric may be from scores.json: sums of floats differ by their order."""


@dataclass(frozen=True, slots=True)
class Item:
    """One sample of a stored run: what its metrics read, and what people want to see of it."""

    sample: Sample
    score: Score
    text: str = ""
    """The model's own words; empty where they were not kept."""
    image_hashes: tuple[str, ...] = ()
    answer_hash: str = ""
    """Of the model's own words: the same hash, the same answer. Empty where they were not kept."""


@dataclass(frozen=True)
class StoredTask:
    """One task of a stored run."""

    choice: TaskChoice
    entry: Mapping[str, Any]
    """What run.json says of it."""
    scores: Mapping[str, Any]
    """What scores.json says of it."""
    items: Sequence[Item]
    answers_hash: str
    """Content hash of every answer with its sample: equal ones, equal answers."""

    @property
    def key(self) -> str:
        """The task as the run names it."""
        return self.choice.key

    @property
    def level(self) -> float:
        """The confidence level of its intervals; runs of earlier versions do not say it."""
        return float(self.scores.get("level", LEVEL))

    @property
    def headline(self) -> str:
        """The metric that the protocol's papers print."""
        return str(self.scores["headline"])

    @property
    def thoughts(self) -> int:
        """How many answers came behind a thought of the model."""
        counts = (self.scores.get("answers") or {}).get("thoughts") or {}
        return int(counts.get("total") or 0)

    @cached_property
    def answered(self) -> Mapping[str, Item]:
        """Those with a score, by sample id."""
        return {item.sample.id: item for item in self.items if item.score.status is Status.OK}

    @cached_property
    def by_id(self) -> Mapping[str, Item]:
        """All, with a score or without, by sample id."""
        return {item.sample.id: item for item in self.items}

    def metrics(self, ids: Sequence[str]) -> list[Metric]:
        """The task's metrics over some of the answered samples, in this order; with the judge's runs, if there were."""
        scored = [(self.answered[key].sample, self.answered[key].score) for key in ids]
        return list(judge_verdicts.metrics(self.choice.task, self.choice.protocol, scored)) if scored else []


@dataclass(frozen=True)
class StoredRun:
    """A finished run, or the baseline that was made of one."""

    path: Path
    manifest: Mapping[str, Any]
    tasks: Mapping[str, StoredTask]
    kind: str = "run"
    facts: Mapping[str, Any] = field(default_factory=dict)
    anchors: Sequence[StoredRun] = ()
    """Earlier runs that total drops are counted from, each of other tasks: those of a baseline file."""

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.manifest.get("model", {}).get("name", "?"))

    @property
    def suites(self) -> Mapping[str, Mapping[str, Any]]:
        """Its suites as run.json tells of them, by key."""
        suites: Mapping[str, Mapping[str, Any]] = self.manifest.get("suites", {})
        return suites

    def describe(self) -> dict[str, Any]:
        """What reports say of it."""
        model = self.manifest.get("model", {})
        return {
            "path": str(self.path),
            "kind": self.kind,
            "model": self.name,
            "fingerprint": model.get("fingerprint", ""),
            "perturbation": self.manifest.get("asked", {}).get("perturb", ""),
            "vlmbench": self.manifest.get("vlmbench", ""),
            "commit": self.manifest.get("code", {}).get("commit"),
            "finished": self.manifest.get("finished"),
        }


def load(folder: Path, tasks: Sequence[str] = ()) -> StoredRun:
    """A finished run's folder; `tasks` (keys or bare names, or `suite:NAME` for its members) leaves the others out.

    Raises StoreError for an unfinished or damaged run, and for records that do not give its scores.
    """
    content, scores = read_finished(folder)
    scored = {key: entry for key, entry in scores.items() if not registry.is_suite(key)}
    named = expanded(tasks, content.get("suites", {}))
    wanted = {key: scored[key] for key in chosen(scored, named, folder)}
    rows = _rows(folder, wanted, content, run_tables.expected_rows(wanted))
    verdicts = _verdicts(folder, content)
    found = {}
    for key, entry in wanted.items():
        items = [_item(row, verdicts.get((key, row["sample_id"]), ()), folder) for row in rows.get(key, [])]
        choice = registry.choose_task(key)
        stored = StoredTask(choice, content.get("tasks", {}).get(key, {}), entry, items, answers_hash(items))
        check(stored, folder, AGAIN)
        found[key] = stored
    return StoredRun(folder, content, found)


def chosen(known: Mapping[str, Any], tasks: Sequence[str], where: Path) -> list[str]:
    """The keys that are meant by keys or bare names; all where none is named. Raises UsageError for unknown ones."""
    found: list[str] = []
    for name in tasks:
        same = [key for key in known if name in (key, registry.bare_name(key))]
        if not same:
            raise UsageError(f"no task {name!r} in it", where=str(where), hint=f"it has: {', '.join(known)}")
        found += same
    return list(dict.fromkeys(found)) if tasks else list(known)


def answers_hash(items: Sequence[Item]) -> str:
    """Content hash of ids, answers and what became of them, whatever their order."""
    return manifest.hash_of(sorted([i.sample.id, i.text, str(i.score.status), i.score.value] for i in items))


def check(stored: StoredTask, where: Path, hint: str) -> None:
    """Raise StoreError unless the metrics of the rebuilt samples are those of scores.json.

    Another version of the task is left to the comparison, which names both.
    """
    if stored.entry.get("version") not in (None, stored.choice.task.version):
        return
    ids = list(stored.answered)
    try:
        values = {metric.name: metric.value() for metric in stored.metrics(ids)}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        what = f"{stored.key}: the records lack what its metrics read ({type(error).__name__}: {error})"
        raise StoreError(what, where=str(where), hint=hint) from None
    for name, entry in stored.scores.items():
        if not isinstance(entry, dict) or "value" not in entry or (not ids and name == stored.headline):
            continue
        now, then = values.get(name, math.nan), math.nan if entry["value"] is None else entry["value"]
        if not (math.isnan(now) and math.isnan(then)) and not abs(now - then) <= SAME * max(1.0, abs(then)):
            what = f"{stored.key}: the records give {name} {now:g}, the run's scores say {then:g}"
            raise StoreError(what, where=str(where), hint=hint)


def _rows(
    folder: Path, wanted: Collection[str], content: Mapping[str, Any], expected: Mapping[str, int] | None = None
) -> dict[str, list[dict[str, Any]]]:
    """The rows of each wanted task; `expected` is how many there must be."""
    table = run_tables.read(folder, RECORDS, content, (*COLUMNS, *OUTCOME), ("extra",), rows=expected)
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        if row["task"] in wanted:
            rows.setdefault(row["task"], []).append(row)
    return rows


def _item(row: Mapping[str, Any], verdicts: tuple[Verdict, ...], folder: Path) -> Item:
    extra = orjson.loads(row.get("extra") or "{}")
    if extra is None:
        what = f"{row['task']} keeps with its samples what JSON cannot hold"
        raise StoreError(what, where=str(folder), hint="fix the task: Sample.extra must be JSON-like")
    sample = Sample(
        row["sample_id"],
        row["question"],
        tuple(image_ref(name) for name in row["images"] or ()),
        orjson.loads(row["target"]),
        tuple(row["options"] or ()),
        orjson.loads(row["tags"]),
        row["cluster"],
        extra,
    )
    score = Score(row["value"], Status(row["status"]), row["parsed_answer"] or "", row["note"] or "", verdicts)
    text = row["text"] or ""
    return Item(sample, score, text, tuple(row["image_hashes"] or ()), text_hash(text) if text else "")


def text_hash(text: str) -> str:
    """What an answer is known by."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def image_ref(name: str) -> ImageRef:
    """An image whose name is all that was kept."""
    return ImageRef(name, _gone)


def _gone() -> bytes:
    raise ImageError("a stored run keeps no images", hint="ask for the sample's image in the benchmark's data")


def _verdicts(folder: Path, content: Mapping[str, Any]) -> dict[tuple[str, str], tuple[Verdict, ...]]:
    """(task, sample id) to the verdicts of its judge's runs, in their order."""
    if not (folder / JUDGEMENTS).is_file():
        return {}
    needed = run_tables.needed(JUDGEMENTS)
    rows = run_tables.read(folder, JUDGEMENTS, content, needed, run_tables.LATER[JUDGEMENTS]).to_pylist()
    found: dict[tuple[str, str], list[tuple[int, Verdict]]] = {}
    for row in rows:
        verdict = Verdict(
            row["value"],
            Status(row["status"]),
            tuple(row["values"] or ()),
            row["note"] or "",
            tuple(row["replies"] or ()),
            row["judge_model"] or "",
            bool(row.get("unread")),
        )
        found.setdefault((row["task"], row["sample_id"]), []).append((row["run"], verdict))
    return {key: tuple(one for _, one in sorted(runs, key=lambda run: run[0])) for key, runs in found.items()}
