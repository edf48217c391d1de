"""Recipes: several runs of models that were trained alike from different seeds, as one mean with its interval.

One trained model says little about its recipe. The interval of a recipe covers other questions of this kind and other
seeds (vlmbench/stats/seeds). Runs of a recipe must have answered the same questions under the same rules; questions
without a score in one of them are left out of all, and counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import UsageError
from vlmbench.compare import run_differences
from vlmbench.compare.compare import open_run, read_margins
from vlmbench.compare.differences import SAME_WITHIN, Equivalence, MetricDifference, corrected
from vlmbench.stats.paired import Paired
from vlmbench.stats.pairs import amounts
from vlmbench.stats.pairs.amounts import Amount
from vlmbench.stats.seeds.replicates import Parts, decompose, difference, interval

if TYPE_CHECKING:
    from vlmbench.runs.storage.reload import StoredRun, StoredTask
    from vlmbench.stats.intervals import Estimate
    from vlmbench.stats.metrics import Metric
    from vlmbench.stats.seeds.replicates import GroupDifference

METHOD = "means over seeds, MOVER"
FORMAT = 1


@dataclass(frozen=True)
class Recipe:
    """A name, and the runs of its seeds."""

    name: str
    runs: Sequence[StoredRun]

    @property
    def keys(self) -> list[str]:
        """The tasks that all of its runs have."""
        return [key for key in self.runs[0].tasks if all(key in run.tasks for run in self.runs)]


@dataclass(frozen=True)
class RecipeScore:
    """One task's headline over the seeds of a recipe."""

    recipe: str
    key: str
    metric: str
    estimate: Estimate
    """Over other questions and other seeds."""
    parts: Parts
    level: float
    left_out: int
    """Questions that some seed has no score for."""

    def to_json(self) -> dict[str, Any]:
        """For pages and scripts."""
        names = ("recipe", "key", "metric", "level", "left_out")
        return {
            **{name: getattr(self, name) for name in names},
            **self.estimate.to_json(),
            "parts": self.parts.to_json(),
        }


@dataclass(frozen=True)
class RecipeDifference:
    """One task's headline of two recipes."""

    key: str
    before: RecipeScore
    after: RecipeScore
    group: GroupDifference
    row: MetricDifference
    """With tests corrected over the tasks."""

    def to_json(self) -> dict[str, Any]:
        """For pages and scripts."""
        sides = {"before_recipe": self.before.to_json(), "after_recipe": self.after.to_json()}
        return {"key": self.key, "level": self.after.level, **self.row.to_json(), **sides}


@dataclass(frozen=True)
class RecipeComparison:
    """Two recipes."""

    before: Recipe
    after: Recipe
    tasks: Sequence[RecipeDifference]
    left_out: Sequence[str] = field(default_factory=tuple)
    """Tasks that some run does not have."""

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        sides = {
            name: {"name": one.name, "runs": [run.describe() for run in one.runs]}
            for name, one in (("before", self.before), ("after", self.after))
        }
        tasks = [task.to_json() for task in self.tasks]
        return {"format": FORMAT, **sides, "left_out": list(self.left_out), "tasks": tasks}


def parse(text: str, fetch: Callable[[str], Path] = Path) -> tuple[str, list[Path]]:
    """`NAME=RUN,RUN,RUN`. Raises UsageError; `fetch` turns a run as it was typed into a folder."""
    name, sign, runs = text.partition("=")
    folders = [run.strip() for run in runs.split(",") if run.strip()]
    if not sign or not name.strip() or not folders:
        hint = "write NAME=RUN,RUN,RUN: the runs of one recipe's seeds"
        raise UsageError(f"cannot read {text!r}: no name and runs", hint=hint)
    return name.strip(), [fetch(folder) for folder in folders]


def read(name: str, folders: Sequence[Path], tasks: Sequence[str] = (), *, force: bool = False) -> Recipe:
    """The recipe of some runs. Raises UsageError where they are no seeds of one recipe, StoreError for no runs."""
    places = [folder.resolve() for folder in folders]
    if twice := next((place for place in places if places.count(place) > 1), None):
        raise UsageError(f"{name}: the run {twice.name} is named twice", hint="name each seed's run once")
    if len(folders) < 2:
        hint = "one seed says nothing of how much seeds differ: train another, or compare the runs themselves"
        raise UsageError(f"{name} has one run", hint=hint)
    runs = [open_run(folder, tasks) for folder in folders]
    prints = [run.manifest.get("model", {}).get("fingerprint") for run in runs]
    if same := next((index for index, one in enumerate(prints) if one and one in prints[:index]), None):
        what = f"{folders[prints.index(prints[same])].name} and {folders[same].name} are of the same weights"
        raise UsageError(f"{name}: {what}", hint="name runs of models that were trained from different seeds")
    _refuse_unlike(name, runs, force)
    recipe = Recipe(name, runs)
    if not recipe.keys:
        raise UsageError(f"{name}: no task is in all of its runs", hint="run the same tasks on every seed's model")
    return recipe


@dataclass(frozen=True)
class ScoredRecipe:
    """A recipe with its scores, for a report."""

    name: str
    folders: Sequence[Path]
    scores: Sequence[RecipeScore]

    def to_json(self, ids: Sequence[str]) -> dict[str, Any]:
        """For the site; `ids` are those of the runs there."""
        return {"name": self.name, "runs": list(ids), "tasks": [score.to_json() for score in self.scores]}


def scored(name: str, folders: Sequence[Path]) -> ScoredRecipe:
    """Read the runs of a recipe and score it. Raises UsageError and StoreError as `read` does."""
    recipe = read(name, folders)
    found = scores(recipe)
    if not found:
        problem = f"{name}: no task has a headline that is defined in all runs, and on more than one image"
        raise UsageError(problem, hint="run a task with more questions on every seed's model")
    return ScoredRecipe(name, folders, found)


def scores(recipe: Recipe) -> list[RecipeScore]:
    """The headline of every task that all seeds have, where it is defined in all."""
    found = [_score(recipe, key, *_metrics(recipe.runs, key)) for key in recipe.keys]
    return [one for one in found if one is not None]


def compare(before: Recipe, after: Recipe, *, same_within: str = "", force: bool = False) -> RecipeComparison:
    """Two recipes on the questions that all their runs answered. Raises UsageError where nothing can be compared."""
    _refuse_unlike(f"{before.name} and {after.name}", [*before.runs, *after.runs], force)
    keys = [key for key in before.keys if key in after.keys]
    margins = read_margins(same_within, keys)
    found = [one for key in keys if (one := _difference(before, after, key, margins)) is not None]
    if not found:
        problem = f"{before.name} and {after.name} have no task in common whose headline is defined in every run"
        raise UsageError(problem, hint="run the same tasks on every seed's model")
    rows = corrected([one.row for one in found])
    done = [RecipeDifference(o.key, o.before, o.after, o.group, row) for o, row in zip(found, rows, strict=True)]
    every = {key for run in (*before.runs, *after.runs) for key in run.tasks}
    return RecipeComparison(before, after, done, sorted(every - {one.key for one in done}))


def _difference(before: Recipe, after: Recipe, key: str, margins: Mapping[str, Amount]) -> RecipeDifference | None:
    metrics, left_out = _metrics([*before.runs, *after.runs], key)
    sides = metrics[: len(before.runs)], metrics[len(before.runs) :]
    level = after.runs[-1].tasks[key].level
    group = difference(*sides, level=level) if metrics else None
    if group is None:
        return None
    means = [_score(one, key, side, left_out) for one, side in ((before, sides[0]), (after, sides[1]))]
    assert means[0] is not None and means[1] is not None, "the difference is defined"
    own = amounts.of_task(margins, key, SAME_WITHIN).of(metrics[0].span)
    p = group.p_same(own)
    clusters = len(set(metrics[0].clusters))
    paired = Paired(group.difference, group.p, METHOD, clusters, group.after.n, group.error)
    pair = (sides[0][0], sides[1][0])
    values = (group.before.value, group.after.value)
    row = MetricDifference(
        pair[1].name, *values, paired, metrics=pair, equivalence=Equivalence(own, p, p), p_holm=group.p
    )
    return RecipeDifference(key, means[0], means[1], group, row)


def _score(recipe: Recipe, key: str, metrics: Sequence[Metric], left_out: int) -> RecipeScore | None:
    parts = decompose(metrics) if metrics else None
    if parts is None:
        return None
    level = recipe.runs[-1].tasks[key].level
    estimate = interval(parts, metrics[0].bounds, level=level)
    return RecipeScore(recipe.name, key, metrics[0].name, estimate, parts, level, left_out)


def _metrics(runs: Sequence[StoredRun], key: str) -> tuple[list[Metric], int]:
    """(each run's headline over the questions that all answered, how many questions are left out)."""
    tasks: list[StoredTask] = [run.tasks[key] for run in runs]
    ids = [one for one in tasks[0].answered if all(one in task.answered for task in tasks)]
    found = [next((m for m in task.metrics(ids) if m.name == tasks[0].headline), None) for task in tasks]
    left_out = max(len(task.items) for task in tasks) - len(ids)
    metrics = [metric for metric in found if metric is not None and not math.isnan(metric.value())]
    return (metrics if len(metrics) == len(tasks) else []), left_out


def _refuse_unlike(name: str, runs: Sequence[StoredRun], force: bool) -> None:
    """Raise UsageError where runs answered other questions, or under other rules, than the first."""
    first = runs[0]
    for run in runs[1:]:
        for key in (key for key in run.tasks if key in first.tasks):
            told = run_differences.differing(first, run, first.tasks[key], run.tasks[key])
            refused = [str(one) for one in told if one.refuses]
            if refused and not force:
                what = f"{name}: {first.path.name} and {run.path.name} differ in {key}: {refused[0]}"
                raise UsageError(what, hint="run every seed's model on the same data and protocol")
