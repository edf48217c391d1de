"""Which questions of a task are asked: all of them, `--limit` of them, or those that a file lists (`--ids`).

What is drawn is drawn from the seed; the chosen samples keep the order of the data. Time grows with n log n.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vlmbench.base.errors import UsageError
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Sample
from vlmbench.base.task import strata_tag
from vlmbench.data.files import read_text

Ids = Mapping[str, Mapping[str, str]]
"""By task key: the ids to be asked, each with where the file names it."""
NAMED = 5
"""Ids that a message names."""


def place(seed: int, name: str) -> bytes:
    """Where a name comes in an order that the seed decides, whatever else is in it: a key to sort by."""
    return hashlib.sha256(f"{seed} {name}".encode("utf-8", "surrogatepass")).digest()


def selected(
    choice: TaskChoice, samples: Sequence[Sample], limit: int | float | None, ids: Ids | None, seed: int
) -> Sequence[Sample]:
    """The samples to be asked, in the data's order. Raises UsageError for ids that the data lack."""
    if ids is not None:
        return _listed(choice, samples, ids[choice.key])
    if limit is None or limit >= len(samples):
        return samples
    clusters: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        clusters.setdefault(sample.cluster or sample.id, []).append(index)
    if tag := strata_tag(choice.task):
        chosen = _of_strata(samples, tag, limit, seed)
    else:
        count = limit if isinstance(limit, int) else _share(limit, len(samples))
        order = sorted(clusters)
        random.Random(seed).shuffle(order)
        chosen = [index for name in order for index in clusters[name]][:count]
    return [samples[index] for index in sorted(chosen)]


def _share(share: float, count: int) -> int:
    """A share of a number, rounded half up; 1 at least."""
    return max(1, int(share * count + 0.5))


def _of_strata(samples: Sequence[Sample], tag: str, limit: int | float, seed: int) -> list[int]:
    """Places of whole clusters, drawn within each value of a tag.

    Of a number, all values get equally many, as far as whole clusters allow; of a share, each value gets its share.
    """
    by_value: dict[str, dict[str, list[int]]] = {}
    for index, sample in enumerate(samples):
        by_value.setdefault(sample.tags.get(tag, ""), {}).setdefault(sample.cluster or sample.id, []).append(index)
    chance = random.Random(seed)
    values = sorted(by_value)
    chance.shuffle(values)  # who comes first when what is left is not enough for all
    drawn: dict[str, list[list[int]]] = {}
    for value in values:
        order = sorted(by_value[value])
        chance.shuffle(order)
        drawn[value] = [by_value[value][name] for name in reversed(order)]  # pop() takes the first
    if isinstance(limit, int):
        return _equally(drawn, limit)
    chosen: list[int] = []
    for value, groups in drawn.items():
        count = _share(limit, sum(map(len, groups)))
        chosen += _equally({value: groups}, max(count, len(groups[-1])))
    return chosen


def _equally(drawn: Mapping[str, list[list[int]]], limit: int) -> list[int]:
    """At most `limit` places, clusters whole: always the next cluster of the value that has the fewest so far.

    A limit smaller than the very first cluster takes a part of it. Uses up `drawn`.
    """
    chosen: list[int] = []
    queue = [(0, rank, value) for rank, value in enumerate(drawn)]
    while queue and len(chosen) < limit:
        count, rank, value = heapq.heappop(queue)
        groups = drawn[value]
        if not groups:
            continue
        group = groups.pop()
        if len(chosen) + len(group) <= limit:
            chosen += group
            heapq.heappush(queue, (count + len(group), rank, value))
        elif not chosen:
            return group[:limit]
    return chosen


# --------------------------------------------------------------------------------------------------------------- ids


def _listed(choice: TaskChoice, samples: Sequence[Sample], wanted: Mapping[str, str]) -> list[Sample]:
    chosen = [sample for sample in samples if sample.id in wanted]
    if len(chosen) < len(wanted):
        known = {sample.id for sample in samples}
        absent = [key for key in wanted if key not in known]
        told = ", ".join(f"{key!r:.60}" for key in absent[:NAMED])
        more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
        example = f"; its ids look like {samples[0].id!r:.60}" if samples else ""
        hint = f"ids are those of the column sample_id in records.parquet{example}"
        raise UsageError(f"{choice.key} has no question {told}{more}", where=wanted[absent[0]], hint=hint)
    return chosen


def read_ids(path: Path, choices: Sequence[TaskChoice]) -> Ids:
    """Read a file with an id per line, or lines `TASK<TAB>ID` where several tasks are run. Blank lines are left out.

    TASK is a task's key, or NAME[:SPLIT] for all of its protocols. Raises UsageError naming the line, DataError for a
    file that cannot be read.
    """
    names = {_questions(choice) for choice in choices}
    found: dict[str, dict[str, str]] = {choice.key: {} for choice in choices}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        task, tab, key = line.strip(" \r").partition("\t")
        if not tab:
            task, key = "", task
            if len(names) > 1:
                hint = f"write TASK<TAB>ID, where TASK is one of {', '.join(sorted(names))}"
                raise UsageError(f"which task has the question {key!r:.60}?", where=where, hint=hint)
        meant = [choice.key for choice in choices if task in ("", choice.key, _questions(choice))]
        if not meant:
            hint = f"the tasks of this run are {', '.join(sorted({*names, *found}))}"
            raise UsageError(f"no task {task!r:.60} is run", where=where, hint=hint)
        for task_key in meant:
            if key in (known := found[task_key]):
                hint = f"it is also in {known[key].rpartition(', ')[2]}"
                raise UsageError(f"{key!r:.60} is there twice", where=where, hint=hint)
            known[key] = where
    if empty := [key for key, ids in found.items() if not ids]:
        raise UsageError(
            f"no ids of {', '.join(empty)}", where=str(path), hint="list the questions that are to be asked"
        )
    return found


def _questions(choice: TaskChoice) -> str:
    """What tasks with the same questions share: `pope`, `pope:aokvqa`."""
    default = choice.split == choice.task.splits[0]
    return choice.task.name if default else f"{choice.task.name}:{choice.split}"


def listed_ids(ids: Ids) -> Mapping[str, Iterable[str]]:
    """The ids by task, sorted: what their hash is made of. The lines' order decides nothing."""
    return {key: sorted(found) for key, found in ids.items()}
