"""InfographicVQA: questions about infographics, whose answers stand in the image or follow from several numbers in it.

Mathew et al., InfographicVQA, WACV 2022 (arXiv 2104.12756); task 3 of challenge 17 of the Robust Reading Competition.
The answers of test only the server has: `export` writes what it takes. Scores are ANLS, also by type of answer
(spans of the image or of the question, several spans, none), by evidence and by operation, as the competition's script
prints them; a question counts under each of its types.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from vlmbench.base.task import Size
from vlmbench.data.files import Row
from vlmbench.data.official.files import mirrored
from vlmbench.data.tables.columns import Columns, text_or_texts
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import SITE, ImageTable, columns, table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.data.tables.row_files import RowFiles
from vlmbench.families.shared_protocols import with_smolvlm
from vlmbench.families.short_answer import ShortAnswer, upload_files

from . import challenge

SIZES = {"val": Size(2_801), "test": Size(3_288, answers=False)}
LISTS = {"answer_type": "answer_type", "evidence": "evidence", "operation": "operation/reasoning"}


def file_of(row: Row) -> str:
    """The infographic's file without a folder."""
    return PurePosixPath(row.text("image_local_name")).name


ROWS = Columns(id="questionId", answer="answers", lists=LISTS, hidden_answers=True)
OFFICIAL = replace(ROWS, made={"file": file_of}, made_from=("image_local_name",))


def official(split: str) -> RowFiles:
    """The file of a split, with or without types of questions, and the infographics."""
    typed = [f"infographicsVQA_{split}_v1.0_withQT.json"] if SIZES[split].answers else []
    names = [*typed, *(f"{name}_{split}_v1.0.json" for name in ("infographicsVQA", "infographicVQA"))]
    folders = ("infographicsvqa_images", "infographicVQA_images", f"infographicVQA_{split}_v1.0_images")
    return challenge.official_files(
        split, SIZES[split], names, folders, OFFICIAL, within=("infographicsvqa_qas", split)
    )


def hub(split: str, name: str) -> HubDataset:
    """The copy on the hub, a configuration of DocVQA's."""
    return HubDataset(
        mirrored("DocVQA"), {split: f"InfographicVQA/{name}"}, ROWS, image_id="image_url", licence=challenge.LICENCE
    )


HUB = {"val": hub("val", "validation"), "test": hub("test", "test")}
TSV = ImageTable(
    {"val": table("InfoVQA_VAL.tsv", SITE, licence=challenge.LICENCE)}, replace(columns(""), target=text_or_texts)
)
RULES = with_smolvlm(
    {
        "official": challenge.official(
            "the competition's script, as OpenGVLab/InternVL has it (infographicsvqa_eval.py)"
        ),
        **challenge.shared("infovqa"),
        "big_vision": challenge.big_vision("infovqa", "answer en {question}", 48),
        "cambrian": challenge.cambrian("infovqa"),
    },
    "brief",
)
INFOVQA = ShortAnswer(
    name="infovqa",
    title="InfographicVQA: questions about infographics (Mathew et al. 2022)",
    about=__doc__,
    sizes=SIZES,
    rules=RULES,
    files=Layouts({"val": (official("val"), TSV, HUB["val"]), "test": (official("test"), HUB["test"])}, HUB),
    answer_files=upload_files(RULES, "questionId"),
    lists=tuple(LISTS),
    needs_image=True,
    withheld_note=challenge.WITHHELD,
)
