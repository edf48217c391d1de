"""What a student takes over from a teacher: settings of distillation, `--set distil.temperature=4`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

from vlmbench.base.errors import TrainingError, UnknownNameError

from . import limits

KINDS = ("logits", "answers", "both")
LOGITS_ONLY, ANSWERS_ONLY = ("temperature", "top_k", "weight"), ("max_new_tokens", "beams")


@dataclass(frozen=True, slots=True)
class Distil:
    """A teacher, and how a student learns from it."""

    teacher: str
    """The model, as `vlmbench run --model` takes it."""
    kind: str = "logits"
    """`logits`: the teacher's probabilities along the data's own answers (Hinton et al. 2015, arXiv 1503.02531).
    `answers`: the teacher's answers in the place of the data's (Kim and Rush 2016, arXiv 1606.07947, section 3.2).
    `both`: its probabilities along its own answers."""
    temperature: float = 2.0
    """Divides the log-probabilities of both, before they are normalised again."""
    top_k: int = 32
    """Tokens whose log-probabilities are kept; all others are one more outcome, the rest."""
    weight: float = 0.5
    """Of the teacher's loss; the data's own answers weigh the remainder to 1."""
    max_new_tokens: int = 128
    """Of an answer of the teacher's."""
    beams: int = 1
    """Of the search for its answers; 1: greedy."""
    stages: tuple[str, ...] = ()
    """Stages that learn from the teacher; empty: those in which the language model learns from pictures, or else the
    last one."""
    cache: str = ""
    """The file that the teacher's answers are kept in; "": teacher.answers in the training's folder."""

    def __post_init__(self) -> None:
        """Raises TrainingError, or UnknownNameError, for values that mean nothing or contradict each other."""
        limits.check(self, "distil")
        if self.kind not in KINDS:
            raise UnknownNameError("kind of distillation", self.kind, KINDS)
        if not self.teacher:
            raise TrainingError("teacher is empty", where="distil", hint="--teacher names a model")
        unused = {"answers": LOGITS_ONLY, "logits": ANSWERS_ONLY}.get(self.kind, ())
        for entry in fields(self):
            if entry.name in unused and getattr(self, entry.name) != entry.default:
                message = f"{entry.name} {getattr(self, entry.name):g} contradicts kind {self.kind!r}, which has none"
                raise TrainingError(message, where="distil", hint="leave one of them out")

    @property
    def asks(self) -> bool:
        """Whether the teacher answers."""
        return self.kind != "logits"

    @property
    def scores(self) -> bool:
        """Whether the teacher's log-probabilities are used."""
        return self.kind != "answers"


class FeedLike(Protocol):
    """What is asked of a feed."""

    @property
    def kind(self) -> str:
        """See Feed."""

    @property
    def see(self) -> str:
        """See Feed."""


class StageLike(Protocol):
    """What is asked of a stage."""

    @property
    def name(self) -> str:
        """See Stage."""

    @property
    def feeds(self) -> Sequence[FeedLike]:
        """See Stage."""

    @property
    def pools(self) -> Sequence[object]:
        """See Stage."""

    @property
    def learns(self) -> tuple[str, ...]:
        """See Stage."""


def asks(feed: FeedLike) -> bool:
    """Whether a feed's rows are questions about pictures, which a teacher can be asked."""
    return feed.see == "pictures" and feed.kind not in ("list", "patches", "match")


def taught(distil: Distil | None, stages: Sequence[StageLike]) -> tuple[str, ...]:
    """The names of the stages that learn from the teacher."""
    if distil is None or distil.stages:
        return distil.stages if distil else ()
    able = [stage for stage in stages if _asks(stage)]
    speaks = [stage.name for stage in able if "language_model" in stage.learns]
    return tuple(speaks or [stage.name for stage in able[-1:]])


def check(distil: Distil | None, recipe: str, stages: Sequence[StageLike], cache: str) -> None:
    """Raises TrainingError, or UnknownNameError, where a recipe's stages cannot learn from a teacher."""
    if distil is None:
        return
    by_name = {stage.name: stage for stage in stages}
    for name in distil.stages:
        if name not in by_name:
            raise UnknownNameError(f"stage of {recipe}", name, by_name)
        if not _asks(by_name[name]):
            raise TrainingError("nothing is asked about pictures there", where=f"distil.stages {name!r}")
    if cache:
        raise TrainingError("cache contradicts distil: the teacher's answers are found by the images", where="cache")
    if not taught(distil, stages):
        raise TrainingError("no stage asks about pictures", where=f"recipe {recipe!r}", hint="train another recipe")


def _asks(stage: StageLike) -> bool:
    return bool(stage.pools) or any(map(asks, stage.feeds))
