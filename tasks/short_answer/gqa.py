"""GQA: compositional questions about real pictures, with short answers.

Hudson & Manning, GQA: A New Dataset for Real-World Visual Reasoning, CVPR 2019 (arXiv 1902.09506). Questions and
pictures from gqadataset.org; testdev_balanced (12,578 questions on 398 pictures) is what papers report.
Rules by protocol: vlmbench.parsing.text and gqa_metrics.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Generation, ImageRef, Request, Response, Sample, Score
from vlmbench.base.task import DataFile, Size, TaskProtocol
from vlmbench.data.files import Folder, Hub, Row, read_keyed
from vlmbench.data.predictions import join, read_plain
from vlmbench.parsing import text as answers
from vlmbench.stats.metrics import Metric

from . import gqa_grounding, gqa_metrics


@dataclass(frozen=True)
class Rules:
    """One protocol's words, reader and generation."""

    source: str
    prompt: str
    """With `{}` where the question goes."""
    parse: Callable[[str], str]
    """Answer text to what is compared."""
    target: Callable[[str], str] = str
    """What the right answer is turned into before comparing."""
    tokens: int = 128
    beams: int = 1
    official: bool = False
    """Whether the scores are those of GQA's eval.py (balanced questions only, all its figures)."""
    inside: bool = False
    """Whether the right answer need only occur in the text."""
    note: str = ""


def _plain(text: str) -> str:
    return text.strip().lower()


SHORT = "{}\nAnswer the question using a single word or phrase."
INSTRUCTION = "[vqa] Based on the image, respond to this question with a short answer: {}"

RULES: Mapping[str, Rules] = {
    "official": Rules(
        "gqadataset.org eval.py v1.2 (SHI-Labs/VCoder playground/data/eval/gqa/data/eval@4e85acef); bare question",
        "{}",
        str,
        official=True,
        note="exact equality with the lower-case answer: 'Yes' and 'yes.' are wrong",
    ),
    "llava": Rules(
        "haotian-liu/LLaVA scripts/convert_gqa_for_eval.py@c121f043, then eval.py",
        SHORT,
        answers.converted,
        official=True,
    ),
    "tinyllava": Rules(
        "TinyLLaVA/TinyLLaVA_Factory scripts/convert_gqa_for_eval.py@53f12c78, then eval.py",
        SHORT,
        answers.converted,
        official=True,
        note="as llava",
    ),
    "lmms_eval": Rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/gqa/gqa.yaml, api/metrics.py@75571cfe",
        SHORT,
        answers.unpunctuated,
        answers.unpunctuated,
        tokens=16,
        note="lower-case, all ASCII punctuation deleted on both sides",
    ),
    "vlmevalkit": Rules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/vqa_eval.py@e8e78f05 (accuracy)",
        SHORT,
        _plain,
        _plain,
        note="stripped and lower-case on both sides",
    ),
    "minigpt_v2": Rules(
        "Vision-CAIR/MiniGPT-4 eval_scripts/eval_vqa.py, minigpt4/datasets/datasets/vqa_datasets.py@d94738a7",
        INSTRUCTION,
        str.lower,
        tokens=20,
        note="lower-case, not stripped",
    ),
    "tinygpt_v": Rules(
        "DLYuanGod/TinyGPT-V eval_scripts/eval_vqa.py@83f6189b",
        INSTRUCTION,
        str.lower,
        tokens=20,
        inside=True,
        note="right if the answer occurs anywhere in the text: 'no' is right in 'not' and in 'know'",
    ),
    "lavis": Rules(
        "salesforce/LAVIS lavis/tasks/vqa.py, projects/blip2/eval/gqa_zeroshot_flant5xl_eval.yaml@506965b9",
        "Question: {} Short answer:",
        answers.lavis_normal,
        answers.lavis_normal,
        tokens=10,
        beams=5,
        note="VQA normalisation on both sides; five beams",
    ),
    "qwen_vl": Rules(
        "QwenLM/Qwen-VL eval_mm/evaluate_vqa.py@aa00ed04",
        "{} Answer:",
        answers.qwen_vl_cut,
        _plain,
        tokens=10,
        note="cuts the text at . , ! and after words such as 'is ', which it finds inside words too",
    ),
}

PROTOCOLS: Mapping[str, TaskProtocol] = {
    name: TaskProtocol(name, r.source, "accuracy", Generation(max_new_tokens=r.tokens, num_beams=r.beams), r.note)
    for name, r in RULES.items()
}

HUB_NAMES = ("lmms-lab/GQA", "lmms-lab-encoder/GQA")
HUB_FIELDS = ("id", "imageId", "question", "answer", "isBalanced", "groups", "entailed", "types", "semantic")
SITE = "https://downloads.cs.stanford.edu/nlp/data/gqa"
LICENCE = "CC BY 4.0 (pictures: Visual Genome)"
IMAGES = ("images", "allImages/images", "data/images", ".")
FOLDERS = ("", "questions/", "questions1.2/", "questions1.3/")
LLAVA = tuple(f"data/{folder}" for folder in FOLDERS)
"""LLaVA's docs put the official files into gqa/data."""
NOT_STEPS = ("exist", "query: name", "choose name")
COMMON = ("color", "material", "shape")


def _tier(split: str) -> str:
    return split.removesuffix("_balanced")


def _question_names(split: str) -> list[str]:
    names = [f"{split}_questions.json"] if split.endswith("_balanced") else []
    names += [] if names else [f"{split}_all_questions.json", f"{split}_questions.json"]
    return [folder + name for folder in (*FOLDERS, *LLAVA) for name in names]


def _beside(name: str, *folders: str) -> list[str]:
    own = ("", *folders, *FOLDERS[1:3])
    return [folder + name for folder in (*own, *(f"data/{folder}" for folder in own))]


class Gqa:
    """The benchmark, for all its protocols."""

    name = "gqa"
    title = "GQA: compositional questions about real pictures (Hudson & Manning 2019)"
    version = 1
    splits: tuple[str, ...] = ("testdev_balanced", "val_balanced", "testdev", "val", "train_balanced")
    sizes: Mapping[str, Size] = {
        "testdev_balanced": Size(12_578, 398),
        "val_balanced": Size(132_062),
    }
    protocols = PROTOCOLS
    formats: Mapping[str, str] = {"official": ".json", "llava": ".jsonl"}
    """What `export` writes, by name: the suffix of its path."""

    def required_files(self, split: str) -> Sequence[DataFile]:
        """The question file and the pictures; for val also choices and scene graphs."""
        names = _question_names(split)
        tier = _tier(split)
        found = [
            DataFile(
                names[0], "questions", f"{SITE}/questions1.2.zip", licence=LICENCE, split=split, also=tuple(names[1:])
            ),
            DataFile("images", "pictures", f"{SITE}/images.zip", licence=LICENCE, split=split, also=IMAGES[1:]),
        ]
        if tier != "testdev":
            for name, what, zipped in (
                (f"{tier}_choices.json", "choices (validity, plausibility)", "eval.zip"),
                (f"{tier}_sceneGraphs.json", "scene graphs (grounding)", "sceneGraphs.zip"),
            ):
                also = tuple(_beside(name, "eval/", "sceneGraphs/")[1:])
                url = f"{SITE}/{zipped}"
                found.append(DataFile(name, what, url, licence=LICENCE, split=split, also=also, optional=True))
        return found

    def samples(self, data: Folder | Hub, split: str) -> Sequence[Sample]:
        """All questions of a split, in the file's order."""
        if isinstance(data, Hub):
            return list(self._from_hub(data, split))
        data = data.within(self.name)
        rows = self._questions(data, split)
        name = f"{_tier(split)}_choices.json"
        path = data.find(*_beside(name, "eval/", "choices/"))
        allowed = None if path is None else read_keyed(path, "valid")
        closed = _closed(rows)
        return [
            _sample(
                key,
                row,
                data.picture(row, f"{row.key('imageId')}.jpg", *IMAGES, field="imageId"),
                _allowed(allowed, key, row),
                closed,
            )
            for key, row in rows.items()
        ]

    def _questions(self, data: Folder, split: str) -> dict[str, Row]:
        others = [s for s in self.splits if s != split and data.find(*_question_names(s))]
        hint = f"there is one of {', '.join(others)}: name it, gqa:{others[0]}" if others else ""
        path = data.need(
            f"GQA's question file of {split}", *_question_names(split), hint=hint or "`vlmbench data fetch gqa` gets it"
        )
        return read_keyed(path, "imageId")

    def _from_hub(self, data: Hub, split: str) -> Iterator[Sample]:
        config = split if split.endswith("_balanced") else f"{split}_all"
        table = data.table(HUB_NAMES, f"{config}_instructions", _tier(split), HUB_FIELDS)
        pictures = data.table(HUB_NAMES, f"{config}_images", _tier(split), ("id", "image"))
        place = {row.key("id"): index for index, row in enumerate(pictures.rows(("id",)))}
        rows: dict[str, Row] = {}
        for row in table.rows(HUB_FIELDS):
            if row.key("id") in rows:
                raise row.error("id", f"{row.key('id')!r} is there twice")
            rows[row.key("id")] = row
        closed = _closed(rows)
        for key, row in rows.items():
            image = row.key("imageId")
            if image not in place:
                raise row.error("imageId", f"no picture {image!r} in {pictures.where}")
            yield _sample(key, row, pictures.picture(place[image], "image", f"{image}.jpg"), None, closed)

    def with_attentions(
        self, samples: Sequence[Sample], path: Path, data: Folder | Hub, split: str
    ) -> Sequence[Sample]:
        """Samples with the grounding of a model's attention maps: [{"questionId", "attention": 7x7}]."""
        if isinstance(data, Hub):
            raise DataError("the hub has no scene graphs", hint="use --data DIR with sceneGraphs.zip unpacked")
        data = data.within(self.name)
        name = f"{_tier(split)}_sceneGraphs.json"
        scenes = data.need("GQA's scene graph file", *_beside(name, "sceneGraphs/"), hint="grounding needs it")
        return gqa_grounding.attach(samples, path, self._questions(data, split), read_keyed(scenes, "objects"))

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The question in the protocol's words."""
        prompt = RULES[protocol].prompt.replace("{}", sample.question)
        return Request(sample.id, prompt, sample.images, generation=PROTOCOLS[protocol].generation)

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """Right or wrong: equality after the protocol's reading, or containment where it says so."""
        rules = RULES[protocol]
        read, target = rules.parse(response.text), rules.target(sample.target)
        return Score(float(target in read if rules.inside else target == read), parsed_answer=read)

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """Accuracy and its breakdowns; for protocols that end in GQA's eval.py, all of its figures."""
        return gqa_metrics.metrics(scored, official=RULES[protocol].official)

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """The official [{"questionId", "prediction"}], LLaVA's answer lines, or rows of id and text."""
        hint = "give answers to exactly the questions of this split (gqa:SPLIT names another)"
        return join(read_plain(path, ("questionId", "id"), samples), samples, path, hint)

    def export(self, answers: Mapping[str, str], samples: Sequence[Sample], protocol: str, path: Path) -> None:
        """What eval.py takes: [{"questionId", "prediction"}], converted first where the protocol's scripts convert.

        LLaVA's answer lines (.jsonl) hold the answers as they came.
        """
        rules = RULES[protocol]
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".jsonl":
            rows = [{"question_id": one.id, "prompt": one.question, "text": answers[one.id]} for one in samples]
            text = "".join(json.dumps(row) + "\n" for row in rows)
        else:
            read = rules.parse if rules.official else str
            text = json.dumps([{"questionId": one.id, "prediction": read(answers[one.id])} for one in samples])
        path.write_text(text, encoding="utf-8")


def _sample(key: str, row: Row, picture: ImageRef, choices: Mapping[str, Any] | None, closed: bool) -> Sample:
    types = row.inner("types")
    structural, question = types.text("structural"), row.text("question")
    tags = {
        "structural": structural,
        "semantic": types.text("semantic"),
        "kind": "open" if structural == "query" else "binary",
        "steps": str(_steps(row)),
        "words": str(len(question.split())),
    }
    entailed = tuple(other for other in _entailed(row) if other != key) if closed else ()
    extra = {
        "balanced": row.flag("isBalanced"),
        "group": row.inner("groups").text("global", None) if row.has("groups") else None,
        "entailed": entailed,
        "choices": choices,
    }
    return Sample(
        id=key,
        question=question,
        images=(picture,),
        target=row.text("answer"),
        tags=tags,
        cluster=row.key("imageId"),
        extra=extra,
    )


def _steps(row: Row) -> int:
    """Reasoning steps: operations that do more than ask the final question."""
    found: Any = row.values.get("semantic")
    if isinstance(found, dict):  # the hub's columns: an object of lists
        found = [dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)]
    if not isinstance(found, list) or not all(isinstance(step, dict) for step in found):
        raise row.error("semantic", "a list of objects was expected")
    texts = [f"{step.get('operation')}: {step.get('argument')}" for step in found]
    return sum(not any(word in text for word in NOT_STEPS) for text in texts)


def _entailed(row: Row) -> list[str]:
    """Ids of entailed questions; the hub may hold the list as text."""
    found = row.values.get("entailed")
    if isinstance(found, str):
        return re.findall(r"\w+", found)
    return row.texts("entailed") if row.has("entailed") else []


def _closed(rows: Mapping[str, Row]) -> bool:
    """Whether the file holds every question that its balanced questions entail: then consistency can be told."""
    return all(other in rows for row in rows.values() if row.values.get("isBalanced") for other in _entailed(row))


def _allowed(choices: Mapping[str, Row] | None, key: str, row: Row) -> Mapping[str, Any] | None:
    """Answers the question allows; None where there is no choices file."""
    if choices is None or not row.flag("isBalanced"):
        return None if choices is None else {"valid": (), "plausible": ()}
    if "Common" in row.inner("types").text("detailed", ""):
        return {"valid": COMMON, "plausible": COMMON}
    if key not in choices:
        raise row.error("question id", f"no choices for question {key}", "get the choices file of the same version")
    return {name: frozenset(choices[key].texts(name)) for name in ("valid", "plausible")}


GQA = Gqa()
