"""Reads back what a report wrote, as the page does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

BLOCK = re.compile(r'<script type="application/json" id="([^"]+)">(.*?)</script>', re.DOTALL)
FILE = re.compile(r"""vb\.take\("([\w-]+)",'((?:[^'\\\n\r\u2028\u2029]|\\[\\'])*)'\)\n""")
"""The whole of a data file: one call with two string literals, and no escape but two."""


def blocks(html: str) -> dict[str, Any]:
    """The JSON blocks of a page."""
    return {name: json.loads(text) for name, text in BLOCK.findall(html)}


def report(page: Path) -> dict[str, Any]:
    """What the first page carries."""
    found: dict[str, Any] = blocks(page.read_text("utf-8"))["report"]
    return found


def text(page: Path, name: str) -> str:
    """The JSON text that a data file hands over."""
    found = FILE.fullmatch((page.parent / "data" / f"{name}.js").read_text("utf-8"))
    assert found is not None and found[1] == name
    return re.sub(r"\\([\\'])", r"\1", found[2])


def data(page: Path, name: str) -> Any:
    """What it holds."""
    return json.loads(text(page, name))


def names(page: Path, start: str = "") -> list[str]:
    """The data files whose name starts so."""
    return sorted(path.stem for path in (page.parent / "data").glob(f"{start}*.js"))
