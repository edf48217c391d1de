"""How MATH-V finds the answer in a response and compares it; and how VLMEvalKit does.

Sources: mathllm/MATH-V evaluation/{evaluate,utils}.py@a1f5cc3a (lmms-eval lmms_eval/tasks/mathvision/@75571cfe has the
same code); VLMEvalKit vlmeval/dataset/utils/mathv.py@e8e78f05. Both give answers to Python's `eval`, as text or as what
latex2sympy2 makes of them; here vlmbench.parsing.arithmetic evaluates them, and nothing but arithmetic.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from vlmbench.base.samples import Sample
from vlmbench.data.tables.columns import options_of
from vlmbench.families.extraction import Match
from vlmbench.parsing.arithmetic import latex_number, python_number
from vlmbench.parsing.numbers import number
from vlmbench.parsing.options import vlmevalkit_letter

LETTERS = "ABCDE"
CUES = ("the final answer is", "the answer is", "the correct answer is", "the answer should be")
"""What an answer follows, with a small or a capital T."""
PLACES = 2
"""Numbers are equal where they are rounded alike to so many places."""
CLOSE = 1e-6
"""VLMEvalKit's numbers are equal where they are closer."""
_BOXED = re.compile("oxed{(.*)}", re.DOTALL)
_LETTER_IN = (re.compile(r"\(([a-e])\)"), re.compile(r"\{([a-e])\}"))
_BARE_ROOT = re.compile(r"\\sqrt(?!\\sqrt)([^{])", re.DOTALL)
_QUOTIENT = re.compile(r"(0|-?[1-9][0-9]*)/(0|-?[1-9][0-9]*)")
LEFT_OUT: Sequence[tuple[str, str]] = (
    (" ", ""), ("\\,", ""), ("∞", "\\infty"), ("+\\infty", "\\infty"), ("\\\\", "\\"), ("\n", ""), ("\\text", ""),
    ("\\mbox", ""), ("bmatrix", "pmatrix"), ("\\left", ""), ("\\right", ""), ("^{\\circ}", ""), ("^\\circ", ""),
    ("{m}^3", ""), ("m^3", ""), ("{units}", ""), ("units", ""), ("{km}", ""), ("km", ""), ("\\!", ""), ("\\\\", "\\"),
    ("tfrac", "frac"), ("dfrac", "frac"), ("\\left", ""), ("\\right", ""), ("^{\\circ}", ""), ("^\\circ", ""),
    ("\\$", ""), ("$", ""), ("\\%", ""), ("{.", "{0."),
)  # fmt: skip
"""What is replaced in an answer, one after the other."""


# ------------------------------------------------------------------------------------------------------------- finding


def official(sample: Sample, text: str) -> str:
    """The letter at either end, a number behind the last "is ", what follows a cue, or the last box; then cleaned."""
    text = text.strip()
    for letter in LETTERS:
        ends, starts = (f" {letter}.", f" ({letter})."), (f"{letter}\n", f"({letter})\n", f"({letter}) {letter}\n")
        if text.endswith(ends) or text.startswith(starts):
            text = letter
    last = text.split("is ")[-1].rstrip(".")
    if number(last) is not None:
        text = last
    if "oxed{" not in text:
        for cue in CUES:
            text = _behind(_behind(text, cue), cue.replace("the", "The"))
    elif text.count("oxed{") > 1:
        text = "\\boxed{" + text.split("oxed{")[-1]
    text = cleaned(text)
    for brackets in _LETTER_IN:
        text = brackets.sub(r"\1", text)
    return text.rstrip(".").lstrip(":").strip()


def _behind(text: str, cue: str) -> str:
    """What follows the last cue, to the end of its line or sentence."""
    if cue not in text:
        return text.strip()
    return text.split(cue)[-1].strip().split("\n")[0].split(". ")[0]


def cleaned(text: str) -> str:
    """The content of the box, or all; behind the last equals sign; without units, spaces and layout."""
    text = text.lower().replace("{}", "")
    boxes = _BOXED.findall(text)
    text = boxes[-1] if boxes else text
    head, closed, _ = text.partition("}")
    if closed and "{" not in head:
        text = head
    text = text.split("=")[-1].split("\\approx")[-1]
    for old, new in LEFT_OUT:
        text = text.replace(old, new)
    if text.startswith("."):
        text = f"0{text}"
    if "sqrt" in text:
        text = _braced_fractions(_BARE_ROOT.sub(r"\\sqrt{\1}", text))
    if text == "0.5":
        text = "\\frac{1}{2}"
    quotient = _QUOTIENT.fullmatch(text)
    return f"\\frac{{{quotient[1]}}}{{{quotient[2]}}}" if quotient else text


def _braced_fractions(text: str) -> str:
    """Fractions whose first argument is bare: one character is the numerator, and one the denominator."""
    first, *rest = text.split("\\frac")
    parts = [first]
    for tail in rest:
        if not tail.startswith("{"):
            if len(tail) < 2:
                return text
            tail = f"{{{tail[0]}}}{tail[1:] if tail[1] == '{' else f'{{{tail[1]}}}{tail[2:]}'}"
        parts.append(tail)
    return "\\frac".join(parts)


# ----------------------------------------------------------------------------------------------------------- comparing


def match(sample: Sample, found: str) -> Match:
    """Right where it is the letter, or equal to the right answer, or to the right option."""
    unread = "" if found else "answer"
    if sample.target is None:
        return Match(found, False, unread)
    option = options_of(sample).get(sample.target, "")
    return Match(found, same(sample.target, found) or same(option, found), unread)


def same(right: str, answer: str) -> bool:
    """Whether two answers are one text, one tuple of numbers, or one number; letter case does not matter."""
    right, answer = right.lower(), answer.lower()
    if not right.replace(" ", "") or not answer.replace(" ", ""):
        return False
    if right.strip() == answer.strip() or (right := _tuple(right)) == (answer := _tuple(answer)):
        return True
    values = [latex_number(text) for text in (right, answer)]
    return None not in values and len({round(value, PLACES) for value in values if value is not None}) == 1


def _tuple(text: str) -> str:
    """A tuple or a list in round or square brackets with its numbers rounded; any other text as it is."""
    parts = text[1:-1].split(",")
    if text[:1] + text[-1:] not in ("()", "[]") or len(parts) < 2:
        return text
    rounded = [part if "infty" in part or part in ("a", "-a") else _rounded(part) for part in parts]
    return text if None in rounded else f"{text[0]}{','.join(map(str, rounded))}{text[-1]}"


def _rounded(text: str) -> str | None:
    value = latex_number(text)
    return None if value is None else str(round(value, PLACES))


# ---------------------------------------------------------------------------------------------------------- VLMEvalKit


def match_vlmevalkit(sample: Sample, found: str) -> Match:
    """Options by its rule; other answers where they are one text, or two numbers that are close."""
    if sample.choices:
        letter = vlmevalkit_letter(found, options_of(sample))
        return Match(letter, letter == sample.target, "" if letter else "option")
    return Match(found, sample.target is not None and close(sample.target, found), "" if found else "answer")


def close(right: str, answer: str) -> bool:
    """VLMEvalKit's comparison: `eval` of both as Python, and then as LaTeX without the names of roots and pi.

    The letter a in an answer is the right number: that is what its code calls the right one when it evaluates the
    answer.
    """
    right, answer = right.lower().strip(), answer.lower().strip()
    if right == answer:
        return True
    for read in (python_number, partial(latex_number, exact=True)):
        value = read(right)
        other = read(answer, {"a": value}) if value is not None else None
        if value is not None and other is not None and abs(value - other) < CLOSE:
            return True
    return False


def vlmevalkit(sample: Sample, text: str) -> str | None:
    """An option that its rule reads, or the right answer; all others are for its judge."""
    got = match_vlmevalkit(sample, text)
    return text if (got.read if sample.choices else got.right) else None
