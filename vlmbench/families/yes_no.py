"""Yes or no (or true or false), by text or by the likelier of two words. Readers: vlmbench.parsing.yes_no."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench.base.samples import ChoiceScore, Response, Sample, Score, Status, Verdict
from vlmbench.base.task import NO_JUDGE
from vlmbench.data.answers.predictions import answer_text, as_predictions_error, write_rows
from vlmbench.data.answers.unnumbered_answers import read_pred_gt
from vlmbench.data.rows import Row
from vlmbench.families.answer_files import Answer
from vlmbench.families.base import Benchmark, ProtocolRules, Scored, Talk, accuracies
from vlmbench.parsing.yes_no import GUESSING, YES_NO, says_yes_or_no
from vlmbench.stats.metrics import Metric, auroc, average_precision


def same_word(parsed: str, word: str) -> float:
    """Whether an answer says a word; a probability may follow it."""
    return float(parsed.partition(" ")[0] == word)


@dataclass(frozen=True)
class YesNoRules(ProtocolRules):
    """One protocol. `reader` takes the text and gives what it says."""

    words: tuple[str, str] | None = None
    """What the reader calls the benchmark's two words, where it has others."""
    credit: Callable[[str, str], float] = same_word
    """(What was read, the right word) to the score."""
    ranked: Callable[[Sequence[ChoiceScore]], str] | None = None
    """Reads the likelihoods of `choices`, where there are any, as `reader` reads a text."""
    unparsed: str = ""
    """A text in which nothing is read is wrong; or has no score, for this reason."""
    beside: Callable[[Scored], Sequence[Metric]] | None = None
    """Metrics beside the accuracy."""


@dataclass(frozen=True, eq=False, kw_only=True)
class YesNo(Benchmark[YesNoRules]):
    """A benchmark whose right answers are two words."""

    words: tuple[str, str] = YES_NO
    """The targets, the positive one first."""

    def parse(self, sample: Sample, response: Response, rules: YesNoRules) -> str:
        """The word that the protocol's reader finds."""
        if response.choices and rules.ranked is not None:
            return rules.ranked(response.choices)
        parsed: str = rules.reader(response.text)
        return parsed

    def rate(self, sample: Sample, response: Response, rules: YesNoRules) -> Score:
        """Right or wrong. A text that says neither is wrong, or unparsed where the rules say so."""
        parsed = self.parse(sample, response, rules)
        if rules.unparsed and not parsed:
            return Score(None, Status.UNPARSED, note=rules.unparsed)
        words = rules.words or self.words
        credits = [rules.credit(parsed, word) for word in words]
        if rules.talk is not None and not any(credits):
            return Score(None, Status.JUDGE_FAILED, note=NO_JUDGE)
        known = any(credits) and (rules.reader not in GUESSING or says_yes_or_no(response.text))
        value = credits[self.words.index(sample.target)]
        return Score(value, parsed_answer=parsed, unread="" if known else " or ".join(words))

    def example_answer(self, sample: Sample, protocol: str) -> str:
        """The right word, with a capital where the protocol's choices or its prompt write it with one."""
        rules = self.rules[protocol]
        word = (rules.words or self.words)[self.words.index(sample.target)]
        ranked = rules.choices(sample) if callable(rules.choices) else rules.choices
        written = ranked or (re.findall(r"\w+", rules.prompt) if isinstance(rules.prompt, str) else ())
        return word.capitalize() if word not in written and word.capitalize() in written else word

    def figures_of(self, scored: Scored, rules: YesNoRules) -> Sequence[Metric]:
        """Accuracy, the protocol's other metrics, and the breakdowns of the accuracy."""
        accuracy, *bars = accuracies(scored, self.breakdowns)
        return [accuracy, *(rules.beside(scored) if rules.beside else ()), *bars]

    def extremes(self, sample: Sample, protocol: str, runs: int) -> tuple[Score, Score]:
        """Sure of the other word, and sure of the right one."""
        rules = self.rules[protocol]
        choices = rules.choices if isinstance(rules.choices, tuple) else ()
        parsed = []
        for word in rules.words or self.words:
            sure = tuple(ChoiceScore(choice, 0.0 if choice.lower() == word else -math.inf, 1) for choice in choices)
            parsed.append(self.parse(sample, Response(word, sure), rules))
        right = self.words.index(sample.target)
        worst, best = (
            Score(value, parsed_answer=parsed[place], verdicts=(Verdict(value),) * runs)
            for value, place in ((0.0, 1 - right), (1.0, right))
        )
        return worst, best


class YesNoOrJudge(YesNo):
    """A benchmark of yes and no of which some protocols ask a judge: a vlmbench.base.task.Judged."""

    def grade(self, sample: Sample, response: Response, protocol: str) -> Talk:
        """What the protocol's reader says where it reads a word, without asking; else the protocol's talk."""
        score, talk = self.score(sample, response, protocol), self.rules[protocol].talk
        if talk is None or score.status is not Status.JUDGE_FAILED:
            return Verdict(score.value, score.status, note=score.note)
        return (yield from talk(sample, response.text))

    def read_verdicts(
        self, path: Path, samples: Sequence[Sample], protocol: str
    ) -> Mapping[str, tuple[Verdict, ...]] | None:
        """None: such verdicts are kept in no file of their own."""
        return None


def areas(scored: Scored, positive: str, shares: Sequence[float]) -> list[Metric]:
    """AUROC and average precision of the probabilities of the positive word; none where a probability is missing."""
    if any(map(math.isnan, shares)):
        return []
    targets, clusters = [sample.target == positive for sample, _ in scored], [sample.cluster for sample, _ in scored]
    return [
        auroc("auroc", targets, shares, clusters),
        average_precision("average_precision", targets, shares, clusters),
    ]


# ------------------------------------------------------------------------------------------------- files of two words


def yes_no_target(row: Row, field: str) -> str:
    """`yes` or `no` of a row that has it in any letter case, with or without a full stop. Raises DataError."""
    text = row.text(field)
    word = text.strip().lower().rstrip(".")
    if word not in YES_NO:
        raise row.error(field, f"yes or no was expected, not {text!r:.40}")
    return word


def word_of_digit(row: Row, field: str, words: Sequence[str] = YES_NO) -> str:
    """The word that a row's 1 (the first) or 0 (the second) stands for. Raises DataError for anything else."""
    digit = row.integer(field)
    if digit not in (0, 1):
        raise row.error(field, f"0 or 1 was expected, not {digit}")
    return words[1 - digit]


@dataclass(frozen=True)
class PredGtRows:
    """Rows of `pred` and `gt` without ids, in the questions' order: what MiniGPT-4's and TinyGPT-V's scripts save."""

    noun: str
    """What a question is here, for messages."""
    words: tuple[str, ...] = ()
    """What 1 and 0 stand for, where the rows have digits; else they have the text, and the word that is right."""

    def read(self, path: Path, rows: Sequence[Row], samples: Sequence[Sample]) -> Mapping[str, str]:
        """Sample id to text. Raises PredictionsError, also where `gt` is not what the question's target is."""
        return read_pred_gt(path, rows, samples, self.noun, self._text, self._truth)

    def write(self, path: Path, answers: Sequence[Answer]) -> None:
        """A text in which no word was read stays as it is, in place of a digit."""
        digits: Mapping[Any, object] = {word: 1 - place for place, word in enumerate(self.words)}
        rows = ((digits.get(a.parsed, a.text), a.sample.target) for a in answers)
        write_rows(path, ({"pred": pred, "gt": digits.get(target, target)} for pred, target in rows))

    def _text(self, row: Row) -> str:
        pred = row.values["pred"]
        if self.words and isinstance(pred, int):
            return self.words[1 - pred] if pred in (0, 1) else ""
        return answer_text(row, "pred")

    def _truth(self, row: Row) -> str:
        if not self.words:
            return answer_text(row, "gt").lower()
        with as_predictions_error("needed: pred and gt, 0 or 1"):
            return word_of_digit(row, "gt", self.words)
