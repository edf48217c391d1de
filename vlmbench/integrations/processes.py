"""One process of a distributed training asks the questions; the others wait, and learn what came of it.

They wait in a group of their own on the processor (gloo) that has patience: an evaluation may take longer than the
training's collective operations are given. Where the asking process fails, the waiting ones raise too: nobody hangs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from vlmbench.base.errors import ModelError

PATIENCE = timedelta(days=7)
_groups: list[tuple[Any, Any]] = []
"""The training's default group, and ours beside it."""


def rank() -> int:
    """The number of this process; 0 where there is one."""
    dist = _distributed()
    return 0 if dist is None else int(dist.get_rank())


def on_first(ask: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What `ask` returns on process 0, on all of them. Each process has to call it.

    Raises what `ask` raises; on the other processes a ModelError that says what it was, or KeyboardInterrupt where it
    was no Exception.
    """
    dist = _distributed()
    if dist is None or dist.get_world_size() == 1:
        return ask()
    group = _group(dist)
    if dist.get_rank() == 0:
        try:
            found = ask()
        except BaseException as error:
            told: dict[str, Any] = {
                "failure": f"{type(error).__name__}: {error}",
                "goes_on": isinstance(error, Exception),
            }
            _broadcast(dist, group, told)
            raise
        _broadcast(dist, group, {"found": found})
        return found
    told = _broadcast(dist, group, None)
    if "found" in told:
        received: dict[str, float] = told["found"]
        return received
    if told["goes_on"]:
        raise ModelError(f"the evaluation failed on process 0: {told['failure']}")
    raise KeyboardInterrupt(f"the evaluation ended on process 0: {told['failure']}")


def _distributed() -> Any:
    """torch.distributed where several processes have met; else None."""
    import torch.distributed as dist

    return dist if dist.is_available() and dist.is_initialized() else None


def _group(dist: Any) -> Any:
    """Our group; made when it is first needed, by all processes at once."""
    world = dist.group.WORLD
    if not _groups or _groups[0][0] is not world:
        _groups[:] = [(world, dist.new_group(backend="gloo", timeout=PATIENCE))]
    return _groups[0][1]


def _broadcast(dist: Any, group: Any, content: dict[str, Any] | None) -> dict[str, Any]:
    """Send JSON from process 0, or receive it there where `content` is None."""
    import torch

    raw = torch.tensor(list(json.dumps(content).encode()), dtype=torch.uint8)
    length = torch.tensor([len(raw)])
    dist.broadcast(length, src=0, group=group)
    if content is None:
        raw = torch.empty(int(length), dtype=torch.uint8)
    dist.broadcast(raw, src=0, group=group)
    received: dict[str, Any] = json.loads(bytes(raw.tolist()))
    return received
