"""VSR: is a statement about where things are in an image true?

Liu, Emerson, Collier, Visual Spatial Reasoning, TACL 2023 (arXiv 2205.00363). Files: data/splits/{zeroshot,random}/
{test,dev}.jsonl of cambridgeltl/visual-spatial-reasoning@b27a0af0; images: COCO train2017 and val2017. The zero-shot
test has 1,222 statements (README and paper say 616: the released files differ), the random one 2,195.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlmbench.base.task import Size
from vlmbench.families.base import Scored
from vlmbench.families.yes_no import YesNo, YesNoRules, areas
from vlmbench.parsing import yes_no
from vlmbench.parsing.yes_no import TRUE_FALSE, YES_NO
from vlmbench.stats.binary import f1_of_yes
from vlmbench.stats.metrics import Metric, share

from . import vsr_files


def _words_in(parsed: str, word: str) -> float:
    return float(word in parsed.split(" and "))


def _words_in_twice(parsed: str, word: str) -> float:
    """Yes or no besides the right word counts once more, so one item can be 2."""
    twin = dict(zip(TRUE_FALSE, YES_NO, strict=True))[word]
    return _words_in(parsed, word) + _words_in(parsed, twin)


def _areas(scored: Scored) -> Sequence[Metric]:
    """Of P(true), which ranked answers have and answers that were read from text may lack."""
    return areas(scored, "true", [float(score.parsed_answer.partition(" ")[2] or "nan") for _, score in scored])


def _counts(scored: Scored) -> Sequence[Metric]:
    """VLMEvalKit's precision, recall and F1 of yes; all in 0-100 (it prints F1 as a fraction)."""
    clusters = [sample.cluster for sample, _ in scored]
    said = [score.parsed_answer == "yes" for _, score in scored]
    true = [sample.target == "true" for sample, _ in scored]
    both = [a and b for a, b in zip(said, true, strict=True)]
    precision, recall = share("precision", both, said, clusters), share("recall", both, true, clusters)
    return [precision, recall, f1_of_yes(said, true, clusters)]


STATEMENT = "Based on the image, is this statement true or false? {question}"
PRISMATIC = (
    '\nBased on the image, is this statement "True" or "False"? {question}\nRespond with "True" or "False" directly.'
)
_NEITHER = "neither true nor false (nor 1 or 0)"


def _ranked(source: str, prompt: str, note: str) -> YesNoRules:
    return YesNoRules(
        source,
        prompt,
        yes_no.digit_true_false,
        20,
        choices=("True", "False"),
        ranked=yes_no.ranked_true_false,
        unparsed=_NEITHER,
        beside=_areas,
        note=note,
    )


RULES: Mapping[str, YesNoRules] = {
    "official": _ranked(
        "cambridgeltl/visual-spatial-reasoning src/eval.py, analysis_scripts@b27a0af0",
        STATEMENT,
        "the likelier of two answers, as its models' two-way head decides; the words are MiniGPT-v2's",
    ),
    "minigpt_v2": YesNoRules(
        "Vision-CAIR/MiniGPT-4 eval_scripts/eval_vqa.py, minigpt4/datasets/datasets/vqa_datasets.py@d94738a7",
        "[vqa] " + STATEMENT,
        str.lower,
        20,
        credit=lambda parsed, word: float(parsed == word),
        note="lower-case, not stripped: 'True.' is wrong",
    ),
    "tinygpt_v": YesNoRules(
        "DLYuanGod/TinyGPT-V eval_vqa.py@83f6189b",
        "[vqa] " + STATEMENT,
        yes_no.inside_true_false,
        20,
        credit=_words_in,
        note="right if the right word occurs anywhere: 'untrue' says true",
    ),
    "tinygpt_v_scripts": YesNoRules(
        "DLYuanGod/TinyGPT-V eval_scripts/eval_vqa.py@83f6189b",
        "[vqa] " + STATEMENT,
        yes_no.inside_true_false_yes_no,
        20,
        credit=_words_in_twice,
        note="yes or no besides the right word counts a second time: accuracy can exceed 100",
    ),
    "prismatic": _ranked(
        "TRI-ML/vlm-evaluation vlm_eval/tasks/harnesses/vsr.py@d9f58967",
        PRISMATIC,
        "the likelier of True and False, and the areas under both curves of P(True)",
    ),
    "vlmevalkit": YesNoRules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/yorn.py@e8e78f05, exact matching",
        "{question}",
        yes_no.word_yes_no,
        words=YES_NO,
        beside=_counts,
        note="the statement alone is the question; the word yes or the word no, not both",
    ),
}

VSR = YesNo(
    name="vsr",
    title="VSR: true or false statements about where things are (Liu et al. 2023)",
    about=__doc__,
    sizes={
        "zeroshot": Size(1_222, 715, note="the paper says 616; this is what the published file holds"),
        "random": Size(2_195, 1_874),
        "zeroshot_dev": Size(340, 227, note="the paper says 231; this is what the published file holds"),
        "random_dev": Size(1_097, 1_017),
    },
    rules=RULES,
    files=vsr_files,
    answer_files=vsr_files.ANSWERS,
    breakdowns=("category", "relation"),
    words=TRUE_FALSE,
)
