"""A peer's benchmark as a task, so that what was imported is compared, gated and reported like any other run.

Such a task is made of its name: `lmms-eval.pope`; its protocol is the peer's metric that is its headline:
`lm-eval.drawn_pope@exact_match.strict-match`. Questions, answers and scores are in the run's records alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Request, Response, Sample, Score
from vlmbench.base.task import DataFile, DataSource, Size, TaskProtocol
from vlmbench.runs.imports import rules
from vlmbench.stats.metrics import Metric

DEFAULT = "score"
"""The protocol of a task that is named without one."""
SPLIT = "all"
_UNSAFE = re.compile(r"[^\w.\-]+")


def plain(name: str) -> str:
    """A peer's name as a part of a task's: letters, digits, `_`, `-` and `.`; other characters become `.`."""
    return _UNSAFE.sub(".", name).strip(".") or "unnamed"


class _Protocols(Mapping[str, TaskProtocol]):
    """A protocol by the name of any metric."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def __getitem__(self, name: str) -> TaskProtocol:
        if not name or plain(name) != name:
            raise KeyError(name)
        return TaskProtocol(name, f"as {self._peer} scored it", name)

    def __iter__(self) -> Iterator[str]:
        return iter((DEFAULT,))

    def __len__(self) -> int:
        return 1

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(name) and plain(name) == name


class ImportedTask:
    """A vlmbench.base.task.Task whose scores another harness gave."""

    version = 1
    splits = (SPLIT,)
    sizes: Mapping[str, Size] = {}

    def __init__(self, name: str) -> None:
        """`name`: PEER.DATASET."""
        self.name = name
        self.peer, _, self.dataset = name.partition(".")
        self.title = f"{self.dataset}, as {self.peer} scored it"
        self.protocols: Mapping[str, TaskProtocol] = _Protocols(self.peer)

    def required_files(self, split: str) -> Sequence[DataFile]:
        """None."""
        return []

    def samples(self, data: DataSource, split: str) -> Sequence[Sample]:
        """Raises DataError: the questions are in the imported run alone."""
        raise _no_data(self.name)

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The prompt that the peer's files have; else the question."""
        return Request(sample.id, str(sample.extra.get("prompt") or sample.question), sample.images, sample.choices)

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """Raises DataError: the peer's scores are read, not computed."""
        raise _no_data(self.name)

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """The peer's own metrics."""
        return rules.metrics(scored, protocol)

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """Raises DataError."""
        raise _no_data(self.name)

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """A wrong and a right answer, where scores are between 0 and 1."""
        target = str(sample.target)
        other = {"yes": "no", "no": "yes"}.get(target.lower(), "")
        return Score(0.0, parsed_answer=other), Score(1.0, parsed_answer=target)


def _no_data(name: str) -> DataError:
    hint = (
        "`vlmbench compare`, `check` and `report` read the run; `vlmbench import` scores its answers by our protocols"
    )
    return DataError(f"{name} is the benchmark of another harness: it can be imported, not run or scored", hint=hint)
