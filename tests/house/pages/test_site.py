"""The documentation's site: every page is in its navigation, links lead somewhere, and it opens from disk."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

import vlmbench
from docs.printing import site_hooks
from tests.support.paths import ROOT

DOCS = ROOT / "docs"


@pytest.fixture
def config() -> Any:
    """mkdocs.yml as the hooks see it."""
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    return SimpleNamespace(**{**settings, "docs_dir": str(DOCS)})


def named(entry: Any) -> Iterator[str]:
    """The pages of a navigation."""
    if isinstance(entry, str):
        yield entry
    else:
        for below in entry.values() if isinstance(entry, dict) else entry:
            yield from named(below)


def test_every_page_is_in_the_navigation_once(config: Any) -> None:
    found = list(named(site_hooks.on_config(config).nav))
    assert sorted(found) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    assert [next(iter(part)) for part in config.nav][:3] == ["Start", "Tutorials", "Evaluate"]


def shown(page: str, text: str, config: Any) -> str:
    """A page's text as the site has it."""
    one = SimpleNamespace(file=SimpleNamespace(src_uri=page))
    return site_hooks.on_page_markdown(text, cast("Any", one), config, cast("Any", None))


def test_links_out_of_the_folder_lead_to_the_repository(config: Any) -> None:
    code = config.extra["repository"]
    assert shown("index.md", "[a](../README.md#top)", config) == f"[a]({code}/blob/main/README.md#top)"
    assert shown("models/plugins.md", "[a](../../tasks/)", config) == f"[a]({code}/tree/main/tasks)"
    for kept in (
        "[a](../install.md)",
        "[a](https://a.b/c)",
        "[a](../../no_such_file.py)",
        "```\n[a](../../README.md)\n```",
    ):
        assert shown("models/plugins.md", kept, config) == kept


def test_the_tools_are_an_extra_with_pinned_versions() -> None:
    pinned = (ROOT / "constraints.txt").read_text("utf-8")
    extra = re.search(r"^docs = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert extra is not None
    for name in re.findall(r'"([\w-]+)>=', extra[1]):
        assert re.search(rf"^{name}==", pinned, re.MULTILINE)


def test_the_reference_has_every_public_name() -> None:
    page = (DOCS / "reference" / "python.md").read_text("utf-8")
    shown = {name.rpartition(".")[2] for name in re.findall(r"^::: (\S+)$", page, re.MULTILINE)}
    assert {name for name in vlmbench.__all__ if name != "__version__"} <= shown


@pytest.mark.slow
def test_it_builds_strictly_and_fetches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="mkdocs-material is not installed here: make docs-site installs it")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > len(list(DOCS.rglob("*.md")))  # 404.html too
    for page in pages:
        text = page.read_text("utf-8")
        assert not re.search(r"""<(?:script|link|img|iframe)\b[^>]*(?:src|href)=["']?(?:https?:)?//""", text), page.name
    reference = (tmp_path / "reference" / "python.html").read_text("utf-8")
    assert 'id="vlmbench.api.calling.evaluate"' in reference and "Put benchmarks" in reference
