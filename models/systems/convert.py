"""Converts checkpoints from one format into another: official files into our folders, and back."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError

from vlmbench.base.errors import ModelError, UnknownNameError, UsageError

from ..checkpoints import native
from ..checkpoints.checkpoint import Checkpoint, SourceFiles
from ..checkpoints.folder import CONFIG, CheckpointFolder, read_json
from ..checkpoints.minigpt import pth as minigpt_pth
from ..checkpoints.minigpt import write as minigpt_write
from ..checkpoints.minigpt.shape_check import check, meta_network
from ..checkpoints.tinyllava import detect as tinyllava_formats
from ..checkpoints.tinyllava import legacy
from ..checkpoints.tinyllava.format import ORIGIN
from ..network.minigpt_blueprint import blueprint
from . import tinyllava

OWN, FACTORY = "vlmbench", "factory"
MINIGPT: Mapping[str, tuple[str, Callable[[Checkpoint, Path], object]]] = {
    OWN: ("a folder of ours of MiniGPT-4, MiniGPT-v2 or TinyGPT-V", native.write),
    minigpt_pth.NAME: (minigpt_pth.ABOUT, minigpt_write.write),
}
"""By format: what it is, and how it is written. TinyLLaVA's are in tinyllava_formats.FORMATS; ours is `factory`."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was done."""

    system: str
    before: str
    after: str
    files: Mapping[str, int]
    """What was read, and its bytes."""
    tensors: int
    parameters: int
    unused: Mapping[str, tuple[str, ...]]
    """By file: names that are known, and of no use."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A checkpoint that was read, and how it can be written."""

    format_name: str
    checkpoint: Checkpoint
    after: str
    """The format it becomes if none is asked for; "": none goes without saying."""
    write: Callable[[str, Path], object]
    formats: tuple[str, ...]


def formats() -> dict[str, str]:
    """All formats, and what each is."""
    return {name: about for name, (about, _) in MINIGPT.items()} | {
        name: entry.about for name, entry in tinyllava_formats.FORMATS.items()
    }


def convert(source: Path, target: Path, *, to: str, source_files: SourceFiles, overwrite: bool) -> Report:
    """Read a checkpoint of any format and write it in another, `to` ("": official into ours, ours into the official).

    What is written appears at once and whole. Raises ModelError for a checkpoint that cannot be read or written,
    UsageError for a target that is there already, or a format that does not exist or does not fit.
    """
    if to and to not in formats():
        raise UnknownNameError("checkpoint format", to, formats())
    target = Path(os.path.abspath(target))  # noqa: PTH100 - takes out `..` too, as Path.absolute does not
    _free(source, target, overwrite)
    opened = _open(source, source_files)
    after = to or opened.after
    if not after:
        raise UsageError(f"{source} is in our format already", hint=f"name another: --to {' or '.join(opened.formats)}")
    if after not in opened.formats:
        system = opened.checkpoint.config["model_type"]
        raise UsageError(f"{system} cannot be written as {after}", hint=f"--to takes {', '.join(opened.formats)}")
    _write(lambda path: opened.write(after, path), target)
    checkpoint = opened.checkpoint
    sizes = {str(path): _size(path) for path in checkpoint.files}
    parameters = sum(tensor.numel() for name, tensor in checkpoint.tensors.items() if not name.startswith("official."))
    system = str(checkpoint.config["model_type"])
    return Report(system, opened.format_name, after, sizes, len(checkpoint.tensors), parameters, checkpoint.unused)


def _open(source: Path, source_files: SourceFiles) -> _Opened:
    """Find the format and read. Raises ModelError for an unknown one, or another system than the user says."""
    if source.is_file():
        if not minigpt_pth.recognises(source):
            hint = f"it is none of: {'; '.join(formats().values())}"
            raise ModelError("no checkpoint that torch.save has written", where=str(source), hint=hint)
        checkpoint = minigpt_pth.read(source, source_files)
        return _minigpt(minigpt_pth.NAME, checkpoint, OWN)
    if not source.is_dir():
        raise ModelError("no such file or folder", where=str(source), hint="name a .pth, or a checkpoint's folder")
    if read_json(source / CONFIG).get("model_type") in native.MODEL_TYPES:
        checkpoint = native.read(source)
        _same_system(checkpoint, source_files, source)
        check(meta_network(lambda: blueprint(checkpoint.config), source), checkpoint.tensors, source)
        return _minigpt(OWN, checkpoint, minigpt_pth.NAME)
    return _tinyllava(source, source_files)


def _minigpt(format_name: str, checkpoint: Checkpoint, after: str) -> _Opened:
    return _Opened(
        format_name, checkpoint, after, lambda name, path: MINIGPT[name][1](checkpoint, path), tuple(MINIGPT)
    )


def _tinyllava(source: Path, source_files: SourceFiles) -> _Opened:
    if (source / legacy.PROJECTOR).is_file() and source_files.llm and source_files.vit:
        folder = legacy.open_projector(source, language_model=source_files.llm, vision_tower=source_files.vit)
        format_name = folder.format_name
    else:
        format_name, folder = tinyllava_formats.find(source), tinyllava_formats.open_folder(source)
    checkpoint = native.from_folder(folder)
    _same_system(checkpoint, source_files, source)
    network = meta_network(lambda: tinyllava.blueprint(folder.config, folder.preprocessor), source)
    check(network, checkpoint.tensors, source)
    before = folder.config.get(ORIGIN)
    origin = str(before["form"]) if format_name == FACTORY and isinstance(before, Mapping) else ""
    after = FACTORY if format_name != FACTORY else (origin if origin in tinyllava_formats.FORMATS else "")
    return _Opened(
        format_name, checkpoint, after, lambda name, path: _write_tinyllava(folder, path, name), _others(format_name)
    )


def _others(format_name: str) -> tuple[str, ...]:
    return tuple(name for name in tinyllava_formats.FORMATS if name != format_name)


def _write_tinyllava(folder: CheckpointFolder, target: Path, format_name: str) -> None:
    tinyllava_formats.write(folder, target, format_name)


def _same_system(checkpoint: Checkpoint, source_files: SourceFiles, source: Path) -> None:
    system = checkpoint.config["model_type"]
    if source_files.system not in ("", system):
        raise ModelError(f"is of {system}, not {source_files.system}", where=str(source), hint=f"--system {system}")


def _free(source: Path, target: Path, overwrite: bool) -> None:
    """Raises UsageError unless the target may be written: it is not there, is empty, or may be overwritten."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not overwrite:
        raise UsageError(f"{target} is there already", hint="name another, or add --overwrite")
    if source.resolve().is_relative_to(target.resolve()):
        raise UsageError(f"{target} holds what is to be read", hint="name another place to write to")
    marks = (CONFIG, minigpt_write.CHECKPOINT)
    if target.is_dir() and not any((target / name).is_file() for name in marks):
        raise UsageError(f"{target} holds other things than a checkpoint", hint="name another folder")


def _write(write: Callable[[Path], object], target: Path) -> None:
    """Write beside the target and move there when it is whole, so that nothing half-written is ever left."""
    beside, old = target.with_name(f".part-{target.name}"), target.with_name(f".old-{target.name}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove(beside)
        write(beside)
        if target.exists():
            _remove(old)
            target.rename(old)
        try:
            beside.rename(target)
        except OSError:
            old.rename(target)
            raise
        _remove(old)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"cannot be written: {error}", where=str(target), hint="give a writable place") from None
    finally:
        _remove(beside)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()


def _size(path: Path) -> int:
    """Bytes of a file, or of a folder's files."""
    return sum(file.stat().st_size for file in ([path] if path.is_file() else path.iterdir()) if file.is_file())
