"""What a benchmark must have, what it may have besides, and the tables that describe its protocols and files."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from vlmbench.base.samples import Generation, JudgeRequest, Request, Response, Sample, Score, Verdict

if TYPE_CHECKING:
    from vlmbench.base.metric import Metric


NO_JUDGE = "no judge was named: `vlmbench score RUN --judge ...` grades these answers"
"""The note of a score that only a judge could give."""


@dataclass(frozen=True, slots=True)
class JudgeRules:
    """What a protocol's papers did with a judge."""

    model: str
    """The judge they used; ours is named on the command line."""
    template: str
    """The text around question and answer; its hash distinguishes judge prompts."""
    max_tokens: int
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class TaskProtocol:
    """How one family of papers runs a benchmark. Same data, other prompts, parser or metric: another protocol."""

    name: str
    source: str
    """Where the rules were read: paper, or repository file@commit."""
    headline: str
    """The metric its papers print."""
    generation: Generation = Generation()
    note: str = ""
    """What is peculiar about it, for the tables."""
    judge: JudgeRules | None = None
    """For tasks whose answers a judge grades."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """Something official a task needs on disk, for `data status` and `data fetch`."""

    path: str
    """Path or glob below the data folder."""
    what: str
    url: str = ""
    """Where `data fetch` takes it from; empty when it must be asked for by hand."""
    how: str = ""
    """What a person must do when there is no url."""
    licence: str = ""
    split: str = ""
    """The split that needs it; empty: all of them."""
    also: tuple[str, ...] = ()
    """Other places where the task finds it too."""
    optional: bool = False
    """Only some metrics need it."""
    checksum: str = ""
    """Of what the url gives, where it is known: `sha256:HEX`, `md5:HEX`, or `git:HEX`, a blob's name in git."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a split of the official data is."""

    questions: int
    """As many as are asked: rows of the official file."""
    images: int | None = None
    """Different ones; None: not known."""
    answers: bool = True
    """False: the right answers are not published, the benchmark's server alone can score."""
    note: str = ""


class DataSource(Protocol):
    """Where a task's questions come from: a folder of official files or the hub (data/files.py, data/hub.py).

    A task gets either of them from `data.files.folder_or_hub`.
    """

    @property
    def label(self) -> str:
        """How tables name it."""


class Task(Protocol):
    """A benchmark: its data, its questions, its rules. One instance serves all its protocols."""

    @property
    def name(self) -> str:
        """As `--tasks` takes it."""

    @property
    def title(self) -> str:
        """One line: what is measured and the paper."""

    @property
    def version(self) -> int:
        """Goes up whenever a score changes its meaning; part of every answer's key."""

    @property
    def splits(self) -> tuple[str, ...]:
        """The data versions it knows, the default first: `--tasks NAME:SPLIT`."""

    @property
    def sizes(self) -> Mapping[str, Size]:
        """By split. Those whose size is not known are left out."""

    @property
    def protocols(self) -> Mapping[str, TaskProtocol]:
        """By name, the default first."""

    def required_files(self, split: str) -> Sequence[DataFile]:
        """The official files of a split."""

    def samples(self, data: DataSource, split: str) -> Sequence[Sample]:
        """Read every question of a split. Raises DataError naming file, line and field."""

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """Build the prompt in the protocol's words."""

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """Read one answer by the protocol's rules. Called only for responses without an error."""

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """Turn the ok scores into the protocol's metrics (the headline among them)."""

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """Read an answer file in the benchmark's own formats: sample id to text.

        Raises PredictionsError for missing, extra or duplicate ids.
        """


@runtime_checkable
class Judged(Protocol):
    """What a Task has besides when a judge grades its answers: protocols with `judge`, and what to ask it.

    `Task.score` marks as judge_failed what a judge must decide; only that is asked.
    """

    def grade(self, sample: Sample, response: Response, protocol: str) -> Generator[JudgeRequest, str, Verdict]:
        """One run of the judge over one answer: yields what to ask, is sent each reply, returns the verdict.

        A reply is the judge's text as it came. Rules on retries and unreadable replies are the protocol's; failing
        calls are the judge's business and never reach it.
        """

    def read_verdicts(
        self, path: Path, samples: Sequence[Sample], protocol: str
    ) -> Mapping[str, tuple[Verdict, ...]] | None:
        """Read existing verdicts, one per run: sample id to verdicts. None when the file holds answers.

        Raises PredictionsError for missing, extra or duplicate ids.
        """


Batch = Sequence[tuple[Sample, Response]]
"""Answers that are graded in one conversation."""


@runtime_checkable
class GradesTogether(Protocol):
    """What a judged Task has besides when one conversation with the judge grades the answers to several questions."""

    def batches(self, answers: Batch, protocol: str) -> Sequence[Batch]:
        """Answers, in any order, as they are graded together. Empty: each by itself (`grade`)."""

    def grade_batch(self, batch: Batch, protocol: str) -> Generator[JudgeRequest, str, tuple[Verdict, ...]]:
        """One run of the judge over a batch: a verdict for each answer."""


@runtime_checkable
class ComparesAnswers(Protocol):
    """What a Judged has besides when its judge is also shown the model's answer to another question of the run."""

    def compared_with(self, sample: Sample, protocol: str) -> str:
        """The id of the other question; empty for none."""

    def compare(
        self, verdict: Verdict, answer: Response, other: Response, protocol: str
    ) -> Generator[JudgeRequest, str, Verdict]:
        """Goes on where `Judged.grade` has come to a verdict on the answer, which is known here as `answer`.

        Not called where the other question has no answer.
        """


@runtime_checkable
class Exports(Protocol):
    """What a Task has besides when a test server or an official script takes its answers as files."""

    @property
    def formats(self) -> Mapping[str, str]:
        """What can be written, the usual one first: name to suffix (`.json`; empty for a folder)."""

    def export(self, answers: Mapping[str, str], samples: Sequence[Sample], protocol: str, path: Path) -> None:
        """Write the answers, by sample id, to a path with one of the suffixes, in the form this protocol's papers used.

        `read_predictions` reads it back to the same scores.
        """


@runtime_checkable
class BundledData(Protocol):
    """What a Task has besides when its data come with it: they are used unless `--data` names others."""

    @property
    def bundled_data_dir(self) -> Path | None:
        """The folder; None for a benchmark whose embedded sample is among vlmbench's own."""


def bundled_data_dir(task: Task) -> Path | None:
    """The folder with the data that come with a task, if any."""
    return task.bundled_data_dir if isinstance(task, BundledData) else None


@runtime_checkable
class Stratified(Protocol):
    """What a Task has besides when its metric is a sum or a mean over categories: `--limit` draws equally from each."""

    @property
    def strata(self) -> str:
        """The tag whose values are the categories; empty for none."""


def strata_tag(task: Task) -> str:
    """The tag by which `--limit` draws, if any."""
    return str(getattr(task, "strata", ""))  # not isinstance: a wrapper passes attributes on


@runtime_checkable
class ShowsExamples(Protocol):
    """What a Task has besides when its questions can be shown with their answers (`--shots`)."""

    def example_answer(self, sample: Sample, protocol: str) -> str:
        """The right answer in the form that the protocol asks for; empty where it has no words."""


def example_answer(task: Task) -> Callable[[Sample, str], str] | None:
    """A task's `ShowsExamples.example_answer`, if it has one."""
    return getattr(task, "example_answer", None)  # not isinstance: a wrapper passes attributes on


@runtime_checkable
class Translated(Protocol):
    """What a Task has besides when splits hold the same questions in several languages, under the same ids."""

    @property
    def translations(self) -> Mapping[str, Mapping[str, str]]:
        """By split and language (ISO 639-1): the split with its questions in that language."""


def translated_split(task: Task, split: str, language: str) -> str:
    """The split with the same questions in a language; empty where there is none."""
    known: Mapping[str, Mapping[str, str]] = getattr(task, "translations", {})  # a wrapper passes attributes on
    return known.get(split, {}).get(language, "")
