"""The report in a browser: it draws, filters, keeps its state in the URL, and lets nothing in the data run."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.reports.fabricate import fabricate, training_log

pytestmark = pytest.mark.browser

leaderboard: Any = import_module("vlmbench.reports.leaderboard")
training: Any = import_module("vlmbench.reports.training")

Visit = Callable[..., Any]
DRAWN = "(document.getElementById('main').dataset.shown ?? location.hash) === location.hash"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs; the second is blind, the third has failures and other questions."""
    folder = tmp_path_factory.mktemp("report")
    runs = [
        fabricate(folder / "a", skill=0.95),
        fabricate(folder / "b", skill=0.55, ablate="blind"),
        fabricate(folder / "c", name="other", failures=0.1, seed=4),
    ]
    path: Path = leaderboard.write(runs, folder / "html")
    return path


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every text of this one means harm."""
    folder = tmp_path_factory.mktemp("hostile")
    run = fabricate(folder / "run", name="<img src=x onerror='window.hacked=5'>", hostile=True, failures=0.1)
    path: Path = leaderboard.write([run], folder / "html")
    return path


def wait(driver: Any, condition: str, *arguments: Any) -> Any:
    """Until a JavaScript expression is true of a page that has drawn what its URL says; the expression's value."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, 60, 0.05).until(
        lambda d: d.execute_script(f"return {DRAWN} && {condition}", *arguments)
    )


def find(driver: Any, selector: str) -> Any:
    """The first element."""
    return driver.find_element("css selector", selector)


def texts(driver: Any, selector: str) -> list[str]:
    """The visible text of all elements."""
    return [element.text for element in driver.find_elements("css selector", selector)]


def shown(driver: Any) -> int:
    """How many samples the filters let through, as the page says."""
    return int(find(driver, "[role=status]").text.replace(",", "").split(" ")[0])


def run_id(driver: Any, label: str) -> str:
    """The id of a run in links."""
    runs = driver.execute_script("return vb.block('report').runs.map((run) => [run.label, run.id])")
    return str(dict(runs)[label])


def test_leaderboard(visit: Visit, page: Path) -> None:
    """Runs best first, with drawn intervals, loud about embedded data and about runs that cannot be compared."""
    driver = visit(page)
    wait(driver, "document.querySelectorAll('.whisker .chart svg').length >= 8")
    assert find(driver, "h1").text == "Leaderboard"
    assert "Embedded sample" in find(driver, ".notice").text
    assert "Not the same test" in driver.page_source
    rows = texts(driver, "section[aria-label='Task pope'] tbody th")
    assert rows == ["tinyllava", "other", "tinyllava, blind"]
    values = [float(v.split("\n")[0]) for v in texts(driver, "section[aria-label='Task pope'] tbody .strong")]
    assert values == sorted(values, reverse=True)
    label = find(driver, "section[aria-label='Task pope'] tbody .chart").get_attribute("aria-label")
    assert re.match(r"tinyllava: f1: [\d.]+ \([\d.]+ – [\d.]+, n = \d+\)", label)


def test_run_page(visit: Visit, page: Path) -> None:
    """From the leaderboard to a run: breakdown bars, yes and no, protocol, facts, loss curves."""
    driver = visit(page)
    find(driver, "section[aria-label='Task pope'] tbody th a").click()
    wait(driver, "document.querySelectorAll('.panel .chart svg').length >= 3")
    assert find(driver, "h1").text == "tinyllava"
    headings = texts(driver, ".panel > h3")
    assert {"Metrics", "By split", "Yes and no", "Commonest answers", "Protocol", "connector"} <= set(headings)
    assert find(driver, ".tabs a[aria-current]").text == "pope"
    bars = driver.find_elements("css selector", ".chart[aria-label^='pope by split'] [aria-label=bar] > *")
    assert len(bars) == 3
    assert "vlmbench run --model tinyllava" in driver.page_source


def test_filters(visit: Visit, page: Path) -> None:
    """Right or wrong, status, tag and text, each alone and together; all of it in the URL."""
    driver = visit(page)
    records = run_id(driver, "other")
    driver = visit(page, f"#/samples?run={records}&task=pope")
    total = shown(driver)
    assert total == 24 * 9
    assert len(texts(driver, ".sample")) == 24
    parts = []
    for name in ("right", "wrong", "none"):
        find(driver, f"[data-is={name}]").click()
        wait(driver, "location.hash.includes(arguments[0])", f"is={name}")
        parts.append(shown(driver))
        assert all(verdict for verdict in texts(driver, ".verdict"))
    assert sum(parts) == total and min(parts) > 0
    find(driver, "[data-is='']").click()
    for control in driver.find_elements("css selector", ".field select"):
        if control.find_element("xpath", "./preceding-sibling::span").text == "split":
            control.send_keys("adversarial")
    wait(driver, "location.hash.includes('tag.split=adversarial')")
    assert shown(driver) == total / 3
    find(driver, "#search").send_keys("traffic LIGHT")
    wait(driver, "location.hash.includes('traffic')")
    assert 0 < shown(driver) < total / 3
    assert all("traffic light" in text for text in texts(driver, ".sample"))
    state = driver.current_url
    driver.get("about:blank")
    driver.get(state)
    assert find(driver, "#search").get_attribute("value") == "traffic LIGHT"
    assert 0 < shown(driver) < total / 3
    find(driver, ".plain").click()
    wait(driver, "document.querySelector('[role=status]').textContent === arguments[0]", f"{total} samples")


def test_one_sample_and_the_keyboard(visit: Visit, page: Path) -> None:
    """Enter opens it, arrows step, escape closes and gives the focus back, slash searches."""
    from selenium.webdriver.common.keys import Keys

    driver = visit(page, "#/samples?task=gqa")
    body = find(driver, "body")
    body.send_keys(Keys.ARROW_RIGHT)
    wait(driver, "location.hash.includes('page=2')")
    driver.execute_script("document.querySelector('.sample').focus()")
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    wait(driver, "document.querySelector('dialog').open")
    assert "open=gqa-24" in driver.current_url
    assert find(driver, ".detail-bar .hint").text == "25 of 216"
    assert find(driver, ".detail img").get_attribute("src").startswith("data:image/jpeg")
    assert "Answer the question using a single word or phrase." in find(driver, ".detail").text
    driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    wait(driver, "location.hash.includes('open=gqa-25')")
    driver.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    wait(driver, "location.hash.includes('open=gqa-24')")
    driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    wait(driver, "!document.querySelector('dialog').open && !location.hash.includes('open=')")
    wait(driver, "document.activeElement.dataset.row === '24'")
    find(driver, "body").send_keys("/")
    wait(driver, "document.activeElement.id === 'search'")


def test_all_questions_about_a_picture(visit: Visit, page: Path) -> None:
    """From one sample to all that ask about its picture."""
    driver = visit(page, "#/samples?task=pope&open=pope-20")
    wait(driver, "document.querySelector('dialog').open")
    find(driver, "figcaption a").click()
    wait(driver, "!document.querySelector('dialog').open")
    assert shown(driver) == 9


def test_unknown_places(visit: Visit, page: Path) -> None:
    """A link to what this report does not hold says so."""
    for place in ("#/nowhere", "#/run?run=none", "#/samples?run=none&task=x", "#/samples?task=none"):
        assert find(visit(page, place), "h1").text == "Not found"
    assert shown(visit(page, "#/samples?open=none&page=999&tag.split=none")) == 0


@pytest.mark.parametrize("dark", [False, True])
def test_phone_width(visit: Visit, page: Path, hostile_page: Path, dark: bool) -> None:
    """Nothing is wider than a phone, whatever the texts are."""
    for path in (page, hostile_page):
        driver = visit(path, width=360, dark=dark)
        run = driver.execute_script("return vb.block('report').runs[0].id")
        for place in ("", f"#/run?run={run}", "#/samples?task=gqa", "#/samples?task=gqa&open=gqa-7"):
            driver = visit(path, place, width=360, dark=dark)
            wait(driver, "document.querySelector('h1, dialog[open]') !== null")
            assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"), place
    colour = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (colour == "rgb(14, 17, 22)") == dark


def test_hostile_text_is_inert(visit: Visit, hostile_page: Path) -> None:
    """Scripts, handlers, links and direction marks in every text: shown as written, on every page and sample."""
    driver = visit(hostile_page)
    run = driver.execute_script("return vb.block('report').runs[0].id")
    scripts = driver.execute_script("return document.scripts.length")
    places = ["", f"#/run?run={run}", *(f"#/samples?task={t}" for t in ("pope", "gqa"))]
    places += [f"#/samples?task=gqa&open=gqa-{number}" for number in range(8)]
    for place in places:
        driver = visit(hostile_page, place)
        wait(driver, "document.querySelector('h1') !== null")
        assert driver.execute_script("return window.hacked === undefined")
        assert driver.execute_script("return document.scripts.length") == scripts
        bad = "[onerror], [onclick], a:not([href^='#']), iframe, img:not([src^='data:image/jpeg'])"
        assert driver.execute_script("return document.querySelectorAll(arguments[0]).length", bad) == 0
    driver = visit(hostile_page, "#/samples?task=pope&open=pope-1")
    wait(driver, "document.querySelector('dialog').open")
    assert "</script><script>window.hacked = 2</script>" in find(driver, ".detail").text
    driver = visit(hostile_page, "#/samples?task=pope&open=pope-5")
    wait(driver, "document.querySelector('dialog').open")
    assert "\u202e" in driver.execute_script("return document.querySelector('.detail .quote bdi').textContent")


def test_policy_stops_injected_script(visit: Visit, driver: Any, page: Path) -> None:
    """Even script that reached the document would not run."""
    visit(page)
    driver.execute_script(
        "const s = document.createElement('div'); s.innerHTML = \"<img src=x onerror='window.hacked = 6'>\";"
        "document.body.append(s); const t = document.createElement('script'); t.textContent = 'window.hacked = 7';"
        "document.body.append(t);"
    )
    wait(driver, "document.querySelector('div > img[src=x]').complete")
    assert driver.execute_script("return window.hacked === undefined")
    refused = [entry["message"] for entry in driver.get_log("browser")]
    assert len(refused) >= 2 and all("Content Security Policy" in message for message in refused)
    driver.get("about:blank")


def test_twenty_thousand_records_stay_quick(visit: Visit, tmp_path: Path) -> None:
    """Opening the samples, filtering, turning a page: 30-95 ms each on a quiet machine; the bound is for a busy one."""
    run = fabricate(tmp_path / "run", images=500, questions=40, tasks=("gqa",), training=False)
    driver = visit(leaderboard.write([run], tmp_path / "html"))
    timed = (
        "const before = performance.now(); location.hash = arguments[0]; const done = arguments[1];"
        "addEventListener('hashchange', () => setTimeout(() => done(performance.now() - before)), {once: true});"
    )
    for place in (
        "#/samples",
        "#/samples?q=dog",
        "#/samples?q=dog&is=wrong",
        "#/samples?page=700",
        "#/samples?sort=margin",
    ):
        took = driver.execute_async_script(timed, place)
        assert took < 1500, place
    assert shown(driver) == 20_000


def test_training_page(visit: Visit, tmp_path: Path) -> None:
    """The plot that training writes: a curve a stage."""
    log = tmp_path / "log.jsonl"
    log.write_bytes(training_log())
    driver = visit(training.write_plot(log, tmp_path / "loss.html", title="Nano"))
    wait(driver, "document.querySelectorAll('.chart svg').length === 2")
    assert texts(driver, ".panel h3") == ["connector", "conversations"]
