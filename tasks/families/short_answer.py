"""What the benchmarks with ten human answers share: their rules by protocol, asking, scoring, figures, upload files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from sys import intern

from vlmbench.base.errors import PredictionsError
from vlmbench.base.samples import Generation, Request, Response, Sample, Score, Status
from vlmbench.base.task import TaskProtocol
from vlmbench.data.files import Row
from vlmbench.data.predictions import join, named, read_plain, write_rows
from vlmbench.parsing.vqa_accuracy import Humans, Matcher
from vlmbench.stats.metrics import Metric, by_tag, mean

SHORT = "\nAnswer the question using a single word or phrase."
UNANSWERABLE = "\nWhen the provided information is insufficient, respond with 'Unanswerable'." + SHORT
INSTRUCTION = "[vqa] Based on the image, respond to this question with a short answer: {}"

Ids = Mapping[str, None]
"""An ordered set."""
_FIELD = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True)
class Rules:
    """One protocol's words, reader and generation."""

    source: str
    prompt: str
    """With `{}` where the question goes, and `{ocr}` where words found in the picture go."""
    match: Matcher
    tokens: int = 128
    beams: int = 1
    stop: tuple[str, ...] = ()
    capital: bool = False
    """Whether the question's first letter is made a capital and all others small: `str.capitalize()`, as in LLaVA's
    question files of VizWiz and TextVQA and in lmms-eval."""
    choices: tuple[str, ...] = ()
    """Answers to rank instead of writing one."""
    upload: Callable[[str], str] = str.strip
    """What is done to an answer before it is uploaded."""
    headline: str = "accuracy"
    note: str = ""

    @property
    def generation(self) -> Generation:
        """How answers are made."""
        return Generation(max_new_tokens=self.tokens, num_beams=self.beams, stop=self.stop)


def protocols_of(rules: Mapping[str, Rules]) -> Mapping[str, TaskProtocol]:
    """The rules as the task's protocols."""
    return {name: TaskProtocol(name, r.source, r.headline, r.generation, r.note) for name, r in rules.items()}


class HumanAnswered:
    """The part of such a task that is the same for all of them."""

    rules: Mapping[str, Rules]
    server: str = ""
    """Who scores the splits whose answers are not published."""
    breakdowns: tuple[str, ...] = ()
    """Tags that scores are broken down by."""
    formats: Mapping[str, str] = {"json": ".json"}

    def build_request(self, sample: Sample, protocol: str) -> Request:
        """The question in the protocol's words."""
        rules = self.rules[protocol]
        question = sample.question.capitalize() if rules.capital else sample.question
        prompt = _FIELD.sub(lambda found: self.shown(found[1], sample) if found[1] else question, rules.prompt)
        return Request(sample.id, prompt, sample.images, rules.choices, rules.generation)

    def shown(self, field: str, sample: Sample) -> str:
        """What else a prompt shows, by the name it has in braces."""
        raise KeyError(field)

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        """VQA accuracy of one answer. Where the human answers are withheld, only a server can tell."""
        text = response.text
        if sample.target is None:
            note = f"the right answers are not published: only {self.server} can score them"
            return Score(None, Status.UNLABELED, text.strip(), note)
        read, value = self.rules[protocol].match(text, sample.target)
        return Score(value, Status.OK, read)

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[Metric]:
        """Accuracy, and by each of the task's breakdowns."""
        return accuracies(scored, self.breakdowns)

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        """The official results [{"question_id", "answer"}], LLaVA's answer lines, or rows of id and text."""
        answers = read_plain(path, ("question_id", "id"), samples)
        empty = unasked(samples)
        return join((answer for answer in answers if answer[0] not in empty or answer[1]), samples, path)

    def export(self, answers: Mapping[str, str], samples: Sequence[Sample], protocol: str, path: Path) -> None:
        """Write the file the server or the official script takes: a JSON array, a row a question, in their order.

        Raises PredictionsError for missing answers.
        """
        rules = self.rules[protocol]
        if missing := [sample.id for sample in samples if sample.id not in answers]:
            what = f"{len(missing)} of {len(samples)} questions have no answer: {named(missing)}"
            raise PredictionsError(what, where=str(path), hint="answer every question of the split")
        rows = [self.upload_row(sample, rules.upload(answers[sample.id]), protocol) for sample in samples]
        rows += [{"question_id": int(key), "answer": ""} for key in unasked(samples)]
        write_rows(path, rows)

    def upload_row(self, sample: Sample, answer: str, protocol: str) -> dict[str, object]:
        """One row of the upload file. Numbers that are ids stay numbers."""
        key: str | int = int(sample.id) if sample.id.isdecimal() else sample.id
        return {"question_id": key, "answer": answer}


def unasked(samples: Sequence[Sample]) -> Ids:
    """Ids that an upload file has to answer besides those of the samples: with nothing."""
    found: Ids = samples[0].extra.get("_unasked", {}) if samples else {}
    return found


def accuracies(scored: Sequence[tuple[Sample, Score]], breakdowns: Sequence[str]) -> list[Metric]:
    """Mean accuracy, and its bars where samples have the tags."""
    values = [score.value or 0.0 for _, score in scored]
    clusters = [sample.cluster for sample, _ in scored]
    made = [mean("accuracy", values, clusters)]
    for name in breakdowns:
        labels = [sample.tags.get(name, "") for sample, _ in scored]
        if all(labels):
            bars = sorted(by_tag(name, values, labels, clusters), key=lambda bar: bar.label)
            made += [replace(bar, name=f"{name}_{slug(bar.label)}") for bar in bars]
    return made


def slug(label: str) -> str:
    """A label as part of a metric's name: `what color is the` becomes `what_color_is_the`."""
    return re.sub(r"\W+", "_", label).strip("_")


def human_answers(row: Row, field: str = "answers") -> Humans:
    """The human answers of a row: a list of texts, or of objects with `answer`. Raises DataError."""
    found = row.listing(field)
    made: list[str] = []
    for item in found:
        text = item.get("answer") if isinstance(item, dict) else item
        if not isinstance(text, str):
            raise row.error(field, f"a list of answers was expected, but it holds {item!r:.60}")
        made.append(intern(text))
    if not made:
        raise row.error(field, "there are no answers")
    return tuple(made)
