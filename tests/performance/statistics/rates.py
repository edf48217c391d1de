"""Cells for F1, soft scores and grades of judges, drawn as metrics and given to `interval` itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np

from tests.performance.statistics.cells import Cell, Drawn
from vlmbench.base.metric import Metric
from vlmbench.stats.figures import binary
from vlmbench.stats.intervals import interval
from vlmbench.stats.metrics import mean
from vlmbench.stats.seeds.replicates import decompose

Made = tuple[Metric, float]
"""A metric, and how many of its clusters turned out the rarer way."""


def of_metrics(
    kind: str, columns: dict[str, str], n: int, truth: float, make: Callable[[np.random.Generator], Made]
) -> Cell:
    """A cell whose runs are whole metrics."""

    def draw(rng: np.random.Generator, runs: int) -> Drawn:
        low, high, rarer = np.full(runs, np.nan), np.full(runs, np.nan), np.zeros(runs)
        for run in range(runs):
            metric, rarer[run] = make(rng)
            found = interval(metric, resamples=1000)
            if found.low is not None and found.high is not None:
                low[run], high[run] = found.low, found.high
        return Drawn(low, high, float(rarer.mean()))

    return Cell(kind, columns, n, truth, draw)


def f1(n: int, prevalence: float, recall: float, false_alarms: float) -> Cell:
    """F1 of yes, one question per image."""
    shares = np.array([recall * prevalence, (1 - recall) * prevalence, false_alarms * (1 - prevalence)])
    truth = 200 * shares[0] / (2 * shares[0] + shares[1] + shares[2])
    clusters = [str(place) for place in range(n)]
    kinds = np.zeros((4, 8))
    for row, (yes, said) in enumerate(((True, True), (True, False), (False, True), (False, False))):
        kinds[row] = binary.columns(["yes" if said else "no"], ["yes" if yes else "no"], [float(yes == said)])[0]

    @cache
    def ends(*counts: int) -> tuple[float, float]:
        metric = binary.figure("f1", np.repeat(kinds, counts, axis=0), clusters, binary.Counting())
        found = interval(metric)
        return math.nan if found.low is None else found.low, math.nan if found.high is None else found.high

    def draw(rng: np.random.Generator, runs: int) -> Drawn:
        # An interval depends on the four counts alone, and with few questions the same ones come again and again.
        counts = rng.multinomial(n, [*shares, 1 - shares.sum()], size=runs)
        found = np.array([ends(*map(int, row)) for row in counts])
        rarer = np.minimum(counts[:, 0], counts[:, 1] + counts[:, 2])
        return Drawn(found[:, 0], found[:, 1], float(rarer.mean()))

    columns = {"n": str(n), "positive": f"{prevalence:g}", "recall, false alarms": f"{recall:g}, {false_alarms:g}"}
    return Cell("F1", columns, n, truth, draw)


def f1s() -> Iterator[Cell]:
    """Section 2.3."""
    for n in (24, 60, 218, 500, 2000):
        for prevalence in (0.5, 0.2, 0.1, 0.05, 0.02):
            for recall, false_alarms in ((0.8, 0.1), (0.95, 0.02), (0.995, 0.005), (0.6, 0.2)):
                yield f1(n, prevalence, recall, false_alarms)


SOFT = {49.0: (0.4, 0.1, 0.2, 0.3), 97.5: (0.01, 0.01, 0.02, 0.96), 5.3: (0.92, 0.01, 0.0333, 0.03)}
"""How often VQA's score is 0, 0.3, 0.6 and 1, by mean."""


def soft() -> Iterator[Cell]:
    """Section 2.2: VQA scores, one question per image or six."""
    for n in (24, 60, 216, 498, 1998):
        for named, chances in SOFT.items():
            for each in (1, 6):
                yield _soft(n, named, np.array(chances) / sum(chances), each)


def _soft(n: int, named: float, chances: np.ndarray[tuple[int], np.dtype[np.float64]], each: int) -> Cell:
    values = np.array([0.0, 0.3, 0.6, 1.0])
    clusters = [str(place // each) for place in range(n)]

    def make(rng: np.random.Generator) -> Made:
        # The questions of an image share the drawn score with a chance of the root of 0.3, their correlation.
        own, common = (rng.choice(4, p=chances, size=size) for size in (n, n // each))
        taken = np.where(rng.random(n) < math.sqrt(0.3), common.repeat(each), own) if each > 1 else own
        scores = values[taken].reshape(-1, each)
        whole = min(float((scores.mean(axis=1) < 1).sum()), float((scores.mean(axis=1) > 0).sum()))
        return mean("vqa", list(scores.ravel()), clusters), whole

    columns = {"n": str(n), "per image": str(each), "mean": f"{named:g}"}
    return of_metrics("soft", columns, n, 100 * float(values @ chances), make)


def judged() -> Iterator[Cell]:
    """Section 2.7b: grades of runs of a judge that lean by 0 or 5 points each."""
    for n in (60, 218):
        for runs in (2, 3, 5):
            for lean in (0.0, 0.05):
                yield _judged(n, runs, lean)


def _judged(n: int, runs: int, lean: float) -> Cell:
    clusters = [str(place) for place in range(n)]

    def make(rng: np.random.Generator) -> Made:
        true = rng.beta(1.2, 1.0, n)
        shift = rng.normal(0, lean, runs)[:, None]
        grades = np.clip(true + shift + rng.normal(0, 0.15, (runs, n)), 0, 1)
        parts = decompose([mean("total", list(run), clusters) for run in grades])
        assert parts is not None
        metric = mean("total", list(grades.mean(axis=0)), clusters)
        return replace(metric, run_values=parts.values, run_noise=parts.within), n / 2

    rng = np.random.default_rng(0)
    true = rng.beta(1.2, 1.0, 400_000)
    shift = rng.normal(0, lean, 400_000) + rng.normal(0, 0.15, 400_000)
    truth = 100 * float(np.clip(true + shift, 0, 1).mean())
    columns = {"n": str(n), "lean": f"{100 * lean:g}", "runs": str(runs)}
    return of_metrics("judged", columns, n, truth, make)
