"""A toy model for workers in processes of their own: slow, hanging, deadly or raising; and a run with a pool of them.

`python -m tests.support.pool_toys FOLDER ADDRESS [SECONDS [FILE]]` runs it on the Ray cluster at ADDRESS, to be cut
off by test_pool_endings.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tests.support.toys import ToyTask
from vlmbench.base.errors import ModelError, VlmbenchError
from vlmbench.base.model import Model
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Request, Response
from vlmbench.data.files import Folder
from vlmbench.runs.execution import planning, runner
from vlmbench.runs.storage import manifest
from vlmbench.runs.storage.store import RunStore
from vlmbench.runs.workers import cluster
from vlmbench.runs.workers.pool import Pool

PICTURES, EACH = 90, 5
TASK = ToyTask(pictures=PICTURES, each=EACH)


@dataclass
class PoolToy:
    """Answers that hang on the picture's bytes, and margins that hang on the whole group: a cut one would show."""

    folder: Path
    """Where it marks its process, and what has happened once."""
    seconds: float = 0.0
    """For one answer."""
    hangs_once: frozenset[str] = frozenset()
    """Sample ids at which the first worker that meets one sleeps for ever."""
    stops: bool = False
    """Hanging is being stopped by a signal, not sleeping."""
    dies: frozenset[str] = frozenset()
    """Sample ids that kill every worker."""
    raises: bool = False
    """Whether every answer raises."""
    name: str = "toy"
    fingerprint: str = "f1"
    settings: Mapping[str, str | int | float | bool] = field(default_factory=dict)

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """The threads that Ray gives it."""
        return {"omp": int(os.environ.get("OMP_NUM_THREADS", 0))}

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """One by one."""
        for group in groups:
            margin = sum(len(request.prompt) * 0.37 for request in group) / 7
            for request in group:
                yield request, replace(self._one(request), margin=margin)

    def _one(self, request: Request) -> Response:
        self._misbehave(request.sample_id)
        time.sleep(self.seconds)
        digest = hashlib.sha256(request.images[0].load() + request.prompt.encode()).digest()
        return Response("yes" if digest[0] % 2 else "no", new_tokens=digest[1], seconds=time.time())

    def _misbehave(self, sample: str) -> None:
        if self.raises:
            raise RuntimeError("planted")
        if sample in self.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        hung = self.folder / f"hung-{sample}"
        if sample in self.hangs_once and not hung.exists():
            hung.touch()
            if self.stops:
                os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(1000)


def load(toy: PoolToy) -> Model:
    """As a worker does: leaves its process id in the folder."""
    (toy.folder / f"pid-{os.getpid()}").touch()
    return toy


def refuse() -> Model:
    """A checkpoint that is not there."""
    raise ModelError("no checkpoint there", where="nowhere", hint="bring it back")


def crash() -> Model:
    """A library that fails while the model is loaded."""
    raise RuntimeError("planted while loading")


def complain(error: VlmbenchError) -> VlmbenchError:
    """Across a process boundary and back."""
    return error


def processes(folder: Path) -> list[int]:
    """Workers that have loaded the toy and live."""
    pids = [int(path.name.removeprefix("pid-")) for path in folder.glob("pid-*")]
    return [pid for pid in pids if _runs(pid)]


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def run(folder: Path, model: Model) -> runner.Outcome:
    """The whole toy task into a folder."""
    choice = TaskChoice(TASK, "test", "official")
    plan = planning.plan([choice], {choice.key: Folder(folder, "toys")}, model, limit=None, seed=0)
    content = manifest.build(request={"model": "toy"}, model=model, tasks=plan.tasks, seed=0)
    with RunStore.open(folder, content) as store:
        return runner.execute(plan, model, store)


def main(folder: Path, address: str, seconds: float = 0.02, waits: Path | None = None) -> None:
    """A slow run on a cluster. With `waits` it makes that file when it has all answers, and ends when it is gone."""
    cluster.start(address, 2)
    marks = folder.with_name(folder.name + "-marks")
    marks.mkdir(exist_ok=True)
    try:
        with Pool(partial(load, PoolToy(marks, seconds)), cluster.share(2, 1)) as pool:
            run(folder, pool)
            if waits is not None:
                waits.touch()
                while waits.exists():
                    time.sleep(0.02)
    finally:
        cluster.stop()


if __name__ == "__main__":
    try:
        seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 0.02
        main(Path(sys.argv[1]), sys.argv[2], seconds, Path(sys.argv[4]) if len(sys.argv) > 4 else None)
    except VlmbenchError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
