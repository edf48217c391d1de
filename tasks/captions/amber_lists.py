"""AMBER's word lists: which words count, what each is named with, and which are alike or never wrong.

For each image they say of every word by itself what it does: it covers something that is there, or is a hallucination,
perhaps one that the annotation foresaw. The words of an answer do not depend on each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.data.files import Folder, Row, read_json, read_object, read_text

RELATION, SAFE, ALIKE = ([f"data/{name}", name] for name in ("relation.json", "safe_words.txt", "alike.json"))
Places = Sequence[tuple[str, int]]
"""Words, each with the place of the thing that it stands for."""


@dataclass(frozen=True)
class WordLists:
    """The three lists."""

    related: Mapping[str, Sequence[str]]
    """By thing: what it is also named with."""
    safe: Sequence[str]
    """Words that are never wrong, and cover nothing."""
    alike: frozenset[frozenset[str]] | None
    """Pairs; None where there is no list of them, and only equal words are alike."""

    @cached_property
    def words(self) -> list[str]:
        """All words that count."""
        return list(dict.fromkeys(chain(self.related, *self.related.values())))

    def places(self, things: Sequence[str]) -> Places:
        """What the things may be named with, in the order in which the script looks: their own names come last."""
        others = [(word, place) for place, thing in enumerate(things) for word in self.related[thing]]
        return [*others, *((thing, place) for place, thing in enumerate(things))]

    def nearest(self, word: str, places: Places) -> list[int]:
        """The place of the first word that is alike, if there is one."""
        pairs = self.alike or frozenset()
        return [place for other, place in places if other == word or frozenset((word, other)) in pairs][:1]

    def extra(self, row: Row) -> dict[str, Any]:
        """What the words say of an image, as `Sample.extra`. Raises DataError for a thing that is not in the lists."""
        there, foreseen = row.texts("truth"), row.texts("hallu")
        for field, things in (("truth", there), ("hallu", foreseen)):
            if unknown := [thing for thing in things if thing not in self.related]:
                raise row.error(field, f"relation.json has no entry for {unknown[0]!r:.40}", "get both files again")
        right, wrong = self.places(there), self.places(foreseen)
        named = dict(reversed(right))  # the first place of each word
        imagined = {word: (place,) for word, place in reversed(wrong)}
        unnamed = [word for word in self.words if word not in named]
        near = {word: place for word in unnamed for place in self.nearest(word, right)}
        tempted = {word: {*self.nearest(word, wrong), *imagined.get(word, ())} for word in unnamed}
        return {
            "words": self.words,
            "safe": self.safe,
            "covers": {**named, **near},
            "imagines": {word: sorted(places) for word, places in tempted.items() if places},
            "things": len(there),
            "foreseen": len(foreseen),
            "alike": self.alike is not None,
        }


def word_lists(data: Folder, hint: str) -> WordLists:
    """The lists of a folder. Raises DataError."""
    related = read_object(data.need("AMBER's list of related words", *RELATION, hint=hint))
    safe_path = data.need("AMBER's list of safe words", *SAFE, hint=hint)
    safe = [line.rstrip("\r") for line in read_text(safe_path).split("\n")]  # as Python opens a text
    if not any(safe):
        raise DataError("there is no word in it", where=str(safe_path), hint="get the file again")
    path = data.find(*ALIKE)
    pairs = read_json(path) if path else None
    if path and not (isinstance(pairs, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in pairs)):
        raise DataError("a list of pairs of words was expected", where=str(path), hint="write it again, or remove it")
    alike = None if pairs is None else frozenset(frozenset(map(str, pair)) for pair in pairs)
    return WordLists({word: related.texts(word) for word in related.values}, safe, alike)
