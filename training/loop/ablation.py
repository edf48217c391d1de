"""Ablations: variants of a recipe, several seeds each, one table and one plot beside what the paper printed."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from vlmbench.base import registry
from vlmbench.base.errors import TrainingError

from ..recipe.recipe import Recipe
from . import eval_during_training, loop
from .state import LOG

LAST = 5
"""Lines of a stage's log whose mean is its end loss."""
VANISHED = 1e-6
"""A gradient norm below this has vanished."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the table."""

    name: str
    before: Recipe | None
    """Trained once, in the place of published parts; None: `recipe` starts from nothing. Its `parts` may be those of
    another variant's `before`, by name."""
    recipe: Recipe
    """Trained with each seed."""
    paper: Mapping[str, str] = field(default_factory=dict)
    """What the paper prints for it, by column."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """What is varied, and what the table shows."""

    name: str
    title: str
    variants: tuple[Variant, ...]
    stages: tuple[str, ...]
    """Stages whose end losses are columns."""
    tasks: str = ""
    """Tasks that the finished model is asked, whose headlines are columns."""
    limit: int = 0
    source: str = ""
    note: str = ""
    seeds: int = 3

    def describe(self, name: str) -> str:
        """Two lines for `train --list`."""
        return f"{name}: {self.title}\n  variants: {', '.join(variant.name for variant in self.variants)}"

    def steps(self, seeds: int) -> Iterator[str]:
        """What would be run."""
        for before in {v.before.name: v.before for v in self.variants if v.before is not None}.values():
            yield f"{before.name}: {sum(stage.steps for stage in before.stages):,} steps, once"
        for variant in self.variants:
            total = sum(stage.steps for stage in variant.recipe.stages)
            yield f"{variant.name}: {len(variant.recipe.stages)} stages, {total:,} steps, {seeds} seeds"


@dataclass(frozen=True, slots=True)
class Result:
    """One run of one variant."""

    variant: str
    seed: int
    losses: Mapping[str, float]
    """End losses by stage."""
    scores: Mapping[str, float]
    broke: str = ""
    """Why it stopped early: the stage and what became of loss or gradient."""
    vanished: tuple[str, ...] = ()
    """Stages in which some part's gradient fell below VANISHED."""


def run(
    ablation: Ablation,
    output: Path,
    *,
    seeds: int,
    changes: Mapping[str, str],
    threads: int | None = None,
    progress: bool = False,
) -> str:
    """Train all variants with all seeds, resuming where an earlier run stopped; returns the table as Markdown.

    OUTPUT/VARIANT/seed-N are the trainings; results.json, table.md and plot.html are written after each of them.
    """
    results: list[Result] = []
    starts: dict[str, Path] = {}
    for seed in range(seeds):
        for variant in ablation.variants:
            recipe = replace(_told(variant.recipe, changes), seed=seed)
            if variant.before is not None:
                parts = {part: str(starts.get(place, place)) for part, place in variant.before.parts.items()}
                before = replace(_told(variant.before, changes), parts=parts)
                start = loop.train(before, output / _folder(before.name), threads=threads, progress=progress)
                starts[before.name] = start
                recipe = replace(recipe.started_from(str(start)), vocabulary=0, parts={})
            folder = output / _folder(variant.name) / f"seed-{seed}"
            results.append(_one(ablation, variant.name, recipe, folder, threads, progress))
            write(ablation, results, output)
    return (output / "table.md").read_text(encoding="utf-8")


def _told(recipe: Recipe, changes: Mapping[str, str]) -> Recipe:
    """The recipe with those changes that are of stages it has."""
    names = {stage.name for stage in recipe.stages}
    applicable = {key: text for key, text in changes.items() if key[:7] != "stages." or key.split(".")[1] in names}
    return recipe.replace(applicable)


def _folder(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name).strip("-")


def _one(ablation: Ablation, name: str, recipe: Recipe, folder: Path, threads: int | None, progress: bool) -> Result:
    result_file = folder / "result.json"
    if result_file.is_file():
        return from_json(f"[{result_file.read_text(encoding='utf-8')}]")[0]
    broke, scores = "", dict[str, float]()
    try:
        final = loop.train(recipe, folder, threads=threads, progress=progress)
    except TrainingError as error:
        if "is nan" not in error.what and "is inf" not in error.what and "is -inf" not in error.what:
            raise
        broke = f"{error.where}: {error.what}"  # what an ablation is there to find
    else:
        scores = _asked(ablation, recipe, final, folder)
    losses, vanished = read(folder / LOG)
    result = Result(name, recipe.seed, losses, scores, broke, vanished)
    result_file.write_text(json.dumps(asdict(result), indent=1) + "\n", encoding="utf-8")
    return result


def _asked(ablation: Ablation, recipe: Recipe, final: Path, folder: Path) -> dict[str, float]:
    if not ablation.tasks:
        return {}
    model = registry.load_object(recipe.restore)(final)
    eval_recipe = replace(recipe, eval_every=1, eval_tasks=ablation.tasks, eval_limit=ablation.limit)
    line = eval_during_training.evaluate(eval_recipe, model, folder, "end", 0)
    return {task: value for task, value in line["eval"].items() if value is not None}


def read(log: Path) -> tuple[dict[str, float], tuple[str, ...]]:
    """End losses by stage, and the stages in which some part's gradient vanished."""
    losses: dict[str, list[float]] = {}
    vanished: dict[str, None] = {}
    for line in map(json.loads, log.read_text(encoding="utf-8").splitlines()):
        if "loss" in line:
            losses.setdefault(line["stage"], []).append(line["loss"])
            if any(norm < VANISHED for norm in line.get("grad_norms", {}).values()):
                vanished[line["stage"]] = None
    return {stage: round(statistics.fmean(values[-LAST:]), 4) for stage, values in losses.items()}, tuple(vanished)


def write(ablation: Ablation, results: Sequence[Result], output: Path) -> None:
    """results.json, table.md and plot.html."""
    output.mkdir(parents=True, exist_ok=True)
    plain = [asdict(result) for result in results]
    (output / "results.json").write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    (output / "table.md").write_text(table(ablation, results), encoding="utf-8")
    tasks = dict.fromkeys(task for result in results for task in result.scores)
    drawn = {
        title: {v.name: cell for v in ablation.variants if (cell := _numbers(results, v.name, column))}
        for column, title in [
            *((stage, f"End loss of stage {stage}") for stage in ablation.stages),
            *((task, f"Score on {task}") for task in tasks),
        ]
    }
    registry.load_object(registry.ABLATION_PLOT)(drawn, output / "plot.html", title=ablation.title)


def table(ablation: Ablation, results: Sequence[Result]) -> str:
    """Markdown: a row for each variant; mean and range over seeds; the paper's own figure below each."""
    tasks = [task for task in dict.fromkeys(task for result in results for task in result.scores)]
    heads = ["variant", *(f"stage {stage}" for stage in ablation.stages), *tasks, "broke or vanished"]
    lines = [f"# {ablation.title}", "", ablation.note, "", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for variant in ablation.variants:
        own = [result for result in results if result.variant == variant.name]
        cells = [_cell(results, variant, column) for column in (*ablation.stages, *tasks)]
        lines.append(f"| {variant.name} | " + " | ".join([*cells, _trouble(own)]) + " |")
    seeds = len({result.seed for result in results})
    lines += [
        "",
        f"Ours: mean over {seeds} seeds (least to most). In brackets what the paper prints: {ablation.source}.",
    ]
    return "\n".join(lines) + "\n"


def _numbers(results: Sequence[Result], variant: str, column: str) -> list[float]:
    """Mean, least and most of a column over the seeds; empty where no run came so far."""
    own = [result for result in results if result.variant == variant]
    values = [value for result in own if (value := _value(result, column)) is not None]
    return [statistics.fmean(values), min(values), max(values)] if values else []


def _cell(results: Sequence[Result], variant: Variant, column: str) -> str:
    numbers = _numbers(results, variant.name, column)
    text = f"{numbers[0]:.3f} ({numbers[1]:.3f} to {numbers[2]:.3f})" if numbers else "-"
    return f"{text} [{variant.paper[column]}]" if column in variant.paper else text


def _trouble(results: Sequence[Result]) -> str:
    troubles = [f"seed {result.seed}: {result.broke}" for result in results if result.broke]
    troubles += [
        f"seed {result.seed}: gradient below {VANISHED:g} in {', '.join(result.vanished)}"
        for result in results
        if result.vanished
    ]
    return "; ".join(troubles) or "no"


def worse(results: Sequence[Result], column: str, full: str) -> Mapping[str, tuple[int, int]]:
    """By variant: in how many of so many seeds it is worse in a column than the full model with the same seed.

    Losses are worse when higher, scores when lower.
    """
    own = {result.seed: result for result in results if result.variant == full}
    by_variant: dict[str, list[bool]] = {}
    for result in results:
        if result.variant == full or result.seed not in own:
            continue
        here, there = (_value(entry, column) for entry in (result, own[result.seed]))
        if here is not None and there is not None:
            by_variant.setdefault(result.variant, []).append(here < there if column in result.scores else here > there)
    return {name: (sum(flags), len(flags)) for name, flags in by_variant.items()}


def _value(result: Result, column: str) -> float | None:
    return {**result.losses, **result.scores}.get(column)


def from_json(text: str) -> list[Result]:
    """What results.json holds."""
    return [Result(**{**row, "vanished": tuple(row["vanished"])}) for row in json.loads(text)]
