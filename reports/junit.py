"""What a gate says as JUnit XML, the form that GitHub's, GitLab's and Jenkins' test reports read.

One suite, one testcase a test: `<failure>` for a regression, `<skipped>` where the gate could not tell, and one
testcase for each broken floor. Jenkins' published schema (junit-10.xsd) is the narrowest of the three: attributes are
those it knows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from .compare import signed
from .gate import text

if TYPE_CHECKING:
    from vlmbench.compare.gate import Floor, Report, Verdict

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold, however it is escaped."""
SUITE = "vlmbench check"


def junit(report: Report) -> bytes:
    """The XML document, UTF-8 with its declaration."""
    failed = sum(one.decision.outcome == "fail" for one in report.verdicts) + len(report.floors)
    counts = {
        "tests": str(len(report.verdicts) + len(report.floors)),
        "failures": str(failed),
        "errors": "0",
        "skipped": str(sum(one.decision.outcome == "unknown" for one in report.verdicts)),
        "time": "0",
    }
    suite = ElementTree.Element("testsuite", {"name": SUITE, **counts})
    for verdict in report.verdicts:
        suite.append(_case(verdict))
    for floor in report.floors:
        suite.append(_floor(floor))
    ElementTree.SubElement(suite, "system-out").text = plain(text(report))
    names = ("tests", "failures", "errors", "time")
    suites = ElementTree.Element("testsuites", {"name": SUITE, **{name: counts[name] for name in names}})
    suites.append(suite)
    ElementTree.indent(suites)
    written: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def plain(text: str) -> str:
    """Text that XML can hold: forbidden characters are replaced."""
    return _FORBIDDEN.sub("\ufffd", text)


def _case(one: Verdict) -> ElementTree.Element:
    name = f"{one.task.key} {one.metric.name}"
    case = ElementTree.Element("testcase", {"classname": "vlmbench", "name": plain(name), "time": "0"})
    if one.decision.outcome == "fail":
        failure = ElementTree.SubElement(case, "failure", {"message": plain(one.reason), "type": "regression"})
        failure.text = plain("\n".join(_lines(one)))
    elif one.decision.outcome == "unknown":
        ElementTree.SubElement(case, "skipped", {"message": plain(f"could not tell: {one.reason}")})
    return case


def _floor(floor: Floor) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase", {"classname": "vlmbench", "name": plain(f"{floor.key} {floor.kind}"), "time": "0"}
    )
    failure = ElementTree.SubElement(case, "failure", {"message": plain(floor.what), "type": floor.kind})
    failure.text = plain(floor.what)
    return case


def _value(value: float) -> str:
    return "undefined" if value != value else f"{value:.2f}"


def _lines(one: Verdict) -> list[str]:
    """The failure's text: the figures, then the first samples that were lost."""
    metric = one.metric
    lines = [
        f"before {_value(metric.before)}, after {_value(metric.after)}, "
        f"difference {signed(metric.paired.difference.value)}, "
        f"allowed drop {one.margins.allowed:g}",
        f"one-sided p after Holm's correction {one.p_holm}, {metric.paired.n} items, {metric.paired.clusters} clusters",
    ]
    for flip in one.task.lost[:10]:
        said = f"before {flip.before.parsed_answer!r}, after {flip.after.parsed_answer!r}"
        lines.append(f"lost {flip.id} ({', '.join(flip.images)}): {' '.join(flip.question.split())[:200]} {said[:300]}")
    return lines
