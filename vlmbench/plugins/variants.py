"""From a published variant's name to the folder with its weights: `tinyllava:share-Sig-Phi`.

The variants are listed in models/zoo/variants.py. Their weights are looked for in the cache folder, under models/:
nothing is downloaded unasked, and an error gives the commands that do.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base import registry, settings
from vlmbench.base.errors import ModelError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping


def variants(system: str) -> Mapping[str, Any]:
    """{name after the colon: Variant of models/zoo/variants.py} of a system; empty where none is published."""
    listed = registry.load_object(registry.VARIANTS).values()
    return {variant.short: variant for variant in listed if variant.system == system}


def find_variant(spec: str) -> Any | None:
    """The variant of exactly this name, or None. Raises ModelError, with the reason, for one that cannot be built."""
    if reason := registry.load_object(registry.ABSENT).get(spec):
        raise ModelError(f"{spec} is published, but {reason}", hint=_known(spec.partition(":")[0]))
    return registry.load_object(registry.VARIANTS).get(spec)


def checkpoint(system: str, named: str | None) -> str | None:
    """What a loader is given for `--model SYSTEM:NAMED`: a folder. A folder of that name goes before a variant.

    Raises ModelError for a variant whose weights are not here, UnknownNameError for a word that is neither.
    """
    if named is not None and Path(named).expanduser().exists():
        return named
    spec = system if named is None else f"{system}:{named}"
    if (variant := find_variant(spec)) is None:
        if named is not None and (published := variants(system)):
            if Path(named).name == named:
                raise UnknownNameError(f"folder or variant of {system}", named, published)
            raise ModelError("no such folder", where=named, hint="name the folder that holds config.json")
        return named
    folder = settings.load().cache_folder / "models" / system / variant.short
    if folder.is_dir():
        return str(folder)
    raise ModelError(f"{spec} ({variant.made_of}): no weights in {folder}", hint=hint(variant, folder))


def hint(variant: Any, folder: Path) -> str:
    """How to get a variant's weights into a folder, and how to use them."""
    if variant.weights is None:
        return (
            f"its authors are not known to have published them ({_known(variant.system)}).\n"
            f"  A folder with such a model goes there, or is named: --model {variant.system}:FOLDER"
        )
    steps = [*variant.weights.steps(shlex.quote(str(folder))), f"vlmbench run --model {variant.name} --tasks pope"]
    return "\n    ".join(["get and use them:", *steps])


def _known(system: str) -> str:
    names = [name for name, variant in variants(system).items() if variant.weights is not None]
    return f"official weights of {system}: {', '.join(names)}"
