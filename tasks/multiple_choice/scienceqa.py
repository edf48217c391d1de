"""ScienceQA: school questions with two to five options; half of them come with an image.

Lu et al., Learn to Explain, NeurIPS 2022 (arXiv 2209.09513). Files: problems.json, pid_splits.json and images/ of
lupantech/ScienceQA@2cbf8318; or LLaVA's llava_test_CQM-A.json, which has no subjects. `image` is the part of the test
that has images (2,017 questions), what papers call SQA-I; `test` is all of it (4,241).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vlmbench.base.metric import Metric
from vlmbench.base.samples import Sample
from vlmbench.base.task import Size
from vlmbench.data.tables.columns import options_of
from vlmbench.families import prompts
from vlmbench.families.answer_files import AnswerFiles, Format, write_llava
from vlmbench.families.base import Scored, accuracies
from vlmbench.families.multiple_choice import ChoiceRules, MultipleChoice, letters
from vlmbench.parsing import options as readers
from vlmbench.stats.metrics import mean

from . import scienceqa_files


def qcm(sample: Sample) -> str:
    """The official prompt QCM-A with no example before it. Double blanks become single ones, once, as there."""
    options = " ".join(f"({letter}) {text}" for letter, text in options_of(sample).items())
    hint = sample.extra["hint"].strip() or "N/A"
    text = f"Question: {sample.question}\nContext: {hint}\nOptions: {options}\nAnswer:"
    return text.replace("  ", " ").strip()


def qwen_vl(sample: Sample) -> str:
    """Qwen-VL's prompt."""
    hint = sample.extra["hint"] or "N/A"
    return f"Context: {hint}\nQuestion: {sample.question}\nOptions: {prompts.listed(sample)}\nAnswer:"


RULES = {
    "official": ChoiceRules(
        "lupantech/ScienceQA models/base_prompt.py, models/run_gpt3.py, tools/evaluate_acc.py@2cbf8318",
        qcm,
        readers.scienceqa_letter,
        tokens=512,
        note="a lone letter or 'The answer is X.'; anything else is index -1 and wrong (the GPT-3 script draws lots)",
    ),
    "llava": ChoiceRules(
        "haotian-liu/LLaVA llava/eval/eval_science_qa.py@c121f043",
        prompts.llava_context,
        readers.llava_letter,
        note="'B', 'B. ...' or 'The answer is B.'; 'B.', '(B)' and 'b' are wrong",
    ),
    "tinyllava": ChoiceRules(
        "TinyLLaVA/TinyLLaVA_Factory tinyllava/eval/eval_science_qa.py@53f12c78",
        prompts.llava_context,
        readers.llava_letter,
        note="as llava",
    ),
    "lmms_eval": ChoiceRules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/scienceqa/utils.py@75571cfe",
        prompts.llava_context,
        readers.lmms_eval_opening_letter,
        tokens=16,
        note="the letter in either case, or a capital and a full stop at the start",
    ),
    "vlmevalkit": ChoiceRules(
        "open-compass/VLMEvalKit vlmeval/dataset/image_mcq.py, vlmeval/utils/matching_util.py@e8e78f05, exact matching",
        prompts.vlmevalkit,
        readers.vlmevalkit_letter,
        tokens=128,
        note="what its rules leave to a judge is wrong here",
    ),
    "qwen_vl": ChoiceRules(
        "QwenLM/Qwen-VL eval_mm/evaluate_multiple_choice.py@aa00ed04",
        qwen_vl,
        readers.llava_letter,
        tokens=10,
        choices=letters,
        note="the likeliest of the letters",
    ),
}


def metrics(scored: Scored, protocol: str) -> list[Metric]:
    """The groups of evaluate_acc.py. Contexts overlap: a question can have both a text and an image."""
    whole, *bars = accuracies(scored, ("subject", "grades", "topic"))
    contexts: Mapping[str, Callable[[Sample], bool]] = {
        "has_text": lambda sample: bool(sample.extra["has_text"]),
        "has_image": lambda sample: bool(sample.images),
        "no_context": lambda sample: not sample.extra["has_text"] and not sample.images,
    }
    groups: list[Metric] = []
    for name, belongs in contexts.items():
        part = [(sample, score) for sample, score in scored if belongs(sample)]
        values, clusters = [score.value or 0.0 for _, score in part], [sample.cluster for sample, _ in part]
        if name == "has_image" and 0 < len(part) < len(scored):
            groups.append(mean("image_accuracy", values, clusters))
        if part:
            groups.append(mean(f"context_{name}", values, clusters, breakdown="context", label=name))
    return [whole, *groups, *bars]


SCIENCEQA = MultipleChoice(
    name="scienceqa",
    title="ScienceQA: school science questions with options (Lu et al. 2022)",
    about=__doc__,
    sizes={
        "image": Size(2_017, 2_017, note="the questions of test that have an image"),
        "test": Size(4_241, 2_017),
        "val_image": Size(2_097, 2_097, note="the questions of val that have an image"),
        "val": Size(4_241, 2_097),
    },
    rules=RULES,
    files=scienceqa_files,
    answer_files=AnswerFiles(
        read=scienceqa_files.read_answers,
        reads='The official {"results": {pid: index}}, LLaVA\'s answer lines and outputs, or rows of id and text.',
        formats={"official": Format(".json", scienceqa_files.write_results), "llava": Format(".jsonl", write_llava)},
        writes='The official results file: {"results": {pid: index}, "outputs": {pid: text}}, -1 where none was read.',
    ),
    figures=metrics,
)
