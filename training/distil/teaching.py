"""The teacher of one training: checked at its start, asked before each stage that learns from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

from tqdm import tqdm

from vlmbench.base.errors import TrainingError
from vlmbench.base.samples import Conversation, ImageRef, Request
from vlmbench.base.trainable import Trainable

from ..recipe import teacher as settings_of
from ..recipe.recipe import Recipe, Stage
from .answer_file import AnswerFile, Said
from .asking import Asking, png
from .taught_model import IGNORE, TaughtModel, other_tokens
from .teacher import Teacher, opened

FILE = "teacher.answers"


class Asked(Protocol):
    """A stage's rows."""

    @property
    def moments(self) -> int:
        """Micro-batches of the stage until its rows repeat."""

    def asked(self, moment: int) -> Sequence[Conversation]:
        """The rows of a micro-batch that are questions about pictures."""


class Teaching:
    """What a recipe's teacher says."""

    def __init__(self, recipe: Recipe, output: Path, *, progress: bool) -> None:
        assert recipe.distil is not None
        self._recipe, self.settings, self._progress = recipe, recipe.distil, progress
        self.path = Path(recipe.distil.cache or output / FILE)
        self._mark: Mapping[str, Any] = {}

    def teaches(self, stage: Stage) -> bool:
        """Whether a stage learns from the teacher."""
        return stage.name in settings_of.taught(self.settings, self._recipe.stages)

    def check(self, student: Trainable, *, write: bool) -> dict[str, Any]:
        """Open the teacher and its file; returns what tells it from others, as data of the training.

        `write`: whether this process may write to the file. Raises TrainingError where the model cannot teach this
        student, StoreError where the file is another teacher's.
        """
        with opened(self.settings, student.vocabulary()) as teacher:
            if self.settings.scores:
                for template in self._templates():
                    _check_tokens(teacher, student, template)
            self._mark = teacher.mark
            file = AnswerFile(self.path, self._mark, write=write)
            if write:
                file.close()
            return {f"teacher {self.settings.teacher}": {"digest": teacher.digest}}

    def _templates(self) -> list[str]:
        """The templates of taught rows."""
        stages = [stage for stage in self._recipe.stages if self.teaches(stage)]
        feeds = (feed.template for stage in stages for feed in stage.feeds if settings_of.asks(feed))
        return [*dict.fromkeys([*feeds, *(stage.template for stage in stages if stage.pools)])]

    def taught(self, student: Trainable) -> Trainable:
        """The student with its rows as the teacher has them."""
        return cast("Trainable", TaughtModel(student, self.settings))

    def ask(self, stage: Stage, rows: Asked, student: Trainable, data: Mapping[str, Any]) -> Mapping[str, object]:
        """Ask the teacher what it was not asked yet about a stage's rows. `data`: digests of what they are read from.

        Returns counts for the log.
        """
        done = _key_of(stage, self._recipe.seed, data)
        file = AnswerFile(self.path, self._mark, write=True)
        try:
            if done in file:
                return {"asked": 0, "kept": len(file)}
            with opened(self.settings, student.vocabulary()) as teacher:
                if teacher.mark != self._mark:
                    raise TrainingError("changed while it taught", where=f"teacher {self.settings.teacher}")
                bar = tqdm(desc=f"{stage.name}: teacher", unit=" questions", disable=not self._progress)
                asking = Asking(teacher, file, self._recipe.bad_rows, bar.update)
                asking.ask(row for moment in range(rows.moments) for row in rows.asked(moment))
                bar.close()
            file.add([(done, Said())])
            return asking.facts
        finally:
            file.close()

    def open(self, taught: Trainable) -> None:
        """Let a stage's student read what was said."""
        cast("TaughtModel", taught).file = AnswerFile(self.path, self._mark, write=False)


def _check_tokens(teacher: Teacher, student: Trainable, template: str) -> None:
    """Raises TrainingError where teacher and student write one answer in different tokens."""
    from PIL import Image

    image = Image.new("RGB", (32, 32))
    row = Conversation((("Is there a star?", "yes"),), image)
    labels = student.collate([row], template)["labels"][0]
    first = int(labels[labels != IGNORE][0])
    request = Request("trial", row.turns[0][0], (ImageRef("trial", partial(png, image)),), ("yes",))
    for _, expected in teacher.score([[request]]):
        if expected.error:
            raise TrainingError(expected.error, where=f"teacher {teacher.settings.teacher}")
        if expected.tokens[0] != first:
            raise other_tokens()


def _key_of(stage: Stage, seed: int, data: Mapping[str, Any]) -> bytes:
    """Tells that everything about these rows was asked: they follow from the stage, the seed and the data."""
    told = json.dumps([asdict(stage), seed, data], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).digest()[:16]
