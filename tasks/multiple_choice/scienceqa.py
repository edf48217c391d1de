"""ScienceQA: school questions with two to five options; half of them come with a picture.

Lu et al., Learn to Explain, NeurIPS 2022 (arXiv 2209.09513). Files: problems.json, pid_splits.json and images/ of
lupantech/ScienceQA@2cbf8318; or LLaVA's llava_test_CQM-A.json, which has no subjects. `image` is the part of the test
that has pictures (2,017 questions), what papers call SQA-I; `test` is all of it (4,241).
Rules by protocol: vlmbench.parsing.options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vlmbench.base.samples import Generation, Request, Response, Sample, Score
from vlmbench.base.task import DataFile, Size, TaskProtocol
from vlmbench.data.files import Folder, Hub
from vlmbench.data.predictions import write_rows
from vlmbench.parsing import options as letters
from vlmbench.stats.metrics import Metric, by_tag, mean

from . import scienceqa_files

LETTERS = "ABCDE"
DIRECT = "\nAnswer with the option's letter from the given choices directly."


@dataclass(frozen=True)
class Rules:
    """One protocol's words and reader."""

    source: str
    prompt: Callable[[Sample], str]
    parse: Callable[[str, Mapping[str, str]], str]
    tokens: int
    ranks: bool = False
    note: str = ""


def _options(sample: Sample) -> dict[str, str]:
    return dict(zip(LETTERS, sample.choices, strict=False))


def _lines(sample: Sample) -> str:
    return "\n".join(f"{letter}. {text}" for letter, text in _options(sample).items())


def _direct(sample: Sample) -> str:
    """Context if there is one, question, options, and LLaVA's request for the letter."""
    hint = sample.extra["hint"]
    context = f"Context: {hint}\n" if hint else ""
    return f"{context}{sample.question}\n{_lines(sample)}{DIRECT}"


def _qcm(sample: Sample) -> str:
    """The official prompt QCM-A with no example before it. Double blanks are made single once, as there."""
    options = " ".join(f"({letter}) {text}" for letter, text in _options(sample).items())
    hint = sample.extra["hint"].strip() or "N/A"
    text = f"Question: {sample.question}\nContext: {hint}\nOptions: {options}\nAnswer:"
    return text.replace("  ", " ").strip()


def _hinted(sample: Sample) -> str:
    hint = f"Hint: {sample.extra['hint']}\n" if sample.extra["hint"] else ""
    close = "Please select the correct answer from the options above. \n"
    return f"{hint}Question: {sample.question}\nOptions:\n{_lines(sample)}\n{close}"


def _context(sample: Sample) -> str:
    hint = sample.extra["hint"] or "N/A"
    return f"Context: {hint}\nQuestion: {sample.question}\nOptions: {_lines(sample)}\nAnswer:"


RULES: Mapping[str, Rules] = {
    "official": Rules(
        "lupantech/ScienceQA models/base_prompt.py, models/run_gpt3.py, tools/evaluate_acc.py@2cbf8318",
        _qcm,
        letters.scienceqa_letter,
        512,
        note="a lone letter or 'The answer is X.'; anything else is index -1 and wrong (the GPT-3 script draws lots)",
    ),
    "llava": Rules(
        "haotian-liu/LLaVA llava/eval/eval_science_qa.py@c121f043",
        _direct,
        letters.llava_letter,
        1024,
        note="'B', 'B. ...' or 'The answer is B.'; 'B.', '(B)' and 'b' are wrong",
    ),
    "tinyllava": Rules(
        "TinyLLaVA/TinyLLaVA_Factory tinyllava/eval/eval_science_qa.py@53f12c78",
        _direct,
        letters.llava_letter,
        1024,
        note="as llava",
    ),
    "lmms_eval": Rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/scienceqa/utils.py@75571cfe",
        _direct,
        letters.lmms_eval_opening_letter,
        16,
        note="the letter in either case, or a capital and a full stop at the start",
    ),
    "vlmevalkit": Rules(
        "open-compass/VLMEvalKit vlmeval/dataset/image_mcq.py, vlmeval/utils/matching_util.py@e8e78f05, exact matching",
        _hinted,
        letters.vlmevalkit_letter,
        128,
        note="what its rules leave to a judge is wrong here",
    ),
    "qwen_vl": Rules(
        "QwenLM/Qwen-VL eval_mm/evaluate_multiple_choice.py@aa00ed04",
        _context,
        letters.llava_letter,
        10,
        ranks=True,
        note="the likeliest of the letters",
    ),
}

PROTOCOLS: Mapping[str, TaskProtocol] = {
    name: TaskProtocol(name, r.source, "accuracy", Generation(max_new_tokens=r.tokens), r.note)
    for name, r in RULES.items()
}


class ScienceQa:
    """The benchmark, for all its protocols."""

    name = "scienceqa"
    title = "ScienceQA: school science questions with options (Lu et al. 2022)"
    version = 1
    splits: tuple[str, ...] = ("image", "test", "val_image", "val")
    sizes: Mapping[str, Size] = {
        "image": Size(2_017, 2_017, note="the questions of test that have a picture"),
        "test": Size(4_241, 2_017),
        "val_image": Size(2_097, 2_097, note="the questions of val that have a picture"),
        "val": Size(4_241, 2_097),
    }
    protocols = PROTOCOLS
    formats: Mapping[str, str] = {"official": ".json", "llava": ".jsonl"}

    def required_files(self, split: str) -> Sequence[DataFile]:
        """Problems, the list of splits, pictures."""
        return scienceqa_files.required_files(split)

    def samples(self, data: Folder | Hub, split: str) -> Sequence[Sample]:
        """The questions of a split, in its order; ids are those of problems.json."""
        if isinstance(data, Hub):
            return scienceqa_files.from_hub(data, split)
        return scienceqa_files.read_questions(data.within(self.name), split)

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The question with its options in the protocol's words."""
        rules = RULES[protocol]
        choices = tuple(_options(sample)) if rules.ranks else ()
        generation = PROTOCOLS[protocol].generation
        return Request(sample.id, rules.prompt(sample), sample.images, choices, generation)

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """Right or wrong; a text that names no option is wrong, as in every script."""
        options = _options(sample)
        ranked = response.choices
        read = letters.likeliest(ranked) if ranked else RULES[protocol].parse(response.text, options)
        read = read if read in options else ""
        note, lacking = ("", "") if read else ("no option was read", "option")
        return Score(float(read == sample.target), parsed_answer=read, note=note, unread=lacking)

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """Accuracy; by subject, context, grade and topic as evaluate_acc.py groups them."""
        return metrics(scored)

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """The official {"results": {pid: index}}, LLaVA's answer lines and outputs, or rows of id and text."""
        return scienceqa_files.read_answers(path, samples)

    def export(self, answers: Mapping[str, str], samples: Sequence[Sample], protocol: str, path: Path) -> None:
        """The official results file: {"results": {pid: index}, "outputs": {pid: text}}, -1 where none was read.

        Or LLaVA's answer lines.
        """
        if path.suffix == ".jsonl":
            write_rows(path, ({"question_id": one.id, "text": answers[one.id]} for one in samples))
            return
        read = {one.id: self.score(one, Response(answers[one.id]), protocol).parsed_answer for one in samples}
        scienceqa_files.write_results({key: LETTERS.find(said or "?") for key, said in read.items()}, answers, path)


def metrics(scored: Sequence[tuple[Sample, Score]]) -> list[Metric]:
    """The official groups. Contexts overlap: a question can have both a text and a picture."""
    values = [score.value or 0.0 for _, score in scored]
    clusters = [sample.cluster for sample, _ in scored]
    made = [mean("accuracy", values, clusters)]
    contexts: Mapping[str, Callable[[Sample], bool]] = {
        "has_text": lambda sample: bool(sample.extra["has_text"]),
        "has_image": lambda sample: bool(sample.images),
        "no_context": lambda sample: not sample.extra["has_text"] and not sample.images,
    }
    for name, belongs in contexts.items():
        at = [index for index, (sample, _) in enumerate(scored) if belongs(sample)]
        picked, inside = [values[i] for i in at], [clusters[i] for i in at]
        if name == "has_image" and 0 < len(at) < len(scored):
            made.append(mean("image_accuracy", picked, inside))
        if at:
            made.append(mean(f"context_{name}", picked, inside, breakdown="context", label=name))
    for name in ("subject", "grades", "topic"):
        at = [index for index, (sample, _) in enumerate(scored) if name in sample.tags]
        labels = [scored[i][0].tags[name] for i in at]
        made += by_tag(name, [values[i] for i in at], labels, [clusters[i] for i in at])
    return made


SCIENCEQA = ScienceQa()
