"""Recipes: what is trained, on what, in which order. A recipe is a typed value, saved in the checkpoint it makes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from vlmbench.errors import TrainingError, UnknownNameError

from .schedule import SHAPES

PARTS = ("vision_tower", "connector", "language_model")
FEEDS = ("list", "short", "describe", "caption", "dialogue", "exam", "patches", "match", "rows")
SIGHTS = ("pictures", "things", "words")


@dataclass(frozen=True, slots=True)
class Feed:
    """One kind of row in a stage's batches."""

    kind: str
    """For drawn scenes: `list`, `short`, `describe`, `caption`, `dialogue`, `exam`, `patches`, or `match` (pictures to
    the words in their places); for files: `rows`.
    """
    rows: int
    """Rows in a step."""
    turns: int = 1
    """Questions in a row, where the kind has any."""
    template: str = ""
    """The prompt template; "" is the model's own."""
    weight: float = 1.0
    """How much its mean loss counts."""
    see: str = "pictures"
    """`pictures`; or the scene enters as the words that describe it, and the vision tower rests: `things`, one place
    for each thing and one for the background, or `words`, one place for each patch."""
    exams: tuple[str, ...] = ()
    """Of `exam`: what is asked, by the names in training/exams.py; twice is twice as often."""
    protocols: tuple[str, ...] = ()
    """Of `exam`: in whose words, one drawn for each batch; a task that does not know it takes its default."""

    signs: int = 45
    """Of `patches`: how many pictures in a hundred have signs."""

    def __post_init__(self) -> None:
        """Raises UnknownNameError for a kind or a way of seeing that does not exist."""
        if self.kind not in FEEDS:
            raise UnknownNameError("kind of feed", self.kind, FEEDS)
        if self.see not in SIGHTS:
            raise UnknownNameError("way of seeing", self.see, SIGHTS)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: which parts learn, from what, how fast."""

    name: str
    train: tuple[str, ...]
    """Parts that learn, `PART` whole or `PART:SHARE` as models/parts/tuning.py has them; the others are frozen."""
    feeds: tuple[Feed, ...]
    steps: int
    lr: float
    warmup: float = 0.0
    """Share of the steps with linear warm-up."""
    schedule: str = "cosine"
    weight_decay: float = 0.0
    """On matrices only; never on embeddings, norms and biases."""
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 1.0
    """Highest gradient norm; 0 leaves gradients alone."""
    accumulate: int = 1
    """Batches in a step."""
    data: str = "scenes"
    """`scenes`, drawn on the fly, or the path of a JSON file in LLaVA's conversation format."""
    images: str = ""
    """The folder of the file's pictures."""
    things: tuple[tuple[float, int, int], ...] = ((0.0, 3, 5),)
    """How many things scenes hold: from this share of the stage on, at least and at most."""

    def __post_init__(self) -> None:
        """Raises TrainingError where the fields contradict each other."""
        where = f"stage {self.name!r}"
        if unknown := sorted(set(self.shares) - set(PARTS)):
            raise TrainingError(f"no part {unknown[0]!r}", where=where, cure=f"parts are {', '.join(PARTS)}")
        if self.schedule not in SHAPES:
            raise UnknownNameError("schedule", self.schedule, SHAPES)
        if not self.train or not self.feeds:
            raise TrainingError("nothing learns, or there is nothing to learn from", where=where)
        if not 0 <= self.warmup <= 1 or self.steps < 1:
            raise TrainingError("warmup is a share of the steps, between 0 and 1", where=where)
        if self.lr <= 0 or self.accumulate < 1:
            raise TrainingError("lr must be above 0 and accumulate at least 1", where=where)
        if (self.data == "scenes") == any(feed.kind == "rows" for feed in self.feeds):
            raise TrainingError("`rows` are read from a file, the other feeds from drawn scenes", where=where)
        if any(feed.see != "pictures" for feed in self.feeds) and set(self.shares) != {"language_model"}:
            raise TrainingError("with scenes in words only the language model can learn", where=where)

    @property
    def shares(self) -> dict[str, str]:
        """Parts that learn, each with which share of it."""
        return {part: share or "full" for part, _, share in (name.partition(":") for name in self.train)}

    def at(self, step: int) -> tuple[int, int]:
        """Fewest and most things of a scene at this step."""
        return next((low, high) for share, low, high in reversed(self.things) if step >= share * self.steps)


@dataclass(frozen=True, slots=True)
class Init:
    """Standard deviations of fresh weights in the language model and connector. 0 leaves what the model starts with."""

    embeddings: float = 0.0
    linear: float = 0.0
    """Layers that write into the residual stream get this over the root of twice the number of layers."""
    alike: float = 0.0
    """Query and key weights, which then start equal: tokens attend to tokens of like content."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole training: a model and its stages."""

    name: str
    about: str
    """One line."""
    stages: tuple[Stage, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    """The model's config.json, when training starts from fresh weights."""
    start: str = ""
    """A checkpoint folder to start from; "" starts from fresh weights."""
    vocabulary: int = 0
    """Size of the tokenizer to learn from drawn scenes; 0: the tokenizer comes with `start`."""
    seed: int = 0
    precision: str = "float32"
    """`float32`, or `bfloat16` for matrix products (weights stay float32)."""
    store: str = "float32"
    """In what the finished model is written: `float32` or `float16`."""
    save_every: int = 200
    """Steps between checkpoints."""
    log_every: int = 10
    threads: int = 0
    """Processor threads; 0 leaves torch's own number. Other numbers give other last digits."""
    workers: int = 1
    """Processes that prepare batches ahead; 0 prepares them in between."""
    init: Init = Init()
    build: str = "vlmbench.models.tinyllava:build"
    """Makes a model from `config`."""
    restore: str = "vlmbench.models.tinyllava:restore"
    """Reads a model from `start`."""

    def __post_init__(self) -> None:
        """Raises TrainingError where the fields contradict each other."""
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names) or not names:
            raise TrainingError("stages need names of their own", where=f"recipe {self.name!r}")
        if bool(self.config) == bool(self.start):
            cure = "--set start=FOLDER names a checkpoint to start from"
            raise TrainingError("needs either a config or a start", where=f"recipe {self.name!r}", cure=cure)
        if self.precision not in ("float32", "bfloat16"):
            raise UnknownNameError("precision", self.precision, ("float32", "bfloat16"))
        if self.store not in ("float32", "float16"):
            raise UnknownNameError("number type", self.store, ("float32", "float16"))
        if self.save_every < 1 or self.log_every < 1:
            raise TrainingError("save_every and log_every must be at least 1", where=f"recipe {self.name!r}")

    def describe(self) -> str:
        """A few lines for `train --list`."""
        lines = [f"{self.name}: {self.about}"]
        for stage in self.stages:
            learns = ", ".join(stage.train)
            lines.append(f"  {stage.name:<12} {stage.steps:>6} steps, lr {stage.lr:g}, learns: {learns}")
        return "\n".join(lines)

    def replace(self, changes: Mapping[str, str]) -> Recipe:
        """With changed values: `seed=1`, `stages.words.steps=100`. Raises UsageError for a key that is not there."""
        changed: Recipe = self
        for key, text in changes.items():
            changed = _changed(changed, key.split("."), text, key)
        return changed

    def to_json(self) -> dict[str, Any]:
        """As it is saved inside the checkpoint."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return plain


def _changed(value: Any, path: list[str], text: str, key: str) -> Any:
    """A copy of a dataclass, mapping or tuple of named dataclasses with one leaf read from text."""
    if not path:
        return _read(value, text, key)
    first, rest = path[0], path[1:]
    if isinstance(value, tuple):
        names = [getattr(item, "name", str(at)) for at, item in enumerate(value)]
        if first not in names:
            raise UnknownNameError(f"setting {key}:", first, names)
        at = names.index(first)
        return (*value[:at], _changed(value[at], rest, text, key), *value[at + 1 :])
    if isinstance(value, Mapping):
        if first not in value:
            raise UnknownNameError(f"setting {key}:", first, value)
        return {**value, first: _changed(value[first], rest, text, key)}
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise TrainingError(f"there is nothing below {key!r}", cure="see `vlmbench train --list`")
    if first not in get_type_hints(type(value)):
        raise UnknownNameError(f"setting {key}:", first, get_type_hints(type(value)))
    return dataclasses.replace(value, **{first: _changed(getattr(value, first), rest, text, key)})


def _read(old: Any, text: str, key: str) -> Any:
    """Text as a value of the old one's type."""
    if isinstance(old, str):
        return text
    try:
        new = json.loads(text)
    except ValueError:
        new = None
    if isinstance(old, tuple) and isinstance(new, list):
        return tuple(tuple(item) if isinstance(item, list) else item for item in new)
    if isinstance(old, float) and isinstance(new, int) and not isinstance(new, bool):
        return float(new)
    if type(new) is not type(old):
        raise TrainingError(f"cannot read {text!r} as {type(old).__name__}", where=key, cure="write it as JSON")
    return new
