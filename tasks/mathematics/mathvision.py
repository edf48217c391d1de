"""MathVision (MATH-V): problems of mathematics competitions whose figure is needed, by subject and level.

Wang et al., Measuring Multimodal Mathematical Reasoning with MATH-Vision Dataset, NeurIPS 2024 (arXiv 2402.14804).
Files: data/test.jsonl, data/testmini.jsonl and images of mathllm/MATH-V@a1f5cc3a, the hub's MathLLMs/MathVision, or
VLMEvalKit's tables. A problem has five options or none. Its marks (`<image1>`) stay in the text: all figures of a
problem are one image. Readers: mathvision_answers.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vlmbench.base.samples import Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.answers.predictions import id_and_answer, join, read_files, write_rows
from vlmbench.data.files import Row
from vlmbench.data.official.files import data_file
from vlmbench.data.tables.columns import LETTERS, Columns, given, literal_texts
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import SITE, ImageTable, table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.data.tables.row_files import RowFiles
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, IdTextRow
from vlmbench.families.extraction import Extraction, ExtractionRules

from . import mathvision_answers as answers
from . import mathvista_judge as judge
from .mathvista_queries import HINTS

BOXED = 'Please solve the problem step by step and put your answer in one "\\boxed{}".'
_SOURCE = "mathllm/MATH-V evaluation/{evaluate,utils}.py, models/@a1f5cc3a"
_NOTE = "arithmetic is evaluated, where the official code gives answers to `eval`"


def _options(sample: Sample, form: str) -> list[str]:
    return [form.format(letter, text) for letter, text in zip(LETTERS, sample.choices, strict=False)]


def _listed(sample: Sample) -> str:
    """The options, a line each; options that are nothing but their letters are left out."""
    if "".join(sample.choices) == LETTERS[: len(sample.choices)]:
        return ""
    return "".join(f"{line}\n" for line in _options(sample, "({}) {}"))


def official(sample: Sample) -> str:
    """With reasons first."""
    one = 'If it is a multiple choice question, only one letter is allowed in the "\\boxed{}".'
    return f"{BOXED} {one}\n{sample.question}\n{_listed(sample)}"


def direct(sample: Sample) -> str:
    """Without reasons."""
    return f"{sample.question}\n{_listed(sample)}\nAnswer the question using a single word or phrase."


def lmms_eval(sample: Sample) -> str:
    """lmms-eval's; nothing stands between its first sentence and the question."""
    if not sample.choices:
        return f"{BOXED}{sample.question}"
    listed = "\n".join(_options(sample, "{}. {}"))
    letter = "Answer the question with the option's letter from the given choices directly."
    return f"{BOXED}{sample.question}\nChoices: {listed}\n{letter}"


KIT_HINTS: Mapping[str, str] = {
    **dict.fromkeys(HINTS, "Hint: Please answer the question and provide the final answer at the end."),
    "text": HINTS["text"],
}


def vlmevalkit(sample: Sample) -> str:
    """As the examples that VLMEvalKit shows its judge."""
    hint = KIT_HINTS["text" if sample.choices else "integer"]
    choices = ["Choices:", *_options(sample, "({}) {}")] if sample.choices else []
    return "\n".join([hint, f"Question: {sample.question}", *choices])


KIT_JUDGE = judge.kit_rules(KIT_HINTS)
RULES: Mapping[str, ExtractionRules] = {
    "official": ExtractionRules(_SOURCE, official, answers.official, 2048, match=answers.match, note=_NOTE),
    "official_direct": ExtractionRules(
        _SOURCE, direct, answers.official, 128, match=answers.match, note=f"without reasons; {_NOTE}"
    ),
    "lmms_eval": ExtractionRules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mathvision/ (mathvision_standard_eval)@75571cfe",
        lmms_eval,
        answers.official,
        16_384,
        match=answers.match,
        note="another prompt; reads and compares as official",
    ),
    "vlmevalkit": ExtractionRules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/mathv.py@e8e78f05",
        vlmevalkit,
        answers.vlmevalkit,
        1024,
        match=answers.match_vlmevalkit,
        judge=KIT_JUDGE,
        talk=judge.kit_talk(KIT_JUDGE, vlmevalkit, answers.match_vlmevalkit),
        note="only right answers, and options, are read without its judge; it lacks the names of roots and pi, so that "
        "2\\sqrt{3} is not 3.46, and an answer `a` equals any number (57.6 % of the golden cases are right with its "
        "judge, 37.0 % officially)",
    ),
}

# ----------------------------------------------------------------------------------------------------------- questions


def _both(row: Row) -> str:
    subject, level = given(row, "subject") or given(row, "category"), given(row, "level")
    return f"{subject}, level {level}" if subject and level else ""


COLUMNS = Columns(
    id="id",
    made={"both": _both},
    made_from=("subject", "level"),
    options="options",
    may_be_open=True,
    tags={"level": "level", "subject": "subject", "subject_level": "both"},
)
RAW = "https://raw.githubusercontent.com/mathllm/MATH-V/a1f5cc3add200c0cd080fad463e500f44ef1fb41/data"
LICENCE = "MIT"
SIZES = {"test": Size(3_040), "testmini": Size(304)}


def _problems(split: str) -> Sequence[DataFile]:
    places, what = (f"{split}.jsonl", f"data/{split}.jsonl"), f"{SIZES[split].questions:,} problems"
    images = data_file(("images",), "images", licence=LICENCE, how="images/ of github.com/mathllm/MATH-V")
    return [data_file(places, what, f"{RAW}/{split}.jsonl", LICENCE, split), images]


OFFICIAL = RowFiles({split: _problems(split) for split in SIZES}, COLUMNS, needs_image=True, folders=(".", "images"))
TABLE = ImageTable(
    {
        "test": table("MathVision.tsv", SITE, (), LICENCE),
        "testmini": table("MathVision_MINI.tsv", SITE, (), LICENCE),
    },
    Columns(
        id="index",
        made={"options": lambda row: literal_texts(row, "choices") or None, "both": _both},
        made_from=("choices",),
        options="options",
        tags={"level": "level", "subject": "category", "subject_level": "both"},
    ),
)
ADDED = ("model_answer", "correct")
"""What the official script adds to a line."""
HUB = {
    split: HubDataset(("MathLLMs/MathVision",), {split: split}, COLUMNS, ("decoded_image",), licence=LICENCE)
    for split in SIZES
}


def read(path: Path, samples: Sequence[Sample], protocol: str = "") -> Mapping[str, str]:
    """Sample id to response, also of lines that the official script has added the answer to."""
    found: list[IdTextRow] = []
    for rows in read_files(path):
        if all("response" in row.values for row in rows):
            rows = [Row({k: v for k, v in row.values.items() if k not in ADDED}, row.file, row.at) for row in rows]
        found += id_and_answer(rows, ("id", "index", "question_id"), samples)
    return join(found, samples, path)


def write(path: Path, answers: Sequence[Answer]) -> None:
    """The lines that the official script reads, and extends with what it makes of them."""
    write_rows(path, ({"id": answer.id, "response": answer.text} for answer in answers))


MATHVISION = Extraction(
    name="mathvision",
    title="MathVision (MATH-V): competition mathematics with figures (Wang et al. 2024)",
    about=__doc__,
    sizes=SIZES,
    rules=RULES,
    files=Layouts({split: (OFFICIAL, TABLE, HUB[split]) for split in SIZES}, HUB),
    answer_files=AnswerFiles(
        read,
        "The official outputs (lines of id and `response`; what the script added is made again), VLMEvalKit's sheet, "
        "or rows of id and text.",
        {"official": Format(".jsonl", write)},
        "The lines that the official script reads.",
    ),
    breakdowns=("level", "subject", "subject_level"),
)
