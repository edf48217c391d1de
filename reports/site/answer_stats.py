"""What a task's answers look like from afar: how long, how often yes, which words, how sure, how fast."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from .calibration import calibration

LENGTHS = ((0, 0), (1, 1), (2, 2), (3, 3), (4, 5), (6, 10), (11, 20), (21, 50), (51, None))
"""Bins of answer length in words."""

COMMON = 10
"""How many of the commonest answers are shown."""

CLASSES = 10
"""Targets of so many kinds at most make a table of confusions."""


def glance(columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """The summary of one task's records, given as columns of records.parquet."""
    answered = [index for index, finish in enumerate(columns["finish"]) if finish != "error"]
    words = [len(columns["text"][index].split()) for index in answered]
    return {
        "lengths": _lengths(words),
        "median_words": median(words) if words else None,
        "common": _common(columns, answered),
        "yes_no": _yes_no(columns),
        "confusion": confusion(columns),
        "calibration": calibration(columns),
        **_speed(columns, answered, words),
    }


def _lengths(words: Sequence[int]) -> list[dict[str, Any]]:
    bins = []
    for low, high in LENGTHS:
        name = f"{low}" if high == low else f"{low}+" if high is None else f"{low}-{high}"
        bins.append({"label": name, "count": sum(low <= n and (high is None or n <= high) for n in words)})
    used = [index for index, one in enumerate(bins) if one["count"]]
    return bins[used[0] : used[-1] + 1] if used else []


def _common(columns: Mapping[str, Sequence[Any]], answered: Sequence[int]) -> list[dict[str, Any]]:
    """The commonest answers as they were read, with how often each was right."""
    given = Counter((columns["read"][i] or columns["text"][i]).strip()[:80] for i in answered)
    right: Counter[str] = Counter()
    for i in answered:
        right[(columns["read"][i] or columns["text"][i]).strip()[:80]] += columns["value"][i] == 1
    return [{"answer": text, "count": count, "right": right[text]} for text, count in given.most_common(COMMON)]


def _yes_no(columns: Mapping[str, Sequence[Any]]) -> dict[str, Any] | None:
    """Answers against truths of a task whose targets are yes or no; None for other tasks.

    The yes-ratio counts answers, not targets: it is there to show a leaning.
    """
    targets = [_word(json.loads(target)) for target in columns["target"]]
    if not targets or not set(targets) <= {"yes", "no"}:
        return None
    read = [_word(text) for text in columns["read"]]
    table = Counter(zip(targets, read, strict=True))
    clear = sum(table[truth, answer] for truth in ("yes", "no") for answer in ("yes", "no"))
    if not clear:
        return None
    return {
        "yes_yes": table["yes", "yes"],
        "yes_no": table["yes", "no"],
        "no_yes": table["no", "yes"],
        "no_no": table["no", "no"],
        "unclear": len(targets) - clear,
        "answered_yes": (table["yes", "yes"] + table["no", "yes"]) / clear,
        "truly_yes": targets.count("yes") / len(targets),
    }


def confusion(columns: Mapping[str, Sequence[Any]]) -> dict[str, Any] | None:
    """Targets against what was read, where there are few kinds of both: {"labels", "rows" (counts), "other"}.

    None for yes or no (which has a table of its own), for free answers, and where no answer was read.
    """
    targets = [_word(json.loads(target)) if target[:1] == '"' else None for target in columns["target"]]
    kinds = sorted({target for target in targets if target is not None})
    if None in targets or not 2 < len(kinds) <= CLASSES or max(map(len, kinds)) > 40:
        return None
    read = [_word(text) for text in columns["read"]]
    table = Counter(zip(targets, read, strict=True))
    rows = [[table[truth, answer] for answer in kinds] for truth in kinds]
    if not sum(map(sum, rows)):
        return None
    return {
        "labels": kinds,
        "rows": rows,
        "other": [targets.count(k) - sum(r) for k, r in zip(kinds, rows, strict=True)],
    }


def _word(value: Any) -> str:
    return value.strip().lower() if isinstance(value, str) else repr(value)


def _speed(columns: Mapping[str, Sequence[Any]], answered: Sequence[int], words: Sequence[int]) -> dict[str, Any]:
    """Questions a second and tokens a question; an answer that served several equal questions counts once."""
    lengths = dict(zip(answered, words, strict=True))
    once = list({columns["key"][i]: i for i in answered}.values())
    seconds = sum(columns["seconds"][i] or 0.0 for i in once)
    count, said = len(once), sum(lengths[i] for i in once)
    return {
        "distinct": count,
        "words": said,
        "seconds": seconds,
        "per_second": count / seconds if seconds else None,
        "per_word": seconds / said if seconds and said else None,
        "prompt_tokens": sum(columns["prompt_tokens"][i] for i in once) / count if count else None,
        "new_tokens": sum(columns["new_tokens"][i] for i in once) / count if count else None,
        "rerun": sum(bool(columns["rerun"][i]) for i in once),
    }
