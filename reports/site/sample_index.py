"""A task's records as the site's sample browser reads them: one list of what is shown, searched and filtered, and the
rest of each record in chunks that are loaded when someone opens a sample.

Everything in it is data: the page puts it in as text only.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .box_overlays import drawn

LONGEST = 20_000
"""Characters of one text that the site carries; the records hold the rest."""

SHOWN = 600
"""Characters of a question or an answer in the list: what a card shows and what search looks through."""

CHUNK = 1000
"""Records a chunk."""

Columns = Mapping[str, Sequence[Any]]


def listing(columns: Columns) -> dict[str, Any]:
    """What the browser shows of every record, column by column; repeated words as numbers."""
    pictures: dict[tuple[str, str], int] = {}
    shown = []
    for names, digests in zip(columns["images"], columns["image_hashes"], strict=True):
        padded = [*digests, *[""] * (len(names) - len(digests))]
        pairs = [(name, digest[:16]) for name, digest in zip(names, padded, strict=False)]
        shown.append([pictures.setdefault(pair, len(pictures)) for pair in pairs])
    tags = [json.loads(text) for text in columns["tags"]]
    names = list(dict.fromkeys(name for row in tags for name in row))
    return {
        "id": columns["sample_id"],
        "question": [cut(text, SHOWN) for text in columns["question"]],
        "text": numbered([cut(_answer(columns, row), SHOWN) for row in range(len(columns["text"]))]),
        "read": numbered([cut(text, SHOWN) for text in columns["read"]]),
        "target": numbered([cut(target(text), SHOWN) for text in columns["target"]]),
        "status": numbered(columns["status"]),
        "value": numbered(columns["value"]),
        "length": [len(text) for text in columns["text"]],
        "margin": _rounded(columns["margin"], 4),
        "seconds": _rounded(columns["seconds"], 5),
        "tags": [{"name": name, **numbered([str(row.get(name, "")) for row in tags])} for name in names],
        "pictures": [{"name": name, "hash": digest} for name, digest in pictures],
        "shown": shown,
        "chunk": CHUNK,
    }


def chunks(columns: Columns, judgements: Mapping[str, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """The whole of each record, CHUNK of them at a time. `judgements` are the judge's verdicts by sample id."""
    boxes = drawn(columns)
    for start in range(0, len(columns["sample_id"]), CHUNK):
        part = {name: values[start : start + CHUNK] for name, values in columns.items()}
        prompts = [_template(*pair) for pair in zip(part["prompt"], part["question"], strict=True)]
        yield {
            **{name: [cut(text) for text in part[name]] for name in ("question", "text", "read", "note", "error")},
            "prompt": numbered(prompts),
            "target": [cut(target(text)) for text in part["target"]],
            "choices": [list(options) for options in part["options"]] if any(map(len, part["options"])) else None,
            "choice_scores": _choice_scores(part["choice_scores"]),
            "history": _history(part.get("history")),
            "judged": [judgements.get(name) for name in part["sample_id"]] if judgements else None,
            "boxes": boxes[start : start + CHUNK] if boxes else None,
            "finish": numbered(part["finish"]),
            **{name: part[name] for name in ("prompt_tokens", "new_tokens", "seconds", "margin", "rerun", "key")},
        }


def judgements_by_sample(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The judge's verdicts of one task as the site shows them, by sample id."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        shown = {
            "run": row["run"],
            "value": row["value"],
            "status": row["status"],
            "note": cut(row["note"]),
            "replies": [cut(reply) for reply in row["replies"] or ()],
            "model": row["judge_model"],
        }
        found.setdefault(str(row["sample_id"]), []).append(shown)
    return found


def numbered(values: Sequence[Any]) -> dict[str, Any]:
    """Distinct values, and for each row which of them."""
    place: dict[Any, int] = {}
    codes = [place.setdefault(value, len(place)) for value in values]
    return {"values": list(place), "codes": codes}


def target(text: str) -> str:
    """A target as people read it: a word, human answers with how many gave each, a box's corners; else its JSON."""
    value = json.loads(text)
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        told = Counter(value).most_common()
        return ", ".join(f"{one} ({count})" if len(value) > 1 else one for one, count in told)
    box = value.get("bbox") if isinstance(value, dict) else None
    if isinstance(box, list) and len(box) == 4 and all(isinstance(side, int | float) for side in box):
        x, y, across, down = box
        return f"[{x:g}, {y:g}, {x + across:g}, {y + down:g}]"
    return text


def cut(text: str | None, most: int = LONGEST) -> str:
    """A text that fits a page, and says how long it was."""
    text = text or ""
    return text if len(text) <= most else f"{text[:most]} … [cut: {len(text):,} characters in all]"


def _answer(columns: Columns, row: int) -> str:
    """What a card shows as the answer: the text, the choice ranked first where there is no text, or the error."""
    return columns["text"][row] or columns["error"][row] or ""


def _template(prompt: str, question: str) -> str:
    """The prompt with the question taken out: U+FFFC and a 1 stand for it, U+FFFC and a 0 for a U+FFFC of its own."""
    if 4 <= len(question) <= LONGEST and prompt.count(question) == 1:
        return "\ufffc1".join(part.replace("\ufffc", "\ufffc0") for part in prompt.split(question))
    return cut(prompt).replace("\ufffc", "\ufffc0")


def _choice_scores(texts: Sequence[str]) -> list[list[list[Any]]] | None:
    if not any(text != "[]" for text in texts):
        return None
    return [[[cut(c["choice"], SHOWN), c["logprob"], c["tokens"]] for c in json.loads(text)] for text in texts]


def _history(texts: Sequence[str] | None) -> list[list[list[str]]] | None:
    if texts is None:
        return None
    return [[[cut(said) for said in turn] for turn in json.loads(text or "[]")] for text in texts]


def _rounded(values: Sequence[float | None], digits: int) -> list[float | None]:
    return [None if value is None else round(value, digits) for value in values]
