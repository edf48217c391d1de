"""MME: is it so? Pairs of yes/no questions about one image, fourteen subtasks, perception and cognition.

Fu et al., MME: A Comprehensive Evaluation Benchmark for Multimodal Large Language Models (arXiv 2306.13394).
Files: MME_Benchmark_release_version/SUBTASK, from the authors on request; results as eval_tool.zip of
BradyFU/Awesome-Multimodal-Large-Language-Models, branch Evaluation@dd295090, has them. Names of images repeat over
subtasks, so an image is SUBTASK/NAME.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from vlmbench.base.samples import Sample
from vlmbench.base.task import Size
from vlmbench.families.short_answer import SHORT
from vlmbench.families.yes_no import YesNo, YesNoRules
from vlmbench.parsing import yes_no

from . import mme_files, mme_metrics

_PLEASE = "Please answer yes or no."


def _shortened(sample: Sample) -> str:
    """LLaVA's question file: the closing sentence goes, with whatever blanks are before it."""
    return sample.question.replace(_PLEASE, "").strip() + SHORT


def _shortened_once(sample: Sample) -> str:
    """lmms-eval: only a sentence with one blank before it is found cleanly; a second blank stays."""
    return sample.question.strip().replace(" " + _PLEASE, "") + SHORT


_rules = partial(YesNoRules, headline="perception")

RULES: Mapping[str, YesNoRules] = {
    "official": _rules(
        "BradyFU/Awesome-Multimodal-Large-Language-Models tools/eval_tool.zip calculation.py@dd295090 (Evaluation)",
        "{question}",
        yes_no.opening_yes_no,
        note="yes or no must begin within the first four characters, blanks counted; anything else is wrong",
    ),
    "llava": _rules(
        "haotian-liu/LLaVA docs/Evaluation.md@c121f043, MME's convert_answer_to_mme.py, then calculation.py",
        _shortened,
        yes_no.opening_yes_no,
        note="asks for a single word or phrase; the papers' MME is perception alone",
    ),
    "tinyllava": _rules(
        "TinyLLaVA/TinyLLaVA_Factory scripts/eval/mme.sh@53f12c78, then calculation.py",
        _shortened,
        yes_no.opening_yes_no,
        note="as llava",
    ),
    "lmms_eval": _rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mme/utils.py@75571cfe",
        _shortened_once,
        yes_no.opening_yes_no_stripped,
        16,
        note="stripped, full stops deleted, y and n accepted; seven questions keep a stray blank in their prompt",
    ),
    "vlmevalkit": _rules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/yorn.py@e8e78f05, exact matching",
        "{question}",
        yes_no.word_yes_no,
        note="the word yes or the word no anywhere, not both; its reasoning is our cognition",
    ),
}

MME = YesNo(
    name="mme",
    title="MME: pairs of yes/no questions on perception and cognition (Fu et al. 2023)",
    about=__doc__,
    sizes={"test": Size(2_374, 1_187, note="a yes and a no to each image of a subtask; some images are in several")},
    rules=RULES,
    files=mme_files,
    answer_files=mme_files.ANSWERS,
    figures=mme_metrics.metrics,
)
