"""Kills of a run with --workers 2, in a process of its own: the same command goes on, and no worker stays behind."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.kills import commands
from tests.kills.kill_points import Ended
from vlmbench.runs.storage.layout import LOG

SESSION = secrets.token_hex(8)
"""Begins the mark of every command of this process."""
ROOT = Path(__file__).resolve().parents[2]
MARK = "VLMBENCH_KILLS"
PATIENCE = 60.0
"""Seconds that workers and Ray's servers may take to notice that nobody is left."""
AGENTS = ("ray::DashboardA", "ray::RuntimeEnv")
"""Ray's helpers without a model, which wait for a lost head before they give up."""
PATIENCE_OF_AGENTS = 400.0


def rounds(number: int, dice: random.Random, folder: Path) -> commands.Tally:
    """Kill the run at so many points; each time the command is run again and must leave what a calm run leaves."""
    tally, quiet = commands.Tally(), commands.Round(folder / "work")
    for round_ in range(number + 1):
        shutil.rmtree(quiet.root, ignore_errors=True)
        quiet.root.mkdir()
        commands.nothing(quiet)
        words = [*quiet.words(), "--workers", "2"]
        if not round_:
            calm = run(words, quiet.root)
            expected, tally.points = commands.results(quiet), len(calm.points)
            continue
        at = dice.randrange(1, tally.points + 1)
        ended = run(words, quiet.root, at)
        tally.kills[ended.points[-1]] += ended.killed
        had = len(commands.logged(quiet.run))
        again = run(words, quiet.root)
        found = commands.REUSED.search(again.said)
        tally.reused += int(found[1]) if found else 0
        why = _wrong(ended, again, had, found[1] if found else "0")
        if not why and (left := commands.results(quiet)) != expected:
            why = f"it leaves something else: {commands.different(left, expected)}"
        if why:
            tally.failed.append(f"ray, point {at}: {why}")
    if left_over := left_behind("", PATIENCE_OF_AGENTS, but=()):
        tally.failed.append(f"ray, in the end: left behind: {left_over}")
    return tally


def _wrong(ended: Ended, again: Ended, had: int, taken: str) -> str:
    left = [one.said for one in (ended, again) if one.said.startswith("left behind")]
    if left:
        return left[0]
    if again.code:
        return f"the same command ended with {again.code}: {again.said[-300:]}"
    return f"{had} answers were in the log, the command took {taken}" if int(taken) < had else ""


def run(words: Sequence[str], root: Path, at: int = 0, *, end: int = 0) -> Ended:
    """The command in a process of its own; killed at a point, or, with `end`, sent that signal when it has begun."""
    log, mark = root.parent / "points", f"{SESSION}{secrets.token_hex(8)}"
    log.touch()
    command = [sys.executable, "-m", "tests.kills.kill_points", str(root), str(at), str(log), *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", MARK: mark}
    said = root.parent / "said"
    with said.open("w") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT)
        if end:
            wait_for_answers(root / "run", process)
            process.send_signal(end)
        code = process.wait(timeout=300)
    told, left = said.read_text(errors="replace"), left_behind(mark)
    return Ended(code, f"left behind: {left}\n{told}" if left else told, log.read_text().split())


def wait_for_answers(run_: Path, process: subprocess.Popen[bytes]) -> None:
    """Until a run has written its first answers, or ended."""
    log = run_ / LOG
    while process.poll() is None and not (log.is_file() and log.stat().st_size):
        time.sleep(0.01)


def left_behind(mark: str, patience: float = PATIENCE, but: Sequence[str] = AGENTS) -> list[str]:
    """Processes of a command (of any, for no mark) that are still there after a while."""
    until = time.monotonic() + patience
    while found := [one for one in _marked(mark or SESSION) if one[1] not in but]:
        if time.monotonic() > until:
            for number, _ in found:
                os.kill(number, signal.SIGKILL)
            return [name for _, name in found]
        time.sleep(0.2)
    return []


def _marked(mark: str) -> list[tuple[int, str]]:
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and f"{MARK}={mark}".encode() in (path / "environ").read_bytes():
                found.append((int(path.name), (path / "comm").read_text().strip()))
        except OSError:  # gone, or another user's
            continue
    return found
