"""lmms-eval's readers of option letters. Source: lmms-eval lmms_eval/tasks@75571cfe, the file named in each docstring.

MMBench's and ScienceQA's are in vlmbench.parsing.options.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping, Sequence

from vlmbench.parsing.options import UNDECIDED

_PHRASES = (
    *("answer is", "best answer is", "correct option is", "best option is", "choice is", "correct choice is"),
    *("i choose", "i select", "i pick", "my answer is", "my choice is"),
    *("옵션", "정답은", "답은", "답:", "答案是", "答案为", "选", "答えは"),
)
"""Phrases before an answer. Those with "the" or "correct" before find the same place as the shorter ones."""
_FORMS = (("({})", 6), ("{}.", 5), ("{}:", 4), ("{})", 3), ("{} ", 2))
"""How a letter may be written, and how much that counts."""
_START, _END, _PHRASE, _ANYWHERE = 10, 9, 7, 0
_OPENING = re.compile(r"^\s*([A-Z])\.")
_FIRST = re.compile(r"[\(\s]*([A-Z])[\)\.\s]*", re.IGNORECASE)
_NO_MARKS = str.maketrans("", "", string.punctuation)


def a_to_d(text: str, options: Mapping[str, str]) -> str:
    """MMStar, RealWorldQA (_task_utils/mcq_extract.py with A to D): see `extracted`."""
    return extracted(text, "ABCD")


def a_to_h(text: str, options: Mapping[str, str]) -> str:
    """The same with the letters that it takes where none are named."""
    return extracted(text, "ABCDEFGH")


def realworldqa(text: str, options: Mapping[str, str]) -> str:
    """RealWorldQA (realworldqa/utils.py): `a_to_d`; without options the text in lower case, no full stops behind it."""
    return a_to_d(text, options) if options else text.lower().strip().rstrip(".")


def extracted(text: str, letters: Sequence[str]) -> str:
    """_task_utils/mcq_extract.py: of the places where a letter stands, the one whose form counts most, then the last.

    A text that begins with the article reads as A. Behind "answer is" the last first occurrence of any capital counts,
    inside words too, above "(B)" and "B.": "The correct answer is (B) Dog" reads as D. Only capitals are read.
    """
    text = text.strip()
    for mark in ",.!?;:'\"":
        text = text.strip(mark)
    text = f" {text} "
    found = [*_written(text, letters), *_behind_a_phrase(text, letters), *_at_the_ends(text, letters)]
    found = found or [(_ANYWHERE, text.rfind(letter), letter) for letter in letters if letter in text]
    return max(found, key=lambda one: one[:2])[2] if found else UNDECIDED


Place = tuple[int, int, str]
"""How much it counts, where it is, the letter."""


def _written(text: str, letters: Sequence[str]) -> Iterator[Place]:
    for form, weight in _FORMS:
        for letter in letters:
            if (place := text.rfind(form.format(letter))) >= 0:
                yield weight, place, letter


def _behind_a_phrase(text: str, letters: Sequence[str]) -> Iterator[Place]:
    lower = text.lower()
    for phrase in _PHRASES:
        if (start := lower.find(phrase)) >= 0:
            for letter in letters:
                if (place := text.find(letter, start + len(phrase))) >= 0:
                    yield _PHRASE, place, letter


def _at_the_ends(text: str, letters: Sequence[str]) -> Iterator[Place]:
    bare = text.strip()
    for letter in letters:
        if bare.startswith(letter) and not bare[1:2].isalpha():
            yield _START, 0, letter
        if bare.endswith(letter) and not bare[-2:-1].isalpha():
            yield _END, len(text) - 1, letter


def filtered(text: str) -> str:
    """AI2D, MuirBench (ai2d/utils.py): a capital with a full stop at the very start; else the text as it is."""
    opening = _OPENING.match(text)
    return opening[1] if opening else text


def ai2d(text: str, options: Mapping[str, str]) -> str:
    """AI2D (ai2d/utils.py, ai2d.yaml): what `filtered` leaves is the letter, letter case and ASCII marks aside."""
    return _same(filtered(text).lower().translate(_NO_MARKS), options)


def muirbench(text: str, options: Mapping[str, str]) -> str:
    """MuirBench (muirbench/utils.py): what `filtered` leaves is the letter, letter case and blanks around it aside."""
    return _same(filtered(text).lower().strip(), options)


def first_character(text: str) -> str:
    """SEED-Bench (seedbench/utils.py): the first character that is no blank."""
    return text.strip()[:1]


def seedbench(text: str, options: Mapping[str, str]) -> str:
    """SEED-Bench: `first_character`, in either case."""
    return _same(first_character(text).lower(), options)


def first_letter(text: str, options: Mapping[str, str]) -> str:
    """BLINK, CV-Bench (blink/utils.py, cv_bench/utils.py): the text's first letter.

    "The answer is B." reads as T, "Answer: C" as A, "**B**" as nothing.
    """
    opening = _FIRST.match(text.strip())
    return opening[1].upper() if opening else UNDECIDED


_MMVP = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"^\s*\(?([AB])\)?\.?\s*$",
        r"^\s*\(?([AB])\)?[\.\s]",
        r"answer\s+is\s+\(?([AB])\)?",
        r"option\s+\(?([AB])\)?",
        r"\(?([AB])\)?(?:\s|$)",
    )
)
_VSTAR = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"^([A-D])\s*[\.)\]]*",
        r"(?:THE\s+)?(?:ANSWER|CHOICE|OPTION)(?:\s+IS)?[\s:]+([A-D])",
        r"\(([A-D])\)",
        r"([A-D])\s*(?:\.|\)|])",
        r"(?:^|\s)([A-D])(?:\s|$)",
    )
)


def mmvp(text: str, options: Mapping[str, str]) -> str:
    """MMVP (mmvp/utils.py): five patterns in order, or the first character; "a" in "a dog" reads as A."""
    text = text.strip()
    return _matched(_MMVP, text) or (text[0].upper() if text[:1].upper() in ("A", "B") else UNDECIDED)


def vstar(text: str, options: Mapping[str, str]) -> str:
    """V* (vstar_bench/utils.py): five patterns in order on the text in capitals, or its only letter.

    "Both" reads as B, "Cannot tell" as C.
    """
    text = text.strip().upper()
    if letter := _matched(_VSTAR, text):
        return letter
    letters = re.findall("[A-D]", text)
    return letters[0] if len(letters) == 1 else UNDECIDED


def _matched(patterns: Sequence[re.Pattern[str]], text: str) -> str:
    found = (pattern.search(text) for pattern in patterns)
    return next((match[1].upper() for match in found if match), UNDECIDED)


def _same(text: str, options: Mapping[str, str]) -> str:
    """The option whose letter in lower case is the text."""
    return next((letter for letter in options if letter.lower() == text), UNDECIDED)


def mmt(text: str, options: Mapping[str, str]) -> str:
    """MMT-Bench (mmt/utils.py): `(A)`, else ` A `, else `A.`; of several the one whose ` A ` is last.

    Where there is none theirs draws a letter at random; here none is read.
    """
    text = text.strip()
    for mark in ",.!?;:'":
        text = text.strip(mark)
    text = f" {text} "
    for form in ("({})", " {} ", "{}."):
        if found := [letter for letter in options if form.format(letter) in text]:
            return max(found, key=lambda letter: text.rfind(f" {letter} "))
    return UNDECIDED


def mme_realworld(text: str, options: Mapping[str, str]) -> str:
    """MME-RealWorld (mme_realworld/utils.py, and VLMEvalKit's): the first capital A to E, answer phrases cut out.

    The empty answer is A; so is any whose small letters stand in "(a)".
    """
    text = text.strip()
    for phrase in _MME_PHRASES:
        text = text.replace(phrase, "")
    if found := re.search("[ABCDE]", text):
        return found[0]
    if len(text.split()) > 10:
        return UNDECIDED
    return next((letter for letter in "ABCDE" if text.lower() in f"({letter})".lower()), UNDECIDED)


_MME_PHRASES = (
    *("The best answer is", "The correct answer is", "The answer is", "The answer"),
    *("The best option is", "The correct option is", "Best answer:", "Best option:"),
)
