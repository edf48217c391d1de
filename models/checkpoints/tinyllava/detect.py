"""Recognises the format of a TinyLLaVA checkpoint by its files and config fields, reads it and writes it back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vlmbench.base.errors import ModelError

from .. import folder as checkpoints
from ..folder import CONFIG, CheckpointFolder
from . import factory, hf_llava, legacy
from .format import CheckpointFormat

FORMATS: Mapping[str, CheckpointFormat] = {**factory.FORMATS, **legacy.FORMATS, **hf_llava.FORMATS}


def find(path: Path) -> str:
    """Return the name of a folder's format. Raises ModelError when it has none, or is missing."""
    if not path.is_dir():
        raise ModelError("no such folder", where=str(path), hint="name the folder that holds config.json")
    config = checkpoints.read_json(path / CONFIG)
    for name, candidate in FORMATS.items():
        if candidate.matches(path, config):
            return name
    known = "; ".join(entry.about for entry in FORMATS.values())
    message = f"model_type is {config.get('model_type')!r}, architectures {config.get('architectures')!r}"
    raise ModelError(message, where=str(path / CONFIG), hint=f"TinyLLaVA is read from: {known}")


def open_folder(path: Path) -> CheckpointFolder:
    """Open a folder of any format. Raises ModelError when it has none, or lacks something."""
    folder = FORMATS[find(path)].open(path, checkpoints.read_json(path / CONFIG))
    for part in ("text_config", "vision_config"):
        if not isinstance(folder.config.get(part), Mapping):
            raise ModelError(f"no {part}", where=str(path / CONFIG), hint="it is needed to build the network")
    return folder


def write(folder: CheckpointFolder, target: Path, format_name: str = "factory") -> None:
    """Write a folder's tensors, bit for bit, in another format; "factory" is ours, the one everything is read into.

    Raises ModelError when the format cannot hold them, or the target cannot be written.
    """
    if format_name not in FORMATS:
        raise ModelError(f"no format {format_name!r}", hint=f"there are: {', '.join(FORMATS)}")
    state = folder.state()
    try:
        target.mkdir(parents=True, exist_ok=True)
        FORMATS[format_name].write(target, folder.config, state)
        checkpoints.copy_tokenizer(folder.tokenizer, target)
        if folder.preprocessor is not None and not (target / hf_llava.PROCESSOR).exists():
            checkpoints.write_json(target / checkpoints.PREPROCESSOR, folder.preprocessor)
    except OSError as error:
        raise ModelError(f"cannot be written: {error}", where=str(target), hint="give a writable folder") from None
