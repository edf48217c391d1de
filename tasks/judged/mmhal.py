"""MMHal-Bench: open questions that tempt a model to say what is not there; a judge rates 96 answers from 0 to 6.

Sun et al., Aligning Large Multimodal Models with Factually Augmented RLHF (arXiv 2309.14525). Files:
response_template.json and images of the hub's Shengcao1006/MMHal-Bench, or RLAIF-V's mmhal-bench_with_image.jsonl with
the images inside, which InternVL evaluates on. The judge (mmhal_judge.py) sees no image, but a list of what is in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef, Sample, Verdict
from vlmbench.base.task import Size
from vlmbench.data.answers.predictions import answer_text, id_and_answer, join, one_file, read_files
from vlmbench.data.answers.unnumbered_answers import refuse_other_count
from vlmbench.data.files import Folder, Hub, Row, read_json, read_rows, repository, unique
from vlmbench.data.official.files import data_file
from vlmbench.data.tables.image_table import CellImage
from vlmbench.families.answer_files import Answer, AnswerFiles, Format, write_json
from vlmbench.families.base import OwnFiles, Scored
from vlmbench.families.judged import Judged, JudgedRules, Verdicts
from vlmbench.stats.metrics import LESS, MORE, RATE, Metric, ratio

from . import mmhal_judge as judge

RULES: Mapping[str, JudgedRules] = {
    "official": JudgedRules(
        "MMHal-Bench eval_gpt4.py, as OpenGVLab/InternVL internvl_chat/eval/mmhal/eval_gpt_mmhal.py@2410d1db",
        "{question}",
        judge.talk,
        1024,
        headline="score",
        judge=judge.JUDGE,
        note="ratings below 3 are hallucinations; a reply without one rating, written as `rating: 4`, counts as 0. "
        "MMHal-Bench names gpt-4, InternVL gpt-4o",
    ),
}
TYPES = ("attribute", "adversarial", "comparison", "counting", "relation", "environment", "holistic", "other")
"""Of question n: the type n modulo 8. The script goes by places, and asserts 96 rows."""


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """The mean rating, the share of answers with a hallucination, and ratings by type of question."""
    found = [_mean("score", scored), _mean("hallucination_rate", scored, hallucinations=True)]
    for name in TYPES:
        rows = [pair for pair in scored if pair[0].tags["type"] == name]
        found += [_mean(f"{name}_score", rows, name)] if rows else []
    return found


def _mean(name: str, scored: Scored, label: str = "", *, hallucinations: bool = False) -> Metric:
    """Over the judge's runs and the answers."""
    import numpy as np

    runs = [[v.value or 0.0 for v in score.verdicts] or [score.value or 0.0] for _, score in scored]
    ratings = np.array(runs, dtype=np.float64)
    values = (ratings < judge.HONEST).mean(axis=1) if hallucinations else ratings.mean(axis=1)
    items, clusters = np.stack([values, np.ones(len(values))], axis=1), [sample.cluster for sample, _ in scored]
    limits, better = (RATE, LESS) if hallucinations else ((0.0, float(judge.HIGHEST)), MORE)
    combine = ratio(scale=100.0 if hallucinations else 1.0)
    return Metric(name, items, clusters, combine, "type" if label else "", label, limits=limits, better=better)


# ----------------------------------------------------------------------------------------------------------- questions

NAME = "Shengcao1006/MMHal-Bench"
TEMPLATE, LINES, LICENCE = "response_template.json", "mmhal-bench_with_image.jsonl", "Apache-2.0 (dataset card)"
PLACES, IMAGES = (LINES, f"mm-halbench/{LINES}"), ("images", "test_data/images", ".")
REQUIRED = data_file(
    (*PLACES, TEMPLATE),
    "96 questions with their images",
    f"https://huggingface.co/OpenGVLab/InternVL/resolve/main/{LINES}",
    LICENCE,
)


def samples(data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
    """All questions; ids are their places, from 0."""
    if isinstance(data, Hub):
        data = repository(data, NAME, task)
    hint = f"`vlmbench data fetch {task}` gets it"
    rows = read_rows(data.need("MMHal-Bench's questions", *PLACES, TEMPLATE, hint=hint))
    unique(((f"{row.text('question')} {row.text('image_src', '')}", row) for row in rows), "question")
    return [_sample(data, str(number), row) for number, row in enumerate(rows)]


def _sample(data: Folder, key: str, row: Row) -> Sample:
    kind = row.text("question_type", TYPES[int(key) % len(TYPES)])
    if kind not in TYPES:
        raise row.error("question_type", f"{kind!r:.40} is none of {', '.join(TYPES)}")
    if row.has("image"):
        image = ImageRef(f"{key}.jpg", CellImage(row.text("image"), f"{row.where}, field 'image'"))
    else:
        image = data.image(row, row.text("image_src").rpartition("/")[2], *IMAGES, field="image_src")
    extra = {"contents": row.texts("image_content")}
    target = row.text("gt_answer")
    return Sample(key, row.text("question"), (image,), target, tags={"type": kind}, cluster=image.name, extra=extra)


# ------------------------------------------------------------------------------------------------- answers and replies


def _read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
    """Sample id to text, of the script's rows without ids, or of rows of id and text."""
    found = []
    for rows in read_files(path):
        if all("model_answer" in row.values and "id" not in row.values for row in rows):
            refuse_other_count(path, len(rows), samples, "question")
            found += [(s.id, answer_text(row, "model_answer"), row) for s, row in zip(samples, rows, strict=True)]
        else:
            found += id_and_answer(rows, ("question_id", "id"), samples)
    return join(found, samples, path)


def _write(path: Path, answers: Sequence[Answer]) -> None:
    rows = [
        {
            "question_type": answer.sample.tags["type"],
            "image_content": answer.sample.extra["contents"],
            "question": answer.sample.question,
            "gt_answer": answer.sample.target,
            "model_answer": answer.text,
        }
        for answer in answers
    ]
    write_json(path, rows)


def _replies(path: Path, samples: Sequence[Sample], protocol: str) -> Verdicts | None:
    """The judge's replies as the script saves them: a list of texts, in the order of the questions."""
    one_file(path)
    try:
        content = read_json(path)
    except DataError:
        return None
    if not isinstance(content, list) or not content or not all(isinstance(reply, str) for reply in content):
        return None
    refuse_other_count(path, len(content), samples, "question")
    return {sample.id: (judge.rated(reply),) for sample, reply in zip(samples, content, strict=True)}


MMHAL = Judged(
    name="mmhal",
    title="MMHal-Bench: hallucinations in open answers, rated by a judge (Sun et al. 2023)",
    about=__doc__,
    sizes={"test": Size(96, 96, note="twelve of each type")},
    needs_image=True,
    rules=RULES,
    files=OwnFiles(lambda split: [REQUIRED], samples),
    answer_files=AnswerFiles(
        _read,
        "The script's response file (rows with model_answer, in the order of the questions), or rows of id and text.",
        {"official": Format(".json", _write)},
        "The response file that the official script takes.",
    ),
    verdict_files=_replies,
    scale=(Verdict(0.0), Verdict(float(judge.HIGHEST))),
    figures=figures,
)
