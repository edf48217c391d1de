"""AI2D: 3,088 questions about diagrams of school books, in three renderings, which are splits here.

Kembhavi et al., A Diagram Is Worth A Dozen Images, ECCV 2016 (arXiv 1603.07396). Where an option is a letter for
a label of the diagram, the picture decides how hard the question is: `mask` paints the labels over with their
letters (VLMEvalKit's AI2D_TEST, lmms-eval's ai2d), `no_mask` writes the letters beside them, `raw` is the picture as
published, with neither. Papers rarely say which; models differ by 6 to 16 points.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from vlmbench.base.samples import Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.files import Folder, Hub, read_object, read_text
from vlmbench.data.tables.columns import Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import kit_table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.families import multiple_choice as protocols
from vlmbench.families import prompts
from vlmbench.families.base import OwnFiles
from vlmbench.families.multiple_choice import SHEETS, MultipleChoice
from vlmbench.families.shared_protocols import smolvlm
from vlmbench.parsing.letters import cambrian, lmms_eval

LICENCE = "CC BY-SA 4.0"
S3 = "https://s3-us-east-2.amazonaws.com/prior-datasets"
ALL = "https://ai2-public-datasets.s3.amazonaws.com/diagrams/ai2d-all.zip"
IDS = ("ai2d_test_ids.csv", "../ai2d_test_ids.csv")
"""Beside the archive's folder, which has the benchmark's name, and is then taken for the data folder."""
PLACES = ("ai2d/", "")
"""Where the archive was unpacked: in the data folder, or as the data folder."""
OFFICIAL = Columns(id="questionId", options="answerTexts", answer="correctAnswer", answer_is="index")


def official(split: str) -> list[DataFile]:
    """The list of test images, and the folder of diagrams and questions."""
    ids = DataFile(IDS[0], "ids of the test images", f"{S3}/{IDS[0]}", licence=LICENCE, also=IDS[1:])
    return [ids, DataFile("ai2d", "diagrams and questions", ALL, licence=LICENCE, also=("questions",))]


def raw(data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
    """The questions of ai2d/questions/ID.png.json, for the test images in the order of their list."""
    assert isinstance(data, Folder)
    found = []
    hint = f"`vlmbench data fetch {task}:raw` gets it"
    for name in read_text(data.need("AI2D's list of test images", *IDS, hint=hint)).split():
        rows = read_object(
            data.need("AI2D's questions", *(f"{place}questions/{name}.png.json" for place in PLACES), hint=hint)
        ).inner("questions")
        for question in rows.values:
            row = rows.inner(question)
            images = (data.image(row, f"{name}.png", *(f"{place}images" for place in PLACES)),)
            asked = type(row)({**row.values, "question": question}, row.file, row.at)
            found.append(OFFICIAL.sample(row.key("questionId"), asked, images, OFFICIAL.choices(row)))
    return found


tsv = partial(kit_table, licence=LICENCE, tags={"category": "category"})


def hub(split: str, *names: str) -> HubDataset:
    """A rendering on the hub."""
    return HubDataset(names, {split: "test"}, Columns(options="options", answer_is="index"), licence=LICENCE)


AI2D = MultipleChoice(
    name="ai2d",
    title="AI2D: multiple choice about diagrams, in three renderings (Kembhavi et al. 2016)",
    about=__doc__,
    sizes={
        "mask": Size(3_088, note="labels painted over with their letters: `w/ mask` in papers"),
        "no_mask": Size(3_088, note="letters beside the labels"),
        "raw": Size(3_088, note="as published"),
    },
    needs_image=True,
    rules={
        "lmms_eval": protocols.lmms_eval(
            "ai2d/utils.py, ai2d.yaml",
            prompts.llava,
            lmms_eval.ai2d,
            "the whole answer must be the letter, case and marks aside, unless it begins with `A.`",
            tokens=16,
        ),
        "vlmevalkit": protocols.vlmevalkit(),
        "smolvlm": smolvlm(protocols.vlmevalkit(), "letter"),
        "cambrian": protocols.cambrian(
            "ai2d", prompts.llava, cambrian.ai2d, "any word that begins with a letter names it; 0 to 3 are options too"
        ),
    },
    files=Layouts(
        {
            "mask": (tsv("mask", "AI2D_TEST.tsv"),),
            "no_mask": (tsv("no_mask", "AI2D_TEST_NO_MASK.tsv"),),
            "raw": (OwnFiles(official, raw),),
        },
        {
            "mask": hub("mask", "lmms-lab/ai2d", "lmms-lab-encoder/ai2d"),
            "no_mask": hub("no_mask", "Efficient-Large-Model/ai2d-no-mask"),
        },
    ),
    answer_files=SHEETS,
    breakdowns=("category",),
)
