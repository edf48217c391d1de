"""The TAB key, in a real bash: verbs, options and names; nothing of others is run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.performance.start import bytecode
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli

ROOT = Path(__file__).resolve().parents[4]
ASK = """
eval "$(vlmbench completion bash)"
while IFS= read -r line; do
    COMP_LINE="$line" COMP_POINT=${#line} COMP_TYPE=9
    COMPREPLY=()
    _python_argcomplete vlmbench
    echo "${COMPREPLY[@]}"
done
"""
"""Answers each line of its input with what bash would offer behind it."""
CASES = {
    "vlmbench ba": {"baseline"},
    "vlmbench data fe": {"fetch"},
    "vlmbench run --ta": {"--tasks"},
    "vlmbench run --tasks po": {"pope"},
    "vlmbench run --tasks gqa,po": {"gqa,pope"},
    "vlmbench run --tasks pope:coco_a": {"coco_adversarial"},
    "vlmbench run --tasks gqa,pope:coco@ll": {"llava"},
    "vlmbench run --tasks pope,suite:tiny": {"tinygptv", "tinyllava"},
    "vlmbench suites imp": {"imp9"},
    "vlmbench run --model tiny": {"tinyllava", "tinygptv"},
    "vlmbench run --limit ": set(),
    "vlmbench train tinyllava-share": {"tinyllava-share-paper", "tinyllava-share-factory"},
    "vlmbench run --tasks nope:": set(),
    "vlmbench rnu --tas": set(),
}


def test_what_bash_offers(tmp_path: Path) -> None:
    plugin, program = tmp_path / "plugin.py", tmp_path / "vlmbench"
    plugin.write_text(f"open({str(tmp_path / 'run')!r}, 'w')\n")
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m vlmbench.cli.main "$@"\n')
    program.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "VLMBENCH_PLUGINS": str(plugin)}
    env |= {"PYTHONPYCACHEPREFIX": bytecode(), "PYTHONDONTWRITEBYTECODE": ""}
    lines = "".join(f"{line}\n" for line in CASES)
    done = subprocess.run(["bash", "-c", ASK], input=lines, env=env, cwd=tmp_path, capture_output=True, text=True)
    offered = [set(line.split()) for line in done.stdout.splitlines()]
    assert dict(zip(CASES, offered, strict=True)) == CASES
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_code_for_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", shell]) == exit_codes.OK
    assert "_ARGCOMPLETE" in capsys.readouterr().out
