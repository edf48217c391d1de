"""Coverage, for docs/evaluate/statistics.md: `python -m tests.performance.statistics.grid [RUNS [KIND ...]]`.

OMP_NUM_THREADS=1 for one core; 4,000 runs per cell (standard error 0.0035) take some minutes per kind.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping

from tests.performance.statistics import areas, bars, rates, shares, sums
from tests.performance.statistics.cells import Cell, measured, summary, table

RUNS = 4000
KINDS: Mapping[str, tuple[Callable[[], Iterator[Cell]], str]] = {
    "even": (shares.even, "correlation"),
    "single": (shares.single, "share"),
    "uneven": (shares.uneven, "correlation"),
    "f1": (rates.f1s, "recall, false alarms"),
    "bars": (bars.raw, "spread"),
    "bars-shrunk": (bars.drawn_together, "spread"),
    "soft": (rates.soft, "mean"),
    "judged": (rates.judged, "runs"),
    "mme": (sums.mme, "correlation"),
    "pope": (sums.pope, "correlation"),
    "auroc": (areas.single, "area"),
    "auroc-clustered": (areas.clustered, "area"),
}
"""Cells, and the column that is laid across the table."""


def main(runs: int = RUNS, *kinds: str) -> None:
    """Print the table of each kind, and what lies outside 0.93 to 0.97."""
    for kind in kinds or KINDS:
        cells, across = KINDS[kind]
        start = time.process_time()
        found = [measured(cell, runs) for cell in cells()]
        print(f"\n{kind}, {runs:,} runs a cell, {time.process_time() - start:.0f} s\n")
        print("\n".join(table(found, across)), end="\n\n")
        print("\n".join(summary(found)), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS, *sys.argv[2:])
