"""In place of NLTK, which is not among the packages of the tests: each word is a noun, and its own lemma."""

from __future__ import annotations

import re
from types import SimpleNamespace

NLTK = SimpleNamespace(
    word_tokenize=re.compile(r"[\w-]+").findall,
    pos_tag=lambda words: [(word, "NN") for word in words],
    stem=SimpleNamespace(WordNetLemmatizer=lambda: SimpleNamespace(lemmatize=lambda word: word)),
)
