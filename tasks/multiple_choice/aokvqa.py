"""A-OKVQA: questions that need knowledge of the world, with four options, and with ten people's direct answers.

Schwenk et al., ECCV 2022 (arXiv 2206.01718). A protocol decides which of the two is asked. Direct answers are compared
to the character, without any normalisation, and a question that is marked as difficult to answer directly does not
count there. The test split has no answers: `export` writes what the leaderboard takes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vlmbench.base.samples import Response, Sample, Score, Status
from vlmbench.base.task import DataFile, Size
from vlmbench.data.answers.predictions import join
from vlmbench.data.files import read_json
from vlmbench.data.rows import Row
from vlmbench.data.tables.columns import Columns, literal_texts, options_of
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import ImageTable, columns, table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.data.tables.row_files import RowFiles
from vlmbench.families import multiple_choice as protocols
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, PlainRows, write_json, write_llava
from vlmbench.families.multiple_choice import ChoiceRules, MultipleChoice, texts
from vlmbench.families.short_answer import SHORT

LICENCE = "Apache-2.0; images CC BY 4.0"
S3 = "https://prior-datasets.s3.us-east-2.amazonaws.com/aokvqa/aokvqa_v1p0.tar.gz"
KIT = "https://huggingface.co/datasets/Allen8/A-OKVQA/resolve/main"
SOURCE = "allenai/aokvqa evaluation/eval_predictions.py@83786de0"


def whole_text(text: str, options: Mapping[str, str]) -> str:
    """The whole answer is an option's text, to the character."""
    return next((letter for letter, option in options.items() if option == text), "")


def file_of(row: Row) -> str:
    """The image in COCO 2017."""
    return f"{row.integer('image_id'):012d}.jpg"


def people(row: Row) -> list[str]:
    """What ten people answered: a list, or a text that holds one as Python writes it."""
    return literal_texts(row, "direct_answers") if row.values.get("direct_answers") else []


def hub_columns(**made: Any) -> Columns:
    """Columns of the official rows, with the direct answers beside the options. On the hub a text holds their list."""
    made |= {
        "direct": lambda row: json.dumps(people(row)),
        "difficult": lambda row: "yes" if row.flag("difficult_direct_answer", False) else "",
    }
    return Columns(
        id="question_id",
        made=made,
        made_from=("image_id",) if "file" in made else (),
        options="choices",
        answer="correct_choice_idx",
        answer_is="index",
        extra={"direct": "direct", "difficult": "difficult"},
        hidden_answers=True,
    )


def official(split: str) -> RowFiles:
    """The official file and COCO 2017."""
    images = DataFile(f"{split}2017", "images of COCO 2017", f"http://images.cocodataset.org/zips/{split}2017.zip")
    questions = DataFile(f"aokvqa_v1p0_{split}.json", "questions", how=f"unpack {S3}", licence=LICENCE)
    return RowFiles({split: (questions, images)}, hub_columns(file=file_of), "file", (f"{split}2017", "."))


def hub(split: str, name: str) -> HubDataset:
    """The hub's copy."""
    return HubDataset(("HuggingFaceM4/A-OKVQA",), {split: name}, hub_columns(), licence=LICENCE)


TABLE = ImageTable({"val": table("a-okvqa.tsv", KIT, ("A-OKVQA.tsv",), LICENCE)}, columns(), named=True)


class AOKVQA(MultipleChoice):
    """Multiple choice, and in one protocol direct answers."""

    def parse(self, sample: Sample, response: Response, rules: ChoiceRules) -> str:
        """The letter; of a direct answer the text."""
        return response.text if rules is DIRECT else super().parse(sample, response, rules)

    def rate(self, sample: Sample, response: Response, rules: ChoiceRules) -> Score:
        """Right or wrong; of a direct answer how many of ten people gave it, three being enough."""
        if rules is not DIRECT:
            score = super().rate(sample, response, rules)
            if rules.choices is texts:  # only an option's text is an answer, so what was ranked is told as one
                return replace(score, parsed_answer=options_of(sample).get(score.parsed_answer, ""))
            return score
        people: list[str] = json.loads(sample.extra.get("direct") or "[]")
        if sample.extra.get("difficult") or not people:
            return Score(None, Status.UNLABELED, response.text, "has no direct answers, or is marked as difficult")
        given = people.count(response.text)
        return Score(min(1.0, given / 3), parsed_answer=response.text)

    def example_answer(self, sample: Sample, protocol: str) -> str:
        """The right option, or the most common direct answer."""
        if self.rules[protocol] is not DIRECT:
            return super().example_answer(sample, protocol)
        people: list[str] = json.loads(sample.extra["direct"])
        return Counter(people).most_common(1)[0][0]


DIRECT = ChoiceRules(
    f"{SOURCE}, direct answers",
    "{question}" + SHORT,
    whole_text,
    tokens=128,
    note="at least three of ten people gave this answer to the character; the words of the question are LLaVA's",
)
RULES = {
    "official": ChoiceRules(
        f"{SOURCE}, multiple choice",
        "Question: {question} Answer:",
        whole_text,
        choices=texts,
        note="options are ranked by likelihood (the paper names no prompt); a given answer must be an option's text",
    ),
    "official_direct": DIRECT,
    "vlmevalkit": protocols.vlmevalkit(),
}
FIELDS = {"official_direct": "direct_answer"}


def read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
    """The official object by question, or rows of id and text. A question that the object leaves out is empty."""
    content = read_json(path) if path.suffix == ".json" else None
    if not content or not isinstance(content, dict) or not all(isinstance(one, dict) for one in content.values()):
        return PlainRows()(path, samples, protocol)
    field, where = FIELDS.get(protocol, "multiple_choice"), f"{path}"
    found = [(key, Row(one, where, f"key {key}")) for key, one in content.items()]
    missing = [(s.id, "", Row({}, where, "absent")) for s in samples if s.id not in content]
    return join([*((key, row.text(field, ""), row) for key, row in found), *missing], samples, path)


def write(path: Path, answers: Sequence[Answer]) -> None:
    """The leaderboard's file: an option's text, or the direct answer, by question."""

    def said(answer: Answer) -> str:
        return answer.text if answer.protocol in FIELDS else options_of(answer.sample).get(answer.parsed, answer.text)

    write_json(path, {one.id: {FIELDS.get(one.protocol, "multiple_choice"): said(one)} for one in answers})


BENCHMARK = AOKVQA(
    name="aokvqa",
    title="A-OKVQA: knowledge of the world, multiple choice and direct answers (Schwenk et al. 2022)",
    about=__doc__,
    sizes={"val": Size(1_145), "test": Size(6_702, answers=False)},
    needs_image=True,
    rules=RULES,
    files=Layouts(
        {"val": (official("val"), TABLE), "test": (official("test"),)},
        {"val": hub("val", "validation"), "test": hub("test", "test")},
    ),
    answer_files=AnswerFiles(
        read,
        "The official object {id: {multiple_choice, direct_answer}}, LLaVA's answer lines, or rows of id and text.",
        {"json": Format(".json", write), "llava": Format(".jsonl", write_llava)},
        "The leaderboard's object; LLaVA's answer lines.",
    ),
)
