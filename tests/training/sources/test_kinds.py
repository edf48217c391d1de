"""Every kind of source is on the page about training data."""

from __future__ import annotations

import re

from tests.support.paths import ROOT
from vlmbench.training.sources import KINDS

PAGE = ROOT / "docs" / "training" / "training-data.md"


def test_the_page_lists_every_kind() -> None:
    first = [line.split("|")[1] for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert {name for cell in first for name in re.findall(r"`(\w+)`", cell)} == set(KINDS)
