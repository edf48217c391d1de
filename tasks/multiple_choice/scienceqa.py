"""ScienceQA: school questions with two to five options; half of them come with an image.

Lu et al., Learn to Explain, NeurIPS 2022 (arXiv 2209.09513). Files: problems.json, pid_splits.json and images/ of
lupantech/ScienceQA@2cbf8318; or LLaVA's llava_test_CQM-A.json, which has no subjects. `image` is the part of the test
that has images (2,017 questions), what papers call SQA-I; `test` is all of it (4,241).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vlmbench.base.metric import Metric
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.answers.predictions import OTHERS, answer_files, id_and_answer, join
from vlmbench.data.files import Folder, Hub, Row
from vlmbench.data.official.files import data_file, mirrored
from vlmbench.data.official.llava_conversations import choice_conversations
from vlmbench.data.official.problems import problems_of
from vlmbench.data.rows import named_columns
from vlmbench.data.tables.columns import options_of
from vlmbench.families import prompts
from vlmbench.families.answer_files import (
    Answer,
    AnswerFiles,
    Format,
    IdTextRow,
    objects_or_rows,
    results_of,
    write_json,
    write_llava,
)
from vlmbench.families.base import OwnFiles, Scored, accuracies, mean_of
from vlmbench.families.multiple_choice import ChoiceRules, MultipleChoice, letter_at, letter_of_place, letters, place_of
from vlmbench.families.shared_protocols import with_smolvlm
from vlmbench.parsing import options as readers

FOLDERS = ("", "data/scienceqa/", "scienceqa/")
PROBLEMS = tuple(f"{folder}problems.json" for folder in FOLDERS)
SPLITS = tuple(f"{folder}pid_splits.json" for folder in FOLDERS)
HUB_NAMES = mirrored("ScienceQA")
HUB_FIELDS = ("question", "choices", "answer", "hint", "grade", "subject", "topic")
RAW = "https://raw.githubusercontent.com/lupantech/ScienceQA/2cbf8318e07b9ece895bb2ae605e71e38d623264/data/scienceqa"
S3 = "https://scienceqa.s3.us-west-1.amazonaws.com/images"
LICENCE = "CC BY-NC-SA 4.0"
LOWER = tuple(f"grade{number}" for number in range(1, 7))


def tier(split: str) -> str:
    """The official split that one of ours is of: `image` is the part of `test` with images."""
    return "test" if split == "image" else split.removesuffix("_image")


def required_files(split: str) -> list[DataFile]:
    """Problems, the list of splits, images."""
    official = tier(split)
    images = (f"images/{official}", f"data/scienceqa/images/{official}", official)
    return [
        data_file(PROBLEMS, "problems (30 MB)", f"{RAW}/problems.json", LICENCE, split),
        data_file(SPLITS, "which problem is in which split", f"{RAW}/pid_splits.json", LICENCE, split),
        data_file(images, f"images of {official}", f"{S3}/{official}.zip", LICENCE, split),
    ]


# ------------------------------------------------------------------------------------------------------- questions
# lupantech/ScienceQA data/scienceqa, tools/evaluate_acc.py@2cbf8318; haotian-liu/LLaVA docs/Evaluation.md,
# llava/eval/eval_science_qa.py@c121f043


def samples(data: Folder | Hub, split: str, task: str = "scienceqa") -> list[Sample]:
    """The questions of a split, in its order; ids are those of problems.json, on the hub the rows' numbers."""
    if isinstance(data, Hub):
        found = _of_hub(data, split)
    elif problems := data.find(*PROBLEMS):
        found = list(_problems(data, problems, tier(split)))
    else:
        name = f"llava_{tier(split)}_CQM-A.json"
        hint = f"`vlmbench data fetch {task}` gets it; {name} of LLaVA's eval.zip will do"
        places = (*PROBLEMS, *(f"{folder}{name}" for folder in FOLDERS))
        found = list(_llava(data, data.need("ScienceQA's problems", *places, hint=hint), tier(split)))
    return found if split == tier(split) else _with_images(found)


def _with_images(samples: Sequence[Sample]) -> list[Sample]:
    """Those with an image. Answers to the others may be in an answer file: files of the whole test are common."""
    others = frozenset(sample.id for sample in samples if not sample.images)
    return [replace(sample, extra={**sample.extra, OTHERS: others}) for sample in samples if sample.images]


def _problems(data: Folder, path: Path, split: str) -> Iterator[Sample]:
    listed, here = data.find(*SPLITS), data.relative(path.parent)
    places = tuple(f"{base}/{folder}{split}" for base in dict.fromkeys((here, ".")) for folder in ("images/", ""))
    for _, pid, row in problems_of(path, "choices", listed, (split,)):
        if "image" not in row.values:  # the official file says null where there is none
            raise row.error("image", "the field is missing", f"the row has: {named_columns('image', row.values)}")
        images = (data.image(row, f"{pid}/{row.text('image')}", *places),) if row.has("image") else ()
        yield sample(pid, row, images)


def sample(key: str, row: Row, images: tuple[ImageRef, ...]) -> Sample:
    """One problem. Without an image it is a cluster of its own."""
    choices, answer, hint = row.texts("choices"), row.integer("answer"), row.text("hint", "")
    target = letter_at(row, choices, answer)
    grade, subject = row.text("grade"), row.text("subject")
    if not re.fullmatch(r"grade([1-9]|1[0-2])", grade):
        raise row.error("grade", f"grade1 to grade12 was expected, not {grade!r:.40}")
    tags = {"subject": subject.removesuffix(" science"), "grades": "1_6" if grade in LOWER else "7_12"}
    tags |= {"grade": grade, "topic": row.text("topic")}
    extra = {"hint": hint, "has_text": bool(hint)}
    return Sample(key, row.text("question"), images, target, tuple(choices), tags, key, extra)


def _llava(data: Folder, path: Path, split: str) -> Iterator[Sample]:
    """LLaVA's question file. Context and question stay one text there; what the question is about is not said."""
    places = (f"images/{split}", split, "images", ".")
    for key, row, question, choices, answer in choice_conversations(path):
        images = (data.image(row, row.text("image"), *places),) if row.has("image") else ()
        extra = {"hint": "", "has_text": question.startswith("Context: ")}
        yield Sample(key, question, images, answer, choices, {}, key, extra)


def _of_hub(data: Hub, split: str) -> list[Sample]:
    official = {"test": "test", "val": "validation"}[tier(split)]
    config = "ScienceQA-FULL" if split == tier(split) else "ScienceQA-IMG"
    table = data.table(HUB_NAMES, config, official, (*HUB_FIELDS, "image"))
    rows = table.rows(HUB_FIELDS)
    images = table.images(("image",), [f"{config}/{number}" for number in range(1, len(rows) + 1)])
    return [sample(str(n), row, shown) for n, (row, shown) in enumerate(zip(rows, images, strict=True), 1)]


# --------------------------------------------------------------------------------------------------------- answers


def read_answers(path: Path, samples: Sequence[Sample], protocol: str = "") -> dict[str, str]:
    """Sample id to text; an index becomes its letter, -1 an empty text. Raises PredictionsError."""
    answers = objects_or_rows(answer_files(path), _of_object, ("question_id", "id"), samples)
    return join(answers, samples, path, "give answers to exactly the questions of this split (scienceqa:test is all)")


def _of_object(content: Mapping[str, Any], path: Path) -> list[IdTextRow]:
    """A results file or LLaVA's output file."""
    row = results_of(content, path)
    parts = [part for name in ("correct", "incorrect") if isinstance(part := content.get(name), list)]
    listed = [item for part in parts for item in part] if len(parts) == 2 else []
    rows = [Row(item if isinstance(item, dict) else {}, str(path), f"item {n}") for n, item in enumerate(listed, 1)]
    if rows and not row.values:
        return list(id_and_answer(rows, ("question_id",)))
    return [(key, letter_of_place(row, key), row) for key in row.values]


def write_results(path: Path, answers: Sequence[Answer]) -> None:
    """The official results file: the place of the option, -1 where none was read."""
    results = {answer.id: place_of(answer.sample, answer.parsed) for answer in answers}
    write_json(path, {"results": results, "outputs": {answer.id: answer.text for answer in answers}})


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
        if name == "has_image" and 0 < len(part) < len(scored):
            groups.append(mean_of("image_accuracy", part))
        if part:
            groups.append(mean_of(f"context_{name}", part, breakdown="context", label=name))
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
    rules=with_smolvlm(RULES, "letter"),
    files=OwnFiles(required_files, samples),
    answer_files=AnswerFiles(
        read=read_answers,
        reads='The official {"results": {pid: index}}, LLaVA\'s answer lines and outputs, or rows of id and text.',
        formats={"official": Format(".json", write_results), "llava": Format(".jsonl", write_llava)},
        writes='The official results file: {"results": {pid: index}, "outputs": {pid: text}}, -1 where none was read.',
    ),
    figures=metrics,
)
