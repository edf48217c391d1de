"""What a reader of an oracle folder is given, and the reader most benchmarks need.

`Columns` goes the way of a run (official files, samples, answers, score, summarise) and compares each case with the
column of its protocol: a new benchmark is one entry with a writer of its files. `Check` is for anything else.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import pytest

from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample, Score
from vlmbench.data.files import Folder

Case = Mapping[str, Any]
Scored = list[tuple[Sample, Score]]
CHECKED, ABSENT = "golden cases", "golden values absent"
"""What is reported of a folder: a number of cases, and the name of something that has no official value."""
EXACT = 1e-9
"""How far figures of floating-point sums may be apart."""


@dataclass
class Oracle:
    """One oracle folder."""

    folder: Path
    scratch: Path
    """An empty folder for the benchmark's own files."""
    report: Callable[[str, object], None] = lambda kind, value: None
    """Takes (CHECKED, number of cases) and (ABSENT, what has no official value)."""
    counting: bool = True
    """False where another variant of the same reader counts these cases."""

    def part(self, name: str) -> Any:
        """The content of a JSON file of the folder."""
        return json.loads((self.folder / f"{name}.json").read_text("utf-8"))

    @cached_property
    def cases(self) -> Any:
        """cases.json."""
        return self.part("cases")

    @cached_property
    def expected(self) -> Any:
        """expected.json."""
        return self.part("expected")

    def count(self, cases: int) -> None:
        """Say how many cases were compared."""
        if self.counting:
            self.report(CHECKED, cases)

    def has(self, value: object, what: str) -> bool:
        """Whether the official code has a value here. One that is null is reported, and left out by the caller."""
        if value is None:
            self.report(ABSENT, what)
        return value is not None

    def figures(
        self, ours: Mapping[str, float], theirs: Mapping[str, Any] | None, what: str, within: float = EXACT
    ) -> None:
        """Compare every figure of theirs, under our names; ours may have more. A null figure has no official value."""
        if not self.has(theirs, what) or theirs is None:
            return
        right = {name: float(value) for name, value in theirs.items() if self.has(value, what)}
        assert {name: ours[name] for name in right} == pytest.approx(right, abs=within), what


class Reader(Protocol):
    """Compares one oracle folder with ours."""

    @property
    def name(self) -> str:
        """What is compared; "" for a folder's cases."""

    @property
    def variants(self) -> Sequence[str]:
        """Protocols, or other ways to read the same cases; each is a test, and the first counts the cases."""

    def __call__(self, oracle: Oracle, variant: str) -> None:
        """Raise AssertionError where ours differs."""


Readers = Sequence[Reader]


@dataclass(frozen=True)
class Check:
    """A reader that is a function of its own."""

    read: Callable[[Oracle, str], None]
    variants: Sequence[str] = ("",)

    @property
    def name(self) -> str:
        """The function's name."""
        return self.read.__name__

    def __call__(self, oracle: Oracle, variant: str) -> None:
        """See Reader."""
        self.read(oracle, variant)


@dataclass(frozen=True)
class Files:
    """A benchmark's cases as its own files."""

    data: Path
    answers: Path | Mapping[str, str] | Sequence[str]
    """An answer file, or texts by sample id, or texts in the order of the samples."""
    split: str = ""
    """"" for the task's first split."""


@dataclass(frozen=True)
class Outcome:
    """What a run made of the cases."""

    scored: Scored
    values: Mapping[str, float]
    texts: Mapping[str, str]


def equal(score: Score, case: Case, row: Case, column: str) -> bool:
    """Whether a score is the official value, to the last bit."""
    return score.value == float(row[column])


Totals = Callable[[Oracle, Outcome, str, str], None]
"""Compares the figures of an outcome under a protocol with those of a column."""


def no_totals(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
    """For a set without totals."""


def accuracy(
    figure: Callable[[Any], Any] = lambda total: total, within: Callable[[str], float] = lambda _: EXACT
) -> Totals:
    """For a set whose `totals` have one number per column: our accuracy, once `figure` has made it a percentage."""

    def compare(oracle: Oracle, outcome: Outcome, protocol: str, column: str) -> None:
        total = figure(oracle.expected["totals"][column])
        oracle.figures(outcome.values, {"accuracy": total}, f"totals of {protocol}", within(column))

    return compare


@dataclass(frozen=True)
class Columns:
    """The reader of an oracle folder with one column of expected values per protocol.

    In the table of a family: "mmstar": (Columns("mmstar", mmstar_files, {"official": "official"}, key="index"),)
    """

    task: str
    write: Callable[[Oracle], Files]
    columns: Mapping[str, str]
    """By protocol: its column in the rows of `per_case` and, mostly, in the totals."""
    agrees: Callable[[Score, Case, Case, str], bool] = equal
    """Whether a score agrees with a case's row of `per_case` in the column."""
    totals: Totals = no_totals
    cases: str = "cases"
    """Where in cases.json the cases are; of no matter where it is a list."""
    key: str = ""
    """The field that joins cases and rows of `per_case`; "" where both have one order."""
    of_sample: Callable[[Sample], Hashable] | None = None
    of_case: Callable[[Case], Hashable] | None = None
    """Join samples and cases; None where both have one order."""
    null_is_a_value: bool = False
    """Whether null in a row says that the official code read nothing, rather than that it has no value."""
    name: str = ""

    @property
    def variants(self) -> Sequence[str]:
        """The protocols."""
        return tuple(self.columns)

    def __call__(self, oracle: Oracle, variant: str) -> None:
        """See Reader."""
        cases: Sequence[Case] = oracle.cases if isinstance(oracle.cases, list) else oracle.cases[self.cases]
        outcome = run(self.task, variant, self.write(oracle))
        column, differ, compared = self.columns[variant], [], 0
        rows = self.rows(oracle, cases)
        for (_, score), case, row in zip(self.ordered(outcome.scored, cases), cases, rows, strict=True):
            if self.null_is_a_value or oracle.has(row[column], f"cases under {variant}"):
                compared += 1
                if not self.agrees(score, case, row, column):
                    differ.append((case, score, row[column]))
        assert not differ, f"{variant}: {len(differ)} of {compared} differ, e.g. {differ[:2]}"
        self.totals(oracle, outcome, variant, column)
        oracle.count(len(cases))

    def rows(self, oracle: Oracle, cases: Sequence[Case]) -> Sequence[Case]:
        """The rows of `per_case`, in the order of the cases."""
        rows: Sequence[Case] = oracle.expected["per_case"]
        if not self.key:
            return rows
        by_key = {row[self.key]: row for row in rows}
        return [by_key[case[self.key]] for case in cases]

    def ordered(self, scored: Scored, cases: Sequence[Case]) -> Scored:
        """Scored samples in the order of the cases."""
        if self.of_sample is None or self.of_case is None:
            return scored
        by_key = {self.of_sample(sample): (sample, score) for sample, score in scored}
        return [by_key[self.of_case(case)] for case in cases]


def run(task: str, protocol: str, files: Files) -> Outcome:
    """Read a benchmark's files, and score the answers under a protocol; "" is the task's first."""
    split = files.split and f":{files.split}"
    choice = choose_task(f"{task}{split}{protocol and '@'}{protocol}")
    samples = choice.task.samples(Folder(files.data), choice.split)
    given = files.answers
    if isinstance(given, Path):
        given = choice.task.read_predictions(given, samples)
    elif not isinstance(given, Mapping):
        given = {sample.id: text for sample, text in zip(samples, given, strict=True)}
    return score(f"{task}@{choice.protocol}", samples, given)


def score(spec: str, samples: Sequence[Sample], texts: Mapping[str, str]) -> Outcome:
    """Scores and metric values of answers under a protocol.

    The texts go to the rules as they stand: a run takes a model's thoughts out before, the official codes do not.
    """
    choice = choose_task(spec)
    scored = [(s, choice.task.score(s, Response(texts[s.id]), choice.protocol)) for s in samples]
    values = {metric.name: metric.value() for metric in choice.task.summarise(scored, choice.protocol)}
    return Outcome(scored, values, texts)


def percent(share: Any) -> float | None:
    """An official share as our figure; null stays null."""
    return None if share is None else 100 * float(share)


# ------------------------------------------------------------------------------------------------- files of benchmarks


def write_json(path: Path, content: object) -> Path:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), "utf-8")
    return path


def write_lines(path: Path, rows: Iterable[object]) -> Path:
    """A file with one JSON object per line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def write_tsv(path: Path, header: Sequence[str], rows: Iterable[Case]) -> Path:
    """A table with tabs between its cells; cells that a row does not have are empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, delimiter="\t", extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path
