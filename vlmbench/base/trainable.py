"""What training needs of a model; models/ implements it, and neither imports the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor, nn

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
