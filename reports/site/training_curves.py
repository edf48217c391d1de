"""Training curves: a page of their own while a model trains, and a panel of its runs in a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from vlmbench.base.errors import TrainingError

from ..runs import RunResult
from .page import render

LOG = "training_log.jsonl"
"""Name of the log in a checkpoint's folder, and in the folder of a run of that checkpoint."""

MOST_POINTS = 600
"""Most points of a stage's curve; longer logs are averaged down."""


def read(log: Path) -> list[dict[str, Any]]:
    """The stages of a log in order of appearance: {"name", "step", "loss", "lr", "grad_norms", "eval"}.

    `step` and `loss` are as long as each other; `lr` is as long, or empty where the log has none; `grad_norms` is
    {part: {"step", "value"}}, and so is `eval`, by task. One JSON object per line with `stage`, `step` and `loss`, or
    `eval`; other lines are ignored, and so is a last line that a kill cut short. Raises TrainingError when the file
    cannot be read.
    """
    try:
        lines = log.read_bytes().splitlines()
    except OSError as error:
        raise TrainingError(f"cannot read the log: {error.strerror}", where=str(log), hint="name a log.jsonl") from None
    stages: dict[str, dict[str, dict[str, list[tuple[float, float]]]]] = {}
    for line in lines:
        try:
            row = orjson.loads(line)
            step = float(row["step"])
            for kind, values in _numbers(row).items():
                series = stages.setdefault(str(row.get("stage", "training")), {}).setdefault(kind, {})
                for name, value in values.items():
                    series.setdefault(name, []).append((step, float(value)))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            continue
    return [_stage(name, kinds) for name, kinds in stages.items() if kinds.get("loss")]


def _numbers(row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The values of a line of the log, by kind and name. Raises KeyError for a line without any."""
    if "eval" in row:
        return {"eval": {name: value for name, value in row["eval"].items() if value is not None}}
    numbers = {"loss": {"loss": float(row["loss"])}, "grad_norms": row.get("grad_norms", {})}
    return {**numbers, "lr": {"lr": row["lr"]}} if "lr" in row else numbers


def _stage(name: str, kinds: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]) -> dict[str, Any]:
    loss = _averaged(kinds["loss"]["loss"])
    rates = _averaged(kinds["lr"]["lr"])["value"] if "lr" in kinds else []
    more = {
        kind: {part: _averaged(points) for part, points in kinds.get(kind, {}).items()}
        for kind in ("grad_norms", "eval")
    }
    return {"name": name, "step": loss["step"], "loss": loss["value"], "lr": rates, **more}


def curves_of(run: RunResult) -> list[dict[str, Any]] | None:
    """The training log of a run's model, where the run's folder holds one or the model's facts name one."""
    named = run.manifest.get("model", {}).get("facts", {}).get("training_log")
    for path in (run.folder / LOG, Path(str(named)) if named else None):
        if path is not None and path.is_file():
            return read(path)
    return None


def write_plot(log: Path, output: Path, *, title: str = "Training") -> Path:
    """Draw a training log as one self-contained HTML page; returns its path.

    Raises TrainingError when the log cannot be read or the page not written.
    """
    return _write("training", {"training": read(log)}, output, title)


def write_ranges(columns: Mapping[str, Mapping[str, Sequence[float]]], output: Path, *, title: str) -> Path:
    """Draw {column: {variant: (mean, least, most)}} as one self-contained page, a panel per column; returns its path.

    Raises TrainingError when the page cannot be written.
    """
    panels = [
        {
            "name": column,
            "bars": [
                {"label": name, "value": v, "low": low, "high": high} for name, (v, low, high) in variants.items()
            ],
        }
        for column, variants in columns.items()
    ]
    return _write("ranges", {"ranges": panels}, output, title)


def _write(script: str, data: Mapping[str, Any], output: Path, title: str) -> Path:
    page = render("training.html", script=script, data=dict(data), title=title)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise TrainingError(
            f"cannot write the plot: {error.strerror}", where=str(output), hint="free or name another place"
        ) from None
    return output


def _averaged(points: Sequence[tuple[float, float]]) -> dict[str, list[float]]:
    """Points by step (of those that a resumed stage repeats, the later ones), averaged down to MOST_POINTS."""
    ordered = sorted(dict(points).items())
    width = -(-len(ordered) // MOST_POINTS)
    groups = [ordered[start : start + width] for start in range(0, len(ordered), width)] if ordered else []
    return {
        "step": [group[-1][0] for group in groups],
        "value": [sum(value for _, value in group) / len(group) for group in groups],
    }
