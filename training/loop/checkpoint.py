"""A training's state on disk: written aside and renamed, so that a kill at any moment leaves a whole one.

`checkpoint.new` is written and sealed: position.json, its last file, has the size and checksum of all others. Then
`checkpoint` becomes `checkpoint.old` and the new one takes its place. The old one stays until the next state is
written, so a damaged checkpoint costs the steps since the one before, not the training.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from vlmbench.base.errors import TrainingError

from .mark import Mark, differences

LOGGER = logging.getLogger(__name__)
FOLDER, FRESH, OLD, DAMAGED = "checkpoint", "checkpoint.new", "checkpoint.old", "checkpoint.damaged"
POSITION, WEIGHTS, MOMENTS = "position.json", "weights.safetensors", "optimizer.safetensors"
STARTS = "stages"
"""The folder of the weights with which stages begin."""
CHUNK = 1 << 22
CURE = "give --output another folder, or delete {} to train from the beginning"
ROOM = "when there is room to write, the same command resumes from the last checkpoint"
READ = "fix it, and the same command resumes from the last checkpoint"
FULL = ("no space left", "quota", "file too large", "failed writing file", "read-only file system")
"""How libraries that have errors of their own say that a file could not be written."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a training has come."""

    stage: int
    step: int
    """Steps done in the stage. What a step draws follows from its number, so no state of data or chance is kept."""
    log: int
    """Bytes of the training log that belong to these steps."""
    seconds: float
    """Time spent so far."""
    scaler: Mapping[str, Any] = field(default_factory=dict)
    """The gradient scaler's state, in half precision."""


@dataclass(frozen=True, slots=True)
class SavedState:
    """A whole state."""

    folder: Path
    position: Position
    recipe: str
    """See Mark.recipe."""
    settings: Mapping[str, Any]
    data: Mapping[str, Any]


class DamagedError(Exception):
    """A state that was whole once and is no longer, with what is wrong."""


def save(
    output: Path, position: Position, modules: Mapping[str, nn.Module], optimizer: Optimizer | None, mark: Mark
) -> None:
    """Write the state; `mark` tells the recipe and the data that it belongs to. Raises TrainingError on a full disk."""
    from safetensors.torch import save_file

    with write_errors(output):
        fresh = prepare(output)
        save_file(_tensors(modules), fresh / WEIGHTS)
        if optimizer is not None:
            save_file(_moments(optimizer), fresh / MOMENTS)
        seal(output, fresh, position, mark)


def prepare(output: Path) -> Path:
    """An empty folder for a new state. The state before the last one makes room for it."""
    fresh = output / FRESH
    _remove(fresh)
    if (output / FOLDER).exists():
        _remove(output / OLD)
    fresh.mkdir(parents=True)
    return fresh


def seal(output: Path, fresh: Path, position: Position, mark: Mark) -> None:
    """Make the new state the training's own: from now on, after a kill, the training resumes from here."""
    files = {}
    for path in sorted(file for file in fresh.rglob("*") if file.is_file()):
        files[path.relative_to(fresh).as_posix()] = [path.stat().st_size, _checksum(path)]
        _sync(path)
    content = {**asdict(position), "recipe": mark.recipe, "settings": mark.settings, "data": mark.data, "files": files}
    temporary = fresh / f"{POSITION}.new"
    temporary.write_text(json.dumps(content), encoding="utf-8")
    _sync(temporary)
    temporary.rename(fresh / POSITION)
    _sync(fresh)
    _swap(output)


def _swap(output: Path) -> None:
    """Put the sealed new state in the old one's place. If killed in between, `restore_newest` resumes from it."""
    current = output / FOLDER
    if current.exists():
        _remove(output / OLD)
        current.rename(output / OLD)
    (output / FRESH).rename(current)
    _sync(output)


def restore_newest(output: Path) -> None:
    """Bring the newest whole state to its place, wherever a kill or damage left it.

    Raises TrainingError when there are states, but none is whole.
    """
    whole: list[SavedState] = []
    damage: dict[str, str] = {}
    for name in (OLD, FRESH, FOLDER):
        try:
            if (state := _read(output / name)) is not None:
                whole.append(state)
        except DamagedError as error:
            damage[name] = str(error)
    if not whole:
        if damage:
            message = "; ".join(f"{name}: {problem}" for name, problem in damage.items())
            raise TrainingError(message, where=str(output), hint=CURE.format(" and ".join(damage)))
        return
    newest = max(whole, key=lambda state: (state.position.stage, state.position.step, state.folder.name == FOLDER))
    if FOLDER in damage:
        where = f"stage {newest.position.stage + 1}, step {newest.position.step}"
        notice = f"{newest.folder.name} is whole: resuming from {where}"
        LOGGER.warning("%s: %s; %s", output / FOLDER, damage[FOLDER], notice)
        _remove(output / DAMAGED)
        (output / FOLDER).rename(output / DAMAGED)
    if newest.folder.name == FRESH:
        _swap(output)
    elif newest.folder.name == OLD and not (output / FOLDER).exists():
        newest.folder.rename(output / FOLDER)


def start_of(output: Path, stage: str) -> Path:
    """Where the weights are kept with which a stage begins."""
    return output / STARTS / stage


def keep_start(output: Path, stage: str) -> None:
    """Keep the state in `checkpoint` as the start of a stage: hard links, so that it takes its room once."""
    kept = start_of(output, stage)
    if kept.is_dir():
        return
    fresh = kept.with_name(f"{stage}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(output / FOLDER, fresh, copy_function=_link)
    fresh.rename(kept)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def remove_older(output: Path) -> None:
    """Delete the state before the last one, of a training that is finished."""
    if (output / FOLDER).exists():
        _remove(output / OLD)


def find(output: Path, mark: Mark) -> SavedState | None:
    """The last whole state, if there is one. Raises TrainingError when it belongs to another recipe."""
    try:
        state = _read(output / FOLDER, checked=True)
    except DamagedError as error:
        raise TrainingError(str(error), where=str(output / FOLDER), hint=CURE.format(FOLDER)) from None
    if state is not None and state.recipe != mark.recipe:
        named = differences(state.settings, mark.settings) if state.settings else ""
        hint = "set them as they were, give --output another folder, or delete this one"
        message = "holds the training of another recipe" + (f": {named}" if named else "")
        raise TrainingError(message, where=str(output), hint=hint)
    return state


def _read(folder: Path, *, checked: bool = False) -> SavedState | None:
    """A state; None where none was sealed. `checked`: its files were compared already.

    Raises DamagedError when it was sealed and is not whole.
    """
    if not (folder / POSITION).is_file():
        # A state only gets the name `checkpoint` when it is sealed.
        if folder.name == FOLDER and folder.exists():
            raise DamagedError(f"{POSITION} is missing")
        return None
    try:
        stored = json.loads((folder / POSITION).read_text(encoding="utf-8"))
        recipe, settings, data = (stored.pop(name, {}) for name in ("recipe", "settings", "data"))
        files = {str(name): (int(entry[0]), int(entry[1])) for name, entry in stored.pop("files", {}).items()}
        position = Position(**stored)
        if not all(isinstance(number, int) and number >= 0 for number in (position.stage, position.step, position.log)):
            raise ValueError("positions are whole numbers")
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OSError) as error:
        raise DamagedError(f"{POSITION} cannot be read ({type(error).__name__}: {error})") from None
    for name, entry in files.items() if not checked else ():
        _compare(folder, name, *entry)
    return SavedState(folder, position, str(recipe), settings, data)


def _compare(folder: Path, name: str, size: int, checksum: int) -> None:
    try:
        actual = (folder / name).stat().st_size
        if actual != size:
            raise DamagedError(f"{name} has {actual:,} bytes, but {size:,} were written")
        if _checksum(folder / name) != checksum:
            raise DamagedError(f"{name} is damaged: its checksum is not the one that was written")
    except FileNotFoundError:
        raise DamagedError(f"{name} is missing") from None
    except OSError as error:
        raise DamagedError(f"{name} cannot be read: {error.strerror}") from None


def load(folder: Path, modules: Mapping[str, nn.Module], optimizer: Optimizer | None = None) -> None:
    """Put a state back; without an optimizer, the weights alone. Raises TrainingError when it does not fit."""
    from safetensors import SafetensorError

    try:
        _load(folder, modules, optimizer)
    except (SafetensorError, RuntimeError, KeyError, ValueError, FileNotFoundError) as error:
        reason = (str(error).splitlines() or [""])[0]
        message = f"cannot be put back: {type(error).__name__}: {reason}"
        raise TrainingError(message, where=str(folder), hint=CURE.format(folder.name)) from error


def _load(folder: Path, modules: Mapping[str, nn.Module], optimizer: Optimizer | None) -> None:
    from safetensors.torch import load_file

    weights = load_file(folder / WEIGHTS) if modules else {}
    for name, module in modules.items():
        own = {key.removeprefix(f"{name}/"): value for key, value in weights.items() if key.startswith(f"{name}/")}
        if own:
            module.load_state_dict({key: own.get(key, value) for key, value in module.state_dict().items()})
    if optimizer is None:
        return
    state = optimizer.state_dict()
    state["state"] = {}
    for key, value in load_file(folder / MOMENTS).items():
        index, _, field = key.partition("/")
        state["state"].setdefault(int(index), {})[field] = value
    optimizer.load_state_dict(state)


@contextmanager
def write_errors(output: Path) -> Iterator[None]:
    """Tell whatever a library raises when a file cannot be written as a TrainingError that says what to do."""
    from safetensors import SafetensorError

    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        at = f" ({error.filename})" if error.filename else ""
        full = any(word in reason.lower() for word in FULL) or isinstance(error, PermissionError | NotADirectoryError)
        message = f"cannot write: {reason}{at}" if full or isinstance(error, FileExistsError) else f"{reason}{at}"
        raise TrainingError(message, where=str(output), hint=ROOM if full else READ) from error
    except (SafetensorError, RuntimeError) as error:
        reason = (str(error).splitlines() or [""])[0]
        if not isinstance(error, SafetensorError) and not any(word in reason.lower() for word in FULL):
            raise
        raise TrainingError(f"cannot write: {reason}", where=str(output), hint=ROOM) from error


def _remove(folder: Path) -> None:
    """Delete a state, its seal first: half removed it must not look like a whole one."""
    (folder / POSITION).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _checksum(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            value = zlib.crc32(chunk, value)
    return value


def _sync(path: Path) -> None:
    """Let a file, or a folder's names, survive a power cut."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _tensors(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """All weights under `part/name`, each memory once (a tied head is its embedding table)."""
    pointers: set[int] = set()
    tensors: dict[str, Tensor] = {}
    for part, module in modules.items():
        for name, tensor in module.state_dict().items():
            if tensor.data_ptr() not in pointers or not tensor.numel():
                pointers.add(tensor.data_ptr())
                tensors[f"{part}/{name}"] = tensor.detach().contiguous()
    return tensors


def _moments(optimizer: Optimizer) -> dict[str, Tensor]:
    state: Mapping[Any, Mapping[str, Tensor]] = optimizer.state_dict()["state"]
    return {
        f"{index}/{field}": tensor.contiguous() for index, fields in state.items() for field, tensor in fields.items()
    }
