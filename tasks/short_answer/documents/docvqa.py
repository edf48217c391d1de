"""DocVQA: questions about pages of scanned documents; what is looked for stands on the page.

Mathew et al., DocVQA: A Dataset for VQA on Document Images, WACV 2021 (arXiv 2007.00398); task 1 of challenge 17 of the
Robust Reading Competition. The answers of test only the server has: `export` writes what it takes. Scores are ANLS;
where `val_v1.0_withQT.json` says what a question is about (a form, a table, the layout), by that, too.
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

SIZES = {"val": Size(5_349), "test": Size(5_188, answers=False)}
IMAGES = ("documents", "spdocvqa_images")


def file_of(row: Row) -> str:
    """The page's file without its folder, which downloads name differently."""
    return PurePosixPath(row.text("image")).name


def page_of(row: Row) -> str:
    """The page that a row of the hub shows."""
    return f"{row.key('ucsf_document_id')}_{row.key('ucsf_document_page_no')}"


ROWS = Columns(id="questionId", answer="answers", lists={"question_type": "question_types"}, hidden_answers=True)
OFFICIAL = replace(ROWS, made={"file": file_of}, made_from=("image",))
HUB_ROWS = replace(ROWS, made={"page": page_of}, made_from=("ucsf_document_id", "ucsf_document_page_no"))


def official(split: str) -> RowFiles:
    """The file of a split, with or without types of questions, and the pages."""
    typed = [f"{split}_v1.0_withQT.json"] if SIZES[split].answers else []
    names, within = [*typed, f"{split}_v1.0.json"], ("spdocvqa_qas", split)
    return challenge.official_files(
        split, SIZES[split], names, (*IMAGES, f"{split}/documents"), OFFICIAL, within=within
    )


def hub(split: str, name: str) -> HubDataset:
    """The copy on the hub."""
    return HubDataset(
        mirrored("DocVQA"), {split: f"DocVQA/{name}"}, HUB_ROWS, image_id="page", licence=challenge.LICENCE
    )


HUB = {"val": hub("val", "validation"), "test": hub("test", "test")}
TSV = ImageTable(
    {"val": table("DocVQA_VAL.tsv", SITE, licence=challenge.LICENCE)}, replace(columns(""), target=text_or_texts)
)
RULES = with_smolvlm(
    {
        "official": challenge.official(
            "the competition's script, as OpenGVLab/InternVL has it (infographicsvqa_eval.py)"
        ),
        **challenge.shared("docvqa"),
        "big_vision": challenge.big_vision("docvqa", "{question}", 32),
        "moondream": challenge.moondream(),
        "cambrian": challenge.cambrian("docvqa"),
    },
    "docvqa",
)
DOCVQA = ShortAnswer(
    name="docvqa",
    title="DocVQA: questions about pages of documents (Mathew et al. 2021)",
    about=__doc__,
    sizes=SIZES,
    rules=RULES,
    files=Layouts({"val": (official("val"), TSV, HUB["val"]), "test": (official("test"), HUB["test"])}, HUB),
    answer_files=upload_files(RULES, "questionId"),
    lists=("question_type",),
    needs_image=True,
    withheld_note=challenge.WITHHELD,
)
