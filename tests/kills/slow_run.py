"""`python -m tests.kills.slow_run FOLDER`: 450 questions at 4 ms each, to be killed half-way (test_random_kills)."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.support.toys import ToyModel, ToyTask
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Request
from vlmbench.data.files import Folder
from vlmbench.runs.execution import planning, runner
from vlmbench.runs.storage import manifest
from vlmbench.runs.storage.store import RunStore


def slowly(request: Request) -> str:
    """Right on even pictures, wrong on odd ones."""
    time.sleep(0.004)
    _picture, question = (int(part) for part in request.sample_id.split("-"))
    return "yes" if question % 2 else "no"


def main(folder: Path) -> None:
    """Run, or go on with the run."""
    model, task = ToyModel(slowly), ToyTask(pictures=90, each=5)
    choice = TaskChoice(task, "test", "official")
    plan = planning.plan([choice], {choice.key: Folder(folder, "toys")}, model, limit=None, seed=0)
    with RunStore.open(folder, manifest.build(request={}, model=model, tasks=plan.tasks, seed=0)) as store:
        runner.execute(plan, model, store)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
