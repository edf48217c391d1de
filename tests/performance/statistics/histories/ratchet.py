"""Which verdicts a gate gives at each of ten commits that each cost a little, with an anchor and without.

    OMP_NUM_THREADS=1 python -m tests.performance.statistics.histories.ratchet [HISTORIES]

POPE's size (9,000 questions about 500 images); 1 % of the answers turn at each commit, and the baseline is renewed at
each. Prints the table of docs/evaluate/gate.md.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace

import numpy as np

from tests.support.gate_runs import EACH, IMAGES, drifted, stored
from vlmbench.compare import anchors
from vlmbench.compare.gates import gate
from vlmbench.compare.gates.rules import GateRules

STEPS = 10


def verdicts(drop: float, histories: int, metric: str = "accuracy") -> tuple[list[Counter[str]], int]:
    """(per step, the outcomes with an anchor; how many histories pass all steps without one)."""
    rules = GateRules({"": 1.0}, {}, metric=metric)
    found: list[Counter[str]] = [Counter() for _ in range(STEPS)]
    unseen = 0
    for seed in range(histories):
        rng = np.random.default_rng(seed)
        right = rng.random(IMAGES * EACH) < 0.87
        last, passed = stored(right, "0"), True
        for step in range(STEPS):
            right = drifted(right, drop, rng)
            run = stored(right, str(step + 1))
            found[step][str(gate.check(run, last, rules).outcome)] += 1
            passed = passed and gate.check(run, replace(last, anchors=()), rules).outcome == "pass"
            last = anchors.carried(run, last)
        unseen += passed
    return found, unseen


def main(histories: int = 40) -> None:
    """The table."""
    print(f"| drop per commit | without an anchor, all pass | {' | '.join(f'{n}' for n in range(1, STEPS + 1))} |")
    print("|---:|---:|" + "---:|" * STEPS)
    for drop in (0.0, 0.2, 0.3, 0.5, 0.8):
        found, unseen = verdicts(drop, histories)
        cells = [f"{100 * one['fail'] / histories:.0f} / {100 * one['pass'] / histories:.0f}" for one in found]
        print(f"| {drop:g} | {100 * unseen / histories:.0f} % | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
