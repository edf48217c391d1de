"""What all looks of a gated run cost: `python -m tests.performance.statistics.look_cost RUN`.

A finished run is held against itself as if it were being asked, with no drop allowed, so that no look ever decides.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

from vlmbench.base.samples import Record, Request, Response
from vlmbench.compare.early.early_gate import EarlyGate
from vlmbench.compare.gates.rules import GateRules
from vlmbench.runs.execution.planning import Plan, PlannedRequest
from vlmbench.runs.storage import reload
from vlmbench.runs.storage.reload import Item


def record(items: dict[str, Item], planned: PlannedRequest) -> Record:
    """What became of a question."""
    item = items[planned.key]
    response = Response(item.text)
    return Record(planned.task, item.sample, planned.request, planned.key, item.image_hashes, response, item.score)


def main(folder: Path) -> None:
    """Replay the run."""
    run = reload.load(folder)
    gate = EarlyGate(folder, GateRules({"": 0.0}, {}))
    items = {f"{key} {item.sample.id}": item for key, task in run.tasks.items() for item in task.items}
    requests = [
        PlannedRequest(key, item.sample, Request(item.sample.id, ""), f"{key} {item.sample.id}", item.image_hashes)
        for key, task in run.tasks.items()
        for item in task.items
    ]
    choices = [task.choice for task in run.tasks.values()]
    plan = Plan(choices, requests, {key: dict(task.entry) for key, task in run.tasks.items()})
    start = time.process_time()
    gate.begin(plan, run.manifest)
    begun = time.process_time()
    count = 0
    for _ in gate.waves():
        gate.look(partial(record, items))
        count += 1
    end = time.process_time()
    told = f"begin {begun - start:.2f} s, {count} looks {end - begun:.2f} s of CPU time"
    print(f"{len(requests):,} questions of {', '.join(run.tasks)}: {told}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
