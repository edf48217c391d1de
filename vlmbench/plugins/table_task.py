"""A task from questions and answers: a table of your own, or any files that vlmbench.data.tables reads.

`TableTask(name, file)` is a complete task; a subclass changes what it overrides. Texts are taken as the file has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from vlmbench.base.errors import DataError
from vlmbench.base.metric import Metric
from vlmbench.base.samples import Generation, Request, Response, Sample, Score, Status
from vlmbench.base.task import DataFile, DataSource, Size, TaskProtocol
from vlmbench.data.answers.predictions import join, read_plain, refuse_duplicate_keys, write_rows
from vlmbench.data.files import Folder, Hub, QuestionFiles, folder_or_hub, read_rows, read_table, unique
from vlmbench.data.images.places import FIRST, Placement, numbered
from vlmbench.data.rows import Row
from vlmbench.data.tables.columns import options_of
from vlmbench.data.tables.image_column import check_image_column, named_images
from vlmbench.data.tables.row_files import TABLES
from vlmbench.parsing.text_match import same_words
from vlmbench.stats.metrics import by_tag, mean

Correct = Callable[[str, str], "float | bool | None"]
"""(what the model said, an accepted answer) to right or wrong, a share of 1, or None: cannot be parsed."""
_FIELD = re.compile(r"\{(question|options)\}")


@dataclass(frozen=True)
class TableProtocol:
    """One way to ask the questions of a TableTask and to score the answers."""

    prompt: str = "{question}"
    """With {question} in it, and {options} where questions have some: `A. red`, one per line."""
    correct: Correct = same_words
    max_new_tokens: int = 32
    source: str = ""
    """Where the rules were read: paper, or repository file@commit."""
    note: str = ""
    images: Placement = FIRST
    """How images are shown that the text marks: FIRST, AT_MARKS, ... of vlmbench.data.images.places."""


class SplitFiles(QuestionFiles, Protocol):
    """Files that know their splits: the readers of vlmbench.data.tables."""

    @property
    def splits(self) -> Sequence[str] | Mapping[str, str]:
        """The splits, the default first."""


class TableTask:
    """Questions with answers in words, or with options of which a letter names the right one."""

    formats: Mapping[str, str] = {"jsonl": ".jsonl"}

    def __init__(
        self,
        name: str,
        file: str | Path | SplitFiles,
        *,
        prompt: str = "{question}",
        correct: Correct = same_words,
        columns: tuple[str | None, str, str] = ("image", "question", "answer"),
        breakdowns: Sequence[str] = (),
        title: str = "",
        version: int = 1,
        max_new_tokens: int = 32,
        protocols: Mapping[str, TableProtocol] | None = None,
        sizes: Mapping[str, Size] | None = None,
        bundled_data_dir: Path | None = None,
        image_mark: str = "",
        strata: str = "",
    ) -> None:
        """A task.

        `file` is a table, with images named by their place below its folder, several as a list (JSON alone), none as
        an empty cell; or a reader: ImageTable (images inside, options), HubDataset, RowFiles. `prompt` is what the
        model is asked, with {question} in it. A list of answers (JSON alone) accepts any of them. `columns` names a
        table's columns of image, question and answer; None for the image says that it has no images. An `id` column,
        if there is one, names the questions; else their row numbers do. `breakdowns` are columns (of a reader: tags)
        by whose values the score is broken down. `protocols` are several ways to ask and to score, the default first,
        in place of `prompt`, `correct` and `max_new_tokens`. `sizes` gives the official number of questions by split,
        `bundled_data_dir` where a reader's files are unless `--data` names another folder (a table's own folder is
        known). `image_mark` is what questions and options have where an image belongs: `<image {n}>`, or `<image>` for
        one after another. `strata` is a column (tag): `--limit` draws equally many rows of each of its values.
        `version` goes up when a score changes its meaning.
        """
        tags = list(dict.fromkeys(filter(None, (*breakdowns, strata))))
        own = AnswerTable(Path(file), columns, tags) if isinstance(file, str | Path) else None
        self.files: SplitFiles = file if own is None else own  # type: ignore[assignment]  # no path where it is None
        self.bundled_data_dir = bundled_data_dir if own is None else own.file.parent
        self.image_mark, self.strata = image_mark, strata
        self.needs_images = own is not None and columns[0] is not None
        source = type(file).__name__ if own is None else own.file.name
        self.name, self.title, self.version = name, title or f"{name}: questions of {source}", version
        self.breakdowns, self.splits, self.sizes = tuple(breakdowns), tuple(self.files.splits), sizes or {}
        self.rules = protocols or {"official": TableProtocol(prompt, correct, max_new_tokens)}
        self.protocols: Mapping[str, TaskProtocol] = {
            key: TaskProtocol(key, r.source or source, "accuracy", Generation(max_new_tokens=r.max_new_tokens), r.note)
            for key, r in self.rules.items()
        }

    def required_files(self, split: str) -> Sequence[DataFile]:
        """The table, wherever `--data` points."""
        return self.files.required_files(split)

    def samples(self, data: DataSource, split: str) -> Sequence[Sample]:
        """All rows. Raises DataError naming file, line and field."""
        found = self.files.samples(folder_or_hub(data, self.name), split, self.name)
        return [numbered(sample, self.image_mark) for sample in found] if self.image_mark else found

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The question in the prompt's words."""
        options = "\n".join(f"{letter}. {text}" for letter, text in options_of(sample).items())
        fields = {"question": sample.question, "options": options}
        prompt = _FIELD.sub(lambda match: fields[match[1]], self.rules[protocol].prompt)
        where, generation = f"{self.name}, sample {sample.id!r}", self.protocols[protocol].generation
        shown = self.rules[protocol].images.place(prompt, sample.images, self.image_mark, where)
        return Request(sample.id, shown.prompt, shown.images, generation=generation, image_places=shown.places)

    def example_answer(self, sample: Sample, protocol: str) -> str:
        """The first of the accepted answers."""
        return sample.target if isinstance(sample.target, str) else str(sample.target[0])

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """The best score that any accepted answer gives."""
        if sample.target is None:
            return Score(None, Status.UNLABELED, response.text, "the right answer is not in the data")
        answers = [sample.target] if isinstance(sample.target, str) else sample.target
        correct = self.rules[protocol].correct
        values = [value for answer in answers if (value := correct(response.text, answer)) is not None]
        if not values:
            return Score(None, Status.UNPARSED, note="no answer could be read")
        return Score(max(map(float, values)), parsed_answer=response.text)

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """Accuracy, whole and by each of `breakdowns`."""
        values = [score.value or 0.0 for _, score in scored]
        clusters = [sample.cluster for sample, _ in scored]
        metrics = [mean("accuracy", values, clusters)]
        for name in self.breakdowns:
            metrics += by_tag(name, values, [sample.tags.get(name, "") for sample, _ in scored], clusters)
        return metrics

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """Rows of id and text."""
        return join(read_plain(path, ("id",), samples), samples, path)

    def export(self, answers: Mapping[str, str], samples: Sequence[Sample], protocol: str, path: Path) -> None:
        """Rows of id, question and text."""
        write_rows(path, ({"id": s.id, "question": s.question, "text": answers[s.id]} for s in samples))


class AnswerTable:
    """A table of images, questions and answers: CSV, TSV, JSON lines or a JSON array."""

    splits: Sequence[str] = ("all",)

    def __init__(self, file: Path, columns: tuple[str | None, str, str], tags: Sequence[str]) -> None:
        """`columns`: of image (None: no images), question, answer; `tags`: columns to break scores down by."""
        self.file, self.columns, self.tags = file.expanduser().resolve(), columns, tuple(tags)

    def required_files(self, split: str) -> Sequence[DataFile]:
        """The table, wherever `--data` points."""
        return [DataFile(self.file.name, "questions", how="it is the author's own")]

    def samples(self, data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
        """All rows. Raises DataError naming file, line and field."""
        if isinstance(data, Hub):
            raise DataError(f"{task} is not on the hub", hint=f"leave --data out: {self.file}; or name a folder")
        path = data.need(f"the table of {task}", self.file.name)
        rows = read_table(path) if path.suffix in TABLES else read_rows(path)
        if path.suffix not in TABLES:
            refuse_duplicate_keys(path, rows)
        if (image := self.columns[0]) is not None:
            without = (None, *self.columns[1:])
            hint = "name the column, TableTask(..., columns=('NAME', ...)), "
            check_image_column(rows, image, path, f"{hint}or say that there are no images: columns={without!r}")
        known = unique(((self._id(row, number), row) for number, row in enumerate(rows, 1)), "id")
        return [self._sample(key, row, data) for key, row in known.items()]

    def _id(self, row: Row, number: int) -> str:
        return row.key("id") if row.has("id") else str(number)

    def _sample(self, key: str, row: Row, data: Folder) -> Sample:
        image, question, answer = self.columns
        targets = _texts(row, answer)
        if not all(targets):
            raise row.error(answer, "the answer is empty", "every question needs one")
        images = named_images(data, row, image) if image is not None else ()
        tags = {name: _texts(row, name)[0] for name in self.tags}
        cluster = " ".join(ref.name for ref in images) or key
        return Sample(key, row.text(question), images, targets, tags=tags, cluster=cluster)


def _texts(row: Row, field: str) -> list[str]:
    """A cell's text, or the texts of a list; numbers as text, 5.0 as `5` and `5.0`.

    Raises DataError for anything else, and for none.
    """
    value: Any = row.values.get(field)
    if isinstance(value, int | float) and not isinstance(value, bool):
        whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
        return [str(int(value)), str(value)] if whole else [str(value)]
    if not isinstance(value, list):
        return [row.text(field)]
    if not value:
        raise row.error(field, "the list is empty")
    return row.texts(field)
