"""CPU time and memory that a question costs beside the model: the `echo` model on VQAv2's files.

    git worktree add ../earlier b86c433
    OMP_NUM_THREADS=1 python -m tests.performance.harness --against ../earlier --rounds 3

Whole processes of `vlmbench run`: reading, planning, hashing, asking, logging, scoring, intervals and the run's files.
What a question costs is the slope between two numbers of questions, which leaves the start and the at most 2,000
thumbnails out; what these cost is in the times themselves. Five questions an image, images of 1 kB, files and runs on
a RAM disk where there is one. With `--against` an earlier commit takes turns, and what both answered and scored is
compared. That CHECKOUT needs no environment: its packages are this interpreter's.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PER_IMAGE = 5
PEOPLE = 10
KINDS = (("yes/no", ("yes", "no")), ("number", ("1", "2", "3")), ("other", ("red", "a dog", "on the table")))
CHILD = """
import sys
sys.argv[0] = "vlmbench"
try:
    from vlmbench.cli.main import main
except ImportError:  # where it was at b86c433
    from vlmbench.cli import main
sys.exit(main())
"""
COMPARED = ("task", "sample_id", "prompt", "image_hashes", "target", "status", "value", "text", "finish")
"""Columns of the records that both commits must agree on."""


def _questions(count: int, dice: random.Random) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for number in range(count):
        kind, answers = dice.choice(KINDS)
        start = dice.choice(("is the", "what color is the", "how many", "what is the man"))
        ids = {"image_id": number // PER_IMAGE, "question_id": number}
        given = [{"answer": dice.choice(answers), "answer_id": one + 1} for one in range(PEOPLE)]
        yield (
            {**ids, "question": f"{start} thing numbered {number} doing?"},
            {**ids, "question_type": start, "answer_type": kind, "answers": given},
        )


def write(folder: Path, count: int) -> None:
    """VQAv2's question and annotation files of val, and its images."""
    dice = random.Random(0)
    questions, annotations = zip(*_questions(count, dice), strict=True)
    name = "v2_OpenEnded_mscoco_val2014_questions.json"
    (folder / name).write_text(json.dumps({"questions": questions, "data_subtype": "val2014"}))
    (folder / "v2_mscoco_val2014_annotations.json").write_text(json.dumps({"annotations": annotations}))
    (folder / "val2014").mkdir()
    for image in range(-(-count // PER_IMAGE)):
        made = io.BytesIO()
        Image.new("RGB", (64, 64), (image % 256, image // 256 % 256, image // 65536)).save(made, "JPEG")
        path = folder / "val2014" / f"COCO_val2014_{image:012d}.jpg"
        path.write_bytes(made.getvalue() + b"\0" * max(0, 1000 - made.tell()))


def apart(work: Callable[..., None], *given: Any) -> None:
    """Work in a process of its own: a process' peak memory counts what the one that started it held then."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(work, *given).result()


def measured(checkout: Path, data: Path, run: Path) -> tuple[float, float]:
    """CPU seconds of a run, and its peak memory in kB."""
    words = ["run", "--model", "echo,text=yes", "--tasks", "vqav2", "--data", str(data), "--output", str(run)]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", CHILD, *words],
        cwd=checkout, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise RuntimeError(said.decode())
    return used.ru_utime + used.ru_stime, float(used.ru_maxrss)


def refuse_differences(runs: list[Path]) -> None:
    """Raise ValueError where two runs do not hold the same answers and scores."""
    tables = [pq.read_table(run / "records.parquet", columns=list(COMPARED)) for run in runs]
    figures = [
        {name: bar["value"] for name, bar in entry.items() if isinstance(bar, dict) and "value" in bar}
        for entry in (next(iter(json.loads((run / "scores.json").read_text()).values())) for run in runs)
    ]
    for table, scores in zip(tables[1:], figures[1:], strict=True):
        if different := [name for name in COMPARED if table[name] != tables[0][name]]:
            raise ValueError(f"the commits differ in {different}")
        shared = scores.keys() & figures[0].keys()
        if not shared or any(scores[name] != figures[0][name] for name in shared):
            raise ValueError("the commits differ in their scores")


def main() -> None:
    """Measure by turns and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="an earlier commit")
    parser.add_argument("--questions", type=int, nargs=2, default=(50_000, 200_000), metavar=("FEW", "MANY"))
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    sides = {**({"earlier": options.against.resolve()} if options.against else {}), "this": ROOT}
    found: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        for count in options.questions:
            (data := folder / f"{count}").mkdir()
            apart(write, data, count)
            for number in range(options.rounds):
                runs = []
                for side, checkout in list(sides.items())[:: -1 if number % 2 else 1]:
                    runs.append(folder / f"run-{side}-{count}-{number}")
                    found[side, count].append(measured(checkout, data, runs[-1]))
                    print(f"round {number} {side} {count:,}: {found[side, count][-1]}", file=sys.stderr)
                apart(refuse_differences, runs)
    _print(found, sides, options.questions)


def _print(found: dict[tuple[str, int], list[tuple[float, float]]], sides: Any, counts: tuple[int, int]) -> None:
    few, many = counts
    print(
        f"| commit | {few:,}: CPU s, MB | {many:,}: CPU s, MB | us a question | kB a question |\n|---|---|---|---|---|"
    )
    for side in sides:
        (s1, m1), (s2, m2) = (
            [statistics.median(values) for values in zip(*found[side, count], strict=True)] for count in counts
        )
        slope = f"{(s2 - s1) / (many - few) * 1e6:.1f} | {(m2 - m1) / (many - few) * 1.024:.2f}"
        print(f"| {side} | {s1:.1f}, {m1 / 1024:,.0f} | {s2:.1f}, {m2 / 1024:,.0f} | {slope} |")


if __name__ == "__main__":
    main()
