"""TallyQA: how many there are, simple questions (`how many dogs?`) and complex ones (`how many dogs lie on the bed?`).

Acharya et al., TallyQA: Answering Complex Counting Questions, AAAI 2019 (arXiv 1810.12440); images of COCO and Visual
Genome. Accuracy whole, of simple and of complex questions, and by the right number. The root mean square error that the
paper prints beside it needs a number from every answer, and is not computed.
"""

from __future__ import annotations

from vlmbench.base.task import DataFile, Size
from vlmbench.data.official.files import coco_images
from vlmbench.data.rows import Row
from vlmbench.data.tables.columns import Columns, cell
from vlmbench.data.tables.image_table import ImageTable, table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.data.tables.nested_hub import NestedDataset
from vlmbench.data.tables.row_files import RowFiles
from vlmbench.families.short_answer import ShortAnswer, ShortAnswerRules
from vlmbench.parsing.matchers import exact
from vlmbench.parsing.numbers import first_count

from . import protocols

LICENCE = "Apache-2.0; images of COCO and Visual Genome under their own licences"
ZIP = "https://github.com/manoja328/TallyQA_dataset/raw/master/tallyqa.zip"
KIT = "https://huggingface.co/datasets/moondream/TallyQA-VLMEvalKit/resolve/main"
GENOME = "https://cs.stanford.edu/people/rak248/VG_100K_2"


def complexity(row: Row) -> str:
    """What the official file, or a table, says of a question; empty where it does not."""
    said = (cell(row, "issimple") or cell(row, "is_simple")).strip().lower()
    return {"true": "simple", "1": "simple", "false": "complex", "0": "complex"}.get(said, "")


def columns(id_column: str, *needed: str) -> Columns:
    """Columns of the official file and VLMEvalKit's table."""
    made = {"complexity": complexity, "count": lambda row: cell(row, "answer").strip()}
    tags = {"complexity": "complexity", **protocols.COUNT}
    return Columns(id=id_column, made=made, made_from=(*needed, "answer"), answer="count", tags=tags)


OFFICIAL = RowFiles(
    {
        "test": (
            DataFile("test.json", "38,589 questions", ZIP, licence=LICENCE, also=("tallyqa/test.json",)),
            *(coco_images(part, "images of COCO") for part in ("train2014", "val2014")),
            DataFile("VG_100K", "images of Visual Genome", f"{GENOME}/images.zip", licence="CC BY 4.0"),
            DataFile("VG_100K_2", "images of Visual Genome", f"{GENOME}/images2.zip", licence="CC BY 4.0"),
        )
    },
    columns("", "issimple"),
    folders=(".", "images"),
)
TSV = ImageTable({"test": table("tallyqa_data.tsv", KIT, licence=LICENCE)}, columns("index"))
HUB = NestedDataset(("vikhyatk/tallyqa-test",), {"test": "test"}, columns("", "is_simple"), licence=LICENCE)
RULES = {
    "vlmevalkit": ShortAnswerRules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/tallyqa.py@e8e78f05",
        "{question}\nAnswer the question using a single number.",
        exact(first_count),
        note="the first whole number up to 20, or its word, anywhere in the answer: -1 is 1, 2.5 is 2, 21 is none",
    ),
    "big_vision": protocols.big_vision(),
    "moondream": protocols.moondream("tallyqa.py"),
}
TALLYQA = ShortAnswer(
    name="tallyqa",
    title="TallyQA: simple and complex counting questions (Acharya et al. 2019)",
    about=__doc__,
    sizes={"test": Size(38_589, note="22,991 simple, 15,598 complex")},
    rules=RULES,
    files=Layouts({"test": (OFFICIAL, TSV)}, {"test": HUB}),
    breakdowns=("complexity", "count"),
    needs_image=True,
)
