"""VizWiz-VQA: what blind people asked about images they took; a third of the questions cannot be answered.

Gurari et al., VizWiz Grand Challenge, CVPR 2018 (arXiv 1802.08218). val (4,319 questions, an image each) is scored
here; the answers of test (8,000) only the server has. Besides accuracy: how well a model knows what cannot be answered.
Rules by protocol: vlmbench.parsing.vqa_accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vlmbench.base.samples import Response, Sample, Score, Status
from vlmbench.families.base import Scored
from vlmbench.families.short_answer import UNANSWERABLE, Capitalised, ShortAnswer, ShortAnswerRules
from vlmbench.parsing import text as answers
from vlmbench.parsing import vqa_accuracy
from vlmbench.parsing.yes_no import is_share
from vlmbench.stats.binary import f1_of_yes
from vlmbench.stats.metrics import Metric, average_precision

from . import vizwiz_files
from .vizwiz_files import RANKED, SAID

_INSTRUCTION = (
    "[vqa] The question is '{question}' Based on the image, answer the question with a single word or phrase. "
    "and reply 'unanswerable' when the provided information is insufficient"
)

RULES: Mapping[str, ShortAnswerRules] = {
    "official": ShortAnswerRules(
        "vizwiz.org VQAEval, as in AttentionX/InstructBLIP_PEFT lavis/common/vqa_tools/vqa_eval_vizwiz.py@97ae217f",
        "{question}",
        vqa_accuracy.vizwiz,
        note='bare question; people\'s answers are not normalised, and "dont" becomes "don’t", which matches nobody',
    ),
    "llava": ShortAnswerRules(
        "haotian-liu/LLaVA scripts/convert_vizwiz_for_submission.py, docs/Evaluation.md@c121f043; then VQAEval",
        Capitalised("{question}" + UNANSWERABLE),
        vqa_accuracy.after_m4c(vqa_accuracy.vizwiz),
        upload=answers.m4c_normal,
        note="answers go through the EvalAI processor before they are uploaded; the question's first letter a capital, "
        "all others small, as in llava_test.jsonl",
    ),
    "lmms_eval": ShortAnswerRules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/vizwiz_vqa/utils.py@75571cfe",
        Capitalised("{question}" + UNANSWERABLE),
        vqa_accuracy.m4c,
        stop=("ASSISTANT:",),
        upload=answers.m4c_normal,
        note="the EvalAI processor on both sides; the question's first letter a capital, all others small",
    ),
    "vlmevalkit": ShortAnswerRules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/vqa_eval.py@e8e78f05 (vqa_score)",
        "{question}",
        vqa_accuracy.vlmevalkit,
        upload=answers.vlmevalkit_normal,
        note="bare question; both sides normalised",
    ),
    "minigpt_v2": ShortAnswerRules(
        "Vision-CAIR/MiniGPT-4 eval_scripts/eval_vqa.py, minigpt4/datasets/datasets/vqa_datasets.py@d94738a7",
        _INSTRUCTION,
        vqa_accuracy.minigpt_v2_vizwiz,
        tokens=20,
        note="equality of lower-cased texts, not stripped; a third for each match",
    ),
    "tinygpt_v": ShortAnswerRules(
        "DLYuanGod/TinyGPT-V eval_scripts/eval_vqa.py@83f6189b",
        _INSTRUCTION,
        vqa_accuracy.tinygpt_v_vizwiz,
        tokens=20,
        note="a text that holds a human answer, or is held in one, matches: an empty answer scores 1",
    ),
    "qwen_vl": ShortAnswerRules(
        "QwenLM/Qwen-VL eval_mm/evaluate_vqa.py, eval_mm/vqa_eval.py@aa00ed04",
        "{question} Answer:",
        vqa_accuracy.lavis,
        tokens=10,
        note="people's answers only lose punctuation",
    ),
    RANKED: ShortAnswerRules(
        "vizwiz.org VQAEval evaluate_unanswerability (task 2), as in InstructBLIP_PEFT; asked as by llava",
        Capitalised("{question}" + UNANSWERABLE),
        vqa_accuracy.vizwiz,
        choices=("unanswerable", "Unanswerable"),
        headline="average_precision",
        note="from P(unanswerable), or from the `answerable` of upload rows; other protocols take the answer's text",
    ),
}

NORMALISED = [RULES[name] for name in ("official", "llava")]
"""Protocols whose scores hold what VizWiz's own normaliser made of the answer."""
MAJORITY = "scored against the majority answer alone, taken as all ten: the data have no other"


@dataclass(frozen=True, eq=False, kw_only=True)
class Vizwiz(ShortAnswer):
    """Short answers; and how well a model knows what cannot be answered (task 2)."""

    def parse(self, sample: Sample, response: Response, rules: ShortAnswerRules) -> str:
        """The answer; under `unanswerability` how likely it is that there is none."""
        return repr(unanswerability(response)) if rules.choices else super().parse(sample, response, rules)

    def rate(self, sample: Sample, response: Response, rules: ShortAnswerRules) -> Score:
        """VQA accuracy; under `unanswerability`, whether P(unanswerable) is on the right side of a half."""
        if not rules.choices:
            return super().rate(sample, response, rules)
        likely = unanswerability(response)
        return Score(float((likely > 0.5) != sample.extra["answerable"]), Status.OK, repr(likely))

    def figures_of(self, scored: Scored, rules: ShortAnswerRules) -> Sequence[Metric]:
        """Accuracy, the average precision and F1 of saying that a question cannot be answered, and the bars."""
        accuracy, *bars = super().figures_of(scored, rules)
        if any(sample.extra["majority"] for sample, _ in scored):
            accuracy = replace(accuracy, note=MAJORITY)
        if rules.choices:
            likely = [float(score.parsed_answer) for _, score in scored]
        else:
            normal = str if rules in NORMALISED else answers.vizwiz_normal  # a second pass can change an answer
            likely = [float(normal(score.parsed_answer) == "unanswerable") for _, score in scored]
        true, clusters = [not sample.extra["answerable"] for sample, _ in scored], [s.cluster for s, _ in scored]
        precision = average_precision("average_precision", true, likely, clusters)
        f1 = f1_of_yes([chance > 0.5 for chance in likely], true, clusters, empty=0.0)
        return [accuracy, precision, f1, *bars]

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """Whether it can be answered said wrong and right, with the answer's own credit."""
        words = ("unanswerable", "") if sample.extra["answerable"] else ("", "unanswerable")
        wrong, right = (repr(float(bool(word))) for word in words) if protocol == RANKED else words
        return Score(0.0, parsed_answer=wrong), Score(1.0, parsed_answer=right)


def unanswerability(response: Response) -> float:
    """How likely it is, to the model, that the question cannot be answered: 0..1.

    From the probability of answering so; from the number of an upload row, or that probability written out; else 1 or
    0 by the text.
    """
    if response.choices:
        return min(1.0, math.fsum(math.exp(choice.logprob) for choice in response.choices))
    if response.text.startswith(SAID):
        return 1.0 - float(response.text.removeprefix(SAID))
    if is_share(response.text):
        return float(response.text)
    return float(answers.vizwiz_normal(response.text) == "unanswerable")


def _upload_row(sample: Sample, text: str, protocol: str) -> dict[str, object]:
    """Task 1 takes answers, task 2 numbers: how sure it is that the question can be answered."""
    if protocol != RANKED:
        return {"image": sample.id, "answer": RULES[protocol].upload(text)}
    text = text.strip()
    known = float(text.removeprefix(SAID)) if text.startswith(SAID) else 1.0 - unanswerability(Response(text))
    return {"image": sample.id, "answerable": known}


VIZWIZ = Vizwiz(
    name="vizwiz",
    title="VizWiz-VQA: questions of blind people about their own images (Gurari et al. 2018)",
    about=__doc__,
    sizes=vizwiz_files.SIZES,
    rules=RULES,
    files=vizwiz_files,
    answer_files=vizwiz_files.answer_files(_upload_row),
    breakdowns=("answer_type",),
    withheld_note="the right answers are not published: only the challenge's server (EvalAI 2185, closed) can score "
    "them",
)
