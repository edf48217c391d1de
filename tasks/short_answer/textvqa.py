"""TextVQA: questions whose answers are written in the image, ten human answers each.

Singh et al., Towards VQA Models That Can Read, CVPR 2019 (arXiv 1904.08920); images from OpenImages. Its val (5,000
questions on 3,166 images, which lie among those of train) is what papers report. A model may be shown words that an
OCR system found: with them and without are different figures, so they are different protocols.
Rules by protocol: vlmbench.parsing.vqa_accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Sample
from vlmbench.families.base import filled
from vlmbench.families.short_answer import SHORT, Capitalised, ShortAnswer, ShortAnswerRules
from vlmbench.parsing import text as answers
from vlmbench.parsing import vqa_accuracy

from . import textvqa_files


def _with_ocr(sample: Sample) -> str:
    """The question and the words that an OCR system found. Raises DataError where there are none to be had."""
    if sample.extra["ocr"] is None:
        hint = f"put {textvqa_files.ocr_places('val')[0]} beside the questions, or use textvqa@llava_no_ocr"
        what = "this protocol shows OCR tokens, which the data lack"
        raise DataError(what, where=f"question {sample.id}", hint=hint)
    return filled("{question}\nReference OCR token: {ocr}" + SHORT, sample)


RULES: Mapping[str, ShortAnswerRules] = {
    "official": ShortAnswerRules(
        "facebookresearch/mmf mmf/utils/m4c_evaluators.py@b0ffc7fb; bare question",
        "{question}",
        vqa_accuracy.m4c,
        note="no OCR tokens in the prompt",
    ),
    "llava": ShortAnswerRules(
        "haotian-liu/LLaVA llava/eval/eval_textvqa.py, m4c_evaluator.py@c121f043; llava_textvqa_val_v051_ocr.jsonl",
        Capitalised(_with_ocr),
        vqa_accuracy.m4c,
        note="with OCR tokens in the prompt (LLaVA-1.5's 58.2); "
        "the question's first letter a capital, all others small",
    ),
    "tinyllava": ShortAnswerRules(
        "TinyLLaVA/TinyLLaVA_Factory tinyllava/eval/eval_textvqa.py@53f12c78",
        Capitalised(_with_ocr),
        vqa_accuracy.m4c,
        note="as llava: with OCR tokens in the prompt",
    ),
    "llava_no_ocr": ShortAnswerRules(
        "haotian-liu/LLaVA issue 1326: how LLaVA-1.6's figures were made; llava/eval/eval_textvqa.py@c121f043",
        Capitalised("{question}" + SHORT),
        vqa_accuracy.m4c,
        note="no OCR tokens in the prompt (LLaVA-1.6's 64.9); the question's letters as llava",
    ),
    "lmms_eval": ShortAnswerRules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/textvqa/utils.py@75571cfe, ocr: false",
        Capitalised("{question}" + SHORT),
        vqa_accuracy.m4c,
        stop=("ASSISTANT:",),
        upload=answers.m4c_normal,
        note="no OCR tokens; the question's first letter a capital, all others small",
    ),
    "lmms_eval_ocr": ShortAnswerRules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/textvqa/utils.py@75571cfe, ocr: true",
        Capitalised(_with_ocr),
        vqa_accuracy.m4c,
        stop=("ASSISTANT:",),
        upload=answers.m4c_normal,
        note="as lmms_eval, with OCR tokens in the prompt",
    ),
    "vlmevalkit": ShortAnswerRules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/vqa_eval.py@e8e78f05 (vqa_score)",
        "{question}" + SHORT,
        vqa_accuracy.vlmevalkit,
        upload=answers.vlmevalkit_normal,
        note="no OCR tokens; no rule for 's or commas",
    ),
    "qwen_vl": ShortAnswerRules(
        "QwenLM/Qwen-VL eval_mm/evaluate_vqa.py, eval_mm/vqa_eval.py@aa00ed04",
        "{question} Answer:",
        vqa_accuracy.lavis,
        tokens=10,
        note="no OCR tokens; people's answers only lose punctuation",
    ),
}


TEXTVQA = ShortAnswer(
    name="textvqa",
    title="TextVQA: questions about text in images, ten human answers each (Singh et al. 2019)",
    about=__doc__,
    sizes=textvqa_files.SIZES,
    rules=RULES,
    files=textvqa_files,
    answer_files=textvqa_files.answer_files(RULES),
    withheld_note="the right answers are not published: only the challenge's server (closed) can score them",
)
