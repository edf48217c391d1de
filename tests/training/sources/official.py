"""Tiny files in the official formats, with their pictures."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from vlmbench.training.sources import Rows, open_rows

Turns = list[tuple[str, str]]


def picture(folder: Path, name: str, size: tuple[int, int] = (200, 100)) -> Path:
    """A picture of its own colour."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, tuple(random.Random(name).randbytes(3))).save(path)
    return path


def write(path: Path, content: Any) -> Path:
    """JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def says(*texts: str) -> list[dict[str, str]]:
    """LLaVA's messages, human first."""
    return [{"from": ("human", "gpt")[at % 2], "value": text} for at, text in enumerate(texts)]


def opened(kind: str, path: Path, images: Path | str = "", **options: Any) -> Rows:
    """Rows of a kind that is no stream."""
    rows = open_rows(kind, path, images, **options)
    assert not hasattr(rows, "rows")
    found: Rows = rows
    return found


def turns(rows: Rows, index: int = 0, epochs: int = 60) -> tuple[set[str], set[str]]:
    """All questions and answers that a one-turn row has over some epochs."""
    found = [rows.entry(index, epoch).turns for epoch in range(epochs)]
    assert {len(one) for one in found} == {1}
    return {one[0][0] for one in found}, {one[0][1] for one in found}


def pool(source: Sequence[str], text: str = "") -> set[str]:
    """MiniGPT-v2's instructions with a text put in, and the blank that ends each."""
    return {one.replace("{}", text) + " " for one in source}


BOX = re.compile(r"\{<\d+><\d+><\d+><\d+>\}")
