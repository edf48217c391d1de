"""A peer's run as its files tell it: tasks, rows and the figures that it states. What all readers give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from vlmbench.base.errors import DataError

T = TypeVar("T")

STDERR = "stderr"
"""A figure that is the standard error of a metric's mean."""
COUNT = "count"
"""A figure that is how many questions a metric counts."""
PERCEPTION = (
    "existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark", "artwork", "OCR",
)  # fmt: skip
COGNITION = ("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning")
"""MME's subtasks."""


@dataclass(frozen=True, slots=True)
class PeerRow:
    """One question of a peer's file, with its answer and what the peer made of it."""

    id: str
    answer: str = ""
    """The raw answer, before any filter."""
    question: str = ""
    """The bare question; empty where the file has only the prompt."""
    prompt: str = ""
    target: Any = None
    """The right answer as the file has it; None where it is not in the file."""
    options: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    """The peer's own scores, by metric; those it did not compute are left out."""
    error: str = ""
    """Why there is no answer."""
    judge_error: str = ""
    """Why a judge that should have graded it did not."""
    parsed: str = ""
    """What the peer read the answer as."""
    unread: str = ""
    """What the peer looked for and did not find, where it scored the answer all the same."""
    note: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    cluster: str = ""
    images: tuple[str, ...] = ()
    choice_scores: tuple[tuple[str, float], ...] = ()
    """(choice, log-likelihood), where the peer ranked choices."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What the peer's metrics read besides (rules.py)."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What samples of our own benchmark need besides (our_tasks.py)."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that the peer states, and what it comes from."""

    name: str
    """As the peer writes it: `exact_match,none`."""
    stated: float | str | None
    """As the peer states it; None where its files state nothing."""
    metric: str = ""
    """The metric of ours that computes it from the rows; empty where rows do not allow that."""
    scale: float = 1.0
    """The peer's unit over that of the metric: 0.01 where it prints 0-1."""
    kind: str = ""
    """STDERR for a standard error, else the metric itself."""
    digits: int | None = None
    """Decimals to which the peer rounds."""
    note: str = ""
    of_ours: bool = False
    """Whether the metric is that of our protocol, which has the peer's own rules."""


@dataclass(frozen=True)
class PeerTask:
    """A benchmark of a peer's run, under one of its scorers or filters."""

    dataset: str
    """As the peer names it."""
    scorer: str
    """The metric that is its headline."""
    rows: Sequence[PeerRow]
    rule: str = "mean"
    """How the peer's metrics come from rows: a name of rules.RULES."""
    figures: Sequence[Figure] = ()
    notes: Sequence[str] = ()
    judge: str = ""
    """The judge that graded, as far as the files tell."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """By metric, what is not a rate of which more is better: `plain` (another unit), `less`."""
    lacks: Sequence[str] = ()
    """What the files lack: images, prompts, right answers, ..."""
    rescored: bool = True
    """Whether our own protocol is applied to these rows: for one of several scorers of the same answers."""
    files: Sequence[Path] = ()
    """Those with its rows."""
    answers: Sequence[PeerRow] = ()
    """The rows that our own protocol is applied to, where the peer scored others: groups of them."""


@dataclass(frozen=True)
class PeerRun:
    """One model's run of a peer."""

    peer: str
    version: str
    """Of the peer; empty where the files do not tell it."""
    model: str
    tasks: Sequence[PeerTask]
    files: Sequence[Path]
    """What was read."""
    facts: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    """What the files tell of the model and how it was asked."""
    notes: Sequence[str] = ()
    started: str = ""
    """When the peer ran it, as it writes times."""
    failed: str = ""
    """Why the whole run failed; empty where it did not."""
    ours: Sequence[OurAnswers] = ()
    """Answers that are scored by our protocols alone, with questions that lie beside them."""
    stated: Sequence[Figure] = ()
    """What is stated of benchmarks that have no rows."""
    broken: DataError | None = None
    """Why its files could not be read; None where they could."""
    unsure: bool = False
    """Whether its files are of a form that others write too: given up where another peer's run is beside them."""


@dataclass(frozen=True)
class OurAnswers:
    """An answer file of one of our benchmarks, and the folder with its questions."""

    task: str
    """TASK[:SPLIT][@PROTOCOL]."""
    dataset: str
    """What the peer calls it."""
    answers: Path
    data: Path
    figures: Sequence[Figure] = ()
    notes: Sequence[str] = ()


def each(peer: str, make: Callable[[T], PeerRun], things: Iterable[T], named: Callable[[T], str]) -> list[PeerRun]:
    """A run of each thing; of one that cannot be read a run that says why, so that the others are imported."""
    found = []
    for thing in things:
        try:
            found.append(make(thing))
        except DataError as error:
            found.append(broken(peer, named(thing), error))
    return found


def broken(peer: str, name: str, error: DataError) -> PeerRun:
    """A run whose files could not be read. `name`: what is known of its model, or its file."""
    return PeerRun(peer, "", name, (), (), failed=str(error), broken=error)
