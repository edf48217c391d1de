"""Whether tensors fit a config: compared with a network on the meta device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from vlmbench.base.errors import ModelError, VlmbenchError

from ...network.network import Blueprint, VisionLanguageModel, ties
from ...parts.language import weight_names as names
from ...parts.quiet_import import import_transformers
from .names import some


def meta_network(blueprint: Callable[[], Blueprint], where: Path) -> VisionLanguageModel:
    """Build a network without weights, on the meta device. Raises ModelError when none can be built."""
    import_transformers()
    try:
        with torch.device("meta"):
            return VisionLanguageModel(blueprint())
    except VlmbenchError:
        raise
    except Exception as error:  # whatever transformers makes of a config that lacks or contradicts something
        message = f"no network can be built: {type(error).__name__}: {error}"
        raise ModelError(message, where=str(where), hint="is it the right file?") from error


def shape_problems(network: VisionLanguageModel, tensors: Mapping[str, Tensor]) -> dict[str, list[str]]:
    """Names that are `missing`, `unexpected` and `of another shape`. Of tied parameters one name is enough;
    what follows from the config is read over.
    """
    expected, tied = network.state_dict(), ties(network)
    renamed = {names.to_module(name): tensor for name, tensor in tensors.items()}
    known = [name for name in renamed if name in expected or not names.FOLLOWING.search(name)]
    return {
        "missing": sorted(expected.keys() - renamed.keys() - tied.keys()),
        "unexpected": sorted(name for name in known if name not in expected),
        "of another shape": sorted(
            name for name in known if name in expected and renamed[name].shape != expected[name].shape
        ),
    }


def check(network: VisionLanguageModel, tensors: Mapping[str, Tensor], where: Path) -> None:
    """Raises ModelError, listing them, when there are problems."""
    complaints = [
        f"{len(listed)} {kind}: {some(listed)}" for kind, listed in shape_problems(network, tensors).items() if listed
    ]
    if complaints:
        hint = "the weights do not belong to this config, or are incomplete: fetch them again"
        raise ModelError(f"weights do not fit ({'; '.join(complaints)})", where=str(where), hint=hint)
