"""An answer against ten human answers: VQA accuracy as the challenge defines it, and as its peers compute it.

An answer that k of ten people gave scores the mean, over the ten left out one by one, of min(1, matches among the
other nine / 3): 0, 0.3, 0.6, 0.9 and from four on 1. `leave_one_out` is that loop, tabled by which people agree, so
that the last bit is the official one's too. A `Matcher` says what an answer is read as and which people gave it.

Sources:
- VQA PythonEvaluationTools/vqaEvaluation/vqaEval.py@a013f004; mmf mmf/utils/m4c_evaluators.py@b0ffc7fb
- VizWiz VQAEval (Qing Li), as in AttentionX/InstructBLIP_PEFT lavis/common/vqa_tools/vqa_eval_vizwiz.py@97ae217f
- LAVIS lavis/common/vqa_tools/vqa_eval.py@506965b9, the same in Qwen-VL eval_mm/vqa_eval.py@aa00ed04
- lmms-eval lmms_eval/tasks/{vqav2,ok_vqa,textvqa,vizwiz_vqa}/utils.py@75571cfe
- VLMEvalKit vlmeval/dataset/utils/vqa_eval.py@e8e78f05
- MiniGPT-4 eval_scripts/eval_vqa.py, minigpt4/common/vqa_tools/VQA@d94738a7
- TinyGPT-V eval_scripts/eval_vqa.py@83f6189b
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from vlmbench.parsing import text as answers

Humans = tuple[str, ...]
"""The human answers to one question, as its file has them."""
Matcher = Callable[[str, Humans], tuple[str, float]]
"""Answer and human answers to (what the answer was read as, its score in 0..1)."""


@lru_cache(maxsize=1 << 12)
def leave_one_out(agree: int, people: int) -> float:
    """The official loop, for `people` answers of which those at the set bits of `agree` match."""
    total = 0.0
    for left_out in range(people):
        total += min(1, float((agree & ~(1 << left_out)).bit_count()) / 3)
    return total / people


def _score(read: str, humans: Sequence[str]) -> float:
    agree = 0
    if read in humans:
        for place, human in enumerate(humans):
            if human == read:
                agree |= 1 << place
    return leave_one_out(agree, len(humans))


cleaned = lru_cache(maxsize=1 << 18)(answers.vqa_cleaned)


def official(text: str, humans: Humans) -> tuple[str, float]:
    """The VQA challenge: both sides normalised, unless all people agree; then both are taken as they are written."""
    normal = cleaned if _agreed(humans) else answers.vqa_normal
    read = normal(text)
    return read, _score(read, [normal(human) for human in humans])


def _agreed(humans: Humans) -> bool:
    """Whether all people wrote the same, spaces at the ends and kinds of spaces aside."""
    if humans.count(humans[0]) == len(humans):
        return True
    first = cleaned(humans[0])
    return not any(cleaned(human) != first for human in humans)


def after_m4c(match: Matcher) -> Matcher:
    """LLaVA: answers go through the EvalAI processor before they are uploaded."""

    def matcher(text: str, humans: Humans) -> tuple[str, float]:
        return match(answers.m4c_normal(text), humans)

    return matcher


def both_sides(normal: Callable[[str], str]) -> Matcher:
    """Both sides normalised alike, whether people agree or not."""

    def matcher(text: str, humans: Humans) -> tuple[str, float]:
        read = normal(text)
        return read, _score(read, [normal(human) for human in humans])

    return matcher


m4c = both_sides(answers.m4c_normal)
"""TextVQA's own, and lmms-eval's for all but VQAv2."""
vlmevalkit = both_sides(answers.vlmevalkit_normal)
lmms_eval_vqav2 = both_sides(answers.lmms_normal)


def lavis(text: str, humans: Humans) -> tuple[str, float]:
    """LAVIS, Qwen-VL: the answer always normalised; people only lose punctuation, and only where they differ."""
    read = answers.vqa_normal(text)
    if len(set(humans)) == 1:
        return read, _score(read, humans)
    return read, _score(read, [answers.vqa_depunctuated(human) for human in humans])


def case_folded(text: str, humans: Humans) -> tuple[str, float]:
    """MiniGPT-4's copy of the official code, which compares lower-cased texts."""
    normal = cleaned if _agreed(humans) else answers.vqa_normal
    read = normal(text)
    return read, _score(read.lower(), [normal(human).lower() for human in humans])


def minigpt_v2_okvqa(text: str, humans: Humans) -> tuple[str, float]:
    """MiniGPT-v2's OK-VQA: lower-case, `<unk>` out, stripped; then its copy of the official code."""
    return case_folded(text.lower().replace("<unk>", "").strip(), humans)


def tinygpt_v_okvqa(text: str, humans: Humans) -> tuple[str, float]:
    """TinyGPT-V's OK-VQA: the same, cut at `###`.

    Its second cut, after "Assistant:", comes when all is lower-case already and never finds anything.
    """
    return case_folded(text.lower().replace("<unk>", "").strip().split("###")[0].strip(), humans)


def vizwiz(text: str, humans: Humans) -> tuple[str, float]:
    """VizWiz's own: the answer normalised, people's answers as they are written."""
    read = answers.vizwiz_normal(text)
    return read, _score(read, humans)


def _parted(humans: Humans) -> list[str]:
    """MiniGPT-4 joins the human answers by `_` and splits them again: an answer with a `_` becomes two."""
    return "_".join(humans).lower().split("_")


def minigpt_v2_vizwiz(text: str, humans: Humans) -> tuple[str, float]:
    """MiniGPT-v2's VizWiz: lower-cased equality, not stripped; a third for each match."""
    read = text.lower()
    return read, min(_parted(humans).count(read) / 3.0, 1.0)


def tinygpt_v_vizwiz(text: str, humans: Humans) -> tuple[str, float]:
    """TinyGPT-V's VizWiz: a match is also a human answer within the text, or the text within a human answer.

    An empty answer is within all of them and scores 1.
    """
    read = text.split("###")[0].split("Assistant:")[-1].strip().lower()
    return read, min(sum(human in read or read in human for human in _parted(humans)) / 3.0, 1.0)
