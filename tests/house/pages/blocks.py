"""The commands in the documentation's code blocks: how they are written, and how a test runs them.

Every block names its language. `bash` has commands alone; `console` has commands behind `$ ` with what they print below
(`...` stands for anything); `python` is run, too. A block with a title is a file of that name. The blocks of a page run
in order, in one folder. What cannot run says so in a comment, behind the command or on a line of its own above those
that it is about:

    vlmbench run --model openai:gpt-4o-mini --tasks pope     # needs a key
    vlmbench train nano                                      # takes 4 hours: ...
    vlmbench check runs/new --baseline baseline.json         # exit code 0, 1 or 3

`<!-- test: COMMANDS -->` holds commands that the page does not show: what the reader has already. `<!-- tested by FILE
-->` names a test that runs the page by itself, and `<!-- takes minutes: WHY -->` says it of all commands of a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.paths import ROOT

SHELL = {"bash", "console"}
OTHER = {"text", "python", "yaml", "toml", "csv", "json", "latex", "html"}
NEEDS = ("a key", "a GPU", "the network", "a cluster")
FENCE = re.compile(r"^(`{3,})([^\n]*)\n(.*?)^\1`*$|^<!-- test:\s(.*?)-->", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r"""^(\w*)(?: title="([^"]+)")?$""")
MARK = re.compile(rf"\b(?:needs (?P<needs>{'|'.join(NEEDS)})|takes (?P<takes>[^:.,]*(?:minute|hour)s?))\b")
CODES = re.compile(r"\bexit code (\d(?:(?:, | or )\d)*)")
COMMENT = re.compile(r"(?:^|\s)#\s(.*)$")


@dataclass(frozen=True)
class Block:
    """A code block of a page, or a comment with commands."""

    page: Path
    line: int
    language: str
    title: str
    text: str
    hidden: bool = False

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command of a block. `out_of_reach`: why no test can run it. `expected`: what the page says it prints."""

    text: str
    out_of_reach: str
    codes: frozenset[int]
    expected: str | None

    def problem(self, code: int, out: str) -> str:
        """What is not as the page says; empty if all is."""
        if code not in self.codes:
            return f"exit code {code}\n{out[-1000:]}"
        parts = [re.escape(part) for part in (self.expected or "...").rstrip("\n").split("...")]
        return "" if re.fullmatch(".*?".join(parts), out.rstrip("\n"), re.DOTALL) else f"it printed\n{out}"


def pages() -> list[Path]:
    """README and the other pages that have commands; those of the benchmarks have none."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@cache
def blocks(page: Path) -> Sequence[Block]:
    """The blocks of a page, in order."""
    text = page.read_text("utf-8")
    return tuple(_blocks(page, text))


def _blocks(page: Path, text: str) -> Iterator[Block]:
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        if match[4] is not None:
            yield Block(page, line, "bash", "", match[4].strip() + "\n", hidden=True)
            continue
        named = TITLE.match(match[2].strip())
        language, title = (named[1], named[2] or "") if named else (match[2].strip(), "")
        yield Block(page, line, language, title, match[3])


def tested_by(page: Path) -> str:
    """The test that runs a page by itself; empty where the page has none."""
    found = re.search(r"^<!-- tested by (\S+) -->$", page.read_text("utf-8"), re.MULTILINE)
    return found[1] if found else ""


def all_take(page: Path) -> str:
    """The reason for which no command of a page runs in the tests."""
    found = re.search(r"^<!-- (takes minutes: [^>]*) -->$", page.read_text("utf-8"), re.MULTILINE)
    return found[1] if found else ""


def commands(block: Block) -> Iterator[Command]:
    """The commands of a shell's block."""
    above, codes_above = all_take(block.page), frozenset({0})
    lines = re.sub(r"\\\n\s*", "", block.text).splitlines()
    shown = [line.removeprefix("$ ") for line in lines if block.language == "bash" or line.startswith("$ ")]
    outputs = re.split(r"^\$ .*\n", block.text, flags=re.MULTILINE)[1:] if block.language == "console" else []
    for line in shown:
        expected = outputs.pop(0) if outputs else None
        comment = COMMENT.search(line)
        text = line[: comment.start()].strip() if comment else line.strip()
        mark = MARK.search(comment[1]) if comment else None
        reason = mark[0] if mark else ""
        told = CODES.search(comment[1]) if comment else None
        codes = frozenset(map(int, re.findall(r"\d", told[1]))) if told else codes_above
        if text:
            yield Command(text, reason or above, codes, expected or None)
        else:
            above, codes_above = reason or above, codes
