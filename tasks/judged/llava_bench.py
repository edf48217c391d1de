"""LLaVA-Bench (in the wild): open questions about 24 pictures; a judge compares each answer with a reference.

Liu et al., Visual Instruction Tuning, NeurIPS 2023 (arXiv 2304.08485). Files of the hub's dataset
liuhaotian/llava-bench-in-the-wild: questions.jsonl, context.jsonl, answers_gpt4.jsonl, images/. The scripts join them
by the number of the line; we join them by id. The judge: llava_bench_grading.py; the score: llava_bench_metrics.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import Generation, Request, Response, Sample, Score, Status, Verdict
from vlmbench.base.task import DataFile, Size, TaskProtocol
from vlmbench.data.files import Folder, Hub, read_rows, unique
from vlmbench.data.predictions import answer_files, answer_key, answer_rows, answer_text, join, read_plain
from vlmbench.data.rows import Row
from vlmbench.scoring.verdicts import NO_JUDGE
from vlmbench.stats.metrics import Metric

from . import llava_bench_grading as grading
from . import llava_bench_metrics

_ANSWER = Generation(max_new_tokens=1024)
_LLAVA = "haotian-liu/LLaVA llava/eval/{eval_gpt_review_bench,summarize_gpt_review}.py@c121f043"

PROTOCOLS: Mapping[str, TaskProtocol] = {
    "honest": TaskProtocol(
        "honest",
        f"{_LLAVA}, without what it makes of failures",
        "relative_score",
        _ANSWER,
        "a review without two grades up to 10 is missing, not -1; nothing is rounded on the way",
        grading.RULES["honest"],
    ),
    "official": TaskProtocol(
        "official",
        _LLAVA,
        "relative_score",
        _ANSWER,
        "unreadable reviews stay in both means as -1, which lifts a score towards 100; rounded as the script does",
        grading.RULES["official"],
    ),
    "vlmevalkit": TaskProtocol(
        "vlmevalkit",
        "open-compass/VLMEvalKit vlmeval/dataset/utils/llavabench.py@e8e78f05",
        "relative_score",
        _ANSWER,
        "as official, without rounding the means",
        grading.RULES["vlmevalkit"],
    ),
    "lmms_eval": TaskProtocol(
        "lmms_eval",
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/llava-in-the-wild/utils.py@75571cfe",
        "relative_score",
        Generation(max_new_tokens=4096, stop=("ASSISTANT:",)),
        "reads the first two numbers of the first line, whatever they are; failures stay in as -1",
        grading.RULES["lmms_eval"],
    ),
}

FILES = ("questions.jsonl", "context.jsonl", "answers_gpt4.jsonl")
HUB_NAMES = ("lmms-lab/llava-bench-in-the-wild", "lmms-lab-encoder/llava-bench-in-the-wild")
HUB_FIELDS = ("question_id", "question", "caption", "gpt_answer", "category")
RAW = "https://huggingface.co/datasets/liuhaotian/llava-bench-in-the-wild/resolve/main"
LICENCE = "Apache-2.0 (dataset card); pictures from the web; reference answers written by GPT-4"


class LlavaBench:
    """The benchmark, for all its protocols."""

    name = "llava_bench"
    title = "LLaVA-Bench (in the wild): answers compared with references by a judge (Liu et al. 2023)"
    version = 1
    splits: tuple[str, ...] = ("test",)
    sizes: Mapping[str, Size] = MappingProxyType(
        {"test": Size(60, 24, note="17 of conversation, 15 of detail, 28 of complex reasoning")}
    )
    protocols = PROTOCOLS
    formats: Mapping[str, str] = MappingProxyType({"answers": ".jsonl"})

    def required_files(self, split: str) -> Sequence[DataFile]:
        """Questions, what the pictures show, reference answers, pictures."""
        files = {
            "questions.jsonl": "60 questions (8 kB)",
            "context.jsonl": "what the 24 pictures show, in words, for the judge (8 kB)",
            "answers_gpt4.jsonl": "reference answers (47 kB)",
        }
        files |= {f"images/{n:03d}.jpg": f"picture {n} of 24 (10 MB in all)" for n in range(1, 25)}
        return [DataFile(name, what, f"{RAW}/{name}", licence=LICENCE) for name, what in files.items()]

    def samples(self, data: Folder | Hub, split: str) -> Sequence[Sample]:
        """All questions; ids are their question_id."""
        if isinstance(data, Hub):
            return self._from_hub(data)
        data = data.within(self.name)
        hint = "`vlmbench data fetch llava_bench` gets it"
        paths = [data.need(f"LLaVA-Bench's {name}", name, hint=hint) for name in FILES]
        questions, contexts, references = (read_rows(path) for path in paths)
        context = unique(((row.text("image"), row) for row in contexts), "image")
        reference = unique(((row.key("question_id"), row) for row in references), "question_id")
        found = []
        for key, row in unique(((row.key("question_id"), row) for row in questions), "question_id").items():
            image = row.text("image")
            if image not in context:
                raise row.error("image", f"{image!r} has no context", f"context.jsonl must have one: {paths[1]}")
            if key not in reference:
                raise row.error("question_id", f"{key} has no reference answer", f"it must be in {paths[2]}")
            found.append(
                Sample(
                    id=key,
                    question=row.text("text"),
                    images=(data.picture(row, image, "images", "."),),
                    target=reference[key].text("text"),
                    tags={"category": _category(row)},
                    cluster=image,
                    extra={"context": _caption(context[image])},
                )
            )
        return found

    def _from_hub(self, data: Hub) -> Sequence[Sample]:
        table = data.table(HUB_NAMES, "default", "train", (*HUB_FIELDS, "image"))
        rows = [(row.key("question_id"), row) for row in table.rows(HUB_FIELDS)]
        unique(rows, "question_id")
        return [
            Sample(
                id=key,
                question=row.text("question"),
                images=(table.picture(at, "image", f"{key}.jpg"),),
                target=row.text("gpt_answer"),
                tags={"category": _category(row)},
                cluster=_caption(row),  # the rows name no picture; questions about one share its description
                extra={"context": _caption(row)},
            )
            for at, (key, row) in enumerate(rows)
        ]

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The bare question."""
        return Request(sample.id, sample.question, sample.images, generation=PROTOCOLS[protocol].generation)

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """None: a judge grades the answers."""
        return Score(None, Status.JUDGE_FAILED, note=NO_JUDGE)

    def grade(self, sample: Sample, response: Response, protocol: str) -> grading.Talk:
        """One conversation with the judge about one answer."""
        return grading.grade(protocol, sample.extra["context"], sample.question, sample.target, response.text)

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """The lowest grade beside the highest one of the reference, and the other way round."""
        worst, best = (Verdict(pair[1], values=pair) for pair in ((10.0, 1.0), (1.0, 10.0)))
        return Score(1.0, verdicts=(worst,) * runs), Score(10.0, verdicts=(best,) * runs)

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """Relative score, whole and by category."""
        return llava_bench_metrics.metrics(scored, protocol)

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """LLaVA's answer lines (question_id, text), or rows of id and text."""
        return join(read_plain(path, ("question_id", "id"), samples), samples, path)

    def export(self, answers: Mapping[str, str], samples: Sequence[Sample], protocol: str, path: Path) -> None:
        """LLaVA's answer lines, in the order of the questions: its review script pairs lines by number."""
        rows = [
            {"question_id": int(s.id) if s.id.isdecimal() else s.id, "prompt": s.question, "text": answers[s.id]}
            | {"answer_id": f"answer-{s.id}", "model_id": "vlmbench", "metadata": {}}
            for s in samples
        ]
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")

    def read_verdicts(
        self, path: Path, samples: Sequence[Sample], protocol: str
    ) -> Mapping[str, tuple[Verdict, ...]] | None:
        """Review files of LLaVA's script: each, by name, is one run of the judge. None for answer files."""
        runs = [(file, answer_rows(file)) for file in answer_files(path)]
        reviews = [any(field in row.values for row in rows for field in REVIEW) for _, rows in runs]
        if not any(reviews):
            return None
        if not all(reviews):
            raise PredictionsError(
                "reviews and other files are mixed", where=str(path), hint="name a folder of reviews, or one file"
            )
        _refuse_two_models([rows for _, rows in runs])
        for row in (row for _, rows in runs for row in rows):
            _refuse_other_scale(row, protocol)
        found = [
            join(((answer_key(row, "question_id"), answer_text(row, "content"), row) for row in rows), samples, file)
            for file, rows in runs
        ]
        return {sample.id: tuple(_reviewed(run[sample.id], protocol) for run in found) for sample in samples}


REVIEW = ("content", "answer1_id", "answer2_id", "tuple")
"""Fields that a row of a review file has, and a row of answers has not."""


def _refuse_two_models(runs: Sequence[Sequence[Row]]) -> None:
    """Raise PredictionsError when two runs of the judge are about different answers: answer2_id names the model's."""
    first: dict[object, Row] = {}
    for rows in runs:
        for row in rows:
            key, graded = row.values.get("question_id"), row.values.get("answer2_id")
            before = first.setdefault(str(key), row)
            known = before.values.get("answer2_id")
            if before.file != row.file and graded and known and graded != known:
                what = f"it reviews another answer (answer2_id {graded!r:.40}) than {before.where} ({known!r:.40})"
                raise PredictionsError(what, where=row.where, hint="name the reviews of one model's answers alone")


def _refuse_other_scale(row: Row, protocol: str) -> None:
    """Raise PredictionsError for grades that this judge cannot have given: the prompt asks for 1 to 10."""
    grades = grading.verdict(answer_text(row, "content"), protocol).values
    if protocol != "honest" and grades != grading.FAILED and not all(0 <= grade <= 10 for grade in grades):
        what = f"the grades are {' and '.join(f'{grade:g}' for grade in grades)}, and the scale is 1 to 10"
        raise PredictionsError(what, where=row.where, hint="are these reviews of another prompt?")


def _reviewed(review: str, protocol: str) -> Verdict:
    return replace(grading.verdict(review, protocol), replies=(review,))


def _category(row: Row) -> str:
    name = row.text("category").removeprefix("llava_bench_")
    if name not in llava_bench_metrics.CATEGORIES:
        raise row.error("category", f"{name!r} is none of {', '.join(llava_bench_metrics.CATEGORIES)}")
    return name


def _caption(row: Row) -> str:
    """One description, or several on lines of their own."""
    return "\n".join(row.texts("caption")) if isinstance(row.values.get("caption"), list) else row.text("caption")


LLAVA_BENCH = LlavaBench()
