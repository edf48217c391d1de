"""Which reader takes which files: a table. Each reader is given all files and takes its own by what they hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import DataError
from vlmbench.base.registry import load_object
from vlmbench.runs.imports.files import File, listed
from vlmbench.runs.imports.nouns import PeerRun

Reader = Callable[[Sequence[File]], Sequence[PeerRun]]

READERS: Mapping[str, str] = {
    "lmms-eval": "vlmbench.runs.imports.lmms_eval:read",
    "lm-eval": "vlmbench.runs.imports.lm_eval:read",
    "evalscope": "vlmbench.runs.imports.evalscope:read",
    "inspect": "vlmbench.runs.imports.inspect_logs:read",
    "vlmevalkit": "vlmbench.runs.imports.vlmevalkit:read",
}
"""By peer: files to runs."""
KNOWN = "results of lmms-eval, lm-eval, VLMEvalKit, evalscope and Inspect, and LLaVA's folders of answers, are read"


def find(path: Path) -> list[PeerRun]:
    """The runs of peers in a folder or a file. Raises DataError where there is none."""
    files = _with_siblings(listed(path), path)
    runs = [run for reader in READERS.values() for run in load_object(reader)(files)]
    if any(not run.unsure for run in runs):
        runs = [run for run in runs if not run.unsure]
    if path.is_file():
        runs = [run for run in runs if any(_same(file, path) for file in run.files)]
    if not runs:
        what = f"none of {len(files):,} files is a result file that is known" if files else "it holds no files"
        raise DataError(what, where=str(path), hint=KNOWN)
    return runs


def _same(file: Path, path: Path) -> bool:
    return file.resolve() == path.resolve()


def _with_siblings(files: list[File], path: Path) -> list[File]:
    """Of one file that was named, the files beside it too: its run may be told in several."""
    if not path.is_file():
        return files
    beside = sorted(one for one in path.absolute().parent.iterdir() if one.is_file() and not one.name.startswith("."))
    return [File(one, path.parent) for one in beside]
