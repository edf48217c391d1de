"""Options that stand in the question's text: taken out of it, for the protocols that list them in their own words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

from vlmbench.data.rows import Row
from vlmbench.data.tables.columns import LETTERS, NAN, Columns, given

Split = tuple[str, tuple[str, ...]]
Splitter = Callable[[str], Split]
"""A question to the question without its options, and the options; none where its text has none."""
ASKED = "asked"
"""In `Sample.extra`: the question as the file has it."""


def columns(
    split: Splitter,
    question: str = "question",
    answer: str = "answer",
    *,
    id: str = "",
    tags: Mapping[str, str] | None = None,
) -> Columns:
    """Columns of a file whose questions hold their options; the answer is a letter, or a text where there are none."""

    def options(row: Row) -> list[str] | None:
        found, right = split(row.text(question))[1], given(row, answer).strip()
        if not found and len(right) == 1 and right in LETTERS:
            raise row.error(question, f"the answer is {right}, but no options were found in the question's text")
        return list(found) or None

    return Columns(
        id=id,
        made={"stem": lambda row: split(row.text(question))[0], "options": options},
        made_from=(question,),
        question="stem",
        options="options",
        answer=answer,
        target=lambda row, column: given(row, column).strip().lower() or None,
        tags=tags or {},
        extra={"hint": "hint", ASKED: question},
    )


def mmstar(question: str) -> Split:
    """MMStar: `Options: A: red, B: blue` on a line of its own, or a line per option, `(A) red`.

    These stand below the line `Choices:`, which seven of the 1,500 questions lack. "nan" at the end, as pandas writes
    an empty cell, is no option.
    """
    stem, options = _split(question, "\nOptions: ", "{}: ", ", ")
    if not options:
        stem, options = _split(question, "\nChoices:\n", "({}) ", "\n")
    if not options:
        stem, options = _split(question, "\n", "({}) ", "\n")
    while len(options) > 1 and options[-1] == NAN:
        options = options[:-1]
    return stem, options


def lines(question: str) -> Split:
    """RealWorldQA: a line per option, `A. red`; the line behind the options is none of them."""
    stem, options = _split(question, "\n", "{}. ", "\n")
    return stem, (*options[:-1], *(text.split("\n")[0] for text in options[-1:]))


def bracketed_lines(question: str) -> Split:
    """V*: a line per option, `(A) red`; the line behind the options is none of them."""
    stem, options = _split(question, "\n", "({}) ", "\n")
    return stem, (*options[:-1], *(text.split("\n")[0] for text in options[-1:]))


def _split(question: str, before: str, mark: str, between: str) -> Split:
    """Options that begin with `mark`, the first behind `before`, the others behind `between`."""
    stem, found, rest = question.rpartition(before + mark.format(LETTERS[0]))
    if not found:
        return question, ()
    options = []
    for _, following in pairwise(LETTERS):
        text, found, rest = rest.partition(between + mark.format(following))
        options.append(text.strip())
        if not found:
            break
    return stem.strip(), tuple(options) if len(options) > 1 else ()
