"""The report of a gate as JUnit XML, which the test reports of GitHub, GitLab and Jenkins read.

One suite, one testcase per test: `<failure>` for a regression, `<skipped>` where the gate could not tell; one testcase
for each part that fails, and for each broken floor. Jenkins' published schema (junit-10.xsd) is the narrowest of the
three: attributes are those it knows.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from junitparser import Failure, Skipped, SystemOut
from junitparser.xunit2 import JUnitXml, TestCase, TestSuite

from .compare import signed
from .gate import text

if TYPE_CHECKING:
    from vlmbench.compare.gates.gate import Report
    from vlmbench.compare.gates.rules import Floor
    from vlmbench.compare.gates.verdict import Verdict

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML 1.0 document may hold, however they are escaped."""
SUITE = "vlmbench check"


def junit(report: Report) -> bytes:
    """The XML document, UTF-8 with its declaration."""
    suite = TestSuite(SUITE)
    suite.add_testcases([*map(_case, report.shown), *map(_floor, report.floors)])
    suite.append(SystemOut(plain(text(report))))
    document = JUnitXml()
    document.add_testsuite(suite)
    document.update_statistics()
    file = io.BytesIO()
    document.write(file)
    return file.getvalue() + b"\n"


def plain(text: str) -> str:
    """Text that XML can hold: forbidden characters are replaced."""
    return _FORBIDDEN.sub("\ufffd", text)


def _case(verdict: Verdict) -> TestCase:
    case = TestCase(plain(f"{verdict.task.key} {verdict.tested}"), "vlmbench", 0)
    if verdict.decision.outcome == "fail":
        case.append(_failure("regression", verdict.reason, "\n".join(_lines(verdict))))
    elif verdict.decision.outcome == "unknown":
        case.append(Skipped(plain(f"could not tell: {verdict.reason}")))
    return case


def _floor(floor: Floor) -> TestCase:
    case = TestCase(plain(f"{floor.key} {floor.kind}"), "vlmbench", 0)
    case.append(_failure(floor.kind, floor.what, floor.what))
    return case


def _failure(kind: str, message: str, details: str) -> Failure:
    failure = Failure(plain(message), kind)
    failure.text = plain(details)
    return failure


def _value(value: float) -> str:
    return "undefined" if value != value else f"{value:.2f}"


def _lines(verdict: Verdict) -> list[str]:
    """The failure's text: the figures, then the first samples that were lost."""
    metric = verdict.metric
    lines = [
        f"before {_value(metric.before)}, after {_value(metric.after)}, "
        f"difference {signed(metric.paired.difference.value)}, "
        f"allowed drop {verdict.margins.allowed:g}",
        f"one-sided p after Holm's correction {verdict.p_holm}, "
        f"{metric.paired.n} items, {metric.paired.clusters} clusters",
    ]
    for flip in verdict.task.lost[:10]:
        answers = f"before {flip.before.parsed_answer!r}, after {flip.after.parsed_answer!r}"
        lines.append(
            f"lost {flip.id} ({', '.join(flip.images)}): {' '.join(flip.question.split())[:200]} {answers[:300]}"
        )
    return lines
