"""`vlmbench import`: make runs of what other harnesses wrote, scored as they did and by our protocols."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base import settings
from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes, garbage, terminal

if TYPE_CHECKING:
    from vlmbench.runs.imports.writer import Imported


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What, and to where."""
    add = parser.add_argument
    add(
        "path",
        type=Path,
        metavar="PATH",
        help="a folder of results of lmms-eval, lm-eval, VLMEvalKit, evalscope or Inspect, a LLaVA-style folder of "
        "answers, or one such file; each run in it becomes a run",
    )
    add("--output", type=Path, metavar="DIR", help="the run's folder; of several runs, the folder of their folders")
    add(
        "--data",
        metavar="sample|hub[:COPIES]|DIR",
        help="where the benchmarks' own questions are: rows are joined with them, for right answers and comparisons",
    )
    add("--model", metavar="NAME", help="call the model so, where the files hold one run alone")
    add("--interval", type=float, metavar="LEVEL", help="confidence level of the intervals (default 0.95)")
    add("--json", action="store_true", help="print what was imported as JSON, and nothing else")


def run(args: argparse.Namespace) -> int:
    """Read, score, write, show. Exit code 1 where a run has no answer with a score."""
    from vlmbench.runs.options import check_level

    check_level(args, "interval")
    with garbage.paused():
        return _import(args)


def _import(args: argparse.Namespace) -> int:
    from vlmbench.runs.imports import peers, writer

    runs = peers.find(args.path)
    if args.model and len(runs) > 1:
        raise UsageError(f"--model names one model, and there are {len(runs)} runs", hint="leave it out, or import one")
    folders = _folders(args, [(one.peer, args.model or one.model, one.started) for one in runs])
    told: list[dict[str, Any]] = []
    good = True
    for one, folder in zip(runs, folders, strict=True):
        found = writer.imported(writer.renamed(one, args.model) if args.model else one, args.interval, args.data)
        good = good and found.has_scores
        if found.scores:
            writer.write(found, folder)
        told.append(_entry(found, folder if found.scores else None))
        if not args.json:
            _show(found, folder)
    if args.json:
        terminal.result(json.dumps(told, indent=2))
    return exit_codes.OK if good else exit_codes.BAD_RESULT


def _folders(args: argparse.Namespace, names: Sequence[tuple[str, str, str]]) -> list[Path]:
    """A folder per run, each with a name of its own."""
    if args.output is not None and len(names) == 1:
        return [args.output]
    root = args.output or settings.load().runs_folder
    found: list[Path] = []
    for peer, model, started in names:
        parts = [part for part in (model, peer, started) if part]
        name = re.sub(r"[^\w.\-]+", "-", "-".join(parts)).strip(".-")[:120] or "run"
        number, free = 1, name
        while root / free in found:
            number += 1
            free = f"{name}-{number}"
        found.append(root / free)
    return found


def _entry(found: Imported, folder: Path | None) -> dict[str, Any]:
    tasks = {
        key: {"headline": entry["headline"], **entry[entry["headline"]], "statuses": entry["statuses"]}
        | {"figures": found.manifest["tasks"][key]["peer"]["figures"], "notes": entry["notes"]}
        for key, entry in found.scores.items()
    }
    run = {"folder": None if folder is None else str(folder), "peer": found.run.peer, "version": found.run.version}
    run |= {"model": found.run.model, "failed": found.run.failed}
    others = found.manifest["imported"]["figures"]
    return {**run, "notes": list(found.run.notes), "figures": others, "tasks": tasks}


def _show(found: Imported, folder: Path) -> None:
    from vlmbench.base.registry import load_object

    run = found.run
    version = f" {run.version}" if run.version else ""
    if not found.scores:
        why = run.failed or "it has no samples"
        print(terminal.clean(f"{run.peer}{version}, {run.model}: nothing to import: {why}"))
        return
    print(load_object("vlmbench.reports.text.table:text")(found.manifest, found.scores))
    if run.failed:
        terminal.warn(f"the run failed: {terminal.clean(run.failed)}")
    for note in run.notes:
        print(f"note: {terminal.clean(note)}")
    print(_figures(found.manifest["tasks"], found.manifest["imported"]["figures"]))
    print(f"run: {folder}")


def _figures(tasks: Mapping[str, Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> str:
    """What the peer states, in one line a kind: recomputed and equal, recomputed and not, not to be recomputed."""
    figures = [(key, one) for key, entry in tasks.items() for one in entry["peer"]["figures"]]
    figures += [("without rows:", one) for one in others]
    equal = sum(one.get("agrees") is True for _, one in figures)
    lines = [f"figures of the peer: {len(figures)}; {equal} recomputed from its rows and equal"]
    for key, one in figures:
        if one.get("agrees") is False:
            lines.append(f"  {key}: {one['name']} is {one['stated']} as stated, {one['recomputed']!r} from the rows")
    stated = [f"{key} {one['name']} {one['stated']}" for key, one in figures if one["recomputed"] is None]
    if stated:
        lines.append(f"  as stated by the peer: {'; '.join(stated)}")
    return "\n".join(map(_cleaned, lines))


def _cleaned(line: str) -> str:
    """A line with what others wrote made harmless; its indent stays."""
    return " " * (len(line) - len(line.lstrip(" "))) + terminal.clean(line).lstrip()
