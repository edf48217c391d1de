"""LLaVA's question files in the form of its training data: a question with lettered options, and the letter as reply.

Source: haotian-liu/LLaVA scripts/convert_sqa_to_llava.py, llava/eval/model_vqa_science.py@c121f043.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from vlmbench.data.files import Row, read_rows, unique
from vlmbench.data.rows import named_columns
from vlmbench.data.tables.columns import LETTERS, by_letter

IMAGE = "<image>\n"
"""What the question starts with where the row has an image."""
_CHOICE = re.compile(r"\n([A-E])\. ")

Conversation = tuple[str, Row, str, tuple[str, ...], str]
"""(id, row, question without options, options, letter of the right one)."""


def choice_conversations(path: Path) -> Iterator[Conversation]:
    """The rows of a file, in order. A context stays in the question's text. Raises DataError naming row and field."""
    for key, row in unique(((row.key("id"), row) for row in read_rows(path)), "id").items():
        turns = row.listing("conversations")
        if len(turns) != 2 or not all(isinstance(turn, dict) for turn in turns):
            raise row.error("conversations", "a question and an answer were expected")
        question, answer = (Row(turn, row.file, f"{row.at}, in 'conversations'").text("value") for turn in turns)
        text = question.removeprefix(IMAGE)
        if text != question and not row.has("image"):
            hint = f"the row has: {named_columns('image', row.values)}"
            raise row.error("image", "the question shows <image>, and the field is missing", hint)
        bare, choices = parted(text)
        if not choices or answer not in by_letter(choices):
            raise row.error("conversations", "no options, or an answer that is the letter of none of them")
        yield key, row, bare, choices, answer


def parted(text: str) -> tuple[str, tuple[str, ...]]:
    """The question and its options, the last lines (`A. red`); no options where none is A."""
    marks = list(_CHOICE.finditer(text))
    first = next((i for i in reversed(range(len(marks))) if marks[i][1] == "A"), len(marks))
    kept: list[re.Match[str]] = []
    for mark in marks[first:]:
        if mark[1] == LETTERS[len(kept) : len(kept) + 1]:
            kept.append(mark)
    if not kept:
        return text, ()
    ends = [mark.start() for mark in kept[1:]] + [len(text)]
    choices = tuple(text[mark.end() : end] for mark, end in zip(kept, ends, strict=True))
    return text[: kept[0].start()], choices
