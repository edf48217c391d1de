"""The averages of suites on the leaderboard and on the page of a run."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.browser.sites import Visit, find, texts, wait
from vlmbench.cli.main import main

pytestmark = [pytest.mark.browser, pytest.mark.slow]

build: Any = import_module("vlmbench.reports.site.build")
EVIL = "<img src=x onerror='window.hacked=5'>"
FILE = f"""
name: two
title: "{EVIL}"
source: "{EVIL} source"
tasks: [vsr@minigpt_v2, mme@llava]
average:
  formula: mean
  members:
    - {{task: vsr@minigpt_v2, name: "{EVIL}"}}
    - {{task: mme@llava, name: MME, metric: perception, divide_by: 20}}
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of a suite whose every text means harm, and one of a suite that has no average; one failed a gate."""
    folder = tmp_path_factory.mktemp("suites")
    (folder / "two.yaml").write_text(FILE, encoding="utf-8")
    runs = []
    for name, words in (
        ("yes", ["--model", "echo,text=yes", "--suite", str(folder / "two.yaml")]),
        ("no", ["--model", "echo,text=no", "--suite", str(folder / "two.yaml")]),
        ("none", ["--model", "echo,text=true", "--tasks", "suite:granite", "--limit", "4"]),
    ):
        assert main(["run", *words, "--output", str(folder / name)]) == 0
        runs.append(folder / name)
    gate = {"outcome": "fail", "tasks": [], "by_task": {"suite:two": {"outcome": "fail", "reasons": [EVIL]}}}
    (folder / "no" / "check.json").write_text(json.dumps(gate))
    written: Path = build.write(runs, folder / "html")
    return written


def test_the_leaderboard_shows_the_averages(visit: Visit, page: Path) -> None:
    driver = visit(page, "#/")
    wait(driver, "document.querySelectorAll('table.suite').length === 2")
    average = json.loads((page.parents[1] / "yes" / "scores.json").read_text())["suite:two"]["average"]
    cells = texts(driver, "table.suite tbody tr:first-child td")
    assert f"{average['value']:.1f}" in " ".join(cells)
    assert "gate: fail" in " ".join(texts(driver, "table.suite .tag"))
    assert EVIL in find(driver, "table.suite thead").text, "a text stays a text"
    assert driver.execute_script("return window.hacked") is None
    whole = find(driver, "main").text
    assert "divided by 20" in whole and "no average: no formula is known for it" in whole
    assert "not in vlmbench" in whole


def test_the_page_of_a_run_shows_its_own(visit: Visit, page: Path) -> None:
    driver = visit(page, "#/")
    wait(driver, "document.querySelector('table.suite')")
    run = driver.execute_script("return vb.allRuns().find((run) => run.gate)?.id")
    driver = visit(page, f"#/model?run={run}")
    wait(driver, "document.querySelectorAll('table.suite').length === 1")
    assert len(texts(driver, "table.suite tbody tr")) == 1
    assert driver.execute_script("return window.hacked") is None


def test_it_fits_a_phone(visit: Visit, page: Path) -> None:
    driver = visit(page, "#/", width=390, dark=True)
    wait(driver, "document.querySelector('table.suite')")
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
