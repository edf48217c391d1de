"""SEED-Bench and SEED-Bench-2-Plus: four options; one ranks the options' texts by likelihood, others read letters.

Li et al., SEED-Bench, CVPR 2024 (arXiv 2307.16125) and SEED-Bench-2-Plus (arXiv 2404.16790). `image` is the part about
images (dimensions 1 to 9); `all` has the questions about videos besides, each asked with its middle frame as LLaVA cuts
it out (NAME.png in SEED-Bench-video-image/). LLaVA-1.5's 58.6 is of `all`, its 66.1 of `image`. The official eval.py
dies before it prints an accuracy; the figures here are what it would be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.answers.nested_rows import listed_rows
from vlmbench.data.answers.predictions import id_and_answer, join, read_plain
from vlmbench.data.reading import is_file
from vlmbench.data.rows import Row
from vlmbench.data.tables.columns import Columns, Part
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import kit_table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.data.tables.row_files import RowFiles
from vlmbench.families import multiple_choice as protocols
from vlmbench.families import prompts
from vlmbench.families.multiple_choice import SHEETS, ChoiceRules, MultipleChoice, texts
from vlmbench.parsing import options as letters
from vlmbench.parsing.letters import cambrian, lmms_eval

SITE = "https://opencompass.openxlab.space/utils/benchmarks/SEEDBench"
HF = "https://huggingface.co/datasets/AILab-CVC/SEED-Bench/resolve/main"
LICENCE = "CC BY-NC 4.0"
TAGS = {"dimension": "question_type_id", "data_type": "data_type"}


def file_of(row: Row) -> str:
    """The image of a question: that of CC3M, or the frame that is named after the question."""
    return row.text("data_id") if row.text("data_type") == "image" else f"{row.text('question_id')}.png"


OPTIONS = tuple(f"choice_{letter}" for letter in "abcd")
HUB_NAMES = ("lmms-lab/SEED-Bench", "lmms-lab-encoder/SEED-Bench")
HUB = Columns(id="question_id", options=OPTIONS, tags=TAGS)
PLUS = Columns(
    id="question_id",
    options=tuple(f"choice_{letter}" for letter in "ABCD"),
    tags={"dimension": "question_image_type", "data_type": "data_type"},
)
OFFICIAL = Columns(
    id="question_id", made={"file": file_of}, made_from=("data_id", "data_type"), options=OPTIONS, tags=TAGS
)
JSON = DataFile("SEED-Bench.json", "questions", f"{HF}/SEED-Bench.json", licence=LICENCE)
IMAGES = DataFile("SEED-Bench-image", "images", f"{HF}/SEED-Bench-image.zip", licence=LICENCE)
FRAMES = DataFile("SEED-Bench-video-image", "middle frames of the videos", how="LLaVA docs/Evaluation.md")
IMAGE_PART = {"image": Part("data_type", ("image",))}
tsv = partial(kit_table, licence=LICENCE, site=SITE, tags={"dimension": "category"})


def rows(split: str, *images: DataFile) -> RowFiles:
    """The official file."""
    folders = (*(file.path for file in images), ".")
    return RowFiles({split: (JSON, *images)}, OFFICIAL, "file", folders, listed_in="questions", only=IMAGE_PART)


IDS, TWICE = ("index", "question_id", "id"), 8
"""Columns that may name the question; how many have two answers in the official results."""


def read(path: Path, samples: Sequence[Sample], protocol: str = "") -> Mapping[str, str]:
    """Sample id to text. Raises PredictionsError.

    The official results of GPT-4V have eight questions twice, four of them with two answers: the first one counts, in
    any form of file with at most as many. They have all questions: those about videos, `v123`, are passed over where
    the split has none.
    """
    rows = listed_rows(path) if is_file(path) else []
    found = list(id_and_answer(rows, IDS, samples)) if rows else read_plain(path, IDS, samples, ("answer", "ans"))
    first = {answer[0]: answer for answer in reversed(found)}
    twice = [key for key, count in Counter(key for key, *_ in found).items() if count > 1]
    if len(twice) > TWICE:
        try:
            return join(found, samples, path)
        except PredictionsError as error:
            rule = (
                f"{len(twice):,} questions have two answers; of up to {TWICE}, as in the official results, the first "
            )
            raise PredictionsError(error.what, where=error.where, hint=f"{error.hint}\n{rule}counts") from None
    if not any(sample.id.startswith("v") for sample in samples):
        first = {key: answer for key, answer in first.items() if not key.startswith("v")}
    return join(first.values(), samples, path)


RULES = {
    "official": ChoiceRules(
        "AILab-CVC/SEED-Bench eval.py, model/instruct_blip_interface.py@991e849b",
        "Question: {question}\nAnswer:",
        letters.ranked_option,
        choices=texts,
        note="the options' texts are ranked by likelihood, summed over tokens or as the model's loss; no letters",
    ),
    "llava": ChoiceRules(
        "haotian-liu/LLaVA scripts/convert_seed_for_submission.py@c121f043",
        prompts.llava,
        letters.llava_seed_letter,
        tokens=128,
        note="the answer must be the letter to the character",
    ),
    "lmms_eval": protocols.lmms_eval(
        "seedbench/utils.py", prompts.llava, lmms_eval.seedbench, "the first character counts", stop=("ASSISTANT:",)
    ),
    "vlmevalkit": protocols.vlmevalkit(),
    "cambrian": protocols.cambrian(
        "seed", prompts.cambrian, cambrian.first_character, "any word that begins with a letter names it"
    ),
}
SEEDBENCH = MultipleChoice(
    name="seedbench",
    title="SEED-Bench: multiple choice in twelve dimensions (Li et al. 2024)",
    about=__doc__,
    sizes={
        "image": Size(14_232, note="LLaVA counts 14,233"),
        "all": Size(17_990, note="with 3,757 questions about videos"),
        "plus": Size(2_277, note="SEED-Bench-2-Plus: charts, maps, web pages"),
    },
    needs_image=True,
    rules=RULES,
    files=Layouts(
        {
            "image": (rows("image", IMAGES), tsv("image", "SEEDBench_IMG.tsv")),
            "all": (rows("all", IMAGES, FRAMES),),
            "plus": (tsv("plus", "SEEDBench2_Plus.tsv"),),
        },
        {
            "image": HubDataset(HUB_NAMES, {"image": "test"}, HUB, only=IMAGE_PART, licence=LICENCE),
            "plus": HubDataset(("doolayer/SEED-Bench-2-Plus",), {"plus": "test"}, PLUS, licence=LICENCE),
        },
    ),
    answer_files=replace(
        SHEETS,
        read=read,
        reads=f"The official results of GPT-4V. {SHEETS.reads} Where up to eight questions have two answers, as there, "
        "the first one counts.",
    ),
    breakdowns=("data_type", "dimension"),
)
