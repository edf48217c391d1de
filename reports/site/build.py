"""The HTML report of one or more runs: a folder that opens from disk and can be served anywhere.

index.html            the page with its scripts and styles, and what the leaderboard shows
data/NAME.js          one JSON text each, loaded when a view needs it (page.data_script)
images/ab/abcd....jpg thumbnails by content hash, each once however many runs show it
exports/              every table as Markdown, CSV, LaTeX and JSON; a summary.md a run
files.json            what was written, so that the next report into the folder takes away what it left
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from vlmbench import __version__
from vlmbench.base.errors import StoreError

from ..runs import SAMPLE_NOTE, RunResult, load, with_ablations
from ..text import exports, table
from . import comparisons, ranks, report_data, run_groups
from .answer_stats import glance
from .efficiency import COLUMNS
from .page import data_script, render
from .published import for_page, read
from .sample_index import chunks, judgements_by_sample, listing

FILES = "files.json"

_DIGEST = re.compile(r"[0-9a-f]{16}")
_OURS = re.compile(r"data/[\w-]+\.js|images/[0-9a-f]{2}/[0-9a-f]{16}\.jpg|exports/[\w.-]+")
"""What a report may take away again."""


def write(runs: Sequence[Path], output: Path) -> Path:
    """Write a report's folder, which needs no network; returns the path of its index.html.

    Raises UsageError or StoreError when a folder holds no finished run, StoreError when the report cannot be written.
    """
    loaded = load(with_ablations(runs))
    try:
        return _Site(output).write(loaded)
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
        self.before = _files_before(output)

    def write(self, runs: Sequence[RunResult]) -> Path:
        """Everything; the page last, when all it loads is there."""
        self.output.mkdir(parents=True, exist_ok=True)
        summaries, details = [], {}
        for run in runs:
            summary, more = self._run(run)
            summaries.append(summary)
            details[run.id] = more
            self._put(f"data/run-{run.id}.js", data_script(f"run-{run.id}", more))
        found = comparisons.compared(run_groups.pairs(runs))
        for (before, after), comparison in found.items():
            name = f"compare-{before}-{after}"
            self._put(f"data/{name}.js", data_script(name, comparison))
        report = _report(runs, summaries, found)
        for name, content in exports.files(exports.tables(report, details, found)).items():
            self._put(f"exports/{name}", content)
        for run in runs:
            text = table.markdown(run.manifest, {task.key: task.scores for task in run.tasks})
            self._put(f"exports/run-{run.id}.md", text.encode("utf-8", "replace"))
        return self._finish(report)

    def _run(self, run: RunResult) -> tuple[dict[str, Any], dict[str, Any]]:
        """Write a run's records and pictures; its summary and details."""
        glances: dict[str, dict[str, Any]] = {}
        counts: dict[str, int] = {}
        for number, (key, columns) in enumerate(run.records()):
            counts[key] = len(columns["sample_id"])
            glances[key] = glance(columns)
            name = f"list-{run.id}-{number}"
            listed = listing(columns)
            for picture in listed["pictures"]:
                picture["kept"] = self._picture(run, picture["hash"])
            self._put(f"data/{name}.js", data_script(name, listed))
            judged = judgements_by_sample(run.judgements(key))
            for place, chunk in enumerate(chunks(columns, judged)):
                part = f"{name}-{place}"
                self._put(f"data/{part}.js", data_script(part, chunk))
        return report_data.summary(run, glances, counts), report_data.details(run, glances)

    def _picture(self, run: RunResult, digest: str) -> bool:
        """Copy a thumbnail, unless it is there; whether there is one."""
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

    def _put(self, name: str, content: bytes) -> None:
        path = self.output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.written[name] = None

    def _finish(self, report: Mapping[str, Any]) -> Path:
        """The page itself, then away with what an earlier report left."""
        labels = [run["label"] for run in report["runs"]]
        title = " · ".join(dict.fromkeys(labels)) if len(labels) <= 3 else f"{len(labels)} runs"
        page = render(
            "report.html",
            script="report",
            data={"report": report},
            folder=True,
            title=f"{title} · vlmbench",
            version=__version__,
            made=report["made"],
        )
        path = self.output / "index.html"
        temporary = self.output / "index.html.tmp"
        temporary.write_text(page, encoding="utf-8", newline="\n")
        temporary.replace(path)
        (self.output / FILES).write_bytes(orjson.dumps(list(self.written), option=orjson.OPT_INDENT_2))
        for name in self.before:
            if name not in self.written:
                (self.output / name).unlink(missing_ok=True)
        return path


def _report(
    runs: Sequence[RunResult], summaries: Sequence[dict[str, Any]], found: Mapping[tuple[str, str], dict[str, Any]]
) -> dict[str, Any]:
    """What the first page carries."""
    return {
        "made": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "stamp": f"{time.time_ns():x}",
        "vlmbench": __version__,
        "sample_note": SAMPLE_NOTE,
        "costs": COLUMNS,
        "runs": summaries,
        "contenders": [run.id for run in run_groups.contenders(runs)],
        "ranks": ranks.ranks(run_groups.contenders(runs), comparisons.headlines(found)),
        "published": _published(runs),
        "ablations": comparisons.with_corrected(run_groups.ablations(runs), found),
        "histories": run_groups.histories(runs),
        "pairs": [[before, after] for before, after in found],
    }


def _published(runs: Sequence[RunResult]) -> dict[str, list[dict[str, Any]]]:
    """By task, what papers and tools printed for its benchmark and split."""
    figures = read()
    found = {task.key: for_page(figures, task) for run in runs for task in run.tasks}
    return {key: rows for key, rows in found.items() if rows}


def _files_before(output: Path) -> list[str]:
    """What an earlier report wrote here, as far as its own list tells."""
    try:
        names = orjson.loads((output / FILES).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return []
    return (
        [name for name in names if isinstance(name, str) and _OURS.fullmatch(name)] if isinstance(names, list) else []
    )
