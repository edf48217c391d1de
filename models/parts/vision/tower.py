"""Vision towers: images to features. A tower is known by its config's model_type; a new one is an entry in TOWERS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vlmbench.base.errors import ModelError

from . import heads
from .base import Tower, TransformersTower
from .dino import DinoTower, MixtureTower


def _siglip(config: Mapping[str, Any]) -> TransformersTower:
    from transformers import SiglipVisionConfig, SiglipVisionModel

    return TransformersTower(_built(config, SiglipVisionConfig, SiglipVisionModel), class_token=False)


def _clip(config: Mapping[str, Any]) -> TransformersTower:
    from transformers import CLIPVisionConfig, CLIPVisionModel

    return TransformersTower(_built(config, CLIPVisionConfig, CLIPVisionModel), class_token=True)


LN_VISION_EPS = 1e-5
"""Of the norm behind EVA, MiniGPT-4's `ln_vision`; the norms inside have the config's eps, 1e-6."""


def _eva(config: Mapping[str, Any]) -> TransformersTower:
    """EVA-CLIP-g. Source: MiniGPT-4 minigpt4/models/{eva_vit,base_model}.py@d94738a."""
    from transformers import Blip2VisionConfig, Blip2VisionModel

    model = _built(config, Blip2VisionConfig, Blip2VisionModel)
    model.post_layernorm = nn.LayerNorm(model.config.hidden_size, eps=LN_VISION_EPS)
    return TransformersTower(model, class_token=True, masks=False)


def _built(config: Mapping[str, Any], config_class: Any, model_class: Any) -> Any:
    """A tower of transformers, with as many heads as its config says."""
    settings = _settings(config)
    model = model_class(config_class(**heads.whole(settings), attn_implementation="sdpa"))
    heads.narrow(model, settings)
    return model


TOWERS: Mapping[str, Callable[[Mapping[str, Any]], Tower]] = {
    "siglip_vision_model": _siglip,
    "clip_vision_model": _clip,
    "blip_2_vision_model": _eva,
    "dinov2": lambda config: DinoTower(_settings(config)),
}


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    # The dtype is the loader's business; a number type from another version's config must not decide it here.
    return {name: value for name, value in config.items() if name not in {"model_type", "torch_dtype", "dtype"}}


def _drop_first(features: Tensor) -> Tensor:
    return features[:, 1:]


def _keep_all(features: Tensor) -> Tensor:
    return features


SELECTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {"patch": _drop_first, "cls_patch": _keep_all}
"""vision_feature_select_strategy to what it does. `patch` drops the first token even of a tower without a class token:
SigLIP at 384 px then gives 728 of 729 (TinyLLaVA_Factory tinyllava/model/vision_tower/base.py@53f12c7)."""


def find(config: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Tower]:
    """What builds the tower of a config. Raises ModelError, naming what there is."""
    kind = str(config.get("model_type"))
    if kind not in TOWERS:
        raise ModelError(f"no vision tower {kind!r}", hint=f"there are: {', '.join(TOWERS)}")
    return TOWERS[kind]


class VisionTower(nn.Module):
    """A tower with its tap and its selection: what Factory calls vision_tower. Keys: `_vision_tower.*`."""

    def __init__(
        self,
        config: Mapping[str, Any],
        layer: int = -2,
        selection: str = "patch",
        final_norm: bool = False,
        *,
        second: Mapping[str, Any] | None = None,
        pixels: int = 0,
    ) -> None:
        """`second`: DINOv2's config, for CLIP and DINOv2 at once. `pixels`: edge of the images, 0 for the config's.

        Raises ModelError for a tower or a selection that does not exist here.
        """
        super().__init__()
        build = find(config)
        if selection not in SELECTIONS:
            raise ModelError(
                f"no vision_feature_select_strategy {selection!r}", hint=f"there are: {', '.join(SELECTIONS)}"
            )
        self._vision_tower: Any = _mixture(config, second) if second is not None else build(config)
        self.layer, self.selection, self.final_norm, self.pixels = layer, selection, final_norm, pixels

    def forward(self, pixels: Tensor) -> Tensor:
        """(images, 3, height, width) to (images, visual tokens, width of the tower).

        What several parts give follows each other: all tokens of the first, then all of the second.
        """
        tapped = self._vision_tower.tap(pixels, self.layer)
        parts = tapped if isinstance(tapped, tuple) else (tapped,)
        normed = [self._vision_tower.norm(part) for part in parts] if self.final_norm else parts
        return torch.cat([SELECTIONS[self.selection](part) for part in normed], dim=1)

    def tokens(self) -> int:
        """Visual tokens an image gives."""
        dropped = int(self.selection == "patch")
        return sum(int(part) - dropped for part in self._vision_tower.tokens(self.pixels))


def _mixture(config: Mapping[str, Any], second: Mapping[str, Any]) -> MixtureTower:
    """CLIP and DINOv2. Raises ModelError for other pairs."""
    kinds = config.get("model_type"), second.get("model_type")
    if kinds != ("clip_vision_model", "dinov2"):
        raise ModelError(f"no mixture of {kinds[0]!r} and {kinds[1]!r}", hint="a mixture is CLIP with DINOv2")
    return MixtureTower(_clip(config), _settings(second), int(config["image_size"]))
