"""Many echo workers under Ray on this machine, a node killed and the head killed: the records of one process.

    python -m tests.kills.shards --workers 64             # two nodes of 32 workers; some 7 GB, ten minutes on two cores
    python -m tests.kills.shards --workers 4 --measure 20000,100000    # CPU and memory of the process that drives

A worker imports no torch. Every run is a process of its own, `... drive`, which prints what it took as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.kills import ray_workers
from tests.support.toys import ToyTask, png
from vlmbench.base.errors import VlmbenchError
from vlmbench.base.model import Model
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import ImageRef, Request, Response, Sample
from vlmbench.data.files import Folder, ImageFile
from vlmbench.runs.execution import planning, runner
from vlmbench.runs.storage import manifest
from vlmbench.runs.storage.layout import LOG
from vlmbench.runs.storage.store import RunStore
from vlmbench.runs.workers import cluster
from vlmbench.runs.workers.pool import Pool

ROOT = Path(__file__).resolve().parents[2]
EACH = 10
"""Questions about an image."""


@dataclass
class DiskTask(ToyTask):
    """Questions about files of a folder."""

    root: Path = field(default_factory=Path)

    def samples(self, data: Any, split: str) -> Sequence[Sample]:
        """`each` questions about each image; every second answer is yes."""
        return [
            Sample(f"{i}-{j}", f"Is it {j}?", (self._image(i),), "yes" if (i + j) % 2 else "no", tags={"j": str(j)})
            for i in range(self.pictures)
            for j in range(self.each)
        ]

    def _image(self, number: int) -> ImageRef:
        name = f"{number // 1000}/{number}.png"
        return ImageRef(name, ImageFile(self.root, name, ("",)))

    def write(self) -> None:
        """The images, each another one."""
        for number in range(self.pictures):
            path = self.root / f"{number // 1000}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png((number >> 16, number >> 8 & 255, number & 255)))


@dataclass
class Slow:
    """Answers that hang on the image's bytes, after a while per group."""

    seconds: float = 0.0
    name: str = "slow"
    fingerprint: str = "slow"
    settings: Mapping[str, str | int | float | bool] = field(default_factory=dict)

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """What the process is like: its memory, and whether it has torch."""
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return {"peak_memory_bytes": used, "torch": str("torch" in sys.modules)}

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """The margin hangs on the whole group: a cut one would show."""
        for group in groups:
            time.sleep(self.seconds)
            for request in group:
                content = request.images[0].load()
                yield request, Response("yes" if sum(content) % 2 else "no", margin=float(len(group)))


def load(seconds: float) -> Model:
    """In a worker."""
    return Slow(seconds)


class Timed(Pool):
    """Counts what this process takes from the first question handed out to the last answer."""

    took: Mapping[str, float] = {}

    def answer_planned(self, groups: Any, store: RunStore) -> Iterator[tuple[str, Response]]:
        """As the pool does."""
        cpu, wall, before = time.process_time(), time.monotonic(), memory()
        yield from super().answer_planned(groups, store)
        self.took = {
            "asking_cpu": time.process_time() - cpu,
            "asking_wall": time.monotonic() - wall,
            "asking_bytes": memory() - before,
        }


def memory() -> int:
    """Bytes that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def evaluate(run: Path, task: DiskTask, model: Model) -> runner.Outcome:
    """The whole task into a folder."""
    choice = TaskChoice(task, "test", "official")
    plan = planning.plan([choice], {choice.key: Folder(task.root, "files")}, model, limit=None, seed=0)
    content = manifest.build(request={"model": "slow"}, model=model, tasks=plan.tasks, seed=0)
    with RunStore.open(run, content) as store:
        return runner.execute(plan, model, store)


def drive(options: argparse.Namespace) -> int:
    """One run; prints a line of JSON."""
    task = DiskTask(pictures=options.pictures, each=options.each, root=options.data)
    questions, took, start = task.pictures * task.each, {}, time.process_time()
    if not options.workers:
        outcome = evaluate(options.run, task, Slow(0.0))
    else:
        cluster.start(options.address, options.workers)
        try:
            timed = Timed(partial(load, options.seconds), cluster.share(options.workers, 1))
            with timed as pool:
                start = time.process_time()
                outcome = evaluate(options.run, task, pool)
                took = {**pool.facts, **timed.took}
        finally:
            cluster.stop()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    took |= {"questions": questions, "cpu": time.process_time() - start, "peak": peak, "reused": outcome.reused}
    print(json.dumps(took))
    return 0


# ------------------------------------------------------------------------------------------------------ from outside


@dataclass
class Trial:
    """Runs of one task, in processes that this one starts and looks at."""

    folder: Path
    pictures: int
    seconds: float
    """For a group."""
    each: int = EACH
    """Questions about an image."""
    mark: str = field(default_factory=lambda: f"{ray_workers.SESSION}{secrets.token_hex(8)}")

    @property
    def questions(self) -> int:
        """All of them."""
        return self.pictures * self.each

    @property
    def task(self) -> DiskTask:
        """What is asked."""
        return DiskTask(pictures=self.pictures, each=self.each, root=self.folder / "data")

    @property
    def environment(self) -> dict[str, str]:
        """Of every process, so that those left behind are found."""
        more = {"OMP_NUM_THREADS": "1", "RAY_gcs_rpc_server_reconnect_timeout_s": "5", "RAY_USAGE_STATS_ENABLED": "0"}
        return {**os.environ, **more, ray_workers.MARK: self.mark}

    def start(self, run: str, workers: int, address: str = "local") -> subprocess.Popen[str]:
        """A run of its own; 0 workers: one process without Ray."""
        words = [
            f"--workers={workers}",
            f"--pictures={self.pictures}",
            f"--seconds={self.seconds}",
            f"--each={self.each}",
        ]
        places = [f"--run={self.folder / run}", f"--data={self.folder / 'data'}", f"--address={address}"]
        command = [sys.executable, "-m", "tests.kills.shards", "drive", *words, *places]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=pipe, stderr=pipe, text=True)

    def result(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        """What a run says at its end. Raises RuntimeError when it fails."""
        out, said = process.communicate(timeout=1800)
        if process.returncode:
            raise RuntimeError(f"exit code {process.returncode}: {said[-2000:]}")
        found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        return {**found, "said": said}

    def wait_for(self, run: str, answers: int, process: subprocess.Popen[str]) -> None:
        """Until so many answers are in the log."""
        while process.poll() is None and self.logged(run) < answers:
            time.sleep(0.05)

    def logged(self, run: str) -> int:
        """Answers in a run's log."""
        path = self.folder / run / LOG
        return path.read_bytes().count(b"\n") if path.is_file() else 0

    def same(self, run: str, other: str) -> bool:
        """Whether two runs have equal records, times aside, and equal scores."""
        import pyarrow.parquet as pq

        tables = [pq.read_table(self.folder / name / "records.parquet").drop(["seconds"]) for name in (run, other)]
        scores = [(self.folder / name / "scores.json").read_bytes() for name in (run, other)]
        return bool(tables[0].equals(tables[1])) and scores[0] == scores[1]


def nodes(environment: Mapping[str, str], sizes: Sequence[int]) -> Any:
    """A Ray cluster on this machine: a head without workers and nodes of so many cores."""
    os.environ.update(environment)
    cluster.ray()
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for size in sizes:
        found.add_node(num_cpus=size)
    return found


def kill_head(found: Any) -> None:
    """SIGKILL to the process that the whole cluster asks."""
    (gcs,) = found.head_node.all_processes["gcs_server"]
    os.kill(gcs.process.pid, signal.SIGKILL)


def with_a_killed_node(trial: Trial, workers: int) -> dict[str, Any]:
    """Half of the workers are lost at once when a third is answered."""
    found = nodes(trial.environment, [workers // 2, workers - workers // 2])
    try:
        run = trial.start("node", workers, found.address)
        trial.wait_for("node", trial.questions // 3, run)
        found.remove_node(found.list_all_nodes()[-1], allow_graceful=False)
        return trial.result(run)
    finally:
        found.shutdown()


def with_a_killed_head(trial: Trial, workers: int) -> tuple[int, int, str]:
    """The head is lost when a third is answered. Answers in the log by then, the exit code, and what was said."""
    found = nodes(trial.environment, [workers // 2, workers - workers // 2])
    try:
        run = trial.start("head", workers, found.address)
        trial.wait_for("head", trial.questions // 3, run)
        had = trial.logged("head")
        kill_head(found)
        _, said = run.communicate(timeout=600)
        return had, run.returncode, said
    finally:
        found.shutdown()


def left_behind(trial: Trial) -> list[str]:
    """Processes that are still there after a while."""
    return ray_workers.left_behind(trial.mark, ray_workers.PATIENCE_OF_AGENTS, but=())


def measure(sizes: Sequence[int], workers: int, each: int, folder: Path) -> None:
    """Print what a question costs the process that drives, from runs of two or more sizes."""
    print("| questions | CPU s | of it asking | us a question, asking | peak MB | a worker's peak MB |\n|" + "---|" * 6)
    for questions in sizes:
        trial = Trial(folder / str(questions), questions // each, 0.0, each)
        trial.task.write()
        took = trial.result(trial.start("run", workers))
        asking, peak, own = took["asking_cpu"], took["peak"] / 1e6, took["peak_memory_bytes"] / 1e6
        per = asking / questions * 1e6
        print(f"| {questions:,} | {took['cpu']:.1f} | {asking:.1f} | {per:.0f} | {peak:.0f} | {own:.0f} |", flush=True)


def kills(workers: int, trial: Trial) -> list[str]:
    """Everything that is wrong, after a calm run, a killed node, a killed head and a run that goes on without Ray."""
    wrong = []
    trial.task.write()
    trial.result(trial.start("calm", 0))
    node = with_a_killed_node(trial, workers)
    told = ("workers_replaced", "groups_given_again", "torch", "peak_memory_bytes", "asking_cpu", "asking_wall")
    print("a killed node:", {name: node[name] for name in told}, flush=True)
    for line, times in Counter(re.sub(r"\bworker \d+", "worker", line) for line in node["said"].splitlines()).items():
        print(f"  {times} x {line}", flush=True)
    if not trial.same("node", "calm"):
        wrong.append("a killed node changes the records")
    had, code, said = with_a_killed_head(trial, workers)
    print(f"a killed head: {had} answers in the log, exit code {code}: {said.strip().splitlines()[-1:]}", flush=True)
    again = trial.result(trial.start("head", 0))
    print(f"resumed by one process: {again['reused']} answers were there", flush=True)
    if again["reused"] < had or not code:
        wrong.append(f"a killed head: exit code {code}, {had} answers were logged and {again['reused']} found")
    if not trial.same("head", "calm"):
        wrong.append("a killed head changes the records")
    if left := left_behind(trial):
        wrong.append(f"left behind: {left}")
    return wrong


def main() -> int:
    """Exit code 1 when something is lost, doubled, changed or left behind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["kill", "drive"], default="kill")
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--pictures", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=0.5, help="for a group of questions")
    parser.add_argument("--each", type=int, default=EACH, help="questions about an image")
    parser.add_argument("--measure", type=lambda text: [int(word) for word in text.split(",")])
    parser.add_argument("--address", default="local")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    if options.what == "drive":
        try:
            return drive(options)
        except VlmbenchError as error:
            print(error, file=sys.stderr)
            return 2
    with tempfile.TemporaryDirectory(prefix="shards-") as folder:
        if options.measure:
            measure(options.measure, options.workers, options.each, Path(folder))
            return 0
        wrong = kills(options.workers, Trial(Path(folder), options.pictures, options.seconds, options.each))
    print("\n".join(wrong) or "equal records, nothing left behind")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
