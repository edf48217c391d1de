"""The report of a gate: a table for the terminal, a summary in Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from vlmbench.base.process.terminal import clean

from ..runs import SAMPLE_NOTE
from .compare import p_text, signed
from .table import cell_text, number, text_table

if TYPE_CHECKING:
    from vlmbench.compare.compare import Flip
    from vlmbench.compare.gates.gate import Report
    from vlmbench.compare.gates.verdict import Verdict

WORDS: Mapping[str, str] = {"pass": "pass", "fail": "FAIL", "unknown": "could not tell"}
SIGNS: Mapping[str, str] = {"pass": "✅ pass", "fail": "❌ **fail**", "unknown": "❔ could not tell"}
HEAD = ("task", "metric", "before", "after", "difference", "allowed", "p", "tells", "items", "outcome")
NUMBERS = HEAD[2:9]
MOST_FLIPS = 10
"""Most lost samples per task in the summary."""
LONGEST = 160
NO_ANCHOR = "no anchor, so its total drop is not counted (`vlmbench baseline --anchor` makes the last baseline one)"


def text(report: Report) -> str:
    """One line per test, then the reasons; broken floors and what differs below.

    `allowed` is the drop that may be, `tells` the smallest drop that these items can detect.
    """
    lines = [SAMPLE_NOTE.upper(), ""] if _embedded(report) else []
    lines += [*text_table([HEAD, *(_row(verdict, WORDS) for verdict in report.shown)], HEAD, NUMBERS), ""]
    lines += [f"{clean(one.task.key)}: {WORDS[one.decision.outcome]}: {clean(one.told)}" for one in report.explained]
    lines += [f"{clean(key)}: {clean(told)}" for key, told in report.about_parts.items()]
    lines += [f"{clean(floor.key)}: FAIL: {clean(floor.what)}" for floor in report.floors]
    lines += [f"differs in {clean(task.key)}: {clean(one)}" for task in report.comparison.tasks for one in task.differs]
    lines += [f"note: {clean(key)}: {clean(note)}" for key, note in _notes(report)]
    lines += [f"note: {clean(key)}: {NO_ANCHOR}" for key in _without_anchor(report)]
    return "\n".join([*lines, "", f"{WORDS[report.outcome]}: {_whole(report)}"])


def markdown(report: Report) -> str:
    """The same for a pull request, with the lost samples."""
    lines = [f"### vlmbench: {SIGNS[report.outcome]}", "", _escaped(_whole(report)), ""]
    if _embedded(report):
        lines += [f"> **{SAMPLE_NOTE[0].upper()}{SAMPLE_NOTE[1:]}.**", ""]
    rows = [_row(verdict, SIGNS) for verdict in report.shown]
    rule = tuple("---:" if name in NUMBERS else ":---" for name in HEAD)
    lines += [_line(HEAD), _line(rule), *(_line((*map(cell_text, row[:-1]), row[-1])) for row in rows), ""]
    lines += [f"- **{_escaped(one.task.key)}**: {_escaped(one.told)}." for one in report.explained]
    lines += [f"- **{_escaped(key)}**: {_escaped(told)}." for key, told in report.about_parts.items()]
    lines += [f"- ❌ **{_escaped(floor.key)}**: {_escaped(floor.what)}." for floor in report.floors]
    lines += [
        f"- ⚠️ {_escaped(task.key)} differs: {_escaped(one)}" for task in report.comparison.tasks for one in task.differs
    ]
    lines += [f"- ⚠️ {_escaped(key)}: {_escaped(note)}" for key, note in _notes(report)]
    lines += [f"- ⚠️ {_escaped(key)}: {NO_ANCHOR}" for key in _without_anchor(report)]
    for task in report.comparison.tasks:
        lines += _lost(task.key, task.lost)
    return "\n".join(lines) + "\n"


def _embedded(report: Report) -> bool:
    return any(task.after.entry.get("data") == "sample" for task in report.comparison.tasks)


def _notes(report: Report) -> list[tuple[str, str]]:
    """(task, note beside its score) of the run that is checked."""
    scored = [(task.key, task.after.scores.get("notes")) for task in report.comparison.tasks]
    listed = [(key, str(note)) for key, notes in scored if isinstance(notes, list) for note in notes]
    return listed + [(task.key, note) for task in report.comparison.tasks for note in task.notes]


def _without_anchor(report: Report) -> list[str]:
    """The tasks that have no anchor, where others have one."""
    covered = [key for anchor in report.anchors for key in anchor.tasks]
    return [task.key for task in report.comparison.tasks if covered and task.key not in covered]


def _whole(report: Report) -> str:
    before, after = report.comparison.before.describe(), report.comparison.after.describe()
    return f"{clean(_named(after))} against {clean(_named(before))}"


def _named(run: Mapping[str, Any]) -> str:
    perturbed = f", {run['perturbation']}" if run["perturbation"] else ""
    return f"{run['model']}{perturbed} (weights {str(run['fingerprint'])[:12]})"


def _row(verdict: Verdict, words: Mapping[str, str]) -> tuple[str, ...]:
    metric, decision = verdict.metric, verdict.decision
    return (
        clean(verdict.task.key),
        clean(verdict.tested),
        number(None if metric.before != metric.before else metric.before),
        number(None if metric.after != metric.after else metric.after),
        signed(metric.paired.difference.value),
        f"{verdict.margins.allowed:g}",
        p_text(verdict.p_holm),
        number(decision.detectable),
        f"{metric.paired.n:,}",
        words[decision.outcome],
    )


def _lost(key: str, flips: Sequence[Flip]) -> list[str]:
    if not flips:
        return []
    title = f"{escape(clean(key))}: {len(flips):,} samples with a lower score"
    lines = [
        "",
        f"<details><summary>{title}</summary>",
        "",
        _line(("sample", "image", "question", "before", "after")),
    ]
    lines.append(_line((":---",) * 5))
    for flip in flips[:MOST_FLIPS]:
        cells = (flip.id, ", ".join(flip.images), flip.question, flip.before.parsed_answer, flip.after.parsed_answer)
        lines.append(_line(tuple(_escaped(cell) for cell in cells)))
    if len(flips) > MOST_FLIPS:
        lines += ["", f"... and {len(flips) - MOST_FLIPS:,} more: `vlmbench compare` lists them."]
    return [*lines, "", "</details>"]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escaped(text: str) -> str:
    """Text from data for Markdown: one short line in which nothing is markup or mentions a user."""
    plain = " ".join(clean(text).split())
    plain = plain if len(plain) <= LONGEST else plain[: LONGEST - 3] + "..."
    safe = cell_text(plain.replace("&", "&amp;"))
    for sign, other in (("[", "\\["), ("_", "\\_"), ("@", "@\u200b"), ("#", "\\#"), ("://", ":\u200b//")):
        safe = safe.replace(sign, other)
    return safe
