"""Times of parts: each call once, whatever is called inside it, and nothing left behind."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from vlmbench.models.network import part_times
from vlmbench.models.network.part_times import PartTimes


class Clock:
    """Goes on by one second at each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        self.now += 1.0
        return self.now


class Inner(nn.Module):
    """Fails where it is told so."""

    def forward(self, x: Tensor) -> Tensor:
        if x.numel() == 0:
            raise ValueError("empty")
        return x


class Whole(nn.Module):
    """A language model with a body and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.base_model = Inner()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.base_model(x)
        return out


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(part_times, "time", clock)
    return clock


def test_a_call_inside_a_part_counts_once(clock: Clock) -> None:
    whole, tower = Whole(), Inner()
    with PartTimes({"vision_tower": tower, "language_model": whole}, torch.device("cpu")).watching() as times:
        whole(torch.ones(1))  # looks at 1 (begin), 2 (body begins), then at 3 (the end of the whole)
        assert times.read() == {"vision_tower": 0.0, "language_model": 2.0}
        whole.base_model(torch.ones(1))
        tower(torch.ones(1))
        assert times.read() == {"vision_tower": 1.0, "language_model": 1.0}
        assert times.read() == {"vision_tower": 0.0, "language_model": 0.0}


def test_a_failed_call_leaves_nothing_open(clock: Clock) -> None:
    whole = Whole()
    with PartTimes({"language_model": whole}, torch.device("cpu")).watching() as times:
        with pytest.raises(ValueError, match="empty"):
            whole(torch.ones(0))
        times.read()
        whole.base_model(torch.ones(1))
        assert times.read() == {"language_model": 1.0}
    assert not whole._forward_hooks and not whole._forward_pre_hooks and not whole.base_model._forward_hooks
