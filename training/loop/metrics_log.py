"""A training's metrics: lines of its log, and trackers where they are installed."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from vlmbench.base.errors import TrainingError
from vlmbench.integrations.loggers import Sender, parse
from vlmbench.integrations.loggers.trackers import TRACKERS


def tokens_of(batch: Mapping[str, Any], visual: int) -> int:
    """Tokens of a collated batch, visual ones included; of images alone (dense targets), none."""
    mask = batch.get("attention_mask")
    if not isinstance(mask, Tensor):
        return 0
    images = int((batch["input_ids"] < 0).sum())  # an image's place is one id below zero
    return int(mask.sum()) + images * (visual - 1)


def peak_bytes(device: torch.device) -> int:
    """The most memory that the process has had; on a GPU torch's tensors there."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


class Meter:
    """Counts tokens and time between two lines of the log."""

    def __init__(self) -> None:
        self._tokens, self._since, self._cpu = 0, time.monotonic(), time.process_time()

    def add(self, tokens: int) -> None:
        """So many tokens were trained on."""
        self._tokens += tokens

    def read(self, device: torch.device) -> dict[str, float]:
        """Tokens, tokens per second, CPU seconds of this process, peak memory; starts anew."""
        now, cpu = time.monotonic(), time.process_time()
        metrics = {
            "tokens": self._tokens,
            "tokens_per_second": round(self._tokens / max(now - self._since, 1e-9), 1),
            "cpu_seconds": round(cpu - self._cpu, 3),
            "peak_memory_bytes": peak_bytes(device),
        }
        self._tokens, self._since, self._cpu = 0, now, cpu
        return metrics


class Tracker:
    """Hands the log's numbers to a tracker, as `--log-to` hands over scores."""

    def __init__(self, name: str, folder: Path, title: str) -> None:
        """Raises TrainingError for a tracker that there is not, UsageError for one that is not installed."""
        if name not in TRACKERS:
            raise TrainingError(f"no tracker {name!r}", hint=f"there are: {', '.join(TRACKERS)}")
        self._sender, self._step = Sender(parse([name]), title=title, folder=folder), 0

    def log(self, line: Mapping[str, Any]) -> None:
        """One line of the log, its numbers under the stage's name."""
        self._step += 1
        numbers = {f"{line['stage']}/{key}": value for key, value in line.items() if isinstance(value, int | float)}
        self._sender.numbers(numbers, self._step)

    def close(self) -> None:
        """End the run there."""
        self._sender.close()


def write(log: IO[str], line: Mapping[str, Any], tracker: Tracker | None = None) -> None:
    """One line of the log, at once on its way to the disk."""
    log.write(json.dumps(line) + "\n")
    log.flush()
    if tracker is not None:
        tracker.log(line)
