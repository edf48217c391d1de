"""The peers' own metrics, computed from rows: what a peer prints, with its peculiarities, so that it can be resampled.

A rule is a function of scored samples and the headline's name. `Sample.extra` holds what it reads: `scores` (metric to
the peer's score of the sample), `kinds`, `bars` (breakdown to labels: a sample may count under several), and fields of
the rule. Sources: lmms-eval lmms_eval/tasks/{pope,mme}/utils.py@75571cfe; VLMEvalKit
vlmeval/dataset/utils/{yorn,multiple_choice}.py@e8e78f05; evalscope 1.14.1 benchmarks/pope.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from vlmbench.base.samples import Sample, Score
from vlmbench.runs.imports.readers.nouns import COGNITION, PERCEPTION
from vlmbench.stats.figures import binary
from vlmbench.stats.figures.binary import Counting
from vlmbench.stats.figures.question_pairs import question_pairs
from vlmbench.stats.metrics import LESS, Metric, mean, ratio

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Floats

Scored = Sequence[tuple[Sample, Score]]
Rule = Callable[[Scored, str], list[Metric]]

SUBSET = "subset"
"""A breakdown of which every metric is computed, and not the headline alone."""


def means(scored: Scored, headline: str) -> list[Metric]:
    """The mean of every score that the peer gave, and the headline's by its breakdowns."""
    names = dict.fromkeys([headline, *(name for sample, _ in scored for name in sample.extra.get("scores", ()))])
    parts = [(name, _with(name, scored, headline)) for name in names]
    found = [_mean(name, name, rows, scored, headline) for name, rows in parts if rows]
    for breakdown, labels in _bars(scored).items():
        for label, rows in labels.items():
            bar = _mean(f"{breakdown}_{label}", headline, rows, scored, headline)
            found.append(replace(bar, breakdown=breakdown, label=label))
            if breakdown == SUBSET:
                found += _by_subset(label, rows, scored, headline, names)
    return found


def _by_subset(
    label: str, rows: Sequence[int], scored: Scored, headline: str, names: Iterable[str]
) -> Iterator[Metric]:
    """Every metric over one subset, named with it."""
    for name in names:
        mine = rows if name == headline else [row for row in rows if name in scored[row][0].extra.get("scores", ())]
        if mine:
            bar = _mean(f"{SUBSET}_{label}_{name}", name, mine, scored, headline)
            yield replace(bar, breakdown=f"{SUBSET} ({name})", label=label)


def _with(name: str, scored: Scored, headline: str) -> list[int]:
    """The rows that have a score of this name; the headline's is that of the record."""
    if name == headline:
        return list(range(len(scored)))
    return [row for row, (sample, _) in enumerate(scored) if name in sample.extra.get("scores", ())]


def _bars(scored: Scored) -> dict[str, dict[str, list[int]]]:
    """Breakdown to label to rows."""
    found: dict[str, dict[str, list[int]]] = {}
    for row, (sample, _) in enumerate(scored):
        for breakdown, labels in sample.extra.get("bars", {}).items():
            for label in labels:
                found.setdefault(breakdown, {}).setdefault(label, []).append(row)
    return found


def _mean(name: str, score: str, rows: Sequence[int], scored: Scored, headline: str) -> Metric:
    if score == headline:
        values = [scored[row][1].value or 0.0 for row in rows]
    else:
        values = [float(scored[row][0].extra["scores"][score]) for row in rows]
    kind = scored[rows[0]][0].extra.get("kinds", {}).get(score, "")
    metric = mean(name, values, [scored[row][0].cluster for row in rows])
    if "plain" in kind:
        metric = replace(metric, combine=ratio(scale=1.0), proportion=False, limits=None)
    return replace(metric, better=LESS) if "less" in kind else metric


def _said(scored: Scored) -> tuple[list[str], list[str], list[float]]:
    """What answers were read as, what is right, and the peer's score: for yes and no."""
    answers = [str(score.parsed_answer).lower() for _, score in scored]
    targets = [str(sample.target).lower() for sample, _ in scored]
    return answers, targets, [score.value or 0.0 for _, score in scored]


def _yes_no(counting: Counting, names: Sequence[str], *, by_size: bool = False) -> Rule:
    """Figures of yes and no over all questions (or as means over the subsets by their sizes), and by subset."""

    def rule(scored: Scored, headline: str) -> list[Metric]:
        clusters = [sample.cluster for sample, _ in scored]
        items = binary.columns(*_said(scored))
        kinds = [sample.tags.get("split", "") for sample, _ in scored]
        there = [kind for kind in dict.fromkeys(kinds) if kind]
        found = [binary.figure(name, items, clusters, counting) for name in names]
        if by_size and there:
            blocks = _blocks(items, [there.index(kind) for kind in kinds], len(there))
            found = [_weighted(metric, blocks, counting, len(there)) for metric in found]
        for kind in there if len(there) > 1 or by_size else ():
            rows = [row for row, other in enumerate(kinds) if other == kind]
            inside = [clusters[row] for row in rows]
            found += [binary.figure(name, items[rows], inside, counting, kind) for name in names]
        return found

    return rule


def _blocks(items: Floats, places: Sequence[int], count: int) -> Floats:
    """(items, count x k): each item's counts in the place of its subset."""
    import numpy as np

    blocks = np.zeros((len(items), count, items.shape[1]))
    blocks[np.arange(len(items)), places] = items
    return blocks.reshape(len(items), -1)


def _weighted(metric: Metric, blocks: Floats, counting: Counting, count: int) -> Metric:
    """A figure as the mean of its values over subsets, weighted by their sizes."""

    def combine(sums: Floats) -> Floats:
        import numpy as np

        parts = sums.reshape(*sums.shape[:-1], count, -1)
        sizes = parts[..., binary.ALL]
        values = 100 * binary.FIGURES[metric.name](parts, counting)
        return np.asarray((values * sizes).sum(axis=-1) / np.maximum(sizes.sum(axis=-1), 1))

    return replace(metric, items=blocks, combine=combine, proportion=False, opposite=None)


def pairs(scored: Scored, headline: str) -> list[Metric]:
    """MME's perception, cognition and subtasks: accuracy and accuracy of pairs added up."""
    questions = ((sample.tags.get("subtask", ""), sample.cluster, score.value or 0.0) for sample, score in scored)
    order = (*PERCEPTION, *COGNITION)
    counted = question_pairs(questions, order)
    groups = {"perception": PERCEPTION, "cognition": COGNITION}
    found = [counted.total(name, group, "subtasks") for name, group in groups.items() if counted.present(group)]
    return found + [counted.both_rates(subtask, subtask, "subtask") for subtask in counted.present(order)]


def hallusion(scored: Scored, headline: str) -> list[Metric]:
    """VLMEvalKit's aAcc, fAcc and qAcc of HallusionBench, over all questions and by (l2-)category."""
    found: list[Metric] = []
    whole = {"": {"Overall": list(range(len(scored)))}}
    for breakdown, labels in {**whole, **_bars(scored)}.items():
        for label, rows in labels.items():
            part = [scored[row] for row in rows]
            for name, key in (("aAcc", ""), ("fAcc", "figure"), ("qAcc", "question")):
                metric = _wholes(name, key, part)
                if breakdown:
                    own, bars = f"{label}_{name}", f"{breakdown} ({name})"
                    metric = replace(metric, name=own, breakdown=bars, label=label)
                found.append(metric)
    return found


def _wholes(name: str, key: str, scored: Scored) -> Metric:
    """The share of groups of which all answers are right; of questions without `key`."""
    groups: dict[str, list[float]] = {}
    clusters: dict[str, str] = {}
    for number, (sample, score) in enumerate(scored):
        group = str(sample.extra.get(key)) if key else str(number)
        groups.setdefault(group, []).append(score.value or 0.0)
        clusters.setdefault(group, sample.cluster)
    return mean(name, [float(all(values)) for values in groups.values()], [clusters[group] for group in groups])


RULES: Mapping[str, Rule] = {
    "mean": means,
    "yes_no_lmms_eval": _yes_no(Counting(empty=0.0, misses=binary.SAID_NO), tuple(binary.FIGURES)),
    "yes_no_vlmevalkit": _yes_no(Counting(empty=0.0), ("f1", "accuracy", "precision", "recall")),
    "yes_no_evalscope": _yes_no(Counting(empty=0.0), binary.USUAL, by_size=True),
    "pairs": pairs,
    "hallusion": hallusion,
}
"""By name."""


def metrics(scored: Scored, headline: str) -> list[Metric]:
    """The metrics of a peer's task, the headline first."""
    rule = RULES.get(str(scored[0][0].extra.get("rule", "mean")), means) if scored else means
    found = rule(scored, headline)
    return sorted(found, key=lambda metric: metric.name != headline)
