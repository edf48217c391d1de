"""Boxes over the image of a sample: where the target and the prediction are; and published figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.sites import find, texts, wait
from vlmbench.base.registry import choose_task
from vlmbench.cli.main import main
from vlmbench.data.files import Folder
from vlmbench.reports.site import build

pytestmark = pytest.mark.browser

PLACES = """
const at = (node) => node.getBoundingClientRect();
const image = at(document.querySelector(".boxed img"));
return [...document.querySelectorAll(".boxed rect")].map((rect) => {
  const { x, y, width, height } = at(rect);
  return [rect.classList[1], (x - image.x) / image.width, (y - image.y) / image.height,
    width / image.width, height / image.height];
});
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over RefCOCO's sample: the first answer holds a box, the others none."""
    root = tmp_path_factory.mktemp("boxes")
    task = choose_task("refcoco").task
    first = task.samples(Folder.sample("refcoco"), "refcoco_val")[0]
    (root / "script.json").write_text(json.dumps({first.id: "{<25><50><75><100>}"}))
    words = ["run", "--model", f"echo:{root / 'script.json'}", "--tasks", "refcoco", "--output", str(root / "run")]
    assert main(words) == 0
    written: Path = build.write([root / "run"], root / "html")
    return written


def open_sample(visit: Callable[..., Any], page: Path, number: int) -> tuple[Any, Any]:
    """The dialog of one sample, and the sample."""
    task = choose_task("refcoco").task
    sample = task.samples(Folder.sample("refcoco"), "refcoco_val")[number]
    driver = visit(page)
    run = driver.execute_script("return vb.allRuns()[0].id")
    driver = visit(page, f"#/samples?run={run}&task=refcoco&open={sample.id}")
    wait(driver, "document.querySelector('.boxed img')?.naturalWidth")
    return driver, sample


def test_both_boxes_are_where_they_should_be(visit: Callable[..., Any], page: Path) -> None:
    driver, sample = open_sample(visit, page, 0)
    right, read = driver.execute_script(PLACES)
    assert (right[0], read[0]) == ("box-target", "box-predicted")
    assert right[1:] == pytest.approx([side / 96 for side in sample.target["bbox"]], abs=0.02)
    assert read[1:] == pytest.approx([0.25, 0.5, 0.5, 0.5], abs=0.02)
    assert "Dashed: predicted box." in find(driver, ".detail-images figcaption").text


def test_an_answer_without_a_box(visit: Callable[..., Any], page: Path) -> None:
    driver, _ = open_sample(visit, page, 5)
    ((kind, *_),) = driver.execute_script(PLACES)
    assert kind == "box-target"
    assert find(driver, ".boxed svg").get_attribute("aria-label") == "The target box; none was predicted"


def test_published_figures_say_what_they_are(visit: Callable[..., Any], page: Path) -> None:
    driver = visit(page)
    assert "MiniGPT-v2" not in find(driver, "main").text  # the embedded sample is no benchmark
    link = find(driver, ".card a[href*='published=all']")
    assert link.text.endswith("published figures not shown")
    link.click()
    wait(driver, "document.querySelector('.published')")
    rows = texts(driver, ".published")
    assert any("MiniGPT-v2" in row and "88.7" in row and "not comparable: the embedded sample" in row for row in rows)
