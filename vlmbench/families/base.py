"""A benchmark as data: what all families share, so that a benchmark's own file holds only what is its own.

`Benchmark` implements vlmbench.base.task.Task (and Exports) from a table of `ProtocolRules`, a reader of the official
files and its `AnswerFiles`. A family is a subclass that says how one answer is read and scored:

    class Numbers(Benchmark[ProtocolRules]):
        def parse(self, sample, response, rules):  # hook 1: what the answer says
            return rules.reader(response.text)

        def rate(self, sample, response, rules):  # hook 2: what it is worth; called where the right answer is known
            return Score(float(self.parse(sample, response, rules) == sample.target))

        def figures_of(self, scored, rules):  # hook 3: metrics, where accuracy and `breakdowns` are not enough
            ...

A benchmark that needs more than these three hooks is a class of its own: the Task protocol stays open.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar

from vlmbench.base.errors import DataError, PredictionsError, UsageError
from vlmbench.base.samples import Generation, JudgeRequest, Request, Response, Sample, Score, Status, Verdict
from vlmbench.base.task import DataFile, DataSource, JudgeRules, Size, TaskProtocol
from vlmbench.data.answers.predictions import named
from vlmbench.data.files import Folder, Hub, QuestionFiles, folder_or_hub
from vlmbench.data.images.places import FIRST, MARK, Placement, numbered
from vlmbench.families.answer_files import PLAIN, Answer, AnswerFiles
from vlmbench.stats.figures.macro import macro
from vlmbench.stats.metrics import Metric, by_tag, mean

Scored = Sequence[tuple[Sample, Score]]
Prompt = str | Callable[[Sample], str]
"""A text with `{question}` in it, and `{hint}` or another name of `Sample.extra`; or a function."""
Talk = Generator[JudgeRequest, str, Verdict]
"""One conversation with a judge: yields what to ask, is sent each reply, returns the verdict."""
_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class ProtocolRules:
    """One protocol of a benchmark. Families with more to say about one (a metric, a flag) subclass this."""

    source: str
    """Where the rules were read: paper, or repository file@commit."""
    prompt: Prompt
    reader: Callable[..., Any]
    """Reads an answer's text; its family says what it is called with and what it returns."""
    tokens: int = 128
    """New tokens at most."""
    beams: int = 1
    stop: tuple[str, ...] = ()
    choices: tuple[str, ...] | Callable[[Sample], tuple[str, ...]] = ()
    """Answers to rank by likelihood, for a protocol that does not generate text."""
    headline: str = "accuracy"
    figures: Callable[[Scored], Sequence[Metric]] | None = None
    """This protocol's own metrics; else the benchmark's."""
    judge: JudgeRules | None = None
    talk: Callable[[Sample, str], Talk] | None = None
    """One conversation with the judge about an answer that the reader leaves open."""
    note: str = ""
    """What is peculiar about it, for tables and docs."""
    images: Placement = FIRST
    """How images are shown that the text marks (`Benchmark.image_mark`)."""

    @cached_property
    def generation(self) -> Generation:
        """How answers are generated: one object, which all requests share."""
        return Generation(max_new_tokens=self.tokens, num_beams=self.beams, stop=self.stop)


Rules = TypeVar("Rules", bound=ProtocolRules)


@dataclass(frozen=True, eq=False, kw_only=True)
class Benchmark(ABC, Generic[Rules]):
    """A benchmark: its splits, protocols, files and metrics as data. One instance serves all its protocols."""

    name: str
    title: str
    """One line: what is measured and the paper."""
    about: str = ""
    """The module's docstring (`about=__doc__`): paper, files, peculiarities. Printed on its page in docs/."""
    version: int = 1
    """Goes up whenever a score changes its meaning."""
    sizes: Mapping[str, Size]
    """By split, the default first."""
    unsized: tuple[str, ...] = ()
    """Further splits, whose size is not known."""
    rules: Mapping[str, Rules]
    """By protocol, the default first."""
    files: QuestionFiles
    answer_files: AnswerFiles = PLAIN
    breakdowns: tuple[str, ...] = ()
    """Tags by whose values accuracy is broken down."""
    strata: str = ""
    """A tag over whose values the headline is a sum or a mean: `--limit` draws equally many questions of each."""
    image_mark: str = ""
    """What the text of questions and options has where an image belongs: `<image {n}>` with its number, `<image>` for
    one after another; empty where it has no marks. Samples have numbered ones (vlmbench.data.images.places)."""
    needs_image: bool = False
    """Whether a question without an image is a fault of the data."""
    figures: Callable[[Scored, str], Sequence[Metric]] | None = None
    """Metrics of (scored samples, protocol), in place of accuracy and its breakdowns."""
    bundled_data_dir: Path | None = None
    """Of a plug-in: the folder with its data, used unless `--data` names another."""
    withheld_note: str = "the right answers of this split are not published"
    """Why a sample without a target has no score."""

    # ------------------------------------------------------------------------------------------- what a family says

    @abstractmethod
    def parse(self, sample: Sample, response: Response, rules: Rules) -> str:
        """What an answer says, as `Score.parsed_answer` keeps it."""

    @abstractmethod
    def rate(self, sample: Sample, response: Response, rules: Rules) -> Score:
        """The score of an answer to a question whose right answer is known."""

    def figures_of(self, scored: Scored, rules: Rules) -> Sequence[Metric]:
        """The metrics where neither the protocol nor the benchmark has its own."""
        return accuracies(scored, self.breakdowns, rules.headline)

    # ------------------------------------------------------------------------------------------ what follows from it

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits, the default first."""
        return (*self.sizes, *self.unsized)

    @cached_property
    def protocols(self) -> Mapping[str, TaskProtocol]:
        """The rules as tables, runs and docs show them."""
        return {
            name: TaskProtocol(name, r.source, r.headline, r.generation, r.note, r.judge)
            for name, r in self.rules.items()
        }

    def required_files(self, split: str) -> Sequence[DataFile]:
        """The official files of a split."""
        return self.files.required_files(split)

    def samples(self, data: DataSource, split: str) -> Sequence[Sample]:
        """All questions of a split, in its order. Raises DataError."""
        found = self.files.samples(folder_or_hub(data, self.name), split, self.name)
        if bare := [sample.id for sample in found if self.needs_image and not sample.images]:
            problem = f"{len(bare)} of {len(found)} questions have no image: {named(bare)}"
            raise DataError(
                problem, where=f"{self.name}:{split}", hint="name an image in every row, or get the file again"
            )
        return [numbered(sample, self.image_mark) for sample in found] if self.image_mark else found

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The question in the protocol's words, with its images where the protocol shows them.

        Raises DataError for marks and images that do not fit each other, UsageError for options that are ranked as
        texts and are images.
        """
        rules, where = self.rules[protocol], f"{self.name}, sample {sample.id!r}"
        choices = rules.choices(sample) if callable(rules.choices) else rules.choices
        if self.image_mark and any(map(MARK.search, choices)):
            problem = f"{self.name}@{protocol} ranks the texts of options, and some are images"
            raise UsageError(problem, where=where, hint="take a protocol that ranks letters, or that reads text")
        shown = rules.images.place(filled(rules.prompt, sample), sample.images, self.image_mark, where)
        return Request(sample.id, shown.prompt, shown.images, choices, rules.generation, image_places=shown.places)

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """Read and score one answer by the protocol's rules."""
        rules = self.rules[protocol]
        if sample.target is None:
            return Score(None, Status.UNLABELED, self.parse(sample, response, rules), self.withheld_note)
        return self.rate(sample, response, rules)

    def summarise(self, scored: Scored, protocol: str) -> Sequence[Metric]:
        """The protocol's metrics, the headline among them."""
        rules = self.rules[protocol]
        if rules.figures is not None:
            return rules.figures(scored)
        return self.figures(scored, protocol) if self.figures is not None else self.figures_of(scored, rules)

    @property
    def formats(self) -> Mapping[str, str]:
        """What `export` writes: name to suffix."""
        return {name: form.suffix for name, form in self.answer_files.formats.items()}

    @property
    def lossy(self) -> Mapping[str, str]:
        """By suffix, what a format writes in place of an answer that was not read."""
        return {form.suffix: form.lossy for form in self.answer_files.formats.values() if form.lossy}

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """Read an answer file: sample id to text."""
        return self.answer_files.read(path, samples, "")

    def read_protocol_predictions(self, path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
        """Read an answer file that says several things, of which the protocol decides which one counts."""
        return self.answer_files.read(path, samples, protocol)

    def export(self, answers: Mapping[str, str], samples: Sequence[Sample], protocol: str, path: Path) -> None:
        """Write the answers in the format of the path's suffix. Raises PredictionsError for missing answers."""
        if missing := [sample.id for sample in samples if sample.id not in answers]:
            problem = f"{len(missing)} of {len(samples)} questions have no answer: {named(missing)}"
            raise PredictionsError(problem, where=str(path), hint="answer every question of the split")
        rows = [self._answer(sample, answers[sample.id], protocol) for sample in samples]
        self.answer_files.format_of(path).write(path, rows)

    def _answer(self, sample: Sample, text: str, protocol: str) -> Answer:
        parsed = self.parse(sample, Response(text), self.rules[protocol])
        return Answer(sample, text, parsed, protocol, self.build_request)


@dataclass(frozen=True)
class OwnFiles:
    """`QuestionFiles` of a benchmark whose module has functions of its own to read the official files."""

    official: Callable[[str], Sequence[DataFile]]
    """The files of a split."""
    read: Callable[[Folder | Hub, str, str], Sequence[Sample]]
    """The questions of (data, split, task)."""

    def required_files(self, split: str) -> Sequence[DataFile]:
        """The official files of a split."""
        return self.official(split)

    def samples(self, data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
        """All questions of a split."""
        return self.read(data, split, task)


def filled(prompt: Prompt, sample: Sample) -> str:
    """A prompt for one sample. Words in braces that name nothing stay as they are."""
    if callable(prompt):
        return prompt(sample)
    return fill(prompt, {**sample.extra, "question": sample.question})


def fill(template: str, parts: Mapping[str, object]) -> str:
    """A template with its parts in place of their names in braces. What stands in braces in a part is left alone."""
    return _FIELD.sub(lambda found: str(parts[found[1]]) if found[1] in parts else found[0], template)


def mean_of(name: str, scored: Scored, *, breakdown: str = "", label: str = "") -> Metric:
    """The mean score of some samples."""
    values = [score.value or 0.0 for _, score in scored]
    return mean(name, values, [sample.cluster for sample, _ in scored], breakdown=breakdown, label=label)


def accuracies(scored: Scored, breakdowns: Sequence[str] = (), name: str = "accuracy") -> list[Metric]:
    """The mean score, whole and by the values of each tag, over the samples that have the tag."""
    values = [score.value or 0.0 for _, score in scored]
    clusters = [sample.cluster for sample, _ in scored]
    metrics = [mean(name, values, clusters)]
    for tag in breakdowns:
        rows = [row for row, (sample, _) in enumerate(scored) if tag in sample.tags]
        labels = [scored[row][0].tags[tag] for row in rows]
        metrics += by_tag(tag, [values[row] for row in rows], labels, [clusters[row] for row in rows])
    return metrics


def macro_of(name: str, scored: Scored, tags: Sequence[str], note: str = "") -> Metric:
    """The mean over the values of the first tag of the means over those of the next, and so on: all count the same."""
    values = [score.value or 0.0 for _, score in scored]
    paths = [tuple(sample.tags.get(tag, "") for tag in tags) for sample, _ in scored]
    return macro(name, values, paths, [sample.cluster for sample, _ in scored], note)


def bars_of_lists(name: str, scored: Scored) -> list[Metric]:
    """Mean scores by the texts in a list of `Sample.extra`: a sample counts under each of its own."""
    parts: dict[str, list[tuple[Sample, Score]]] = {}
    for sample, score in scored:
        for label in sample.extra.get(name, ()):
            parts.setdefault(label, []).append((sample, score))
    return [mean_of(f"{name}_{label}", part, breakdown=name, label=label) for label, part in parts.items()]


def metrics_by(
    tag: str,
    scored: Scored,
    metrics: Callable[[str, Scored], Sequence[Metric]],
    labels: Sequence[str] | None = None,
) -> list[Metric]:
    """Metrics of (label, samples) by the values of a tag, or by some of them: `LABEL_NAME`, a bar of `TAG (NAME)`."""
    parts: dict[str, list[tuple[Sample, Score]]] = {label: [] for label in labels or ()}
    for sample, score in scored:
        if labels is None or sample.tags.get(tag) in parts:
            parts.setdefault(sample.tags[tag], []).append((sample, score))
    return [
        replace(metric, name=f"{label}_{metric.name}", breakdown=f"{tag} ({metric.name})", label=label)
        for label, part in parts.items()
        if part
        for metric in metrics(label, part)
    ]


def bars_of(tag: str, scored: Scored, metric: Callable[[str, Scored], Metric]) -> list[Metric]:
    """A metric of (name, samples) by the values of a tag, over the samples that have it."""
    parts: dict[str, list[tuple[Sample, Score]]] = {}
    for sample, score in scored:
        if tag in sample.tags:
            parts.setdefault(sample.tags[tag], []).append((sample, score))
    return [replace(metric(f"{tag}_{label}", part), breakdown=tag, label=label) for label, part in parts.items()]
