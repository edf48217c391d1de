"""The HTML report of one or more runs: a folder that opens from disk and can be served anywhere.

index.html            the page with its scripts and styles, and what the leaderboard shows
data/NAME.js          one JSON text each, loaded when a view needs it (page.data_script)
images/ab/abcd....jpg thumbnails by content hash, each once however many runs show it
exports/              every table as Markdown, CSV, LaTeX and JSON; a run-ID.md per run
files.json            what was written, so that the next report into the folder removes what is no longer used
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from vlmbench.base.errors import StoreError
from vlmbench.base.process.progress import each
from vlmbench.base.version import __version__
from vlmbench.compare.labels.matching import of_runs
from vlmbench.runs.storage.layout import THUMBS

from ..board.board import board
from ..board.gaps import Opened
from ..board.published import figures_of, read
from ..runs import SAMPLE_NOTE, RunResult, load, with_perturbed, with_shrunk
from ..text import exports, history, table
from . import board_data, comparisons, report_data, run_groups
from .answer_stats import answer_stats
from .efficiency import COLUMNS
from .page import data_script, render
from .sample_index import judgements_by_sample, sample_chunks, sample_index

if TYPE_CHECKING:
    from vlmbench.compare.groups.recipes import ScoredRecipe

FILES = "files.json"

_DIGEST = re.compile(r"[0-9a-f]{16}")
_OURS = re.compile(r"data/[\w-]+\.js|images/[0-9a-f]{2}/[0-9a-f]{16}\.(?:jpg|png)|exports/[\w.-]+")
"""The files that a report may remove again."""


def write(
    runs: Sequence[Path],
    output: Path,
    recipes: Sequence[ScoredRecipe] = (),
    labels: Sequence[Path] = (),
    *,
    shrink: bool = False,
) -> Path:
    """Write a report's folder, which needs no network; returns the path of its index.html.

    The runs of `recipes` are in it too, whether `runs` names them or not. `labels` are filled sheets of people's
    grades, of any of the runs. With `shrink`, bars of breakdowns have shrunk values beside theirs.

    Raises UsageError or StoreError when a folder holds no finished run, StoreError when the report cannot be written,
    DataError for labels of none of the runs.
    """
    named = {folder.resolve() for folder in runs}
    more = {folder.resolve(): folder for recipe in recipes for folder in recipe.folders}
    loaded = load(with_perturbed([*runs, *(folder for place, folder in more.items() if place not in named)]))
    if labels:
        found = of_runs(labels, [run.folder for run in loaded])
        loaded = [replace(run, labels=found.get(run.folder, {})) for run in loaded]
    if shrink:
        loaded = [with_shrunk(run) for run in loaded]
    try:
        return _Site(output).write(loaded, recipes)
    except OSError as error:
        raise StoreError(
            f"cannot write the report: {error.strerror or error}",
            where=str(output),
            hint="name an --output folder that can be written, on a disk with room",
        ) from None


class _Site:
    """One report's folder while it is written."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.written: dict[str, None] = {}
        self.stats: dict[str, dict[str, dict[str, Any]]] = {}
        """By run id and task, what its answers look like."""
        self.earlier = _earlier_files(output)

    def write(self, runs: Sequence[RunResult], recipes: Sequence[ScoredRecipe] = ()) -> Path:
        """Write everything; the page last, when all that it loads is there."""
        self.output.mkdir(parents=True, exist_ok=True)
        summaries, details = [], {}
        for run in each(runs, "writing the pages", "run"):
            summary, details[run.id] = self._run(run)
            summaries.append(summary)
            self._data(f"run-{run.id}", details[run.id])
        opened = Opened()
        found = board(run_groups.contenders(runs), opened)
        compared = comparisons.compare_pairs(run_groups.pairs(runs, found.best_first()), opened)
        for (before, after), comparison in compared.items():
            self._data(f"compare-{before}-{after}", comparison)
        ids = {run.folder.resolve(): run.id for run in runs}
        seeds = [recipe.to_json([ids[folder.resolve()] for folder in recipe.folders]) for recipe in recipes]
        rows = board_data.board_data(found, self.stats, comparisons.headline_tests(compared))
        report = {**_report(runs, summaries, compared, opened), **rows, "recipes": seeds}
        for name, content in exports.files(exports.tables(report, details, compared)).items():
            self._put(f"exports/{name}", content)
        for run in runs:
            text = table.markdown(run.manifest, {one.key: one.scores for one in (*run.tasks, *run.suites)})
            self._put(f"exports/run-{run.id}.md", text.encode("utf-8", "replace"))
        return self._finish(report)

    def _run(self, run: RunResult) -> tuple[dict[str, Any], dict[str, Any]]:
        """Write a run's samples and images; returns its summary and details."""
        stats: dict[str, dict[str, Any]] = {}
        counts: dict[str, int] = {}
        for number, (key, columns) in enumerate(run.records()):
            counts[key] = len(columns["sample_id"])
            stats[key] = answer_stats(columns)
            name = f"list-{run.id}-{number}"
            index = sample_index(columns)
            for image in index["images"]:
                image["kept"] = self._thumbnail(run, image["hash"])
            self._data(name, index)
            judgements = judgements_by_sample(run.judgements(key))
            for chunk_number, chunk in enumerate(sample_chunks(columns, judgements)):
                self._data(f"{name}-{chunk_number}", chunk)
        self.stats[run.id] = stats
        summary = {**report_data.run_summary(run, stats, counts), "changed": [*self._changed(run)]}
        return summary, report_data.run_details(run, stats)

    def _changed(self, run: RunResult) -> Iterator[dict[str, Any]]:
        """Copy the sheets of images before and after a perturbation; gives what each shows, and its digest."""
        for entry in run.changed():
            content = (run.folder / THUMBS / entry.pop("file")).read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:16]
            self._put(f"images/{digest[:2]}/{digest}.png", content)
            yield {**entry, "sheet": digest}

    def _thumbnail(self, run: RunResult, digest: str) -> bool:
        """Copy a thumbnail unless it is there already; returns whether the run has it."""
        if not _DIGEST.fullmatch(digest):
            return False
        name = f"images/{digest[:2]}/{digest}.jpg"
        if name in self.written:
            return True
        source = run.thumbnail(digest)
        if not source.is_file():
            return False
        target = self.output / name
        if not (target.is_file() and target.stat().st_size == source.stat().st_size):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        self.written[name] = None
        return True

    def _data(self, name: str, content: Any) -> None:
        self._put(f"data/{name}.js", data_script(name, content))

    def _put(self, name: str, content: bytes) -> None:
        path = self.output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.written[name] = None

    def _finish(self, report: Mapping[str, Any]) -> Path:
        """Write the page itself, then remove what only an earlier report needed."""
        labels = [run["label"] for run in report["runs"]]
        title = " · ".join(dict.fromkeys(labels)) if len(labels) <= 3 else f"{len(labels)} runs"
        page = render(
            "report.html",
            script="report",
            data={"report": report},
            folder=True,
            title=f"{title} · vlmbench",
            version=__version__,
            built=report["built"],
        )
        path = self.output / "index.html"
        temporary = self.output / "index.html.tmp"
        temporary.write_text(page, encoding="utf-8", newline="\n")
        temporary.replace(path)
        (self.output / FILES).write_bytes(orjson.dumps(list(self.written), option=orjson.OPT_INDENT_2))
        for name in self.earlier:
            if name not in self.written:
                (self.output / name).unlink(missing_ok=True)
        return path


def _report(
    runs: Sequence[RunResult],
    summaries: Sequence[dict[str, Any]],
    compared: comparisons.Comparisons,
    opened: Opened,
) -> dict[str, Any]:
    """What the first page carries."""
    by_id = {run.id: run for run in runs}
    histories = [
        {**one, "trends": history.trends([by_id[name] for name in one["runs"]], opened.runs, history.MOST_RECORDS)}
        for one in history.histories(runs)
    ]
    return {
        "built": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "stamp": f"{time.time_ns():x}",
        "vlmbench": __version__,
        "sample_note": SAMPLE_NOTE,
        "costs": COLUMNS,
        "runs": summaries,
        "published": _published(runs),
        "perturbed": comparisons.with_holm(run_groups.perturbed_runs(runs), compared),
        "histories": histories,
        "pairs": [[before, after] for before, after in compared],
    }


def _published(runs: Sequence[RunResult]) -> dict[str, list[dict[str, Any]]]:
    """By task, what papers and tools printed for its benchmark and split."""
    figures = read()
    by_task = {task.key: figures_of(figures, task) for run in runs for task in run.tasks}
    return {key: rows for key, rows in by_task.items() if rows}


def _earlier_files(output: Path) -> list[str]:
    """The files that an earlier report wrote here, according to its own list."""
    try:
        names = orjson.loads((output / FILES).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return []
    return (
        [name for name in names if isinstance(name, str) and _OURS.fullmatch(name)] if isinstance(names, list) else []
    )
