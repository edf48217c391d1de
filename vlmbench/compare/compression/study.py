"""The cells of a study: each an ordinary run in a folder of its own, measured once and kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from vlmbench.base import registry
from vlmbench.base.errors import ModelError, TrainingError, UsageError
from vlmbench.base.files import write_atomically
from vlmbench.base.process import terminal
from vlmbench.compare import compare
from vlmbench.runs import evaluation, latency
from vlmbench.runs.opening import load_model
from vlmbench.runs.options import DTYPES, ModelOptions, RunOptions

from . import fronts

FORMATS = ("float32", "bfloat16", "int8", "int4")
WIDTHS = ("int8", "int4")
USUAL = "default"
"""The format that the model itself chooses."""
WHOLE = "whole"
"""The name of the model as it is."""
RESULT, TABLE, CSV, PAGE = "study.json", "study.md", "study.csv", "index.html"


@dataclass(frozen=True)
class Plan:
    """What is studied."""

    model: str
    """As --model takes it."""
    tasks: str
    formats: Sequence[str] = FORMATS
    """Number types and quantizations; the first one of the whole model is what all else is held against."""
    ratios: Sequence[str] = ()
    """Pruning levels, as `vlmbench train prune --ratio` takes them."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Changes of the pruning recipe."""
    also: Sequence[str] = ()
    """Other models, such as distilled students."""
    visual_tokens: Sequence[str] = ()
    """Numbers or shares of visual tokens that are kept."""
    limit: int | None = None
    data: str | None = None
    threads: int | None = None
    repeats: int = 5
    """Measurements of the latency."""

    def __post_init__(self) -> None:
        """Raises UsageError for a format that there is none of, and where nothing is varied."""
        known = (USUAL, *DTYPES, *WIDTHS)
        if wrong := [one for one in self.formats if one not in known]:
            raise UsageError(f"no format {wrong[0]!r}", hint=f"there are: {', '.join(known)}")
        if not self.formats or not self.tasks:
            raise UsageError("nothing to study", hint="name --tasks, and --formats such as float32,int8")
        if self.visual_tokens and "," in self.model:
            hint = "name the model without options"
            raise UsageError("--visual-tokens contradicts options of the model", hint=hint)


@dataclass(frozen=True)
class Form:
    """One cell: a checkpoint in one format."""

    name: str
    model: str
    format: str

    @property
    def options(self) -> ModelOptions:
        """As a run takes it."""
        dtype, quantize = (self.format if self.format in known else None for known in (DTYPES, WIDTHS))
        return ModelOptions(self.model, dtype=dtype, quantize=quantize)


def run(plan: Plan, output: Path) -> dict[str, Any]:
    """Run all cells that are not there yet; write and return the study. The same call resumes and retries failures.

    A form that is not possible has its reason in the place of its numbers. Raises VlmbenchError where the model as it
    is cannot be run, or pruning is not possible.
    """
    (output / "cells").mkdir(parents=True, exist_ok=True)
    cells: list[dict[str, Any]] = []
    for form in forms(plan, output):
        cells.append(_cell(plan, form, output, cells[0]["run"] if cells else ""))
        if cells[0]["reason"]:
            raise ModelError(f"the model itself cannot be run: {cells[0]['reason']}", where=plan.model)
        _write(plan, cells, output)
    return _write(plan, cells, output)


def forms(plan: Plan, output: Path) -> Iterator[Form]:
    """The cells in their order; a pruned checkpoint is trained when its first cell is asked for."""
    tokens = [(f"{WHOLE}-tokens-{kept}", f"{plan.model},visual_tokens={kept}") for kept in plan.visual_tokens]
    for name, model in [(WHOLE, plan.model), *tokens]:
        yield from (Form(f"{name}-{one}", model, one) for one in plan.formats)
    for ratio in plan.ratios:
        model = _pruned(plan, ratio, output / f"pruned-{_plain(ratio)}")
        yield from (Form(f"pruned-{_plain(ratio)}-{one}", model, one) for one in plan.formats)
    for number, other in enumerate(plan.also, start=1):
        yield from (Form(f"also-{number}-{one}", other, one) for one in plan.formats)


def _pruned(plan: Plan, ratio: str, folder: Path) -> str:
    """The model of a pruning level, trained here unless it is there. Raises TrainingError."""
    system, _, start = plan.model.partition(",")[0].partition(":")
    recipe = registry.recipes.get("prune")(system, start)
    recipe = replace(recipe, pruning=recipe.pruning.with_ratios(ratio)).replace(dict(plan.settings))
    terminal.note(f"pruning {ratio}")
    final = registry.load_object("vlmbench.training.loop.loop:train")(recipe, folder, threads=plan.threads)
    return f"{system}:{final}"


def _plain(ratio: str) -> str:
    return "".join(letter if letter.isalnum() or letter in ".-_" else "-" for letter in ratio)


def _cell(plan: Plan, form: Form, output: Path, base: str) -> dict[str, Any]:
    """A cell's numbers, from its file or measured; one that failed is tried again, since its cause may be gone."""
    file = output / "cells" / f"{form.name}.json"
    asked = {**asdict(form), "tasks": plan.tasks, "limit": plan.limit, "data": plan.data}
    if file.is_file() and (told := json.loads(file.read_text("utf-8")))["asked"] == asked:
        if not told["reason"]:
            return dict(told)
        terminal.note(f"{form.name} failed before, and is tried again: {told['reason']}")
    cell: dict[str, Any] = {"name": form.name, "asked": asked, "run": str(output / "runs" / form.name), "reason": ""}
    cell |= {"bytes": None, "flops": None, "latency": None, "per_token": None, "tasks": {}}
    try:
        cell |= _measured(plan, form, Path(cell["run"]), base)
    except (ModelError, TrainingError, UsageError) as error:
        cell["reason"] = error.what
    write_atomically(file, (json.dumps(cell, indent=1) + "\n").encode())
    return cell


def _measured(plan: Plan, form: Form, folder: Path, base: str) -> dict[str, Any]:
    options = replace(form.options, threads=plan.threads)
    asked = RunOptions(options, plan.tasks, limit=plan.limit, data=plan.data, output=folder)
    done = evaluation.evaluate(asked).unperturbed
    model = load_model(options)
    taken = latency.measure(model, latency.Setting(), tokens=16, repeats=plan.repeats)
    figures = registry.load_object(registry.MODEL_FIGURES)(model)
    tasks = {key: _score(told) for key, told in done.scores.items() if "headline" in told}
    if base:
        for key, difference in _differences(Path(base), folder).items():
            tasks[key] |= difference
    return {
        "bytes": model.facts.get("weight_bytes"),
        "flops": figures.get("flops_per_question"),
        "latency": taken.first,
        "per_token": taken.per_token,
        "tasks": tasks,
    }


def _score(told: Mapping[str, Any]) -> dict[str, Any]:
    headline = str(told["headline"])
    return {"metric": headline, "score": told[headline]["value"], "better": "more", "difference": None}


def _differences(base: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """By task: the paired difference of its headline from the whole model's, and its interval."""
    found = {}
    for task in compare.compare(base, folder, metric="headline", bars=False).tasks:
        row = task.differences[0]
        estimate = row.paired.difference
        told = estimate.to_json()
        told["difference"] = told.pop("value")
        found[task.after.key] = {**told, "better": str(row.better), "verdict": str(row.verdict)}
    return found


def _write(plan: Plan, cells: Sequence[Mapping[str, Any]], output: Path) -> dict[str, Any]:
    """study.json, study.md, study.csv and the page."""
    study = {"model": plan.model, "tasks": plan.tasks, "cells": list(cells), "fronts": fronts.fronts(cells)}
    page = registry.load_object(registry.COMPRESSION_PAGE)(study)
    texts = {RESULT: json.dumps(study, indent=1) + "\n", TABLE: fronts.markdown(study), CSV: fronts.as_csv(study)}
    for name, text in {**texts, PAGE: page}.items():
        write_atomically(output / name, text.encode())
    return study
