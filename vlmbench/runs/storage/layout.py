"""The file names of a run's folder (store.py says what each file holds), and the format's number."""

from __future__ import annotations

from pathlib import Path

MANIFEST = "run.json"
LOG = "log.jsonl"
RECORDS = "records.parquet"
JUDGEMENTS = "judgements.parquet"
SCORES = "scores.json"
CHECK = "check.json"
PERTURBATIONS = "perturbations.json"
TRAINING_LOG = "training_log.jsonl"
LOCK = ".lock"

THUMBS = "thumbs"
PARTS = "parts"
"""Folder of what workers have written and the log has not yet (parts.py)."""
SUPERSEDED = "superseded"
PARTIAL = ".partial"
"""In superseded/: results that are being copied there."""

PERTURBED = "perturbations"
"""Folder of the perturbed runs, each a run's folder."""
EARLIER_PERTURBATIONS, EARLIER_PERTURBED = "ablations.json", "ablations"
"""What earlier versions called them: runs that have them are read and resumed where they are."""

FORMAT = 1
"""Of the folder; part of every answer's key."""


def perturbed_run(run: Path, label: str) -> Path:
    """The folder of the run under a perturbation: perturbations/noise-2, or where an earlier version put it."""
    name = label.replace(":", "-").replace("/", "_")
    earlier = run / EARLIER_PERTURBED / name
    return earlier if earlier.is_dir() else run / PERTURBED / name


def finished_perturbed_runs(run: Path) -> list[Path]:
    """The folders of a run's finished perturbed runs, in order of name."""
    folders = [run / PERTURBED, run / EARLIER_PERTURBED]
    found = [one for folder in folders if folder.is_dir() for one in folder.iterdir() if (one / SCORES).is_file()]
    return sorted(found, key=lambda path: path.name)
