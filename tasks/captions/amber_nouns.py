"""The nouns of a description that AMBER counts: only words of its word lists (relation.json) do."""

from __future__ import annotations

import re
from collections.abc import Container
from functools import cache
from importlib import import_module
from typing import Any

_TOKEN = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*")
_IRREGULAR = {
    "men": "man", "women": "woman", "children": "child", "mice": "mouse", "geese": "goose", "leaves": "leaf",
    "knives": "knife", "loaves": "loaf", "feet": "foot", "teeth": "tooth", "oxen": "ox",
}  # fmt: skip
_ENDINGS = (
    ("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("ies", "y"),
)  # fmt: skip
"""WordNet's endings of plurals, and what stands in their place."""
VERBS = frozenset({"can"})
"""Words of the lists that are mostly no nouns: they count only behind an article, or in the plural."""
ARTICLES = frozenset({"a", "an", "the", "one", "this", "that", "trash", "garbage", "tin"})
HINT = (
    "pip install nltk, then python -m nltk.downloader punkt_tab averaged_perceptron_tagger_eng wordnet, then score the "
    "answers again; the protocol word_list needs neither"
)


def listed_nouns(text: str, words: Container[str]) -> list[str]:
    """The words of a text that are in the lists, also in the plural, whatever part of speech they are.

    Letter case counts, as in `tagged_nouns`: a word that begins a sentence is found only if the lists have it so.
    """
    found, before = [], ""
    for token in _TOKEN.findall(text):
        word = next((form for form in singulars(token) if form in words), "")
        if word and (token not in VERBS or before in ARTICLES):
            found.append(word)
        before = token.lower()
    return found


def singulars(token: str) -> list[str]:
    """A word, and what it may be the plural of."""
    if token in _IRREGULAR:
        return [_IRREGULAR[token]]
    return [token, *(token[: -len(end)] + other for end, other in _ENDINGS if token.endswith(end))]


def tagged_nouns(text: str, words: Container[str]) -> list[str]:
    """As inference.py: what NLTK tags as a noun, lemmatised with WordNet. Only where `nltk_or_why` has NLTK."""
    nltk, _ = nltk_or_why()
    lemmatize = nltk.stem.WordNetLemmatizer().lemmatize
    lemmas = [lemmatize(word) for word, tag in nltk.pos_tag(nltk.word_tokenize(text)) if tag.startswith("NN")]
    return [lemma for lemma in lemmas if lemma in words]


@cache
def nltk_or_why() -> tuple[Any, str]:
    """(NLTK, ""), or (None, why it cannot be used and what to do)."""
    try:
        nltk = import_module("nltk")
        nltk.stem.WordNetLemmatizer().lemmatize(nltk.pos_tag(nltk.word_tokenize("Two cats."))[1][0])
    except ImportError:
        return None, f"nouns are found by NLTK, which is not installed: {HINT}"
    except LookupError:
        return None, f"NLTK lacks its tagger, tokenizer or WordNet: {HINT}"
    return nltk, ""
