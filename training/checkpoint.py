"""A training's state on disk: written aside and renamed, so that a kill at any moment leaves a whole one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from vlmbench.errors import TrainingError

FOLDER, FRESH = "checkpoint", "checkpoint.new"


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


def save(
    output: Path, position: Position, modules: Mapping[str, nn.Module], optimizer: Optimizer | None, mark: str
) -> None:
    """Write the state; `mark` tells the recipe that it belongs to."""
    from safetensors.torch import save_file

    fresh = prepare(output)
    save_file(_tensors(modules), fresh / "weights.safetensors")
    if optimizer is not None:
        save_file(_moments(optimizer), fresh / "optimizer.safetensors")
    seal(output, fresh, position, mark)


def prepare(output: Path) -> Path:
    """An empty folder for a new state."""
    fresh = output / FRESH
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    return fresh


def seal(output: Path, fresh: Path, position: Position, mark: str) -> None:
    """Make the new state the training's own: from now on, after a kill, the training goes on from here."""
    (fresh / "position.json").write_text(json.dumps({**asdict(position), "recipe": mark}), encoding="utf-8")
    for path in (found for found in fresh.rglob("*") if found.is_file()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    _swap(output, fresh)


def _swap(output: Path, fresh: Path) -> None:
    """Put the new folder in the old one's place. A kill in between leaves the old one under another name."""
    old, current = output / f"{FOLDER}.old", output / FOLDER
    shutil.rmtree(old, ignore_errors=True)
    if current.exists():
        current.rename(old)
    fresh.rename(current)
    shutil.rmtree(old, ignore_errors=True)


def find(output: Path, mark: str) -> tuple[Path, Position] | None:
    """The last whole state, if there is one. Raises TrainingError when it belongs to another recipe."""
    for name in (FOLDER, f"{FOLDER}.old"):
        folder = output / name
        if (folder / "position.json").is_file():
            stored = json.loads((folder / "position.json").read_text(encoding="utf-8"))
            if stored.pop("recipe") != mark:
                cure = "give --output another folder, or delete this one"
                raise TrainingError("holds the training of another recipe", where=str(output), cure=cure)
            return folder, Position(**stored)
    return None


def load(folder: Path, modules: Mapping[str, nn.Module], optimizer: Optimizer | None = None) -> None:
    """Put a state back; without an optimizer, the weights alone."""
    from safetensors.torch import load_file

    weights = load_file(folder / "weights.safetensors")
    for name, module in modules.items():
        own = {key.removeprefix(f"{name}/"): value for key, value in weights.items() if key.startswith(f"{name}/")}
        if own:
            module.load_state_dict({key: own.get(key, value) for key, value in module.state_dict().items()})
    if optimizer is None:
        return
    state = optimizer.state_dict()
    state["state"] = {}
    for key, value in load_file(folder / "optimizer.safetensors").items():
        index, _, field = key.partition("/")
        state["state"].setdefault(int(index), {})[field] = value
    optimizer.load_state_dict(state)


def _tensors(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """All weights under `part/name`, each memory once (a tied head is its embedding table)."""
    seen: set[int] = set()
    found: dict[str, Tensor] = {}
    for part, module in modules.items():
        for name, tensor in module.state_dict().items():
            if tensor.data_ptr() not in seen or not tensor.numel():
                seen.add(tensor.data_ptr())
                found[f"{part}/{name}"] = tensor.detach().contiguous()
    return found


def _moments(optimizer: Optimizer) -> dict[str, Tensor]:
    state: Mapping[Any, Mapping[str, Tensor]] = optimizer.state_dict()["state"]
    return {
        f"{index}/{field}": tensor.contiguous() for index, fields in state.items() for field, tensor in fields.items()
    }
