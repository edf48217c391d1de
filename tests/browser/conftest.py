"""A headless Chromium; tests that need it are skipped, with the reason, where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.sites import fabricated_site, hostile_site, real_site

SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)
LOADED = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
"""What the page in the browser has asked for since it was opened."""


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser with a profile of its own, for all tests."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("no chromium and chromedriver on the PATH (Debian: apt install chromium chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    profile = tmp_path_factory.mktemp("profile")
    for switch in (*SWITCHES, f"--user-data-dir={profile}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    os.environ.setdefault("SE_OFFLINE", "true")  # selenium must not look for drivers on the network
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    browser.set_script_timeout(60)
    yield browser
    browser.quit()


@pytest.fixture
def visit(driver: Any) -> Iterator[Callable[..., Any]]:
    """Open a page at a width; afterwards the console must be empty and nothing but the page's folder loaded."""

    def go(page: Path, hash: str = "", *, width: int = 1280, dark: bool = False) -> Any:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        loaded.extend(driver.execute_script(LOADED))
        folders.add(page.parent.as_uri() + "/")
        driver.get("about:blank")
        driver.get(page.as_uri() + hash)
        return driver

    loaded: list[str] = []
    folders: set[str] = set()
    driver.get("about:blank")
    driver.get_log("browser")
    yield go
    loaded.extend(driver.execute_script(LOADED))
    assert not [entry["message"] for entry in driver.get_log("browser")]
    assert not [name for name in loaded if not name.startswith(("data:", *folders))]


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three fabricated runs."""
    return fabricated_site(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="session")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs whose every text means harm."""
    return hostile_site(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="session")
def real_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three real runs, compared ahead."""
    return real_site(tmp_path_factory.mktemp("real"))
