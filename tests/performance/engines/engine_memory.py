"""Peak memory of the shared-prefix engine against one-by-one, at 32 questions per image. Linux.

    OMP_NUM_THREADS=1 python -m tests.performance.engines.engine_memory random240m

Each engine runs in processes of its own, by turns; counted is, as a median, how far the resident set grows, at its
highest, over what it was with the model loaded and one short question answered. Prints a markdown table for
docs/performance.md.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

QUESTIONS = 32
LIMIT = 1.3


def resident(what: str) -> float:
    """MiB of this process: VmRSS now, or VmHWM at its highest."""
    status = Path("/proc/self/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith(what))
    return int(line.split()[1]) / 1024


def child(name: str, kind: str) -> None:
    """Print the growth in MiB."""
    import torch

    from tests.performance.engines.models import subject
    from vlmbench.base.samples import Generation, Request
    from vlmbench.models.engine.engine import Engine

    torch.set_num_threads(1)
    of = subject(name)
    engine = Engine(of.system, kind=kind)
    list(engine.answer([[Request("warm", "What?", generation=Generation(max_new_tokens=2))]]))
    asked = of.groups(QUESTIONS, of.simple_questions if kind == "simple" else 0)[:1]
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    answered = list(engine.answer(asked))
    assert all(response.finish != "error" for _, response in answered)
    print(resident("VmHWM") - before)


def main() -> int:
    """Measure both and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subject", choices=["shipped", "random240m"])
    parser.add_argument("--processes", type=int, default=5, help="of each engine")
    parser.add_argument("--child", default="")
    options = parser.parse_args()
    if options.child:
        child(options.subject, options.child)
        return 0
    each: dict[str, list[float]] = {"simple": [], "shared": []}
    for _ in range(options.processes):
        for kind, found in each.items():
            command = [
                sys.executable,
                "-m",
                "tests.performance.engines.engine_memory",
                options.subject,
                "--child",
                kind,
            ]
            found.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    grown = {kind: statistics.median(found) for kind, found in each.items()}
    ratio = grown["shared"] / grown["simple"]
    print("| model | one by one, MiB | shared, MiB | ratio | limit |")
    print("|---|---|---|---|---|")
    print(f"| {options.subject} | {grown['simple']:.1f} | {grown['shared']:.1f} | {ratio:.2f} | {LIMIT} |")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
