"""The commands of docs/evaluate/generation.md run, and each is a row of its own."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from vlmbench.base.variant import NAMES, OPTIONS, Variant
from vlmbench.cli import main as cli

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "evaluate" / "generation.md").read_text("utf-8")
COMMANDS = [line for line in PAGE.splitlines() if line.startswith("vlmbench ")]
KEYS = [
    ["pope@official+temperature=0.7+samples=3"],
    ["pope@official+max_new_tokens=4+" + Variant(system="Answer with one word.").label],
    ["pope@official+shots=2"],
    ["pope@official+temperature=0.7", "vsr@tinygpt_v+max_new_tokens=4"],
]


@pytest.mark.parametrize(("line", "keys"), list(zip(COMMANDS, KEYS, strict=True)))
def test_commands_of_the_page(line: str, keys: list[str], tmp_path: Path) -> None:
    assert cli.main([*shlex.split(line)[1:], "--output", str(tmp_path / "run")]) == 0
    scores = json.loads((tmp_path / "run" / "scores.json").read_text("utf-8"))
    assert list(scores) == keys


def test_every_option_and_word_is_in_the_table() -> None:
    rows = dict(re.findall(r"^\| `(--[\w-]+)[^`]*` \| `(\w+)` \|", PAGE, re.MULTILINE))
    assert rows == {OPTIONS[name]: name for name in NAMES}
