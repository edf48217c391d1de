"""The commands of README and the usage page run, and their figures are what the commands print."""

from __future__ import annotations

import contextlib
import io
import json
import re
import runpy
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from vlmbench.cli import main as cli

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
USAGE = (ROOT / "docs" / "evaluate" / "usage.md").read_text("utf-8")
INCLUDED = (ROOT / "docs" / "models" / "included.md").read_text("utf-8")
FENCED = [match.groups() for match in re.finditer(r"^```(\w*)\n(.*?)^```", README + USAGE, re.MULTILINE | re.DOTALL)]
BLOCKS = [text for language, text in FENCED if not language]
"""The blocks of commands and what they print; those of Python and TOML name their language."""

OUT_OF_REACH = {
    "--data DIR": "official files",
    "tinyllava:CHECKPOINT": "a checkpoint of your own",
    "openai:": "a key or a server",
    "hf:OWNER/NAME": "the hub",
    "convert minigpt.pth": "official checkpoints",
    "train nano": "four hours",
}
"""Words of the usage blocks' lines that no test can run, with what they need."""


def run(words: Sequence[str], folder: Path) -> tuple[int, str, str]:
    """One command of the pages in a folder of its own: exit code, stdout, stderr. In this process, which has torch."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main([*words])
    return code, out.getvalue(), err.getvalue()


def usage_lines() -> list[list[str]]:
    """The words of each command of README's and the page's usage block, without the comments."""
    blocks = [block for block in BLOCKS if "vlmbench compare BEFORE AFTER" in block]
    assert len(blocks) == 2
    lines = dict.fromkeys(line.partition("#")[0].strip() for block in blocks for line in block.splitlines())
    return [shlex.split(line)[1:] for line in lines]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What examples/shipped_scores.py prints, and its folder of runs."""
    folder = tmp_path_factory.mktemp("shipped")
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["shipped_scores.py", str(folder)])
        assert runpy.run_path(str(ROOT / "examples" / "shipped_scores.py"))["main"]() == 0
    return out.getvalue(), folder


def scores(folder: Path) -> dict[str, Any]:
    """A run's scores.json."""
    found: dict[str, Any] = json.loads((folder / "scores.json").read_text("utf-8"))
    return found


def test_table_of_shipped_models(shipped: tuple[str, Path]) -> None:
    assert shipped[0].strip() in INCLUDED


def test_first_table_and_blind_figures(shipped: tuple[str, Path]) -> None:
    """The demo's rows, and what the same model gets with grey images."""
    plain, blind = scores(shipped[1] / "tinyllava"), scores(shipped[1] / "tinyllava" / "perturbations" / "blind")
    for task, metric in (("pope", "mean_f1"), ("gqa", "accuracy")):
        found = plain[task][metric]
        interval = f"[{found['low']:.1f}, {found['high']:.1f}]"
        row = next(line for line in README.splitlines() if line.startswith(f"{task}  ") and interval in line)
        assert row.split()[:4] == [task, "official", metric, f"{found['value']:.1f}"]
        assert f" {found['n']:,} " in row
    figures = re.search(r"gets ([\d.]+) accuracy on POPE and ([\d.]+) on GQA", " ".join(README.split()))
    assert figures is not None
    assert [f"{blind['pope']['accuracy']['value']:.1f}", f"{blind['gqa']['accuracy']['value']:.1f}"] == [
        *figures.groups()
    ]


def test_example_of_ask() -> None:
    """Every `vlmbench ask` of the usage page prints the lines below it."""
    block = next(block for block in BLOCKS if "$ vlmbench ask" in block)
    for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, expected = example.partition("\n")
        code, printed, errors = run(shlex.split(command)[1:], ROOT)
        assert code == 0, errors
        assert printed == expected, command


@pytest.mark.parametrize("words", usage_lines(), ids=" ".join)
def test_usage_block_can_be_parsed(words: list[str]) -> None:
    cli.parser(words[0]).parse_intermixed_args(words[1:])


def test_usage_block_runs(shipped: tuple[str, Path], tmp_path: Path) -> None:
    """Each line that needs nothing from outside runs as written, on the runs that the table came from."""
    runs = shipped[1]
    names = {
        "RUN": runs / "tinyllava",
        "BEFORE": runs / "tinygptv",
        "AFTER": runs / "tinyllava",
        "RUN...": runs / "tinyllava",
    }
    baseline = tmp_path / "baseline.json"
    assert run(["baseline", str(runs / "tinyllava"), "--output", str(baseline)], tmp_path)[0] == 0
    ran = []
    for words in usage_lines():
        if any(text in " ".join(words) for text in OUT_OF_REACH):
            continue
        filled = [str(names.get(word, word)) for word in words]
        limit = ["--limit", "20"] if words[0] == "run" else []
        code, _, errors = run([*filled, *limit], tmp_path)
        assert code == 0, f"vlmbench {' '.join(words)}\n{errors}"
        ran.append(words[0])
    assert {"run", "export", "compare", "check", "report"} <= set(ran)
