"""Memory: parameters, the bytes that store them, the peak of the process, and retries with smaller sizes."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ..parts.kernels.int8_dynamic import Int8DynamicLinear
from ..parts.kernels.linear import OneDnnLinear
from .quantize import Int4Linear

T = TypeVar("T")


HOLDERS = (Int4Linear, Int8DynamicLinear, OneDnnLinear)
"""Layers whose weights are no parameters."""


def parameters(part: nn.Module) -> int:
    """How many weights a part has; those kept in few bits or by oneDNN count like others, tied ones once."""
    held = sum(module.held for module in part.modules() if isinstance(module, HOLDERS))
    return held + sum(parameter.numel() for parameter in part.parameters())


def stored_bytes(part: nn.Module) -> int:
    """Bytes that really hold a part's weights and tables, tied ones once."""
    return sum(_stored(tensor) for tensor in [*part.parameters(), *part.buffers()])


def _stored(tensor: Any) -> int:
    """Of a tensor that wraps others, as torchao's do, what those take."""
    if not hasattr(tensor, "__tensor_flatten__"):
        assert isinstance(tensor, Tensor)
        return tensor.nbytes
    names, _ = tensor.__tensor_flatten__()
    return sum(_stored(getattr(tensor, name)) for name in names)


def peak_bytes(device: torch.device) -> int | None:
    """The most bytes so far: of torch's tensors on a GPU, of the whole process on a CPU. None where nobody counts."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def out_of_memory(error: Exception) -> bool:
    """Whether an exception means that memory did not suffice; torch's CPU allocator says so only in words."""
    message = str(error).lower()
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or ("memory" in message and "alloc" in message)


def halving(work: Callable[[int], T], size: int, smallest: int, retried: Callable[[], None]) -> tuple[T, int]:
    """`work(size)`, with the size halved as long as memory does not suffice. Returns the size that did, too.

    Raises what `work` raised last when not even `smallest` or less would do; `retried` is called before each new try.
    """
    while True:
        try:
            return work(size), size
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error) or size <= smallest:
                raise
        size //= 2
        retried()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def release_memory() -> None:
    """Return freed memory to the system at once. glibc keeps blocks of up to 32 MiB for itself: after a model was
    rounded, that can be as much as the rounding saved. Elsewhere nothing happens.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
