"""What training needs of a model; models/ implements it, and neither imports the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vlmbench.base.model import Vocabulary
    from vlmbench.base.samples import Conversation


@runtime_checkable
class Trainable(Protocol):
    """A model that training can work on. Parts are named as recipes name them."""

    name: str
    config: dict[str, Any]

    @property
    def module(self) -> nn.Module:
        """The whole network; the parts are its children by their names."""

    @property
    def visual_tokens(self) -> int:
        """Tokens per image in the language model."""

    def parts(self) -> Mapping[str, nn.Module]:
        """`vision_tower`, `connector`, `language_model`."""

    def collate(self, rows: Sequence[Conversation], template: str) -> Mapping[str, Any]:
        """Rows to tensors: ids, labels (-100 where no loss is taken), pixels. `template` names the prompt form."""

    def loss(self, batch: Mapping[str, Any]) -> Tensor:
        """Mean cross-entropy over the trained tokens of a collated batch, scalar.

        `image_features`, as `encode_images` gives them, may stand in the place of `images`.
        """

    def trained_logits(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """What `loss` is computed from: (trained tokens, vocabulary) float32 logits, and their labels, (trained
        tokens,), which may be any numbers of the caller's.
        """

    def vocabulary(self) -> Vocabulary:
        """The tokens that the logits are of."""

    def encode_images(self, images: Tensor) -> Tensor:
        """The vision tower's features of a batch of images, without gradients."""

    def tune(
        self,
        settings: Mapping[str, Any],
        *,
        max_length: int = 0,
        checkpointing: bool = False,
        quantize: str = "",
        linear: str = "mkl",
        attention: str = "sdpa",
    ) -> None:
        """Prepare a stage: set what is trained, by part and in the model's own words; how long rows may be (0: its
        own limit); whether activations are computed again in the backward pass; in how many bits frozen weights are;
        which library computes Linear layers: `mkl` (torch's own) or `onednn`;
        how the vision tower attends: `sdpa` or `eager`.
        """

    def decays(self, name: str) -> bool:
        """Whether weight decay applies to a trained parameter, by its name in `module`."""

    def changed(self, settings: Mapping[str, Any]) -> Trainable:
        """The same model with a changed config; weights that fit are kept."""

    def save(self, folder: Path) -> None:
        """Write the checkpoint in the system's official layout."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One transformer layer as pruning sees it."""

    layer: nn.Module
    """Its first input and its output are hidden states, (rows, tokens, width)."""
    heads: int
    """What can be removed one by one: heads; where heads share keys and values, groups of them."""
    attention: nn.Linear
    """Writes what the heads give into the hidden states. Its inputs belong to the heads, in order, as many to each."""
    mlp: nn.Linear
    """Writes what the neurons give into the hidden states: an input for each neuron."""
    linears: Mapping[str, nn.Linear]
    """All matrices of the layer, by their names in it."""
    runs: bool = True
    """Whether an answer depends on it: layers behind the one that is read do not run."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is left of a part: numbers of layers, and for each of these the numbers of its heads and neurons."""

    layers: tuple[int, ...]
    heads: tuple[tuple[int, ...], ...]
    neurons: tuple[tuple[int, ...], ...]


@runtime_checkable
class Prunable(Protocol):
    """A Trainable whose layers can be made smaller."""

    def merge_adapters(self) -> None:
        """Add adapters into the weights beside them, and take them out of the network and its config."""

    def blocks(self) -> Mapping[str, Sequence[Block]]:
        """The layers of each part that can be made smaller, in order. A part that cannot be is left out."""

    def pruned(self, kept: Mapping[str, Kept]) -> Trainable:
        """A smaller model of the same weights, its config changed; parts that are not named stay as they are.

        All layers of a part keep as many heads and neurons. Raises ModelError where the part cannot be so.
        """
