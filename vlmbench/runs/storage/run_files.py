"""The JSON files of a run's folder, read with their types checked, and files written whole or not at all.

Whoever reads run.json, scores.json or check.json reads it here: a damaged file is an error that names the file, the
field and the hint, and not a traceback somewhere later. Special files (a pipe, a device) are refused unread.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from vlmbench.base import json_shapes as shapes
from vlmbench.base.errors import StoreError
from vlmbench.base.files import read_regular
from vlmbench.base.json_shapes import (
    MisfitError,
    Shape,
    fields,
    flag,
    listing,
    mapping,
    mapping_of,
    optional,
    text,
    whole,
)
from vlmbench.base.samples import EARLIER_STATUSES
from vlmbench.runs.storage import earlier_names
from vlmbench.runs.storage.layout import (
    CHECK,
    FORMAT,
    JUDGEMENTS,
    LOCK,
    LOG,
    MANIFEST,
    PERTURBATIONS,
    RECORDS,
    SCORES,
    TRAINING_LOG,
)

LARGEST_JSON = 256 << 20
"""Bytes of a JSON file of a run's folder; real ones have some kilobytes."""

_HASHES = mapping_of(text)
TASK_SHAPE: Shape = fields(
    {
        "name": text, "title": text, "version": whole, "split": text, "protocol": text, "protocol_source": text,
        "protocol_note": text, "headline": text, "data": text, "samples": shapes.count, "images": shapes.count,
        "prompt_example": text, "generation": mapping, "hashes": _HASHES, "judge": mapping, "plugin": mapping,
        "notes": shapes.list_of(text),
        "examples": fields({"split": text, "ids": shapes.list_of(text), "first": listing}),
    }
)  # fmt: skip
ASKED_SHAPE: Shape = fields(
    {"model": text, "settings": mapping, "tasks": shapes.list_of(text), "data": text, "perturb": text, "ablate": text}
    | {"limit": optional(shapes.number), "ids": text, "seed": whole, "predictions": text}
    | {"suites": mapping_of(text), "data_of": mapping_of(text), "limits": mapping_of(shapes.number)}
)
MODEL_SHAPE: Shape = fields({"name": text, "fingerprint": text, "settings": mapping, "facts": mapping})
_FILE = fields({"bytes": whole, "sha256": text}, needed=("bytes", "sha256"))
SUITE_SHAPE: Shape = fields(
    {name: text for name in ("name", "title", "source", "formula", "formula_source", "note", "label")}
    | {
        "members": shapes.list_of(
            fields(
                {"benchmark": text, "task": text, "metrics": shapes.list_of(text)}
                | {"divide_by": shapes.number, "weight": shapes.number},
                needed=("benchmark",),
            )
        )
    },
    needed=("name", "members"),
)
"""A suite, as Suite.to_dict writes it."""
RUN: Shape = fields(
    {
        "format": whole, "vlmbench": text, "asked": ASKED_SHAPE, "identity": text, "command": listing, "started": text,
        "finished": optional(text), "seed": whole, "data_folder": text, "model": MODEL_SHAPE,
        "tasks": mapping_of(TASK_SHAPE),
        "code": fields({"commit": optional(text), "changed": optional(flag)}), "packages": mapping_of(text),
        "hardware": mapping, "judge": mapping, "left_out": mapping_of(mapping_of(whole)),
        "suites": mapping_of(SUITE_SHAPE),
        "files": mapping_of(_FILE), "rescoring": flag, "gate": mapping,
    },
    needed=("asked", "identity"),
)  # fmt: skip
"""run.json."""

_figure = optional(shapes.number)
_BAR = fields(
    {
        "value": _figure, "low": _figure, "high": _figure, "n": whole, "breakdown": text, "label": text, "note": text,
        "reason": text,
        "shrunk": fields({"value": _figure, "low": _figure, "high": _figure, "reason": text}),
    }
)  # fmt: skip


def _level(value: Any, at: str) -> None:
    """The level of intervals, between 0 and 1."""
    shapes.number(value, at)
    if not 0 < value < 1:
        raise MisfitError(at, f"a level between 0 and 1 was expected, not {value!r:.40}")


def _entry_part(value: Any, at: str) -> None:
    """A metric, or something else that is told beside the metrics."""
    if value is None:
        raise MisfitError(at, "an object was expected, not null")
    if isinstance(value, dict) and "value" in value:
        _BAR(value, at)
    else:
        shapes.anything(value, at)


_ENTRY = fields(
    {
        "coverage": shapes.number, "level": _level, "statuses": mapping_of(shapes.count), "headline": text,
        "protocol": text, "split": text, "version": whole, "data": text, "judge": mapping, "answers": mapping,
        "notes": shapes.list_of(text),
    },
    needed=("coverage", "statuses", "headline"),
    rest=_entry_part,
)  # fmt: skip


def scored_task(value: Any, at: str) -> None:
    """One task's entry of scores.json."""
    _ENTRY(value, at)
    headline = value.get(value["headline"])
    if not isinstance(headline, dict) or "value" not in headline:
        raise MisfitError(f"{at}.{value['headline']}", "the headline's metric is missing")


SCORED: Shape = mapping_of(scored_task)
"""scores.json."""

_CHECKED_TASK = fields(
    {"key": text, "metric": text, "outcome": text, "rule": text, "reason": text},
    needed=("key", "metric", "outcome", "reason"),
)
CHECKED: Shape = fields(
    {
        "format": whole, "outcome": text, "before": mapping, "after": mapping, "settings": mapping,
        "floors": shapes.list_of(fields({"key": text, "kind": text, "what": text}, needed=("key", "kind", "what"))),
        "left_out": shapes.list_of(text), "tasks": shapes.list_of(_CHECKED_TASK),
        "by_task": shapes.mapping_of(
            fields({"outcome": text, "reasons": shapes.list_of(text)}, needed=("outcome", "reasons"))
        ),
    },
    needed=("outcome", "tasks"),
)  # fmt: skip
"""check.json."""


class DamagedError(StoreError):
    """A file of the folder is there and cannot be used as it is."""


def run_again(folder: Path, manifest: Mapping[str, Any] | None = None) -> str:
    """The command that made a run, where run.json tells it, or words that describe it."""
    words = (manifest or {}).get("command")
    if isinstance(words, list) and len(words) > 1 and words[1] in ("run", "score") and all(map(_is_text, words)):
        told = shlex.join(["vlmbench", *words[1:]])
        if len(told) <= 500:
            return f"`{told}`"
    return f"the command that made it, with --output {folder}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def read_manifest(folder: Path) -> dict[str, Any]:
    """run.json of a run's folder. Raises StoreError when there is none, DamagedError when it cannot be read."""
    missing = StoreError(f"no {MANIFEST} here", where=str(folder), hint="name a folder written by `vlmbench run`")
    hint = f"restore the file, or run {run_again(folder)}: it resumes, and asks no question that has an answer there"
    content = _read_json(folder / MANIFEST, RUN, missing, hint)
    refuse_newer(content, folder / MANIFEST, FORMAT)
    earlier_names.update(content["asked"])
    return content


def read_scores(folder: Path) -> dict[str, Any]:
    """scores.json of a run. Raises StoreError when there is none, DamagedError when it cannot be read."""
    hint = "let the run finish: the same command resumes"
    missing = StoreError(f"no {SCORES} here", where=str(folder), hint=hint)
    scores = _read_json(folder / SCORES, SCORED, missing, scores_cure(folder))
    for entry in scores.values():
        entry["statuses"] = {EARLIER_STATUSES.get(name, name): count for name, count in entry["statuses"].items()}
    return scores


def scores_cure(folder: Path) -> str:
    """What to do about a damaged scores.json: scoring again needs no model, but would leave out a judge's verdicts."""
    manifest = None
    with suppress(StoreError):
        manifest = read_manifest(folder)
    if manifest is None or (folder / JUDGEMENTS).exists():
        return f"run {run_again(folder, manifest)}: it writes it anew from the answers, and asks none again"
    return f"`vlmbench score {shlex.quote(str(folder))}` writes it anew from the answers"


def read_finished(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """(run.json, scores.json) of a finished run. Raises StoreError for another one, DamagedError for damage."""
    manifest, scores = read_manifest(folder), read_scores(folder)
    if "finished" in manifest and manifest["finished"] is None:
        hint = f"run {run_again(folder, manifest)}: it resumes from the last answer"
        raise StoreError("the run is not finished", where=str(folder), hint=hint)
    verify(folder, SCORES, manifest, scores_cure(folder))
    return manifest, scores


def read_check(folder: Path) -> dict[str, Any] | None:
    """check.json of a run's folder; None where there is none. Raises DamagedError when it cannot be read."""
    missing = StoreError(f"no {CHECK} here", where=str(folder))
    hint = "`vlmbench check` writes it anew; or delete the file"
    try:
        found = _read_json(folder / CHECK, CHECKED, missing, hint)
    except StoreError as error:
        if error is missing:
            return None
        raise
    refuse_newer(found, folder / CHECK, FORMAT)
    return found


def refuse_newer(content: Mapping[str, Any], path: Path, known: int) -> None:
    """Raise StoreError for a file of a later format than this version reads."""
    told = content.get("format", known)
    if told != known:
        what = f"it has format {told}; this vlmbench reads format {known}"
        raise StoreError(what, where=str(path), hint="use the vlmbench that wrote it, or a later one")


def _read_json(path: Path, shape: Shape, missing: StoreError, hint: str) -> dict[str, Any]:
    try:
        content = parsed(read_regular(path, LARGEST_JSON))
        shape(content, "")
    except FileNotFoundError:
        raise missing from None
    except orjson.JSONDecodeError as error:
        what = f"it is damaged: {error}" if path.stat().st_size else "it is damaged: the file is empty"
        raise DamagedError(what, where=str(path), hint=hint) from None
    except (OSError, MisfitError) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DamagedError(f"it cannot be used: {told}", where=str(path), hint=hint) from None
    found: dict[str, Any] = content
    return found


def parsed(content: bytes) -> Any:
    """JSON, whose objects hold every name once: of two values of one name a parser would take the last without a word.

    Raises orjson.JSONDecodeError, MisfitError.
    """
    found = orjson.loads(content)
    json.loads(content, object_pairs_hook=_once)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MisfitError(twice, "it is there twice")
    return found


def refuse_special(folder: Path) -> None:
    """Raise StoreError where a file of the run is a pipe, a device or a folder: reading it could wait for ever."""
    for name in (MANIFEST, LOG, RECORDS, SCORES, JUDGEMENTS, CHECK, PERTURBATIONS, TRAINING_LOG, LOCK):
        path = folder / name
        if path.exists() and not path.is_file():
            raise StoreError("it is not a regular file", where=str(path), hint="remove it, or name another --output")


def describe_file(path: Path) -> dict[str, Any]:
    """Length and checksum of a file, for run.json."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def verify(folder: Path, name: str, manifest: Mapping[str, Any], hint: str) -> None:
    """Raise DamagedError for a file that has the length the run wrote, but not its content.

    A file of another length was either cut, which its reader finds, or written anew by somebody's tool, which is theirs
    to do. Flipped bytes leave the length and often a file that can be read: this finds them.
    """
    told = (manifest.get("files") or {}).get(name)
    path = folder / name
    if told and path.is_file() and path.stat().st_size == told["bytes"] and describe_file(path) != told:
        what = "it is damaged: its checksum is not the one that run.json tells"
        raise DamagedError(what, where=str(path), hint=hint)


# ------------------------------------------------------------------------------------------------------------ writing


def to_json(content: Any) -> bytes:
    """Readable, key order kept, nan as null."""
    return (
        orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY) + b"\n"
    )
