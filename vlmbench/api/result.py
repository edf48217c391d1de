"""A finished evaluation: its numbers as tables, its questions, its comparison with another, its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base import registry
from vlmbench.base.errors import StoreError

from .gating import GateResult
from .samples import Samples

if TYPE_CHECKING:
    import pandas as pd

    from vlmbench.compare.compare import Comparison

SITE = "report"
"""Folder of a result's own report, in the run's folder."""


@dataclass(frozen=True, repr=False)
class Result:
    """A finished evaluation. A notebook shows its headlines as a table."""

    folder: Path
    """The run's folder, for `vlmbench compare`, `report` and so on. A temporary one is deleted with this object."""
    summary: Mapping[str, Any]
    """What scores.json holds, by task."""

    @classmethod
    def load(cls, folder: str | Path) -> Result:
        """The result in the folder of a finished run. Raises StoreError for another one."""
        from vlmbench.runs.storage.run_files import read_finished

        return cls(Path(folder), read_finished(Path(folder))[1])

    def __repr__(self) -> str:
        """One line: `Result(tinyllava: pope 98.6 [97.0, 99.4])`."""
        return f"Result({registry.load_object(registry.NOTEBOOK)(self.manifest, self.summary, html=False)})"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        html: str = registry.load_object(registry.NOTEBOOK)(self.manifest, self.summary, html=True)
        return html

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """What run.json holds: model, tasks, settings, versions; empty where the folder is gone."""
        from vlmbench.runs.storage.run_files import read_finished

        try:
            return read_finished(self.folder)[0]
        except StoreError:  # the folder is gone: the numbers are still here
            return {}

    @cached_property
    def gate(self) -> GateResult | None:
        """What a gate made of it, with the share of each task that was asked; None where there was none."""
        return GateResult.of(self.folder, self.summary)

    @property
    def coverage(self) -> float:
        """The lowest share of samples with a score among the tasks."""
        return min(float(entry["coverage"]) for entry in self.summary.values())

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row per metric: task, metric, value, low, high, n, breakdown, label, headline.

        low and high bound the interval; its confidence level is `summary[task]["level"]`. `headline` marks the metric
        that papers print.
        """
        import pandas as pd

        rows = []
        for task, entry in self.summary.items():
            for name, found in entry.items():
                if isinstance(found, dict) and "value" in found:
                    place = {"breakdown": found.get("breakdown", ""), "label": found.get("label", "")}
                    numbers = {key: found[key] for key in ("value", "low", "high", "n")}
                    first = {"headline": name == entry["headline"]}
                    rows.append({"task": task, "metric": name, **numbers, **place, **first})
        return pd.DataFrame(rows).astype({"value": float, "low": float, "high": float})

    def table(self) -> pd.DataFrame:
        """One row per task, the metric that papers print: metric, value, low, high, n, coverage; indexed by task."""
        found = self.scores[self.scores["headline"]].set_index("task")[["metric", "value", "low", "high", "n"]]
        return found.assign(coverage=[float(self.summary[task]["coverage"]) for task in found.index])

    @cached_property
    def records(self) -> pd.DataFrame:
        """One row per question: request, answer, parsed answer, value, status, and everything else that is stored."""
        import pandas as pd

        from vlmbench.runs.storage.layout import RECORDS

        return pd.read_parquet(self.folder / RECORDS)

    def samples(self, *, task: str | None = None, wrong: bool | None = None, status: str | None = None) -> Samples:
        """The questions with their answers; a notebook shows them with their images.

        `task` names one task. `wrong`: True for those whose value is below 1, False for the others, None for both;
        without a score a question is neither. `status` keeps those that ended so: error, unparsed, ... Raises
        UnknownNameError for a task or status that there is not.
        """
        return Samples.of(self.folder, self.records, task=task, wrong=wrong, status=status)

    def compare(self, other: Result | Path | str, **options: Any) -> Compared:
        """The paired differences from this result (before) to another (after), as `vlmbench compare` tests them.

        `options` are those of vlmbench.compare.compare.compare: tasks, metric, same_within, level, ... Raises
        UsageError for runs that did not answer the same questions under the same rules.
        """
        from vlmbench.compare.compare import compare

        return Compared(compare(self.folder, other.folder if isinstance(other, Result) else Path(other), **options))

    def report(self, *others: Result | Path | str, output: str | Path | None = None) -> Path:
        """Write the HTML report of this run and of others; returns the page to open.

        Without `output` it lies in this run's folder. Raises StoreError where it cannot be written.
        """
        runs = [self.folder, *(one.folder if isinstance(one, Result) else Path(one) for one in others)]
        page: Path = registry.load_object(registry.SITE)(runs, self.folder / SITE if output is None else Path(output))
        return page

    def log_to(self, targets: str | Sequence[str], *, step: int | None = None, name: str = "") -> None:
        """Send the scores, with intervals and run.json, to trackers or a model card, as `vlmbench run --log-to` does.

        `targets`: `wandb:project=x`, `mlflow`, `trackio`, `tensorboard`, `hub-card=README.md`, or several with commas
        between. `step`: of a training. `name`: of the run there; else the folder's. Where the program has a run of
        W&B or MLflow open, that one gets the scores. Raises UsageError for services that are unknown or not
        installed; what fails at a service is told on stderr.
        """
        joined = targets if isinstance(targets, str) else ",".join(targets)
        registry.load_object(registry.LOG_RUN)(self.folder, joined, step=step, name=name)


@dataclass(frozen=True, repr=False)
class Compared:
    """A comparison of two results. A notebook shows it as a table."""

    comparison: Comparison

    def __repr__(self) -> str:
        """One line: `Compared(pope: mean_f1 98.6 to 97.9, could not tell)`."""
        rows = [(task.key, task.headline_row) for task in self.comparison.tasks]
        told = [f"{key}: {row.name} {row.before:.1f} to {row.after:.1f}, {row.verdict_words}" for key, row in rows]
        return f"Compared({'; '.join(told)})"

    def __str__(self) -> str:
        """What `vlmbench compare` prints."""
        text: str = registry.load_object(registry.COMPARED)(self.comparison)
        return text

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        html: str = registry.load_object(registry.NOTEBOOK_COMPARED)(self.table())
        return html

    def table(self) -> pd.DataFrame:
        """One row per task: metric, before, after, difference, low, high, p (corrected for the tasks), verdict, n."""
        import pandas as pd

        rows: Sequence[dict[str, Any]] = [
            {
                "task": task.key,
                "metric": row.name,
                "before": row.before,
                "after": row.after,
                "difference": row.paired.difference.value,
                "low": row.paired.difference.low,
                "high": row.paired.difference.high,
                "p": row.p_holm,
                "verdict": str(row.verdict),
                "n": row.paired.n,
            }
            for task in self.comparison.tasks
            for row in (task.headline_row,)
        ]
        return pd.DataFrame(rows).set_index("task")
