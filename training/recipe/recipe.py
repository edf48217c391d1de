"""Recipes: what is trained, on what, in which order. A recipe is a typed value, saved in the checkpoint it makes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from vlmbench.base.errors import TrainingError, UnknownNameError

from . import limits, teacher
from .changes import changed
from .pruning import NOTHING, Pruning
from .schedule import SHAPES, WarmupCosine

PARTS = ("vision_tower", "connector", "language_model")
FEEDS = ("list", "short", "describe", "caption", "dialogue", "exam", "patches", "match", "rows")
MODALITIES = ("pictures", "things", "words")
PRECISIONS = ("float32", "bfloat16", "float16")
STORED = ("float32", "float16")
LINEAR = ("mkl", "onednn")
ATTENTION = ("sdpa", "eager")


@dataclass(frozen=True, slots=True)
class Feed:
    """One kind of row in a stage's batches."""

    kind: str
    """For drawn scenes: `list`, `short`, `describe`, `caption`, `dialogue`, `exam`, `patches`, or `match` (images to
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
    """Of `exam`: what is asked, by the names in training/scenes/questions.py; twice is twice as often."""
    protocols: tuple[str, ...] = ()
    """Of `exam`: in whose words, one drawn for each batch; a task that does not know it takes its default."""

    signs: int = 45
    """Of `patches`: how many images in a hundred have signs."""

    def __post_init__(self) -> None:
        """Raises UnknownNameError for a kind or a way of seeing that does not exist, TrainingError for odd values."""
        limits.check(self, f"feed {self.kind!r}")
        if self.kind not in FEEDS:
            raise UnknownNameError("kind of feed", self.kind, FEEDS)
        if self.see not in MODALITIES:
            raise UnknownNameError("way of seeing", self.see, MODALITIES)


@dataclass(frozen=True, slots=True)
class Pool:
    """One data set that a stage reads from files."""

    name: str
    kind: str
    """A kind of training/sources: `llava`, `cc_sbu_align`, `webdataset`, `gqa`, ...; or `scenes`, drawn here."""
    path: str = ""
    images: str = ""
    """The folder of its images."""
    ratio: float = 1.0
    """How often it is drawn, relative to the others."""
    rows: int = 0
    """Rows of a micro-batch from it; 0: the stage's per_device."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What else its reader is told."""

    def __post_init__(self) -> None:
        """Raises TrainingError for values that mean nothing."""
        limits.check(self, f"pool {self.name!r}")


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: which parts learn, from what, how fast."""

    name: str
    train: tuple[str, ...]
    """Parts that learn whole; the others are frozen. Empty where `tuning` says it in more detail."""
    feeds: tuple[Feed, ...]
    """Drawn scenes, each in every step. Empty where `pools` are read."""
    steps: int
    """0: as many as `epochs` ask for."""
    lr: float
    """Its highest value; 0 where `rates` say it."""
    warmup: float = 0.0
    """Share of the steps with linear warm-up."""
    schedule: str = "cosine"
    """`cosine`, `linear`, `constant`; `hf_cosine` and `hf_constant` rise from 0, as transformers' own."""
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
    """The folder of the file's images."""
    things: tuple[tuple[float, int, int], ...] = ((0.0, 3, 5),)
    """How many things scenes hold: from this share of the stage on, at least and at most."""
    tuning: Mapping[str, Any] = field(default_factory=dict)
    """What learns, in the words of the model's own tuning: vision_tower, first_layer, connector, language_model, lora,
    each `frozen`, `full` or a share of it."""
    awake: tuple[str, ...] = ()
    """Frozen parts whose dropout stays on, where the official code leaves it so."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """What changes in the model's config.json with this stage; weights that fit are kept."""
    anew: tuple[str, ...] = ()
    """Modules of the network that start from fresh weights in this stage, by name."""
    lrs: Mapping[str, float] = field(default_factory=dict)
    """Highest learning rates of single parts, in the place of `lr`."""
    rates: WarmupCosine | None = None
    """The MiniGPT family's learning rates, in absolute values, in the place of lr, warmup and schedule."""
    decay_tables: bool = False
    """Whether weight decay acts on embedding tables too, as on all matrices."""
    epochs: float = 0.0
    """Times that the rows are read, where `steps` is 0."""
    rows: int = 0
    """Rows of the published data, for the plan."""
    pools: tuple[Pool, ...] = ()
    """Data sets; more than one: each micro-batch comes from one, drawn by ratio."""
    batch: int = 0
    """Rows of a step, over all processes and accumulated micro-batches."""
    per_device: int = 0
    """Rows of a micro-batch. How many a process accumulates follows: batch / (per_device * processes)."""
    checkpointing: bool = False
    """Activations are computed again in the backward pass instead of kept."""
    quantize: str = ""
    """`nf4`: the language model's frozen matrices in four bits, as QLoRA holds them."""
    max_length: int = 0
    """Rows are cut here, image tokens included; 0: the model's own."""
    template: str = ""
    """The prompt template of rows from `pools`; "" is the model's own."""
    alike: bool = False
    """Rows of a batch are of one modality and of like length (LLaVA's group_by_modality_length)."""
    text_tokens: int = 0
    """Mean tokens of a row's text, assumed for the plan."""
    source: str = ""
    """Who says so: paper, or repository@commit."""
    muon: float = 0.0
    """Highest learning rate of matrices, which Muon moves (training/optim/muon.py); 0: AdamW moves everything."""
    repeat: int = 0
    """Micro-batches after which the same rows come again; 0: the data decide."""

    def __post_init__(self) -> None:
        """Raises TrainingError where the fields contradict each other."""
        refuse(self)

    @property
    def tunes(self) -> Mapping[str, Any]:
        """What learns, in the words of the model's own tuning."""
        return self.tuning or dict.fromkeys(self.train, "full")

    @property
    def learns(self) -> tuple[str, ...]:
        """The parts of which something learns."""
        return tuple(part for part in PARTS if self.tunes.get(part, "frozen") != "frozen")

    @property
    def micro_batches(self) -> int:
        """Micro-batches of a step, over all processes."""
        return self.batch // self.per_device if self.batch else self.accumulate

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

    def __post_init__(self) -> None:
        """Raises TrainingError for values that mean nothing."""
        limits.check(self, "init")


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
    """`float32`; `bfloat16`, or `float16` with a gradient scaler, for matrix products (what learns stays float32)."""
    save_every: int = 200
    """Steps between checkpoints."""
    log_every: int = 10
    threads: int = 0
    """Processor threads; 0 leaves torch's own number. Other numbers give other last digits."""
    workers: int = 1
    """Processes that prepare batches ahead; 0 prepares them in between."""
    init: Init = Init()
    build: str = "vlmbench.models.systems.tinyllava:build"
    """Makes a model from `config`."""
    restore: str = "vlmbench.models.systems.tinyllava:restore"
    """Reads a model from `start`."""
    variant: str = ""
    """The published model that the recipe trains: its config.json is what the plan counts."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Folders, by part, whose weights a fresh model's parts start with; `tinyllava` is the small model that ships. The
    tokenizer comes along with the language model."""
    data: str = ""
    """The folder that relative paths of pools start from."""
    bad_rows: float = 0.01
    """The highest share of a pool's rows that may be unreadable."""
    eval_every: int = 0
    """Steps between evaluations of the live model; 0: none."""
    eval_tasks: str = ""
    """Which: as `vlmbench run --tasks`."""
    eval_limit: int = 0
    """At most so many questions per task; 0: all."""
    track: str = ""
    """`tensorboard`, `wandb`, `mlflow` or `trackio`, where installed, besides the log."""
    store: str = "float32"
    """In what the finished model is written: `float32` or `float16`."""
    cache: str = ""
    """A folder for features of frozen vision towers; "": none are kept."""
    attention: str = "sdpa"
    """Attention of the vision tower: `sdpa`, torch's own, or `eager`, which is several times as fast under bfloat16 on
    a CPU. Other last digits."""
    linear: str = "mkl"
    """Library of Linear layers on a CPU: `mkl`, torch's own, or `onednn`. Other last digits."""
    pruning: Pruning = NOTHING
    """What is taken out of the model before the first stage."""
    tokenizer: str = ""
    """A folder with the tokenizer of a fresh model, `tinyllava` or `tinygptv`; "": learned, or that of the language
    model's `parts`."""
    distil: teacher.Distil | None = None
    """A teacher to learn from."""

    def __post_init__(self) -> None:
        """Raises TrainingError where fields mean nothing or contradict each other."""
        limits.check(self, f"recipe {self.name!r}")
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names) or not names:
            raise TrainingError("stages need names of their own", where=f"recipe {self.name!r}")
        if bool(self.config) == bool(self.start):
            hint = "--set start=FOLDER names a checkpoint to start from"
            raise TrainingError("needs either a config or a start", where=f"recipe {self.name!r}", hint=hint)
        if self.precision not in PRECISIONS:
            raise UnknownNameError("precision", self.precision, PRECISIONS)
        if self.store not in STORED:
            raise UnknownNameError("number type", self.store, STORED)
        if self.attention not in ATTENTION:
            raise UnknownNameError("attention of the vision tower", self.attention, ATTENTION)
        if self.linear not in LINEAR:
            raise UnknownNameError("library for Linear layers", self.linear, LINEAR)
        if self.linear != "mkl" and self.precision != "float32":
            message = (
                f"linear {self.linear!r} contradicts precision {self.precision!r}, where torch chooses oneDNN itself"
            )
            raise TrainingError(message, where=f"recipe {self.name!r}", hint="leave one of them out")
        if self.pruning.zeroes and any(stage.muon or stage.config for stage in self.stages):
            message = "pruning.weights contradicts muon, or a stage's config: zeros would not stay zeros"
            raise TrainingError(message, where=f"recipe {self.name!r}", hint="leave one of them out")
        teacher.check(self.distil, self.name, self.stages, self.cache)
        if bool(self.eval_every) != bool(self.eval_tasks):
            message = f"eval_every {self.eval_every} contradicts eval_tasks {self.eval_tasks!r}"
            raise TrainingError(message, where=f"recipe {self.name!r}", hint="give both or neither")

    def describe(self) -> str:
        """A few lines for `train --list`."""
        lines = [f"{self.name}: {self.about}"]
        for stage in self.stages:
            learns = ", ".join(
                part if stage.tunes[part] == "full" else f"{part} ({stage.tunes[part]})" for part in stage.learns
            )
            long = f"{stage.steps:>6} steps" if stage.steps else f"{stage.epochs:>5g} epochs"
            rate = stage.rates.peak if stage.rates else stage.lr
            lines.append(f"  {stage.name:<20} {long}, lr {rate:g}, learns: {learns}")
        return "\n".join(lines)

    def replace(self, changes: Mapping[str, str]) -> Recipe:
        """With changed values: `seed=1`, `stages.words.steps=100`. Raises UsageError for a key that is not there."""
        recipe: Recipe = changed(self, {tuple(key.split(".")): text for key, text in changes.items()})
        return recipe

    def to_json(self) -> dict[str, Any]:
        """As it is saved inside the checkpoint."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        for stage in plain["stages"]:
            _leave_out(stage, Stage)
        return _leave_out(plain, Recipe)

    def only(self, name: str, start: str = "") -> Recipe:
        """One stage alone, from the folder that the stage before left. Raises UnknownNameError or TrainingError."""
        names = [stage.name for stage in self.stages]
        if name not in names:
            raise UnknownNameError(f"stage of {self.name}", name, names)
        stages = (self.stages[names.index(name)],)
        if start:
            return dataclasses.replace(self.started_from(start), stages=stages)
        if self.config and name != names[0]:
            hint = f"--start FOLDER names what stage {names[names.index(name) - 1]!r} left"
            raise TrainingError(f"stage {name!r} resumes from another", where=f"recipe {self.name!r}", hint=hint)
        return dataclasses.replace(self, stages=stages)

    def started_from(self, start: str) -> Recipe:
        """The same from another checkpoint folder."""
        return dataclasses.replace(self, start=start, config={})


LATER: Mapping[type, str] = {Stage: "tuning", Recipe: "variant"}
"""From this field on, what has its usual value is not written down: recipes saved before it existed read the same."""


def _leave_out(plain: dict[str, Any], kind: type) -> dict[str, Any]:
    fields = dataclasses.fields(kind)
    names = [entry.name for entry in fields]
    for entry in fields[names.index(LATER[kind]) :]:
        usual = entry.default if entry.default is not dataclasses.MISSING else {}
        if dataclasses.is_dataclass(usual) and not isinstance(usual, type):
            usual = dataclasses.asdict(usual)
        if plain[entry.name] == (list(usual) if isinstance(usual, tuple) else usual):
            del plain[entry.name]
    return plain


def refuse(stage: Stage) -> None:
    """Raise TrainingError, or UnknownNameError, where a stage's fields contradict each other."""
    where = f"stage {stage.name!r}"
    limits.check(stage, where)
    limits.check_things(stage.things, where)
    named = {*stage.train, *stage.awake, *stage.lrs}
    if unknown := sorted(named - set(PARTS)):
        raise TrainingError(f"no part {unknown[0]!r}", where=where, hint=f"parts are {', '.join(PARTS)}")
    if stage.schedule not in SHAPES:
        raise UnknownNameError("schedule", stage.schedule, SHAPES)
    for wrong, message in _contradictions(stage):
        if wrong:
            raise TrainingError(message, where=where)


def _contradictions(s: Stage) -> Iterator[tuple[bool, str]]:
    """What must not be, with the names of the fields that do not go together."""
    drawn, files = s.data == "scenes", any(feed.kind == "rows" for feed in s.feeds)
    yield not s.learns or not (s.feeds or s.pools), "nothing learns, or there is nothing to learn from"
    yield bool(s.train and s.tuning), f"train {list(s.train)} contradicts tuning {dict(s.tuning)}: give one of them"
    yield bool(s.feeds and s.pools), "feeds contradict pools: scenes are drawn, or rows are read"
    yield bool(s.steps) == bool(s.epochs), f"steps {s.steps} contradicts epochs {s.epochs:g}: give one of them"
    yield bool(s.epochs) and not s.batch, f"epochs {s.epochs:g} need a batch to be counted in steps"
    yield s.rates is None and s.lr <= 0, f"lr is {s.lr:g}: it must be above 0"
    if s.rates is not None:
        yield bool(s.lr or s.warmup), f"rates contradict lr {s.lr:g} and warmup {s.warmup:g}: give one of them"
        yield s.schedule != "cosine", f"rates contradict schedule {s.schedule!r}: they are a cosine of their own"
        yield s.rates.steps != s.steps, f"rates go over {s.rates.steps} steps, which contradicts steps {s.steps}"
    yield bool(s.batch) != bool(s.per_device), f"batch {s.batch} contradicts per_device {s.per_device}: give both"
    if s.batch:
        yield s.accumulate > 1, f"accumulate {s.accumulate} contradicts batch {s.batch}: it follows from per_device"
        yield bool(s.batch % s.per_device), f"batch {s.batch} contradicts per_device {s.per_device}: no whole number"
    yield bool(s.pools) and not s.batch and not all(pool.rows for pool in s.pools), "pools need rows, or batch"
    yield s.alike and len(s.pools) > 1, f"alike contradicts {len(s.pools)} pools: batches are of one pool each"
    yield bool(s.feeds) and drawn == files, "`rows` are read from a file, the other feeds from drawn scenes"
    in_words = any(feed.see != "pictures" for feed in s.feeds)
    yield in_words and s.learns != ("language_model",), "with scenes in words only the language model can learn"
    if both := set(s.awake) & set(s.learns):
        yield True, f"awake {sorted(both)} contradicts what learns: parts that learn are awake"
    if still := set(s.lrs) - set(s.learns):
        yield True, f"lrs of {sorted(still)} contradict what learns: {', '.join(s.learns)}"
    lora = "lora" in str(s.tunes.get("language_model", "")).split("+")
    yield bool(s.quantize) and not lora, f"quantize {s.quantize!r} contradicts language_model without lora"
    yield s.quantize not in ("", "nf4"), f"no quantize {s.quantize!r}: there is nf4"
