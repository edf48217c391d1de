"""A run as the JSON that the report's page draws from. Everything in it is data: the page puts it in as text only."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from . import training
from .drawn import drawn
from .glance import glance
from .runs import Bar, RunResult, TaskResult

LONGEST = 20_000
"""Characters of one text that a page carries; the records hold the rest."""

_DIGEST = re.compile(r"[0-9a-f]{16}")


def run_payload(run: RunResult) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """What the page says of a run, and its records by element id (parsed only when someone looks at them)."""
    table = run.records()
    names = table.column("task").to_pylist()
    manifest = run.manifest
    blocks: dict[str, dict[str, Any]] = {}
    tasks = []
    for number, task in enumerate(run.tasks):
        rows = [index for index, name in enumerate(names) if name == task.key]
        columns = table.take(rows).to_pydict()
        block = f"records-{run.id}-{number}"
        blocks[block] = records_payload(columns)
        tasks.append({**_task(task), "glance": glance(columns), "records": block, "count": len(rows)})
    kept = ("model", "started", "finished", "seed", "vlmbench", "code", "packages", "hardware")
    summary = {
        "id": run.id,
        "label": run.label,
        "folder": run.folder.resolve().name,
        "command": command(manifest.get("command", [])),
        "ablate": manifest.get("asked", {}).get("ablate") or "",
        "limit": manifest.get("asked", {}).get("limit"),
        "training": training.of_run(run),
        "tasks": tasks,
        **{name: manifest.get(name) for name in kept},
    }
    return summary, blocks


def records_payload(columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Records column by column; prompts as templates around the question, repeated words as numbers."""
    pictures: dict[tuple[str, str], int] = {}
    shown = []
    for names, digests in zip(columns["images"], columns["image_hashes"], strict=True):
        padded = [*digests, *[""] * (len(names) - len(digests))]
        pairs = [(name, digest[:16]) for name, digest in zip(names, padded, strict=False)]
        shown.append([pictures.setdefault(pair, len(pictures)) for pair in pairs])
    prompts = [
        _template(prompt, question) for prompt, question in zip(columns["prompt"], columns["question"], strict=True)
    ]
    tags = [json.loads(text) for text in columns["tags"]]
    names = list(dict.fromkeys(name for row in tags for name in row))
    return {
        "id": columns["sample_id"],
        **{name: [_cut(text) for text in columns[name]] for name in ("question", "text", "read", "note", "error")},
        "prompt": _numbered(prompts),
        "target": [_cut(_target(text)) for text in columns["target"]],
        "choices": [list(options) for options in columns["options"]] if any(map(len, columns["options"])) else None,
        "status": _numbered(columns["status"]),
        "finish": _numbered(columns["finish"]),
        "tags": [{"name": name, **_numbered([str(row.get(name, "")) for row in tags])} for name in names],
        "pictures": [{"name": name, "hash": digest} for name, digest in pictures],
        "shown": shown,
        "boxes": drawn(columns),
        **{name: columns[name] for name in ("value", "margin", "prompt_tokens", "new_tokens", "seconds", "rerun")},
    }


def images_payload(runs: Sequence[RunResult], blocks: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Thumbnails by hash as base64 JPEG, each once however many runs show it."""
    found: dict[str, str] = {}
    wanted = dict.fromkeys(picture["hash"] for block in blocks for picture in block["pictures"])
    for digest in wanted:
        if not _DIGEST.fullmatch(digest):
            continue
        for run in runs:
            path = run.thumbnail(digest)
            if path.is_file():
                found[digest] = base64.b64encode(path.read_bytes()).decode("ascii")
                break
    return found


def command(words: Sequence[str]) -> str:
    """The command line as one would type it: the program's name, not where it was installed."""
    return shlex.join(["vlmbench", *(str(word) for word in words[1:])]) if words else ""


def _task(task: TaskResult) -> dict[str, Any]:
    entry = task.entry
    return {
        "key": task.key,
        "title": entry.get("title", ""),
        "name": entry.get("name", task.key),
        "protocol": task.scores.get("protocol") or entry.get("protocol", ""),
        "source": entry.get("protocol_source", ""),
        "note": entry.get("protocol_note", ""),
        "split": task.scores.get("split") or entry.get("split", ""),
        "version": task.scores.get("version") or entry.get("version"),
        "data": task.data,
        "embedded": task.embedded,
        "headline": task.headline,
        "coverage": task.coverage,
        "statuses": task.statuses,
        "metrics": [_bar(bar) for bar in task.metrics],
        "breakdowns": [{"name": name, "bars": [_bar(b) for b in bars]} for name, bars in task.breakdowns.items()],
        "prompt": entry.get("prompt_example", ""),
        "generation": entry.get("generation", {}),
        "images": entry.get("images"),
        "hashes": entry.get("hashes", {}),
    }


def _bar(bar: Bar) -> dict[str, Any]:
    return {name: getattr(bar, name) for name in ("name", "label", "value", "low", "high", "n", "note")}


def _template(prompt: str, question: str) -> str:
    """The prompt with the question taken out: U+FFFC stands for it."""
    prompt = prompt.replace("\ufffc", "\ufffd")
    if 4 <= len(question) <= LONGEST and prompt.count(question) == 1:
        return prompt.replace(question, "\ufffc")
    return _cut(prompt)


def _numbered(values: Sequence[str]) -> dict[str, Any]:
    """Distinct values, and for each row which of them."""
    place: dict[str, int] = {}
    codes = [place.setdefault(value, len(place)) for value in values]
    return {"values": list(place), "codes": codes}


def _target(text: str) -> str:
    """A target that is a word is shown as the word, anything else as its JSON."""
    value = json.loads(text)
    return value if isinstance(value, str) else text


def _cut(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … [cut: {len(text):,} characters in all]"
