"""MM-Vet: open questions that need several abilities at once, graded 0 to 1 by a judge.

Yu et al., MM-Vet: Evaluating Large Multimodal Models for Integrated Capabilities, ICML 2024 (arXiv 2308.02490).
Files: mm-vet.json, images/ and bard_set.json of mm-vet.zip (MM-Vet@acde843e). The judge: mmvet_judge.py.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from vlmbench.base.errors import DataError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.answers.predictions import (
    OTHERS,
    answer_rows,
    id_and_answer,
    join,
    named,
    one_file,
    refuse_two_models,
)
from vlmbench.data.files import Folder, Hub, Row, read_json, read_keyed
from vlmbench.data.official.files import data_file, hub_questions, mirrored, places
from vlmbench.families.answer_files import Answer, AnswerFiles, Format
from vlmbench.families.base import OwnFiles, Scored
from vlmbench.families.judged import GradeLists, Judged, JudgedRules
from vlmbench.parsing.numbers import first_word_number
from vlmbench.stats.judges.judge_runs import mean_of_runs
from vlmbench.stats.metrics import Metric

from . import mmvet_judge
from .mmvet_judge import is_grade

THINK = "First please perform reasoning, and think step by step to provide best answer to the following question: \n\n"
"""What lmms-eval says to the model under test."""

_rules = partial(JudgedRules, tokens=1024, headline="total")

RULES: Mapping[str, JudgedRules] = {
    "official": _rules(
        "yuweihao/MM-Vet mm-vet_evaluator.py@acde843e; bare question",
        "{question}",
        mmvet_judge.official,
        judge=mmvet_judge.OFFICIAL,
        note="mean over the judge's runs (papers: five by gpt-4-0613); a reply that is never a number counts as 0",
    ),
    "vlmevalkit": _rules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/mmvet.py@e8e78f05",
        "{question}",
        mmvet_judge.vlmevalkit,
        judge=mmvet_judge.VLMEVALKIT,
        note="the whole reply must be a number; five tries, then 0; integrations by the order in which they are "
        "written",
    ),
    "lmms_eval": _rules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mmvet/utils.py@75571cfe",
        THINK + "{question}",
        mmvet_judge.lmms_eval,
        judge=mmvet_judge.LMMS_EVAL,
        note="asks the model to think step by step; an empty or never readable reply of the judge counts as 0",
    ),
}


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """The total, by capability (a question counts for each of its own) and by exact set of capabilities."""

    def mean(rows: Sequence[int], name: str, *bar: str) -> Metric:
        clusters = [scored[row][0].cluster for row in rows]
        return mean_of_runs(name, [scored[row][1] for row in rows], clusters, *bar)

    found = [mean(range(len(scored)), "total")]
    for breakdown, labels in _breakdowns([sample for sample, _ in scored], protocol).items():
        found += [mean(rows, f"{breakdown}_{label}", breakdown, label) for label, rows in labels.items()]
    return found


def _breakdowns(samples: Sequence[Sample], protocol: str) -> dict[str, dict[str, list[int]]]:
    """Rows by capability and by integration.

    VLMEvalKit keeps both in one table: a question with one capability counts twice for it, and the integration of
    that name is the capability.
    """
    together = protocol == "vlmevalkit"
    integrations: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        tag = sample.tags["integration_as_written" if together else "integration"]
        integrations.setdefault(tag, []).append(index)
    capabilities = {
        name: [index for index, sample in enumerate(samples) if name in sample.extra["capabilities"]]
        + (integrations.get(name, []) if together else [])
        for name in CAPABILITIES
    }
    if together:
        integrations |= {name: rows for name, rows in capabilities.items() if name in integrations}
    return {"capability": {name: rows for name, rows in capabilities.items() if rows}, "integration": integrations}


def reference(sample: Sample) -> str:
    """The ground truth without its marks: the first of alternatives (<OR>), with all of its elements (<AND>)."""
    elements = str(sample.target).partition("<OR>")[0].split("<AND>")
    return ", ".join(element.strip() for element in elements)


CAPABILITIES = ("rec", "ocr", "know", "gen", "spat", "math", "seq")
"""Recognition, reading, knowledge, writing, where things are, arithmetic; in v2 the order of images."""
HUB_FIELDS = ("question_id", "question", "answer", "capability")
ZIP = "https://github.com/yuweihao/MM-Vet/releases/download/v1/mm-vet.zip"


def _places(name: str) -> list[str]:
    return places([name], "mm-vet/")


def required_files(split: str) -> list[DataFile]:
    """Questions, images, and for bard_set the ids of the questions without people."""
    file = partial(data_file, url=ZIP, licence="CC BY-NC 4.0")
    files = [
        file(_places("mm-vet.json"), "218 questions (mm-vet.zip, 60 MB)"),
        file(_places("images"), "200 images (mm-vet.zip)"),
    ]
    if split == "bard_set":
        what = "ids of the 168 questions about images without people (in mm-vet.zip)"
        files.append(file(_places("bard_set.json"), what, split=split))
    return files


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """All questions; ids are the file's own, `v1_7`."""
    if isinstance(data, Hub):
        return _from_hub(data, split)
    hint = "it is in mm-vet.zip; `vlmbench data fetch mmvet` gets it"
    path = data.need("MM-Vet's question file", *_places("mm-vet.json"), hint=hint)
    here = data.relative(path.parent)
    where = ("images" if here == "." else f"{here}/images", "images", here, "mm-vet/images")
    rows = read_keyed(path, "question")
    kept = _bard_set(data, rows, path) if split == "bard_set" else rows.keys()
    others = frozenset(key for key in rows if key not in kept)
    found = []
    for key in (key for key in rows if key in kept):
        row = rows[key]
        image = data.image(row, row.text("imagename"), *where)
        sample = sample_of(key, row, row.texts("capability"), (image,))
        found.append(replace(sample, extra={**sample.extra, OTHERS: others}) if others else sample)
    if not found:
        hint = "are bard_set.json and mm-vet.json of one zip?"
        raise DataError("no question is left", where=str(path), hint=hint)
    return found


def _bard_set(data: Folder, rows: Mapping[str, Row], path: Path) -> Collection[str]:
    """Refuse a list with an id of no question, unless most of the questions are absent (a part of the file)."""
    file = data.need("MM-Vet's list of questions without people", *_places("bard_set.json"))
    ids = read_json(file)
    if not isinstance(ids, list) or not all(isinstance(key, str) for key in ids):
        raise DataError("a list of ids was expected", where=str(file), hint="get the official file")
    unknown = {key for key in ids if key not in rows}
    if unknown and len(unknown) < len(set(ids)) // 4:
        what = f"bard_set.json names {named(sorted(unknown))}, which are no questions"
        raise DataError(what, where=str(path), hint="are both files of one zip?")
    return set(ids)


def _from_hub(data: Hub, split: str) -> list[Sample]:
    if split != "test":
        raise DataError("the hub has MM-Vet's split test only", hint="use --data DIR with the official files")
    rows = hub_questions(data, mirrored("MMVet"), "test", HUB_FIELDS, lambda row: f"{row.key('question_id')}.png")
    return [sample_of(key, row, row.text("capability").split(","), (image,)) for key, row, image in rows]


def sample_of(key: str, row: Row, capabilities: Sequence[str], images: tuple[ImageRef, ...]) -> Sample:
    """The sample of a row. Raises DataError for an unknown capability, or none."""
    names = [name.strip() for name in capabilities]
    if unknown := [name for name in names if name not in CAPABILITIES]:
        raise row.error("capability", f"{unknown[0]!r} is none of {', '.join(CAPABILITIES)}")
    if not names:
        raise row.error("capability", "the list is empty")
    tags = {"integration": "+".join(sorted(set(names))), "integration_as_written": "_".join(names)}
    question, target, extra = row.text("question"), row.text("answer"), {"capabilities": frozenset(names)}
    cluster = " ".join(image.name for image in images)
    return Sample(key, question, images, target, tags=tags, cluster=cluster or key, extra=extra)


# --------------------------------------------------------------------------------------------------------- answers


def _read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
    """Sample id to text, of `{"v1_0": "text", ...}` or of LLaVA's lines, whose question_id 7 stands for v1_7."""
    one_file(path)
    rows = answer_rows(path)
    refuse_two_models([rows])
    answers = id_and_answer(rows, ("question_id", "id"), samples)
    version = samples[0].id.partition("_")[0] if samples else "v1"
    known = ((f"{version}_{key}" if key.isdecimal() else key, text, row) for key, text, row in answers)
    return join(known, samples, path)


def _write(path: Path, answers: Sequence[Answer]) -> None:
    texts = {answer.id: answer.text for answer in answers}
    path.write_text(json.dumps(texts, indent=2, ensure_ascii=False) + "\n", "utf-8")


ANSWERS = AnswerFiles(
    _read,
    "A results JSON, LLaVA's answer lines, or rows of id and text.",
    {"results": Format(".json", _write)},
    "The results JSON that the official script and the authors' grading page take.",
)


VERDICTS = GradeLists(lambda reply: is_grade(first_word_number(reply)))

MMVET = Judged(
    name="mmvet",
    title="MM-Vet: integrated capabilities, graded by a judge (Yu et al. 2023)",
    about=__doc__,
    sizes={"test": Size(218, 200), "bard_set": Size(168, note="the questions about images without people")},
    rules=RULES,
    files=OwnFiles(required_files, samples),
    answer_files=ANSWERS,
    verdict_files=VERDICTS,
    figures=figures,
    reference=reference,
)
