"""Kills commands at their changes to the disk and lets the same command go on: `python -m tests.kills 500`.

    python -m tests.kills N [--what run,again,supersede,rescore,check,report,baseline,train,ray,joint] [--full]

Each round starts from the same folder, runs a command that is killed (SIGKILL) at one of its renames, links, unlinks,
fsyncs, writes or opened files, at times a second time on the way back, and then runs the same command once more. It
must go on (the exit code of a calm run), use every answer that was in the log, hold none twice, and leave what a calm
run leaves. Prints a table; the exit code is 1 when a round failed. `train` and `ray` take seconds per round and get at
most 25 and 20 of them. `joint` ends runs inside forward passes of answers decoded together (joint_decoding).
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.kills import kill_points
from tests.kills.kill_points import Ended
from vlmbench.base import registry
from vlmbench.base.errors import VlmbenchError
from vlmbench.data.files import Folder
from vlmbench.runs.storage import answer_log, reload
from vlmbench.runs.storage.layout import LOG, MANIFEST, RECORDS, SCORES

TASKS = "pope,mmvet"
JUDGE = ("--judge", "echo,text=0.5")
REUSED = re.compile(r"(\d+) of (\d+) answers were taken")
WARM = [f"vlmbench.cli.verbs.{verb}" for verb in ("run", "score", "check", "report", "baseline")]
WARM += [
    "vlmbench.stats.intervals",
    "vlmbench.reports.site.build",
    "vlmbench.reports.text.gate",
    "vlmbench.reports.text.junit",
]
WARM += [
    "vlmbench.compare.gates.gate",
    "vlmbench.runs.rescore",
    "vlmbench.runs.storage.store",
    "vlmbench.scoring.judge",
    "vlmbench.runs.storage.thumbnails",
]
WARM += ["PIL.JpegImagePlugin", "PIL.PngImagePlugin", "tqdm", "pyarrow.parquet", "pyarrow.compute", "scipy.stats"]
SLOW = {"train": 25, "ray": 20, "joint": 40}
"""The most rounds of what takes seconds."""
APART = {"ray": "tests.kills.ray_workers", "joint": "tests.kills.joint_decoding"}
"""Modules with `rounds` of their own."""


@dataclass
class Round:
    """One folder in which a command is run."""

    root: Path
    """Everything that the command changes."""

    @property
    def run(self) -> Path:
        """The run's folder."""
        return self.root / "run"

    @property
    def script(self) -> Path:
        """The model's answers, beside what is watched."""
        return self.root.parent / f"{self.root.name}.json"

    def words(self, *more: str) -> list[str]:
        """The main job."""
        model, output = f"echo:{self.script}", str(self.run)
        return ["run", "--model", model, "--tasks", TASKS, "--limit", "9", "--output", output, *JUDGE, *more]


@dataclass(frozen=True)
class Scenario:
    """A command, what is there before it, and what it must leave."""

    prepare: Callable[[Round], None]
    words: Callable[[Round], Sequence[str]]
    left: Callable[[Round], Any]
    """What must be equal to what a calm run leaves."""


def answers(round_: Round, text: str) -> None:
    """Script the model: its weights, as it were."""
    choices = [registry.choose_task(name) for name in TASKS.split(",")]
    ids = [s.id for choice in choices for s in choice.task.samples(Folder.sample(choice.task.name), choice.split)]
    round_.script.write_text(json.dumps({key: f"{text} {place % 3}" for place, key in enumerate(ids)}))


def nothing(round_: Round) -> None:
    """A model, and no folder yet."""
    answers(round_, "yes")


def finished(round_: Round) -> None:
    """A finished run."""
    nothing(round_)
    calm(round_.words(), round_.root)


def finished_by_others(round_: Round) -> None:
    """A finished run of other weights."""
    finished(round_)
    answers(round_, "no")


def with_baseline(round_: Round) -> None:
    """A finished run, and a baseline of it."""
    finished(round_)
    calm(["baseline", str(round_.run), "--output", str(round_.root / "b.json")], round_.root)


def calm(words: Sequence[str], root: Path) -> Ended:
    """The command, left alone. Raises RuntimeError when it fails."""
    ended = kill_points.run(words, root)
    if ended.code:
        raise RuntimeError(f"{words}: exit code {ended.code}\n{ended.said}")
    return ended


def results(round_: Round) -> dict[str, Any]:
    """Records and scores of a finished run; raises StoreError for one that is not whole."""
    run = reload.load(round_.run)
    table = pq.read_table(round_.run / RECORDS).drop(["seconds"])
    leftovers = sorted(path.name for path in round_.run.iterdir() if path.name == LOG or path.suffix == ".tmp")
    return {
        "records": table.to_pylist(),
        "scores": json.loads((round_.run / SCORES).read_text()),
        "tasks": sorted(run.tasks),
        "leftovers": leftovers,
    }


def results_and_old_ones(round_: Round) -> dict[str, Any]:
    """The new results, and those that were put aside: one whole set."""
    aside = sorted((round_.run / "superseded").iterdir())
    old = {
        path.relative_to(aside[0]).as_posix(): path.read_bytes() if path.name == SCORES else b""
        for path in aside[0].rglob("*")
    }
    return {**results(round_), "aside": len(aside), "old": old}


def tree(folder: Path, *, but: Sequence[str] = ()) -> dict[str, bytes]:
    """Every file below a folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in but]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _training(round_: Round) -> list[str]:
    return ["train", "minigptv2-code", "--smoke", "--output", str(round_.root / "out")]


def _weights(round_: Round) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (round_.root / "out/model").glob("*.safetensors")}


SCENARIOS: Mapping[str, Scenario] = {
    "run": Scenario(nothing, lambda r: r.words(), results),
    "again": Scenario(finished, lambda r: r.words(), results),
    "supersede": Scenario(finished_by_others, lambda r: r.words(), results_and_old_ones),
    "rescore": Scenario(
        finished, lambda r: ["score", str(r.run), "--judge", "echo,text=1.0"], results_and_old_ones
    ),
    "check": Scenario(
        with_baseline,
        lambda r: [
            "check", str(r.run), "--baseline", str(r.root / "b.json"), "--tasks", "pope",
            "--json", str(r.root / "c.json"), "--junit", str(r.root / "j.xml"), "--markdown", str(r.root / "m.md"),
        ],
        lambda r: tree(r.root, but=(".lock",)),
    ),
    "report": Scenario(
        finished,
        lambda r: ["report", str(r.run), "--output", str(r.root / "site")],
        lambda r: (_names(r.root / "site"), tree(r.root / "site/data", but=())),
    ),
    "baseline": Scenario(
        finished,
        lambda r: ["baseline", str(r.run), "--output", str(r.root / "b.json")],
        lambda r: (r.root / "b.json").read_bytes(),
    ),
    "train": Scenario(nothing, _training, _weights),
}  # fmt: skip


@dataclass
class Tally:
    """What came of a scenario's rounds."""

    points: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    reused: int = 0
    failed: list[str] = field(default_factory=list)


def logged(run: Path) -> set[str]:
    """The keys of the answers that lie whole in a run's log."""
    return set(answer_log.read_log(run / LOG).answers) if (run / LOG).is_file() else set()


def honest(round_: Round, before: Any, after: Any) -> str:
    """What a reader would be told wrong right after a kill: scores of neither the old nor the new run; or nothing."""
    try:
        run = reload.load(round_.run)
    except VlmbenchError:
        return ""
    scores = {key: dict(task.scores) for key, task in run.tasks.items()}
    known = [one["scores"] for one in (before, after) if one]
    return "" if scores in known else "a reader is told scores of no run"


def rounds(name: str, number: int, dice: random.Random, folder: Path, *, full: bool = False) -> Tally:
    """Kill a command at so many points, spread over all it has; or let the disk be full from there on."""
    scenario, tally = SCENARIOS[name], Tally()
    start, quiet = folder / f"{name}-start", Round(folder / "work")
    shutil.rmtree(quiet.root, ignore_errors=True)
    quiet.root.mkdir()
    scenario.prepare(quiet)
    shutil.copytree(quiet.root, start)
    before = _if_there(quiet, results)
    old = {row["key"] for row in before["records"]} if before else set()
    warm()
    ended = kill_points.run(scenario.words(quiet), quiet.root)
    expected, code, kinds = scenario.left(quiet), ended.code, ended.points
    after = _if_there(quiet, results)
    tally.points = len(kinds)
    order = [*range(1, len(kinds) + 1)]
    at = [order[place * len(order) // number] for place in range(number)] if number < len(order) else order
    at += [dice.choice(order) for _ in range(number - len(at))]
    for place in at:
        again = copied(start, quiet)
        one = _full if full else _one
        why = one(scenario, again, place, dice, tally, (expected, code, before, after, old))
        if why:
            tally.failed.append(f"{name}, point {place} ({kinds[place - 1]}): {why}")
    return tally


def copied(start: Path, there: Round) -> Round:
    """The same start in the same place each time, since paths end in run.json."""
    shutil.rmtree(there.root)
    shutil.copytree(start, there.root)
    return there


def _one(scenario: Scenario, again: Round, at: int, dice: random.Random, tally: Tally, calm_: Any) -> str:
    """One round; why it failed, or nothing."""
    expected, code, before, after, old = calm_
    words, had = scenario.words(again), 0
    for point in (at, dice.randrange(1, at + 1))[: 1 + (dice.random() < 0.3)]:
        ended = kill_points.run(words, again.root, point)
        if ended.killed:
            tally.kills[ended.points[-1]] += 1
        elif ended.code != code:
            return f"a second try ended with {ended.code}: {ended.said[-300:]}"
        else:
            continue
        had = len(logged(again.run) - old)
        if wrong := honest(again, before, after):
            return wrong
    ended = kill_points.run(words, again.root)
    if ended.code != code:
        return f"the same command ended with {ended.code}: {ended.said[-300:]}"
    if had and (found := REUSED.search(ended.said)):
        tally.reused += int(found[1])
    if had and (found is None or int(found[1]) < had):
        return f"{had} answers were in the log, the command took {found and found[1]}"
    try:
        left = scenario.left(again)
    except (VlmbenchError, OSError, IndexError, KeyError) as error:
        return f"what it leaves cannot be read: {error}"
    return "" if left == expected else f"it leaves something else: {different(left, expected)}"


def _full(scenario: Scenario, again: Round, at: int, dice: random.Random, tally: Tally, calm_: Any) -> str:
    """One round on a disk that is full from a point on: told in a line, and with room the same command goes on."""
    expected, code, before, after, _ = calm_
    words = scenario.words(again)
    ended = kill_points.run(words, again.root, at, full=True)
    tally.kills[ended.points[at - 1]] += 1
    if ended.code not in (code, 2) or "Traceback" in ended.said:
        return f"a full disk ended it with {ended.code}: {ended.said[-600:]}"
    if ended.code == 2 and "No space left on device" not in ended.said:
        return f"it does not say that the disk is full: {ended.said[-300:]}"
    if wrong := honest(again, before, after):
        return wrong
    ended = kill_points.run(words, again.root)
    if ended.code != code:
        return f"with room it ended with {ended.code}: {ended.said[-300:]}"
    left = scenario.left(again)
    return "" if left == expected else f"it leaves something else: {different(left, expected)}"


def different(left: Any, expected: Any) -> str:
    """Where two trees of dicts differ first."""
    if isinstance(left, dict) and isinstance(expected, dict):
        for key in {**left, **expected}:
            if left.get(key) != expected.get(key):
                return f"{key}: {different(left.get(key), expected.get(key))}"
    return f"{left!r:.150} for {expected!r:.150}"


def warm() -> None:
    """Import what the commands do: each fork has it then."""
    for name in WARM:
        importlib.import_module(name)


def _if_there(round_: Round, left: Callable[[Round], Any]) -> Any:
    return left(round_) if (round_.run / MANIFEST).is_file() else None


def main() -> int:
    """Kill, go on, compare; a table of what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("number", type=int, help="kills in all")
    parser.add_argument("--what", default=",".join(name for name in SCENARIOS if name != "train"))
    parser.add_argument("--full", action="store_true", help="no kills: the disk is full from that point on")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    names = args.what.split(",")
    quick = [name for name in names if name not in SLOW]
    dice, failed = random.Random(args.seed), 0
    print(f"{'command':10} {'points':>6} {'kills':>6} {'reused':>7} {'failed':>7}  at", flush=True)
    with tempfile.TemporaryDirectory() as made:
        for name in names:
            number = min(args.number, SLOW[name]) if name in SLOW else -(-args.number // len(quick))
            tally = _told(name, number, dice, Path(made), full=args.full)
            failed += len(tally.failed)
    return 1 if failed else 0


def _told(name: str, number: int, dice: random.Random, folder: Path, *, full: bool) -> Tally:
    if name in APART:
        tally: Tally = importlib.import_module(APART[name]).rounds(number, dice, folder)
    else:
        tally = rounds(name, number, dice, folder, full=full)
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(tally.kills.items()))
    counts = f"{tally.points:6} {tally.kills.total():6} {tally.reused:7} {len(tally.failed):7}"
    print(f"{name:10} {counts}  {kinds}", flush=True)
    for line in tally.failed:
        print(f"  {line}", flush=True)
    return tally
