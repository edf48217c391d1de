"""Vision layers that nobody reads: LLaVA-like models take an inner layer's output and still run the layers behind it.

Which they are is read from the config; that nobody reads them is tried out: what reaches the decoder must be the same,
bit by bit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ...engine.memory import out_of_memory

KEYS = ("vision_feature_layer", "vision_feature_layers")
"""The config's names of the layers that are read, counted as in `hidden_states`: 0 is the embedding."""


def skip_unread(model: Any, ask: Callable[[], Mapping[str, Any]]) -> int:
    """Have a model leave out the vision layers behind the last one that is read. Returns how many; 0 changes nothing.

    The layers stay in place, with their weights, and hand on what they are given, so that `hidden_states` keep their
    numbers. `ask`: makes the inputs of a question about an image.
    """
    layers = unread(model)
    if not layers:
        return 0
    earlier = _earlier(model, layers[0])
    try:
        batch = ask()
        with _recorded(earlier) as outputs:
            before = decoder_inputs(model, batch)
        for layer in layers:
            layer.forward = _hand_on
        with _replayed(outputs):
            after = decoder_inputs(model, batch)
    except Exception as error:  # an architecture that takes its inputs otherwise says so in its own way
        if out_of_memory(error):
            raise
        before, after = [], []
    if before and len(before) == len(after) and all(map(torch.equal, before, after)):
        return len(layers)
    for layer in layers:
        vars(layer).pop("forward", None)
    return 0


def unread(model: Any) -> list[Any]:
    """The layers of the vision tower behind the last one that the config says is read; empty where it does not say."""
    read = next((value for key in KEYS if (value := getattr(model.config, key, None)) is not None), None)
    count = getattr(getattr(model.config, "vision_config", None), "num_hidden_layers", None)
    named = [read] if isinstance(read, int) else read
    if not named or not isinstance(count, int) or not all(isinstance(layer, int) for layer in named):
        return []
    text = {id(module) for module in model.get_decoder().modules()}
    stacks = [
        module
        for module in model.modules()
        if isinstance(module, nn.ModuleList) and len(module) == count and id(module) not in text
    ]
    last = max(layer if layer >= 0 else count + 1 + layer for layer in named)
    return list(stacks[0][last:]) if len(stacks) == 1 and last >= 0 else []


def _earlier(model: Any, layer: Any) -> list[Any]:
    """The layers of its stack that come before a layer."""
    stack = next((list(module) for module in model.modules() if layer in module.children()), [])
    return stack[: stack.index(layer)] if stack else []


@contextmanager
def _recorded(layers: Sequence[Any]) -> Iterator[dict[Any, Any]]:
    """What some layers return while it lasts; only of those that are called once."""
    outputs: dict[Any, Any] = {}
    calls = Counter[Any]()

    def note(layer: Any, _: Any, output: Any) -> None:
        calls[layer] += 1
        outputs[layer] = output

    hooks = [layer.register_forward_hook(note) for layer in layers]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()
        for layer in [layer for layer, count in calls.items() if count > 1]:
            del outputs[layer]


@contextmanager
def _replayed(outputs: Mapping[Any, Any]) -> Iterator[None]:
    """While it lasts, layers return these instead of computing them again."""
    for layer, output in outputs.items():
        layer.forward = partial(_returned, output)
    try:
        yield
    finally:
        for layer in outputs:
            del layer.forward


def _returned(output: Any, *_: Any, **__: Any) -> Any:
    return output


class _ReachedError(Exception):
    """The decoder was called."""


@torch.inference_mode()
def decoder_inputs(model: Any, batch: Mapping[str, Any]) -> list[Tensor]:
    """All tensors that the decoder is called with, in a fixed order; the decoder itself does not run."""
    found: list[Tensor] = []

    def stop(_: nn.Module, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
        found.extend(_tensors((positional, named)))
        raise _ReachedError

    with _hooked(model.get_decoder(), stop):
        try:
            model(**batch)
        except _ReachedError:
            return found
    return []


@contextmanager
def _hooked(module: nn.Module, hook: Any) -> Iterator[None]:
    handle = module.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _hand_on(hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
    return hidden_states


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for name in sorted(value):
            yield from _tensors(value[name])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
