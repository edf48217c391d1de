"""Answer files to answers by sample id, joined by key: a missing, extra or duplicate id is an error, never a zero."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import Sample
from vlmbench.data.answers.answer_columns import (
    MODELS,
    answer_key,
    answer_text,
    as_predictions_error,
    find_column,
    id_and_answer,
    listed,
    refuse_truth,
    squashed,
)
from vlmbench.data.files import Row, read_bytes, read_json, read_rows, read_table, read_text
from vlmbench.data.reading import is_dir, is_file

__all__ = [
    "Lossy",
    "ReadsByProtocol",
    "answer_files",
    "answer_key",
    "answer_rows",
    "answer_text",
    "as_predictions_error",
    "find_column",
    "id_and_answer",
    "is_hidden",
    "join",
    "named",
    "one_file",
    "read_files",
    "read_plain",
    "refuse_duplicate_keys",
    "refuse_two_models",
    "write_rows",
]

NAMED, LONGEST = 5, 100
"""How many ids an error names, and how many characters of each."""
SUFFIXES = (".json", ".jsonl", ".xlsx", ".tsv", ".csv")
"""Of answer files in a folder."""
OTHERS = "_others"
"""In a sample's `extra`: ids of the benchmark outside this split, to which answers may be there and are passed over."""
_PACKED: Mapping[bytes, str] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zX": "xz"}
"""What a packed file starts with."""

Answer = tuple[str, str, Row]


@runtime_checkable
class ReadsByProtocol(Protocol):
    """What a Task has besides when an answer file says several things, and the protocol decides which of them counts.

    A probability beside words, for instance.
    """

    def read_protocol_predictions(self, path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
        """Like `read_predictions`, which stays for files of which no protocol is known."""


@runtime_checkable
class Lossy(Protocol):
    """What a task that Exports has besides when a format cannot say that an answer was not read."""

    @property
    def lossy(self) -> Mapping[str, str]:
        """By suffix: what is written instead. `vlmbench export` warns of it."""


# ----------------------------------------------------------------------------------------------------------- files


def is_hidden(path: Path) -> bool:
    """Whether a file of a folder is the file system's own: `.DS_Store`, `._answers.jsonl`, what is in `__MACOSX`."""
    return path.name.startswith(".") or "__MACOSX" in path.parts


def answer_files(path: Path) -> list[Path]:
    """The answer file, or all files of a folder with one of SUFFIXES. Raises PredictionsError if there is none."""
    with as_predictions_error():
        return _answer_files(path)


def _answer_files(path: Path) -> list[Path]:
    if is_dir(path):
        files = sorted(file for file in path.iterdir() if not is_hidden(file) and is_file(file))
        if packed := [file for file in files if file.suffix in (".gz", ".zst") and Path(file.stem).suffix in SUFFIXES]:
            raise PredictionsError(
                "the file is packed", where=str(packed[0]), hint="unpack it (gunzip), or move it away"
            )
        answers = [file for file in files if file.suffix in SUFFIXES]
        if not answers:
            problem = f"no file in the folder ends in {', '.join(SUFFIXES)}"
            raise PredictionsError(problem, where=str(path), hint="check --predictions")
        return answers
    if not is_file(path):
        raise PredictionsError("no such file or folder", where=str(path), hint="check --predictions")
    return [path]


def one_file(path: Path) -> None:
    """Raise PredictionsError unless this is a file: for benchmarks whose answers or grades are in one."""
    with as_predictions_error():
        if is_dir(path):
            what = "a folder, where one file was expected"
            raise PredictionsError(what, where=str(path), hint="name the answer or grade file in it")
        if not is_file(path):
            raise PredictionsError("no such file", where=str(path), hint="check --predictions")


def read_files(path: Path) -> list[list[Row]]:
    """The rows of each answer file. Raises PredictionsError; also when they are the answers of several models."""
    files = [answer_rows(file) for file in answer_files(path)]
    refuse_two_models(files)
    return files


def read_plain(path: Path, ids: Sequence[str], samples: Sequence[Sample], never: Sequence[str] = ()) -> list[Answer]:
    """(id, answer, row) of files whose rows name the question in one of the columns `ids`. Raises PredictionsError."""
    return [answer for rows in read_files(path) for answer in id_and_answer(rows, ids, samples, never)]


def answer_rows(path: Path) -> list[Row]:
    """Rows of one answer file: JSON lines, a JSON array, an object {id: answer}, a table or an Excel sheet.

    Columns of a table are known by their lower-case names without spaces around them. Raises PredictionsError.
    """
    with as_predictions_error():
        head = read_bytes(path)[:4]
        if packer := next((name for magic, name in _PACKED.items() if head.startswith(magic)), ""):
            raise PredictionsError(f"the file is packed with {packer}", where=str(path), hint="unpack it first")
        return _READERS.get(path.suffix, _json_rows)(path)


def _json_rows(path: Path) -> list[Row]:
    """Lines, an array, or one object of answers by id."""
    pairs = _object(path)
    if pairs is None:
        rows = read_rows(path)
        refuse_duplicate_keys(path, rows)
        return rows
    if not pairs:
        raise DataError("the object is empty", where=str(path), hint="check --predictions")
    if {squashed(key) for key, _ in pairs} & _IDS:
        _refuse_duplicate(pairs, f"{path}, line 1")
        return [Row(read_json(path), str(path), "line 1")]
    if not all(isinstance(value, str | int | float) for _, value in pairs):
        problem = f"one JSON object of {len(pairs)} keys ({listed([key for key, _ in pairs[:3]])}), not rows of answers"
        raise DataError(problem, where=str(path), hint="needed: rows, a JSON array of rows, or an object {id: answer}")
    return [Row({"id": key, "text": value}, str(path), f"key {key:.60}") for key, value in pairs]


class _Pairs(list[tuple[str, Any]]):
    """Keys and values of one JSON object, a duplicate key twice."""


def _object(path: Path) -> _Pairs | None:
    """The pairs of a file that is one JSON object; None for anything else."""
    text = read_text(path)
    if text.lstrip()[:1] != "{":
        return None
    try:
        content = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return None  # lines, or broken: the reader of rows finds out
    return content if isinstance(content, _Pairs) else None


def refuse_duplicate_keys(path: Path, rows: Sequence[Row]) -> None:
    """Raise DataError for a row that has a key twice, of which parsers keep the last in silence.

    Looked for only where a key's name is there more often than rows have it.
    """
    text = read_text(path)
    counts = Counter(name for row in rows for name in row.values)
    if all(text.count(json.dumps(name)) <= count for name, count in counts.items()):
        return
    whole = text.lstrip()[:1] == "["
    parts = json.loads(text, object_pairs_hook=_Pairs) if whole else (line for line in text.split("\n") if line.strip())
    for part, row in zip(parts, rows, strict=True):
        _refuse_duplicate(part if whole else json.loads(part, object_pairs_hook=_Pairs), row.where)


def _refuse_duplicate(pairs: _Pairs, where: str) -> None:
    names = Counter(name for name, _ in pairs)
    if duplicate := [name for name, count in names.items() if count > 1]:
        raise DataError(f"{duplicate[0]!r:.80} is there twice", where=where, hint="keep one of them")


def _table_rows(path: Path) -> list[Row]:
    return [_named_alike(row) for row in read_table(path)]


def _sheet_rows(path: Path) -> list[Row]:
    """Cells of a sheet as texts, as those of a table are."""
    from vlmbench.data.sheets import read_sheet

    rows = [Row({k: _cell(v) for k, v in row.values.items()}, row.file, row.at) for row in read_sheet(path)]
    return [_named_alike(row) for row in rows]


def _named_alike(row: Row) -> Row:
    """The row with its columns' names in lower case and without spaces, where they stay different ones."""
    names = [str(name).strip().lower() for name in row.values]
    return (
        Row(dict(zip(names, row.values.values(), strict=True)), row.file, row.at)
        if len(set(names)) == len(names)
        else row
    )


def _cell(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


_IDS = frozenset(("id", "questionid", "image", "imgid", "index"))
"""Keys, squashed, that a row has and an object of answers by id has not."""
_READERS: Mapping[str, Callable[[Path], list[Row]]] = {".xlsx": _sheet_rows, ".tsv": _table_rows, ".csv": _table_rows}


def refuse_two_models(files: Sequence[Sequence[Row]]) -> None:
    """Raise PredictionsError naming the first two rows that say to be of different models."""
    first: tuple[str, Row] | None = None
    for rows in files:
        column = find_column(rows, *MODELS)
        for row in rows if column else ():
            name = row.values.get(column)
            if not isinstance(name, str) or not name.strip():
                continue
            first = first or (name, row)
            if name != first[0]:
                problem = (
                    f"the answers are of two models: {first[0]!r:.80} at {_place(first[1], row)}, {name!r:.80} here"
                )
                raise PredictionsError(
                    problem, where=row.where, hint="name one model's file, or a folder of one model's"
                )


def _place(row: Row, other: Row) -> str:
    """Where a row is, for a message about the other one."""
    return row.at if row.file == other.file else row.where


# --------------------------------------------------------------------------------------------------------- joining


def join(answers: Iterable[Answer], samples: Sequence[Sample], path: Path, hint: str = "") -> dict[str, str]:
    """(sample id, text, row) to text by sample id. Raises PredictionsError for duplicate, extra and missing ids."""
    expected = {sample.id for sample in samples}
    others = samples[0].extra.get(OTHERS, frozenset()) if samples else frozenset()
    by_id: dict[str, tuple[str, Row]] = {}
    extra: dict[str, Row] = {}
    for key, text, row in answers:
        if key in by_id:
            first = by_id[key][1]
            problem = f"{key!r:.80} is answered twice: at {_place(first, row)} and at {_place(row, first)}"
            raise PredictionsError(
                problem, where=str(path), hint="remove one of them (are both a whole and its parts here?)"
            )
        if key in expected:
            by_id[key] = (text, row)
        elif key not in others:
            extra[key] = row
    problems = []
    if extra:
        many = "ids answer" if len(extra) > 1 else "id answers"
        problems.append(f"{len(extra)} {many} no question of this split: {named(extra)}")
    if missing := [sample.id for sample in samples if sample.id not in by_id]:
        problems.append(f"{len(missing)} of {len(samples)} questions have no answer: {named(missing)}")
    if problems:
        hint = hint or "give the answers to exactly the questions of this data (is it the same split and version?)"
        raise PredictionsError("; ".join(problems), where=str(path), hint=hint)
    refuse_truth(by_id, samples)
    return {sample.id: by_id[sample.id][0] for sample in samples}


def write_rows(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """A file of answers: JSON lines for .jsonl, a JSON array otherwise. Creates folders."""
    rows = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    text = lines if path.suffix == ".jsonl" else json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
    path.write_text(text, encoding="utf-8", newline="\n")


def named(ids: Iterable[str] | Mapping[str, object]) -> str:
    """Some of the ids, for an error message."""
    every = [key if len(key) <= LONGEST else f"{key[:LONGEST]}..." for key in ids]
    more = f" and {len(every) - NAMED} more" if len(every) > NAMED else ""
    return ", ".join(every[:NAMED]) + more
