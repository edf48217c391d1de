"""The page of `vlmbench watch` in a browser: it follows the log, fits, and axe-core finds no fault."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.sites import find, texts
from tests.browser.test_pages import AXE, VENDOR
from tests.core.runs.live.unfinished import unfinish
from vlmbench.base.process import exit_codes
from vlmbench.base.registry import load_object
from vlmbench.base.samples import Response
from vlmbench.cli.main import main
from vlmbench.runs.live.snapshot import Live
from vlmbench.runs.storage import answer_log
from vlmbench.runs.storage.layout import LOG

pytestmark = pytest.mark.browser

Server: Any = load_object("vlmbench.reports.live.server:Server")
Watched: Any = load_object("vlmbench.reports.live.server:Watched")
EVIL = "<img src=x onerror='window.hacked=5'>\u202e"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Any]:
    """Of a run of which 60 questions are answered and one failed, which three samples ask."""
    folder = tmp_path / "run"
    words = ["run", "--model", "echo,text=yes", "--tasks", "pope,gqa", "--limit", "120", "--output", str(folder)]
    assert main(words) == exit_codes.OK
    rest = unfinish(folder, 60)
    (tmp_path / "site").mkdir()
    live = Live(folder)
    key = next(item.key for item in live.plan.requests if item.key not in (folder / LOG).read_text())
    with (folder / LOG).open("ab") as log:
        log.write(answer_log.line(key, Response(finish="error", error=EVIL)))
    with Server(Watched(live, tmp_path / "site")) as server:
        server.rest = b"".join(line for line in rest if key.encode() not in line)
        server.watched.look()
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def until(driver: Any, condition: str) -> Any:
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, 30, 0.05).until(lambda d: d.execute_script(f"return {condition}"))


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["desk-light", "phone-dark"])
def test_it_follows_the_run(driver: Any, server: Any, width: int, dark: bool) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    driver.get(server.address)
    until(driver, "document.querySelector('.live-count')")
    assert find(driver, ".live-count").text.startswith("61 of ")
    assert texts(driver, "h2") == ["Scores so far", "3 questions without a score", "Latest answers"]
    assert "onerror" in find(driver, "#failures ~ .live-answer").text
    assert driver.execute_script("return window.hacked === undefined")
    until(driver, "[...document.images].every((one) => one.complete && one.naturalWidth > 0)")
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    driver.execute_script((VENDOR / "axe.min.js").read_text("utf-8"))
    assert driver.execute_async_script(AXE) == []
    with (server.watched.live.folder / LOG).open("ab") as log:
        log.write(server.rest)
    server.watched._looked = (0.0, 0.0)  # as if the last look were long ago
    server.watched.look()
    until(driver, "document.querySelector('progress').value === document.querySelector('progress').max")
    driver.get(server.address + "site/index.html")
    until(driver, "document.querySelector('h1')")
    driver.get("about:blank")
    assert not [entry["message"] for entry in driver.get_log("browser")]
