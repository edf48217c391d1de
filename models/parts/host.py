"""Numbers between the host and the device: what is read waits for all work that the device has been given.

A step of decoding reads once, and sends its tokens, positions and masks without waiting. A CPU does nothing here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def read(*columns: Tensor) -> list[list[Any]]:
    """The numbers of some columns, (rows,) each, int64 (below 2^31) or float32: one wait for all of them."""
    if all(column.device.type == "cpu" for column in columns):
        return [column.tolist() for column in columns]
    bits = [column.view(torch.int32) if column.is_floating_point() else column.int() for column in columns]
    held = torch.stack(bits).cpu()  # (columns, rows)
    return [
        (row.view(torch.float32) if column.is_floating_point() else row).tolist()
        for row, column in zip(held, columns, strict=True)
    ]


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on the device, copied while the host goes on: it must not be changed afterwards."""
    if device.type == "cuda" and torch.cuda.is_available():
        tensor = tensor.pin_memory()  # memory that may be swapped out is copied at once
    return tensor.to(device, non_blocking=True)
