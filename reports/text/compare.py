"""Two runs side by side as plain text: differences with their doubt, and the answers that turned."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vlmbench.base.terminal import clean

from ..runs import SAMPLE_NOTE
from .table import MOST_BARS, _aligned, interval_head, number

if TYPE_CHECKING:
    from vlmbench.compare.compare import Comparison, Flip, MetricDifference, Said, TaskComparison

NUMBERS = ("before", "after", "difference", "p", "p (Holm)", "pairs", "gained", "lost", "n")
"""Columns set flush right."""
LONGEST = 100
"""Letters of a question or an answer that a line shows."""


def text(found: Comparison, *, flips: int = 3, every: bool = False) -> str:
    """The headlines, what differs, then each task: other metrics (with `every`), breakdowns, agreement, flips."""
    lines = [_run("before", found.before.describe()), _run("after", found.after.describe())]
    if any(task.after.entry.get("data") == "sample" for task in found.tasks):
        lines.append(SAMPLE_NOTE.upper())
    head = ("task", *_inner_head(task.level for task in found.tasks), "p (Holm)", "pairs", "gained", "lost")
    lines += ["", *_aligned([head, *map(_headline, found.tasks)], head, NUMBERS)]
    lines += [f"differs in {clean(task.key)}: {clean(one)}" for task in found.tasks for one in task.differs]
    lines += [f"note: {clean(task.key)}: {clean(one)}" for task in found.tasks for one in task.notes]
    if found.left_out:
        lines.append(f"only in one of the runs: {clean(', '.join(found.left_out))}")
    for task in found.tasks:
        lines += ["", *_task(task, flips, every)]
    return "\n".join(lines)


def signed(value: float | None) -> str:
    """A difference with its sign; `-` where it is undefined."""
    return "-" if value is None or value != value else f"{value:+.1f}"


def chance(p: float | None) -> str:
    """A p-value; `-` where there is no test."""
    if p is None:
        return "-"
    return "<0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.01 else f"{p:.2f}"


def span(one: MetricDifference) -> str:
    """The interval of a difference, or `-`."""
    low, high = one.paired.difference.low, one.paired.difference.high
    return "-" if low is None or high is None else f"[{low:+.1f}, {high:+.1f}]"


def share(value: float | None) -> str:
    """A share as percent, rounded to 100 only where it is whole."""
    return "-" if value is None else "100 %" if value == 1 else f"{min(100 * value, 99.9):.1f} %"


def _run(word: str, told: Mapping[str, Any]) -> str:
    parts = [
        f"{told['model']}, {told['ablation']}" if told["ablation"] else str(told["model"]),
        f"weights {str(told['fingerprint'])[:12]}",
        f"vlmbench {told['vlmbench']}",
        f"{told['kind']} {told['path']}",
    ]
    return clean(f"{word:6} {' · '.join(parts)}")


def _inner_head(levels: Iterable[float]) -> tuple[str, ...]:
    return ("metric", "before", "after", "difference", interval_head(levels), "p")


def _headline(task: TaskComparison) -> tuple[str, ...]:
    inner = _numbers(task.best)
    counts = (f"{len(task.ids):,}", f"{len(task.gained):,}", f"{len(task.lost):,}")
    return (clean(task.key), clean(task.best.name), *inner[1:], chance(task.p_holm), *counts)


def _numbers(one: MetricDifference) -> tuple[str, ...]:
    difference = one.paired.difference.value
    whole = (_defined(one.before), _defined(one.after), signed(difference), span(one), chance(one.paired.p))
    return (clean(one.label or one.name), *whole)


def _defined(value: float) -> str:
    return number(None if value != value else value)


def _task(task: TaskComparison, flips: int, every: bool) -> list[str]:
    best = task.best.paired
    lines = [
        f"{clean(task.key)}: {len(task.ids):,} pairs on {best.clusters:,} clusters, {best.method}; "
        f"same score {share(task.agreement)}, same answer as read {share(task.same_answers)}"
    ]
    if task.only_before or task.only_after:
        lines.append(f"  without a pair: {task.only_before:,} scored before only, {task.only_after:,} after only")
    if every and len(task.differences) > 1:
        rows = [_numbers(one) for one in task.differences[1:]]
        head = _inner_head([task.level])
        lines += ["", *(f"  {line}" for line in _aligned([head, *rows], head, NUMBERS))]
    for tag, bars in _breakdowns(task.breakdowns, every):
        lines += ["", *(f"  {line}" for line in _bars(tag, bars, task.level))]
    lines += _flips("lost: a lower score after", task.lost, flips)
    return lines + _flips("gained: a higher score after", task.gained, flips)


def _breakdowns(bars: Iterable[MetricDifference], every: bool) -> list[tuple[str, list[MetricDifference]]]:
    """Bars by breakdown; of several metrics by one tag (`split (f1)`, `split (recall)`) the first alone, or all."""
    found: dict[str, list[MetricDifference]] = {}
    for bar in bars:
        found.setdefault(bar.breakdown, []).append(bar)
    tags = [name.partition(" (")[0] for name in found]
    return [one for at, one in enumerate(found.items()) if every or tags.index(tags[at]) == at]


def _bars(tag: str, bars: Sequence[MetricDifference], level: float) -> list[str]:
    head = (f"by {clean(tag)}", *_inner_head([level])[1:], "n")
    rows = [(*_numbers(bar), f"{bar.paired.n:,}") for bar in bars[:MOST_BARS]]
    more = len(bars) - MOST_BARS
    lines = _aligned([head, *rows], head, NUMBERS)
    return [*lines, f"... and {more} more: --json has them"] if more > 0 else lines


def _flips(title: str, found: Sequence[Flip], most: int) -> list[str]:
    if not found or not most:
        return []
    shown = found[:most]
    lines = ["", f"  {title}: {len(found):,}" + (f", the first {most}" if len(found) > most else "")]
    for flip in shown:
        pictures = ", ".join(flip.images[:3]) + (", ..." if len(flip.images) > 3 else "")
        lines.append(f"    {_short(flip.id)}  {_short(pictures)}")
        lines.append(f"      {_short(flip.question)}  (right: {_short(_target(flip.target))})")
        lines += [f"      before: {_said(flip.before)}", f"      after:  {_said(flip.after)}"]
    return lines


def _target(target: Any) -> str:
    """The right answer in words; of several human answers each once."""
    if isinstance(target, list) and all(isinstance(one, str) for one in target):
        return ", ".join(dict.fromkeys(target))
    return target if isinstance(target, str) else json.dumps(target, ensure_ascii=False)


def _said(said: Said) -> str:
    score = "-" if said.value is None else f"{said.value:g}"
    words = f", in full {_short(said.text)!r}" if said.text and said.text.strip() != said.parsed_answer else ""
    return f"{_short(said.parsed_answer)!r}, score {score}{words}"


def _short(text: str) -> str:
    plain = " ".join(clean(text).split())
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 3] + "..."
