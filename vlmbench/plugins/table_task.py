"""A task from a table of images, questions and answers: CSV, TSV, JSON lines or a JSON array.

`TableTask(name, file)` is a whole task; a subclass changes what it overrides. Texts are taken as the file has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Generation, Request, Response, Sample, Score, Status
from vlmbench.base.task import DataFile, Size, TaskProtocol
from vlmbench.data.files import Folder, Hub, read_rows, read_table, unique
from vlmbench.data.image_column import check_image_column, named_images
from vlmbench.data.predictions import join, read_plain, refuse_doubled_keys, write_rows
from vlmbench.data.rows import Row
from vlmbench.parsing.text_match import same_words
from vlmbench.stats.metrics import Metric, by_tag, mean

TABLES = (".csv", ".tsv")
Correct = Callable[[str, str], "float | bool | None"]
"""(what the model said, an accepted answer) to right or wrong, a share of 1, or None: cannot be read."""


class TableTask:
    """Questions of a table, one protocol: `official`."""

    formats: Mapping[str, str] = {"jsonl": ".jsonl"}

    def __init__(
        self,
        name: str,
        file: str | Path,
        *,
        prompt: str = "{question}",
        correct: Correct = same_words,
        columns: tuple[str | None, str, str] = ("image", "question", "answer"),
        breakdowns: Sequence[str] = (),
        title: str = "",
        version: int = 1,
        max_new_tokens: int = 32,
    ) -> None:
        """A task.

        `file` is the table; pictures are named by their place below its folder, several as a list (JSON alone), none
        as an empty cell. `prompt` is what is asked, with {question} in it. A list of answers (JSON alone) accepts any
        of them. `columns` names the columns of image, question and answer; None for the image says that the table has
        no pictures. An `id` column, where there is one, names the questions; else their row numbers do. `breakdowns`
        are columns by whose values the score is told too. `version` goes up when a score changes its meaning.
        """
        self.name, self.title, self.version = name, title or f"{name}: questions of {Path(file).name}", version
        self.file = Path(file).expanduser().resolve()
        self.bundled_data_dir = self.file.parent
        self.prompt, self.correct, self.columns, self.breakdowns = prompt, correct, columns, tuple(breakdowns)
        self.splits: tuple[str, ...] = ("all",)
        self.sizes: Mapping[str, Size] = {}
        generation = Generation(max_new_tokens=max_new_tokens)
        self.protocols: Mapping[str, TaskProtocol] = {
            "official": TaskProtocol("official", self.file.name, "accuracy", generation)
        }

    @property
    def needs_pictures(self) -> bool:
        """Whether there is an image column: then it is told where it is empty in all rows."""
        return self.columns[0] is not None

    def required_files(self, split: str) -> Sequence[DataFile]:
        """The table, wherever `--data` points."""
        return [DataFile(self.file.name, "questions", how="it is the author's own")]

    def samples(self, data: Folder | Hub, split: str) -> Sequence[Sample]:
        """All rows. Raises DataError naming file, line and field."""
        if isinstance(data, Hub):
            raise DataError(f"{self.name} is not on the hub", hint=f"leave --data out: {self.file}; or name a folder")
        data = data.within(self.name)
        path = data.need(f"the table of {self.name}", self.file.name)
        rows = read_table(path) if path.suffix in TABLES else read_rows(path)
        if path.suffix not in TABLES:
            refuse_doubled_keys(path, rows)
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
        tags = {name: _texts(row, name)[0] for name in self.breakdowns}
        cluster = " ".join(ref.name for ref in images) or key
        return Sample(key, row.text(question), images, targets, tags=tags, cluster=cluster)

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The question in the prompt's words."""
        prompt = self.prompt.replace("{question}", sample.question)
        return Request(sample.id, prompt, sample.images, generation=self.protocols[protocol].generation)

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """The best that any accepted answer gives."""
        found = [value for answer in sample.target if (value := self.correct(response.text, answer)) is not None]
        if not found:
            return Score(None, Status.UNPARSED, note="no answer could be read")
        return Score(max(map(float, found)), parsed_answer=response.text)

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """Accuracy, whole and by each column of `breakdowns`."""
        values = [score.value or 0.0 for _, score in scored]
        clusters = [sample.cluster for sample, _ in scored]
        made = [mean("accuracy", values, clusters)]
        for name in self.breakdowns:
            made += by_tag(name, values, [sample.tags[name] for sample, _ in scored], clusters)
        return made

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """Rows of id and text."""
        return join(read_plain(path, ("id",), samples), samples, path)

    def export(self, answers: Mapping[str, str], samples: Sequence[Sample], protocol: str, path: Path) -> None:
        """Rows of id, question and text."""
        write_rows(path, ({"id": s.id, "question": s.question, "text": answers[s.id]} for s in samples))


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
