"""Vision towers that older checkpoints only name: their configs, by exact name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlmbench.base.errors import ModelError

from ...parts.published_configs import VISION as VISION_PIECES
from .. import folder as checkpoints

VISION = "vision_config.json"
"""Beside a checkpoint that only names its tower: the tower's config.json."""

_SIGLIP = VISION_PIECES["Sig"]
PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    **{piece.hub: piece.config for piece in VISION_PIECES.values()},
    "bczhou/TinyLLaVA-3.1B-SigLIP": _SIGLIP.config,
    "bczhou/TinyLLaVA-2.0B-SigLIP": _SIGLIP.config,
    "bczhou/TinyLLaVA-1.5B-SigLIP": _SIGLIP.config,
}
"""By the name that checkpoints have in mm_vision_tower."""


def tower_of(path: Path, name: str) -> dict[str, Any]:
    """The config of the tower that a checkpoint folder names: its own vision_config.json, or the published one.

    Raises ModelError when there is neither.
    """
    if (path / VISION).is_file():
        config = checkpoints.read_json(path / VISION)
        nested = config.get("vision_config")
        return dict(nested) if isinstance(nested, Mapping) else config
    if name not in PUBLISHED:
        hint = f"put the tower's config.json into the folder as {VISION}; known without one: {', '.join(PUBLISHED)}"
        raise ModelError(f"the vision tower {name!r} is not known", where=str(path), hint=hint)
    return dict(PUBLISHED[name])
