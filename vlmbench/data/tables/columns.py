"""A row of a data file as a sample: which column holds what. The readers of files share it.

Cells are read alike from tables, JSON and parquet: a missing value, a blank cell and what pandas writes for one
("nan") are no value. A question without an answer keeps no target, so that it can be asked and not scored.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.data.rows import Row, named_columns

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
T = TypeVar("T")
NAN = "nan"
"""What pandas writes for an empty cell; as an option it may also be a word."""


def cell(row: Row, column: str) -> str:
    """A cell's text as it stands; empty where there is none. Raises DataError for a list or an object."""
    value = row.values.get(column)
    if value is None or value != value:
        return ""
    if isinstance(value, list | dict):
        raise row.error(column, f"a text or a number was expected, not {value!r:.40}")
    text = row.text(column) if isinstance(value, str) else str(value)
    return text if text.strip() else ""


def given(row: Row, column: str) -> str:
    """A cell's text; empty where there is none, and for what pandas writes for none."""
    text = cell(row, column)
    return "" if text.strip().lower() == NAN else text


def by_letter(options: Iterable[str]) -> dict[str, str]:
    """Options by letter."""
    return dict(zip(LETTERS, options, strict=False))


def options_of(sample: Sample) -> dict[str, str]:
    """A sample's options by letter."""
    return by_letter(sample.choices)


def _several(row: Row, column: str, options: Sequence[str], problem: str = "") -> tuple[str, ...]:
    if not 1 < len(options) <= len(LETTERS):
        raise row.error(column, problem or f"{len(options)} options; two or more are needed")
    return tuple(options)


LONGEST = 100_000
"""Characters of a text that may hold a list: longer ones are none of a question's options."""


def literal_texts(row: Row, column: str) -> list[str]:
    """A list of texts, or a text that holds one as Python writes it. Nothing in it is run. Raises DataError.

    A list with nothing but such a list in it is that list: MMMU-Pro has one.
    """
    if isinstance(row.values.get(column), list):
        return row.texts(column)
    text = row.text(column)
    try:
        found = ast.literal_eval(text) if len(text) <= LONGEST else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise row.error(column, f"a list of texts, as Python writes it, was expected, not {text!r:.40}")
    if len(found) == 1 and isinstance(found[0], list):
        found = found[0]
    return Row({**row.values, column: found}, row.file, row.at).texts(column)


def text_or_texts(row: Row, column: str) -> Any:
    """The right answer to an open question: a text, or several where a list is there or a text that holds one."""
    if not isinstance(row.values.get(column), list):
        text = cell(row, column)
        if not (text.startswith("[") and text.endswith("]")):
            return text or None
    return tuple(literal_texts(row, column)) or None


# ---------------------------------------------------------------------------------------------- the right option


def _letter(row: Row, column: str, options: Sequence[str]) -> str | None:
    answer = given(row, column).strip()
    if answer and answer not in by_letter(options):
        raise row.error(column, f"{answer!r:.40} is none of {', '.join(by_letter(options))}")
    return answer or None


def _bracketed(row: Row, column: str, options: Sequence[str]) -> str | None:
    answer = given(row, column).strip().upper()
    letters = {f"({letter})": letter for letter in by_letter(options)}
    if answer and answer not in letters:
        raise row.error(column, f"{answer!r:.40} is none of {', '.join(letters)}")
    return letters.get(answer)


def _index(row: Row, column: str, options: Sequence[str]) -> str | None:
    if not given(row, column).strip():
        return None
    place = row.integer(column)
    if not 0 <= place < len(options):
        raise row.error(column, f"{place} is not the place of one of {len(options)} options, from 0 on")
    return LETTERS[place]


def _text(row: Row, column: str, options: Sequence[str]) -> str | None:
    answer = cell(row, column)
    if answer and options.count(answer) != 1:
        raise row.error(column, f"{answer!r:.40} is not the text of exactly one option: {list(options)!r:.80}")
    return LETTERS[options.index(answer)] if answer else None


ANSWERS: Mapping[str, Callable[[Row, str, Sequence[str]], str | None]] = {
    "letter": _letter,
    "bracketed": _bracketed,
    "index": _index,
    "text": _text,
}
"""How the column of the right option names it, to its letter. `bracketed` is "(C)" or "(c)"."""


@dataclass(frozen=True)
class Columns:
    """Which column holds what."""

    id: str = ""
    """Empty: the rows' numbers are the ids."""
    made: Mapping[str, Callable[[Row], Any]] = field(default_factory=dict)
    """Columns that the file does not have: what each holds, made from a row of it. Made options may be None."""
    made_from: tuple[str, ...] = ()
    """The file's columns that they are made from."""
    question: str = "question"
    answer: str = "answer"
    options: str | tuple[str, ...] = ()
    """One column with a list of texts, or a column per letter, of which the last ones may be empty."""
    answer_is: str = "letter"
    """How the answer names the right option: a key of ANSWERS."""
    target: Callable[[Row, str], Any] | None = None
    """(row, answer column) to the target of a question without options; else it is the answer's text, or texts."""
    may_be_open: bool = False
    """Whether rows of a benchmark with options may have none: they are open questions."""
    as_literals: bool = False
    """Whether lists are kept as Python writes them, in a text: `['red', 'blue']`."""
    withheld: str = ""
    """What stands in the answer column where the right answer is not published."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tag to column. Rows without a value lack the tag."""
    extra: Mapping[str, str] = field(default_factory=lambda: {"hint": "hint"})
    """Name in `Sample.extra` to column, as text."""
    lists: Mapping[str, str] = field(default_factory=dict)
    """Name in `Sample.extra` to a column with a list of texts; no texts where a row has none."""
    cluster: str = ""
    """What is resampled as one; empty: the image."""
    hidden_answers: bool = False
    """Whether a file may lack the answer column: its questions can be asked, and not scored."""

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that a file must have."""
        options = (self.options,) if isinstance(self.options, str) else self.options[:2]
        answer = () if self.hidden_answers else (self.answer,)
        return self._of_file(*self.made_from, self.id, self.question, *options, *answer)

    @property
    def all(self) -> tuple[str, ...]:
        """All columns that are read where they are there."""
        options = (self.options,) if isinstance(self.options, str) else self.options
        others = (*options, self.answer, *self.tags.values(), *self.extra.values(), *self.lists.values(), self.cluster)
        return self._of_file(*self.needed, *others)

    def _of_file(self, *names: str) -> tuple[str, ...]:
        """Those of some columns that are not made, each once."""
        return tuple(dict.fromkeys(name for name in names if name and name not in self.made))

    def complete(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Rows with the columns that are made besides those of the file. Raises DataError."""
        if not self.made:
            return rows
        return [
            Row({**row.values, **{name: make(row) for name, make in self.made.items()}}, row.file, row.at)
            for row in rows
        ]

    def check(self, names: Iterable[str], where: str) -> None:
        """Raise DataError where a column is missing that every row needs."""
        there = list(names)
        if absent := [name for name in self.needed if name not in there]:
            raise DataError(f"no column {absent[0]!r}", where=where, hint=f"it has: {named_columns(absent[0], there)}")

    def key(self, row: Row, number: int) -> str:
        """The sample's id."""
        return row.key(self.id) if self.id else str(number)

    def fills_with_nan(self, rows: Collection[Row]) -> bool:
        """Whether a file marks absent options with "nan": it says so somewhere, and leaves no such cell empty.

        Where "nan" is a right answer, it is a word.
        """
        cells = [[cell(row, letter) for letter in self.options] for row in rows] if self.by_letter else []
        flat = [text for row in cells for text in row]
        if NAN not in flat or "" in flat:
            return False
        right = (by_letter(texts).get(cell(row, self.answer)) for row, texts in zip(rows, cells, strict=True))
        return NAN not in right

    @property
    def by_letter(self) -> bool:
        """Whether there is a column per option."""
        return not isinstance(self.options, str)

    def choices(self, row: Row, rotations: int = 1, *, nan_fills: bool = False) -> tuple[str, ...]:
        """The options that a row shows. Raises DataError for fewer than two, or for a gap.

        "nan" at the end is an option where the question is asked in as many `rotations`, or else where the file does
        not fill absent options with it (`nan_fills`).
        """
        if not self.options or (self.options in self.made and row.values[str(self.options)] is None):
            return ()
        if isinstance(self.options, str):
            listed = literal_texts(row, self.options) if self.as_literals else row.texts(self.options)
            return () if self.may_be_open and not listed else _several(row, self.options, listed)
        cells = [cell(row, letter) for letter in self.options]
        if self.may_be_open and not any(cells):
            return ()
        most = count = cells.index("") if "" in cells else len(cells)
        least = most
        while least and cells[least - 1] == NAN:
            least -= 1
        if least < most and rotations > 1 and least <= rotations <= most:
            count = rotations
        elif least < most and nan_fills:
            count = least
        if any(cells[most:]):
            count = 0
        return _several(
            row,
            self.options[0],
            cells[:count],
            f"2 to {len(cells)} options, from {self.options[0]} on without a gap, are needed, not {cells!r:.200}",
        )

    def sample(
        self,
        key: str,
        row: Row,
        images: tuple[ImageRef, ...],
        choices: tuple[str, ...],
        *,
        tags: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Sample:
        """The sample of a row. Raises DataError naming row and column."""
        known = {tag: text for tag, column in self.tags.items() if (text := given(row, column))}
        cluster = row.key(self.cluster) if self.cluster else " ".join(image.name for image in images)
        return Sample(
            id=key,
            question=row.text(self.question),
            images=images,
            target=self._target(row, choices),
            choices=choices,
            tags={**(tags or {}), **known},
            cluster=cluster or key,
            extra={
                **{name: given(row, column) for name, column in self.extra.items()},
                **{name: tuple(row.texts(column) if row.has(column) else ()) for name, column in self.lists.items()},
                **(extra or {}),
            },
        )

    def _target(self, row: Row, choices: Sequence[str]) -> Any:
        if self.withheld and row.values.get(self.answer) == self.withheld:
            return None
        if choices:
            return ANSWERS[self.answer_is](row, self.answer, choices)
        if self.target is not None:
            return self.target(row, self.answer)
        if isinstance(row.values.get(self.answer), list):
            return tuple(row.texts(self.answer)) or None
        return cell(row, self.answer) or None


DEFAULT = Columns()


@dataclass(frozen=True)
class Part:
    """The rows of a file that a split has: those with one of some texts in a column."""

    column: str
    values: tuple[str, ...]

    def of(self, rows: Sequence[tuple[T, Row]], where: str) -> list[tuple[T, Row]]:
        """The rows, each with what it stands with. Raises DataError where there is none."""
        found = [one for one in rows if given(one[1], self.column) in self.values]
        if rows and not found:
            raise DataError(f"no row with {self.column} {' or '.join(self.values)}", where=where, hint="get it again")
        return found
