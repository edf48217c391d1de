"""The blocks of docs/training/loops.md: they run on tiny models, or are those of the example that does."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.core.integrations import tiny_lightning
from tests.core.integrations.tiny_training import trainer
from tests.house.pages import blocks
from tests.support.paths import ROOT
from vlmbench.cli import main as cli

pytestmark = pytest.mark.slow
PAGE = ROOT / "docs" / "training" / "loops.md"
EXAMPLE = (ROOT / "examples" / "own_training.py").read_text("utf-8")
PYTHON = [block.text for block in blocks.blocks(PAGE) if block.language == "python"]


def run(block: str, folder: Path, names: dict[str, Any]) -> dict[str, Any]:
    """A block with few questions, given some names."""
    file = folder / "block.py"
    file.write_text(block.replace("limit=200", "limit=2").replace("every=500", "every=1"), "utf-8")
    return runpy.run_path(str(file), init_globals=names)


def test_the_trainers_block(tmp_path: Path) -> None:
    import transformers

    made = trainer(tmp_path / "out", steps=1)
    names = {"model": made.model, "args": made.args, "data": made.train_dataset, "processor": made.processing_class}
    run(PYTHON[0], tmp_path, {"Trainer": transformers.Trainer, **names})
    assert (tmp_path / "out" / "vlmbench" / "step-0000001" / "scores.json").is_file()


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore:.*LeafSpec:FutureWarning")  # Lightning's advice
def test_lightnings_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = tiny_lightning.module()
    made = run(PYTHON[1], tmp_path, {"Trainer": tiny_lightning.trainer, "processor": module.processor})
    made["trainer"].fit(module, *tiny_lightning.loaders())
    assert list(Path("runs/training").iterdir())


def test_the_example_is_the_one_that_runs() -> None:
    """Its adapter and its two calls, word for word."""
    shown = [block for block in PYTHON if block in EXAMPLE]
    assert [block.split()[0] for block in shown] == ["class", "evaluate", "metrics"]


def test_an_adapter_takes_20_lines(tmp_path: Path) -> None:
    adapters = re.findall(r"^class \w+\(vlmbench.BatchedModel\):\n(?:(?:    .*)?\n)+", "\n".join(PYTHON), re.MULTILINE)
    assert len(adapters) == 2 and all(len(adapter.strip().splitlines()) <= 20 for adapter in adapters)
    compile(PYTHON[-1], "nanoVLM", "exec")  # its own modules are not here


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    (block,) = (block for block in blocks.blocks(PAGE) if block.language in blocks.SHELL)
    lines = [shlex.split(command.text)[1:] for command in blocks.commands(block)]
    for words in lines:
        assert cli.main([*words, "--limit", "6"]) == 0
    assert len(lines) == 2 and (tmp_path / "README.md").is_file() and list(tmp_path.glob("wandb/offline-run-*"))


def test_the_table_has_every_service_and_option() -> None:
    from vlmbench.integrations.loggers.targets import OPTIONS

    text = PAGE.read_text("utf-8")
    for service, options in OPTIONS.items():
        row = next(line for line in text.splitlines() if line.startswith((f"| `{service}` |", f"| `{service}=PATH` |")))
        assert set(re.findall(r"`(\w+)`", row.split("|")[2])) == set(options)
