"""OK-VQA: questions about COCO pictures that need knowledge from outside the picture.

Marino et al., OK-VQA: A Visual Question Answering Benchmark Requiring External Knowledge, CVPR 2019 (arXiv
1906.00067). Its val2014 (5,046 questions on 5,033 pictures) is what papers report as its test. Five people answered,
each answer stands twice, stemmed: an answer scores 0, 0.6 or 1. Rules by protocol: vlmbench.parsing.vqa_accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.files import Folder, Hub, unique
from vlmbench.parsing import text as answers
from vlmbench.parsing import vqa_accuracy

from ..families.short_answer import INSTRUCTION, UNANSWERABLE, HumanAnswered, Rules, human_answers, protocols_of
from ..families.vqa_challenge_files import Part, places, read_samples, tags

RULES: Mapping[str, Rules] = {
    "official": Rules(
        "okvqa.allenai.org: GT-Vision-Lab/VQA PythonEvaluationTools/vqaEvaluation/vqaEval.py@a013f004; bare question",
        "{}",
        vqa_accuracy.official,
    ),
    "lmms_eval": Rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/ok_vqa/utils.py@75571cfe",
        "{}" + UNANSWERABLE,
        vqa_accuracy.m4c,
        stop=("ASSISTANT:",),
        upload=answers.m4c_normal,
        note="offers 'Unanswerable' as an answer, which is never right here; the EvalAI processor on both sides",
    ),
    "minigpt_v2": Rules(
        "Vision-CAIR/MiniGPT-4 eval_scripts/eval_vqa.py, minigpt4/datasets/datasets/vqa_datasets.py@d94738a7",
        INSTRUCTION,
        vqa_accuracy.minigpt_v2_okvqa,
        tokens=20,
        note="compares lower-cased texts; its own figures are of a shorter list of questions, never published",
    ),
    "tinygpt_v": Rules(
        "DLYuanGod/TinyGPT-V eval_scripts/eval_vqa.py@83f6189b",
        INSTRUCTION,
        vqa_accuracy.tinygpt_v_okvqa,
        tokens=20,
        note="as minigpt_v2, cut at ###",
    ),
    "lavis": Rules(
        "salesforce/LAVIS lavis/common/vqa_tools/vqa_eval.py, projects/blip2/eval/okvqa_zeroshot_*.yaml@506965b9",
        "Question: {} Short answer:",
        vqa_accuracy.lavis,
        tokens=10,
        beams=5,
        note="people's answers only lose punctuation; five beams; without its lemmatizer",
    ),
    "qwen_vl": Rules(
        "QwenLM/Qwen-VL eval_mm/evaluate_vqa.py, eval_mm/vqa_eval.py@aa00ed04",
        "{} Answer:",
        vqa_accuracy.lavis,
        tokens=10,
        note="scored as lavis",
    ),
}

PARTS: Mapping[str, Part] = {
    "val": Part(
        "val2014",
        ("OpenEnded_mscoco_val2014_questions.json", "questions.json"),
        ("mscoco_val2014_annotations.json", "annotations.json"),
    ),
    "train": Part("train2014", ("OpenEnded_mscoco_train2014_questions.json",), ("mscoco_train2014_annotations.json",)),
}
SIZES: Mapping[str, Size] = {"val": Size(5_046, 5_033), "train": Size(9_009, 8_998)}
PICTURES = {"val": "pictures, 6 GB", "train": "pictures, 13 GB"}
HUB_NAMES = ("lmms-lab/OK-VQA", "lmms-lab-encoder/OK-VQA")
HUB_FIELDS = ("question_id", "question", "answers", "question_type", "answer_type")
SITE = "https://okvqa.allenai.org/static/data"
LICENCE = "CC BY 4.0 (annotations); COCO terms of use, pictures from Flickr under their own licences"


class Okvqa(HumanAnswered):
    """The benchmark, for all its protocols."""

    name = "okvqa"
    title = "OK-VQA: questions about COCO pictures that need outside knowledge (Marino et al. 2019)"
    version = 1
    splits: tuple[str, ...] = tuple(PARTS)
    sizes: Mapping[str, Size] = SIZES
    rules = RULES
    protocols = protocols_of(RULES)
    breakdowns = ("question_type",)

    def required_files(self, split: str) -> Sequence[DataFile]:
        """Questions, annotations and pictures."""
        part, questions, pictures = PARTS[split], f"{SIZES[split].questions:,} questions", PICTURES[split]
        found = []
        for words, names in ((questions, part.questions), ("annotations", part.annotations)):
            first, *others = places(names, "Questions/", "questions/", "Annotations/", "annotations/")
            url = f"{SITE}/{names[0]}.zip"
            found.append(DataFile(first, words, url, licence=LICENCE, split=split, also=tuple(others)))
        url = f"http://images.cocodataset.org/zips/{part.subset}.zip"
        also = (f"images/{part.subset}", "images")
        return [*found, DataFile(part.subset, pictures, url, licence=LICENCE, split=split, also=also)]

    def samples(self, data: Folder | Hub, split: str) -> Sequence[Sample]:
        """All questions of a split, in the file's order."""
        if isinstance(data, Hub):
            return self._from_hub(data, split)
        return read_samples(data.within(self.name), self.name, split, PARTS[split])

    def _from_hub(self, data: Hub, split: str) -> list[Sample]:
        if split != "val":
            raise DataError(f"the hub has OK-VQA's split val only, not {split}", hint="use --data DIR for the other")
        table = data.table(HUB_NAMES, "default", "val2014", (*HUB_FIELDS, "image"))
        found = unique(((row.key("question_id"), row) for row in table.rows(HUB_FIELDS)), "question_id")
        return [
            Sample(
                id=key,
                question=row.text("question"),
                images=(table.picture(index, "image", f"{key}.jpg"),),
                target=human_answers(row),
                tags=tags(row, {}),
                cluster=key,
            )
            for index, (key, row) in enumerate(found.items())
        ]


OKVQA = Okvqa()
