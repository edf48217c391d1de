"""A comparison of two runs as plain text: paired differences with intervals, and the answers that changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vlmbench.base.process.terminal import clean

from ..runs import SAMPLE_NOTE
from .table import MOST_BARS, cell_text, grid, interval_head, number, text_table

if TYPE_CHECKING:
    from vlmbench.compare.compare import Comparison, Flip, Said, TaskComparison
    from vlmbench.compare.differences import MetricDifference
    from vlmbench.compare.suites import SuiteComparison

NUMBERS = ("before", "after", "difference", "p (Holm)", "pairs", "gained", "lost", "n")
"""Columns aligned right."""
LONGEST = 100
"""Most characters of a question or an answer in a line."""


def text(comparison: Comparison, *, flips: int = 3, every: bool = False, suites: Sequence[SuiteComparison] = ()) -> str:
    """The headlines, the averages of `suites`, what differs, then per task the other metrics (with `every`),
    breakdowns, agreement and flips. Each table says what its tests are corrected for.
    """
    lines = [_run("before", comparison.before.describe()), _run("after", comparison.after.describe())]
    if any(task.after.entry.get("data") == "sample" for task in comparison.tasks):
        lines.append(SAMPLE_NOTE.upper())
    head, rows = _headlines(comparison, suites)
    lines += ["", *text_table([head, *rows], head, NUMBERS), explained(len(rows))]
    lines += [f"differs in {clean(task.key)}: {clean(item)}" for task in comparison.tasks for item in task.differs]
    lines += [f"note: {clean(task.key)}: {clean(note)}" for task in comparison.tasks for note in task.notes]
    if comparison.left_out:
        lines.append(f"only in one of the runs: {clean(', '.join(comparison.left_out))}")
    for task in comparison.tasks:
        lines += ["", *_task(task, flips, every)]
    return "\n".join(lines)


def markdown(comparison: Comparison, suites: Sequence[SuiteComparison] = ()) -> str:
    """The headlines and the averages of `suites` as a Markdown table."""
    head, rows = _headlines(comparison, suites)
    runs = [
        cell_text(_run(*side))
        for side in (("before", comparison.before.describe()), ("after", comparison.after.describe()))
    ]
    return "\n".join([*runs, "", *grid(head, rows, NUMBERS), "", cell_text(explained(len(rows)))]) + "\n"


def signed(value: float | None) -> str:
    """A difference with its sign; `-` where it is undefined."""
    return "-" if value is None or value != value else f"{value:+.1f}"


def p_text(p: float | None) -> str:
    """A p-value; `-` where there is no test."""
    if p is None:
        return "-"
    return "<0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.01 else f"{p:.2f}"


def interval_text(metric: MetricDifference) -> str:
    """The interval of a difference, or `-`."""
    low, high = metric.paired.difference.low, metric.paired.difference.high
    return "-" if low is None or high is None else f"[{low:+.1f}, {high:+.1f}]"


def share_text(value: float | None) -> str:
    """A share as a percentage, rounded to 100 only where it is exact."""
    return "-" if value is None else "100 %" if value == 1 else f"{min(100 * value, 99.9):.1f} %"


def _run(side: str, run: Mapping[str, Any]) -> str:
    parts = [
        f"{run['model']}, {run['perturbation']}" if run["perturbation"] else str(run["model"]),
        f"weights {str(run['fingerprint'])[:12]}",
        f"vlmbench {run['vlmbench']}",
        f"{run['kind']} {run['path']}",
    ]
    return clean(f"{side:6} {' · '.join(parts)}")


def _headlines(
    comparison: Comparison, suites: Sequence[SuiteComparison]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    head = ("task", *_inner_head(task.level for task in comparison.tasks), "pairs", "gained", "lost")
    return head, [*map(_headline, comparison.tasks), *map(_headline, suites)]


def _inner_head(levels: Iterable[float]) -> tuple[str, ...]:
    return ("metric", "before", "after", "difference", interval_head(levels), "p (Holm)", "verdict")


def _headline(task: TaskComparison | SuiteComparison) -> tuple[str, ...]:
    inner = _numbers(task.headline_row)
    counts = (f"{len(task.ids):,}", f"{len(task.gained):,}", f"{len(task.lost):,}")
    return (clean(task.key), clean(task.best.name), *inner[1:], *counts)


def explained(tests: int) -> str:
    """What the verdicts of so many rows rest on."""
    corrected = f", corrected over these {tests} rows (Holm)" if tests > 1 else ""
    return (
        f"verdict: by two tests at 5 %{corrected}: that there is no difference, and that it is as large as the margin "
        "of --same-within"
    )


def _numbers(metric: MetricDifference) -> tuple[str, ...]:
    difference = signed(metric.paired.difference.value)
    values = (_defined(metric.before), _defined(metric.after), difference, interval_text(metric))
    return (clean(metric.label or metric.name), *values, p_text(metric.p_holm), metric.verdict_words)


def _defined(value: float) -> str:
    return number(None if value != value else value)


def _task(task: TaskComparison, flips: int, every: bool) -> list[str]:
    best = task.best.paired
    lines = [
        f"{clean(task.key)}: {len(task.ids):,} pairs on {best.clusters:,} clusters, {best.method}; "
        f"same score {share_text(task.agreement)}, same parsed answer {share_text(task.same_answers)}"
    ]
    if task.only_before or task.only_after:
        lines.append(f"  without a pair: {task.only_before:,} scored before only, {task.only_after:,} after only")
    if every and len(task.differences) > 1:
        rows = [_numbers(metric) for metric in task.differences[1:]]
        head = _inner_head([task.level])
        lines += ["", *(f"  {line}" for line in text_table([head, *rows], head, NUMBERS))]
    for tag, bars in _breakdowns(task.breakdowns, every):
        lines += ["", *(f"  {line}" for line in _bars(tag, bars, task.level))]
    lines += _flips("lost: a lower score after", task.lost, flips)
    return lines + _flips("gained: a higher score after", task.gained, flips)


def _breakdowns(bars: Iterable[MetricDifference], every: bool) -> list[tuple[str, list[MetricDifference]]]:
    """Bars by breakdown; of several metrics by one tag (`split (f1)`, `split (recall)`) the first alone, or all."""
    by_name: dict[str, list[MetricDifference]] = {}
    for bar in bars:
        by_name.setdefault(bar.breakdown, []).append(bar)
    tags = [name.partition(" (")[0] for name in by_name]
    return [item for index, item in enumerate(by_name.items()) if every or tags.index(tags[index]) == index]


def _bars(tag: str, bars: Sequence[MetricDifference], level: float) -> list[str]:
    head = (f"by {clean(tag)}", *_inner_head([level])[1:], "n")
    rows = [(*_numbers(bar), f"{bar.paired.n:,}") for bar in bars[:MOST_BARS]]
    more = len(bars) - MOST_BARS
    lines = text_table([head, *rows], head, NUMBERS)
    return [*lines, f"... and {more} more: --json has them"] if more > 0 else lines


def _flips(title: str, flips: Sequence[Flip], most: int) -> list[str]:
    if not flips or not most:
        return []
    lines = ["", f"  {title}: {len(flips):,}" + (f", the first {most}" if len(flips) > most else "")]
    for flip in flips[:most]:
        images = ", ".join(flip.images[:3]) + (", ..." if len(flip.images) > 3 else "")
        lines.append(f"    {_short(flip.id)}  {_short(images)}")
        lines.append(f"      {_short(flip.question)}  (target: {_short(_target(flip.target))})")
        lines += [f"      before: {_answer(flip.before)}", f"      after:  {_answer(flip.after)}"]
    return lines


def _target(target: Any) -> str:
    """The target as text; of several human answers each once."""
    if isinstance(target, list) and all(isinstance(answer, str) for answer in target):
        return ", ".join(dict.fromkeys(target))
    return target if isinstance(target, str) else json.dumps(target, ensure_ascii=False)


def _answer(answer: Said) -> str:
    score = "-" if answer.value is None else f"{answer.value:g}"
    text = f", in full {_short(answer.text)!r}" if answer.text and answer.text.strip() != answer.parsed_answer else ""
    return f"{_short(answer.parsed_answer)!r}, score {score}{text}"


def _short(text: str) -> str:
    plain = " ".join(clean(text).split())
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 3] + "..."
