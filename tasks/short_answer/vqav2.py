"""VQAv2: questions about COCO images, each with ten human answers; pairs of images keep blind guessing down.

Goyal et al., Making the V in VQA Matter, CVPR 2017 (arXiv 1612.00837). Files from visualqa.org: val (214,354 questions
on 40,504 images) is scored here; papers report test-dev, whose answers only the server has.
Rules by protocol: vlmbench.parsing.vqa_accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlmbench.base.task import Size
from vlmbench.data.official.files import mirrored
from vlmbench.data.official.vqa_challenge import Part, VqaChallenge, coco_part
from vlmbench.families import shared_protocols as protocols
from vlmbench.families.short_answer import SHORT, ShortAnswer, ShortAnswerRules, upload_files
from vlmbench.parsing import text as answers
from vlmbench.parsing import vqa_accuracy

_LLAVA = vqa_accuracy.after_m4c(vqa_accuracy.official)

RULES: Mapping[str, ShortAnswerRules] = {
    "official": ShortAnswerRules(
        "GT-Vision-Lab/VQA PythonEvaluationTools/vqaEvaluation/vqaEval.py@a013f004; bare question",
        "{question}",
        vqa_accuracy.official,
        note="where all ten people agree nothing is normalised: 'Yes' is then wrong against ten 'yes'",
    ),
    "llava": ShortAnswerRules(
        "haotian-liu/LLaVA scripts/convert_vqav2_for_submission.py, docs/Evaluation.md@c121f043; then vqaEval.py",
        "{question}" + SHORT,
        _LLAVA,
        upload=answers.m4c_normal,
        note="answers go through the EvalAI processor before they are uploaded",
    ),
    "tinyllava": ShortAnswerRules(
        "TinyLLaVA/TinyLLaVA_Factory scripts/convert_vqav2_for_submission.py@53f12c78; then vqaEval.py",
        "{question}" + SHORT,
        _LLAVA,
        upload=answers.m4c_normal,
        note="as llava",
    ),
    "lmms_eval": ShortAnswerRules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/vqav2/utils.py@75571cfe",
        "{question}" + SHORT,
        vqa_accuracy.lmms_eval_vqav2,
        tokens=16,
        upload=answers.lmms_normal,
        note="normalises where people agree, too",
    ),
    "vlmevalkit": protocols.vlmevalkit(
        "{question}" + SHORT,
        "normalises always, '3.' keeps its period; it has no task for VQAv2, only these rules",
    ),
    "lavis": protocols.lavis(
        "lavis/common/vqa_tools/vqa_eval.py, projects/blip2/eval/vqav2_zeroshot_*.yaml",
        "people's answers only lose punctuation; five beams",
    ),
    "qwen_vl": protocols.qwen_vl("scored as lavis"),
}


SIZES: Mapping[str, Size] = {
    "val": Size(214_354, 40_504),
    "test-dev": Size(107_394, answers=False, note="about some of the images of test"),
    "test": Size(447_793, 81_434, answers=False),
    "train": Size(443_757, 82_783),
}


def _part(subset: str, split: str, zipped: Sequence[str], images: str, part_of: str = "") -> Part:
    """`zipped`: of the questions, and of the annotations where they are published."""
    urls = [f"https://s3.amazonaws.com/cvmlp/vqa/mscoco/vqa/v2_{name}_mscoco.zip" for name in zipped]
    count, plain = SIZES[split].questions, split == "val"
    return coco_part(subset, count, images, urls, prefix="v2_", plain_names=plain, part_of=part_of)


PARTS: Mapping[str, Part] = {
    "val": _part("val2014", "val", ("Questions_Val", "Annotations_Val"), "40,504 images, 6 GB"),
    "test-dev": _part("test-dev2015", "test-dev", ("Questions_Test",), "81,434 images of test2015, 12 GB", "test"),
    "test": _part("test2015", "test", ("Questions_Test",), "81,434 images, 12 GB"),
    "train": _part("train2014", "train", ("Questions_Train", "Annotations_Train"), "82,783 images, 13 GB"),
}

VQAV2 = ShortAnswer(
    name="vqav2",
    title="VQAv2: open questions about COCO images, ten human answers each (Goyal et al. 2017)",
    about=__doc__,
    sizes=SIZES,
    rules=RULES,
    files=VqaChallenge(
        PARTS,
        mirrored("VQAv2"),
        {"val": "validation", "test-dev": "testdev", "test": "test", "train": "train"},
    ),
    answer_files=upload_files(RULES),
    breakdowns=("answer_type", "question_type"),
    withheld_note="the right answers are not published: only the challenge's server (EvalAI 830) can score them",
)
