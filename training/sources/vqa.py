"""Questions with short answers: VQAv2, OK-VQA, A-OKVQA, GQA, OCR-VQA.

Each is read from its own official file or the one that MiniGPT-v2 names. Form `minigptv2`: one row per question, an
answer drawn from what people gave, all cleaned. Form `llava`: all questions of an image in one dialogue, with
LLaVA-1.5's wish for the answer's form behind the first, and the answer that most people gave.

Sources: MiniGPT-4 minigpt4/datasets/datasets/{coco_vqa,aok_vqa,gqa,ocrvqa}*.py@d94738a; arXiv 2310.03744, table 7.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef
from vlmbench.data.rows import Row
from vlmbench.scenes.scene import Dice

from .captions import FORMS, filled
from .entries import BadRowError, Entry, SkippedRowError, find_image
from .files.jsonfile import JsonFile
from .listed import Frame, Reader
from .pools import LETTER, SHORT, VQA, clean


class Vqa(Reader):
    """VQAv2 and OK-VQA."""

    fields = ("annotations",)
    wish = SHORT

    def __init__(self, path: Path, images: Path, *, form: str = "minigptv2", questions: str = "") -> None:
        """`questions`: the file of the questions, where the official annotation file at `path` lacks them."""
        super().__init__(path, images)
        self.llava = self.one_dialogue_per_image = FORMS.index(form) == 1
        self._questions = _questions(Path(questions)) if questions else {}

    def entry(self, row: Row, dice: Dice, frame: Frame) -> Entry:
        """See Reader."""
        question, answers = filled(self.question(row), "question"), self.answers(row)
        if self.llava:
            turn = (question + self.wish, filled(self.best(row, answers), "answer"))
        else:
            prompt = dice.pick(VQA).format(clean(question))
            turn = (f"{prompt} ", filled(clean(dice.pick(answers)), "answer"))
        return Entry((turn,), self.image_ref(row), str(row.values.get("question_id", "")))

    def later(self, question: str) -> str:
        """See Reader: the wish is said once."""
        return question.removesuffix(self.wish)

    def question(self, row: Row) -> str:
        """The bare question."""
        if row.has("question"):
            return row.text("question")
        number = row.key("question_id")
        if number not in self._questions:
            raise BadRowError("no question", f"question {number} is not in the file of questions")
        return self._questions[number]

    def answers(self, row: Row) -> Sequence[str]:
        """What people answered, each as often as it was given: a draw from it weighs them as the official code does."""
        if row.has("answer"):
            answers = [row.text("answer")] if isinstance(row.values["answer"], str) else row.texts("answer")
        else:
            answers = [str(answer["answer"]) for answer in row.listing("answers")]
        # What the cleaner leaves nothing of cannot be learned.
        usable = [answer for answer in answers if clean(answer)]
        if not usable:
            raise BadRowError("no answer", "there is no answer that says something")
        return usable

    def best(self, row: Row, answers: Sequence[str]) -> str:
        """The answer most gave; the first of equals."""
        return row.text("multiple_choice_answer", "") or Counter(answers).most_common(1)[0][0]

    def image_ref(self, row: Row) -> ImageRef:
        """By its name, or by its COCO id."""
        if row.has("image"):
            return find_image(self.images, row.text("image").rpartition("/")[2])
        number = int(row.key("image_id"))
        return find_image(self.images, f"COCO_train2014_{number:012d}.jpg", f"{number:012d}.jpg")


def _questions(path: Path) -> dict[str, str]:
    """Official question files: question_id to the question."""
    questions: dict[str, str] = {}
    for span in JsonFile(path).spans(("questions",)):
        if not isinstance(span.value, dict):
            raise DataError("broken JSON", where=f"{path}, {span.at}", hint="download the file again")
        row = Row(span.value, str(path), span.at)
        questions[row.key("question_id")] = row.text("question")
    return questions


class Aokvqa(Vqa):
    """A-OKVQA: the direct answers; in LLaVA's form the choices, by letter, in the file's order.

    LLaVA-1.5 has each question four times, with its choices turned around; its released file is the place for those.
    """

    wish = LETTER

    def answers(self, row: Row) -> Sequence[str]:
        """See Vqa."""
        usable = [answer for answer in row.texts("direct_answers") if clean(answer)]
        if not usable:
            raise BadRowError("no answer", "there is no direct answer that says something")
        return usable

    def question(self, row: Row) -> str:
        """See Vqa."""
        question = row.text("question")
        if not self.llava:
            return question
        choices = "\n".join(f"{chr(65 + at)}. {choice}" for at, choice in enumerate(row.texts("choices")))
        return f"{question}\n{choices}"

    def best(self, row: Row, answers: Sequence[str]) -> str:
        """The letter of the right choice."""
        right = row.integer("correct_choice_idx")
        if not 0 <= right < len(row.texts("choices")):
            raise BadRowError("odd field", f"there is no choice {right}")
        return chr(65 + right)

    def later(self, question: str) -> str:
        """Each question keeps its wish: it belongs to its choices."""
        return question


class Gqa(Vqa):
    """train_balanced_questions.json, as an object by question id (official) or as a list (LAVIS)."""

    keyed = True

    def __init__(self, path: Path, images: Path, *, form: str = "minigptv2") -> None:
        super().__init__(path, images, form=form)

    def items(self, value: Any) -> Sequence[Any]:
        """See Reader."""
        if isinstance(value, tuple):
            key, fields = value
            return ({"question_id": key, **fields} if isinstance(fields, dict) else fields,)
        return (value,)

    def image_ref(self, row: Row) -> ImageRef:
        """By its name, or by its id."""
        return find_image(self.images, row.text("image") if row.has("image") else f"{row.key('imageId')}.jpg")


class OcrVqa(Vqa):
    """dataset.json: books by key, each with its questions; only those of the training split."""

    keyed = True

    def __init__(self, path: Path, images: Path, *, form: str = "minigptv2") -> None:
        super().__init__(path, images, form=form)

    def items(self, value: Any) -> Sequence[Any]:
        """See Reader."""
        if not isinstance(value, tuple) or not isinstance(value[1], dict):
            raise BadRowError("odd field", "books by key were expected")
        key, book = value
        if book.get("split") != 1:
            raise SkippedRowError("not of the training split")
        questions, answers = book.get("questions"), book.get("answers")
        if not isinstance(questions, list) or not isinstance(answers, list) or len(questions) != len(answers):
            raise BadRowError("odd field", "questions and answers are not lists of one length")
        image = key + PurePosixPath(str(book.get("imageURL", ""))).suffix
        return [
            {"question_id": f"{key}/{at}", "image": image, "question": question, "answer": answer}
            for at, (question, answer) in enumerate(zip(questions, answers, strict=True))
        ]
