"""The board of twelve models and forty tasks: it fits, sorts, lets columns be chosen, and answers five questions."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.browser.sites import Visit, find, texts, wait
from tests.browser.test_pages import AXE, VENDOR
from tests.reports.drawn_board import TASKS, drawn_runs

pytestmark = [pytest.mark.browser, pytest.mark.slow]

build: Any = import_module("vlmbench.reports.site.build")

READY = "document.querySelectorAll('table.wide tbody tr').length"
NAMES = "table.wide tbody th.run > a"
MOST_BYTES = 2_000_000
"""Of index.html: 1.3 MB, of which the libraries that draw charts are half."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve rows from 23 runs."""
    folder = tmp_path_factory.mktemp("board")
    written: Path = build.write(drawn_runs(folder / "runs", TASKS, 60), folder / "site")
    return written


def names(driver: Any) -> list[str]:
    """The models from top to bottom."""
    return [name.replace("\u200b", "") for name in texts(driver, NAMES)]


def test_the_page_is_small(page: Path) -> None:
    assert page.stat().st_size < MOST_BYTES


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["desk-light", "phone-dark"])
def test_it_fits_and_axe_finds_no_fault(visit: Visit, page: Path, width: int, dark: bool) -> None:
    """Only the table scrolls sideways; its head and first column stay."""
    driver = visit(page, width=width, dark=dark)
    wait(driver, f"{READY} === 12")
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert len(texts(driver, "table.wide thead th")) == 1 + 1 + 1 + len(TASKS)
    inside = driver.execute_script("const s = document.querySelector('.pinned'); return [s.scrollWidth, s.clientWidth]")
    assert inside[0] > inside[1]
    driver.execute_script("document.querySelector('.pinned').scrollTo(1500, 0)")
    left = "const cell = document.querySelector('table.wide tbody th').getBoundingClientRect(); return cell.left"
    frame = "return document.querySelector('.pinned').getBoundingClientRect().left"
    assert abs(driver.execute_script(left) - driver.execute_script(frame)) < 3
    links = driver.execute_script(
        "return [...document.querySelectorAll('#nav a')].map((a) => a.getBoundingClientRect().right <= innerWidth)"
    )
    assert all(links), "no entry of the navigation is cut"
    driver.execute_script((VENDOR / "axe.min.js").read_text("utf-8"))
    assert driver.execute_async_script(AXE) == []


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_of_a_comparison_is_cut(visit: Visit, page: Path, width: int) -> None:
    """It opens on the best against the second, and every column of the differences is inside the window."""
    driver = visit(page, width=width)
    wait(driver, READY)
    best, second = driver.execute_script("return vb.bestFirst().slice(0, 2).map((row) => row.label)")
    driver = visit(page, "#/compare", width=width)
    wait(driver, "document.querySelector('.stacked tbody tr')")
    assert f"A: {best} against B: {second}" in find(driver, ".title .hint").text
    cells = "[...document.querySelectorAll('.stacked tbody td')]"
    right = driver.execute_script(f"return Math.max(...{cells}.map((one) => one.getBoundingClientRect().right))")
    assert right <= width
    assert " to " in find(driver, ".stacked tbody td:nth-child(5)").text


def test_rows_are_models_sorted_by_score(visit: Visit, page: Path) -> None:
    driver = visit(page)
    wait(driver, READY)
    assert len(names(driver)) == len(set(names(driver))) == 12
    assert not any(name.startswith("r0") for name in names(driver)), "no folder's name"
    assert {"Kestrel-8B, dtype float32", "Kestrel-8B, dtype bfloat16"} <= set(names(driver))
    averages = [float(text.split()[0]) for text in texts(driver, "table.wide tbody td.average") if text[0].isdigit()]
    assert averages == sorted(averages, reverse=True) and len(averages) > 10
    find(driver, ".merged summary").click()
    assert "older result" in find(driver, ".merged[open] ul").text


def test_any_column_sorts(visit: Visit, page: Path) -> None:
    """Best first, then worst first; what was not run is last, and the state is in the URL."""
    driver = visit(page)
    wait(driver, READY)
    for key in ("chartqa", "wins", "model"):
        driver.execute_script("arguments[0].click()", find(driver, f"table.wide [data-sort='{key}']"))
        wait(
            driver,
            "location.hash.includes(arguments[0]) && document.querySelector('table.wide [aria-sort]')",
            f"by={key}",
        )
        assert find(driver, "table.wide [aria-sort] button").get_attribute("data-sort") == key
    assert names(driver) == sorted(names(driver), key=str.lower)
    driver = visit(page, "#/?by=gqa%40llava&order=up&cols=gqa%40llava,chartqa")
    wait(driver, READY)
    values = [float(text.split("\n")[0]) for text in texts(driver, "table.wide tbody td:nth-child(4)")]
    assert values == sorted(values)


def test_columns_can_be_chosen(visit: Visit, page: Path) -> None:
    driver = visit(page)
    wait(driver, READY)
    find(driver, ".chooser summary").click()
    find(driver, "[data-column='vqav2']").click()
    wait(driver, "!document.querySelector(\"table.wide [data-sort='vqav2']\")")
    assert find(driver, ".chooser summary").text == f"Columns: {len(TASKS) - 1} of {len(TASKS)}"
    buttons = driver.find_elements("css selector", ".chooser-body .plain")
    next(one for one in buttons if "mobilevlm6" in one.text).click()
    wait(driver, "document.querySelectorAll('table.wide thead th').length === 9")
    assert len(driver.current_url.split("cols=")[1].split("&")[0].split("%2C")) == 6


def test_bold_and_gaps(visit: Visit, page: Path) -> None:
    """The best of a column is bold and says so, the others how far they are behind; few questions are marked."""
    driver = visit(page, "#/?by=gqa%40llava&cols=gqa%40llava,mmvp")
    wait(driver, READY)
    cell = find(driver, "table.wide tbody tr:first-child td:nth-child(4)")
    assert cell.text.split("\n")[1] == "best" and cell.find_elements("css selector", ".leading")
    last = find(driver, "table.wide tbody tr:last-child td:nth-child(4)").text.split("\n")
    assert last[1].startswith("−") and " to −" in last[2]
    assert not driver.find_elements("css selector", "table.wide tbody td:nth-child(5) .leading")
    few = find(driver, "table.wide tbody td:nth-child(5)").text
    assert few.split("\n")[0].endswith("?") and "too few questions to tell" in few
    assert find(driver, "section[aria-label='All models'] .hint").text.startswith("Bold: the best of a column")


def test_the_gate_is_with_the_task_that_was_checked(visit: Visit, page: Path) -> None:
    driver = visit(page)
    wait(driver, READY)
    (mark,) = driver.find_elements("css selector", "table.wide .tag-fail")
    cell = mark.find_element("xpath", "./ancestor::td")
    assert "gqa" in cell.find_element("css selector", "a").get_attribute("href")


def test_five_questions_at_one_click(visit: Visit, page: Path) -> None:
    """Each has an answer in words, and leads to the page that has all of it."""
    driver = visit(page)
    wait(driver, READY)
    asked = texts(driver, ".question .tile-name")
    assert asked == ["Who is best?", "By how much?", "Where does it fail?", "Did it get worse?", "What did it cost?"]
    assert texts(driver, ".question .tile-words")[0] == names(driver)[0]
    there = {
        "Who is best?": "document.querySelector('h1').textContent.startsWith(arguments[0])",
        "By how much?": "document.querySelector('h1').textContent === 'Compare'",
        "Where does it fail?": "location.hash.includes('is=wrong') && document.querySelector('.sample')",
        "Did it get worse?": "/History|Kestrel/.test(document.querySelector('h1').textContent)",
        "What did it cost?": "document.querySelector('[data-view=cost]')?.getAttribute('aria-pressed') === 'true'",
    }
    best = names(driver)[0]
    for at, question in enumerate(asked):
        driver = visit(page)
        wait(driver, READY)
        driver.find_elements("css selector", ".question")[at].click()
        wait(driver, f"location.hash.length > 3 && {there[question]}", best)


def test_a_history_without_a_common_task_says_so(visit: Visit, page: Path) -> None:
    """Two sittings of one model are no history."""
    driver = visit(page)
    wait(driver, READY)
    driver = visit(page, "#/history?of=1")
    wait(driver, "document.querySelector('h1')")
    assert "No task in common" in find(driver, ".notice").text
