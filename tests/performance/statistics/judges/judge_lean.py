"""Gates and comparisons where a judge leans: `python -m tests.performance.statistics.judges.judge_lean`.

Two runs of one model on 218 questions, as MM-Vet has; each run of the judge leans to all answers alike, and each grade
has noise of its own. How often the gate fails or passes at an allowed drop of 1, and how often compare has p <= .05, by
what the judge's runs lean and by what is known of the answers: that they are the same, that they are the same although
the baseline does not say so, or that a share of them is worded otherwise and graded anew. docs/evaluate/judging.md has
the table; tests/core/compare/test_judged_pairs.py runs a part of it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.performance.statistics.judges import judged_runs
from vlmbench.compare import compare
from vlmbench.compare.gates import gate
from vlmbench.compare.gates.rules import GateRules
from vlmbench.stats.noninferiority import Outcome

QUESTIONS = 218
LEANS = (0.0, 1.0, 2.0, 4.0)
RUNS = (1, 2)
"""Of the judge, in either run."""
RULES = GateRules({}, {})
KNOWN = {"the same": 0.0, "one in ten reworded": 0.1, "all reworded": 1.0, "the same, baseline without hashes": None}
"""The share of answers that changed; None: it is not known that they did not."""


@dataclass(frozen=True)
class Shares:
    """What became of many pairs of runs."""

    fails: float
    passes: float
    differs: float
    """Comparisons with p <= .05."""


def shares(changed: float | None, runs: int, lean: float, draws: int, *, drop: float = 0.0, seed: int = 3) -> Shares:
    """Of `draws` pairs of runs; what changed deserves `drop` points less."""
    rng = np.random.default_rng([seed, runs, int(10 * lean)])
    asked = judged_runs.samples(QUESTIONS)
    outcomes: list[Outcome] = []
    differs = 0
    for _ in range(draws):
        truth = judged_runs.truths(QUESTIONS, rng)
        reworded = rng.random(QUESTIONS) < (changed or 0.0)
        later = np.where(reworded, judged_runs.truths(QUESTIONS, rng) if drop == 0 else truth - drop / 100, truth)
        texts = [_texts(kind, reworded, changed) for kind in ("earlier", "later")]
        sides = [
            judged_runs.run_of(words, judged_runs.graded(deserved, runs, lean, rng), asked=asked)
            for words, deserved in zip(texts, (truth, later), strict=True)
        ]
        outcomes.append(gate.check(sides[1], sides[0], RULES).outcome)
        compared = compare.compare(*sides, metric="headline", bars=False, resamples=1000)
        differs += (compared.tasks[0].best.paired.p or 1.0) <= 0.05
    return Shares(outcomes.count(Outcome.FAIL) / draws, outcomes.count(Outcome.PASS) / draws, differs / draws)


def _texts(kind: str, reworded: np.ndarray[tuple[int], np.dtype[np.bool_]], changed: float | None) -> Sequence[str]:
    if changed is None and kind == "earlier":
        return [""] * len(reworded)
    return [f"{kind} answer" if new else "an answer" for new in reworded]


def main(draws: int = 400) -> None:
    """The table."""
    print("| answers | judge's runs | lean (sd) | fails | passes | compare p <= .05 |")
    print("|---|---|---|---|---|---|")
    for words, changed in KNOWN.items():
        for runs in RUNS:
            for lean in LEANS:
                found = shares(changed, runs, lean, draws)
                row = (
                    words,
                    runs,
                    f"{lean:g}",
                    *(f"{value:.3f}" for value in (found.fails, found.passes, found.differs)),
                )
                print("| " + " | ".join(map(str, row)) + " |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
