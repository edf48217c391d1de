"""Dialogues in LLaVA's conversation format: LLaVA-1.5's and ShareGPT4V's files, and MiniGPT-v2's parts of them.

Sources: TinyLLaVA_Factory tinyllava/data/{dataset,template/base}.py@53f12c7; MiniGPT-4
minigpt4/datasets/datasets/{llava_dataset,multitask_conversation}.py@d94738a.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vlmbench.base.samples import ImageRef
from vlmbench.data.rows import Row
from vlmbench.scenes.scene import Dice

from .entries import BadRowError, Entry, find_image
from .listed import Frame, Reader
from .pools import clean

TAG = "<image>"
ROLES = ("human", "gpt")


def turns(row: Row) -> Iterator[tuple[str, str]]:
    """Question and answer by turns. What another than the human says first is passed over, as the official code does.

    Raises BadRowError for odd roles, an open question and an empty answer.
    """
    says = row.listing("conversations")
    if says and isinstance(says[0], dict) and says[0].get("from") != ROLES[0]:
        says = says[1:]
    if not says:
        raise BadRowError("no turns", "`conversations` holds no question")
    if len(says) % 2:
        raise BadRowError("open question", "the last question has no answer")
    for at in range(0, len(says), 2):
        question, answer = (_said(message, role, at) for message, role in zip(says[at : at + 2], ROLES, strict=True))
        if not answer.strip():
            raise BadRowError("empty turn", f"answer {at // 2 + 1} is empty")
        yield question, answer


def _said(message: Any, role: str, at: int) -> str:
    if not isinstance(message, dict) or not isinstance(message.get("value"), str):
        raise BadRowError("odd field", f"a message with a text was expected, not {message!r:.60}")
    if message.get("from") != role:
        raise BadRowError("odd role", f"turn {at // 2 + 1} is by {message.get('from')!r}, not by {role!r}")
    return str(message["value"])


def name(row: Row) -> str:
    """The row's id: a text or a number; "" where it has none."""
    return str(row.values.get("id", ""))


class Llava(Reader):
    """Rows with or without an image, of one turn or many, `<image>` anywhere in one of the questions.

    The texts stay as they are: the template takes the tag out and puts it where it belongs.
    """

    def entry(self, row: Row, dice: Dice, frame: Frame) -> Entry:
        """See Reader."""
        image = find_image(self.images, row.text("image")) if row.has("image") else None
        dialogue = tuple(turns(row))
        tagged = [at for at, (question, _) in enumerate(dialogue) if TAG in question]
        if tagged and image is None:
            raise BadRowError("tag without an image", f"question {tagged[0] + 1} has {TAG}, the row no image")
        if len(tagged) > 1:
            raise BadRowError("several tags", f"{len(tagged)} questions have {TAG}, the row has one image")
        for at, (question, _) in enumerate(dialogue):
            if not question.strip():
                raise BadRowError("empty turn", f"question {at + 1} is empty")
        return Entry(dialogue, image, name(row))

    def words(self, row: Row, entry: Entry) -> int:
        """As Factory counts them: all that is said, the tag too."""
        return sum(len(message["value"].split()) for message in row.listing("conversations"))


def coco(images: Path, number: object) -> ImageRef:
    """The COCO image of an id, as the 2014 or the 2017 folder names it."""
    return find_image(images, f"COCO_train2014_{number}.jpg", f"{number}.jpg")


class Answer(Reader):
    """LLaVA's detail_23k and complex_reasoning_77k as MiniGPT-v2 reads them: one question, cleaned, and its answer."""

    def entry(self, row: Row, dice: Dice, frame: Frame) -> Entry:
        """See Reader."""
        question, answer = next(turns(row))
        question = clean(_bare(question))
        return Entry(((f"{question} ", answer),), coco(self.images, row.key("id")), name(row))


class Dialogue(Reader):
    """LLaVA's conversation_58k and MiniGPT-v2's multi-task conversations: every turn, as it stands."""

    def entry(self, row: Row, dice: Dice, frame: Frame) -> Entry:
        """See Reader."""
        (question, answer), *later = turns(row)
        first = (f"{_bare(question)} ", answer)
        return Entry(
            (first, *((f"{question} ", answer) for question, answer in later)),
            coco(self.images, row.key("id")),
            name(row),
        )


def _bare(question: str) -> str:
    return question.replace(TAG, "").replace("\n", "").strip()
