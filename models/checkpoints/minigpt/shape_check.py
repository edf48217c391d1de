"""Whether tensors fit a config: compared with a network that has names and shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from vlmbench.base.errors import ModelError, VlmbenchError

from ...network.network import Blueprint, VisionLanguageModel, ties
from ...parts.language import weight_names as names
from ...parts.quiet_import import modelling
from .names import some


def bare(blueprint: Callable[[], Blueprint], where: Path) -> VisionLanguageModel:
    """A network without weights. Raises ModelError when none can be built."""
    modelling()
    try:
        with torch.device("meta"):
            return VisionLanguageModel(blueprint())
    except VlmbenchError:
        raise
    except Exception as error:  # whatever transformers makes of a config that lacks or contradicts something
        what = f"no network can be built: {type(error).__name__}: {error}"
        raise ModelError(what, where=str(where), hint="is it the right file?") from error


def problems(network: VisionLanguageModel, tensors: Mapping[str, Tensor]) -> dict[str, list[str]]:
    """Names that are `missing`, `unexpected` and `of another shape`. Of parameters that are one, one name is enough;
    what follows from the config is read over.
    """
    wanted, doubled = network.state_dict(), ties(network)
    given = {names.to_module(name): tensor for name, tensor in tensors.items()}
    known = [name for name in given if name in wanted or not names.FOLLOWING.search(name)]
    return {
        "missing": sorted(wanted.keys() - given.keys() - doubled.keys()),
        "unexpected": sorted(name for name in known if name not in wanted),
        "of another shape": sorted(
            name for name in known if name in wanted and given[name].shape != wanted[name].shape
        ),
    }


def check(network: VisionLanguageModel, tensors: Mapping[str, Tensor], where: Path) -> None:
    """Raises ModelError, listing them, when there are problems."""
    told = [f"{len(found)} {kind}: {some(found)}" for kind, found in problems(network, tensors).items() if found]
    if told:
        hint = "the weights do not belong to this config, or are incomplete: fetch them again"
        raise ModelError(f"weights do not fit ({'; '.join(told)})", where=str(where), hint=hint)
