"""Checks, before the first plain batch, that batched questions get the answers that they get one by one.

Padding is what goes wrong: Kosmos-2 counts it among the positions as soon as there is a cache. Two questions of
different lengths, answered over a few tokens and with an answer ranked, together and one by one: eight rows through the
network.
"""

from __future__ import annotations

from dataclasses import replace

from vlmbench.base.samples import Generation, Request

from ..engine.margin_scale import QUESTIONS, LogitRecorder, test_image
from ..engine.memory import out_of_memory
from .chat_template import AN_IMAGE
from .generate import PLAIN
from .plain import Plain, Question
from .prefix_check import compared, rounding_type
from .system import HfSystem

STEPS = 3
CHOICE = "no, there is none"
SHORT, LONG = QUESTIONS[6], QUESTIONS[2]
PAIRS = (((SHORT, 0), (LONG, 1)), ((SHORT, 0), (LONG, 0)), ((SHORT, 0), (SHORT, 1)))
"""Questions and images to try, the telling ones first: which of them may go into one batch depends on the model."""


def batch_check(system: HfSystem, plain: Plain) -> str:
    """Why batches change answers or cannot be had; empty where they are as good as one by one."""
    try:
        for choices in ((), (CHOICE,)):
            pair = _pair(system, choices)
            if not pair:
                return "no two questions have image tensors of one shape"
            together, alone = LogitRecorder(), LogitRecorder()
            for question in pair:
                plain.answer([question], 1, alone.record)
            if plain.generating.way == PLAIN:
                return "its own `generate` shows no logits to compare with"
            plain.answer(pair, len(pair), together.record)
            reason, _ = compared(together, alone, rounding_type(plain.model), "batched")
            if reason:
                return reason
    except Exception as error:  # an architecture that cannot do this says so in its own way
        if out_of_memory(error):
            return "two questions at once do not fit into memory"
        return f"the trial fails ({type(error).__name__}: {(str(error).splitlines() or [''])[0]})"
    return ""


def _pair(system: HfSystem, choices: tuple[str, ...]) -> list[Question]:
    """Two questions that go into one batch, as different as the model allows; none where it allows no batch."""
    for pair in PAIRS:
        questions = []
        for at, (text, number) in enumerate(pair):
            request = Request(str(at), text, (AN_IMAGE,), choices, Generation(max_new_tokens=STEPS))
            question = system.question(request, [test_image(number)])
            question.job = replace(question.job, seed=str(at))  # the same words about two images are two jobs
            questions.append(question)
        if questions[0].kind == questions[1].kind:
            return questions
    return []
