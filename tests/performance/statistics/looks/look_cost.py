"""What the looks of a gated run cost, in CPU time. No drop is allowed, so that no look ever decides.

    python -m tests.performance.statistics.looks.look_cost RUN          all looks at a finished run, against itself
    python -m tests.performance.statistics.looks.look_cost 100000       at so many made-up questions of VSR and POPE
    python -m tests.performance.statistics.looks.look_cost run --gate RUN ...

The last takes the words of `vlmbench run`, and prints their share of a real run.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from functools import partial, wraps
from pathlib import Path
from typing import Any

from vlmbench.base import registry
from vlmbench.base.samples import Record, Request, Response, Sample, Score
from vlmbench.cli import main as cli
from vlmbench.compare import compare
from vlmbench.compare.early.early_gate import EarlyGate
from vlmbench.compare.gates.rules import GateRules
from vlmbench.runs.execution.planning import Plan, PlannedRequest
from vlmbench.runs.storage import reload
from vlmbench.runs.storage.reload import Item, StoredRun, StoredTask, answers_hash

WORDS: Mapping[str, tuple[str, str]] = {"vsr": ("True", "False"), "pope": ("yes", "no")}
EACH: Mapping[str, int] = {"vsr": 1, "pope": 18}
"""Questions per image."""
SPLITS = ("random", "popular", "adversarial")


def record(items: dict[str, Item], planned: PlannedRequest) -> Record:
    """What became of a question."""
    item = items[planned.key]
    response = Response(item.text)
    return Record(planned.task, item.sample, planned.request, planned.key, item.image_hashes, response, item.score)


def made_up(name: str, questions: int) -> StoredRun:
    """A run of which nine tenths are right."""
    choice, items = registry.choose_task(name), []
    for at in range(questions):
        target, other = WORDS[name][:: 1 if at % 2 else -1]
        tags = {"split": SPLITS[at // 2 % 3], "relation": "on"}
        sample = Sample(str(at), "", (), target, tags=tags, cluster=str(at // EACH[name]))
        right = at % 10 > 0
        said = target if right else other
        items.append(Item(sample, Score(float(right), parsed_answer=said), said))
    entry = {"version": choice.task.version, "split": choice.split, "protocol": choice.protocol, "samples": questions}
    scores = {"headline": choice.task.protocols[choice.protocol].headline, "coverage": 1.0, "statuses": {}}
    task = StoredTask(choice, entry, scores, items, answers_hash(items))
    return StoredRun(Path("made-up"), {"model": {}, "asked": {}, "tasks": {choice.key: entry}}, {choice.key: task})


def replay(run: StoredRun) -> None:
    """All looks at a run that is held against itself."""
    compare_open, compare.open_run = compare.open_run, lambda path, tasks=(): run
    gate = EarlyGate(run.path, GateRules({"": 0.0}, {}))
    compare.open_run = compare_open
    items = {f"{key} {item.sample.id}": item for key, task in run.tasks.items() for item in task.items}
    requests = [
        PlannedRequest(key, item.sample, Request(item.sample.id, ""), f"{key} {item.sample.id}", item.image_hashes)
        for key, task in run.tasks.items()
        for item in task.items
    ]
    entries = {key: {**task.entry, "headline": task.headline} for key, task in run.tasks.items()}
    start = time.process_time()
    gate.begin(Plan([task.choice for task in run.tasks.values()], requests, entries), run.manifest)
    begun = time.process_time()
    count = 0
    for _ in gate.waves():
        gate.look(partial(record, items))
        count += 1
    took = time.process_time() - begun
    each = f"{1e3 * took / count:.0f} ms per look, {1e6 * took / len(requests):.0f} us per question"
    told = f"begin {begun - start:.2f} s, {count} looks {took:.2f} s of CPU time; {each}"
    print(f"{len(requests):,} questions of {', '.join(run.tasks)}: {told}", flush=True)


def live(words: list[str]) -> None:
    """The share of a real run's CPU time."""
    spent = dict.fromkeys(("__init__", "begin", "look", "report"), 0.0)

    def timed(name: str, of: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(of)
        def call(*args: Any, **named: Any) -> Any:
            start = time.thread_time()
            try:
                return of(*args, **named)
            finally:
                spent[name] += time.thread_time() - start

        return call

    for name in spent:
        setattr(EarlyGate, name, timed(name, getattr(EarlyGate, name)))
    cli.main([*words, "--max-drop", "0"])
    whole = time.process_time()
    for name, seconds in spent.items():
        print(f"{name.strip('_')}: {seconds:.2f} s of {whole:.1f} s of CPU time ({100 * seconds / whole:.2f} %)")


def main(words: list[str]) -> None:
    """As the words say."""
    if words[0] == "run":
        live(words)
    elif words[0].isdigit():
        for name in WORDS:
            replay(made_up(name, int(words[0])))
    else:
        replay(reload.load(Path(words[0])))


if __name__ == "__main__":
    main(sys.argv[1:])
