"""What the scores need of a model, measured on batches: gradients of writers, changes of hidden states, input norms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from vlmbench.base.errors import TrainingError
from vlmbench.base.trainable import Block

from . import importance

Losses = Callable[[], Iterator[Tensor]]
"""Computes the loss of one batch after the other."""
Blocks = Mapping[str, Sequence[Block]]


class Mean:
    """The running mean of tensors of one shape."""

    def __init__(self) -> None:
        self.total: Tensor | None = None
        self.count = 0

    def add(self, summed: Tensor, count: int = 1) -> None:
        """A sum of `count` values."""
        self.total = summed if self.total is None else self.total + summed
        self.count += count

    @property
    def value(self) -> Tensor | None:
        """None before the first value."""
        return None if self.total is None else self.total / max(self.count, 1)


def group_scores(blocks: Blocks, score: str, losses: Losses) -> tuple[dict[str, list[Tensor]], dict[str, list[Tensor]]]:
    """By part, a layer's scores each: of its heads, (heads,), and of its neurons, (neurons,).

    Raises TrainingError where no batch reaches a part.
    """
    if score == "magnitude":
        return (
            {part: [importance.magnitude(b.attention.weight, b.heads) for b in some] for part, some in blocks.items()},
            {part: [importance.magnitude(b.mlp.weight, _inputs(b)) for b in some] for part, some in blocks.items()},
        )
    heads = {part: [Mean() for _ in some] for part, some in blocks.items()}
    neurons = {part: [Mean() for _ in some] for part, some in blocks.items()}
    every = [block for some in blocks.values() for block in some]
    writers = [module.weight for block in every for module in (block.attention, block.mlp)]
    batches = losses()
    with _only(writers):
        for loss in batches:
            loss.backward()  # type: ignore[no-untyped-call]
            for part, some in blocks.items():
                for at, block in enumerate(some):
                    _add_gradient(heads[part][at], block.attention, block.heads)
                    _add_gradient(neurons[part][at], block.mlp, _inputs(block))
            for weight in writers:
                weight.grad = None
    _check_reached(blocks, heads)
    return _values(heads, blocks, lambda block: block.heads), _values(neurons, blocks, _inputs)


def _inputs(block: Block) -> int:
    return int(block.mlp.weight.shape[1])


def _add_gradient(mean: Mean, module: nn.Linear, groups: int) -> None:
    gradient = module.weight.grad
    if gradient is not None:
        mean.add(importance.taylor(module.weight.detach(), gradient, groups))


def _values(found: Mapping[str, list[Mean]], blocks: Blocks, size: Callable[[Block], int]) -> dict[str, list[Tensor]]:
    """The means; zeros for layers that are never run, whose first ones are kept then."""
    return {
        part: [
            torch.zeros(size(block)) if mean.value is None else mean.value
            for mean, block in zip(means, blocks[part], strict=True)
        ]
        for part, means in found.items()
    }


def _check_reached(blocks: Blocks, found: Mapping[str, list[Mean]]) -> None:
    for part, means in found.items():
        if blocks[part] and all(mean.value is None for mean in means):
            message = f"no gradient reaches the {part}: the first stage shows it nothing"
            hint = "take a stage with images, leave out cache, or --set pruning.score=magnitude"
            raise TrainingError(message, where="pruning", hint=hint)


def layer_scores(model: nn.Module, blocks: Blocks, score: str, losses: Losses) -> dict[str, list[float]]:
    """By part and layer: the mean Block Influence over tokens, or the norm of what it writes. Never run: 0."""
    if score == "magnitude":
        return {
            part: [float(torch.stack([b.attention.weight.norm(), b.mlp.weight.norm()]).norm()) for b in some]
            for part, some in blocks.items()
        }
    found = {part: [Mean() for _ in some] for part, some in blocks.items()}

    def watch(mean: Mean, part: str) -> Callable[..., None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
            after = output[0] if isinstance(output, tuple) else output
            tokens = valid.of(part, inputs[0])
            changes = importance.influence(inputs[0][tokens], after[tokens])
            mean.add(changes.sum(), len(changes))

        return hook

    with ExitStack() as hooks, torch.no_grad():
        valid = hooks.enter_context(_valid_tokens(model))
        for part, some in blocks.items():
            for mean, block in zip(found[part], some, strict=True):
                hooks.callback(block.layer.register_forward_hook(watch(mean, part)).remove)
        for _ in losses():
            pass
    return {part: [0.0 if mean.value is None else float(mean.value) for mean in means] for part, means in found.items()}


def input_norms(model: nn.Module, blocks: Blocks, losses: Losses) -> dict[nn.Linear, Tensor]:
    """The Euclidean norm of each input of each matrix over all tokens, (inputs,). Never run: none."""
    squares: dict[nn.Linear, Tensor] = {}

    def watch(part: str) -> Callable[..., None]:
        def hook(module: nn.Linear, inputs: tuple[Tensor, ...]) -> None:
            shown = inputs[0][valid.of(part, inputs[0])].float()
            summed = shown.square().sum(dim=0)
            squares[module] = squares[module] + summed if module in squares else summed

        return hook

    with ExitStack() as hooks, torch.no_grad():
        valid = hooks.enter_context(_valid_tokens(model))
        for part, some in blocks.items():
            for block in some:
                for module in block.linears.values():
                    hooks.callback(module.register_forward_pre_hook(watch(part)).remove)
        for _ in losses():
            pass
    return {module: summed.sqrt() for module, summed in squares.items()}


class ValidTokens:
    """Which tokens of the language model's running forward are no padding."""

    mask: Tensor | None = None

    def of(self, part: str, hidden: Tensor) -> Tensor:
        """Bool for hidden states (rows, tokens, width); those of chosen tokens, (tokens, width), are all valid."""
        if part != "language_model" or self.mask is None or hidden.ndim == 2:
            return torch.ones(hidden.shape[:-1], dtype=torch.bool, device=hidden.device)
        return self.mask[:, -hidden.shape[1] :].bool()


@contextmanager
def _valid_tokens(model: nn.Module) -> Iterator[ValidTokens]:
    """Reads the mask that the language model is called with, (rows, cached tokens and new ones)."""
    valid = ValidTokens()

    def hook(_: nn.Module, __: tuple[Any, ...], words: dict[str, Any]) -> None:
        valid.mask = words.get("attention_mask")

    base: nn.Module = model.get_submodule("language_model").base_model  # type: ignore[assignment]
    handle = base.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield valid
    finally:
        handle.remove()


@contextmanager
def _only(weights: Sequence[Tensor]) -> Iterator[None]:
    """While it lasts, these weights have gradients."""
    for weight in weights:
        weight.requires_grad_(True)
        weight.grad = None
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(False)
            weight.grad = None
