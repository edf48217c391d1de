"""A loaded system behind an engine: the Model of a run, the same for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from torch import nn

from vlmbench.nouns import Request, Response

from .engine import Engine
from .memory import parameters, stored_bytes
from .parts.system import System


class Described(System, Protocol):
    """A system that tells about itself, for the tables."""

    name: str

    @property
    def settings(self) -> Mapping[str, str]:
        """What decides the answers beside weights and engine."""

    @property
    def visual_tokens(self) -> int:
        """Tokens a picture takes in the language model."""

    def parts(self) -> Mapping[str, nn.Module]:
        """The parts by name."""


class Answering:
    """Answers by an engine, and tells what decides the answers and what the tables show."""

    ranks = True
    converses = True

    def __init__(
        self, system: Described, fingerprint: str, engine: Engine, *, training_log: Path | None = None
    ) -> None:
        self.system, self.fingerprint, self.engine = system, fingerprint, engine
        self.name = system.name
        self._log = {"training_log": str(training_log)} if training_log and training_log.is_file() else {}

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """What else decides the answers."""
        return {**self.engine.settings, **self.system.settings}

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """Parameters per part, the bytes that hold them, visual tokens, and what the engine counts."""
        sizes = {name: parameters(part) for name, part in self.system.parts().items()}
        stored = {name: stored_bytes(part) for name, part in self.system.parts().items()}
        return {
            "parameters": sum(sizes.values()),
            **{f"parameters_{name}": size for name, size in sizes.items()},
            "weight_bytes": sum(stored.values()),
            **{f"weight_bytes_{name}": size for name, size in stored.items()},
            "visual_tokens": self.system.visual_tokens,
            **self.engine.facts,
            **self._log,
        }

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """Answer groups of requests that share their images."""
        return self.engine.answer(groups)
