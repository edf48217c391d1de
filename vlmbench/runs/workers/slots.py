"""One place in a pool, and the workers that are in it one after the other: their ends, and their facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vlmbench.base.errors import ModelError
from vlmbench.base.version import __version__
from vlmbench.runs.workers.worker import Replica

GREATEST = frozenset({"peak_memory_bytes"})
"""Facts of which the greatest counts, not the sum over workers."""


@dataclass
class Slot:
    """One worker, and the ones that replace it when it dies."""

    number: int
    actor: Any = None
    loading: Any = None
    """Ref to its description, until it is there."""
    replica: Replica | None = None
    streams: list[Any] = field(default_factory=list)
    """Progress to come, a stream a portion, the one it works on first."""
    heard: float = 0.0
    """When it last sent something, or was given a portion (time.monotonic)."""
    deaths: int = 0
    """In a row, without an answer in between."""

    def release(self) -> None:
        """No worker is here any more."""
        self.actor = self.loading = self.replica = None
        self.streams = []

    @property
    def next_ref(self) -> Any:
        """The Ray reference of what the worker sends next; None when nothing is expected."""
        return self.loading if self.loading is not None else next(iter(self.streams), None)


def cause_of_loss(error: Exception) -> str:
    """What happened to a worker, as a phrase."""
    known = {
        "OutOfMemoryError": "was killed, as its machine ran out of memory",
        "ActorDiedError": "died",
        "ActorUnavailableError": "cannot be reached any more",
    }
    detail = (str(error).strip().splitlines() or [""])[-1]
    return known.get(type(error).__name__) or f"was lost ({type(error).__name__}: {detail:.160})"


def combined(first: Mapping[str, Any], later: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Facts as they were on loading, combined with those of all workers afterwards."""
    found = dict(first)
    for name in {name: None for facts in later for name in facts}:
        values = [facts[name] for facts in later if name in facts]
        if all(value == first.get(name) for value in values) or isinstance(values[0], str):
            found[name] = values[0]
        elif name in GREATEST:
            found[name] = max(values)
        elif all(isinstance(value, int) for value in values):
            found[name] = sum(values)
        else:
            found[name] = float(f"{sum(values) / len(values):.3g}")
    return found


def check_version(replica: Replica) -> None:
    """Raise ModelError for a worker with another version of this package."""
    if (theirs := getattr(replica, "version", "unknown")) != __version__:
        what = f"the worker on {replica.node} has vlmbench {theirs}, this process {__version__}"
        raise ModelError(what, hint="install the same version on all machines")
