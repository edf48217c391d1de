"""The file names of a run's folder (store.py says what each file holds), and the format's number."""

from __future__ import annotations

MANIFEST = "run.json"
LOG = "log.jsonl"
RECORDS = "records.parquet"
JUDGEMENTS = "judgements.parquet"
SCORES = "scores.json"
CHECK = "check.json"
ABLATIONS = "ablations.json"
TRAINING_LOG = "training_log.jsonl"
LOCK = ".lock"

THUMBS = "thumbs"
SUPERSEDED = "superseded"
PARTIAL = ".partial"
"""In superseded/: results that are being copied there."""

FORMAT = 1
"""Of the folder; part of every answer's key."""
