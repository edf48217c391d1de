"""Hooks of mkdocs.yml: pages of a folder in the navigation, and links from pages to files outside docs/."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

FENCED = re.compile(r"^(```+).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<=\]\()([^)#:\s]+)(?=[)#])")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of a folder that the navigation does not name in the place of `folder/`."""
    config.nav = _spread(config.nav, Path(config.docs_dir), set(_named(config.nav)))
    return config


def _named(entry: Any) -> Iterator[str]:
    """Every page that the navigation names."""
    below = entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else ()
    for one in below:
        yield from [one] if isinstance(one, str) else _named(one)


def _spread(entry: Any, docs: Path, named: set[str]) -> Any:
    """The navigation without folders."""
    if isinstance(entry, dict):
        return {title: _spread(below, docs, named) for title, below in entry.items()}
    if not isinstance(entry, list):
        return entry
    spread: list[Any] = []
    for one in entry:
        if isinstance(one, str) and one.endswith("/"):
            pages = (one + path.name for path in sorted((docs / one).glob("*.md")))
            spread += [page for page in pages if page not in named]
        else:
            spread.append(_spread(one, docs, named))
    return spread


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to files outside docs/ to the repository; strict mode still checks all others."""
    root = Path(config.docs_dir).parent
    here = posixpath.dirname(page.file.src_uri)

    def outside(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join("docs", here, match[0]))
        if target.startswith("docs/") or not (root / target).exists():
            return match[0]
        return f"{config.extra['repository']}/{'tree' if (root / target).is_dir() else 'blob'}/main/{target}"

    parts, last = [], 0
    for fence in FENCED.finditer(markdown):
        parts += [LINK.sub(outside, markdown[last : fence.start()]), fence[0]]
        last = fence.end()
    return "".join([*parts, LINK.sub(outside, markdown[last:])])
