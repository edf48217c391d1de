"""`--linear mkl|onednn|auto`: which library computes a network's Linear layers, and the trial that decides.

`mkl` is torch's own choice. `onednn` is taken only if a trial's logits stay within rounding of torch's own and choose
the same tokens; `auto`, besides, only if it is faster on the network's shapes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vlmbench.base.errors import ModelError, UnknownNameError

from ..parts.kernels import activation, linear
from .margin_scale import LogitRecorder, is_finite, max_difference
from .memory import out_of_memory, release_memory

LOGGER = logging.getLogger(__name__)
MKL, ONEDNN, AUTO = LINEAR = ("mkl", "onednn", "auto")
CLOSE = 1e-5
"""How far logits may part without further ado, as a share of the largest."""
ROUNDING = 4.0
"""Standard deviation of a product's rounding, in units of its number type's last bit: measured over 1,024 to 4,096
terms it is 3 to 7."""
WITHIN = 4.0
"""How many times the effect of such rounding logits may part."""
ROWS = (256, 16)
"""Rows of the products that are timed: of a prompt, and of a step of decoding."""
ROUNDS = 3
GAIN = 1.05
"""How much faster oneDNN must be for `auto`: less is a chance of the measurement."""

Trial = Callable[[LogitRecorder], None]
"""Answers some fixed questions and records their logits."""


class LinearChoice:
    """What was asked for, and what came of it."""

    def __init__(self, asked: str) -> None:
        """Raises UnknownNameError for a word that is none of LINEAR; "" is torch's own, not even recorded."""
        if asked and asked not in LINEAR:
            raise UnknownNameError("library for Linear layers", asked, LINEAR)
        self.asked, self.used, self.reason = asked, MKL, ""
        self.difference: float | None = None
        self.speed: float | None = None
        self.trial: LogitRecorder | None = None
        """The trial's logits by the network as it is left; None where there was no trial, or it failed."""

    @property
    def settings(self) -> dict[str, str]:
        """Part of every answer's key, where it is not torch's own."""
        return {"linear": self.used} if self.used != MKL else {}

    @property
    def facts(self) -> dict[str, str | float]:
        """What run.json says, where anything was asked for."""
        if not self.asked:
            return {}
        facts: dict[str, str | float] = {"linear": self.used}
        if self.reason:
            facts["linear_refused"] = self.reason
        if self.difference is not None:
            facts["linear_trial_difference"] = self.difference
        if self.speed is not None:
            facts["linear_speed"] = float(f"{self.speed:.3g}")
        return facts

    def decide(self, network: nn.Module, trial: Trial) -> None:
        """Pack the network's Linear layers if they are to be. Raises ModelError where `onednn` cannot be had."""
        if self.asked not in (ONEDNN, AUTO):
            return
        self.reason = linear.missing(network) or self._too_slow(network) or self._packed(network, trial)
        if not self.reason:
            self.used = ONEDNN
        elif self.asked == ONEDNN:
            raise ModelError(f"--linear onednn: {self.reason}", hint="leave it out, or use --linear auto")
        else:
            LOGGER.info("Linear layers stay with torch's own library: %s", self.reason)

    def _too_slow(self, network: nn.Module) -> str:
        if self.asked != AUTO:
            return ""
        mkl, onednn = measure(network)
        self.speed = mkl / onednn
        return "" if self.speed >= GAIN else f"oneDNN is not faster here ({self.speed:.2f} times)"

    def _packed(self, network: nn.Module, trial: Trial) -> str:
        """Pack, unless a trial says that answers change: then nothing is packed, and the reason is returned."""
        before = LogitRecorder()
        with activation.watched(network) as fused:
            reason = _run(trial, before)
        if reason:
            return f"{reason} with torch's own library"
        self.trial = before
        for ways in (fused, {}) if fused else ({},):
            if not (reason := self._tried(network, trial, before, ways)):
                break
        release_memory()
        return reason

    def _tried(self, network: nn.Module, trial: Trial, before: LogitRecorder, fused: Mapping[str, str]) -> str:
        """The same, with these activations inside the products."""
        after = LogitRecorder()
        linear.pack(network, fused)
        reason = _run(trial, after)
        found = compared(after, before)
        self.difference = found.difference
        if reason or not found.close:
            linear.unpack(network)
            reason = reason or self._beyond_rounding(found, network, trial, before)
            if not reason:
                linear.pack(network, fused)
        if not reason:
            self.trial = after
        return reason

    def _beyond_rounding(self, found: Comparison, network: nn.Module, trial: Trial, before: LogitRecorder) -> str:
        """Why a difference is no rounding. A network that amplifies rounding is held to what rounding does to it."""
        if found.reason:
            return found.reason
        disturbed = LogitRecorder()
        with rounding(network):
            trial(disturbed)
        noise = compared(disturbed, before).difference
        if found.difference <= WITHIN * noise:
            return ""
        return f"logits part by {found.difference:.2g} from torch's own, and rounding alone moves them by {noise:.2g}"


@dataclass(frozen=True)
class Comparison:
    """Two trials, logit by logit, as long as both gave the same tokens."""

    difference: float
    """The largest of any logit."""
    close: bool
    """Whether it is rounding without further ado, and every token the same."""
    reason: str = ""
    """Why there is nothing to compare."""


def compared(after: LogitRecorder, before: LogitRecorder) -> Comparison:
    """Compare logits, (vocabulary,) float32 per job and step."""
    worst, largest, same = 0.0, 0.0, True
    if not before.rows:
        return Comparison(0.0, False, "the model shows no logits to compare")
    for job, rows in before.rows.items():
        for mine, other in zip(after.rows.get(job, []), rows, strict=False):
            if not is_finite(mine) or not is_finite(other):
                return Comparison(worst, False, "logits of the trial are not finite")
            worst = max(worst, max_difference(mine, other))
            largest = max(largest, float(other.nan_to_num(0.0, 0.0, 0.0).abs().max()))
            if int(mine.argmax()) != int(other.argmax()):
                same = False
                break  # from here on they answer different texts
    return Comparison(worst, same and worst <= CLOSE * largest)


def _run(trial: Trial, recorder: LogitRecorder) -> str:
    """Why a trial fails; "" if it does not."""
    try:
        trial(recorder)
    except Exception as error:
        if out_of_memory(error):
            raise
        return f"the trial fails ({type(error).__name__}: {(str(error).splitlines() or [''])[0]})"
    return ""


@contextmanager
def rounding(network: nn.Module) -> Iterator[None]:
    """While it lasts, each Linear layer's outputs are moved as another order of sums moves them."""
    random = torch.Generator().manual_seed(0)

    def move(_: nn.Module, __: Any, output: Tensor) -> Tensor:
        scale = ROUNDING * torch.finfo(output.dtype).eps * output.float().square().mean().sqrt()
        noise = torch.randn(output.shape, generator=random) * scale
        return (output.float() + noise).to(output.dtype)

    hooks = [module.register_forward_hook(move) for module in network.modules() if type(module) is nn.Linear]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@torch.inference_mode()
def measure(network: nn.Module) -> tuple[float, float]:
    """Seconds that torch's own library and oneDNN take for one product of each Linear layer, at each of ROWS."""
    total = [0.0, 0.0]
    for layer, shared, count in linear.shapes(network):
        packed = linear.OneDnnLinear(layer, shared=shared)
        for rows in ROWS:
            row = torch.rand(rows, layer.in_features, dtype=layer.weight.dtype)
            best = [float("inf")] * 2
            for _ in range(ROUNDS):
                for at, kernel in enumerate((layer, packed)):
                    best[at] = min(best[at], _seconds(kernel, row))
            total = [known + count * one for known, one in zip(total, best, strict=True)]
    return total[0], total[1]


def _seconds(layer: nn.Module, row: Tensor) -> float:
    """Of this thread alone: what others do on the machine counts less than by the clock."""
    begun = time.thread_time()
    layer(row)
    return time.thread_time() - begun
