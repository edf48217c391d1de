"""ST-VQA: questions about text in scenes; the answers of its test are on the competition's server alone.

Biten et al., Scene Text Visual Question Answering, ICCV 2019 (arXiv 1905.13648), which brought ANLS; challenge 11 of
the Robust Reading Competition, task 3 (open dictionary). `export` writes what the server takes. Data whose rows have
`answers` all the same, as those of training do, are scored.
"""

from __future__ import annotations

from dataclasses import replace

from vlmbench.base.task import Size
from vlmbench.data.official.files import mirrored
from vlmbench.data.tables.columns import Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.layouts import Layouts
from vlmbench.families.short_answer import ShortAnswer, upload_files

from . import challenge

SIZES = {"test": Size(4_070, answers=False)}
ROWS = Columns(id="question_id", answer="answers", hidden_answers=True)
OFFICIAL = challenge.official_files(
    "test",
    SIZES["test"],
    ("test_task_3.json",),
    (".", "test_task3_imgs", "ST-VQA"),
    replace(ROWS, tags={"dataset": "dataset"}),
    image="file_path",
    challenge=11,
    within=("ST-VQA",),
)
HUB = HubDataset(mirrored("ST-VQA"), {"test": "test"}, ROWS, licence=challenge.LICENCE)
RULES = {
    "official": challenge.official("Biten et al. 2019, as the script of DocVQA's challenge computes it"),
    "lmms_eval": challenge.lmms_eval("stvqa"),
    "big_vision": challenge.big_vision("stvqa", "answer en {question}", 48),
    "cambrian": challenge.cambrian("stvqa"),
}
STVQA = ShortAnswer(
    name="stvqa",
    title="ST-VQA: questions about text in scenes (Biten et al. 2019)",
    about=__doc__,
    sizes=SIZES,
    rules=RULES,
    files=Layouts({"test": (OFFICIAL, HUB)}, {"test": HUB}),
    answer_files=upload_files(RULES),
    breakdowns=("dataset",),
    needs_image=True,
    withheld_note=challenge.WITHHELD,
)
