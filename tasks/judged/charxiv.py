"""CharXiv: charts of scientific papers; one question that needs reasoning about each, and four that describe it.

Wang et al., NeurIPS 2024 D&B (arXiv 2406.18521). 1,000 charts in val, 1,323 in test (answers withheld). A judge
extracts each answer and compares it: reasoning by itself, descriptions of one template five per request. Files: data/
of princeton-nlp/CharXiv@7ebe88f7, images.zip of the data set; the hub has both in one table, a row per chart.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from vlmbench.base.samples import ImageRef, JudgeRequest, Response, Sample, Verdict
from vlmbench.base.task import Batch, DataFile, Size
from vlmbench.data.answers.predictions import join
from vlmbench.data.files import Folder, Hub, Row, read_json, read_keyed
from vlmbench.data.official.files import data_file, places
from vlmbench.families.answer_files import PLAIN, Answer, AnswerFiles, Format, write_json
from vlmbench.families.base import OwnFiles, Scored
from vlmbench.families.judged import Judged, JudgedRules, Verdicts
from vlmbench.stats.judges.judge_runs import mean_of_runs
from vlmbench.stats.metrics import Metric

from . import charxiv_judge as judge

RAW = "https://raw.githubusercontent.com/princeton-nlp/CharXiv/7ebe88f78dee387691551f071abcb2b9e1a8025b/data"
LICENCE = "CC BY-SA 4.0 (questions); charts of their authors"
ANSWER_TYPES = {1: "Text-in-Chart", 2: "Text-in-General", 3: "Number-in-Chart", 4: "Number-in-General"}
SOURCES = {1: "GPT-Sourced", 2: "GPT-Inspired", 3: "Completely Human"}
CATEGORIES: Mapping[str, tuple[int, ...]] = {
    "Information Extraction": (1, 2, 3, 4, 5, 6, 7),
    "Enumeration": (8, 9, 13, 14, 15),
    "Pattern Recognition": (11, 16, 18),
    "Counting": (10, 12, 19),
    "Compositionality": (17,),
}
TOGETHER = 5
"""Descriptive answers per request."""

# ----------------------------------------------------------------------------------------------------------- the files


def _file(name: str, what: str, *, optional: bool = False) -> DataFile:
    return data_file(places([name], "data/"), what, f"{RAW}/{name}", LICENCE, optional=optional)


def required_files(split: str) -> list[DataFile]:
    """Questions, what the figures are broken down by, and the charts."""
    kind, part = split.split("_")
    others = {f"descriptive_{part}.json", f"image_metadata_{part}.json"} - {f"{kind}_{part}.json"}
    images = data_file(["images"], "charts", how="images.zip of the hub's princeton-nlp/CharXiv", licence=LICENCE)
    more = [_file(name, "what the figures are broken down by", optional=True) for name in sorted(others)]
    return [_file(f"{kind}_{part}.json", "questions"), *more, images]


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """All questions. Ids are the figure's, with the place of a descriptive question behind it: `7_0` to `7_3`."""
    kind, part = split.split("_")
    make = _reasoning if kind == "reasoning" else _descriptive
    if isinstance(data, Hub):
        return [sample for chart in _of_hub(data, kind, part) for sample in make(*chart)]
    name = f"{kind}_{part}.json"
    path = data.need(f"{task}'s questions of {split}", *places([name], "data/"), hint=f"`vlmbench data fetch {task}`")
    rows = read_keyed(path, "query" if kind == "reasoning" else "qids")
    charts, papers = _table(data, f"descriptive_{part}.json"), _table(data, f"image_metadata_{part}.json")
    found = []
    for key, row in rows.items():
        image = data.image(row, f"{key}.jpg", "images", "charxiv/images", field="figure_id")
        found += make(key, row, image, _tags(papers.get(key), charts.get(key)))
    return found


HUB = ("princeton-nlp/CharXiv",)
COMMON = ("category", "year", "num_subplots", "figure_path")
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "reasoning": {
        "query": "reasoning_q",
        "answer": "reasoning_a",
        "inst_category": "reasoning_a_type",
        "qa_source": "reasoning_q_source",
    },
    "descriptive": {"subplot_loc": "subplot_loc", "row": "subplot_row", "column": "subplot_col"}
    | {f"{name}{number}": f"descriptive_{name}{number}" for name in "qa" for number in (1, 2, 3, 4)},
}
"""By kind: the official files' fields, and the hub's columns for them."""


def _of_hub(data: Hub, kind: str, part: str) -> Iterator[tuple[str, Row, ImageRef, dict[str, str]]]:
    """Charts with their rows as the official files have them; ids are the names of the charts' files."""
    columns = COLUMNS[kind]
    fields = (*COMMON, *columns.values())
    table = data.table(HUB, "default", {"val": "validation"}.get(part, part), (*fields, "image"))
    for index, row in enumerate(table.rows(fields)):
        key = PurePosixPath(row.text("figure_path")).stem
        values = {name: row.values.get(column) for name, column in columns.items()}
        if kind == "descriptive":
            answers = [values[f"a{number}"] for number in (1, 2, 3, 4)]
            values["qids"] = [values[f"q{number}"] for number in (1, 2, 3, 4)]
            values["answers"] = None if answers == [None] * 4 else answers
            values["subplot_loc"] = values["subplot_loc"] or [values["row"], values["column"]]
        yield key, Row(values, row.file, row.at), table.image(index, "image", f"{key}.jpg"), _tags(row, row)


def _table(data: Folder, name: str) -> Mapping[str, Row]:
    path = data.find(*places([name], "data/"))
    return read_keyed(path, "figure_id") if path else {}


def _tags(paper: Row | None, chart: Row | None) -> dict[str, str]:
    tags = {}
    if paper:
        tags = {"subject": paper.text("category"), "year": f"20{paper.key('year')}"}
    if chart and chart.has("num_subplots"):
        count = chart.integer("num_subplots")
        tags["subplots"] = "1" if count == 1 else "2-4" if count < 5 else "5+"
    return tags


def _reasoning(key: str, row: Row, image: ImageRef, tags: Mapping[str, str]) -> list[Sample]:
    kind, source = row.integer("inst_category"), row.integer("qa_source", 0)
    if kind not in ANSWER_TYPES:
        raise row.error("inst_category", f"{kind} is none of {', '.join(map(str, ANSWER_TYPES))}")
    own = {"answer_type": ANSWER_TYPES[kind], **({"source": SOURCES[source]} if source in SOURCES else {})}
    target = row.text("answer", None)
    return [Sample(key, row.text("query"), (image,), target, tags={**own, **tags}, cluster=key, extra={"kind": kind})]


def _descriptive(key: str, row: Row, image: ImageRef, tags: Mapping[str, str]) -> list[Sample]:
    templates, where = row.listing("qids"), row.values.get("subplot_loc")
    answers = row.texts("answers") if row.values.get("answers") is not None else [None] * len(templates)
    if len(answers) != len(templates):
        raise row.error("answers", f"{len(answers)} answers to {len(templates)} questions")
    if not isinstance(where, str) and not (isinstance(where, list) and len(where) == 2):
        raise row.error("subplot_loc", f"a row and a column, or words, were expected, not {where!r:.40}")
    found = []
    for number, (template, answer) in enumerate(zip(templates, answers, strict=True)):
        category = next((name for name, ones in CATEGORIES.items() if template in ones), "")
        if not category:
            raise row.error("qids", f"{template!r:.20} is no template from 1 to 19")
        own = {"question": f"Q{template}", "category": category}
        text, extra = judge.descriptive_question(template, where), {"template": template}
        found.append(Sample(f"{key}_{number}", text, (image,), answer, tags={**own, **tags}, cluster=key, extra=extra))
    return found


# ------------------------------------------------------------------------------------------------- answers and verdicts


def _read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
    """The file of responses that the official script writes; else rows of id and text."""
    if rows := _official(path, "response"):
        return join([(key, row.text("response"), row) for key, row in rows.items()], samples, path)
    return PLAIN.read(path, samples, protocol)


def _official(path: Path, field: str) -> Mapping[str, Row]:
    """An object of objects that have a field; nothing for other files."""
    if path.suffix != ".json" or not path.is_file():
        return {}
    content = read_json(path)
    known = isinstance(content, dict) and all(isinstance(row, dict) and field in row for row in content.values())
    return read_keyed(path, field) if known and content else {}


def _write(path: Path, answers: Sequence[Answer]) -> None:
    rows = {}
    for answer in answers:
        figure, _, place = answer.id.partition("_")
        own: dict[str, Any] = {"subq_idx": int(place), "qid": answer.sample.extra["template"]} if place else {}
        own |= {} if place else {"inst_category": answer.sample.extra["kind"], "raw_question": answer.sample.question}
        rows[answer.id] = {"figure_id": int(figure) if figure.isdecimal() else figure, **own, "response": answer.text}
    write_json(path, rows)


def _verdicts(path: Path, samples: Sequence[Sample], protocol: str) -> Verdicts | None:
    """The file of scores that the official script writes."""
    rows = _official(path, "score")
    if not rows:
        return None
    answers = join([(key, json.dumps(row.values), row) for key, row in rows.items()], samples, path)
    return {key: (judge.verdict(None, json.loads(text)["score"]),) for key, text in answers.items()}


# ------------------------------------------------------------------------------------------------------- the benchmark


@dataclass(frozen=True, eq=False, kw_only=True)
class CharXiv(Judged):
    """Descriptive answers are graded together."""

    def batches(self, answers: Batch, protocol: str) -> Sequence[Batch]:
        """Answers to questions of one template, in the order of the file, five at a time; none for reasoning."""
        groups: dict[int, list[tuple[Sample, Response]]] = {}
        for sample, response in sorted(answers, key=lambda pair: _order(pair[0].id)):
            if "template" in sample.extra:
                groups.setdefault(sample.extra["template"], []).append((sample, response))
        return [
            group[at : at + TOGETHER] for _, group in sorted(groups.items()) for at in range(0, len(group), TOGETHER)
        ]

    def grade_batch(self, batch: Batch, protocol: str) -> Generator[JudgeRequest, str, tuple[Verdict, ...]]:
        """One request."""
        pairs = [(response.text, str(sample.target)) for sample, response in batch]
        return judge.descriptive(batch[0][0].extra["template"], pairs)


def _order(key: str) -> tuple[tuple[int, str], ...]:
    """Numbers by value."""
    return tuple((int(part) if part.isdecimal() else -1, part) for part in key.split("_"))


def _talk(sample: Sample, answer: str) -> Generator[JudgeRequest, str, Verdict]:
    """A single answer; a descriptive one as a batch of one."""
    if "template" not in sample.extra:
        return (yield from judge.reasoning(sample, answer))
    (only,) = yield from judge.descriptive(sample.extra["template"], [(answer, str(sample.target))])
    return only


def _prompt(sample: Sample) -> str:
    return sample.question if "template" in sample.extra else judge.reasoning_question(sample)


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """The accuracy, whole and by what the official script breaks it down by."""

    def mean(rows: Scored, name: str, *bar: str) -> Metric:
        return mean_of_runs(name, [score for _, score in rows], [sample.cluster for sample, _ in rows], *bar)

    found = [mean(scored, "accuracy")]
    for tag in ("answer_type", "source", "question", "category", "subject", "year", "subplots"):
        values = dict.fromkeys(sample.tags[tag] for sample, _ in scored if tag in sample.tags)
        for value in values:
            found.append(mean([one for one in scored if one[0].tags.get(tag) == value], f"{tag}_{value}", tag, value))
    return found


CHARXIV = CharXiv(
    name="charxiv",
    title="CharXiv: charts of scientific papers, compared by a judge (Wang et al. 2024)",
    about=__doc__,
    sizes={
        "reasoning_val": Size(1_000, 1_000),
        "descriptive_val": Size(4_000, 1_000),
        "reasoning_test": Size(1_323, 1_323, answers=False),
        "descriptive_test": Size(5_292, 1_323, answers=False),
    },
    rules={
        "official": JudgedRules(
            "princeton-nlp/CharXiv src/@7ebe88f7",
            _prompt,
            _talk,
            1024,
            judge=judge.JUDGE,
            note="what the judge's reply does not say, and any score but 0 and 1, counts as wrong; the script leaves "
            "the length of answers to the model; test's answers are withheld, so that its questions for numbers do not "
            "say how many decimal places are wanted",
        )
    },
    files=OwnFiles(required_files, samples),
    answer_files=AnswerFiles(
        _read,
        "The official script's file of responses, or rows of id and text.",
        {"responses": Format(".json", _write)},
        "The official script's file of responses (gen-MODEL-SPLIT.json).",
    ),
    verdict_files=_verdicts,
    figures=figures,
)
