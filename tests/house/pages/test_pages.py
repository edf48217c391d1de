"""Every command of the documentation runs, or its page says what it needs: tests/house/pages/blocks.py has the rules.

Where a page shows no output, a command runs in small: `vlmbench run` asks 36 questions, `vlmbench train` makes a plan.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.house.pages import blocks as pages
from tests.house.pages.blocks import Block, Command
from tests.support.paths import ROOT
from vlmbench.base.errors import UsageError
from vlmbench.cli import main as cli

SMALL = {
    "run": (["--limit", "36"], {"--limit", "--ids", "--suite", "--data", "--gate"}),
    "train": (["--dry-run"], {"--dry-run", "--smoke", "--list"}),
}
"""By verb: the words that make it small, and those that do so already."""
PLAIN = re.compile(r"""^(?:vlmbench|python3?)\s[^|<>&;`$]*$""")
"""A command that needs no shell."""
WITH_BLOCKS = [page for page in pages.pages() if pages.blocks(page)]
RUN_HERE = [
    page
    for page in WITH_BLOCKS
    if not pages.tested_by(page) and any(block.language in {*pages.SHELL, "python"} for block in pages.blocks(page))
]


def name(page: Path) -> str:
    """For the list of tests."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=name)
def test_blocks_name_their_language(page: Path) -> None:
    """So no command hides in a block that the tests do not read."""
    for block in pages.blocks(page):
        assert block.language in pages.SHELL | pages.OTHER, (
            f"{block.where}: {block.language!r}: bash, console, text, ...?"
        )
        if block.language not in pages.SHELL:
            assert not re.search(r"^(\$ |vlmbench |pip install |make )", block.text, re.MULTILINE), block.where
    indented = re.findall(r"\n\n {4}(?:\$ |vlmbench |python |OMP_NUM_THREADS)", page.read_text("utf-8"))
    assert not indented, "a fenced block names its language, an indented one cannot"


@pytest.mark.parametrize("page", [page for page in WITH_BLOCKS if pages.tested_by(page)], ids=name)
def test_the_named_test_reads_the_page(page: Path) -> None:
    test = ROOT / pages.tested_by(page)
    assert f'"{page.name}"' in test.read_text("utf-8") or page.name in test.read_text("utf-8").partition('"""')[2]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN_HERE, ids=name)
def test_the_commands_of_a_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgotten: None) -> None:
    """In order, in one folder, which has what the commands name: `examples`, `tasks` and `tests` of the project."""
    for folder in ("examples", "models", "tasks", "tests", "constraints.txt"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PATH", os.pathsep.join([str(shims(tmp_path / "bin")), os.environ["PATH"]]))
    for block in pages.blocks(page):
        if block.title:
            (tmp_path / block.title).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            run_block(block)
        elif block.language in pages.SHELL:
            for command in pages.commands(block):
                (parse if command.out_of_reach else run_as_written)(block, command)


def shims(folder: Path) -> Path:
    """A folder of programs: vlmbench and python of this environment."""
    folder.mkdir()
    for program, words in (("vlmbench", "-m vlmbench.cli.main "), ("python", "")):
        (folder / program).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}"$@"\n', encoding="utf-8")
        (folder / program).chmod(0o755)
    return folder


def run_block(block: Block) -> None:
    """A block of Python; the page may say which error it raises."""
    told = re.search(r"# .*\braises (?:\w+\.)*(\w+)$", block.text, re.MULTILINE)
    raised = ""
    file = Path(f"block_{block.line}.py")
    file.write_text(block.text, encoding="utf-8")
    try:
        runpy.run_path(str(file))
    except Exception as error:
        raised = type(error).__name__
        if told is None:
            raise
    assert raised == (told[1] if told else ""), block.where


def parse(block: Block, command: Command) -> None:
    """What cannot run has at least options and modules that exist."""
    words = shlex.split(command.text)
    if words[0] == "vlmbench":
        try:
            cli.parser(words[1]).parse_intermixed_args(words[2:])
        except UsageError as error:
            assert "cannot open s3://" in error.what, block.where  # a protocol's package, which the tests do not need
    elif "-m" in words and "python" in words:
        module = words[words.index("-m") + 1]
        assert importlib.util.find_spec(module), f"{block.where}: {module}"


def run_as_written(block: Block, command: Command) -> None:
    """Exit code and output are those that the page tells."""
    small = made_small(command) if not block.hidden else []
    words = [*shlex.split(command.text), *small]
    code, out, err = run(words) if PLAIN.match(command.text) else in_shell(command.text)
    problem = command.problem(code, out)
    assert not problem, f"{block.where}: {command.text}\n{problem}\n{err[-1000:]}"


def made_small(command: Command) -> Sequence[str]:
    """Words that are added to a command of which the page shows no output."""
    words = command.text.split()
    more, already = SMALL.get(words[1] if words[0] == "vlmbench" else "", ([], set()))
    return [] if command.expected is not None or already & set(words) else more


def run(words: Sequence[str]) -> tuple[int, str, str]:
    """vlmbench, or Python's file or module, in this process, which has torch: exit code, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        if words[0] == "vlmbench":
            code = cli.main([name for word in words[1:] for name in (matches(word) if "*" in word else [word])])
        else:
            code = run_python(words[1:])
    return code, out.getvalue(), err.getvalue()


def matches(pattern: str) -> list[str]:
    """The files that a shell puts in a pattern's place."""
    return sorted(map(str, Path().glob(pattern)))


def run_python(words: Sequence[str]) -> int:
    """`python FILE ...` or `python -m MODULE ...`."""
    module = words[0] == "-m"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [*words[module:]])
        patch.delitem(sys.modules, words[module], raising=False)  # another test may have imported it
        try:
            (runpy.run_module if module else runpy.run_path)(words[module], run_name="__main__")
        except SystemExit as done:
            return int(done.code or 0)
    return 0


def in_shell(text: str) -> tuple[int, str, str]:
    """Any other command, by bash."""
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr
