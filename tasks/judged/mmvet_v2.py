"""MM-Vet v2: 517 open questions, of which many have several images in their text; a seventh capability is their order.

Yu et al., MM-Vet v2, 2024 (arXiv 2408.00765). Files: mm-vet-v2.json and images/ of mm-vet-v2.zip (MM-Vet@acde843e);
questions are parts between <IMG>, a part that ends in .jpg, jpeg or .png (in this case) names an image. Grades, figures
and answer files are those of MM-Vet; the judge's words are v2's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.files import Folder, Hub, Row, read_keyed
from vlmbench.data.images.places import AT_MARKS, MARK, NUMBERED, mark_of, named_in
from vlmbench.data.official.files import data_file, places
from vlmbench.families.base import OwnFiles, Talk
from vlmbench.families.judged import Judged, JudgedRules

from . import mmvet_judge
from .mmvet import ANSWERS, THINK, VERDICTS, figures, reference, sample_of

ZIP = "https://github.com/yuweihao/MM-Vet/releases/download/v2/mm-vet-v2.zip"
HUB = "whyu/mm-vet-v2"
MOST = 18
"""Columns of images on the hub, image_0 to image_17."""
HUB_MARK = re.compile(r"<image_([0-9]{1,2})>")


def _places(name: str) -> list[str]:
    return places([name], "mm-vet-v2/")


def required_files(split: str) -> list[DataFile]:
    """Questions and images."""
    file = partial(data_file, url=ZIP, licence="CC BY-NC 4.0")
    questions = file(_places("mm-vet-v2.json"), "517 questions (mm-vet-v2.zip)")
    return [questions, file(_places("images"), "images (mm-vet-v2.zip)")]


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """All questions; ids are the file's own, `v2_7`."""
    if isinstance(data, Hub):
        return _from_hub(data)
    hint = "it is in mm-vet-v2.zip; `vlmbench data fetch mmvet_v2` gets it"
    path = data.need("MM-Vet v2's question file", *_places("mm-vet-v2.json"), hint=hint)
    here = data.relative(path.parent)
    where = ("images" if here == "." else f"{here}/images", "images", "mm-vet-v2/images")
    found = []
    for key, row in read_keyed(path, "question").items():
        text, names = named_in(row.text("question"))
        images = tuple(data.image(row, name.strip(), *where) for name in names)
        found.append(replace(sample_of(key, row, row.texts("capability"), images), question=text))
    return found


def _from_hub(data: Hub) -> list[Sample]:
    """Questions have <image_0> for the image of the column image_0."""
    fields = ("id", "question", "answer", "capability")
    table = data.table((HUB,), "default", "test", (*fields, "image_0"))
    columns = [name for name in (f"image_{n}" for n in range(MOST)) if name in table.columns]
    found = []
    for index, row in enumerate(table.rows(fields)):
        key, text = row.key("id"), "".join(row.text("question").split("<IMG>"))
        shown = [f"image_{number}" for number in HUB_MARK.findall(text)]
        if absent := [name for name in shown if name not in columns]:
            raise DataError(f"the question has <{absent[0]}>, and there is no such column", where=row.where)
        images = tuple(table.image(index, name, f"{key}_{name}.png") for name in shown)
        marked = text
        for number, name in enumerate(shown, 1):
            marked = marked.replace(f"<{name}>", mark_of(number), 1)
        found.append(replace(sample_of(key, row, _capabilities(row), images), question=marked))
    return found


def _capabilities(row: Row) -> list[str]:
    if isinstance(row.values.get("capability"), list):
        return row.texts("capability")
    return row.text("capability").split(",")


def in_order(sample: Sample) -> str:
    """lmms-eval: the images' marks count from 0; all images come before the text."""
    return MARK.sub(lambda found: f"<image_{int(found[1]) - 1}>", sample.question)


def _asked_to_think(sample: Sample) -> str:
    return THINK + in_order(sample)


def _lmms_eval(sample: Sample, answer: str) -> Talk:
    """As in the first version; the question has its marks."""
    return mmvet_judge.lmms_eval(replace(sample, question=in_order(sample)), answer)


_rules = partial(JudgedRules, tokens=1024, headline="total")
RULES: Mapping[str, JudgedRules] = {
    "official": _rules(
        "yuweihao/MM-Vet v2/mm-vet-v2_evaluator.py@acde843e; bare question, images in their places",
        "{question}",
        mmvet_judge.official_v2,
        judge=mmvet_judge.OFFICIAL_V2,
        images=AT_MARKS,
        note="mean over the judge's runs (paper: five by gpt-4-0613); a reply that is never a number counts as 0",
    ),
    "lmms_eval": _rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mmvetv2/utils.py@75571cfe",
        _asked_to_think,
        _lmms_eval,
        judge=mmvet_judge.LMMS_EVAL,
        note="asks the model to think step by step, all images first; the judge's examples are those of the first "
        "version; an empty or never readable reply counts as 0",
    ),
}

MMVET_V2 = Judged(
    name="mmvet_v2",
    title="MM-Vet v2: integrated capabilities over several images, graded by a judge (Yu et al. 2024)",
    about=__doc__,
    sizes={"test": Size(517)},
    image_mark=NUMBERED,
    rules=RULES,
    files=OwnFiles(required_files, samples),
    answer_files=ANSWERS,
    verdict_files=VERDICTS,
    figures=figures,
    reference=reference,
)
