"""VQAv2: questions about COCO pictures, each with ten human answers; pairs of pictures keep blind guessing down.

Goyal et al., Making the V in VQA Matter, CVPR 2017 (arXiv 1612.00837). Files from visualqa.org: val (214,354 questions
on 40,504 pictures) is scored here; papers report test-dev, whose answers only the server has.
Rules by protocol: vlmbench.parsing.vqa_accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.files import Folder, Hub, Row, unique
from vlmbench.parsing import text as answers
from vlmbench.parsing import vqa_accuracy

from ..families.short_answer import SHORT, HumanAnswered, Rules, human_answers, protocols_of
from ..families.vqa_challenge_files import Part, places, question_ids, read_samples, tags

_LLAVA = vqa_accuracy.after_m4c(vqa_accuracy.official)

RULES: Mapping[str, Rules] = {
    "official": Rules(
        "GT-Vision-Lab/VQA PythonEvaluationTools/vqaEvaluation/vqaEval.py@a013f004; bare question",
        "{}",
        vqa_accuracy.official,
        note="where all ten people agree nothing is normalised: 'Yes' is then wrong against ten 'yes'",
    ),
    "llava": Rules(
        "haotian-liu/LLaVA scripts/convert_vqav2_for_submission.py, docs/Evaluation.md@c121f043; then vqaEval.py",
        "{}" + SHORT,
        _LLAVA,
        upload=answers.m4c_normal,
        note="answers go through the EvalAI processor before they are uploaded",
    ),
    "tinyllava": Rules(
        "TinyLLaVA/TinyLLaVA_Factory scripts/convert_vqav2_for_submission.py@53f12c78; then vqaEval.py",
        "{}" + SHORT,
        _LLAVA,
        upload=answers.m4c_normal,
        note="as llava",
    ),
    "lmms_eval": Rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/vqav2/utils.py@75571cfe",
        "{}" + SHORT,
        vqa_accuracy.lmms_eval_vqav2,
        tokens=16,
        upload=answers.lmms_normal,
        note="normalises where people agree, too",
    ),
    "vlmevalkit": Rules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/vqa_eval.py@e8e78f05 (vqa_score)",
        "{}" + SHORT,
        vqa_accuracy.vlmevalkit,
        upload=answers.vlmevalkit_normal,
        note="normalises always, '3.' keeps its period; it has no task for VQAv2, only these rules",
    ),
    "lavis": Rules(
        "salesforce/LAVIS lavis/common/vqa_tools/vqa_eval.py, projects/blip2/eval/vqav2_zeroshot_*.yaml@506965b9",
        "Question: {} Short answer:",
        vqa_accuracy.lavis,
        tokens=10,
        beams=5,
        note="people's answers only lose punctuation; five beams",
    ),
    "qwen_vl": Rules(
        "QwenLM/Qwen-VL eval_mm/evaluate_vqa.py, eval_mm/vqa_eval.py@aa00ed04",
        "{} Answer:",
        vqa_accuracy.lavis,
        tokens=10,
        note="scored as lavis",
    ),
}

HUB_NAMES = ("lmms-lab/VQAv2", "lmms-lab-encoder/VQAv2")
HUB_SPLITS = {"val": "validation", "test-dev": "testdev", "test": "test"}
HUB_FIELDS = ("question_id", "image_id", "question", "answers", "question_type", "answer_type")
SITE = "https://s3.amazonaws.com/cvmlp/vqa/mscoco/vqa/v2"
LICENCE = "CC BY 4.0 (annotations); COCO terms of use, pictures from Flickr under their own licences"


def _questions(subset: str) -> tuple[str, ...]:
    return (f"v2_OpenEnded_mscoco_{subset}_questions.json", "questions.json")


def _annotations(subset: str) -> tuple[str, ...]:
    return (f"v2_mscoco_{subset}_annotations.json", "annotations.json")


PARTS: Mapping[str, Part] = {
    "val": Part("val2014", _questions("val2014"), _annotations("val2014")),
    "test-dev": Part("test2015", _questions("test-dev2015")[:1]),
    "test": Part("test2015", _questions("test2015")[:1]),
    "train": Part("train2014", _questions("train2014")[:1], _annotations("train2014")[:1]),
}
ZIPS = {"val": "Val", "test-dev": "Test", "test": "Test", "train": "Train"}
SIZES: Mapping[str, Size] = {
    "val": Size(214_354, 40_504),
    "test-dev": Size(107_394, answers=False, note="about some of the pictures of test"),
    "test": Size(447_793, 81_434, answers=False),
    "train": Size(443_757, 82_783),
}
PICTURES = {
    "val": "40,504 pictures, 6 GB",
    "test-dev": "81,434 pictures of test2015, 12 GB",
    "test": "81,434 pictures, 12 GB",
    "train": "82,783 pictures, 13 GB",
}


class Vqav2(HumanAnswered):
    """The benchmark, for all its protocols."""

    name = "vqav2"
    title = "VQAv2: open questions about COCO pictures, ten human answers each (Goyal et al. 2017)"
    version = 1
    splits: tuple[str, ...] = tuple(PARTS)
    sizes: Mapping[str, Size] = SIZES
    rules = RULES
    protocols = protocols_of(RULES)
    breakdowns = ("answer_type", "question_type")
    server = "the challenge's server (EvalAI 830)"

    def required_files(self, split: str) -> Sequence[DataFile]:
        """Questions, annotations where they are published, and pictures."""
        part, zipped = PARTS[split], ZIPS[split]
        questions, pictures = f"{SIZES[split].questions:,} questions", PICTURES[split]
        files = [
            ("Questions", f"{questions}", part.questions),
            *([("Annotations", "annotations", part.annotations)] if part.annotations else []),
        ]
        found = []
        for what, words, names in files:
            first, *others = places(names, f"{what}/", f"{what.lower()}/")
            url = f"{SITE}_{what}_{zipped}_mscoco.zip"
            found.append(DataFile(first, words, url, licence=LICENCE, split=split, also=tuple(others)))
        if split == "test-dev":  # the server takes answers to all of test2015, and scores these
            first, *others = places(PARTS["test"].questions, "Questions/", "questions/")
            words = "ids of test2015, which upload files answer with nothing"
            url = f"{SITE}_Questions_Test_mscoco.zip"
            also = tuple(others)
            found.append(DataFile(first, words, url, licence=LICENCE, split=split, also=also, optional=True))
        url = f"http://images.cocodataset.org/zips/{part.subset}.zip"
        also = (f"images/{part.subset}", "images")
        return [*found, DataFile(part.subset, pictures, url, licence=LICENCE, split=split, also=also)]

    def samples(self, data: Folder | Hub, split: str) -> Sequence[Sample]:
        """All questions of a split, in the file's order; without human answers where they are not published."""
        if isinstance(data, Hub):
            return self._from_hub(data, split)
        data = data.within(self.name)
        found = read_samples(data, self.name, split, PARTS[split])
        whole = data.find(*places(PARTS["test"].questions, "Questions/", "questions/"))
        if split != "test-dev" or whole is None:
            return found
        asked = {sample.id for sample in found}
        others = dict.fromkeys(key for key in question_ids(whole) if key not in asked)
        return [replace(sample, extra={"_unasked": others}) for sample in found]

    def _from_hub(self, data: Hub, split: str) -> list[Sample]:
        table = data.table(HUB_NAMES, "default", HUB_SPLITS.get(split, split), (*HUB_FIELDS, "image"))
        rows = table.rows(HUB_FIELDS)
        pictures: dict[str, ImageRef] = {}
        for index, row in enumerate(rows):
            if row.key("image_id") not in pictures:
                name = f"COCO_{PARTS[split].subset}_{row.integer('image_id'):012d}.jpg"
                pictures[row.key("image_id")] = table.picture(index, "image", name)
        found = unique(((row.key("question_id"), row) for row in rows), "question_id")
        return [_hub_sample(key, row, pictures[row.key("image_id")]) for key, row in found.items()]


def _hub_sample(key: str, row: Row, picture: ImageRef) -> Sample:
    known = row.has("answers")
    return Sample(
        id=key,
        question=row.text("question"),
        images=(picture,),
        target=human_answers(row) if known else None,
        tags=tags(row, {}) if known else {},
        cluster=row.key("image_id"),
    )


VQAV2 = Vqav2()
