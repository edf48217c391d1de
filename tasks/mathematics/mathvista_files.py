"""MathVista's files: its own JSON, the hub's copy, VLMEvalKit's table; results, with a judge's findings or without."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import Sample, Status, Verdict
from vlmbench.base.task import DataFile
from vlmbench.data.answers.predictions import answer_text, as_predictions_error, join, one_file, read_plain
from vlmbench.data.files import Folder, Hub, Row, read_json, read_keyed
from vlmbench.data.official.files import data_file
from vlmbench.data.tables.columns import LETTERS, Columns, cell, given, literal_texts
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import SITE, ImageTable, table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.data.tables.row_files import RowFiles
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, IdTextRow, objects_or_rows, write_json
from vlmbench.families.extraction import Matcher, Verdicts

from .mathvista_queries import query

KINDS = ("text", "integer", "float", "list")
"""What an answer can be: the text of an option, or something of its own."""
TAGS = ("question_type", "answer_type", "language", "source", "category", "task", "context", "grade")
"""What the official scores are broken down by, besides the skills, of which a problem has several."""
SKILLS = "; "
"""Stands between a problem's skills."""
QUERY = "\nQuestion: "
FOUND = "extraction"
"""Where results have the answer that a judge found."""


# ---------------------------------------------------------------------------------------------------- columns of a row


def _fact(name: str) -> Callable[[Row], str]:
    """A field of the row, or of its `metadata`."""

    def read(row: Row) -> str:
        inner = row.values.get("metadata")
        found = row if row.has(name) or not isinstance(inner, dict) else row.inner("metadata")
        return given(found, name)

    return read


def _skills(row: Row) -> str:
    inner = row.values.get("metadata")
    found = row.inner("metadata") if isinstance(inner, dict) and not row.has("skills") else row
    if isinstance(found.values.get("skills"), list):
        return SKILLS.join(found.texts("skills"))
    text = given(found, "skills")
    return SKILLS.join(literal_texts(found, "skills")) if text.startswith("[") else text


def _options(row: Row) -> list[str] | None:
    value = row.values.get("choices")
    listed = value if isinstance(value, list) else given(row, "choices")
    return literal_texts(row, "choices") or None if listed else None


def _right(row: Row) -> str:
    """The letter of the right option, or the answer. Two options may be alike: the first is named."""
    options, answer = _options(row), cell(row, "answer")
    if options is not None and row.values.get("answer") in options:
        answer = row.text("answer")  # blanks and all
    elif options is None or not answer:
        return answer
    if answer not in options:
        raise row.error("answer", f"{answer!r:.40} is none of the options: {options!r:.80}")
    return LETTERS[options.index(answer)]


def _kind(row: Row) -> str:
    kind = row.text("answer_type")
    if kind not in KINDS:
        raise row.error("answer_type", f"{kind!r:.40} is none of {', '.join(KINDS)}")
    if (kind == "text") != (_options(row) is not None):
        raise row.error("choices", "questions whose answer is a text, and only these, have options")
    return kind


def _precision(row: Row) -> str:
    """Decimal places of a float; where a table does not say them, those of the right answer."""
    if row.text("answer_type") != "float":
        return ""
    if given(row, "precision"):
        return str(int(row.number("precision")))
    return str(len(cell(row, "answer").partition(".")[2]))


def _question(row: Row) -> str:
    """The bare question: VLMEvalKit's table has the whole query in its place."""
    text = row.text("question")
    if not text.startswith("Hint: ") or QUERY not in text:
        return text
    text = text.partition(QUERY)[2].partition("\nChoices:\n")[0]
    unit = given(row, "unit")
    return text.removesuffix(f" (Unit: {unit})") if unit else text


MADE: Mapping[str, Callable[[Row], Any]] = {
    "bare_question": _question,
    "options": _options,
    "right": _right,
    "kind": _kind,
    "places": _precision,
    "all_skills": _skills,
    "own_query": lambda row: given(row, "query"),
    **{f"its_{name}": _fact(name) for name in TAGS},
}
COLUMNS = Columns(
    id="pid",
    made=MADE,
    made_from=("question", "answer_type", "choices"),
    question="bare_question",
    options="options",
    answer="right",
    tags={name: f"its_{name}" for name in TAGS},
    extra={"answer_type": "kind", "precision": "places", "skills": "all_skills", "query": "own_query", "unit": "unit"},
    hidden_answers=True,
)
RAW = "https://raw.githubusercontent.com/lupantech/MathVista/53d525874bdde205128e6b160b7357a88277d479/data"
LICENCE = "CC BY-SA 4.0"
IMAGES = data_file(
    ("images",), "images", "https://huggingface.co/datasets/AI4Math/MathVista/resolve/main/images.zip", LICENCE
)


def _problems(split: str, count: int) -> DataFile:
    places = (f"{split}.json", f"data/{split}.json")
    return data_file(places, f"{count:,} problems", f"{RAW}/{split}.json", LICENCE, split)


OFFICIAL = RowFiles(
    {"testmini": [_problems("testmini", 1_000), IMAGES], "test": [_problems("test", 5_141), IMAGES]},
    COLUMNS,
    needs_image=True,
    folders=(".", "data", "images"),
    keyed_by="pid",
)
TABLE = ImageTable(
    {"testmini": table("MathVista_MINI.tsv", SITE, (), LICENCE)},
    replace(COLUMNS, id="index", made={**MADE, "right": lambda row: given(row, "answer_option") or _right(row)}),
)
HUB_COLUMNS = replace(COLUMNS, made_from=(*COLUMNS.made_from, "answer", "precision", "metadata"))
HUB = {
    name: HubDataset(("AI4Math/MathVista",), {name: name}, HUB_COLUMNS, ("decoded_image",), licence=LICENCE)
    for name in ("testmini", "test")
}
LAYOUTS = Layouts({"testmini": (OFFICIAL, TABLE, HUB["testmini"]), "test": (OFFICIAL, HUB["test"])}, HUB)


def samples(data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
    """All problems. A query of the file is kept where it is not the one that is made of its parts."""
    return [_known(sample) for sample in LAYOUTS.samples(data, split, task)]


def _known(sample: Sample) -> Sample:
    made = replace(sample, extra={**sample.extra, "query": ""})
    return sample if sample.extra["query"] not in ("", query(made)) else made


def skills_of(sample: Sample) -> Sequence[str]:
    """A problem's skills."""
    skills = str(sample.extra["skills"])
    return skills.split(SKILLS) if skills else []


# -------------------------------------------------------------------------------------------------------------- results


def _results(content: Mapping[str, Any], file: Path) -> Sequence[IdTextRow]:
    """(id, response, row) of the object that the official script saves; nothing for another object."""
    if not all(isinstance(value, dict) and "response" in value for value in content.values()):
        return []
    with as_predictions_error():
        rows = read_keyed(file, "response")
    return [(key, answer_text(row, "response"), row) for key, row in rows.items()]


def read(path: Path, samples: Sequence[Sample], protocol: str = "") -> Mapping[str, str]:
    """Sample id to response, of official results, or of rows."""
    if path.suffix == ".json":
        one_file(path)
        return join(objects_or_rows([path], _results, ("pid", "index", "id", "question_id"), samples), samples, path)
    return join(read_plain(path, ("pid", "index", "id", "question_id"), samples), samples, path)


def verdicts(path: Path, samples: Sequence[Sample], match: Matcher) -> Verdicts | None:
    """Answers that a judge found before, of official results; None for results without any. Some may lack theirs."""
    one_file(path)
    try:
        content = read_json(path)
    except DataError:
        return None
    if not isinstance(content, dict) or not all(isinstance(value, dict) for value in content.values()):
        return None
    if all(value.get(FOUND) is None for value in content.values()):
        return None
    with as_predictions_error():
        rows = read_keyed(path, "response")
    join(((key, "", row) for key, row in rows.items()), samples, path)
    return {sample.id: (_verdict(sample, rows[sample.id], match),) for sample in samples}


def _verdict(sample: Sample, row: Row, match: Matcher) -> Verdict:
    """Of what the judge found; a published file has a number among its texts."""
    value = row.values.get(FOUND)
    if value is None:
        return Verdict(None, Status.JUDGE_FAILED, note="no answer was extracted")
    if isinstance(value, list | dict):
        raise PredictionsError("a text was expected", where=f"{row.where}, field {FOUND!r}", hint="one per problem")
    return match(sample, str(value)).verdict(str(value))


def write(path: Path, answers: Sequence[Answer]) -> None:
    """The results file that the official scripts extend with what they find."""
    write_json(path, {answer.id: _result(answer) for answer in answers})


def _result(answer: Answer) -> Mapping[str, object]:
    sample = answer.sample
    places = sample.extra["precision"]
    kept = {name: sample.tags.get(name) for name in TAGS if name not in ("question_type", "answer_type")}
    return {
        "pid": sample.id,
        "question": sample.question,
        "choices": list(sample.choices) or None,
        "unit": sample.extra["unit"] or None,
        "precision": int(places) if places else None,
        "question_type": sample.tags.get("question_type", "multi_choice" if sample.choices else "free_form"),
        "answer_type": sample.extra["answer_type"],
        "metadata": {**kept, "skills": list(skills_of(sample))},
        "query": query(sample),
        "response": answer.text,
    }


ANSWER_FILES = AnswerFiles(
    read,
    "The official results (an object by pid, with `response`; with `extraction`, if a judge has found the answers "
    "already), VLMEvalKit's sheet, or rows of id and text.",
    {"official": Format(".json", write)},
    "The official results, for `extract_answer.py`, and for the leaderboard.",
)
