"""The history page: a drift is marked in the chart, in words and in the table; what begins anew says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.sites import Visit, build, find, texts, wait
from tests.reports.written import report
from tests.support.gate_runs import changed, ran, script, wrong

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six runs of POPE: three alike, two worse ones, one of fewer questions under the same options."""
    folder, answers = tmp_path_factory.mktemp("history"), script("pope", 0.05)
    runs = []
    for number, share in enumerate((0, 0, 0, 8, 16, 16)):
        said = {key: wrong(text) if at % 100 < share else text for at, (key, text) in enumerate(answers.items())}
        runs.append(ran(folder / f"r{number}", said, *(("--limit", "360") if number == 5 else ())))

        def rename(content: dict[str, Any], number: int = number) -> None:
            content["model"].update(name="<b>m</b>", fingerprint=str(number))
            content["asked"]["limit"] = None
            content.update(finished=f"2026-01-0{number + 1}T10:00:00Z", code={"commit": f"c{number}"})

        changed(runs[-1], "run.json", rename)
    written: Path = build.write(runs, folder / "html")
    return written


def test_a_drift_is_marked(visit: Visit, page: Path) -> None:
    driver = visit(page, "#/history")
    wait(driver, "document.querySelectorAll('main table tbody tr').length === 6")
    words = texts(driver, ".remarks li")
    assert words[0].startswith("Drift: from c") and "mean_f1 became worse by " in words[0]
    assert words[-1].startswith("A new stretch begins with c5: questions: 1,080")
    heads = texts(driver, "main table thead th")
    column = heads.index("p of drift") + 1
    cells = texts(driver, f"main table tbody tr > *:nth-child({column})")
    assert cells[0] == "–" and cells[5] == "new stretch"
    alarms = report(page)["histories"][0]["trends"]["pope"]["alarms"]
    assert [at for at, cell in enumerate(cells) if cell.startswith("drift, p 0.")] in ([3], [4], [3, 4])
    marks = driver.execute_script(
        "return [...document.querySelectorAll('main .chart svg text')].filter((t) => t.textContent === 'drift').length"
    )
    assert marks == len(alarms) >= 1
    label = find(driver, "main .chart [role=img], main .chart[role=img]").get_attribute("aria-label")
    assert "drift of −" in label
    changes = texts(driver, f"main table tbody tr > *:nth-child({column - 1})")
    assert changes[1] == "±0.0" and changes[3].startswith("−") and changes[5] == "–"


def test_the_history_is_exported(page: Path) -> None:
    lines = (page.parent / "exports" / "history.csv").read_text().splitlines()
    assert lines[0].endswith("coverage,change,p of drift,drift since") and len(lines) == 7
    assert any(line.rsplit(",", 1)[1] for line in lines[1:])
