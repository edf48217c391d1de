"""A checkpoint in our names and config, whatever format it was read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

RECORD = "official.json"
"""In our folders: what the official file holds beside tensors, and which of the tensors it held."""


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """Further files and options that reading a checkpoint may need; None, 0 and "" where not given."""

    vit: Path | None = None
    qformer: Path | None = None
    llm: Path | None = None
    system: str = ""
    """Which system the user says it is."""
    template: str = ""
    image_size: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint in our names and config, tensors as stored: no dtype is changed."""

    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    """Our names; under `official.` what our network does not hold but the official file wants back."""
    tokenizer: Path
    """The folder its tokenizer files are in."""
    preprocessor: Mapping[str, Any] | None = None
    files: tuple[Path, ...] = ()
    """What was read."""
    unused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By file: names of tensors that are known, and of no use here."""
    record: Mapping[str, Any] = field(default_factory=dict)
    """For official.json: JSON alone."""
