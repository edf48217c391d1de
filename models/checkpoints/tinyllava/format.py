"""The interface of a TinyLLaVA checkpoint format: how it is recognised, read and written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from ..folder import CheckpointFolder

ORIGIN = "converted_from"
"""In our config.json: {"form": ..., "config": the original config.json, ...}, so that the way back loses nothing."""


@dataclass(frozen=True, slots=True)
class CheckpointFormat:
    """One format."""

    about: str
    """In words."""
    matches: Callable[[Path, Mapping[str, Any]], bool]
    """Whether a folder with this config.json has the format: by its fields and the files it holds."""
    open: Callable[[Path, Mapping[str, Any]], CheckpointFolder]
    """The folder, its config in ours. Raises ModelError for what is missing or unknown."""
    write: Callable[[Path, Mapping[str, Any], Mapping[str, Tensor]], None]
    """Write our config and our tensors, as they are, into a folder of this format; tokenizer and preprocessor are the
    caller's. Raises ModelError for what the format cannot hold.
    """


def with_origin(
    config: Mapping[str, Any], format_name: str, original: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    """Our config with the original's beside it."""
    return {**config, ORIGIN: {"form": format_name, "config": dict(original), **more}}


def origin(config: Mapping[str, Any], format_name: str) -> dict[str, Any]:
    """Return what `with_origin` stored for this format; {} otherwise."""
    stored = config.get(ORIGIN)
    return dict(stored) if isinstance(stored, Mapping) and stored.get("form") == format_name else {}
