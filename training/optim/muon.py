"""Muon: matrices learn by orthogonal steps, everything else by AdamW.

Source: Jordan et al. 2024, kellerjordan.github.io/posts/muon; the coefficients are theirs. At nano size a vision tower
comes as far in a third of the steps (docs/training).
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ROUNDS = 5
MOMENTUM = 0.95
EPS = 1e-7


def orthogonal(matrices: Tensor) -> Tensor:
    """(n, rows, columns), each with its singular values brought near 1, in bfloat16."""
    a, b, c = COEFFICIENTS
    x: Tensor = matrices.bfloat16()
    turned = x.shape[1] > x.shape[2]
    if turned:
        x = x.transpose(1, 2)
    x = x / (x.float().norm(dim=(1, 2), keepdim=True).bfloat16() + EPS)
    for _ in range(ROUNDS):
        square = x @ x.transpose(1, 2)
        x = a * x + (b * square + c * square @ square) @ x
    return x.transpose(1, 2) if turned else x


class Muon(torch.optim.AdamW):
    """AdamW whose groups with `orthogonal` set are matrices that Muon moves; their betas are not used."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step of all groups. `closure` must be None."""
        groups = self.param_groups
        try:
            self.param_groups = [group for group in groups if not group.get("orthogonal")]
            super().step(closure)
        finally:
            self.param_groups = groups
        for group in groups:
            if group.get("orthogonal"):
                self._turn(group)

    def _turn(self, group: dict[str, Any]) -> None:
        """Matrices of one shape are turned together."""
        by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
        for parameter in group["params"]:
            if parameter.grad is not None:
                by_shape[parameter.shape].append(parameter)
        for shape, parameters in by_shape.items():
            pushes = []
            for parameter in parameters:
                gradient, state = parameter.grad, self.state[parameter]
                assert gradient is not None
                if "momentum" not in state:
                    # AdamW puts a state back only with a count of steps in it.
                    state["step"], state["momentum"] = torch.zeros(()), torch.zeros_like(parameter)
                state["step"] += 1
                state["momentum"].lerp_(gradient, 1 - MOMENTUM)
                pushes.append(gradient.lerp(state["momentum"], MOMENTUM))
            turned = orthogonal(torch.stack(pushes)).to(parameters[0].dtype)
            length = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
            for parameter, push in zip(parameters, turned, strict=True):
                parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(push, alpha=-length)
