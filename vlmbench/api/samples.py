"""The questions of a finished run with their answers, for notebooks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base import registry
from vlmbench.base.errors import UnknownNameError
from vlmbench.base.samples import Status
from vlmbench.runs.storage.layout import THUMBS

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 12
"""How many a notebook shows at once."""


@dataclass(frozen=True, repr=False)
class Samples:
    """Some questions of a run, in their order. A notebook shows the first ones with their images."""

    folder: Path
    """The run's folder, where the small copies of the images are."""
    frame: pd.DataFrame
    """The rows of records.parquet."""

    @classmethod
    def of(
        cls, folder: Path, frame: pd.DataFrame, *, task: str | None, wrong: bool | None, status: str | None
    ) -> Samples:
        """Those of a run that are asked for (Result.samples). Raises UnknownNameError."""
        if task is not None:
            tasks = list(dict.fromkeys(frame["task"]))
            if task not in tasks:
                raise UnknownNameError("task of this run", task, tasks)
            frame = frame[frame["task"] == task]
        if status is not None:
            if status not in set(Status):
                raise UnknownNameError("status", status, list(Status))
            frame = frame[frame["status"] == status]
        if wrong is not None:
            scored = frame["value"].notna()
            frame = frame[scored & ((frame["value"] < 1) == wrong)]
        return cls(folder, frame)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.frame)

    def __repr__(self) -> str:
        """One line."""
        return f"Samples({len(self)} of {self.folder.name})"

    def __getitem__(self, rows: slice) -> Samples:
        """A part of them: `samples[12:24]`."""
        return replace(self, frame=self.frame.iloc[rows])

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        cards: Sequence[dict[str, Any]] = [self._card(row) for row in self.frame.head(SHOWN).to_dict("records")]
        html: str = registry.load_object(registry.NOTEBOOK_SAMPLES)(cards, len(self))
        return html

    def _card(self, row: Mapping[Any, Any]) -> dict[str, Any]:
        target = json.loads(row["target"]) if isinstance(row["target"], str) and row["target"] else row["target"]
        images = [self.folder / THUMBS / f"{digest[:16]}.jpg" for digest in row["image_hashes"]]
        value = None if row["value"] != row["value"] else row["value"]
        return {
            "id": f"{row['task']} · {row['sample_id']}",
            "question": row["question"],
            "answer": row["text"],
            "target": target,
            "value": value,
            "status": row["status"],
            "images": [path for path in images if path.is_file()],
        }
