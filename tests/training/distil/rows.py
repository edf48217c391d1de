"""Rows about drawn scenes, a toy student with the shipped tokenizer, and what a teacher says to them."""

from __future__ import annotations

from pathlib import Path

from tests.training.toy import SMALL
from vlmbench.base.samples import Conversation
from vlmbench.models.systems import tinyllava
from vlmbench.models.systems.tinyllava import NANO, TinyLLaVA
from vlmbench.scenes import captions as scene_text
from vlmbench.scenes.scene import TRAIN_SEEDS, Dice, draw, make_scene
from vlmbench.training.distil.answer_file import AnswerFile
from vlmbench.training.distil.asking import Asking
from vlmbench.training.distil.taught_model import TaughtModel
from vlmbench.training.distil.teacher import opened
from vlmbench.training.recipe.teacher import Distil


def student() -> TinyLLaVA:
    """Untrained."""
    return tinyllava.build(SMALL, preprocessor=None, tokenizer=NANO)


def rows(*, dialogues: bool = True) -> list[Conversation]:
    """Independent questions about two pictures; a dialogue about a third."""
    found = []
    for at, seed in enumerate(TRAIN_SEEDS[: 2 + dialogues]):
        scene = make_scene(seed)
        turns = tuple(scene_text.short_turns(scene, Dice(at), 3, 1, ""))
        found.append(Conversation(turns, draw(scene), independent=at < 2, id=str(at)))
    return found


def taught(settings: Distil, path: Path, asked: list[Conversation]) -> TaughtModel:
    """A student whose teacher was asked about some rows."""
    model = TaughtModel(student(), settings)
    with opened(settings, model.student.vocabulary()) as teacher:
        file = AnswerFile(path, teacher.mark, write=True)
        Asking(teacher, file, 0.0).ask(asked)
        file.close()
        model.file = AnswerFile(path, teacher.mark, write=False)
    return model
