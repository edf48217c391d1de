"""What an image's parts of a model gave before is given again: where no prefix can be shared, features still can.

Where attention over an image sees the question, or an encoder reads both, the tokens of an image mean something else
for each question, but the vision tower in front of them has not read it. Its modules, and those beside it that lead to
the language model, are asked once for equal inputs. Inputs are compared by their numbers, so that a part which does
read the question (a Q-Former) simply runs again.
"""

from __future__ import annotations

import copy
import inspect
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

KEPT = 4
"""Calls of each part that are kept: an image's towers may run more than once."""


class RememberedParts:
    """The parts of a model that images go through, each with its last outputs."""

    def __init__(self, model: Any) -> None:
        self._parts = [_Remembered(part) for part in image_parts(model)]

    @property
    def repeats(self) -> int:
        """How often something was given again."""
        return sum(part.repeats for part in self._parts)

    @contextmanager
    def used(self) -> Iterator[None]:
        """What runs within runs each part once for equal inputs. The modules are as before afterwards."""
        with ExitStack() as stack:
            for part in self._parts:
                stack.enter_context(part.used())
            yield

    def forget(self) -> None:
        """Let go of all outputs."""
        for part in self._parts:
            part.known.clear()


class _Remembered:
    """One module."""

    def __init__(self, module: nn.Module) -> None:
        self.module, self.repeats = module, 0
        self.known: deque[tuple[Any, Any]] = deque(maxlen=KEPT)
        """(inputs, output) of the last calls; copies, since the model may write into its own."""

    @contextmanager
    def used(self) -> Iterator[None]:
        own = vars(self.module).get("forward")  # set by others that wrap modules
        forward = self.module.forward

        def remembered(*args: Any, **more: Any) -> Any:
            for given, output in self.known:
                if same(given, (args, more)):
                    self.repeats += 1
                    return copy.deepcopy(output)
            given = copy.deepcopy((args, more))
            output = forward(*args, **more)
            self.known.append((given, copy.deepcopy(output)))
            return output

        self.module.forward = remembered
        try:
            yield
        finally:
            del self.module.forward
            if own is not None:
                self.module.forward = own


def image_parts(model: Any) -> list[nn.Module]:
    """The outermost modules that take pixels, and what lies beside them but holds no part of the language model."""
    words = (model.get_decoder(), model.get_input_embeddings(), model.get_output_embeddings())
    text = {id(part) for part in words if part is not None}

    def speaks(module: nn.Module) -> bool:
        return any(id(part) in text for part in module.modules())

    for parent in model.modules():
        silent = [child for child in parent.children() if not speaks(child)]
        if any("pixel_values" in inspect.signature(child.forward).parameters for child in silent):
            return silent
    return []


def same(one: Any, other: Any) -> bool:
    """Whether two calls' inputs are equal, tensors by their numbers."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        alike = one.shape == other.shape and one.dtype == other.dtype and one.device == other.device
        return alike and torch.equal(one, other)
    if type(one) is not type(other):
        return False
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
