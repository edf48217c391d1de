"""TextVQA: questions whose answers are written in the picture, ten human answers each.

Singh et al., Towards VQA Models That Can Read, CVPR 2019 (arXiv 1904.08920); pictures from OpenImages. Its val (5,000
questions on 3,166 pictures, which lie among those of train) is what papers report. A model may be shown words that an
OCR system found: with them and without are different figures, so they are different protocols.
Rules by protocol: vlmbench.parsing.vqa_accuracy.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.files import Folder, Hub, Row, read_json, read_rows, unique
from vlmbench.data.predictions import answer_text, find_column, id_and_answer, join, read_files
from vlmbench.parsing import text as answers
from vlmbench.parsing import vqa_accuracy

from ..families.short_answer import SHORT, HumanAnswered, Rules, human_answers, protocols_of

OCR = "\nReference OCR token: {ocr}"

RULES: Mapping[str, Rules] = {
    "official": Rules(
        "facebookresearch/mmf mmf/utils/m4c_evaluators.py@b0ffc7fb; bare question",
        "{}",
        vqa_accuracy.m4c,
        note="no OCR tokens in the prompt",
    ),
    "llava": Rules(
        "haotian-liu/LLaVA llava/eval/eval_textvqa.py, m4c_evaluator.py@c121f043; llava_textvqa_val_v051_ocr.jsonl",
        "{}" + OCR + SHORT,
        vqa_accuracy.m4c,
        capital=True,
        note="with OCR tokens in the prompt (LLaVA-1.5's 58.2); "
        "the question's first letter a capital, all others small",
    ),
    "tinyllava": Rules(
        "TinyLLaVA/TinyLLaVA_Factory tinyllava/eval/eval_textvqa.py@53f12c78",
        "{}" + OCR + SHORT,
        vqa_accuracy.m4c,
        capital=True,
        note="as llava: with OCR tokens in the prompt",
    ),
    "llava_no_ocr": Rules(
        "haotian-liu/LLaVA issue 1326: how LLaVA-1.6's figures were made; llava/eval/eval_textvqa.py@c121f043",
        "{}" + SHORT,
        vqa_accuracy.m4c,
        capital=True,
        note="no OCR tokens in the prompt (LLaVA-1.6's 64.9); the question's letters as llava",
    ),
    "lmms_eval": Rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/textvqa/utils.py@75571cfe, ocr: false",
        "{}" + SHORT,
        vqa_accuracy.m4c,
        stop=("ASSISTANT:",),
        capital=True,
        upload=answers.m4c_normal,
        note="no OCR tokens; the question's first letter a capital, all others small",
    ),
    "lmms_eval_ocr": Rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/textvqa/utils.py@75571cfe, ocr: true",
        "{}" + OCR + SHORT,
        vqa_accuracy.m4c,
        stop=("ASSISTANT:",),
        capital=True,
        upload=answers.m4c_normal,
        note="as lmms_eval, with OCR tokens in the prompt",
    ),
    "vlmevalkit": Rules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/vqa_eval.py@e8e78f05 (vqa_score)",
        "{}" + SHORT,
        vqa_accuracy.vlmevalkit,
        upload=answers.vlmevalkit_normal,
        note="no OCR tokens; no rule for 's or commas",
    ),
    "qwen_vl": Rules(
        "QwenLM/Qwen-VL eval_mm/evaluate_vqa.py, eval_mm/vqa_eval.py@aa00ed04",
        "{} Answer:",
        vqa_accuracy.lavis,
        tokens=10,
        note="no OCR tokens; people's answers only lose punctuation",
    ),
}

HUB_NAMES = ("lmms-lab/textvqa", "lmms-lab-encoder/textvqa")
HUB_SPLITS = {"val": "validation"}
HUB_FIELDS = ("question_id", "image_id", "question", "answers", "ocr_tokens")
SITE = "https://dl.fbaipublicfiles.com/textvqa"
LICENCE = "CC BY 4.0 (annotations); pictures: OpenImages, CC BY 2.0"
SIZES: Mapping[str, Size] = {
    "val": Size(5_000, 3_166),
    "test": Size(5_734, 3_289, answers=False),
    "train": Size(34_602, 21_953),
}
WEIGHTS = {"val": "among those of train, 7 GB", "test": "1 GB", "train": "7 GB"}
PEOPLE = 10
"""The official scorer refuses any other number of answers."""
FOLDERS = ("", "data/", "annotations/")


def _ocr_names(split: str) -> list[str]:
    names = (f"TextVQA_Rosetta_OCR_v0.2_{split}.json", f"llava_textvqa_{split}_v051_ocr.jsonl")
    return [folder + name for name in names for folder in FOLDERS]


class Textvqa(HumanAnswered):
    """The benchmark, for all its protocols."""

    name = "textvqa"
    title = "TextVQA: questions about text in pictures, ten human answers each (Singh et al. 2019)"
    version = 1
    splits: tuple[str, ...] = ("val", "test", "train")
    sizes: Mapping[str, Size] = SIZES
    rules = RULES
    protocols = protocols_of(RULES)
    server = "the challenge's server (closed)"

    def required_files(self, split: str) -> Sequence[DataFile]:
        """Questions with answers, OCR tokens, and pictures."""
        size = SIZES[split]
        questions, pictures = f"{size.questions:,} questions", f"{size.images:,} pictures, {WEIGHTS[split]}"
        name, folder = f"TextVQA_0.5.1_{split}.json", "test_images" if split == "test" else "train_images"
        zipped = "test_images.zip" if split == "test" else "train_val_images.zip"
        first, *others = _ocr_names(split)
        return [
            DataFile(
                name,
                questions,
                f"{SITE}/data/{name}",
                licence=LICENCE,
                split=split,
                also=tuple(part + name for part in FOLDERS[1:]),
            ),
            DataFile(
                first,
                "words found by OCR, for the protocols that show them",
                f"{SITE}/data/{first}",
                licence=LICENCE,
                split=split,
                also=tuple(others),
                optional=True,
            ),
            DataFile(
                folder,
                pictures,
                f"{SITE}/images/{zipped}",
                licence=LICENCE,
                split=split,
                also=(f"images/{folder}", "images"),
            ),
        ]

    def samples(self, data: Folder | Hub, split: str) -> Sequence[Sample]:
        """All questions of a split, in the file's order; without human answers where they are not published."""
        if isinstance(data, Hub):
            return self._from_hub(data, split)
        data = data.within(self.name)
        name = f"TextVQA_0.5.1_{split}.json"
        hint = f"`vlmbench data fetch textvqa:{split}` gets it"
        path = data.need(f"TextVQA's question file of {split}", *(folder + name for folder in FOLDERS), hint=hint)
        found = unique(((row.key("question_id"), row) for row in _listed(path)), "question_id")
        tokens = _ocr_tokens(data, split)
        folder = "test_images" if split == "test" else "train_images"
        made = []
        for key, row in found.items():
            image = row.key("image_id")
            picture = data.picture(row, f"{image}.jpg", folder, f"images/{folder}", "images", ".", field="image_id")
            made.append(_sample(key, row, picture, tokens(row)))
        return made

    def _from_hub(self, data: Hub, split: str) -> list[Sample]:
        table = data.table(HUB_NAMES, "default", HUB_SPLITS.get(split, split), (*HUB_FIELDS, "image"))
        rows = table.rows(HUB_FIELDS)
        first: dict[str, int] = {}
        for index, row in enumerate(rows):
            first.setdefault(row.key("image_id"), index)
        found = unique(((row.key("question_id"), row) for row in rows), "question_id")
        return [
            _sample(
                key,
                row,
                table.picture(first[row.key("image_id")], "image", f"{row.key('image_id')}.jpg"),
                ", ".join(row.texts("ocr_tokens")) if row.has("ocr_tokens") else None,
            )
            for key, row in found.items()
        ]

    def shown(self, field: str, sample: Sample) -> str:
        """The OCR tokens. Raises DataError where there are none to be had."""
        tokens: str | None = sample.extra["ocr"]
        if tokens is None:
            hint = f"put {_ocr_names('val')[0]} beside the questions, or use textvqa@llava_no_ocr"
            raise DataError(
                "this protocol shows OCR tokens, which the data lack", where=f"question {sample.id}", hint=hint
            )
        return tokens

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """LLaVA's answer lines (image id and prompt), upload rows (question_id, answer), or rows of id and text."""
        return join(_answers(read_files(path), samples), samples, path)


def _listed(path: Path) -> list[Row]:
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("data"), list):
        raise DataError("an object with a list 'data' was expected", where=str(path), hint="get the official file")
    found: list[Any] = content["data"]
    if not found:
        raise DataError("the list 'data' is empty", where=str(path), hint="get the official file")
    for number, values in enumerate(found, 1):
        if not isinstance(values, dict):
            where = f"{path}, data, item {number}"
            raise DataError(f"an object was expected, not {values!r:.40}", where=where, hint="get the file again")
    return [Row(values, str(path), f"data, item {number}") for number, values in enumerate(found, 1)]


def _sample(key: str, row: Row, picture: ImageRef, ocr: str | None) -> Sample:
    humans = human_answers(row) if row.values.get("answers") else None
    if humans is not None and len(humans) != PEOPLE:
        raise row.error("answers", f"{len(humans)} answers, where the official scorer demands {PEOPLE}")
    image = row.key("image_id")
    return Sample(key, row.text("question"), (picture,), humans, cluster=image, extra={"ocr": ocr, "image_id": image})


class _Tokens:
    """Words found in each picture, as prompts show them: from the OCR file, or from LLaVA's question file."""

    def __init__(self, by_image: Mapping[str, str], where: str) -> None:
        self.by_image, self.where = by_image, where

    def __call__(self, row: Row) -> str | None:
        image = row.key("image_id")
        if not self.where:
            return None
        if image not in self.by_image:
            raise row.error("image_id", f"no OCR tokens of picture {image} in {self.where}")
        return self.by_image[image]


def _ocr_tokens(data: Folder, split: str) -> _Tokens:
    path = data.find(*_ocr_names(split))
    if path is None:
        return _Tokens({}, "")
    if path.suffix == ".json":
        given = ((row.key("image_id"), ", ".join(row.texts("ocr_tokens")), row) for row in _listed(path))
        return _Tokens(_agreeing(given, "image_id"), str(path))
    return _Tokens(_agreeing(_shown(path), "question_id"), str(path))


def _shown(path: Path) -> Iterator[tuple[str, str, Row]]:
    """(picture, OCR tokens, row) of LLaVA's question file."""
    mark = "Reference OCR token:"
    for row in read_rows(path):
        lines = [line for line in row.text("text").split("\n") if line.startswith(mark)]
        if len(lines) != 1:
            raise row.error("text", f"one line {mark!r} was expected")
        yield row.key("question_id"), lines[0].removeprefix(mark).strip(" "), row


def _agreeing(given: Iterable[tuple[str, str, Row]], field: str) -> dict[str, str]:
    """Tokens by picture. Raises DataError for a picture with two different ones."""
    found: dict[str, tuple[str, Row]] = {}
    for image, tokens, row in given:
        known = found.setdefault(image, (tokens, row))
        if known[0] != tokens:
            raise row.error(field, f"other OCR tokens of picture {image} than at {known[1].at}", "get the file again")
    return {image: tokens for image, (tokens, _) in found.items()}


def asked(prompt: str) -> str | None:
    """The question in a LLaVA prompt, lower-cased, as its scorer finds it again; None where that one gives up."""
    if prompt.startswith("OCR tokens: "):
        found = re.search(r"Question: (.*?) Short answer:", prompt, re.DOTALL)
        return found[1].lower() if found else None
    lines = prompt.split("\n")
    if "Reference OCR token: " in prompt and len(lines) == 3:
        return lines[1 if prompt.startswith("Reference OCR token:") else 0].lower()
    return lines[0].lower() if len(lines) == 2 else None


def _answers(files: Sequence[Sequence[Row]], samples: Sequence[Sample]) -> Iterator[tuple[str, str, Row]]:
    ids: defaultdict[tuple[str, str], deque[str]] = defaultdict(deque)
    for sample in samples:
        ids[sample.extra["image_id"], sample.question.lower()].append(sample.id)
    numbers = {sample.id for sample in samples}
    for rows in files:
        found = list(id_and_answer(rows, ("question_id", "id"), samples))
        prompt = find_column(rows, "prompt")
        if not prompt or all(key in numbers for key, _, _ in found):
            yield from found
            continue
        for image, text, row in found:
            question = asked(answer_text(row, prompt))
            if question is None:
                what = "the prompt is none of those the scorer knows a question in"
                raise PredictionsError(what, where=row.where, hint="name questions by number: question_id and answer")
            queue = ids[image, question]
            yield queue.popleft() if queue else f"picture {image}, {question!r}", text, row


TEXTVQA = Textvqa()
