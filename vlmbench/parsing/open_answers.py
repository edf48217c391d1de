"""Answers to MMMU's open questions: the texts and numbers that may be meant, and whether one of them is right.

`official`, `lmms_eval` and `vlmevalkit` take the answer and the right ones, and give what was read and whether it is
right. Sources: MMMU mmmu/utils/eval_utils.py@bb0b95a9 (parse_open_response, normalize_str, eval_open); lmms-eval
lmms_eval/tasks/mmmu/utils.py@75571cfe; VLMEvalKit vlmeval/dataset/utils/multiple_choice.py@e8e78f05 (MMMU_preproc).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from string import ascii_uppercase

from vlmbench.parsing.numbers import number
from vlmbench.parsing.options import vlmevalkit_letter

Value = str | float
Right = str | tuple[str, ...] | None
"""The right answer, or a list of right ones as the file has it, be it of one."""
_CUES = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")
"""What an answer follows; in the last line an equals sign, too."""
_TRIVIAL = (":", ",", ".", "!", "?", ";", "'")
_NUMBERS = (
    re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b"),
    re.compile(r"-?\d+(?:\.\d+)?[eE][+-]?\d+"),
    re.compile(r"-?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d+)(?![,\d])"),
)
"""With commas, with an exponent, plain: a number may fit several."""


def values(text: str) -> frozenset[Value]:
    """All that an answer may say: the tails behind a cue, or else the whole; and the numbers in them.

    Lower case is made first, so sentences are never told apart where the code means to: only lines are.
    """
    text = text.strip().strip(".").lower()
    lines = text.split("\n")
    tails = [_tail(line, (*_CUES, "=") if place == len(lines) else _CUES) for place, line in enumerate(lines, 1)]
    said = [tail for tail in tails if tail and tail not in _TRIVIAL] or [text]
    numbers = [found for tail in said for form in _NUMBERS for found in form.findall(tail)]
    return frozenset(value for one in (*said, *numbers) for value in normal(one))


def _tail(line: str, cues: Sequence[str]) -> str:
    """The shortest text behind the last place of a cue; one behind which nothing stands gives way to the next."""
    shortest = ""
    for cue in cues:
        if cue in line:
            tail = line.rpartition(cue)[2].strip()
            shortest = tail if not shortest or len(tail) < len(shortest) else shortest
    return shortest


def normal(text: str) -> Iterator[Value]:
    """A number with two decimals; else the text in lower case. A single character is only found beside a blank."""
    text = text.strip()
    value = number(text.replace(",", ""))
    if value is not None:
        yield round(value, 2)
    elif len(text.lower()) == 1:
        yield from (f" {text.lower()}", f"{text.lower()} ")
    else:
        yield text.lower()


def is_right(read: frozenset[Value], right: Sequence[str]) -> bool:
    """Whether a text that was read contains a right one, or a number is a right one."""
    known = [value for one in right for value in normal(one)]
    texts = [value for value in known if isinstance(value, str)]
    return any(any(text in one for text in texts) if isinstance(one, str) else one in known for one in read)


def shown(read: frozenset[Value]) -> str:
    """What was read, for a table: the numbers first."""
    numbers = sorted(value for value in read if not isinstance(value, str))
    return " | ".join(
        [*(f"{value:g}" for value in numbers), *sorted(value for value in read if isinstance(value, str))]
    )


def official(text: str, right: Right) -> tuple[str, bool]:
    """One of the texts contains a right answer, or one of the numbers is one."""
    read = values(text)
    return shown(read), is_right(read, (right,) if isinstance(right, str) else right or ())


def lmms_eval(text: str, right: Right) -> tuple[str, bool]:
    """Always wrong: one of the texts is gone through by characters, and none of these contains a right answer."""
    return shown(values(text)), False


def vlmevalkit(text: str, right: Right) -> tuple[str, bool]:
    """Option A is the right answer (a list as it is written), B "Other Answers": its text anywhere is right."""
    answer = repr(list(right)) if isinstance(right, tuple) else right or ""
    letter = vlmevalkit_letter(text, {"A": answer, "B": "Other Answers"})
    return letter, letter == (answer if answer in tuple(ascii_uppercase) else "A")
