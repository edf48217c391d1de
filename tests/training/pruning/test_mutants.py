"""Altered formulas, orders, masks and cuts: for each there is a test of this folder that does not let it pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.models import tiny, tiny_minigpt
from tests.training.pruning import test_importance as by_hand
from tests.training.pruning import test_prune as models
from vlmbench.base.samples import Conversation
from vlmbench.base.trainable import Kept
from vlmbench.models.network import pruning as surgery
from vlmbench.training.pruning import calibrate, choose, importance
from vlmbench.training.recipe import pruning as ratios

Check = Callable[[Path], None]
TURNS = (("What is there?", "a red square and the yes"),)


def norms_of_inputs(folder: Path) -> None:
    """Wanda's norms are those of all inputs of a matrix in one table, over all batches and tokens."""
    made = models.model("siglip", folder)
    blocks = made.blocks()
    shown: dict[nn.Module, list[Tensor]] = {}

    def watch(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        shown.setdefault(module, []).append(inputs[0].detach().flatten(0, -2))

    def batches() -> Iterator[Tensor]:
        for seed in range(2):
            yield made.loss(
                made.collate([Conversation(TURNS, tiny.picture(seed))], "")
            )  # one row, so that there is no padding

    modules = [module for some in blocks.values() for block in some for module in block.linears.values()]
    hooks = [module.register_forward_pre_hook(watch) for module in modules]
    found = calibrate.input_norms(made.module, blocks, batches)
    for hook in hooks:
        hook.remove()
    assert found
    for module, norms in found.items():
        assert torch.allclose(norms, torch.cat(shown[module]).norm(dim=0), rtol=1e-4)


def rounding(_: Path) -> None:
    """0.7 of 96 are 67.2, nearest 64; 0.7 of 160 are 3.5 times 32, rounded to even; 48 is no multiple of 32."""
    told = ratios.Pruning(language_model=ratios.Ratios(heads=0.25, neurons=0.3, layers=0.5))
    assert told.left("language_model", 4, 8, 96) == (2, 6, 64)
    assert told.left("language_model", 4, 8, 256) == (2, 6, 192)
    assert told.left("language_model", 4, 8, 160) == (2, 6, 128)
    assert told.left("language_model", 4, 8, 48) == (2, 6, 34)
    assert told.left("vision_tower", 4, 8, 96) == (4, 8, 96)


def same_numbers(folder: Path, kind: str) -> None:
    """The smaller network gives what the whole one gives without these heads and neurons."""
    models.test_a_smaller_model_gives_what_the_whole_one_gives_without_these_heads(kind, folder)


def without_arguments(test: Callable[[], None]) -> Check:
    """A test that needs no folder."""
    return lambda _: test()


GATE, SUM, NORM, COSINE, WANDA, ROWS, PATTERN, ORDER = map(
    without_arguments,
    (
        by_hand.test_taylor_is_the_derivative_by_a_gate,
        by_hand.test_taylor_sums_before_it_takes_the_absolute_value,
        by_hand.test_magnitude_is_the_norm_of_a_groups_weights,
        by_hand.test_influence_is_one_minus_the_cosine,
        by_hand.test_wanda_keeps_what_size_alone_would_not,
        by_hand.test_each_row_keeps_as_many_and_ties_go_by_order,
        by_hand.test_two_of_four_and_what_is_left_over,
        by_hand.test_the_best_are_kept_in_their_order,
    ),
)
LAYERS: Check = models.test_the_layer_that_changes_least_is_taken_out
HEADS: Check = models.test_the_head_that_the_loss_needs_is_kept
SIGLIP, GROUPED = partial(same_numbers, kind="siglip"), partial(same_numbers, kind="grouped")
MINIGPT = partial(same_numbers, kind=next(iter(tiny_minigpt.KINDS)))

Real = Callable[..., Any]


def absolute_first(_: Real, weight: Tensor, gradient: Tensor, groups: int) -> Tensor:
    """The absolute value before the sum."""
    return (weight * gradient).abs().sum(dim=0).view(groups, -1).sum(dim=1)


def no_weight(_: Real, weight: Tensor, gradient: Tensor, groups: int) -> Tensor:
    """The gradient alone."""
    return gradient.sum(dim=0).view(groups, -1).sum(dim=1).abs()


def by_rows(_: Real, weight: Tensor, gradient: Tensor, groups: int) -> Tensor:
    """Over outputs in the place of inputs, in groups that are mixed."""
    return (weight * gradient).sum(dim=0).view(-1, groups).sum(dim=0).abs()


def sum_of_sizes(_: Real, weight: Tensor, groups: int) -> Tensor:
    """The sum of absolute values in the place of the Euclidean norm."""
    return weight.abs().sum(dim=0).view(groups, -1).sum(dim=1)


def negative(real: Real, *parts: Any) -> Tensor:
    """The opposite order."""
    return -real(*parts)  # type: ignore[no-any-return]


def no_norms(_: Real, weight: Tensor, norms: Tensor) -> Tensor:
    """Wanda without the inputs."""
    return weight.abs()


def squared_norms(_: Real, weight: Tensor, norms: Tensor) -> Tensor:
    """Wanda with squared norms."""
    return weight.abs() * norms.square()


def mean_norms(real: Real, *parts: Any) -> Mapping[nn.Linear, Tensor]:
    """Norms divided by their mean."""
    return {module: norms / norms.mean() for module, norms in real(*parts).items()}


def no_pattern(real: Real, scores: Tensor, zeros: float, pattern: tuple[int, int] = (0, 0)) -> Tensor:
    """Rows in the place of groups of four."""
    return real(scores, zeros)  # type: ignore[no-any-return]


def shifted_pattern(real: Real, scores: Tensor, zeros: float, pattern: tuple[int, int] = (0, 0)) -> Tensor:
    """Groups that begin one weight later."""
    mask = real(scores.roll(-1, dims=1), zeros, pattern).roll(1, dims=1)
    return mask if pattern != (0, 0) else real(scores, zeros)  # type: ignore[no-any-return]


def whole_matrix(_: Real, scores: Tensor, count: int) -> Tensor:
    """The best of the matrix, not of each row."""
    order = scores.flatten().argsort(descending=True, stable=True)[: count * len(scores)]
    return torch.zeros(scores.numel(), dtype=torch.bool).index_fill_(0, order, True).view_as(scores)


def lowest(_: Real, scores: Sequence[float], count: int) -> tuple[int, ...]:
    """The lowest scores stay."""
    return tuple(sorted(sorted(range(len(scores)), key=lambda place: scores[place])[:count]))


def last_of_equal(_: Real, scores: Sequence[float], count: int) -> tuple[int, ...]:
    """Of equal ones the last."""
    return tuple(sorted(sorted(range(len(scores)), key=lambda place: (-scores[place], -place))[:count]))


def by_score(_: Real, scores: Sequence[float], count: int) -> tuple[int, ...]:
    """Not in their order."""
    return tuple(sorted(range(len(scores)), key=lambda place: (-scores[place], place))[:count])


def rounded_up(_: Real, part: str, ratio: float, number: int) -> int:
    """To the multiple of 32 above."""
    return -int(-(1 - ratio) * number // 32) * 32 if number % 32 == 0 else round((1 - ratio) * number)


def not_in_blocks(_: Real, part: str, ratio: float, number: int) -> int:
    """To single neurons."""
    return round((1 - ratio) * number)


def one_layer_on(real: Real, network: Any, kept: Mapping[str, Kept]) -> Any:
    """The layer behind each one that is kept."""
    layers = 3
    later = {part: Kept(tuple((at + 1) % layers for at in k.layers), k.heads, k.neurons) for part, k in kept.items()}
    return real(network, {part: Kept(tuple(sorted(k.layers)), k.heads, k.neurons) for part, k in later.items()})


def reader_uncut(real: Real, name: str, tensor: Tensor, heads: Any, neurons: Any, width: Any) -> Tensor:
    """The first heads of the values in the place of the chosen ones."""
    mixed = range(len(heads)) if "v_proj" in name else heads
    return real(name, tensor, mixed, neurons, width)  # type: ignore[no-any-return]


def first_neurons(real: Real, name: str, tensor: Tensor, heads: Any, neurons: Any, width: Any) -> Tensor:
    """The first neurons of the writer in the place of the chosen ones."""
    mixed = range(len(neurons)) if name.split(".")[-2] in surgery.MLP_WRITERS else neurons
    return real(name, tensor, heads, mixed, width)  # type: ignore[no-any-return]


def bias_uncut(real: Real, name: str, tensor: Tensor, heads: Any, neurons: Any, width: Any) -> Tensor:
    """The first biases of an MLP in the place of the chosen ones."""
    mixed = range(len(neurons)) if name.endswith("fc1.bias") else neurons
    return real(name, tensor, heads, mixed, width)  # type: ignore[no-any-return]


def interleaved(_: Real, heads: Sequence[int], width: int) -> list[int]:
    """Rows of a head as if heads were interleaved."""
    return [at for head in heads for at in range(head, head + len(heads) * width, len(heads))][: len(heads) * width]


MUTANTS: Sequence[tuple[Any, str, Real, Check]] = [
    (importance, "taylor", absolute_first, GATE),
    (importance, "taylor", absolute_first, SUM),
    (importance, "taylor", no_weight, GATE),
    (importance, "taylor", by_rows, GATE),
    (importance, "taylor", negative, HEADS),
    (importance, "magnitude", sum_of_sizes, NORM),
    (importance, "magnitude", negative, HEADS),
    (importance, "influence", negative, COSINE),
    (importance, "influence", negative, LAYERS),
    (importance, "wanda", no_norms, WANDA),
    (importance, "wanda", squared_norms, WANDA),
    (calibrate, "input_norms", mean_norms, norms_of_inputs),
    (importance, "keep_mask", no_pattern, PATTERN),
    (importance, "keep_mask", shifted_pattern, PATTERN),
    (importance, "_best", whole_matrix, ROWS),
    (choose, "best", lowest, ORDER),
    (choose, "best", last_of_equal, ORDER),
    (choose, "best", by_score, ORDER),
    (choose, "best", lowest, HEADS),
    (ratios, "_neurons", rounded_up, rounding),
    (ratios, "_neurons", not_in_blocks, rounding),
    (surgery, "smaller_state", one_layer_on, LAYERS),
    (surgery, "_cut", reader_uncut, GROUPED),
    (surgery, "_cut", first_neurons, SIGLIP),
    (surgery, "_cut", bias_uncut, SIGLIP),
    (surgery, "_places", interleaved, MINIGPT),
]
"""Where, what, what instead, and the check that fails then."""


@pytest.mark.parametrize(
    ("module", "name", "mutant", "check"), MUTANTS, ids=[f"{name}-{mutant.__name__}" for _, name, mutant, _ in MUTANTS]
)
def test_no_mutant_passes(
    module: Any, name: str, mutant: Real, check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, partial(mutant, getattr(module, name)))
    with pytest.raises(AssertionError):
        check(tmp_path)


@pytest.mark.parametrize("check", [norms_of_inputs, rounding])
def test_the_checks_pass_without_a_mutant(check: Check, tmp_path: Path) -> None:
    """The others are tests of their own."""
    check(tmp_path)
