"""Kills trainings at calls that change the disk, and resumes: `python -m tests.training.loop.kills 60 [RECIPE ...]`.

For each of the four systems' toy recipes, and for pruning: one training that runs through, and others that are
killed (kill -9) at a rename, an fsync, an unlink, an open, or in the middle of a write; the same command again, killed
again, and so on to the end. Weights and losses must be those of the one that ran through. Prints a line for each.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from tests.kills import kill_points
from tests.kills.kill_points import Ended
from tests.training.test_twins import losses
from tests.training.toy import ready
from vlmbench.training.loop import loop, metrics_log

RECIPES = ("tinyllava-share-paper", "minigpt4-code", "minigptv2-code", "tinygptv-paper", "prune")
WARM = (
    "vlmbench.cli.verbs.train",
    "vlmbench.training.loop.loop",
    "vlmbench.reports.site.training_curves",
    "accelerate",
    "transformers",
)
IN_A_ROW = 5
"""Kills of one training before it may come to its end."""


def write_by_os() -> None:
    """From now on files are written by `os.write`, which kill_points can cut in half: libraries write by themselves."""

    def put(path: Any, content: bytes) -> None:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(number, content)
        os.close(number)

    def text(path: Path, content: str, *_: object, **__: object) -> int:
        put(path, content.encode())
        return len(content)

    def line(log: Any, told: Mapping[str, Any], tracker: object = None) -> None:
        log.flush()
        os.write(log.fileno(), (json.dumps(told) + "\n").encode())

    safetensors.torch.save_file = lambda tensors, path, **more: put(path, safetensors.torch.save(tensors, **more))
    Path.write_text = text  # type: ignore[assignment,method-assign]
    metrics_log.write = line  # type: ignore[assignment]


def words(recipe: str, folder: Path) -> Sequence[str]:
    """The command, each time the same."""
    return ["train", recipe, "--smoke", "--output", str(folder)]


def finished(recipe: str, folder: Path) -> Ended:
    """The command, left alone. Raises RuntimeError when it fails."""
    ended = kill_points.run(words(recipe, folder), folder)
    if ended.code:
        raise RuntimeError(f"{recipe}: exit code {ended.code}\n{ended.said[-2000:]}")
    return ended


def place_of(kinds: Sequence[str], dice: random.Random) -> int:
    """A point to die at: all kinds alike, though there are more of some."""
    kind = dice.choice(sorted(set(kinds)))
    return dice.choice([at for at, found in enumerate(kinds, 1) if found == kind])


def left(folder: Path) -> tuple[bytes, Mapping[str, Any]]:
    """The finished model's weights, and the losses of all steps."""
    return (folder / loop.MODEL / "model.safetensors").read_bytes(), losses(folder)


def killed(recipe: str, kills: int, place: Path, seed: int = 0) -> dict[str, Any]:
    """Kill trainings of a recipe so many times; what became of them."""
    dice, at = random.Random(seed), Counter[str]()
    calm = ready(place / "calm")
    kinds = finished(recipe, calm).points
    trainings = equal = 0
    while at.total() < kills:
        folder, ended = ready(place / f"training-{trainings}"), None
        for _ in range(min(IN_A_ROW, kills - at.total())):
            ended = kill_points.run(words(recipe, folder), folder, place_of(kinds, dice))
            if not ended.killed:  # it was so far already that it had fewer points left
                break
            at[ended.points[-1]] += 1
        if ended is None or ended.code:
            finished(recipe, folder)
        trainings += 1
        equal += left(folder) == left(calm)
    return {"recipe": recipe, "kills": at.total(), "at": dict(at), "trainings": trainings, "equal": equal}


def main(kills: int, recipes: Sequence[str] = RECIPES) -> int:
    """Exit code 1 where a training did not end as the calm one."""
    torch.set_num_threads(1)
    for name in WARM:
        importlib.import_module(name)
    write_by_os()
    good = True
    for recipe in recipes:
        with tempfile.TemporaryDirectory() as place:
            told = killed(recipe, -(-kills // len(recipes)), Path(place))
        print(json.dumps(told), flush=True)
        good = good and told["equal"] == told["trainings"]
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:] or RECIPES))
