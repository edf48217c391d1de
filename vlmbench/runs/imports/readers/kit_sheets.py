"""VLMEvalKit's sheets: read to rows as they stand, told apart by their columns, and put together by model and dataset.

A dataset has a sheet of predictions, and one that its scorer wrote: their names begin alike. Where names were changed,
the scorer's sheet is the one whose predictions are the same, and the dataset shows in its columns and values.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.data.reading import read_whole
from vlmbench.data.sheets import read_sheet
from vlmbench.runs.imports.readers.files import LARGEST, File, as_list, as_mapping, literal, table, words
from vlmbench.runs.imports.readers.nouns import COGNITION, PERCEPTION

Cells = Mapping[str, Any]
TABLES = {".tsv": "\t", ".csv": ","}
BASE = ("prediction",)
ID = "index"
BESIDE = ("question", "answer", "index", "answers")
"""Of which a sheet of predictions has one at least."""
STAMP = re.compile(r"T\d{8}[-_]\w+")
YES_NO, VQA, CHOICE, JUDGED = "auxmatch", "results", "choice", "judged"
SIGNS: Mapping[str, tuple[str, ...]] = {
    YES_NO: ("extracted", "score"),
    VQA: ("eval_score",),
    CHOICE: ("hit",),
    JUDGED: ("score",),
}
"""Kind of a scorer's sheet to the columns that it has besides; the first that fits."""
ENDINGS: Mapping[str, re.Pattern[str]] = {
    YES_NO: re.compile(r"_auxmatch$"),
    VQA: re.compile(r"_results$"),
    CHOICE: re.compile(r"_(?P<judge>[^_]+(?:_matching)?)_result$"),
    JUDGED: re.compile(r"_(?P<judge>[^_]+)$"),
}
"""By kind: what it adds to the name of the sheet of predictions."""
KINDS_OF_POPE = {"adversarial", "popular", "random"}
CAPABILITIES = {"rec", "ocr", "know", "gen", "spat", "math"}
SCIENCES = {"natural science", "social science", "language science"}


@dataclass
class Sheet:
    """One sheet."""

    file: File
    rows: Sequence[Cells]
    kind: str = ""
    """One of SIGNS; empty for predictions alone."""

    @property
    def columns(self) -> set[str]:
        """Its header."""
        return set(self.rows[0]) if self.rows else set()

    @property
    def answers(self) -> dict[str, str]:
        """Index to prediction."""
        return {words(row[ID]): words(row["prediction"]) for row in self.rows}

    @property
    def digest(self) -> str:
        """Of its content."""
        return hashlib.sha256(self.file.path.read_bytes()).hexdigest()


@dataclass
class Dataset:
    """The sheets of one dataset of one model in one folder."""

    model: str
    name: str
    folder: Path
    predictions: Sheet
    scored: Sheet | None = None
    judge: str = ""
    """As the name of the scorer's sheet tells it."""
    summaries: list[File] = field(default_factory=list)
    """Its files of figures."""
    notes: list[str] = field(default_factory=list)


def sheets(files: Sequence[File]) -> tuple[list[Sheet], list[tuple[File, DataError]]]:
    """(all sheets with predictions, those that cannot be read and why)."""
    found: list[Sheet] = []
    damaged: list[tuple[File, DataError]] = []
    for file in files:
        try:
            rows = _rows(file)
        except DataError as error:
            damaged.append((file, error))
            continue
        if not rows or "prediction" not in rows[0] or not any(name in rows[0] for name in BESIDE):
            continue
        if ID not in rows[0]:
            rows = [{**row, ID: str(number)} for number, row in enumerate(rows, 1)]
        columns = set(rows[0])
        kind = next((kind for kind, signs in SIGNS.items() if columns.issuperset(signs)), "")
        found.append(Sheet(file, rows, kind))
    return found, damaged


def _rows(file: File) -> Sequence[Cells]:
    suffix = file.path.suffix.lower()
    if file.is_zip:
        if b"[Content_Types].xml" not in file.head and b"xl/" not in file.head:
            return []
        return [row.values for row in read_sheet(file.path)]
    if suffix in TABLES or b"prediction" in file.head[:4096]:
        line = file.head.partition(b"\n")[0]
        if all(name.encode() in line for name in BASE) and not line.lstrip().startswith((b"{", b"[")):
            delimiter = "\t" if b"\t" in line else ","
            return table(read_whole(file.path, LARGEST), file.path, delimiter)
        listed = as_list(file.document) if b"prediction" in file.head else []
        if listed and all(isinstance(row, dict) for row in listed):
            return listed
    return []


# ------------------------------------------------------------------------------------------------ what belongs together


def datasets(found: Sequence[Sheet], files: Sequence[File]) -> list[Dataset]:
    """Sheets put together. Raises DataError where a scorer's sheet could be of two."""
    made: list[Dataset] = []
    bases = [sheet for sheet in found if not sheet.kind]
    scorers = [sheet for sheet in found if sheet.kind]
    for sheet in bases:
        model, name = _names(sheet, found)
        made.append(Dataset(model, name, sheet.file.path.parent, sheet))
    for sheet in scorers:
        stem = ENDINGS[sheet.kind].sub("", sheet.file.stem)
        beside = [one for one in made if one.folder == sheet.file.path.parent]
        mine = [one for one in beside if one.predictions.file.stem == stem and _same_answers(one.predictions, sheet)]
        mine = mine or [one for one in beside if one.scored is None and _same_answers(one.predictions, sheet)]
        if len(mine) > 1:
            what = f"it could score {' or '.join(one.predictions.file.path.name for one in mine)}"
            raise DataError(what, where=str(sheet.file.path), hint="give both back the names that VLMEvalKit wrote")
        if not mine:
            model, name = _names(sheet, found)
            mine = [Dataset(model, name, sheet.file.path.parent, sheet)]
            mine[0].notes.append(f"{sheet.file.path.name}: the sheet of predictions is not there: read from this one")
            made.append(mine[0])
        one = mine[0]
        if one.scored is not None:
            one.notes.append(f"{sheet.file.path.name}: another scorer's sheet of the same answers: left out")
            continue
        match = ENDINGS[sheet.kind].search(sheet.file.stem)
        one.scored = sheet
        one.judge = match["judge"] if match and "judge" in match.re.groupindex else ""
    for one in made:
        stem = one.predictions.file.stem
        one.summaries = [
            file
            for file in files
            if file.path.parent == one.folder
            and file.path.suffix == ".csv"
            and file.stem.startswith(f"{stem}_")
            and re.search(r"_(acc|score|score_fine|rating)$", file.stem)
        ]
    return _once(made)


def _same_answers(predictions: Sheet, scored: Sheet) -> bool:
    """Whether a scorer's sheet is of these predictions: it may have fewer rows (one per circular question)."""
    own = predictions.answers
    return all(own.get(key, ...) == answer for key, answer in scored.answers.items())


def _once(made: Sequence[Dataset]) -> list[Dataset]:
    """Without those that are copies: VLMEvalKit puts a dataset's latest files beside the folders of its runs."""
    kept: list[Dataset] = []
    seen: dict[tuple[str, str, str, str], Dataset] = {}
    for one in sorted(made, key=lambda one: len(one.folder.parts)):
        scored = one.scored.digest if one.scored else ""
        key = (one.model, one.name, one.predictions.digest, scored)
        if key in seen:
            seen[key].notes.append(f"{one.folder.name} holds a copy of these files: read once")
            continue
        seen[key] = one
        kept.append(one)
    return kept


def _names(sheet: Sheet, every: Sequence[Sheet]) -> tuple[str, str]:
    """(model, dataset) of a sheet: from its name where the folder or a status file tells the model, else from both."""
    stem = ENDINGS[sheet.kind].sub("", sheet.file.stem) if sheet.kind else sheet.file.stem
    folder = sheet.file.path.parent
    parents = [one for one in (folder.name, folder.parent.name) if one and not STAMP.fullmatch(one)]
    for parent in parents:
        if stem.startswith(f"{parent}_"):
            return parent, stem.removeprefix(f"{parent}_")
    told = _inferred(sheet.rows)
    known = max((name for name in KNOWN if re.search(rf"(^|_){name}$", stem, re.IGNORECASE)), key=len, default="")
    if known:
        cut = len(stem) - len(known)
        return stem[:cut].rstrip("_") or (parents or ["model"])[0], stem[cut:]
    for file in folder.glob("status.json"):
        for name in as_mapping(File(file, folder).top.get("datasets")):
            if stem.endswith(f"_{name}"):
                return stem.removesuffix(f"_{name}"), name
    return (parents or [stem])[0], told or stem


KNOWN = (
    "POPE", "MME", "HallusionBench", "MMBench_DEV_EN", "MMBench_DEV_CN", "MMBench_TEST_EN", "MMBench_TEST_CN",
    "MMBench_DEV_EN_V11", "MMBench_DEV_CN_V11", "MMBench", "CCBench", "ScienceQA_TEST", "ScienceQA_VAL", "TextVQA_VAL",
    "GQA_TestDev_Balanced", "VizWiz", "MMVet", "MMVet_Hard", "MMMU_DEV_VAL", "MMMU_TEST", "MMStar", "AI2D_TEST",
    "AI2D_TEST_NO_MASK", "SEEDBench_IMG", "SEEDBench2", "SEEDBench2_Plus", "RealWorldQA", "ChartQA_TEST", "DocVQA_VAL",
    "DocVQA_TEST", "InfoVQA_VAL", "InfoVQA_TEST", "OCRBench", "OCRVQA_TEST", "OCRVQA_TESTCORE", "MathVista_MINI",
    "MathVision", "MathVision_MINI", "MathVerse_MINI", "BLINK", "LLaVABench", "COCO_VAL", "A-OKVQA", "AMBER",
    "MMT-Bench_VAL", "MUIRBench", "VStarBench", "TaskMeAnything_v1_imageqa_random", "MME-RealWorld-Lite",
)  # fmt: skip
"""Names of datasets, for sheets of which no folder tells the model."""


def _inferred(rows: Sequence[Cells]) -> str:
    """The dataset that columns and values show; empty where they do not."""
    columns = set(rows[0])
    return next((name for name, test in SHOWS.items() if test(columns, rows)), "")


def _values(rows: Sequence[Cells], column: str) -> set[str]:
    return {words(row.get(column)) for row in rows}


def _listed(rows: Sequence[Cells], column: str) -> bool:
    return all(isinstance(literal(row.get(column)), list) for row in rows)


SHOWS: Mapping[str, Callable[[set[str], Sequence[Cells]], bool]] = {
    "POPE": lambda columns, rows: (
        "category" in columns and set(",".join(_values(rows, "category")).split(",")) <= KINDS_OF_POPE
    ),
    "MME": lambda columns, rows: "category" in columns and _values(rows, "category") <= {*PERCEPTION, *COGNITION},
    "HallusionBench": lambda columns, rows: "l2-category" in columns and _values(rows, "category") <= {"VD", "VS"},
    "MMVet": lambda columns, rows: (
        "category" in columns and set(",".join(_values(rows, "category")).split(",")) <= CAPABILITIES
    ),
    "MMBench_DEV_EN": lambda columns, rows: (
        {"A", "B", "l2-category"} <= columns and any("perception" in one for one in _values(rows, "l2-category"))
    ),
    "ScienceQA_TEST": lambda columns, rows: {"A", "B"} <= columns and _values(rows, "category") <= SCIENCES,
    "VizWiz": lambda columns, rows: {"answers", "answer_type"} <= columns,
    "TextVQA_VAL": lambda columns, rows: _values(rows, "split") == {"val"} and _listed(rows, "answer"),
    "GQA_TestDev_Balanced": lambda columns, rows: _values(rows, "split") == {"testdev"},
}


def statuses(files: Sequence[File]) -> dict[Path, Mapping[str, Any]]:
    """Folder to what its status.json tells of each dataset."""
    found: dict[Path, Mapping[str, Any]] = {}
    for file in files:
        if file.path.suffix == ".json" and b'"datasets"' in file.head:
            told = as_mapping(file.top.get("datasets"))
            if told and all("status" in as_mapping(one) for one in told.values()):
                with suppress(TypeError):
                    found[file.path.parent] = file.top
    return found
