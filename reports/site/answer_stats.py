"""Statistics of a task's answers: length, yes ratio, most common answers, confusions, calibration, speed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from .calibration import calibration

Columns = Mapping[str, Sequence[Any]]

LENGTHS = ((0, 0), (1, 1), (2, 2), (3, 3), (4, 5), (6, 10), (11, 20), (21, 50), (51, None))
"""Bins of answer length in words."""

MOST_COMMON = 10
"""How many of the most common answers are shown."""

MOST_CLASSES = 10
"""Up to so many distinct targets make a confusion matrix."""


def answer_stats(columns: Columns) -> dict[str, Any]:
    """The statistics of one task's records, given as columns of records.parquet."""
    answered = [index for index, finish in enumerate(columns["finish"]) if finish != "error"]
    words = [len(columns["text"][index].split()) for index in answered]
    return {
        "lengths": _lengths(words),
        "median_words": median(words) if words else None,
        "common": _most_common(columns, answered),
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
    used = [index for index, length_bin in enumerate(bins) if length_bin["count"]]
    return bins[used[0] : used[-1] + 1] if used else []


def _most_common(columns: Columns, answered: Sequence[int]) -> list[dict[str, Any]]:
    """The most common parsed answers, with how often each was right."""
    texts = {i: (columns["parsed_answer"][i] or columns["text"][i]).strip()[:80] for i in answered}
    counts = Counter(texts.values())
    right: Counter[str] = Counter()
    for i, text in texts.items():
        right[text] += columns["value"][i] == 1
    return [{"answer": text, "count": count, "right": right[text]} for text, count in counts.most_common(MOST_COMMON)]


def _yes_no(columns: Columns) -> dict[str, Any] | None:
    """Answers by target where all targets are yes or no; None for other tasks.

    The yes ratio counts answers, not targets: it shows a bias.
    """
    targets = [_word(json.loads(target)) for target in columns["target"]]
    if not targets or not set(targets) <= {"yes", "no"}:
        return None
    parsed = [_word(text) for text in columns["parsed_answer"]]
    table = Counter(zip(targets, parsed, strict=True))
    clear = sum(table[target, answer] for target in ("yes", "no") for answer in ("yes", "no"))
    if not clear:
        return None
    return {
        "yes_yes": table["yes", "yes"],
        "yes_no": table["yes", "no"],
        "no_yes": table["no", "yes"],
        "no_no": table["no", "no"],
        "unclear": len(targets) - clear,
        "answered_yes": (table["yes", "yes"] + table["no", "yes"]) / clear,
        "target_yes": targets.count("yes") / len(targets),
    }


def confusion(columns: Columns) -> dict[str, Any] | None:
    """Parsed answers by target, where there are few distinct ones: {"labels", "rows" (counts), "other"}.

    None for yes or no (which has a table of its own), for free answers, and where no answer was parsed.
    """
    targets = [_word(json.loads(target)) if target[:1] == '"' else None for target in columns["target"]]
    labels = sorted({target for target in targets if target is not None})
    if None in targets or not 2 < len(labels) <= MOST_CLASSES or max(map(len, labels)) > 40:
        return None
    parsed = [_word(text) for text in columns["parsed_answer"]]
    table = Counter(zip(targets, parsed, strict=True))
    rows = [[table[target, answer] for answer in labels] for target in labels]
    if not sum(map(sum, rows)):
        return None
    return {
        "labels": labels,
        "rows": rows,
        "other": [targets.count(label) - sum(row) for label, row in zip(labels, rows, strict=True)],
    }


def _word(value: Any) -> str:
    return value.strip().lower() if isinstance(value, str) else repr(value)


def _mean(column: Sequence[Any] | None, rows: Sequence[int]) -> float | None:
    """None for a column that a run without thoughts has not."""
    return sum(column[i] or 0 for i in rows) / len(rows) if column and rows else None


def _speed(columns: Columns, answered: Sequence[int], words: Sequence[int]) -> dict[str, Any]:
    """Questions per second and tokens per question; an answer that served several equal questions counts once."""
    lengths = dict(zip(answered, words, strict=True))
    distinct = list({columns["key"][i]: i for i in answered}.values())
    seconds = sum(columns["seconds"][i] or 0.0 for i in distinct)
    count, total_words = len(distinct), sum(lengths[i] for i in distinct)
    return {
        "distinct": count,
        "words": total_words,
        "seconds": seconds,
        "per_second": count / seconds if seconds else None,
        "per_word": seconds / total_words if seconds and total_words else None,
        "prompt_tokens": sum(columns["prompt_tokens"][i] for i in distinct) / count if count else None,
        "new_tokens": sum(columns["new_tokens"][i] for i in distinct) / count if count else None,
        "reasoning_tokens": _mean(columns.get("reasoning_tokens"), distinct),
        "rerun": sum(bool(columns["rerun"][i]) for i in distinct),
    }
