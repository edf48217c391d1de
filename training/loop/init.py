"""Fresh weights for small widths.

The usual standard deviation of 0.02 is made for widths of 768 and more. At a width of 160 hardly anything flows
through such layers: measured here, a language model that starts so does not use its image at all after 500 steps.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from vlmbench.base import registry
from vlmbench.base.errors import TrainingError

from ..recipe.recipe import Init

WRITERS = ("dense", "fc2", "o_proj", "down_proj")
"""Layers that write into the residual stream, in Phi and Llama."""


@torch.no_grad()
def init_weights(parts: Mapping[str, nn.Module], init: Init) -> None:
    """Draw the weights anew, from torch's current seed."""
    model = parts["language_model"]
    depth = sum(name.endswith("self_attn") for name, _ in model.named_modules())
    tables = {id(layer.weight) for layer in model.modules() if isinstance(layer, nn.Embedding)}
    for name, module in [*model.named_modules(), *parts["connector"].named_modules()]:
        weight = getattr(module, "weight", None)
        if isinstance(module, nn.Embedding) and init.embeddings:
            module.weight.normal_(0.0, init.embeddings)
        elif isinstance(module, nn.Linear) and init.linear and id(weight) not in tables:
            writes = name.rpartition(".")[2] in WRITERS
            module.weight.normal_(0.0, init.linear / (2 * depth) ** 0.5 if writes else init.linear)
    if init.alike:
        _align_query_key(model, init.alike)


def _align_query_key(model: nn.Module, spread: float) -> None:
    """Let query and key weights start equal.

    Looking up "the star" in an image is a match by content; from equal weights attention finds it sooner (after
    mimetic initialisation, Trockman and Kolter 2023). Too large a spread locks every token onto itself: at a width of
    160, 0.04 helps and 0.1 stops all learning.
    """
    for name, module in model.named_modules():
        if name.endswith("self_attn"):
            query, key = module.get_submodule("q_proj"), module.get_submodule("k_proj")
            assert isinstance(query, nn.Linear)
            assert isinstance(key, nn.Linear)
            query.weight.normal_(0.0, spread)
            key.weight.copy_(query.weight)


TOKENIZER_FILES = ("vocab.json", "merges.txt", "tokenizer_config.json", "tokenizer.model", "tokenizer.json")
"""Files of a tokenizer."""


def part_folder(place: str) -> Path:
    """The folder of a part's weights: `tinyllava` and `tinygptv` are the small models that ship."""
    if place == "tinygptv":
        return Path(registry.load_object(registry.SHIPPED_MODELS)[place])
    return Path(registry.load_object(registry.SHIPPED)) if place == "tinyllava" else Path(place)


def copy_tokenizer(source: Path, folder: Path) -> None:
    """Copy a tokenizer, unless it is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        if (source / name).is_file() and not (folder / name).exists():
            fresh = folder / f"{name}.new"  # half a file, on a full disk, must not look like a tokenizer
            shutil.copyfile(source / name, fresh)
            fresh.replace(folder / name)


def load_part(part: nn.Module, name: str, folder: Path) -> None:
    """Take over a part's weights from a checkpoint folder, whole (`language_model.model...`) or of the part alone.

    Raises TrainingError unless every weight of the part is there and fits.
    """
    from safetensors.torch import load_file

    weights = {
        key: value for file in sorted(folder.glob("model*.safetensors")) for key, value in load_file(file).items()
    }
    whole = {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}
    own = whole or weights
    needed = {key for key, _ in part.named_parameters()}
    missing = sorted(key for key in needed if key not in own)
    state = part.state_dict()
    wrong = sorted(key for key in needed & own.keys() if own[key].shape != state[key].shape)
    if missing or wrong:
        message = (
            f"{len(missing)} weights of the {name} are missing and {len(wrong)} do not fit: {(missing + wrong)[0]}"
        )
        raise TrainingError(message, where=str(folder), hint=f"name a folder with that part: --set parts.{name}=DIR")
    part.load_state_dict({key: own.get(key, value) for key, value in state.items()})
