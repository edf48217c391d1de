"""The data of the site's sample browser: an index of a task's samples, which is shown, searched and filtered, and the
rest of each record in chunks that are loaded when someone opens a sample.

All of it is data: the page inserts it as text only.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .box_overlays import box_overlays

LONGEST = 20_000
"""Most characters of one text that the site carries; the records hold the rest."""

SHOWN = 600
"""Most characters of a question or an answer in the index: what a card shows and search looks through."""

CHUNK = 1000
"""Records per chunk."""

Columns = Mapping[str, Sequence[Any]]


def sample_index(columns: Columns) -> dict[str, Any]:
    """What the browser shows of every record, column by column; repeated values are coded."""
    images: dict[tuple[str, str], int] = {}
    image_rows = []
    for names, digests in zip(columns["images"], columns["image_hashes"], strict=True):
        padded = [*digests, *[""] * (len(names) - len(digests))]
        pairs = [(name, digest[:16]) for name, digest in zip(names, padded, strict=False)]
        image_rows.append([images.setdefault(pair, len(images)) for pair in pairs])
    tags = [json.loads(text) for text in columns["tags"]]
    names = list(dict.fromkeys(name for row in tags for name in row))
    return {
        "id": columns["sample_id"],
        "question": [clip(text, SHOWN) for text in columns["question"]],
        "text": coded([clip(_answer(columns, row), SHOWN) for row in range(len(columns["text"]))]),
        "parsed": coded([clip(text, SHOWN) for text in columns["parsed_answer"]]),
        "target": coded([clip(target_text(text), SHOWN) for text in columns["target"]]),
        "status": coded(columns["status"]),
        "value": coded(columns["value"]),
        "length": [len(text) for text in columns["text"]],
        "margin": _rounded(columns["margin"], 4),
        "seconds": _rounded(columns["seconds"], 5),
        "tags": [{"name": name, **coded([str(row.get(name, "")) for row in tags])} for name in names],
        "images": [{"name": name, "hash": digest} for name, digest in images],
        "image_rows": image_rows,
        "chunk": CHUNK,
    }


def sample_chunks(columns: Columns, judgements: Mapping[str, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """The whole of each record, CHUNK of them at a time. `judgements` are the judge's verdicts by sample id."""
    boxes = box_overlays(columns)
    for start in range(0, len(columns["sample_id"]), CHUNK):
        part = {name: values[start : start + CHUNK] for name, values in columns.items()}
        prompts = [_template(*pair) for pair in zip(part["prompt"], part["question"], strict=True)]
        yield {
            **{name: [clip(text) for text in part[name]] for name in ("question", "text", "note", "error")},
            "parsed": [clip(text) for text in part["parsed_answer"]],
            "prompt": coded(prompts),
            "target": [clip(target_text(text)) for text in part["target"]],
            "choices": [list(options) for options in part["options"]] if any(map(len, part["options"])) else None,
            "choice_scores": _choice_scores(part["choice_scores"]),
            "history": _history(part.get("history")),
            "judged": [judgements.get(name) for name in part["sample_id"]] if judgements else None,
            "boxes": boxes[start : start + CHUNK] if boxes else None,
            "finish": coded(part["finish"]),
            "reasoning": [clip(text) for text in part["reasoning"]] if any(part.get("reasoning") or ()) else None,
            "reasoning_tokens": part.get("reasoning_tokens"),
            **{name: part[name] for name in ("prompt_tokens", "new_tokens", "seconds", "margin", "rerun", "key")},
        }


def judgements_by_sample(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The judge's verdicts of one task as the site shows them, by sample id."""
    judgements: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        shown = {
            "run": row["run"],
            "value": row["value"],
            "status": row["status"],
            "note": clip(row["note"]),
            "replies": [clip(reply) for reply in row["replies"] or ()],
            "model": row["judge_model"],
        }
        judgements.setdefault(str(row["sample_id"]), []).append(shown)
    return judgements


def coded(values: Sequence[Any]) -> dict[str, Any]:
    """Distinct values, and for each row which of them."""
    code_of: dict[Any, int] = {}
    codes = [code_of.setdefault(value, len(code_of)) for value in values]
    return {"values": list(code_of), "codes": codes}


def target_text(text: str) -> str:
    """A target for people: a word, human answers with their counts, the corners of boxes; else its JSON."""
    value = json.loads(text)
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(answer, str) for answer in value):
        counts = Counter(value).most_common()
        return ", ".join(f"{answer} ({count})" if len(value) > 1 else answer for answer, count in counts)
    if not isinstance(value, dict):
        return text
    boxes = value.get("boxes", [value.get("bbox")])
    return ", ".join(map(_corners, boxes)) if boxes and all(map(_is_box, boxes)) else text


def _is_box(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(isinstance(side, int | float) for side in value)


def _corners(box: Sequence[float]) -> str:
    x, y, width, height = box
    return f"[{x:g}, {y:g}, {x + width:g}, {y + height:g}]"


def clip(text: str | None, most: int = LONGEST) -> str:
    """A text that fits a page and says how long it was."""
    text = text or ""
    return text if len(text) <= most else f"{text[:most]} … [cut: {len(text):,} characters in all]"


def _answer(columns: Columns, row: int) -> str:
    """The answer that a card shows: the text, or the error where there is none."""
    return columns["text"][row] or columns["error"][row] or ""


def _template(prompt: str, question: str) -> str:
    """The prompt without the question: U+FFFC and a 1 stand for it, U+FFFC and a 0 for a U+FFFC of its own."""
    if 4 <= len(question) <= LONGEST and prompt.count(question) == 1:
        return "\ufffc1".join(part.replace("\ufffc", "\ufffc0") for part in prompt.split(question))
    return clip(prompt).replace("\ufffc", "\ufffc0")


def _choice_scores(texts: Sequence[str]) -> list[list[list[Any]]] | None:
    if not any(text != "[]" for text in texts):
        return None
    return [[[clip(c["choice"], SHOWN), c["logprob"], c["tokens"]] for c in json.loads(text)] for text in texts]


def _history(texts: Sequence[str] | None) -> list[list[list[str]]] | None:
    if texts is None:
        return None
    return [[[clip(message) for message in turn] for turn in json.loads(text or "[]")] for text in texts]


def _rounded(values: Sequence[float | None], digits: int) -> list[float | None]:
    return [None if value is None else round(value, digits) for value in values]
