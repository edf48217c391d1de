"""Checkpoint folders in the layout of TinyLLaVA Factory: read without any hub, every key accounted for, and written.

config.json (model_type, text_config, vision_config), model.safetensors or its shards or pytorch_model.bin, tokenizer
files, and, where the publisher added one, preprocessor_config.json. The MiniGPT family's own folders look the same.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from vlmbench.base.errors import ModelError, VlmbenchError

from ..network import pruning
from ..network.network import VisionLanguageModel, tie, ties
from ..network.system import BaseSystem
from ..parts.language import weight_names as names
from ..parts.language.tokenizer import FILES as TOKENIZER_FILES
from ..parts.quiet_import import import_transformers

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
SAFE, SAFE_INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED, PICKLED_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"

FETCH = "fetch the checkpoint again: the download may be incomplete"
System = TypeVar("System", bound=BaseSystem)

SHOWN = 6
"""How many names of a long list an error shows."""


@dataclass(frozen=True, slots=True)
class CheckpointFolder:
    """A folder whose config and weight files were found; the weights are not read yet."""

    path: Path
    config: Mapping[str, Any]
    """Our config, whatever format the folder has."""
    preprocessor: Mapping[str, Any] | None
    weights: tuple[Path, ...]
    rename: Callable[[Path, str], str] = lambda file, name: name
    """A weight file and a name in it to our name."""
    finish: Callable[[dict[str, Tensor]], dict[str, Tensor]] = lambda state: state
    """What else makes the folder's tensors ours, once they are all together."""
    tokenizer_folder: Path | None = None
    """The folder of the tokenizer, where it is another."""
    extra_files: tuple[Path, ...] = ()
    """Further files that decide answers: part of the fingerprint."""
    format_name: str = "native"
    """The name of its format: `native`, or one of tinyllava/detect.py."""

    @classmethod
    def open(cls, path: Path, system: str) -> CheckpointFolder:
        """`system`: the model_type it must be of. Raises ModelError for a folder that is missing, is of another system,
        or lacks files.
        """
        if not path.is_dir():
            raise ModelError("no such folder", where=str(path), hint="name the folder that holds config.json")
        config = read_json(path / CONFIG)
        if config.get("model_type") != system:
            raise ModelError(
                f"model_type is {config.get('model_type')!r}, not {system!r}",
                where=str(path / CONFIG),
                hint="another system's checkpoint, or in another format: `vlmbench convert` reads the official ones",
            )
        for part in ("text_config", "vision_config"):
            if not isinstance(config.get(part), Mapping):
                raise ModelError(f"no {part}", where=str(path / CONFIG), hint="it is needed to build the network")
        return cls(path, config, preprocessor_of(path), weight_files(path))

    @property
    def tokenizer(self) -> Path:
        """The folder of the tokenizer files."""
        return self.tokenizer_folder or self.path

    def fingerprint(self) -> str:
        """SHA-256 over weights, tokenizer and configs: file names and contents, in name order."""
        candidates = [*(self.path / name for name in (CONFIG, PREPROCESSOR)), *self.extra_files]
        candidates += [self.tokenizer / name for name in TOKENIZER_FILES]
        files = {*self.weights, *(file for file in candidates if file.is_file())}
        digest = hashlib.sha256()
        for file in sorted(files):
            with file.open("rb") as stream:
                digest.update(f"{file.name}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
        return digest.hexdigest()

    def state(self) -> dict[str, Tensor]:
        """Read all tensors under our names, as they are stored. Raises ModelError for damaged files."""
        state: dict[str, Tensor] = {}
        for file in self.weights:
            for name, tensor in read(file).items():
                if (ours := self.rename(file, name)) in state:
                    raise ModelError(f"{ours} is there twice", where=str(file), hint=FETCH)
                state[ours] = tensor
        return self.finish(state)

    def load_into(self, network: VisionLanguageModel, *, dtype: torch.dtype | None = None) -> None:
        """Load these weights into a network, in `dtype` (None: float32).

        Raises ModelError for damaged files and for keys that do not fit.
        """
        state = {names.to_module(name): tensor for name, tensor in self.state().items()}
        network.ignored_tensors = assign_state(network, state, where=str(self.path), dtype=dtype)


def build_system(folder: CheckpointFolder, construct: Callable[[], System], dtype: torch.dtype | None = None) -> System:
    """Build a system without initialising weights, and load the folder's, in `dtype` (None: float32).

    Raises ModelError for a config from which nothing can be built, and as `load_into`.
    """
    import_transformers()
    from transformers.initialization import no_init_weights

    try:
        with no_init_weights():  # drawing initial weights would take minutes at full size
            system = construct()
    except VlmbenchError:
        raise
    except Exception as error:  # whatever transformers makes of a config that lacks or contradicts something
        message = f"no network can be built from it: {type(error).__name__}: {error}"
        raise ModelError(message, where=str(folder.path / CONFIG), hint=FETCH) from error
    folder.load_into(system.network, dtype=dtype)
    system.network.eval()
    return system


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file. Raises ModelError naming the file."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ModelError(f"no {path.name}", where=str(path.parent), hint="a checkpoint folder holds one") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"cannot be read: {error}", where=str(path), hint=FETCH) from None
    if not isinstance(content, dict):
        raise ModelError("not a JSON object", where=str(path), hint=FETCH)
    return content


def preprocessor_of(path: Path) -> dict[str, Any] | None:
    """A folder's preprocessor_config.json, None without one. Raises ModelError when it is damaged."""
    return read_json(path / PREPROCESSOR) if (path / PREPROCESSOR).is_file() else None


def has_weights(path: Path) -> bool:
    """Whether a folder itself holds weights, whole or in shards."""
    return any((path / name).is_file() for name in (SAFE, SAFE_INDEX, PICKLED, PICKLED_INDEX))


def weight_files(path: Path) -> tuple[Path, ...]:
    """The weight files of a folder: one, or the shards an index lists; safetensors first."""
    for whole, index in ((SAFE, SAFE_INDEX), (PICKLED, PICKLED_INDEX)):
        if (path / index).is_file():
            shards = read_json(path / index).get("weight_map")
            if not isinstance(shards, dict) or not shards:
                raise ModelError("no weight_map", where=str(path / index), hint=FETCH)
            files = sorted({path / Path(str(name)).name for name in shards.values()})
            if missing := [file.name for file in files if not file.is_file()]:
                raise ModelError(f"shards are missing: {_some(missing)}", where=str(path), hint=FETCH)
            return tuple(files)
        if (path / whole).is_file():
            return (path / whole,)
    raise ModelError("no weights", where=str(path), hint=f"it needs {SAFE}, {SAFE_INDEX} or {PICKLED}")


def read(file: Path) -> dict[str, Tensor]:
    """Read one weight file: name to tensor. Raises ModelError when it is damaged, or holds anything but tensors."""
    if file.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return dict(load_file(file))
        except (SafetensorError, OSError) as error:
            raise ModelError(f"damaged weights: {error}", where=str(file), hint=FETCH) from None
    import pickle

    import torch

    try:
        # Mapped, not copied, where the file's format allows it.
        state = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except pickle.UnpicklingError:
        hint = "take a .safetensors version: loading this one could run whatever it contains"
        raise ModelError("damaged, or holds code beside weights", where=str(file), hint=hint) from None
    except Exception as error:  # torch's zip reader raises RuntimeError, EOFError, KeyError, OSError, ...
        raise ModelError(f"damaged weights: {error}", where=str(file), hint=FETCH) from None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ModelError("not a table of tensors", where=str(file), hint=FETCH)
    return state


def names_in(file: Path) -> set[str]:
    """Read the names in a weight file; of a safetensors file only the header. Raises ModelError when it is damaged."""
    if file.suffix != ".safetensors":
        return set(read(file))
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as opened:
            return set(opened.keys())
    except (SafetensorError, OSError) as error:
        raise ModelError(f"damaged weights: {error}", where=str(file), hint=FETCH) from None


def assign_state(
    network: nn.Module, state: dict[str, Tensor], *, where: str, dtype: torch.dtype | None = None
) -> dict[str, Tensor]:
    """Assign a state dict to a network, in `dtype` (None: float32), and empty it, which frees memory while copying.

    Of tied parameters one name is enough. Returns the tensors that follow from the config and were ignored. Raises
    ModelError listing missing, unexpected and misshapen tensors.
    """
    import torch

    expected, tied = network.state_dict(), ties(network)
    following = [name for name in state if name not in expected and names.FOLLOWING.search(name)]
    ignored_tensors = {name: state.pop(name) for name in following}
    misshapen = [
        f"{name} {list(tensor.shape)} instead of {list(expected[name].shape)}"
        for name, tensor in state.items()
        if name in expected and tensor.shape != expected[name].shape
    ]
    problems = {
        "missing": sorted(expected.keys() - state.keys() - tied.keys()),
        "unexpected": sorted(state.keys() - expected.keys()),
        "of another shape": sorted(misshapen),
    }
    complaints = [f"{len(some)} {kind}: {_some(some)}" for kind, some in problems.items() if some]
    if complaints:
        hint = "the weights do not belong to this config.json, or are incomplete"
        names_of_problems = {*problems["missing"], *problems["unexpected"], *(text.split()[0] for text in misshapen)}
        if all(map(pruning.belongs_to_layers, names_of_problems)):
            hint = "heads, neurons or layers differ, as before and after pruning: take the config.json of these weights"
        raise ModelError(f"weights do not fit ({'; '.join(complaints)})", where=where, hint=hint)
    del expected
    while state:
        name, tensor = state.popitem()
        module, _, last = name.rpartition(".")
        owner, value = network.get_submodule(module), tensor.to(dtype or torch.float32)
        if last in owner._parameters:
            owner._parameters[last] = torch.nn.Parameter(value)
        else:
            owner._buffers[last] = value
        del tensor, value
    tie(network, tied)
    return ignored_tensors


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def write(
    path: Path,
    network: VisionLanguageModel,
    *,
    config: Mapping[str, Any],
    preprocessor: Mapping[str, Any] | None,
    tokenizer: Path,
    file_name: Callable[[str], str] = lambda name: name,
) -> None:
    """Write a network's checkpoint folder; `tokenizer` is the folder its tokenizer files are copied from, `file_name`
    the name that a module's tensor has in the file. Raises ModelError when it cannot be written.
    """
    doubled = ties(network)
    state = {name: t.detach().contiguous() for name, t in network.state_dict().items() if name not in doubled}
    state |= network.ignored_tensors
    named = {file_name(name): tensor for name, tensor in state.items()}
    write_state(path, named, config=config, preprocessor=preprocessor, tokenizer=tokenizer)


def write_state(
    path: Path,
    state: Mapping[str, Tensor],
    *,
    config: Mapping[str, Any],
    preprocessor: Mapping[str, Any] | None,
    tokenizer: Path,
) -> None:
    """Write a checkpoint folder from tensors, as they are.

    Weights appear last and at once, so that a killed save leaves no half checkpoint. Raises ModelError when it cannot
    be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        write_json(path / CONFIG, config)
        if preprocessor is not None:
            write_json(path / PREPROCESSOR, preprocessor)
        copy_tokenizer(tokenizer, path)
        unfinished = path / f"{SAFE}.part"
        save_tensors(unfinished, state)
        unfinished.replace(path / SAFE)
    except OSError as error:
        raise ModelError(f"cannot be written: {error}", where=str(path), hint="give a writable folder") from None


def save_tensors(file: Path, state: Mapping[str, Tensor]) -> None:
    """Write a safetensors file. Tensors that are one in memory (a tied head in a .bin) are written as often as they are
    named: the format has no other way. Raises OSError.
    """
    from safetensors.torch import save_file

    apart, storages = {}, set()
    for name, tensor in state.items():
        place = tensor.untyped_storage().data_ptr()
        apart[name] = tensor.clone() if place in storages else tensor.contiguous()
        storages.add(place)
    save_file(apart, file, metadata={"format": "pt"})


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy what there is of a tokenizer's files. Raises OSError."""
    for name in TOKENIZER_FILES:
        if (source / name).is_file() and source.resolve() != target.resolve():
            shutil.copyfile(source / name, target / name)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON as transformers does. Raises OSError."""
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")
