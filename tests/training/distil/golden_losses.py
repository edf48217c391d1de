"""Writes the golden losses of taught toys anew: `python -m tests.training.distil.golden_losses`. Look at what changed.

A recipe of each system, and each kind of distillation, with teachers that ship.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.training.test_twins import losses, twin
from vlmbench.training.distil.student import distilled
from vlmbench.training.loop.loop import train
from vlmbench.training.recipe.recipe import Recipe

GOLDEN = Path(__file__).with_name("golden_losses.json")
"""{recipe: {stage: losses}}."""
TAUGHT = {
    "tinyllava-base": ("tinyllava", {"distil.kind": "logits", "stages.finetune.repeat": "3"}),
    "minigpt4-code": ("tinygptv", {"distil.kind": "both", "distil.top_k": "4", "bad_rows": "1"}),
    "minigptv2-code": ("tinyllava", {"distil.kind": "answers", "distil.beams": "2", "bad_rows": "1"}),
    "tinygptv-paper": ("tinygptv", {"distil.temperature": "4", "distil.weight": "0.9"}),
}
"""By recipe: the teacher and changes."""


def toy(name: str) -> Recipe:
    """A recipe at toy size with its teacher."""
    teacher, changes = TAUGHT[name]
    return distilled(twin(name), teacher).replace(changes)


def main() -> None:
    """Train each and keep its losses."""
    found = {}
    for name in TAUGHT:
        with tempfile.TemporaryDirectory() as folder:
            train(toy(name), Path(folder))
            found[name] = losses(Path(folder))
    GOLDEN.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
