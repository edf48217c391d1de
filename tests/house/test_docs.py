"""The documents say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from docs.printing.print_pages import PAGES
from vlmbench.base import registry
from vlmbench.base.version import __version__
from vlmbench.cli import main as cli

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(```+|~~~+)[^\n]*\n(.*?)^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)#\s]+)(?:#[^)]*)?\)|!\[[^\]]*\]\(([^)\s]+)\)")


def documents() -> list[Path]:
    """README and all pages, the changelog too."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def commands(path: Path, tool: str) -> list[list[str]]:
    """The words after `tool` on the lines of a page's code blocks and in its inline code."""
    text = path.read_text("utf-8")
    blocks = [line for match in FENCE.finditer(text) for line in match[2].splitlines()]
    inline = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    lines = [line.strip().removeprefix("$ ") for line in (*blocks, *inline)]
    return [line.split()[1:] for line in lines if line.split()[:1] == [tool] and len(line.split()) > 1]


def make_targets() -> set[str]:
    """The targets of the Makefile."""
    rules = re.findall(r"^([a-z][\w -]*):(?!=)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    return {target for rule in rules for target in rule.split()}


def test_readme_starts_with_the_two_commands() -> None:
    blocks = [match[2] for match in FENCE.finditer((ROOT / "README.md").read_text("utf-8"))]
    assert "make demo" in blocks[0]
    assert "make test" in blocks[0]


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_named_commands_exist(path: Path) -> None:
    targets, asked = make_targets(), [words[0] for words in commands(path, "make")]
    assert not [word for word in asked if re.match(r"[a-z-]+$", word) and word not in targets]
    known = {*cli.VERBS, "--help", "--version", "VERB"}
    assert not [words for words in commands(path, "vlmbench") if words[0] not in known]


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    targets = [first or second for first, second in LINK.findall(FENCE.sub("", path.read_text("utf-8")))]
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert not [target for target in local if not (path.parent / target).exists()]


def test_the_makefile_tells_of_its_targets() -> None:
    told = set(re.findall(r"^#   make ([a-z-]+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert told <= make_targets()
    assert {"demo", "test", "golden", "check", "clean"} <= told


SLOW_PAGES = {"models/models.md"}
"""It counts the parameters of every published variant."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW_PAGES else name for name in PAGES]
)
def test_printed_pages_are_fresh(name: str) -> None:
    assert (ROOT / "docs" / name).read_text("utf-8") == PAGES[name](), f"docs/{name} is stale: make docs"


def test_every_benchmark_has_a_page_and_every_page_a_benchmark() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "benchmarks").glob("*")}
    assert pages == set(registry.tasks.builtin)
    index = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    assert all(f"(benchmarks/{name}.md)" in index for name in pages)


@pytest.mark.parametrize("name", registry.tasks.builtin)
def test_pages_have_every_split_protocol_and_prompt(name: str) -> None:
    text, task = (ROOT / "docs" / "benchmarks" / f"{name}.md").read_text("utf-8"), registry.tasks.get(name)
    assert not [split for split in task.splits if f"\n| `{split}` | " not in text]
    assert not [protocol for protocol in task.protocols if f"\n| `{protocol}` | " not in text]
    prompts = text.partition("## Prompts")[2].partition("\n## ")[0]
    assert not [protocol for protocol in task.protocols if f"`{protocol}`" not in prompts]


def test_every_page_is_on_the_map() -> None:
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    pages = [page for page in pages if not page.startswith(("benchmarks/", "decisions/"))]
    assert not [page for page in pages if page != "index.md" and f"({page})" not in index]


def test_architecture_names_files_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    paths = set(re.findall(r"`((?:vlmbench|models|tasks|training|reports|docs|tests)/[\w/.]+)`", text))
    assert len(paths) > 20
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_decisions_have_a_number_each() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    numbers = [page.name[:4] for page in pages]
    assert len(set(numbers)) == len(numbers), numbers
    assert not [page.name for page in pages if not page.read_text("utf-8").startswith(f"# {page.name[:4]}: ")]


def test_one_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == __version__
    assert {"cff-version", "message", "title", "authors"} <= set(citation)  # what the format needs
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
