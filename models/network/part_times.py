"""How long each part of a network computes, by its calls."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class PartTimes:
    """Seconds of each part's calls since the last `read`. On a GPU they are told by events, so nothing waits."""

    def __init__(self, parts: Mapping[str, nn.Module], device: torch.device) -> None:
        self._parts, self._cuda = parts, device.type == "cuda"
        self._open: list[tuple[str, Any]] = []
        self._spans: list[tuple[str, Any, Any]] = []

    def read(self) -> dict[str, float]:
        """Seconds by part, of what has been called since the last time."""
        if self._cuda:
            torch.cuda.synchronize()
        seconds = dict.fromkeys(self._parts, 0.0)
        for name, start, end in self._spans:
            seconds[name] += start.elapsed_time(end) / 1000 if self._cuda else end - start
        self._spans.clear()
        return seconds

    def _now(self) -> Any:
        if not self._cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def _begin(self, name: str) -> None:
        self._open.append((name, self._now()))

    def _end(self, name: str) -> None:
        while self._open:  # one that a failed call has left open is dropped
            opened, start = self._open.pop()
            if opened == name:
                if all(other != name for other, _ in self._open):  # a call inside a part's own counts once
                    self._spans.append((name, start, self._now()))
                return

    @contextmanager
    def watching(self) -> Iterator[PartTimes]:
        """While it lasts, calls of the parts, and of the language model without its head, are timed."""
        hooks = []
        for name, part in self._parts.items():
            inner = getattr(part, "base_model", part)
            for module in {id(module): module for module in (part, inner)}.values():
                hooks.append(module.register_forward_pre_hook(lambda *_, name=name: self._begin(name)))
                hooks.append(module.register_forward_hook(lambda *_, name=name: self._end(name), always_call=True))
        try:
            yield self
        finally:
            for hook in hooks:
                hook.remove()
