"""Questions, answers, labels, tags, file names and judges that mean harm: shown as written, and none of them runs."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.sites import Visit, find, shown, texts, wait

pytestmark = pytest.mark.browser

BAD = (
    "[onerror], [onclick], [onload], iframe, object, a:not([href^='#']):not([href^='exports/']), "
    "img:not([src^='images/']), script[src], [style*='url']"
)


def places(driver: Any) -> list[str]:
    """Every page of a site, and some of its samples."""
    first, second = driver.execute_script("return vb.allRuns().map((run) => run.id)")
    views = ["", "#/?published=all", f"#/model?run={first}", "#/task?task=gqa", "#/task?task=pope", "#/perturbations"]
    views += [f"#/compare?a={first}&b={second}&task=gqa&show=all", "#/history"]
    views += [f"#/samples?run={first}&task={task}" for task in ("pope", "gqa")]
    return views + [f"#/samples?run={first}&task=gqa&open=gqa-{number}" for number in range(8)]


@pytest.mark.parametrize("width", [1280, 360])
def test_hostile_text_is_inert(visit: Visit, hostile_page: Path, width: int) -> None:
    """On every page and sample, none runs, none becomes an element, and none makes the page wider than its window."""
    driver = visit(hostile_page, width=width)
    scripts = driver.execute_script("return document.scripts.length")
    links = places(driver)
    for place in links if width > 600 else links[:10]:
        driver = visit(hostile_page, place, width=width)
        wait(driver, "document.querySelector('h1, dialog[open] .story') && !document.querySelector('.loading')")
        assert driver.execute_script("return window.hacked === undefined")
        assert driver.execute_script("return document.scripts.length") == scripts
        assert driver.execute_script("return document.querySelectorAll(arguments[0]).length", BAD) == 0
        assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"), place


def test_it_is_shown_as_written(visit: Visit, hostile_page: Path) -> None:
    """Answers, the judge's words and direction marks, each in a place of its own."""
    driver = visit(hostile_page, "#/samples?task=gqa&open=gqa-1")
    wait(driver, "document.querySelector('.detail .story')")
    assert find(driver, ".detail").text.count("</script><script>window.hacked = 2</script>") >= 2
    driver = visit(hostile_page, "#/samples?task=pope&open=pope-5")
    wait(driver, "document.querySelector('.detail .story')")
    assert "\u202e" in driver.execute_script("return document.querySelector('.detail .quote bdi').textContent")
    assert "{{ 7 * 7 }}" in find(visit(hostile_page, "#/samples?task=pope&q=%7B%7B"), ".cards").text


def test_a_hostile_link(visit: Visit, hostile_page: Path) -> None:
    """What stands in the URL is text as well, and names no file."""
    for place in (
        "#/samples?q=<script>window.hacked=1</script>&task=gqa",
        "#/samples?run=../../x&task=%22><img src=x onerror=window.hacked=2>",
        "#/compare?a=__proto__&b=constructor",
        "#/__proto__?x=1",
        "#/?sort=constructor&q=%E2%80%AE&published=<b>",
    ):
        driver = visit(hostile_page, place)
        wait(driver, "document.querySelector('h1')")
        assert driver.execute_script(
            "return window.hacked === undefined && !document.querySelector('main b, main script')"
        )
    assert shown(visit(hostile_page, "#/samples?task=gqa&q=<script>")) > 0


def test_a_megabyte_is_an_answer_like_any_other(visit: Visit, tmp_path: Path) -> None:
    """Cut for the page, with its length told; the list, search and dialog stay usable."""
    import pyarrow.parquet as pq

    from tests.reports.fabricate import fabricate
    from vlmbench.base.registry import load_object

    run = fabricate(tmp_path / "run", images=4, training=False, tasks=("gqa",))
    table = pq.read_table(run / "records.parquet")
    huge = ["<b>\u202e" + "word " * 210_000 + "</b>"] * table.num_rows
    at = table.column_names.index("text")
    pq.write_table(table.set_column(at, "text", [huge]), run / "records.parquet")
    page = load_object("vlmbench.reports.site.build:write")([run], tmp_path / "html")
    driver = visit(page, "#/samples?open=gqa-0")
    wait(driver, "document.querySelector('.detail .story')")
    assert "[cut: 1,050,00" in find(driver, ".detail").text
    assert shown(visit(page, "#/samples?q=word")) == 36
    assert sum(path.stat().st_size for path in page.parent.rglob("*.js")) < 4e6


def test_policy_stops_injected_script(visit: Visit, driver: Any, page: Path) -> None:
    """Even markup that reached the document would not run: no handler, no inline script, no frame with one."""
    visit(page)
    driver.execute_script(
        "const s = document.createElement('div'); s.innerHTML = \"<img src=x onerror='window.hacked = 6'>\";"
        "document.body.append(s); const t = document.createElement('script'); t.textContent = 'window.hacked = 7';"
        "document.body.append(t); const f = document.createElement('iframe');"
        "f.srcdoc = '<script>parent.hacked = 8</script>'; document.body.append(f);"
    )
    wait(driver, "document.querySelector('div > img[src=x]').complete")
    assert driver.execute_script("return window.hacked === undefined")
    refused = [entry["message"] for entry in driver.get_log("browser")]
    assert len([message for message in refused if "Content Security Policy" in message]) >= 3
    driver.get("about:blank")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""


@pytest.fixture
def served(page: Path) -> Iterator[str]:
    """The same folder by a web server on this machine."""
    handler = functools.partial(_Quiet, directory=str(page.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_the_same_folder_from_a_server(driver: Any, served: str) -> None:
    driver.get("about:blank")
    driver.get_log("browser")
    driver.get(f"{served}#/samples?task=gqa&open=gqa-3")
    wait(driver, "document.querySelector('.detail img')?.naturalWidth === 256")
    assert "Answer the question" in find(driver, ".detail").text and texts(driver, "#nav a")
    assert not [e["message"] for e in driver.get_log("browser") if "favicon" not in e["message"]]
    driver.get("about:blank")
