"""TextVQA: questions whose answers are written in the image, ten human answers each.

Singh et al., Towards VQA Models That Can Read, CVPR 2019 (arXiv 1904.08920); images from OpenImages. Its val (5,000
questions on 3,166 images, which lie among those of train) is what papers report. A model may be shown words that an
OCR system found: with them and without are different figures, so they are different protocols.
Rules by protocol: vlmbench.parsing.vqa_accuracy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.answers.predictions import answer_text, find_column, id_and_answer, join, read_files
from vlmbench.data.answers.unnumbered_answers import Unanswered
from vlmbench.data.files import Folder, Hub, Row
from vlmbench.data.official.files import by_key, data_file, hub_questions, mirrored, places, rows_of_list
from vlmbench.data.official.ocr_tokens import TOKENS, joined_tokens, ocr_tokens
from vlmbench.data.official.vqa_challenge import human_answers
from vlmbench.families import shared_protocols as protocols
from vlmbench.families.answer_files import AnswerFiles
from vlmbench.families.base import OwnFiles, filled
from vlmbench.families.short_answer import SHORT, Capitalised, ShortAnswer, ShortAnswerRules, upload_files
from vlmbench.parsing import vqa_accuracy

SIZES: Mapping[str, Size] = {
    "val": Size(5_000, 3_166),
    "test": Size(5_734, 3_289, answers=False),
    "train": Size(34_602, 21_953),
}
HUB_FIELDS = ("question_id", "image_id", "question", "answers", TOKENS)
SITE = "https://dl.fbaipublicfiles.com/textvqa"
LICENCE = "CC BY 4.0 (annotations); images: OpenImages, CC BY 2.0"
PEOPLE = 10
"""The official scorer refuses any other number of answers."""


def _question_places(split: str) -> list[str]:
    return places([f"TextVQA_0.5.1_{split}.json"], "data/", "annotations/")


def ocr_places(split: str) -> list[str]:
    """Where the words found by OCR may lie, the official file first."""
    names = (f"TextVQA_Rosetta_OCR_v0.2_{split}.json", f"llava_textvqa_{split}_v051_ocr.jsonl")
    return places(names, "data/", "annotations/")


def _image_folder(split: str) -> str:
    return "test_images" if split == "test" else "train_images"


def required_files(split: str) -> list[DataFile]:
    """Questions with answers, OCR tokens, and images."""
    size, folder = SIZES[split], _image_folder(split)
    weight = {"val": "among those of train, 7 GB", "test": "1 GB", "train": "7 GB"}[split]
    zipped = "test_images.zip" if split == "test" else "train_val_images.zip"
    questions, ocr, images = _question_places(split), ocr_places(split), (folder, f"images/{folder}", "images")
    words = "words found by OCR, for the protocols that show them"
    return [
        data_file(questions, f"{size.questions:,} questions", f"{SITE}/data/{questions[0]}", LICENCE, split),
        data_file(ocr, words, f"{SITE}/data/{ocr[0]}", LICENCE, split, optional=True),
        data_file(images, f"{size.images:,} images, {weight}", f"{SITE}/images/{zipped}", LICENCE, split),
    ]


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """All questions of a split, in the file's order; without human answers where they are not published."""
    if isinstance(data, Hub):
        return _from_hub(data, split)
    hint = f"`vlmbench data fetch textvqa:{split}` gets it"
    path = data.need(f"TextVQA's question file of {split}", *_question_places(split), hint=hint)
    ocr, folder = ocr_tokens(data.find(*ocr_places(split))), _image_folder(split)
    where = (folder, f"images/{folder}", "images", ".")
    return [
        _sample(key, row, data.image(row, f"{row.key('image_id')}.jpg", *where, field="image_id"), ocr(row))
        for key, row in by_key(rows_of_list(path, "data")[1], "question_id").items()
    ]


def _from_hub(data: Hub, split: str) -> list[Sample]:
    hub_split = {"val": "validation"}.get(split, split)
    rows = hub_questions(data, mirrored("textvqa"), hub_split, HUB_FIELDS, lambda row: f"{row.key('image_id')}.jpg")
    return [_sample(key, row, image, joined_tokens(row) if row.has(TOKENS) else None) for key, row, image in rows]


def _sample(key: str, row: Row, image: ImageRef, ocr: str | None) -> Sample:
    humans = human_answers(row) if row.values.get("answers") else None
    if humans is not None and len(humans) != PEOPLE:
        raise row.error("answers", f"{len(humans)} answers, where the official scorer demands {PEOPLE}")
    about = row.key("image_id")
    return Sample(key, row.text("question"), (image,), humans, cluster=about, extra={"ocr": ocr, "image_id": about})


# --------------------------------------------------------------------------------------------------------- answers


def answer_files(rules: Mapping[str, ShortAnswerRules]) -> AnswerFiles:
    """The upload files of the challenge; LLaVA's lines are read too."""
    reads = "LLaVA's answer lines (image id and prompt), upload rows (question_id, answer), or rows of id and text."
    return replace(upload_files(rules), read=_read, reads=reads)


def question_of(prompt: str) -> str | None:
    """The question in a LLaVA prompt, lower-cased, as its scorer finds it again; None where that one gives up."""
    if prompt.startswith("OCR tokens: "):
        found = re.search(r"Question: (.*?) Short answer:", prompt, re.DOTALL)
        return found[1].lower() if found else None
    lines = prompt.split("\n")
    if "Reference OCR token: " in prompt and len(lines) == 3:
        return lines[1 if prompt.startswith("Reference OCR token:") else 0].lower()
    return lines[0].lower() if len(lines) == 2 else None


def _read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
    return join(_answers(read_files(path), samples), samples, path)


def _answers(files: Sequence[Sequence[Row]], samples: Sequence[Sample]) -> Iterator[tuple[str, str, Row]]:
    waiting = Unanswered(samples, lambda sample: (sample.extra["image_id"], sample.question.lower()))
    numbers = {sample.id for sample in samples}
    for rows in files:
        found = list(id_and_answer(rows, ("question_id", "id"), samples))
        prompt = find_column(rows, "prompt")
        if not prompt or all(key in numbers for key, _, _ in found):
            yield from found
            continue
        for image, text, row in found:
            question = question_of(answer_text(row, prompt))
            if question is None:
                what = "the prompt is none of those the scorer knows a question in"
                raise PredictionsError(what, where=row.where, hint="name questions by number: question_id and answer")
            sample = waiting.take((image, question))
            yield sample.id if sample else f"image {image}, {question!r}", text, row


def _with_ocr(sample: Sample) -> str:
    """The question and the words that an OCR system found. Raises DataError where there are none to be had."""
    if sample.extra["ocr"] is None:
        hint = f"put {ocr_places('val')[0]} beside the questions, or use textvqa@llava_no_ocr"
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
    "lmms_eval": protocols.lmms_eval(
        "textvqa/utils.py, ocr: false",
        Capitalised("{question}" + SHORT),
        "no OCR tokens; the question's first letter a capital, all others small",
    ),
    "lmms_eval_ocr": protocols.lmms_eval(
        "textvqa/utils.py, ocr: true",
        Capitalised(_with_ocr),
        "as lmms_eval, with OCR tokens in the prompt",
    ),
    "vlmevalkit": protocols.vlmevalkit("{question}" + SHORT, "no OCR tokens; no rule for 's or commas"),
    "qwen_vl": protocols.qwen_vl("no OCR tokens; people's answers only lose punctuation"),
}
ALL_RULES = protocols.with_smolvlm(RULES, "textvqa")

TEXTVQA = ShortAnswer(
    name="textvqa",
    title="TextVQA: questions about text in images, ten human answers each (Singh et al. 2019)",
    about=__doc__,
    sizes=SIZES,
    rules=ALL_RULES,
    files=OwnFiles(required_files, samples),
    answer_files=answer_files(ALL_RULES),
    withheld_note="the right answers are not published: only the challenge's server (closed) can score them",
)
