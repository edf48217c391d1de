"""Scores of the included models on the embedded samples, with and without images, as a Markdown table.

    python examples/shipped_scores.py FOLDER      (about a minute; finished runs are not repeated)

`blind` is the same model with grey images, which shows how much of the score needs the image. The last column is what
one answer to every question gets, the most frequent right one. The samples show that everything works; their scores
are not comparable with those in papers.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlmbench.base.registry import TaskChoice, choose_task, tasks
from vlmbench.base.samples import ChoiceScore, Request, Response, Sample
from vlmbench.base.task import example_answer
from vlmbench.cli.main import main as vlmbench
from vlmbench.data.files import Folder
from vlmbench.scoring.score import score_responses
from vlmbench.stats.metrics import LESS

MODELS = ("tinyllava", "tinygptv")
CAPTIONS = tuple(f"{name}@minigpt_v2" for name in ("coco_captions", "nocaps", "flickr30k", "textcaps"))
"""Captions asked for by TinyGPT-V's own sign, `[caption]`."""
LONGEST = 20
"""Letters of an answer that are shown."""
OWN_ANSWERS = "each right answer is that of one image"
OWN_OPTIONS = "the likelihoods of each question's own options are compared"


def judged(name: str) -> bool:
    """Whether a task is graded by a judge, which is not included."""
    return next(iter(tasks.get(name).protocols.values())).judge is not None


def scores(model: str, tasks: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Scores with and without images; finished runs are not repeated."""
    words = ["run", "--model", model, "--tasks", tasks, "--perturb", "blind", "--output", str(folder)]
    with contextlib.redirect_stdout(io.StringIO()):
        code = vlmbench(words)
    if code:
        sys.exit(code)
    files = {model: folder, f"{model}, blind": folder / "perturbations" / "blind"}
    return {name: json.loads((place / "scores.json").read_text(encoding="utf-8")) for name, place in files.items()}


def cell(entry: dict[str, Any]) -> str:
    """A headline with its interval."""
    metric = entry[entry["headline"]]
    if metric["value"] is None:
        return "-"
    span = "" if metric["low"] is None else f" [{metric['low']:.1f}, {metric['high']:.1f}]"
    return f"{metric['value']:.1f}{span}"


# ------------------------------------------------------------------------------------------------ one answer for all


def most_frequent(key: str) -> str:
    """The headline of the most frequent right answer and that answer; or why there is none.

    Of equally frequent answers the one with the best score.
    """
    choice = choose_task(key)
    answer_of = example_answer(choice.task)
    assert answer_of is not None, f"{key} shows no examples"
    samples = [s for s in choice.task.samples(Folder.sample(choice.task.name), choice.split) if s.target is not None]
    found = [answer_of(sample, choice.protocol) for sample in samples]
    counts = Counter(found)
    images = Counter(answer for answer, _ in {(a, s.cluster or s.id) for a, s in zip(found, samples, strict=True)})
    top = [answer for answer in counts if counts[answer] == max(counts.values()) and images[answer] > 1]
    asked = [(sample, choice.task.build_request(sample, choice.protocol)) for sample in samples]
    if any(request.choices and not set(top) <= set(request.choices) for _, request in asked):
        return OWN_OPTIONS
    values = {answer: headline(choice, asked, answer) for answer in top}
    known = {answer: value for answer, (value, _) in values.items() if not math.isnan(value)}
    if not known:
        return OWN_ANSWERS
    less = any(direction == LESS for _, direction in values.values())
    best = (min if less else max)(known, key=known.__getitem__)
    shown = best if len(best) <= LONGEST else f"{best[:LONGEST]}..."
    return f"{known[best]:.1f} (`{shown}`)"


def headline(choice: TaskChoice, asked: Sequence[tuple[Sample, Request]], answer: str) -> tuple[float, str]:
    """The headline, and its direction, if every question gets the same answer."""
    pairs = []
    for sample, request in asked:
        ranked = tuple(ChoiceScore(option, 0.0 if option == answer else -9.0, 1) for option in request.choices)
        pairs.append((sample, Response(answer, ranked)))
    scored = score_responses(choice.task, choice.protocol, pairs)
    name = choice.task.protocols[choice.protocol].headline
    metric = next(one for one in choice.task.summarise(scored, choice.protocol) if one.name == name)
    return metric.value(), metric.direction


# ------------------------------------------------------------------------------------------------------------- table


def table(runs: dict[str, dict[str, Any]]) -> str:
    """One row per task, one column per run, and what one answer to every question gets."""
    columns = [*runs, "most frequent answer"]
    lines = [f"| task | metric | questions | {' | '.join(columns)} |", f"|---|---|---|{'---|' * len(columns)}"]
    without: dict[str, list[str]] = {OWN_ANSWERS: [], OWN_OPTIONS: []}
    for task in next(iter(runs.values())):
        entries = [found[task] for found in runs.values()]
        headline = entries[0]["headline"]
        row = f"`{task.partition('@')[0]}@{entries[0]['protocol']}` | {headline} | {entries[0][headline]['n']:,}"
        fixed = most_frequent(task)
        if fixed in without:
            without[fixed].append(task)
            fixed = "-"
        lines.append(f"| {row} | {' | '.join([*map(cell, entries), fixed])} |")
    reasons = [f"{reason} ({', '.join(names)})" for reason, names in without.items() if names]
    return "\n".join([*lines, "", *([f"No most frequent answer: {'; '.join(reasons)}."] if reasons else [])])


def main() -> int:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    every = [*(task for task in tasks.builtin if not judged(task)), *CAPTIONS]
    parser.add_argument("--tasks", default=",".join(every), help="default: all, and captions by their sign")
    options = parser.parse_args()
    runs: dict[str, dict[str, Any]] = {}
    for model in MODELS:
        runs |= scores(model, options.tasks, options.folder / model)
    print(table(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
