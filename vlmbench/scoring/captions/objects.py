"""The objects of COCO that a caption names, as CHAIR finds them (Rohrbach et al., EMNLP 2018).

LisaAnne/Hallucination utils/chair.py@6e4d33c4: words in lower case by NLTK's word_tokenize, their singulars, some pairs
of words as one, and of these what is in its list of synonyms. The words here are those of NLTK's word tokenizer. Its
sentences end where a full stop, a question or an exclamation mark stands before a space, except behind a single letter
(`t.v.`); NLTK's own model of abbreviations is not needed, for no object's name is another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from vlmbench.scoring.captions.singular import singular

# ---------------------------------------------------------------------------------------------------------------- words

_SPACED = r" \g<0> "
_PASSES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"[«“‘„]|`+", _SPACED),
        (r"^\"", "``"),
        (r"``", _SPACED),
        (r"(?<=[ (\[{<])(?:\"|'')", " `` "),
        (r"'(?!re|ve|ll|[mtsdn])(?=\w\b)", "' "),
        (r"(?<=[^.])\.(?=[\])}>\"'»”’ ]*$)", _SPACED),
        (r"([:,])(\D)", r" \1 \2"),
        (r"[:,]$", _SPACED),
        (r"\.{2,}|[;@#$%&?!*]", _SPACED),
        (r"(?<=[^'])'(?= )", " ' "),
        (r"[\][(){}<>]|--", _SPACED),
        (r"^|$", " "),
        (r"[»”’]", _SPACED),
        (r"''|\"", " '' "),
        (r"(?<=[^' ])'[smd]?(?= )", _SPACED),
        (r"(?<=[^' ])(?:'(?:ll|re|ve)|n't)(?= )", _SPACED),
        (r"\b(can)(not)\b|\b(d)('ye)\b|\b(gim)(me)\b|\b(lem)(me)\b|\b(more)('n)\b", r" \1\3\5\7\9 \2\4\6\8\g<10> "),
        (r"\b(gon)(na)\b|\b(got)(ta)\b|\b(wan)(na)(?=\s)|(?<= )('t)(is|was)\b", r" \1\3\5\7 \2\4\6\8 "),
    )
)
"""What NLTK's word tokenizer sets apart, in its order; for texts in lower case."""
_SENTENCE_END = re.compile(r"(?:[?!]|(?<!\.\w)(?<!\b\w)\.)[\])}>\"'»”’]*\s+")


def treebank(sentence: str) -> list[str]:
    """The words and marks of a sentence in lower case."""
    for pattern, instead in _PASSES:
        sentence = pattern.sub(instead, sentence)
    return sentence.split()


def sentences(text: str) -> list[str]:
    """A text cut behind its sentences."""
    starts = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    return [text[start:end].strip() for start, end in pairwise(starts)]


# -------------------------------------------------------------------------------------------------------------- objects

_PAIRS = (
    "motor bike", "motor cycle", "air plane", "traffic light", "street light", "traffic signal", "stop light",
    "fire hydrant", "stop sign", "parking meter", "suit case", "sports ball", "baseball bat", "baseball glove",
    "tennis racket", "wine glass", "hot dog", "cell phone", "mobile phone", "teddy bear", "hair drier", "potted plant",
    "laptop computer", "home plate", "train track",
)  # fmt: skip
_ANIMALS = (
    "bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "animal", "cub",
)  # fmt: skip
PAIRS: Mapping[str, str] = {
    **{pair: pair for pair in _PAIRS},
    **{f"{young} {animal}": animal for animal in _ANIMALS for young in ("baby", "adult")},
    "passenger jet": "jet",
    "passenger train": "train",
    "bow tie": "tie",
    "toilet seat": "toilet",
    "wine glas": "wine glass",
}
"""Two words that are one, and which: `baby` and `passenger` would be persons."""


Cut = Callable[[str], Sequence[str]]
"""A text to its sentences."""


def named(caption: str, synonyms: Mapping[str, str], cut: Cut = sentences) -> list[tuple[str, str]]:
    """(word, object) of what a caption names, in order and as often. `synonyms`: words with their objects.

    Where there is a toilet, a seat is no chair.
    """
    found = words(caption, cut)
    left_out = "seat" if "toilet" in found else ""
    return [(word, synonyms[word]) for word in found if word in synonyms and word != left_out]


def words(caption: str, cut: Cut = sentences) -> list[str]:
    """The singulars of a caption's words, some pairs of them as one."""
    single = [singular(word) for sentence in cut(caption.lower()) for word in treebank(sentence)]
    found, place = [], 0
    while place < len(single):
        pair = PAIRS.get(" ".join(single[place : place + 2]))
        found.append(pair or single[place])
        place += 2 if pair else 1
    return found
