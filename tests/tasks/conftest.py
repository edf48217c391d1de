"""What tests of benchmarks share."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.support.nltk_stand_in import NLTK
from vlmbench.tasks.captions.amber_nouns import nltk_or_why


@pytest.fixture(autouse=True)
def nouns(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AMBER's official protocol finds its nouns with NLTK."""
    monkeypatch.setitem(sys.modules, "nltk", NLTK)
    nltk_or_why.cache_clear()
    yield
    nltk_or_why.cache_clear()
