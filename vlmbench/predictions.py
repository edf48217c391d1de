"""Answer files to answers by sample id, joined by key: one too few, too many or doubled is an error, never a zero."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from vlmbench.errors import DataError, PredictionsError
from vlmbench.nouns import Sample
from vlmbench.sources import Row, read_rows, read_table

NAMED = 5
"""How many ids an error names."""
SUFFIXES = (".json", ".jsonl", ".xlsx", ".tsv", ".csv")
"""Of answer files in a folder."""


def answer_files(path: Path) -> list[Path]:
    """The answer file, or all files of a folder with one of SUFFIXES. Raises PredictionsError if there is none."""
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
        if not found:
            what = f"no file in the folder ends in {', '.join(SUFFIXES)}"
            raise PredictionsError(what, where=str(path), cure="check --predictions")
        return found
    if not path.is_file():
        raise PredictionsError("no such file or folder", where=str(path), cure="check --predictions")
    return [path]


def answer_rows(path: Path) -> list[Row]:
    """Rows of one answer file: JSON lines, a JSON array, a table or an Excel sheet. Raises PredictionsError."""
    try:
        return _READERS.get(path.suffix, read_rows)(path)
    except DataError as error:
        raise PredictionsError(error.what, where=error.where, cure=error.cure) from None


def _sheet_rows(path: Path) -> list[Row]:
    """Cells of a sheet as texts, as those of a table are."""
    from vlmbench.sheets import read_sheet

    return [Row({k: _cell(v) for k, v in row.values.items()}, row.file, row.at) for row in read_sheet(path)]


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


_READERS: Mapping[str, Callable[[Path], list[Row]]] = {".xlsx": _sheet_rows, ".tsv": read_table, ".csv": read_table}


def read_answer(row: Row, *forms: tuple[str, str]) -> tuple[str, str]:
    """(key, text) of a row, by the first of several (key field, text field) pairs the row has.

    Raises PredictionsError when it has none of them, or a value of the wrong type.
    """
    for key, text in forms:
        if key in row.values and text in row.values:
            return answer_key(row, key), answer_text(row, text)
    wanted = " or ".join(f"{key!r} with {text!r}" for key, text in forms)
    raise PredictionsError(f"the row has {', '.join(map(repr, row.values))}", where=row.where, cure=f"needed: {wanted}")


def answer_key(row: Row, field: str) -> str:
    """The id a row answers. Raises PredictionsError."""
    try:
        return row.key(field)
    except DataError as error:
        raise PredictionsError(error.what, where=error.where, cure=error.cure) from None


def answer_text(row: Row, field: str) -> str:
    """The answer's text; an empty one is an answer. Raises PredictionsError for null and other types."""
    try:
        return row.text(field)
    except DataError as error:
        raise PredictionsError(error.what, where=error.where, cure=error.cure) from None


def join(
    answers: Iterable[tuple[str, str, Row]], samples: Sequence[Sample], path: Path, cure: str = ""
) -> dict[str, str]:
    """(sample id, text, row) to text by sample id. Raises PredictionsError for doubled, extra and missing ids."""
    wanted = {sample.id for sample in samples}
    found: dict[str, tuple[str, Row]] = {}
    extra: dict[str, Row] = {}
    for key, text, row in answers:
        if key in found:
            what = f"{key!r} is answered twice: at {found[key][1].at} and at {row.at}"
            raise PredictionsError(what, where=str(path), cure="remove one of them")
        if key not in wanted:
            extra[key] = row
            continue
        found[key] = (text, row)
    problems = []
    if extra:
        many = "ids answer" if len(extra) > 1 else "id answers"
        problems.append(f"{len(extra)} {many} no question of this split: {named(extra)}")
    if missing := [sample.id for sample in samples if sample.id not in found]:
        problems.append(f"{len(missing)} of {len(samples)} questions have no answer: {named(missing)}")
    if problems:
        cure = cure or "give the answers to exactly the questions of this data (is it the same split and version?)"
        raise PredictionsError("; ".join(problems), where=str(path), cure=cure)
    return {sample.id: found[sample.id][0] for sample in samples}


def write_rows(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """A file of answers: JSON lines for .jsonl, a JSON array otherwise. Folders are made."""
    made = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made)
    text = lines if path.suffix == ".jsonl" else json.dumps(made, ensure_ascii=False, indent=1) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def named(ids: Iterable[str] | Mapping[str, object]) -> str:
    """Some of the ids, for an error message."""
    every = list(ids)
    more = f" and {len(every) - NAMED} more" if len(every) > NAMED else ""
    return ", ".join(every[:NAMED]) + more
