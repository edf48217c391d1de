"""The page for grading answers by hand: keys and buttons, what the browser keeps, saved sheets, hostile text, axe."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.browser.sites import Visit, find, texts, wait
from tests.browser.test_pages import AXE, VENDOR
from vlmbench.base.process import exit_codes
from vlmbench.base.registry import load_object
from vlmbench.base.samples import ImageRef
from vlmbench.cli.main import main
from vlmbench.compare.labels import sheet
from vlmbench.runs.storage import reload
from vlmbench.runs.storage.reload import StoredRun

pytestmark = pytest.mark.browser

COUNT = 12
STATUS = ".label-progress [role=status]"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judged run; every answer begins as a formula does."""
    folder = tmp_path_factory.mktemp("judged") / "run"
    words = ["run", "--model", "echo,text==red", "--tasks", "mmvet", "--judge", "echo,text=0.37"]
    assert main([*words, "--output", str(folder)]) == exit_codes.OK
    return folder


@pytest.fixture
def page(run: Path, tmp_path: Path) -> Path:
    path = tmp_path / "labels.html"
    assert main(["judge", "label", str(run), "--count", str(COUNT), "--html", str(path)]) == exit_codes.OK
    return path


def press(driver: Any, *keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    for key in keys:
        ActionChains(driver).send_keys(key).perform()


def opened(visit: Visit, page: Path, **size: int) -> Any:
    """The page with nothing graded."""
    visit(page, **size)
    driver = visit(page, **size)
    driver.execute_script("localStorage.clear()")
    driver.refresh()
    wait(driver, "document.querySelector('.label-question')")
    return driver


def pressed(driver: Any) -> list[str]:
    return texts(driver, ".grades [aria-pressed=true]")


def saved(driver: Any, folder: Path, name: str) -> Path:
    """Save by a button; the file, once the browser has written it."""
    from selenium.webdriver.support.ui import WebDriverWait

    driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
    kind = "CSV" if name.endswith("csv") else "JSON lines"
    driver.execute_script(
        "[...document.querySelectorAll('button')].find((b) => b.textContent === `Save as ${arguments[0]}`).click()",
        kind,
    )
    path = folder / name
    WebDriverWait(driver, 20, 0.05).until(lambda _: path.is_file() and path.stat().st_size > 0)
    return path


def test_grading_by_keyboard(visit: Visit, page: Path, run: Path, tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    (task,) = reload.load(run).tasks.values()
    drawn = sheet.draw(task, COUNT, 0)
    driver = opened(visit, page)
    assert find(driver, ".label-question").text == " ".join(drawn[0].sample.question.split())
    assert find(driver, ".detail-images img").get_property("naturalWidth") > 50
    assert texts(driver, ".grades button") == ["0", *(f"0.{n}" for n in range(1, 10)), "1"]
    press(driver, "1", "7", "s")
    assert find(driver, STATUS).text == f"Answer 4 of {len(drawn)}: 2 graded, 1 skipped."
    press(driver, "0", Keys.ARROW_LEFT)
    assert pressed(driver) == ["0"]
    press(driver, Keys.ARROW_UP, Keys.ARROW_UP)
    assert pressed(driver) == ["0.2"]
    press(driver, "u", "u", "u")
    assert pressed(driver) == [] and find(driver, STATUS).text.startswith("Answer 4 of")
    press(driver, "u", Keys.ARROW_LEFT)
    assert find(driver, STATUS).text == f"Answer 2 of {len(drawn)}: 2 graded."
    press(driver, "r")
    assert not find(driver, ".label-reference").get_property("open")
    found = sheet.read(saved(driver, tmp_path, "labels.csv"), reload.load(run))
    assert found == {task.key: {drawn[0].sample.id: 1.0, drawn[1].sample.id: 0.7}}
    assert sheet.read(saved(driver, tmp_path, "labels.jsonl"), reload.load(run)) == found
    lines = (tmp_path / "labels.csv").read_text("utf-8-sig")
    assert "'=red" in lines and ",=red" not in lines


def test_what_is_graded_stays_in_the_browser(visit: Visit, page: Path) -> None:
    driver = opened(visit, page)
    press(driver, "4", "9")
    driver.refresh()
    wait(driver, "document.querySelector('.label-question')")
    assert find(driver, STATUS).text.startswith("Answer 3 of") and " 2 graded." in find(driver, STATUS).text
    damaged = "for (const key of Object.keys(localStorage)) localStorage[key] = arguments[0]"
    for content in ('{"grades": {"0": 7, "1": "<b>", "2": 0.5}, "at": 99}', "{", "null"):
        driver.execute_script(damaged, content)
        driver.refresh()
        wait(driver, "document.querySelector('.label-question')")
        assert f" {int('0.5' in content)} graded" in find(driver, STATUS).text


def test_by_buttons_on_a_phone(visit: Visit, page: Path) -> None:
    driver = opened(visit, page, width=390)
    find(driver, ".grades button:nth-child(3)").click()
    assert " 1 graded" in find(driver, STATUS).text
    driver.execute_script(
        "[...document.querySelectorAll('.label-bar .button')].find((b) => b.textContent === 'Undo').click()"
    )
    assert " 0 graded" in find(driver, STATUS).text
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")


def test_the_judge_and_the_model_are_not_in_the_page(visit: Visit, page: Path, run: Path, tmp_path: Path) -> None:
    source = page.read_text("utf-8")
    assert "0.37" not in source and "echo" not in source
    shown = tmp_path / "shown.html"
    words = ["judge", "label", str(run), "--html", str(shown), "--reveal", "--show-model", "--count", "3"]
    assert main(words) == exit_codes.OK
    driver = opened(visit, shown)
    assert find(driver, "h1 + p").text == "mmvet, by echo" and texts(driver, ".label-judge") == [""]
    press(driver, "1")
    assert find(driver, ".label-judge").text == "You: 1.00. The judge: 0.37."
    assert find(driver, STATUS).text.startswith("Answer 1 of")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["desk-light", "phone-dark"])
def test_no_serious_fault(visit: Visit, page: Path, width: int, dark: bool) -> None:
    driver = visit(page, width=width, dark=dark)
    wait(driver, "document.querySelector('.label-question')")
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    driver.execute_script((VENDOR / "axe.min.js").read_text("utf-8"))
    assert driver.execute_async_script(AXE) == []


def hostile(stored: StoredRun) -> StoredRun:
    """The run with texts that mean harm, and images that are nowhere."""
    bad = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>\u202e" + "w" * 400
    (task,) = stored.tasks.values()
    items = [
        replace(
            item,
            text=bad,
            image_hashes=("../../x",),
            sample=replace(
                item.sample, question=bad, target=bad, choices=(bad,), images=(ImageRef(bad, lambda: b"no image"),)
            ),
        )
        for item in task.items
    ]
    return replace(stored, path=Path("nowhere"), tasks={task.key: replace(task, items=items)})


@pytest.mark.parametrize("width", [1280, 390])
def test_hostile_text_is_shown_as_text(visit: Visit, run: Path, tmp_path: Path, width: int) -> None:
    write = load_object("vlmbench.reports.labelling.label_page:write")
    made = write(tmp_path / "hostile.html", hostile(reload.load(run)), count=3)
    assert made.missing == made.images == 1
    driver = visit(tmp_path / "hostile.html", width=width)
    wait(driver, "document.querySelector('.label-question')")
    assert driver.execute_script("return window.hacked === undefined && document.scripts.length") == 2
    assert not driver.find_elements("css selector", "main img, main script, main iframe")
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert find(driver, ".label-question").text.startswith("</script><script>window.hacked = 1")


def test_scales(visit: Visit, page: Path) -> None:
    """Whole numbers where a benchmark has few of them; digits mean them, and 0 the tenth."""
    source = page.read_text("utf-8")
    start = source.index('id="labels">') + len('id="labels">')
    content = json.loads(source[start : source.index("</script>", start)])
    for place, ends in enumerate([(0, 6), (1, 10), (0, 100)]):
        content["items"][place] |= {"low": ends[0], "high": ends[1], "scale": "{:g} to {:g}".format(*ends)}
    changed = page.with_name("scales.html")
    changed.write_text(source[:start] + json.dumps(content) + source[source.index("</script>", start) :], "utf-8")
    driver = opened(visit, changed)
    assert texts(driver, ".grades button") == [str(n) for n in range(7)]
    press(driver, "7", "6")
    assert texts(driver, ".grades button") == [str(n) for n in range(1, 11)]
    press(driver, "0")
    assert texts(driver, ".grades button") == [str(n) for n in range(0, 101, 10)]
    kept = driver.execute_script("return JSON.parse(Object.values(localStorage)[0]).grades")
    assert kept == {"0": 6, "1": 10}


def test_labels_stand_beside_the_judges_score_in_the_report(visit: Visit, run: Path, tmp_path: Path) -> None:
    """On the board and the run's page, with interval, bias and agreement; in exports/ too."""
    import csv

    assert main(["judge", "label", str(run), "--count", "12", "--output", str(tmp_path / "l.csv")]) == exit_codes.OK
    with (tmp_path / "l.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [{**row, "grade": str(at % 3 / 2)} for at, row in enumerate(csv.DictReader(file))]
    with (tmp_path / "l.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, sheet.COLUMNS)
        table.writeheader()
        table.writerows(rows)
    words = ["report", str(run), "--labels", str(tmp_path / "l.csv"), "--output", str(tmp_path / "site")]
    assert main(words) == exit_codes.OK
    mean = sum(100 * float(row["grade"]) for row in rows) / len(rows)
    driver = visit(tmp_path / "site" / "index.html")
    wait(driver, "document.querySelector('.board')")
    lines = [line for line in texts(driver, ".board .under") if "label" in line or "bias" in line]
    assert lines[0].startswith(f"with {len(rows)} labels: {mean:.1f} (") and lines[1].startswith("judge's bias −")
    assert "kappa" in lines[1]
    run_id = driver.execute_script("return vb.allRuns()[0].id")
    driver = visit(tmp_path / "site" / "index.html", f"#/model?run={run_id}&task=mmvet")
    wait(driver, "[...document.querySelectorAll('h3')].some((one) => one.textContent === 'Judge and people')")
    exported = json.loads((tmp_path / "site" / "exports" / "labels.json").read_text())["rows"][0]
    assert exported["judge"] == pytest.approx(37) and exported["judge and labels"] == pytest.approx(mean)
    assert exported["bias"] == pytest.approx(37 - mean) and exported["labels"] == len(rows)
