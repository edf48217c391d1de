"""A model's thought apart from its answer: thoughts between tags at the beginning of a text, whoever wrote them there.

    <think>It is red.</think>Red          the thought, then the answer
    It is red.</think>Red                 the chat template wrote the opening tag into the prompt
    <think>It is                          cut inside the thought: there is no answer
    The tag <think>x</think> is text      tags behind other words are a part of the answer

`apart` is called in one place for every adapter (runs/execution/runner.py) and when answers are scored again or come
from a file; it changes nothing the second time. VLMEvalKit (SPLIT_THINK, vlmeval/inference.py@0044c573) also takes what
stands behind the last closing tag; it leaves `<answer>` in the text, and a thought that is cut counts as an answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from vlmbench.base.errors import UsageError
from vlmbench.base.samples import Response

Tag = tuple[str, str]
"""What opens and what closes a thought."""

TAGS: tuple[Tag, ...] = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<reason>", "</reason>"),
    ("<seed:think>", "</seed:think>"),
    ("◁think▷", "◁/think▷"),
    ("[think]", "[/think]"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|channel|>analysis", "<|channel|>final<|message|>"),
)
"""In lower case; letters of any case are read."""
FRAMES: tuple[Tag, ...] = (
    ("<answer>", "</answer>"),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ("<|begin_of_box|>", "<|end_of_box|>"),
)
"""What models that were trained to think put around the whole answer behind a thought: no part of the answer."""
MOST_FRAMES = 4
"""Frames inside one another that are taken off."""
LONGEST_GAP = 10_000
"""Characters of blanks between two tags, at most."""
_FIRST = re.compile("[<◁[]")
"""The characters with which TAGS begin."""
_BRACKETS = {"<": ">", "◁": "▷", "[": "]", "<|": "|>"}


class Split(NamedTuple):
    """A text in two parts."""

    reasoning: str
    """The thoughts without their tags, blank lines between them."""
    answer: str
    """The text itself where there is no thought."""
    finished: bool = True
    """False: the text ends inside a thought, and holds no answer."""
    start: int = 0
    """Where the answer begins in the text; 0: nothing stands before it."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """A tag in a text."""

    start: int
    end: int
    pair: int
    opens: bool


def split(text: str, named: Sequence[Tag] = (), *, cut: bool = False) -> Split:
    """Thought and answer of a text. `named`: pairs of tags beside TAGS.

    A closing tag that nothing has opened ends a thought that began with the text. Opening tags inside a thought are
    closed one by one; where some are never closed, the last closing tag ends the thought, unless the text was `cut` at
    a limit: then it ends inside.
    """
    marks = _marks(text, named)
    if not marks and not (cut and _begun(text, named)):
        return Split("", text)
    parts: list[str] = []
    at, stop, number, frames = 0, len(text), 0, 0
    while True:
        end: int | None
        if number < len(marks) and marks[number].opens and _blank(text, at, marks[number].start):
            opening, end = marks[number], _end(text, marks, number, cut=cut)
            if end is None:
                return Split(_joined([*parts, text[opening.end : stop]]), "", finished=False, start=len(text))
            parts.append(text[opening.end : marks[end].start])
            at, number = marks[end].end, end + 1
        elif (end := _stray(marks, number)) is not None:
            parts.append(text[at : marks[end].start])
            at, number = marks[end].end, end + 1
        elif at and frames < MOST_FRAMES and (inside := _unframed(text, at, stop, cut=cut)):
            (at, stop), frames = inside, frames + 1
        else:
            break
    rest = text[at:stop]
    if cut and _begun(rest, named):
        return Split(_joined(parts), "", finished=False, start=len(text))
    if not at:
        return Split("", text)
    if cut and _begun(rest, FRAMES):
        rest = ""
    return Split(_joined(parts), rest.strip(), start=at)


def _blank(text: str, start: int, end: int) -> bool:
    return end - start < LONGEST_GAP and not text[start:end].strip()


def _unframed(text: str, start: int, stop: int, *, cut: bool) -> tuple[int, int] | None:
    """Where the answer lies inside the frame around it; None where there is none."""
    while start < stop and text[start].isspace():
        start += 1
    while stop > start and text[stop - 1].isspace():
        stop -= 1
    for opening, closing in FRAMES:
        inner = start + len(opening)
        if text[start : min(inner, stop)].lower() != opening:
            continue
        end = max(stop - len(closing), inner)
        if text[end:stop].lower() == closing:
            return inner, end
        if cut and closing not in text[inner:stop].lower():
            return inner, stop
    return None


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part.strip() for part in parts if part.strip())


def _end(text: str, marks: Sequence[_Mark], number: int, *, cut: bool) -> int | None:
    """The mark that ends the thought which this one begins. A tag that is repeated at once opens nothing more."""
    opening = marks[number]
    depth, place, last = 1, opening.end, None
    for index in range(number + 1, len(marks)):
        mark = marks[index]
        if mark.pair != opening.pair:
            continue
        if not mark.opens:
            depth, last = depth - 1, index
            if not depth:
                return index
        elif last is not None or not _blank(text, place, mark.start):
            depth += 1
        else:
            place = mark.end
    return None if cut else last


def _stray(marks: Sequence[_Mark], number: int) -> int | None:
    """The last closing tag, from this mark on, that no tag between has opened."""
    depths: dict[int, int] = {}
    found = None
    for index in range(number, len(marks)):
        mark = marks[index]
        depth = depths.get(mark.pair, 0)
        if mark.opens or depth:
            depths[mark.pair] = depth + (1 if mark.opens else -1)
        else:
            found = index
    return found


def _marks(text: str, named: Sequence[Tag]) -> list[_Mark]:
    if not named and _FIRST.search(text) is None:  # nearly all answers
        return []
    tags = (*named, *TAGS)
    places = {word.lower(): (pair, word == tag[0]) for pair, tag in reversed(list(enumerate(tags))) for word in tag}
    return [_Mark(*match.span(), *places[match[0].lower()]) for match in _pattern(tags).finditer(text)]


@lru_cache(maxsize=16)
def _pattern(tags: tuple[Tag, ...]) -> re.Pattern[str]:
    """ASCII: case is ignored where that changes no length."""
    words = sorted((word for tag in tags for word in tag), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, words)), re.IGNORECASE | re.ASCII)


def begins_tag(text: str, named: Sequence[Tag] = ()) -> bool:
    """Whether a text is the beginning of a tag that opens a thought, and nothing else (blanks aside)."""
    low = text.strip().lower()
    return bool(low) and any(opening.lower().startswith(low) for opening, _ in (*named, *TAGS))


def _begun(text: str, named: Sequence[Tag]) -> bool:
    """The same of a text that was cut: a single bracket may be an answer's."""
    return len(text.strip()) > 1 and begins_tag(text, named)


def has_tags(text: str, named: Sequence[Tag] = ()) -> bool:
    """Whether a tag that opens or closes a thought stands anywhere in the text."""
    return bool(_marks(text, named))


def has_end(text: str, named: Sequence[Tag] = ()) -> bool:
    """Whether a tag that closes a thought stands anywhere in the text."""
    return any(not mark.opens for mark in _marks(text, named))


def opened_by(prompt: str, named: Sequence[Tag] = ()) -> str:
    """The tag with which a prompt ends that opens a thought, as it is written there; empty where there is none."""
    marks = _marks(prompt, named)
    last = marks[-1] if marks else None
    return prompt[last.start : last.end] if last and last.opens and not prompt[last.end :].strip() else ""


def pair(word: str) -> Tag:
    """The pair of tags that a user names: `<plan>`, or both, `<plan> </plan>`. Raises UsageError."""
    words = word.split()
    if len(words) == 1:
        inner = words[0]
        for opening, closing in sorted(_BRACKETS.items(), key=lambda item: -len(item[0])):
            if inner.startswith(opening) and inner.endswith(closing) and len(inner) > len(opening + closing):
                words.append(f"{opening}/{inner[len(opening) :]}")
                break
    if len(words) != 2 or len(set(map(str.lower, words))) != 2:
        hint = "name the tag that opens a thought, such as '<plan>', or both: '<plan> </plan>'"
        raise UsageError(f"thinking={word!r:.60}: no tag, and not auto, on or off", hint=hint)
    return words[0], words[1]


def cut_at(text: str, stops: Sequence[str], named: Sequence[Tag] = (), *, must: int = 0) -> tuple[str, bool]:
    """The text before the earliest stop text in its answer, trimmed, and whether there was one.

    Stop texts end answers: inside a thought they are only words. One that ends within the first `must` characters does
    not count.
    """
    start = 0
    while True:
        firsts = ((stop, max(start, must - len(stop) + 1)) for stop in stops if stop)
        places = [at for stop, first in firsts if (at := text.find(stop, first)) >= 0]
        if not places:
            return text, False
        if start or not (start := split(text, named, cut=True).start):
            return text[: min(places)].strip(), True


def apart(response: Response, named: Sequence[Tag] = ()) -> Response:
    """A response with the thought out of its text; itself where there is none. What ends inside a thought is cut.

    Where the adapter does not count the thought's tokens, they get their share of the characters.
    """
    if not response.text or response.choices or response.finish == "error":
        return response
    if not named and _FIRST.search(response.text) is None:  # nearly all answers
        return response
    found = split(response.text, named, cut=response.finish == "length")
    if not found.start:
        return response
    tokens = response.reasoning_tokens or round(response.new_tokens * found.start / len(response.text))
    known = response.reasoning if response.reasoning != found.reasoning else ""
    return replace(
        response,
        text=found.answer,
        finish=response.finish if found.finished else "length",
        reasoning=_joined([known, found.reasoning]),
        reasoning_tokens=min(tokens, response.new_tokens) if found.reasoning or known else 0,
    )


def cut_inside(response: Response) -> bool:
    """Whether a response ends inside its thought: there is no answer."""
    return response.finish == "length" and bool(response.reasoning) and not response.text.strip()
