"""VizWiz-VQA: what blind people asked about pictures they took; a third of the questions cannot be answered.

Gurari et al., VizWiz Grand Challenge, CVPR 2018 (arXiv 1802.08218). val (4,319 questions, a picture each) is scored
here; the answers of test (8,000) only the server has. Besides accuracy: how well a model knows what cannot be answered.
Rules by protocol: vlmbench.parsing.vqa_accuracy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vlmbench.base.samples import ImageRef, Response, Sample, Score, Status
from vlmbench.base.task import DataFile, Size
from vlmbench.data.files import Folder, Hub, Row, read_rows, unique
from vlmbench.data.predictions import join, read_files
from vlmbench.data.reading import is_dir
from vlmbench.parsing import text as answers
from vlmbench.parsing import vqa_accuracy
from vlmbench.stats.metrics import MORE, RATE, Metric, average_precision

from ..families.short_answer import UNANSWERABLE, HumanAnswered, Rules, accuracies, human_answers, protocols_of
from . import vizwiz_answers

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats

INSTRUCTION = (
    "[vqa] The question is '{}' Based on the image, answer the question with a single word or phrase. "
    "and reply 'unanswerable' when the provided information is insufficient"
)
_LLAVA = vqa_accuracy.after_m4c(vqa_accuracy.vizwiz)
RANKED = vizwiz_answers.RANKED

NORMALISED = ("official", "llava")
"""Protocols whose scores hold what VizWiz's own normaliser made of the answer."""

RULES: Mapping[str, Rules] = {
    "official": Rules(
        "vizwiz.org VQAEval, as in AttentionX/InstructBLIP_PEFT lavis/common/vqa_tools/vqa_eval_vizwiz.py@97ae217f",
        "{}",
        vqa_accuracy.vizwiz,
        note='bare question; people\'s answers are not normalised, and "dont" becomes "don’t", which matches nobody',
    ),
    "llava": Rules(
        "haotian-liu/LLaVA scripts/convert_vizwiz_for_submission.py, docs/Evaluation.md@c121f043; then VQAEval",
        "{}" + UNANSWERABLE,
        _LLAVA,
        capital=True,
        upload=answers.m4c_normal,
        note="answers go through the EvalAI processor before they are uploaded; the question's first letter a capital, "
        "all others small, as in llava_test.jsonl",
    ),
    "lmms_eval": Rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/vizwiz_vqa/utils.py@75571cfe",
        "{}" + UNANSWERABLE,
        vqa_accuracy.m4c,
        stop=("ASSISTANT:",),
        capital=True,
        upload=answers.m4c_normal,
        note="the EvalAI processor on both sides; the question's first letter a capital, all others small",
    ),
    "vlmevalkit": Rules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/vqa_eval.py@e8e78f05 (vqa_score)",
        "{}",
        vqa_accuracy.vlmevalkit,
        upload=answers.vlmevalkit_normal,
        note="bare question; both sides normalised",
    ),
    "minigpt_v2": Rules(
        "Vision-CAIR/MiniGPT-4 eval_scripts/eval_vqa.py, minigpt4/datasets/datasets/vqa_datasets.py@d94738a7",
        INSTRUCTION,
        vqa_accuracy.minigpt_v2_vizwiz,
        tokens=20,
        note="equality of lower-cased texts, not stripped; a third for each match",
    ),
    "tinygpt_v": Rules(
        "DLYuanGod/TinyGPT-V eval_scripts/eval_vqa.py@83f6189b",
        INSTRUCTION,
        vqa_accuracy.tinygpt_v_vizwiz,
        tokens=20,
        note="a text that holds a human answer, or is held in one, matches: an empty answer scores 1",
    ),
    "qwen_vl": Rules(
        "QwenLM/Qwen-VL eval_mm/evaluate_vqa.py, eval_mm/vqa_eval.py@aa00ed04",
        "{} Answer:",
        vqa_accuracy.lavis,
        tokens=10,
        note="people's answers only lose punctuation",
    ),
    RANKED: Rules(
        "vizwiz.org VQAEval evaluate_unanswerability (task 2), as in InstructBLIP_PEFT; asked as by llava",
        "{}" + UNANSWERABLE,
        vqa_accuracy.vizwiz,
        capital=True,
        choices=("unanswerable", "Unanswerable"),
        headline="average_precision",
        note="from P(unanswerable), or from the `answerable` of upload rows; other protocols take the answer's text",
    ),
}

HUB_NAMES = ("lmms-lab/VizWiz-VQA", "lmms-lab-encoder/VizWiz-VQA")
HUB_FIELDS = ("question_id", "question", "answers", "category")
SITE = "https://vizwiz.cs.colorado.edu/VizWiz_final"
LICENCE = "CC BY 4.0"
SIZES: Mapping[str, Size] = {
    "val": Size(4_319, 4_319),
    "test": Size(8_000, 8_000, answers=False),
    "train": Size(20_523, 20_523),
}
WEIGHTS = {"val": "3 GB", "test": "5 GB", "train": "11 GB"}
PEOPLE = 10
SAID = vizwiz_answers.SAID
_SHARE = re.compile(r"0\.\d+(e-\d+)?|1\.0+|\d(\.\d+)?e-\d+")
MAJORITY = "scored against the majority answer alone, taken as all ten: the data have no other"


class Vizwiz(HumanAnswered):
    """The benchmark, for all its protocols."""

    name = "vizwiz"
    title = "VizWiz-VQA: questions of blind people about their own pictures (Gurari et al. 2018)"
    version = 1
    splits: tuple[str, ...] = ("val", "test", "train")
    sizes: Mapping[str, Size] = SIZES
    rules = RULES
    protocols = protocols_of(RULES)
    breakdowns = ("answer_type",)
    server = "the challenge's server (EvalAI 2185, closed)"

    def required_files(self, split: str) -> Sequence[DataFile]:
        """Questions with answers, and pictures."""
        size = SIZES[split]
        questions, pictures = f"{size.questions:,} questions", f"{size.images:,} pictures, {WEIGHTS[split]}"
        also = (f"Annotations/{split}.json", f"annotations/{split}.json", f"{split}*.jsonl")
        url = f"{SITE}/vqa_data/Annotations.zip"
        return [
            DataFile(f"{split}.json", questions, url, licence=LICENCE, split=split, also=also),
            DataFile(split, pictures, f"{SITE}/images/{split}.zip", licence=LICENCE, split=split, also=("images",)),
        ]

    def samples(self, data: Folder | Hub, split: str) -> Sequence[Sample]:
        """All questions of a split, in the file's order; without human answers where they are not published."""
        if isinstance(data, Hub):
            return self._from_hub(data, split)
        data = data.within(self.name)
        names = [f"{folder}{split}.json" for folder in ("", "Annotations/", "annotations/")]
        others = (
            sorted(data.relative(path) for path in data.root.glob(f"{split}*.jsonl"))[:1] if is_dir(data.root) else []
        )
        path = data.need(
            f"VizWiz's question file of {split}", *names, *others, hint="`vlmbench data fetch vizwiz` gets it"
        )
        found = unique(((row.key("image"), row) for row in read_rows(path)), "image")
        return [
            _sample(key, row, data.picture(row, key, split, f"images/{split}", "images", "."), "answer_type")
            for key, row in found.items()
        ]

    def _from_hub(self, data: Hub, split: str) -> list[Sample]:
        table = data.table(HUB_NAMES, "default", split, (*HUB_FIELDS, "image"))
        found = unique(((f"{row.key('question_id')}.jpg", row) for row in table.rows(HUB_FIELDS)), "question_id")
        return [
            _sample(key, row, table.picture(index, "image", key), "category")
            for index, (key, row) in enumerate(found.items())
        ]

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """VQA accuracy; under `unanswerability`, whether P(unanswerable) is on the right side of a half."""
        score = super().score(sample, response, protocol)
        if protocol != RANKED:
            return score
        likely = unanswerability(response)
        if score.status is Status.UNLABELED:
            return replace(score, parsed_answer=repr(likely))
        return Score(float((likely > 0.5) != sample.extra["answerable"]), Status.OK, repr(likely))

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """Whether it can be answered said wrong and right, with the answer's own credit."""
        said = ("unanswerable", "") if sample.extra["answerable"] else ("", "unanswerable")
        reads = tuple(repr(float(bool(word))) for word in said) if protocol == RANKED else said
        return Score(0.0, parsed_answer=reads[0]), Score(1.0, parsed_answer=reads[1])

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """Accuracy, by answer type, and the average precision and F1 of unanswerability (task 2)."""
        made = accuracies(scored, self.breakdowns)
        if any(sample.extra["majority"] for sample, _ in scored):
            made[0] = replace(made[0], note=MAJORITY)
        if protocol == RANKED:
            likely = [float(score.parsed_answer) for _, score in scored]
        else:
            normal = str if protocol in NORMALISED else answers.vizwiz_normal  # a second pass can change an answer
            likely = [float(normal(score.parsed_answer) == "unanswerable") for _, score in scored]
        return made[:1] + _unanswerable(scored, likely) + made[1:]

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """Upload rows of image and answer (or answerable), LLaVA's answer lines, or rows of id and text."""
        return self.read_protocol_predictions(path, samples, "")

    def read_protocol_predictions(self, path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
        """The same; of rows with both, `unanswerability` takes the number, all other protocols the answer."""
        answers = [one for rows in read_files(path) for one in vizwiz_answers.read(rows, samples, protocol, path)]
        return join(answers, samples, path)

    def upload_row(self, sample: Sample, answer: str, protocol: str) -> dict[str, object]:
        """Task 1 takes answers, task 2 numbers: how sure it is that the question can be answered."""
        if protocol != RANKED:
            return {"image": sample.id, "answer": answer}
        if answer.startswith(SAID):
            return {"image": sample.id, "answerable": float(answer.removeprefix(SAID))}
        return {"image": sample.id, "answerable": 1.0 - unanswerability(Response(answer))}


def unanswerability(response: Response) -> float:
    """How likely it is, to the model, that the question cannot be answered: 0..1.

    From the probability of answering so; from the number of an upload row, or that probability written out; else 1 or
    0 by the text.
    """
    if response.choices:
        return min(1.0, math.fsum(math.exp(choice.logprob) for choice in response.choices))
    if response.text.startswith(SAID):
        return 1.0 - float(response.text.removeprefix(SAID))
    if _SHARE.fullmatch(response.text):
        return float(response.text)
    return float(answers.vizwiz_normal(response.text) == "unanswerable")


def _unanswerable(scored: Sequence[tuple[Sample, Score]], likely: Sequence[float]) -> list[Metric]:
    """Average precision and F1 of saying "unanswerable"; 1 minus `answerable` is what is to be found."""
    import numpy as np

    truth = np.array([not sample.extra["answerable"] for sample, _ in scored])
    clusters = [sample.cluster for sample, _ in scored]
    said = np.array(likely) > 0.5
    items = np.stack([2 * (truth & said), truth.astype(np.float64) + said], axis=1).astype(np.float64)

    def f1(sums: Floats) -> Floats:
        found: Floats = 100 * np.divide(
            sums[..., 0], sums[..., 1], out=np.zeros(sums.shape[:-1]), where=sums[..., 1] != 0
        )
        return found

    return [
        average_precision("average_precision", truth.tolist(), likely, clusters),
        Metric("f1", items, clusters, f1, limits=RATE, better=MORE),
    ]


def _sample(key: str, row: Row, picture: ImageRef, kind: str) -> Sample:
    """One row; a row with the majority answer alone has it ten times, a row without answers none."""
    humans: vqa_accuracy.Humans | None = None
    if majority := "answers" not in row.values and row.has("answer"):
        humans = (row.text("answer"),) * PEOPLE
    elif row.values.get("answers"):
        humans = human_answers(row)
    answerable = None
    if humans is not None:
        most = max(humans, key=humans.count)
        answerable = bool(row.integer("answerable", int(most != "unanswerable")))
    known = row.text(kind, "")
    return Sample(
        id=key,
        question=row.text("question"),
        images=(picture,),
        target=humans,
        tags={"answer_type": known} if known else {},
        cluster=key,
        extra={"answerable": answerable, "majority": majority},
    )


VIZWIZ = Vizwiz()
