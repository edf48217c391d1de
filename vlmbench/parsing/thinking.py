"""Thoughts that a model writes into its answer, between tags: found, never taken for the answer.

Thinking models are not supported yet: what they say is read as it stands, and a note beside the score says so. A text
that ends inside its thought holds no answer at all.
"""

from __future__ import annotations

from collections.abc import Sequence

TAGS: Sequence[tuple[str, str]] = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("◁think▷", "◁/think▷"),
    ("[think]", "[/think]"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis", "<|channel|>final<|message|>"),
)
"""What opens and what closes a thought, in lower case."""


def has_tags(text: str) -> bool:
    """Whether a tag that opens or closes a thought stands in the text."""
    if not any(mark in text for mark in "<◁["):  # nearly all answers
        return False
    low = text.lower()
    return any(tag in low for pair in TAGS for tag in pair)


def unfinished(text: str) -> bool:
    """Whether the text begins with a thought that never ends: there is no answer in it."""
    low = text.lstrip().lower()
    return any(low.startswith(start) and end not in low for start, end in TAGS)


def behind(text: str) -> str:
    """What stands behind a thought at the beginning of a text; the text itself where there is none.

    The opening tag may be missing: some chat templates write it into the prompt. An unfinished thought leaves nothing.
    """
    if not has_tags(text):
        return text
    if unfinished(text):
        return ""
    low = text.lower()
    for start, end in TAGS:
        place = low.find(end)
        if place >= 0 and (low.lstrip().startswith(start) or start not in low[:place]):
            return text[place + len(end) :].strip()
    return text
