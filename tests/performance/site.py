"""Processor time, memory and size of a large leaderboard site, and how soon Chromium shows it.

    python -m tests.performance.site --folder DIR             (100,000 records, 10,000 pictures; DIR keeps them)
    python -m tests.performance.site --folder DIR --runs 8    (as eight runs of the same questions, all compared)

Fabricates runs of one task (a single run is the worst case for the browser: one list), builds the site in a process of
its own, then measures in a headless Chromium from file://: opening the leaderboard, opening the samples, each filter,
and scrolling. Prints a markdown table for docs/performance.md; exits with 1 when a figure is above its limit.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.reports.fabricate import Recipe, fabricate

FILTERS = (
    "q=dog",
    "q=dog&is=wrong",
    "tag.structural=verify",
    "is=none",
    "sort=margin",
    "sort=longest&q=traffic%20light",
)
LIMITS = {
    "build, s of CPU": 60.0,
    "build, GiB": 1.0,
    "leaderboard, ms": 1000.0,
    "filter, ms": 200.0,
    "scroll, ms": 200.0,
}

OPENED = """
const done = arguments[0];
const look = () => document.querySelector(".overview tbody tr, .whisker .chart svg, .sample")
  ? requestAnimationFrame(() => done(performance.now())) : setTimeout(look, 5);
look();
"""
"""Milliseconds from the start of the navigation to the first frame with something drawn."""

FILTERED = """
const [hash, done] = arguments, before = performance.now();
location.hash = hash;
const look = () => document.getElementById("main").dataset.shown === location.hash
  ? requestAnimationFrame(() => setTimeout(() => done(performance.now() - before))) : setTimeout(look, 1);
look();
"""

SCROLLED = """
const [top, done] = arguments, before = performance.now();
window.scrollTo({ top });
const seen = () => [...document.querySelectorAll(".sample")].some((card) => {
  const { top: at, bottom } = card.getBoundingClientRect();
  return bottom > 60 && at < innerHeight;
});
const look = () => seen() ? requestAnimationFrame(() => done(performance.now() - before)) : requestAnimationFrame(look);
requestAnimationFrame(look);
"""
"""Milliseconds until cards stand where the window was scrolled to."""


def fabricated(folder: Path, runs: int, records: int, images: int) -> list[Path]:
    """Runs of the same questions and pictures, made once."""
    recipe = Recipe(images=images, questions=records // images // runs, training=False, tasks=("gqa",))
    if runs > 1:  # a task whose metrics can be told from these records
        recipe = replace(recipe, tasks=("okvqa",), breakdowns=False)
    found = [folder / f"run-{records}-{images}-{runs}-{number}" for number in range(runs)]
    for number, run in enumerate(found):
        if not run.is_dir():
            fabricate(run, recipe, name=f"model {number}", skill=0.7 + 0.03 * number)
    return found


def build(runs: list[Path], output: Path) -> dict[str, float]:
    """`vlmbench report` in a process of its own: what it took."""
    code = "import sys; from vlmbench.cli.main import main; sys.exit(main(sys.argv[1:]))"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code, "report", *map(str, runs), "--output", str(output)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "build, s of CPU": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "build, GiB": after.ru_maxrss / 2**20,
    }


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser of its own."""
    from selenium import webdriver

    from tests.browser.conftest import SWITCHES

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for switch in (*SWITCHES, f"--user-data-dir={profile}"):
            options.add_argument(switch)
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
        try:
            driver.set_script_timeout(120)
            yield driver
        finally:
            driver.quit()


def look(page: Path) -> dict[str, float]:
    """What a reader waits for; the slowest of the filters and of the scrolls."""
    with chromium() as driver:
        driver.get(page.as_uri())
        found = {"leaderboard, ms": driver.execute_async_script(OPENED)}
        driver.get("about:blank")
        driver.get(page.as_uri() + "#/samples")
        found["samples, ms"] = driver.execute_async_script(OPENED)
        times = [driver.execute_async_script(FILTERED, f"#/samples?{words}") for words in (*FILTERS, "q=chair")]
        driver.execute_async_script(FILTERED, "#/samples")
        height = driver.execute_script("return document.documentElement.scrollHeight")
        scrolls = [driver.execute_async_script(SCROLLED, height * share) for share in (0.01, 0.5, 0.9, 0.25, 0.99)]
    return found | {"filter, ms": max(times), "scroll, ms": max(scrolls)}


def main() -> int:
    """Make, build, look, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=1)
    options = parser.parse_args()
    runs = fabricated(options.folder, options.runs, options.records, options.images)
    site = options.folder / "site"
    shutil.rmtree(site, ignore_errors=True)
    found = build(runs, site)
    sizes = [path.stat().st_size for path in site.rglob("*") if path.is_file()]
    found |= {"files": len(sizes), "MiB": sum(sizes) / 2**20, **look(site / "index.html")}
    print(f"{options.records:,} records, {options.images:,} pictures, {options.runs} runs\n")
    print("| what | measured | limit |\n|---|---|---|")
    for name, value in found.items():
        limit = LIMITS.get(name)
        print(f"| {name} | {value:,.{0 if value >= 100 else 1}f} | {'' if limit is None else f'{limit:,.0f}'} |")
    return int(any(found[name] > limit for name, limit in LIMITS.items()))


if __name__ == "__main__":
    sys.exit(main())
