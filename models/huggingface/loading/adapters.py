"""Adapters of PEFT: a folder or hub name with adapter_config.json, and the base model that it names.

transformers opens both at once and tells the keys of one only. Here the base is opened by itself, then the adapter is
put on it, and each is held against its files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench.base.errors import ModelError

from ...checkpoints import fingerprints
from .weights import loading_info, refuse

WEIGHTS = "adapter_model.safetensors"
PROCESSOR = ("processor_config.json", "preprocessor_config.json")
PREFIX = "base_model.model."
"""Of PEFT's names in a file of weights."""
MAGNITUDE = r"\.lora_magnitude_vector\.\w+$"
"""DoRA's magnitudes in a network, but for .weight: PEFT saves them without, where transformers 5.23 misses them."""
RANKS = r"\.ranknum\.\w+$"
"""AdaLoRA's count of ranks, which PEFT does not save: a constant of adapter_config.json."""
NOWHERE = "no-adapter-here"
"""A subfolder that no checkpoint has: where transformers is told to look for an adapter when it opens the base."""


@dataclass(frozen=True)
class Adapter:
    """Where an adapter and its base are."""

    source: str
    base: str
    inside: bool = False
    """Whether the base's own files are in the same folder."""
    commit: str | None = None
    """Of a hub's adapter."""


def find(source: str) -> Adapter | None:
    """The adapter at a folder or hub name; None where there is none.

    Raises ModelError for one that names no base or has no safetensors.
    """
    from transformers.utils import cached_file, find_adapter_config_file

    config_file = find_adapter_config_file(source)
    if config_file is None:
        return None
    folder = Path(source)
    base = fingerprints.base_of(Path(config_file).parent)
    if folder.is_dir():
        if not (folder / WEIGHTS).is_file():
            raise ModelError(
                f"an adapter without {WEIGHTS}", where=source, hint="save it as safetensors (PEFT's default)"
            )
        inside = (folder / "config.json").is_file()
        return Adapter(source, source if inside else base, inside)
    if cached_file(source, WEIGHTS, _raise_exceptions_for_missing_entries=False) is None:
        raise ModelError(f"an adapter without {WEIGHTS}", where=source, hint="save it as safetensors (PEFT's default)")
    return Adapter(source, base, commit=Path(config_file).parent.name)


def processor_of(adapter: Adapter) -> str:
    """Where the processor is: with the adapter where it was saved there, else with the base.

    Raises ModelError for an adapter with a tokenizer of its own and no processor around it.
    """
    from transformers.utils import cached_file

    def has(source: str, name: str) -> str | None:
        path: str | None = cached_file(source, name, _raise_exceptions_for_missing_entries=False)
        return path

    if any(has(adapter.source, name) for name in PROCESSOR):
        return adapter.source
    own, base = has(adapter.source, "tokenizer.json"), has(adapter.base, "tokenizer.json")
    if own and (base is None or fingerprints.of_file(Path(own)) != fingerprints.of_file(Path(base))):
        hint = "save the processor there: processor.save_pretrained(...)"
        raise ModelError("an adapter with a tokenizer of its own but no processor", where=adapter.source, hint=hint)
    return adapter.base


def put_on(model: Any, adapter: Adapter) -> None:
    """Load the adapter into its base. Raises ModelError unless all of its weights find their place, and fill it."""
    from transformers.modeling_utils import LoadStateDictConfig

    revision = {"revision": adapter.commit} if adapter.commit else {}
    info = model.load_adapter(
        adapter.source,
        load_config=LoadStateDictConfig(ignore_mismatched_sizes=True, use_safetensors=True),
        adapter_kwargs=revision,
    )
    try:
        refuse(_completed(model, loading_info(info), adapter), model, where=adapter.source)
    except ModelError as error:
        message = f"{error.what} (an adapter for {adapter.base})"
        hint = "train it on this base, or name the base that it was trained on in adapter_config.json"
        raise ModelError(message, where=adapter.source, hint=hint) from None


def _completed(model: Any, info: Mapping[str, Any], adapter: Adapter) -> dict[str, Any]:
    """Fill in what transformers passes over of a sound adapter (MAGNITUDE, RANKS); what then still does not fit."""
    import torch
    from safetensors import safe_open
    from transformers.utils import cached_file

    missing, unexpected = set(info.get("missing_keys") or ()), set(info.get("unexpected_keys") or ())
    missing -= {key for key in missing if re.search(RANKS, key)}
    magnitudes = [key for key in unexpected if re.search(MAGNITUDE, key) and f"{key}.weight" in missing]
    if magnitudes:
        path = cached_file(adapter.source, WEIGHTS, revision=adapter.commit)
        with safe_open(path, framework="pt") as opened, torch.no_grad():
            names = {name.removeprefix(PREFIX): name for name in opened.keys()}  # noqa: SIM118
            for key in magnitudes:
                name, target = names.get(key.rpartition(".")[0]), model.get_parameter(f"{key}.weight")
                if name is not None and opened.get_slice(name).get_shape() == list(target.shape):
                    target.copy_(opened.get_tensor(name))
                    missing.remove(f"{key}.weight")
                    unexpected.remove(key)
    return {**info, "missing_keys": missing, "unexpected_keys": unexpected}
