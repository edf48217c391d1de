"""`python -m tests.fuzzing [N] [--seed S] [--only NAME,...] [--keep DIR]`: N damaged inputs, and what became of them.

Exit code 1 when anything went wrong. A case has a number: the same seed damages the same files in the same way.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FrameType

from tests.fuzzing.more_targets import Archives, HubCopies, Images, Tables
from tests.fuzzing.run_targets import Baselines, Checkpoints, Runs
from tests.fuzzing.targets import Answers, Questions, Settings, Sheets, Target, WrongReadError

TARGETS: tuple[type[Target], ...] = (
    Questions, Answers, Sheets, Tables, Images, Archives, HubCopies, Runs, Baselines, Settings, Checkpoints,
)  # fmt: skip
LONGEST = 20
"""Seconds that one case may take."""


class HangError(BaseException):
    """A case took too long. Not an Exception, so that no reader catches it."""


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise HangError when the block takes longer."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise HangError(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def fuzz(target: Target, cases: int, seed: int, keep: Path | None = None) -> tuple[Counter[str], list[str]]:
    """Counts of refused, accepted, traceback, hang and wrong; a line for each that went wrong."""
    counts: Counter[str] = Counter()
    failures = []
    for number in range(cases):
        outcome, told = one(target, Random(f"{seed} {target.name} {number}"))
        counts[outcome] += 1
        if outcome not in ("refused", "accepted"):
            failures.append(f"{target.name} {number}: {outcome}: {told}")
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                for path in target.folder.glob("last.*"):
                    shutil.copyfile(path, keep / f"{target.name}-{number}{path.suffix}")
    return counts, failures


def one(target: Target, rng: Random) -> tuple[str, str]:
    """What became of one case, and what was done."""
    try:
        with at_most(LONGEST):
            what, _, accepted = target.case(rng)
        return ("accepted" if accepted else "refused"), what
    except WrongReadError as error:
        return "wrong", str(error)
    except HangError as error:
        return "hang", str(error)
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-3:]
        places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(last))
        return "traceback", f"{type(error).__name__}: {str(error)[:150]} ({places})"


def main(words: Sequence[str] | None = None) -> int:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("cases", type=int, nargs="?", default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(kind.name for kind in TARGETS))
    parser.add_argument("--keep", type=Path, help="where damaged files that went wrong are kept")
    options = parser.parse_args(words)
    chosen = [kind for kind in TARGETS if kind.name in options.only.split(",")]
    whole, failures = sum(kind.share for kind in chosen), []
    print(f"{'target':12} {'cases':>6} {'refused':>8} {'accepted':>9} {'traceback':>10} {'hang':>5} {'wrong':>6}")
    with tempfile.TemporaryDirectory() as folder:
        for kind in chosen:
            cases = max(1, round(options.cases * kind.share / whole))
            counts, bad = fuzz(kind(Path(folder)), cases, options.seed, options.keep)
            failures += bad
            row = [counts[name] for name in ("refused", "accepted", "traceback", "hang", "wrong")]
            print(f"{kind.name:12} {cases:6} {row[0]:8} {row[1]:9} {row[2]:10} {row[3]:5} {row[4]:6}", flush=True)
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
