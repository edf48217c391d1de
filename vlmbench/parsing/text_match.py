"""`same_words`: whether an answer and a target say the same, without losing marks that carry meaning.

Letter case, spaces, quotation marks, brackets and the punctuation of sentences around a text do not matter. Signs,
decimal points, percent, currency, `#`, `+`, `@`, `&`, `*`, `/` and primes do: -5 is not 5, .5 not 5, 7% not 7, C# not
C, O- neither O nor O+, 5" not 5.
"""

from __future__ import annotations

import re
import unicodedata

FOLDED = str.maketrans("\u2212\uff0b\uff05\ufe6a\u066a\uff03\uff0a\uff0f\uff20\uff06", "-+%%%#*/@&")
"""The minus sign, and full-width and Arabic forms of marks that carry meaning."""
QUOTES = "\"'"
PAIRED = ("**", "__", "*", "_")
"""Emphasis of Markdown, which is left out where it stands on both sides."""

REACH = 32
"""How far back a run of marks at the end is followed to the word it belongs to."""

_DASH = re.compile("[\u2010\u2011\u2012\u2013\ufe63\uff0d](?=[^\\w\\s]?[.,]?\\d)")
"""A hyphen or dash that stands for `-` before a number."""
_MINUS_APART = re.compile(r"^\u2212\s+(?=[^\w\s]?[.,]?\d)")
_PERCENT_APART = re.compile(r"(?<=\d)\s+(?=[%\u2030\u2031])")
_KEPT_BEFORE = re.compile(r"-[^\w\s]?[.,]?[^\W_]|\.[^\W_]|[,\u066b]\d|[#@&/\\*%\u2030\u2031\u00a7]+[^\W_]")
"""Marks at the start that belong to what follows."""
_KEPT_AFTER = re.compile(r"[^\W_][#%&@*/\\\-+\u2030\u2031\u2032\u2033]+$|\d['\"]$")
"""Marks at the end that belong to what they follow."""


def same_words(text: str, answer: str) -> bool:
    """Whether two texts say the same, letter case, spaces, enclosing marks and ways of encoding them aside."""
    return plain(text) == plain(answer)


def plain(text: str) -> str:
    """The form in which texts are compared."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    words = _MINUS_APART.sub("-", " ".join(folded.split())).translate(FOLDED)
    words = _PERCENT_APART.sub("", _DASH.sub("-", words))
    return _stripped(words) or words


def _stripped(words: str) -> str:
    """Without enclosing marks, one pair or one mark after the other."""
    start, end = 0, len(words)
    while start < end:
        shorter = _shorter(words, start, end)
        if shorter == (start, end):
            break
        start, end = shorter
    return words[start:end].strip()


def _shorter(words: str, start: int, end: int) -> tuple[int, int]:
    """The part of a text that is left when one mark or one pair of marks is taken off."""
    for mark in (*PAIRED, *QUOTES):
        size = len(mark)
        if end - start > 2 * size and words.startswith(mark, start, end) and words.endswith(mark, start, end):
            return start + size, end - size
    if words.startswith("..", start, end):  # an ellipsis, not a decimal point
        first = next((index for index in range(start, end) if words[index] != "."), end)
        return first, end
    if _is_mark(words[end - 1]) and not _KEPT_AFTER.search(words, max(start, end - REACH), end):
        return start, end - 1
    if _is_mark(words[start]) and not _KEPT_BEFORE.match(words, start, end):
        return start + 1, end
    return start, end


def _is_mark(letter: str) -> bool:
    return letter == " " or unicodedata.category(letter)[0] in "PZ"
