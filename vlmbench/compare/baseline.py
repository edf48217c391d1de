"""A run as one small file for a repository: what became of every sample, and under which rules. No images, no data.

    {"kind": "vlmbench baseline", "format": 3, "vlmbench", "model", "asked",
     "tasks": {KEY: {"entry", "scores", "answers", "items", "digest"}}, "suites": as in run.json, where there are any,
     "anchors": [the same again from "vlmbench" on], earlier runs that total drops are counted from (anchors.py)}

`items` is a table of columns as JSON, compressed by zlib, in base64; `digest` is the hash of its JSON. Of each sample
it holds what the task's metrics read, and no more: fields that change no metric when they are left out are left out
(question texts, images, mostly the right answers too). Of answers that a judge graded it holds the hash, so that a
later run's grade of the same answer can be told from a change (judged_pairs.py; since format 3). The same run gives the
same bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from vlmbench.base import registry
from vlmbench.base.errors import StoreError, UsageError, VlmbenchError
from vlmbench.base.files import read_regular, write_atomically
from vlmbench.base.json_shapes import (
    MisfitError,
    Shape,
    fields,
    list_of,
    listing,
    mapping,
    mapping_of,
    number,
    one_of,
    optional,
    text,
    whole,
)
from vlmbench.base.samples import EARLIER_STATUSES, Sample, Score, Status, Verdict
from vlmbench.runs.execution.record_columns import extra_text
from vlmbench.runs.storage import earlier_names, reload
from vlmbench.runs.storage.reload import Item, StoredRun, StoredTask
from vlmbench.runs.storage.run_files import (
    ASKED_SHAPE,
    LARGEST_JSON,
    SUITE_SHAPE,
    TASK_SHAPE,
    parsed,
    scored_task,
    to_json,
)
from vlmbench.scoring.suites.choosing import expanded

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Metric

KIND, FORMAT = "vlmbench baseline", 3
EARLIER_FORMATS = (1, 2)
"""Formats that are read too."""
EARLIER_COLUMNS: Mapping[str, str] = {"read": "parsed_answer", "pictures": "images"}
"""Columns of format 1 that have another name now."""
CURE = "`vlmbench baseline RUN --output FILE` writes a new one"
ENTRY = (
    "name", "version", "split", "protocol", "headline", "samples", "images", "generation", "hashes", "judge", "plugin",
)  # fmt: skip
"""What run.json says of a task, as far as a comparison looks at it."""
ASKED = ("perturb", "limit", "ids", "seed")
LONGEST_PARSED = 80
"""Characters kept of a parsed answer, where no metric needs more."""
LARGEST = 1 << 28
"""Bytes a table may unpack to."""

_text_or_null = optional(text)
CELLS: Mapping[str, Shape] = {
    "cluster": text,
    "status": one_of([*Status, *map(str, EARLIER_STATUSES)]),
    "value": optional(number),
    "parsed_answer": text,
    "note": text,
    "question": text,
    "images": list_of(text),
    "choices": list_of(text),
    "extra": optional(mapping),
    "verdicts": list_of(listing),
    "answer": text,
}
"""What a value of each column is."""
TABLE: Shape = fields(
    {"ids": list_of(text)},
    needed=("ids", "cluster", "status", "value", "parsed_answer"),
    rest=optional(fields({"of": listing, "at": list_of(whole)}, needed=("of", "at"))),
)
"""The table of a task."""
RUN: Shape = fields(
    {
        "vlmbench": text,
        "model": fields({"name": _text_or_null, "fingerprint": _text_or_null, "settings": optional(mapping)}),
        "asked": ASKED_SHAPE,
        "suites": mapping_of(SUITE_SHAPE),
        "tasks": mapping_of(
            fields(
                {"entry": TASK_SHAPE, "scores": scored_task, "answers": text, "items": text, "digest": text},
                needed=("entry", "scores", "answers", "items", "digest"),
            )
        ),
    },
    needed=("vlmbench", "model", "asked", "tasks"),
)
"""What the file says of a run."""
ANCHORS: Shape = list_of(RUN)
"""What it says of earlier ones."""

LEAVE_OUT: Mapping[str, Callable[[Item], Item]] = {
    "target": lambda item: replace(item, sample=replace(item.sample, target=None)),
    "choices": lambda item: replace(item, sample=replace(item.sample, choices=())),
    "extra": lambda item: replace(item, sample=replace(item.sample, extra={})),
    "images": lambda item: replace(item, sample=replace(item.sample, images=())),
    "question": lambda item: replace(item, sample=replace(item.sample, question="")),
    "parsed_answer": lambda item: replace(
        item, score=replace(item.score, parsed_answer=item.score.parsed_answer[:LONGEST_PARSED])
    ),
    "note": lambda item: replace(item, score=replace(item.score, note="")),
}
"""How an item looks without a field (or with less of it)."""


def make(run: StoredRun) -> bytes:
    """The baseline of a run, with its anchors, as the bytes of its file. Raises UsageError for a run that stopped."""
    for key, task in run.tasks.items():
        if lacking := sum(item.score.status is Status.NOT_ASKED for item in task.items):
            problem = f"{key}: {lacking:,} of {len(task.items):,} questions were not asked"
            raise UsageError(problem, hint="a run that a gate ended is no baseline; run it again without --gate")
    anchors = {"anchors": [_content(anchor) for anchor in run.anchors]} if run.anchors else {}
    return to_json({"kind": KIND, "format": FORMAT, **_content(run), **anchors})


def _content(run: StoredRun) -> dict[str, Any]:
    model = run.manifest.get("model", {})
    requested = run.manifest.get("asked", {})
    return {
        "vlmbench": run.manifest.get("vlmbench", ""),
        "model": {name: model.get(name) for name in ("name", "fingerprint", "settings")},
        "asked": {name: requested[name] for name in ASKED if name in requested},
        "tasks": {key: _task(task) for key, task in run.tasks.items()},
        **({"suites": run.suites} if run.suites else {}),
    }


def write(run: StoredRun, path: Path) -> int:
    """Write the baseline file of a run; returns its size in bytes. Raises StoreError when it cannot be written."""
    content = make(run)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise StoreError(f"cannot write: {error.strerror}", where=str(path), hint="name another --output") from None
    return len(content)


def _task(task: StoredTask) -> dict[str, Any]:
    items = sorted(task.items, key=lambda item: item.sample.id)
    needed, reduced = _least(task, items)
    packed = orjson.dumps(_columns(reduced, needed), option=orjson.OPT_SORT_KEYS)
    totals = {
        name: entry
        for name, entry in task.scores.items()
        if not (isinstance(entry, dict) and entry.get("breakdown")) and name not in ("judge", "answers", "notes")
    }
    if task.thoughts:
        totals["answers"] = {"thoughts": {"total": task.thoughts}}
    if models := (task.scores.get("judge") or {}).get("models"):
        totals["judge"] = {"models": models}
    return {
        "entry": {name: task.entry[name] for name in ENTRY if name in task.entry},
        "scores": totals,
        "answers": task.answers_hash,
        "items": base64.b64encode(zlib.compress(packed, 9)).decode(),
        "digest": hashlib.sha256(packed).hexdigest(),
    }


# ------------------------------------------------------------------------------------------------- what metrics need


def _least(task: StoredTask, items: Sequence[Item]) -> tuple[list[str], list[Item]]:
    """(fields that the metrics need, the items without the others)."""
    needed, reduced = [], list(items)
    complete = _fingerprint(task, reduced)
    for name, without in LEAVE_OUT.items():
        less = [without(item) for item in reduced]
        if less != reduced and _fingerprint(task, less) != complete:
            needed.append(name)
        else:
            reduced = less
    return needed, reduced


def _fingerprint(task: StoredTask, items: Sequence[Item]) -> str:
    """Content hash of everything in the metrics that a comparison may use; empty where they cannot be computed."""
    scored = [(item.sample, item.score) for item in items if item.score.status is Status.OK]
    try:
        metrics = task.choice.task.summarise(scored, task.choice.protocol) if scored else ()
    except Exception:  # whatever a task raises where a field is missing: it needs the field
        return ""
    digest = hashlib.sha256()
    for metric in metrics:
        digest.update(_bytes_of(metric))
    return digest.hexdigest()


def _bytes_of(metric: Metric) -> bytes:
    opposite = b"" if metric.opposite is None else metric.opposite.tobytes()
    words = [metric.name, metric.breakdown, metric.label, metric.n, metric.proportion, metric.of_weights, metric.note]
    head = orjson.dumps([words, list(metric.clusters), repr(metric.value())])
    return head + str(metric.items.shape).encode() + metric.items.tobytes() + opposite


# ----------------------------------------------------------------------------------------------------------- the table


def _columns(items: Sequence[Item], needed: Sequence[str]) -> dict[str, Any]:
    samples, scores = [item.sample for item in items], [item.score for item in items]
    tags = list(dict.fromkeys(name for sample in samples for name in sample.tags))
    judged = any(score.verdicts for score in scores)
    fields: dict[str, list[Any]] = {
        "cluster": [sample.cluster for sample in samples],
        "status": [str(score.status) for score in scores],
        "value": [score.value for score in scores],
        "parsed_answer": [score.parsed_answer for score in scores],
        **{f"tag {name}": [sample.tags.get(name) for sample in samples] for name in tags},
        **({"verdicts": [[_verdict(verdict) for verdict in score.verdicts] for score in scores]} if judged else {}),
        **({"answer": [item.answer_hash for item in items]} if judged else {}),
    }
    more: Mapping[str, Callable[[], list[Any]]] = {
        "target": lambda: [sample.target for sample in samples],
        "choices": lambda: [sample.choices for sample in samples],
        "extra": lambda: [orjson.loads(extra_text(sample.extra)) for sample in samples],
        "images": lambda: [[image.name for image in sample.images] for sample in samples],
        "question": lambda: [sample.question for sample in samples],
        "note": lambda: [score.note for score in scores],
    }
    fields |= {name: column() for name, column in more.items() if name in needed}
    ids = [sample.id for sample in samples]
    return {"ids": ids, **{name: _encoded(column, ids) for name, column in fields.items()}}


def _verdict(verdict: Verdict) -> list[Any]:
    return [verdict.value, str(verdict.status), list(verdict.values)]


def _encoded(column: Sequence[Any], ids: Sequence[str]) -> Any:
    """A column as its different values and the place of each row's; null where it is the ids again."""
    if list(column) == list(ids):
        return None
    texts = [orjson.dumps(value, option=orjson.OPT_SORT_KEYS) for value in column]
    place = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    return {"of": [orjson.loads(text) for text in place], "at": [place[text] for text in texts]}


def _decoded(column: Any, ids: Sequence[str]) -> list[Any]:
    if column is None:
        return list(ids)
    if len(column["at"]) != len(ids) or any(place < 0 for place in column["at"]):
        raise ValueError("a column does not fit the others")
    return [column["of"][place] for place in column["at"]]


# --------------------------------------------------------------------------------------------------------- reading it


def read(path: Path, tasks: Sequence[str] = ()) -> StoredRun:
    """A baseline file as the run it was made of. Raises StoreError for a damaged or foreign one."""
    try:
        content = parsed(read_regular(path, LARGEST_JSON))
    except (OSError, orjson.JSONDecodeError, MisfitError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StoreError(f"cannot read the baseline: {reason}", where=str(path), hint=CURE) from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise StoreError("not a baseline file", where=str(path), hint=f"name a run's folder, or: {CURE}")
    if content.get("format") not in (FORMAT, *EARLIER_FORMATS):
        readable = ", ".join(map(str, (*EARLIER_FORMATS, FORMAT)))
        problem = f"a baseline of format {content.get('format')!r}; this vlmbench reads {readable}"
        raise StoreError(problem, where=str(path), hint=CURE)
    try:
        RUN(content, "")
        ANCHORS(content.get("anchors", []), "anchors")
        keys = reload.chosen(content["tasks"], expanded(tasks, content.get("suites", {})), path)
        run = _run(content, keys, path)
        anchors = [_run(one, [key for key in one["tasks"] if key in keys], path) for one in content.get("anchors", ())]
        run = replace(run, anchors=[anchor for anchor in anchors if anchor.tasks])
    except VlmbenchError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, binascii.Error, zlib.error) as error:
        problem = f"the baseline is damaged: {error or type(error).__name__}"
        if not isinstance(error, MisfitError | binascii.Error | zlib.error):
            problem = f"the baseline is damaged ({type(error).__name__}: {error})"
        raise StoreError(problem, where=str(path), hint=f"restore it from the repository, or: {CURE}") from None
    return run


def _run(content: Mapping[str, Any], keys: Sequence[str], path: Path) -> StoredRun:
    tasks = {key: _stored(key, content["tasks"][key], path) for key in keys}
    earlier_names.update(content["asked"])
    manifest = {name: content[name] for name in ("vlmbench", "model", "asked")}
    manifest["suites"] = content.get("suites", {})
    manifest["tasks"] = {key: dict(task.entry) for key, task in tasks.items()}
    run = StoredRun(path, manifest, tasks, kind="baseline")
    run.describe()
    return run


def _stored(key: str, content: Mapping[str, Any], path: Path) -> StoredTask:
    unpack = zlib.decompressobj()
    packed = unpack.decompress(base64.b64decode(content["items"], validate=True), LARGEST)
    if not unpack.eof or hashlib.sha256(packed).hexdigest() != content["digest"]:
        raise ValueError("its table is not the one that was written")
    choice = registry.choose_task(key)
    entry = {**content["entry"], "hashes": {**content["entry"].get("hashes", {})}}
    table = {EARLIER_COLUMNS.get(name, name): column for name, column in orjson.loads(packed).items()}
    TABLE(table, f"tasks.{key}.items")
    task = StoredTask(choice, entry, content["scores"], _items(table), content["answers"])
    reload.check(task, path, CURE)
    return task


def _items(table: Mapping[str, Any]) -> list[Item]:
    ids = table["ids"]
    if len(set(ids)) < len(ids):
        raise ValueError(f"{len(ids) - len(set(ids)):,} samples are there twice")
    columns = {name: _decoded(column, ids) for name, column in table.items() if name != "ids"}
    for name, shape in CELLS.items():
        for value in columns.get(name, ()):
            shape(value, name)
    tags = [name for name in columns if name.startswith("tag ")]

    def of(name: str, row: int, default: Any) -> Any:
        return columns[name][row] if name in columns else default

    return [
        Item(
            Sample(
                key,
                of("question", row, ""),
                tuple(reload.image_ref(name) for name in of("images", row, ())),
                of("target", row, None),
                tuple(of("choices", row, ())),
                {name[4:]: columns[name][row] for name in tags if columns[name][row] is not None},
                columns["cluster"][row],
                of("extra", row, {}),
            ),
            Score(
                columns["value"][row],
                Status(columns["status"][row]),
                columns["parsed_answer"][row],
                of("note", row, ""),
                tuple(
                    Verdict(value, Status(status), tuple(values)) for value, status, values in of("verdicts", row, ())
                ),
            ),
            answer_hash=of("answer", row, ""),
        )
        for row, key in enumerate(ids)
    ]
