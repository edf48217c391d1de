"""VizWiz-VQA: what blind people asked about images they took; a third of the questions cannot be answered.

Gurari et al., VizWiz Grand Challenge, CVPR 2018 (arXiv 1802.08218). val (4,319 questions, an image each) is scored
here; the answers of test (8,000) only the server has. Besides accuracy: how well a model knows what cannot be answered.
Rules by protocol: vlmbench.parsing.vqa_accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import ImageRef, Response, Sample, Score, Status
from vlmbench.base.task import DataFile, Size
from vlmbench.data.answers import question_files
from vlmbench.data.answers.answer_columns import is_predicted, squashed
from vlmbench.data.answers.predictions import id_and_answer, join, read_files, write_rows
from vlmbench.data.answers.probabilities import id_and_probability, probability_column
from vlmbench.data.files import Folder, Hub, read_rows
from vlmbench.data.official.files import by_key, data_file, hub_questions, mirrored, places
from vlmbench.data.official.vqa_challenge import human_answers
from vlmbench.data.reading import is_dir
from vlmbench.data.rows import Row
from vlmbench.families import shared_protocols as protocols
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, IdTextRow
from vlmbench.families.base import OwnFiles, Scored
from vlmbench.families.short_answer import UNANSWERABLE, UPLOAD, Capitalised, ShortAnswer, ShortAnswerRules
from vlmbench.parsing import text as answers
from vlmbench.parsing import vqa_accuracy
from vlmbench.parsing.vqa_accuracy import Humans
from vlmbench.parsing.yes_no import is_share
from vlmbench.stats.figures.binary import f1_of_yes
from vlmbench.stats.metrics import Metric, average_precision

SIZES: Mapping[str, Size] = {
    "val": Size(4_319, 4_319),
    "test": Size(8_000, 8_000, answers=False),
    "train": Size(20_523, 20_523),
}
SITE = "https://vizwiz.cs.colorado.edu/VizWiz_final"
PEOPLE = 10
RANKED = "unanswerability"
"""The protocol that asks how likely it is that a question cannot be answered."""
SAID = "answerable "
"""How the text of an answer starts that was read from a row's `answerable` number."""
IDS = ("image", "question_id", "id")


def required_files(split: str) -> list[DataFile]:
    """Questions with answers, and images."""
    size, weight = SIZES[split], {"val": "3 GB", "test": "5 GB", "train": "11 GB"}[split]
    where = [*places([f"{split}.json"], "Annotations/", "annotations/"), f"{split}*.jsonl"]
    questions, images = f"{size.questions:,} questions", f"{size.images:,} images, {weight}"
    return [
        data_file(where, questions, f"{SITE}/vqa_data/Annotations.zip", "CC BY 4.0", split),
        data_file((split, "images"), images, f"{SITE}/images/{split}.zip", "CC BY 4.0", split),
    ]


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """All questions of a split, in the file's order; without human answers where they are not published."""
    if isinstance(data, Hub):
        fields = ("question_id", "question", "answers", "category")
        rows = hub_questions(data, mirrored("VizWiz-VQA"), split, fields, lambda row: f"{row.key('question_id')}.jpg")
        return [_sample(row, image, "category") for _, row, image in rows]
    others = sorted(data.relative(path) for path in data.root.glob(f"{split}*.jsonl")) if is_dir(data.root) else []
    where = [*places([f"{split}.json"], "Annotations/", "annotations/"), *others[:1]]
    path = data.need(f"VizWiz's question file of {split}", *where, hint="`vlmbench data fetch vizwiz` gets it")
    return [
        _sample(row, data.image(row, key, split, f"images/{split}", "images", "."), "answer_type")
        for key, row in by_key(read_rows(path), "image").items()
    ]


def _sample(row: Row, image: ImageRef, kind: str) -> Sample:
    """One row; a row with the majority answer alone has it ten times, a row without answers none."""
    humans: Humans | None = None
    if majority := "answers" not in row.values and row.has("answer"):
        humans = (row.text("answer"),) * PEOPLE
    elif row.values.get("answers"):
        humans = human_answers(row)
    answerable = None
    if humans is not None:
        most = max(humans, key=humans.count)
        answerable = bool(row.integer("answerable", int(most != "unanswerable")))
    tags = {"answer_type": row.text(kind)} if row.text(kind, "") else {}
    extra = {"answerable": answerable, "majority": majority}
    return Sample(image.name, row.text("question"), (image,), humans, tags=tags, cluster=image.name, extra=extra)


# --------------------------------------------------------------------------------------------------------- answers
# In a results file `answerable` is the model's number for task 2; in rows of the dataset it is the truth.


def answer_files(upload_row: Callable[[Sample, str, str], Mapping[str, object]]) -> AnswerFiles:
    """The files of the challenge; `upload_row` gives a row from sample, text and protocol."""

    def read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
        answers = [one for rows in read_files(path) for one in _answers(rows, samples, protocol, path)]
        return join(answers, samples, path)

    def write(path: Path, answers: Sequence[Answer]) -> None:
        write_rows(path, (upload_row(answer.sample, answer.text, answer.protocol) for answer in answers))

    reads = "Upload rows of image and answer (or answerable), LLaVA's answer lines, or rows of id and text."
    return AnswerFiles(read, reads, {"json": Format(".json", write)}, UPLOAD)


def _answers(rows: Sequence[Row], samples: Sequence[Sample], protocol: str, path: Path) -> Iterator[IdTextRow]:
    """(sample id, text, row) of one file's rows. Raises PredictionsError."""
    number = probability_column(rows, "answerable", of_dataset=("answers", "answer_type"))
    has_answer = any(is_predicted(name) or squashed(name) in ("answer", "text") for row in rows for name in row.values)
    if number and (protocol == RANKED or not has_answer):
        if protocol not in ("", RANKED):
            what = f"a file of task 2: {number!r} says how sure the model is, and there are no answers"
            raise PredictionsError(what, where=rows[0].where, hint=f"score it with vizwiz@{RANKED}")
        numbers = id_and_probability(rows, IDS, number)
        found = [(key, f"{SAID}{share!r}", row) for key, share, row in numbers]
    else:
        found = list(id_and_answer(rows, IDS, samples, numbers=protocol in ("", RANKED)))
    yield from question_files.by_image(found, samples, path, ("llava_test.jsonl", "llava_val.jsonl"))


_INSTRUCTION = (
    "[vqa] The question is '{question}' Based on the image, answer the question with a single word or phrase. "
    "and reply 'unanswerable' when the provided information is insufficient"
)

RULES: Mapping[str, ShortAnswerRules] = {
    "official": ShortAnswerRules(
        "vizwiz.org VQAEval, as in AttentionX/InstructBLIP_PEFT lavis/common/vqa_tools/vqa_eval_vizwiz.py@97ae217f",
        "{question}",
        vqa_accuracy.vizwiz,
        note='bare question; people\'s answers are not normalised, and "dont" becomes "don’t", which matches nobody',
    ),
    "llava": ShortAnswerRules(
        "haotian-liu/LLaVA scripts/convert_vizwiz_for_submission.py, docs/Evaluation.md@c121f043; then VQAEval",
        Capitalised("{question}" + UNANSWERABLE),
        vqa_accuracy.after_m4c(vqa_accuracy.vizwiz),
        upload=answers.m4c_normal,
        note="answers go through the EvalAI processor before they are uploaded; the question's first letter a capital, "
        "all others small, as in llava_test.jsonl",
    ),
    "lmms_eval": protocols.lmms_eval(
        "vizwiz_vqa/utils.py",
        Capitalised("{question}" + UNANSWERABLE),
        "the EvalAI processor on both sides; the question's first letter a capital, all others small",
    ),
    "vlmevalkit": protocols.vlmevalkit("{question}", "bare question; both sides normalised"),
    "minigpt_v2": protocols.minigpt_v2(
        vqa_accuracy.minigpt_v2_vizwiz,
        "equality of lower-cased texts, not stripped; a third for each match",
        _INSTRUCTION,
    ),
    "tinygpt_v": protocols.tinygpt_v(
        vqa_accuracy.tinygpt_v_vizwiz,
        "a text that holds a human answer, or is held in one, matches: an empty answer scores 1",
        _INSTRUCTION,
    ),
    "qwen_vl": protocols.qwen_vl("people's answers only lose punctuation"),
    RANKED: ShortAnswerRules(
        "vizwiz.org VQAEval evaluate_unanswerability (task 2), as in InstructBLIP_PEFT; asked as by llava",
        Capitalised("{question}" + UNANSWERABLE),
        vqa_accuracy.vizwiz,
        choices=("unanswerable", "Unanswerable"),
        headline="average_precision",
        note="from P(unanswerable), or from the `answerable` of upload rows; other protocols take the answer's text",
    ),
}

NORMALISED = [RULES[name] for name in ("official", "llava")]
"""Protocols whose scores hold what VizWiz's own normaliser made of the answer."""
MAJORITY = "scored against the majority answer alone, taken as all ten: the data have no other"


@dataclass(frozen=True, eq=False, kw_only=True)
class Vizwiz(ShortAnswer):
    """Short answers; and how well a model knows what cannot be answered (task 2)."""

    def parse(self, sample: Sample, response: Response, rules: ShortAnswerRules) -> str:
        """The answer; under `unanswerability` how likely it is that there is none."""
        return repr(unanswerability(response)) if rules.choices else super().parse(sample, response, rules)

    def rate(self, sample: Sample, response: Response, rules: ShortAnswerRules) -> Score:
        """VQA accuracy; under `unanswerability`, whether P(unanswerable) is on the right side of a half."""
        if not rules.choices:
            return super().rate(sample, response, rules)
        likely = unanswerability(response)
        return Score(float((likely > 0.5) != sample.extra["answerable"]), Status.OK, repr(likely))

    def figures_of(self, scored: Scored, rules: ShortAnswerRules) -> Sequence[Metric]:
        """Accuracy, the average precision and F1 of saying that a question cannot be answered, and the bars."""
        accuracy, *bars = super().figures_of(scored, replace(rules, headline="accuracy"))
        if any(sample.extra["majority"] for sample, _ in scored):
            accuracy = replace(accuracy, note=MAJORITY)
        if rules.choices:
            likely = [float(score.parsed_answer) for _, score in scored]
        else:
            normal = str if rules in NORMALISED else answers.vizwiz_normal  # a second pass can change an answer
            likely = [float(normal(score.parsed_answer) == "unanswerable") for _, score in scored]
        true, clusters = [not sample.extra["answerable"] for sample, _ in scored], [s.cluster for s, _ in scored]
        precision = average_precision("average_precision", true, likely, clusters)
        f1 = f1_of_yes([chance > 0.5 for chance in likely], true, clusters, empty=0.0)
        return [accuracy, precision, f1, *bars]

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """Whether it can be answered said wrong and right, with the answer's own credit."""
        words = ("unanswerable", "") if sample.extra["answerable"] else ("", "unanswerable")
        wrong, right = (repr(float(bool(word))) for word in words) if protocol == RANKED else words
        return Score(0.0, parsed_answer=wrong), Score(1.0, parsed_answer=right)


def unanswerability(response: Response) -> float:
    """How likely it is, to the model, that the question cannot be answered: 0..1.

    From the probability of answering so; from the number of an upload row, or that probability written out; else 1 or
    0 by the text.
    """
    if response.choices:
        return min(1.0, math.fsum(math.exp(choice.logprob) for choice in response.choices))
    if response.text.startswith(SAID):
        return 1.0 - float(response.text.removeprefix(SAID))
    if is_share(response.text):
        return float(response.text)
    return float(answers.vizwiz_normal(response.text) == "unanswerable")


def _upload_row(sample: Sample, text: str, protocol: str) -> dict[str, object]:
    """Task 1 takes answers, task 2 numbers: how sure it is that the question can be answered."""
    if protocol != RANKED:
        return {"image": sample.id, "answer": RULES[protocol].upload(text)}
    text = text.strip()
    known = float(text.removeprefix(SAID)) if text.startswith(SAID) else 1.0 - unanswerability(Response(text))
    return {"image": sample.id, "answerable": known}


VIZWIZ = Vizwiz(
    name="vizwiz",
    title="VizWiz-VQA: questions of blind people about their own images (Gurari et al. 2018)",
    about=__doc__,
    sizes=SIZES,
    rules=RULES,
    files=OwnFiles(required_files, samples),
    answer_files=answer_files(_upload_row),
    breakdowns=("answer_type",),
    withheld_note="the right answers are not published: only the challenge's server (EvalAI 2185, closed) can score "
    "them",
)
