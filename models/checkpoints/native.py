"""Our own folders: config.json, model.safetensors in our names, tokenizer files, and official.json beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from .checkpoint import RECORD, Checkpoint
from .folder import CheckpointFolder, read_json, write_json, write_state

MODEL_TYPES = ("minigpt4", "minigptv2", "tinygptv")


def from_folder(folder: CheckpointFolder) -> Checkpoint:
    """A folder of any format, opened, as a checkpoint. Raises ModelError for damaged files."""
    files = (*folder.weights, folder.tokenizer)
    checkpoint = Checkpoint(folder.config, folder.state(), folder.tokenizer, folder.preprocessor, files)
    record = folder.path / RECORD
    return replace(checkpoint, record=read_json(record)) if record.is_file() else checkpoint


def read(path: Path) -> Checkpoint:
    """A folder of ours of the MiniGPT family. Raises ModelError for a damaged one."""
    system = str(read_json(path / "config.json").get("model_type"))
    return from_folder(CheckpointFolder.open(path, system))


def write(source: Checkpoint, target: Path) -> tuple[Path, ...]:
    """Write a folder of ours. Raises ModelError when it cannot be written."""
    write_state(
        target,
        _apart(source.tensors),
        config=source.config,
        preprocessor=source.preprocessor,
        tokenizer=source.tokenizer,
    )
    if source.record:
        write_json(target / RECORD, source.record)
    return (target,)


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each tensor in memory of its own: safetensors writes no two that share it."""
    storages: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        apart[name] = tensor.clone() if place in storages else tensor.contiguous()
        storages.add(place)
    return apart
