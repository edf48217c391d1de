"""Which reader takes which files: a table. Each reader is given all files and takes its own by what they hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vlmbench.base.errors import DataError
from vlmbench.base.registry import load_object
from vlmbench.runs.imports.readers.files import File, listed
from vlmbench.runs.imports.readers.nouns import PeerRun

Reader = Callable[[Sequence[File]], Sequence[PeerRun]]

_READERS = "vlmbench.runs.imports.readers"
READERS: Mapping[str, str] = {
    "lmms-eval": f"{_READERS}.lmms_eval:read",
    "lm-eval": f"{_READERS}.lm_eval:read",
    "evalscope": f"{_READERS}.evalscope:read",
    "inspect": f"{_READERS}.inspect_logs:read",
    "llava": f"{_READERS}.llava_folder:read",
    "vlmevalkit": f"{_READERS}.vlmevalkit:read",
}
"""By peer: files to runs."""
WHOLE = ("inspect",)
"""Peers whose files each hold all that is told of a task."""
KNOWN = "results of lmms-eval, lm-eval, VLMEvalKit, evalscope and Inspect, and LLaVA's folders of answers, are read"


def find(path: Path) -> list[PeerRun]:
    """The runs of peers in a folder or a file. Raises DataError where there is none."""
    files = listed(path)
    if path.is_file():
        runs = _read(files, WHOLE) or [
            _only(run, path) for run in _read(_beside(path)) if run.broken or _has(run.files, path)
        ]
    else:
        runs = _read(files)
    if any(not run.unsure and run.broken is None for run in runs):
        runs = [run for run in runs if not run.unsure]
    elif errors := [run.broken for run in runs if run.broken is not None]:
        raise errors[0]
    if not runs:
        what = f"none of {len(files):,} files is a result file that is known" if files else "it holds no files"
        raise DataError(what, where=str(path), hint=KNOWN)
    return runs


def _read(files: Sequence[File], peers: Sequence[str] = tuple(READERS)) -> list[PeerRun]:
    return [run for peer in peers for run in load_object(READERS[peer])(files)]


def _has(files: Sequence[Path], path: Path) -> bool:
    return any(file.resolve() == path.resolve() for file in files)


def _only(run: PeerRun, path: Path) -> PeerRun:
    """The tasks whose rows are in one file; the whole run for a file of its results."""
    tasks = [task for task in run.tasks if _has(task.files, path)]
    ours = [one for one in run.ours if _has([one.answers], path)]
    return replace(run, tasks=tasks, ours=ours) if tasks or ours else run


def _beside(path: Path) -> list[File]:
    """A file and those beside it, which may tell the rest of its run."""
    beside = sorted(one for one in path.absolute().parent.iterdir() if one.is_file() and not one.name.startswith("."))
    return [File(one, path.parent) for one in beside]
