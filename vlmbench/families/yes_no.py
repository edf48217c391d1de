"""Yes or no (or true or false), by text or by the likelier of two words. Readers: vlmbench.parsing.yes_no."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vlmbench.base.samples import ChoiceScore, Response, Sample, Score, Status
from vlmbench.families.base import Benchmark, ProtocolRules, Scored, accuracies
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
        known = any(credits) and (rules.reader not in GUESSING or says_yes_or_no(response.text))
        value = credits[self.words.index(sample.target)]
        return Score(value, parsed_answer=parsed, unread="" if known else " or ".join(words))

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
        return Score(0.0, parsed_answer=parsed[1 - right]), Score(1.0, parsed_answer=parsed[right])


def areas(scored: Scored, positive: str, shares: Sequence[float]) -> list[Metric]:
    """AUROC and average precision of the probabilities of the positive word; none where a probability is missing."""
    if any(map(math.isnan, shares)):
        return []
    targets, clusters = [sample.target == positive for sample, _ in scored], [sample.cluster for sample, _ in scored]
    return [
        auroc("auroc", targets, shares, clusters),
        average_precision("average_precision", targets, shares, clusters),
    ]
