"""Writes the golden losses of all twins anew: `python -m tests.training.twin_losses`. Look at what changed, and why."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.training.test_twins import GOLDEN, TWINS, losses, twin
from tests.training.toy import ready
from vlmbench.training.loop.loop import train


def main() -> None:
    """Train each twin and keep its losses."""
    found = {}
    for name in TWINS:
        with tempfile.TemporaryDirectory() as folder:
            train(twin(name), ready(Path(folder)))
            found[name] = losses(Path(folder))
    GOLDEN.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
