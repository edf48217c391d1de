"""Data with enough images to stop early, and runs of scripted models over them under `run --gate`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.core.compare.many_images import pope_files, turned, vsr_files
from tests.support.gate_runs import ran

POPE, VSR = 200, 1200
"""Images: 3,600 and 1,200 questions."""


class World:
    """Data of POPE and VSR, the right answers, and a baseline of a model that is mostly right."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.truth = {
            "pope": dict(pope_files(self.data / "pope", POPE)),
            "vsr": dict(vsr_files(self.data / "vsr", VSR)),
        }
        self.answers = {name: turned(truth, 0.1, 0, truth, 1) for name, truth in self.truth.items()}
        self.baseline = self.run("baseline", self.answers)

    def run(
        self, name: str, answers: Mapping[str, Mapping[str, str]], *words: str, tasks: str = "pope,vsr", code: int = 0
    ) -> Path:
        said = {key: text for one in answers.values() for key, text in one.items()}
        return ran(self.folder / name, said, "--data", str(self.data), *words, tasks=tasks, code=code)

    def worse(self, pope: float = 0.0, vsr: float = 0.0) -> dict[str, dict[str, str]]:
        """The answers, of which a share of the right ones is lost."""
        shares = {"pope": pope, "vsr": vsr}
        return {name: turned(said, shares[name], 0, self.truth[name], 2) for name, said in self.answers.items()}


def content(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


def asked(folder: Path) -> dict[str, int]:
    """Questions with an answer, by task."""
    rows = pq.read_table(folder / "records.parquet", columns=["task", "status"]).to_pylist()
    return {
        key: sum(row["task"] == key and row["status"] != "not_asked" for row in rows)
        for key in dict.fromkeys(row["task"] for row in rows)
    }
