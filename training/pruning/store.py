"""The pruned model on disk: an ordinary checkpoint, and beside it the record of what was taken out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmbench.base import registry
from vlmbench.base.trainable import Trainable

RECORD = "pruning.json"
"""Settings, what is left of each part, and parameters, FLOPs and bytes before and after."""


def made_by(folder: Path) -> dict[str, Any] | None:
    """The recipe and the data that a pruned model was made of; None where there is no whole one."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return {"recipe": record["recipe"], "data": record["data"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(folder: Path, model: Trainable, record: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Write model and record aside, then give them their name. `before`: the config of the whole model."""
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    model.save(fresh)
    figures = registry.load_object(registry.FIGURES)
    told = {**record, "before": figures(before), "after": figures(model.config)}
    (fresh / RECORD).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
