"""Short answers in words, scored by a matcher: VQA accuracy over ten human answers, equality, containment.

Matchers: vlmbench.parsing.matchers and vqa_accuracy; normalisers: vlmbench.parsing.text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vlmbench.base.samples import Response, Sample, Score, Status
from vlmbench.data.answers.predictions import join, read_plain, write_rows
from vlmbench.data.official.vqa_challenge import UNASKED
from vlmbench.families.answer_files import Answer, AnswerFiles, Format
from vlmbench.families.base import Benchmark, Prompt, ProtocolRules, Scored, accuracies, bars_of_lists, filled
from vlmbench.stats.metrics import Metric

SHORT = "\nAnswer the question using a single word or phrase."
UNANSWERABLE = "\nWhen the provided information is insufficient, respond with 'Unanswerable'." + SHORT
INSTRUCTION = "[vqa] Based on the image, respond to this question with a short answer: {question}"


@dataclass(frozen=True)
class ShortAnswerRules(ProtocolRules):
    """One protocol. `reader` is a matcher: (text, target) to (what the text was read as, its score)."""

    upload: Callable[[str], str] = str.strip
    """What is done to an answer before it is uploaded."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ShortAnswer(Benchmark[ShortAnswerRules]):
    """A benchmark whose answers are words, numbers or phrases."""

    lists: tuple[str, ...] = ()
    """Lists in `Sample.extra` by whose texts the mean score is broken down, as by the tags of `breakdowns`."""

    def parse(self, sample: Sample, response: Response, rules: ShortAnswerRules) -> str:
        """The text as it was compared; of a question whose right answer is not known, the text."""
        if sample.target is None:
            return response.text.strip()
        return self.match(sample, response, rules)[0]

    def rate(self, sample: Sample, response: Response, rules: ShortAnswerRules) -> Score:
        """What the protocol's matcher gives."""
        parsed, value = self.match(sample, response, rules)
        return Score(value, Status.OK, parsed)

    def match(self, sample: Sample, response: Response, rules: ShortAnswerRules) -> tuple[str, float]:
        """What the answer was read as, and its score: where more than answer and target decides, a hook."""
        found: tuple[str, float] = rules.reader(response.text, sample.target)
        return found

    def example_answer(self, sample: Sample, protocol: str) -> str:
        """The right answer; of several people's the most frequent, the first of equally frequent ones."""
        target = sample.target
        return target if isinstance(target, str) else Counter(map(str, target)).most_common(1)[0][0]

    def figures_of(self, scored: Scored, rules: ShortAnswerRules) -> Sequence[Metric]:
        """The mean score, its bars by each tag that all samples have, and by lists; in the order of their labels."""
        tags = [tag for tag in self.breakdowns if all(sample.tags.get(tag) for sample, _ in scored)]
        accuracy, *bars = accuracies(scored, tags, rules.headline)
        bars += [bar for name in self.lists for bar in bars_of_lists(name, scored)]
        bars.sort(key=lambda bar: ((*tags, *self.lists).index(bar.breakdown), _in_order(bar.label)))
        return [accuracy, *(replace(bar, name=f"{bar.breakdown}_{slug(bar.label)}") for bar in bars)]


@dataclass(frozen=True)
class Capitalised:
    """A prompt with the question's first letter a capital and all others small: `str.capitalize()`.

    As in LLaVA's question files of VizWiz and TextVQA, and in lmms-eval.
    """

    prompt: Prompt

    def __call__(self, sample: Sample) -> str:
        """The prompt for one sample."""
        return filled(self.prompt, replace(sample, question=sample.question.capitalize()))


def _in_order(label: str) -> str:
    """What labels are sorted by: whole numbers by their value."""
    return label.zfill(9) if label.isdecimal() else label


def slug(label: str) -> str:
    """A label as part of a metric's name: `what color is the` becomes `what_color_is_the`."""
    return re.sub(r"\W+", "_", label).strip("_")


# ------------------------------------------------------------------------------------------------------ upload files


def upload_files(rules: Mapping[str, ShortAnswerRules], key: str = "question_id") -> AnswerFiles:
    """The files that the challenge's server takes: rows of question_id, or another `key`, and answer."""

    def read(path: Path, samples: Sequence[Sample], protocol: str) -> Mapping[str, str]:
        unasked = _unasked(samples)
        answers = read_plain(path, (key, "id"), samples)
        return join((answer for answer in answers if answer[0] not in unasked or answer[1]), samples, path)

    def write(path: Path, answers: Sequence[Answer]) -> None:
        rows = [{key: number(a.id), "answer": rules[a.protocol].upload(a.text)} for a in answers]
        rows += [{key: int(unasked), "answer": ""} for unasked in _unasked([a.sample for a in answers])]
        write_rows(path, rows)

    reads = f'The official results [{{"{key}", "answer"}}], LLaVA\'s answer lines, or rows of id and text.'
    return AnswerFiles(read, reads, {"json": Format(".json", write)}, UPLOAD)


UPLOAD = "Write the file the server or the official script takes: a JSON array, a row per question, in their order."


def number(key: str) -> int | str:
    """An id as official files have it: numbers stay numbers."""
    return int(key) if key.isdecimal() else key


def _unasked(samples: Sequence[Sample]) -> Mapping[str, None]:
    """An ordered set of ids."""
    unasked: Mapping[str, None] = samples[0].extra.get(UNASKED, {}) if samples else {}
    return unasked
