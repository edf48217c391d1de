"""A run's scores as a table for the terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from vlmbench.base.process.terminal import aligned, clean
from vlmbench.scoring import shrunk, variance

from ..runs import SAMPLE_NOTE, Bar, TaskResult, level_words, perturbation_of, task_results

RIGHT = ("value", "n", "coverage")
"""Columns of numbers, aligned right."""

MOST_BARS = 12
"""Most bars of one breakdown that a terminal shows."""


def text(manifest: Mapping[str, Any], scores: Mapping[str, Any]) -> str:
    """The table a run ends with: headlines, then every other metric, then the breakdowns.

    An interval is printed as its two ends, since it need not be symmetric; `-` where there is none.
    """
    results = task_results(manifest, scores)
    rows = [_headline(result) for result in results]
    parts = [_title(manifest)]
    if any(result.embedded for result in results):
        parts.append(SAMPLE_NOTE.upper())
    head = _head(results)
    parts += ["", *text_table([head, *rows], head)]
    if notes := [f"note: {clean(result.key)}: {clean(note)}" for result in results for note in result.notes]:
        parts += ["", *notes]
    for result in results:
        parts += ["", *_details(result)]
    return "\n".join(parts)


def markdown(manifest: Mapping[str, Any], scores: Mapping[str, Any]) -> str:
    """The headlines as a Markdown table, with every other metric below it."""
    results = task_results(manifest, scores)
    lines = [f"**{cell_text(_title(manifest))}**", ""]
    if any(result.embedded for result in results):
        lines += [f"> **{SAMPLE_NOTE[0].upper()}{SAMPLE_NOTE[1:]}.**", ""]
    lines += grid(_head(results), [_headline(result) for result in results])
    if notes := [
        f"- {cell_text(clean(result.key))}: {cell_text(clean(note))}" for result in results for note in result.notes
    ]:
        lines += ["", *notes]
    for result in results:
        if others := [_named(bar) for bar in result.metrics[1:]]:
            lines += [
                "",
                f"**{cell_text(clean(result.key))}**",
                "",
                *grid(("metric", "value", interval_head([result.level]), "n"), others),
            ]
    return "\n".join(lines) + "\n"


def interval_head(levels: Iterable[float]) -> str:
    """The head of a column of intervals."""
    return f"{level_words(levels)} interval"


def number(value: float | None, digits: int = 1) -> str:
    """A score to one decimal, as papers print it; `-` where it is undefined."""
    return "-" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"  # no -0.0


def interval(bar: Bar) -> str:
    """`[85.1, 91.0]`; `too few` where a value has none, `-` where it is undefined."""
    if bar.low is None or bar.high is None:
        return "too few" if bar.reason else "-"
    return f"[{number(bar.low)}, {number(bar.high)}]"


def coverage(share: float) -> str:
    """A share as a percentage; never rounded up to 100, since a missing answer must show."""
    percent = 100 * share
    return "100 %" if percent == 100 else f"{min(percent, 99.9):.1f} %"


def _head(results: Sequence[TaskResult]) -> tuple[str, ...]:
    interval_name = interval_head(result.level for result in results)
    return ("task", "protocol", "metric", "value", interval_name, "n", "coverage", "statuses", "data")


def _title(manifest: Mapping[str, Any]) -> str:
    model = manifest.get("model", {})
    perturbation = perturbation_of(manifest)
    words = [
        str(model.get("name", "?")),
        f"perturbation: {perturbation}" if perturbation else "",
        f"weights {str(model.get('fingerprint', ''))[:12]}",
        f"vlmbench {manifest.get('vlmbench', '?')}",
        f"seed {manifest.get('seed', '?')}",
        _limited(manifest.get("asked", {})),
        str(manifest.get("finished") or ""),
    ]
    return clean(" · ".join(word for word in words if word))


def _limited(asked: Mapping[str, Any]) -> str:
    """Which questions were asked, where not all of them."""
    limit = asked.get("limit")
    if limit is not None:
        return f"limit {limit}"
    return "listed questions only (--ids)" if asked.get("ids") else ""


def _headline(result: TaskResult) -> tuple[str, ...]:
    best = result.best
    counts = sorted(result.statuses.items(), key=lambda item: (item[0] != "ok", -item[1]))
    split = str(result.scores.get("split") or result.entry.get("split") or "")
    data = f"{result.data} ({split})" if split and split not in result.data else result.data
    return (
        clean(result.key),
        clean(str(result.scores.get("protocol") or result.entry.get("protocol") or "")),
        clean(result.headline),
        number(best.value),
        interval(best),
        f"{best.n:,}",
        coverage(result.coverage),
        clean(", ".join(f"{name} {count:,}" for name, count in counts)),
        clean(data),
    )


def _named(bar: Bar) -> tuple[str, ...]:
    return clean(bar.name), number(bar.value), interval(bar), f"{bar.n:,}"


def _details(result: TaskResult) -> list[str]:
    """Every metric but the headline, then one short table per breakdown; of a suite its members."""
    if result.is_suite:
        return _members(result)
    interval_name = interval_head([result.level])
    head = ("metric", "value", interval_name, "n")
    lines = [f"{clean(result.key)}: {clean(str(result.entry.get('title', '')))}".rstrip(": ")]
    if counts := _answers(result.scores.get("answers")):
        lines.append(f"  {counts}")
    if parts := result.scores.get("variance"):
        lines.append(f"  {variance.line(parts)}")
    if others := [_named(bar) for bar in result.metrics[1:]]:
        lines += [f"  {line}" for line in text_table([head, *others], head)]
    for tag, columns in _by_tag(result).items():
        lines += ["", *(f"  {line}" for line in _breakdown(tag, columns, interval_name))]
    return lines


def _members(result: TaskResult) -> list[str]:
    """The formula of a suite's average, and the figures that it is made of."""
    title = clean(str(result.entry.get("title", "")))
    lines = [": ".join(filter(None, (clean(result.key), title)))]
    lines += [f"  average: {clean(words)}" for words in [str(result.scores.get("formula") or "")] if words]
    head = ("member", "task", "value", "divided by")
    rows = [
        (
            clean(str(one.get("benchmark", ""))),
            clean(str(one.get("task") or "not in vlmbench")),
            number(one.get("figure")),
            f"{float(one.get('divide_by') or 1):g}",
        )
        for one in result.scores.get("members", ())
    ]
    return lines + [f"  {line}" for line in text_table([head, *rows], head, ("value", "divided by"))]


def _answers(counts: Any) -> str:
    """The counts of kinds of answers, in one line; empty where they are not known."""
    if not isinstance(counts, dict) or counts.get("cut") is None:
        return ""
    parts = [f"{name} {int(counts.get(name) or 0):,}" for name in ("unread", "cut", "empty")]
    share = counts.get("most_common_share")
    if share:
        common = clean(str(counts.get("most_common") or ""))
        parts.append(f"{int(counts.get('distinct') or 0):,} different, most often {common!r} ({coverage(share)})")
    if thoughts := counts.get("thoughts"):
        tokens = float(thoughts.get("mean_tokens") or 0)
        size = f" of {tokens:,.0f} tokens on average" if tokens else ""
        parts.append(f"{int(thoughts.get('total') or 0):,} behind a thought{size}")
    return f"answers {int(counts.get('total') or 0):,}: {', '.join(parts)}"


def _by_tag(result: TaskResult) -> dict[str, dict[str, list[Bar]]]:
    """{tag: {metric: bars}}: breakdowns of several metrics by one tag are named `split (f1)`, `split (recall)`."""
    tags: dict[str, dict[str, list[Bar]]] = {}
    for name, bars in result.breakdowns.items():
        tag, _, metric = name.partition(" (")
        tags.setdefault(tag, {})[metric.removesuffix(")")] = bars
    return tags


def _breakdown(tag: str, columns: Mapping[str, Sequence[Bar]], interval_name: str) -> list[str]:
    """One metric with its intervals; of several the values alone: scores.json and the report hold the rest."""
    first = next(iter(columns.values()))
    if len(columns) == 1:
        head: tuple[str, ...] = (f"by {clean(tag)}", "value", interval_name, "n")
        rows = [(clean(bar.label), *_named(bar)[1:]) for bar in first]
        if any(shrunk_bar(bar) for bar in first):
            head = (*head, "shrunk", f"shrunk {interval_name}")
            rows = [(*row, *_shrunk(bar)) for row, bar in zip(rows, first, strict=True)]
    else:
        head = (f"by {clean(tag)}", *(clean(name) for name in columns), "n")
        values = [{bar.label: number(bar.value) for bar in bars} for bars in columns.values()]
        rows = [
            (clean(bar.label), *(by_label.get(bar.label, "-") for by_label in values), f"{bar.n:,}") for bar in first
        ]
    lines = text_table([head, *rows[:MOST_BARS]], head, right=head[1:] if len(columns) > 1 else (*RIGHT, "shrunk"))
    more = len(rows) - MOST_BARS
    if more > 0:
        lines.append(f"... and {more} more in scores.json and the report")
    if len(columns) > 1:
        lines.append("intervals: in scores.json and the report")
    return [*lines, *shrunk_notes([bar for bars in columns.values() for bar in bars])]


def shrunk_bar(bar: Bar) -> Bar | None:
    """What stands beside a bar where shrunk values were asked for and could be made."""
    if not bar.shrunk or bar.shrunk.get("value") is None:
        return None
    return replace(bar, value=bar.shrunk["value"], low=bar.shrunk.get("low"), high=bar.shrunk.get("high"), reason="")


def _shrunk(bar: Bar) -> tuple[str, str]:
    found = shrunk_bar(bar)
    return (number(found.value), interval(found)) if found else ("-", "-")


def shrunk_notes(bars: Iterable[Bar]) -> list[str]:
    """What to know of the shrunk values of some bars, or why there are none; nothing where nobody asked."""
    asked = [bar for bar in bars if bar.shrunk]
    why = dict.fromkeys(str(bar.shrunk["reason"]) for bar in asked if bar.shrunk and bar.shrunk.get("reason"))
    notes = [f"not shrunk: {clean(reason)}" for reason in why]
    return [f"shrunk: {shrunk.MEANING}", *notes] if any(map(shrunk_bar, asked)) else notes


def text_table(rows: Sequence[Sequence[str]], head: Sequence[str], right: Sequence[str] = RIGHT) -> list[str]:
    """The lines of a table for the terminal; the first of `rows` is its head, `right` names columns of numbers."""
    return aligned(rows, [index for index, name in enumerate(head) if name in right])


def grid(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = RIGHT) -> list[str]:
    """The lines of a Markdown table; columns named in `right` are aligned right."""
    rule = [("---:" if name in right else ":---") for name in head]
    return ["| " + " | ".join(cell_text(cell) for cell in row) + " |" for row in (head, rule, *rows)]


def cell_text(text: str) -> str:
    """Text in a Markdown cell: what would end the cell or start a tag, a link or emphasis is escaped."""
    for plain, escaped in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), ("*", "\\*"), ("`", "\\`"), ("](", "]\\(")):
        text = text.replace(plain, escaped)
    return text
