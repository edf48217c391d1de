"""Sites that the browser tests open, and the words they look at them with."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.reports.fabricate import fabricate
from vlmbench.base.registry import choose_task
from vlmbench.cli.main import main
from vlmbench.compare.groups import recipes
from vlmbench.data.files import Folder

build: Any = import_module("vlmbench.reports.site.build")

Visit = Callable[..., Any]
DRAWN = "(document.getElementById('main').dataset.shown ?? (window.vb ? null : location.hash)) === location.hash"
TASKS = ("pope", "gqa", "hateful_memes", "refcoco")
LIMIT = 120


def wait(driver: Any, condition: str, *arguments: Any) -> Any:
    """Until a JavaScript expression is true of a page that has drawn what its URL says; the expression's value."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, 30, 0.02).until(
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
    wait(driver, "document.querySelector('.page [role=status]')")
    return int(find(driver, ".page > [role=status], .count [role=status]").text.replace(",", "").split(" ")[0])


def run_id(driver: Any, label: str) -> str:
    """The id of a run in links."""
    runs = driver.execute_script("return vb.allRuns().map((run) => [run.label, run.id])")
    return str(dict(runs)[label])


def fabricated_site(folder: Path) -> Path:
    """Three runs; the second is worse, the third has failures, other questions and a judge."""
    runs = [
        fabricate(folder / "a", skill=0.95),
        fabricate(folder / "b", skill=0.55, name="weaker"),
        fabricate(folder / "c", name="other", failures=0.1, seed=4, judged=True),
    ]
    written: Path = build.write(runs, folder / "html")
    return written


def hostile_site(folder: Path) -> Path:
    """Every text of this one means harm."""
    name = "<img src=x onerror='window.hacked=5'>"
    run = fabricate(folder / "run", name=name, hostile=True, failures=0.1, judged=True)
    other = fabricate(folder / "other", name=name, hostile=True, skill=0.5, perturb="</script><b>")
    written: Path = build.write([run, other], folder / "html")
    return written


def real_site(folder: Path) -> Path:
    """Real runs of a scripted model: a good one, under changes too, and a worse one that a gate failed."""
    runs = []
    for name, share, words in (("good", 0.9, ["--perturb", "blind,rotate:1"]), ("worse", 0.7, [])):
        script = folder / f"{share}.json"
        if not script.is_file():
            script.write_text(json.dumps(_answers(share)))
        model = ["run", "--model", f"echo:{script}", "--tasks", ",".join(TASKS), "--limit", str(LIMIT)]
        assert main([*model, "--min-coverage", "0", *words, "--output", str(folder / name)]) == 0
        runs.append(folder / name)
    told = {"key": "gqa", "metric": "accuracy", "outcome": "fail", "reason": "gqa fell by 20 points"}
    gate = {"outcome": "fail", "tasks": [told]}
    (folder / "worse" / "check.json").write_text(json.dumps(gate))
    written: Path = build.write(runs, folder / "html")
    return written


def recipe_site(folder: Path) -> Path:
    """Two recipes of two seeds each, of scripted models."""
    named = []
    for name, share in (("long", 0.9), ("<i>short</i>", 0.7)):
        runs = []
        for seed in (1, 2):
            script, place = folder / f"{share}-{seed}.json", folder / f"run{share}-{seed}"
            script.write_text(json.dumps(_answers(share, seed)))
            assert main(["run", "--model", f"echo:{script}", "--tasks", "pope,gqa", "--output", str(place)]) == 0
            runs.append(place)
        named.append(recipes.scored(name, runs))
    written: Path = build.write([], folder / "html", named)
    return written


def _answers(share: float, seed: int = 7) -> dict[str, str]:
    """The right answer to a share of the questions, by sample id."""
    rng = random.Random(seed)
    script: dict[str, str] = {}
    for name in TASKS:
        task = choose_task(name).task
        for sample in task.samples(Folder.sample(name), task.splits[0]):
            right = sample.target if isinstance(sample.target, str) else "{<25><50><75><100>}"
            wrong = "no" if right == "yes" else "yes"
            script[sample.id] = str(right) if rng.random() < share else wrong
    return script
