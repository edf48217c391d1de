"""The built-in suites: their members exist here, and published averages come out to the digit."""

from __future__ import annotations

import re

import pytest

from vlmbench.base import registry
from vlmbench.base.errors import UsageError
from vlmbench.scoring.suites.suite import Suite
from vlmbench.tasks.suites import SUITES

MOBILEVLM = [
    ((56.1, 57.3, 41.5, 84.5, 1196.2, 53.2), 58.7),
    ((59.3, 66.7, 52.1, 84.3, 1302.8, 57.7), 64.2),
    ((59.0, 61.2, 47.5, 84.9, 1288.9, 59.6), 62.8),
    ((61.1, 70.0, 57.5, 84.7, 1440.5, 63.2), 68.1),
    ((62.6, 74.8, 62.3, 85.3, 1560.7, 69.2), 72.0),
]
"""The five rows of Meituan-AutoML/MobileVLM's README@19d76848: six figures and their average.

The last row prints 72.1; the mean of its six figures as printed is 72.04.
"""


def figures(suite: Suite, values: tuple[float, ...]) -> dict[str, float]:
    return dict(zip((one.benchmark for one in suite.members), values, strict=True))


@pytest.mark.parametrize(("values", "average"), MOBILEVLM)
def test_mobilevlms_average(values: tuple[float, ...], average: float) -> None:
    suite = SUITES["mobilevlm6"]
    assert [one.benchmark for one in suite.members] == ["GQA", "SQA-I", "TextVQA", "POPE", "MME", "MMBench"]
    assert round(suite.average(figures(suite, values)), 1) == average


@pytest.mark.parametrize(
    ("values", "average"), [((38.9, 54.7, 44.7, 37.8, 54.0), 46.02), ((34.3, 35.8, 37.2, 28.4, 50.3), 37.2)]
)
def test_tinygptvs_average(values: tuple[float, ...], average: float) -> None:
    suite = SUITES["tinygptv"]
    assert suite.average(figures(suite, values)) == pytest.approx(average, abs=0.005)


def test_opencompass_scales() -> None:
    """OCRBench counts up to 1,000; HallusionBench's headline is the mean of three."""
    suite = SUITES["opencompass8"]
    assert suite.average(figures(suite, (70, 60, 50, 40, 800, 70, 45, 65))) == pytest.approx(60)
    assert "OCRBench / 10" in suite.formula_text
    choice = registry.choose_task(next(one.task for one in suite.members if one.benchmark == "HallusionBench"))
    assert choice.task.protocols[choice.protocol].headline == "average"


def test_no_average_without_all_figures_or_without_a_formula() -> None:
    with pytest.raises(UsageError, match="no average without MMBench"):
        SUITES["mobilevlm6"].average({"GQA": 1, "SQA-I": 1, "TextVQA": 1, "POPE": 1, "MME": 1})
    with pytest.raises(UsageError, match="no formula is known"):
        SUITES["imp9"].average({})


@pytest.mark.parametrize("name", list(SUITES))
def test_members_are_what_vlmbench_has(name: str) -> None:
    suite = SUITES[name]
    assert suite.name == name and suite.source and bool(suite.formula) == bool(suite.formula_source)
    for member in suite.members:
        if not member.task:
            continue
        choice = registry.choose_task(member.task)
        assert choice.protocol in choice.task.protocols and choice.split in choice.task.splits
        key = choice.key
        assert registry.choose_task(key).key == key


@pytest.mark.parametrize("name", list(SUITES))
def test_a_benchmark_that_was_built_in_is_no_longer_missing(name: str) -> None:
    """Who adds a benchmark says here how each suite runs it."""

    def plain(text: str) -> str:
        return re.sub(r"[^a-z0-9]|_?(val|test|img)$", "", text.lower())

    built_in = {plain(task) for task in registry.tasks.builtin}
    assert not [one for one in SUITES[name].missing if plain(one) in built_in]
