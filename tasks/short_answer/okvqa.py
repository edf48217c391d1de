"""OK-VQA: questions about COCO images that need knowledge from outside the image.

Marino et al., OK-VQA: A Visual Question Answering Benchmark Requiring External Knowledge, CVPR 2019 (arXiv
1906.00067). Its val2014 (5,046 questions on 5,033 images) is what papers report as its test. Five people answered,
each answer stands twice, stemmed: an answer scores 0, 0.6 or 1. Rules by protocol: vlmbench.parsing.vqa_accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping

from vlmbench.base.task import Size
from vlmbench.data.official.files import mirrored
from vlmbench.data.official.vqa_challenge import Part, VqaChallenge, coco_part
from vlmbench.families import shared_protocols as protocols
from vlmbench.families.short_answer import UNANSWERABLE, ShortAnswer, ShortAnswerRules, upload_files
from vlmbench.parsing import vqa_accuracy

RULES: Mapping[str, ShortAnswerRules] = {
    "official": ShortAnswerRules(
        "okvqa.allenai.org: GT-Vision-Lab/VQA PythonEvaluationTools/vqaEvaluation/vqaEval.py@a013f004; bare question",
        "{question}",
        vqa_accuracy.official,
    ),
    "lmms_eval": protocols.lmms_eval(
        "ok_vqa/utils.py",
        "{question}" + UNANSWERABLE,
        "offers 'Unanswerable' as an answer, which is never right here; the EvalAI processor on both sides",
    ),
    "minigpt_v2": protocols.minigpt_v2(
        vqa_accuracy.minigpt_v2_okvqa,
        "compares lower-cased texts; its own figures are of a shorter list of questions, never published",
    ),
    "tinygpt_v": protocols.tinygpt_v(vqa_accuracy.tinygpt_v_okvqa, "as minigpt_v2, cut at ###"),
    "lavis": protocols.lavis(
        "lavis/common/vqa_tools/vqa_eval.py, projects/blip2/eval/okvqa_zeroshot_*.yaml",
        "people's answers only lose punctuation; five beams; without its lemmatizer",
    ),
    "qwen_vl": protocols.qwen_vl("scored as lavis"),
}

SIZES: Mapping[str, Size] = {"val": Size(5_046, 5_033), "train": Size(9_009, 8_998)}


def _part(split: str, images: str) -> Part:
    names = (f"OpenEnded_mscoco_{split}2014_questions", f"mscoco_{split}2014_annotations")
    urls = [f"https://okvqa.allenai.org/static/data/{name}.json.zip" for name in names]
    return coco_part(f"{split}2014", SIZES[split].questions, images, urls, plain_names=split == "val")


PARTS: Mapping[str, Part] = {
    "val": _part("val", "images, 6 GB"),
    "train": _part("train", "images, 13 GB"),
}

OKVQA = ShortAnswer(
    name="okvqa",
    title="OK-VQA: questions about COCO images that need outside knowledge (Marino et al. 2019)",
    about=__doc__,
    sizes=SIZES,
    rules=RULES,
    files=VqaChallenge(
        PARTS,
        mirrored("OK-VQA"),
        {"val": "val2014"},
        hub_shares_images=False,
    ),
    answer_files=upload_files(RULES),
    breakdowns=("question_type",),
)
