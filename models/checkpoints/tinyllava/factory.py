"""What TinyLLaVA Factory saves: the whole model, the three parts of a pretrain stage, and parts with LoRA adapters.

Source: TinyLLaVA_Factory tinyllava/training_recipe/{base,lora_recipe}.py and tinyllava/model/load_model.py@53f12c7.
There, what is saved depends on words in folder names; here, on the files that are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import ModelError

from ...parts.language.lora import ADAPTER
from .. import folder as checkpoints
from ..folder import CONFIG, FETCH, PICKLED, CheckpointFolder
from .format import ORIGIN, CheckpointFormat, origin, with_origin

if TYPE_CHECKING:
    from torch import Tensor

PARTS = {"language_model": "language_model.", "vision_tower": "vision_tower._vision_tower.", "connector": "connector."}
"""Subfolder to what stands before its names in the whole model."""
ADAPTER_CONFIG, ADAPTER_SAFE, ADAPTER_BIN = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
PEFT, BASE = "base_model.model.", ".base_layer"
PLAIN = {
    "bias": ("none",),
    "use_dora": (False,),
    "use_rslora": (False,),
    "fan_in_fan_out": (False,),
    "rank_pattern": ({},),
    "alpha_pattern": ({},),
    "modules_to_save": ([],),
    "layers_to_transform": ([],),
}
"""Settings of peft that would make another function: the value, null, or absence is what is understood here."""


def is_factory(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is Factory's."""
    return config.get("model_type") == "tinyllava"


def _parts(path: Path) -> dict[str, Path]:
    """The weight files of the parts, by part. Raises ModelError when some are missing."""
    files = {part: path / part / PICKLED for part in PARTS}
    if missing := [str(file.relative_to(path)) for file in files.values() if not file.is_file()]:
        raise ModelError(f"no {', '.join(missing)}", where=str(path), hint=FETCH)
    return files


def _has_parts(path: Path) -> bool:
    return any((path / part / PICKLED).is_file() for part in PARTS)


def _is_stage(path: Path, config: Mapping[str, Any]) -> bool:
    return is_factory(config) and _has_parts(path) and not checkpoints.has_weights(path)


def _is_lora(path: Path, config: Mapping[str, Any]) -> bool:
    return is_factory(config) and (path / ADAPTER_CONFIG).is_file()


def _open_whole(path: Path, _: Mapping[str, Any]) -> CheckpointFolder:
    return CheckpointFolder.open(path, "tinyllava")


def _open_stage(path: Path, config: Mapping[str, Any]) -> CheckpointFolder:
    files = _parts(path)
    return CheckpointFolder(
        path,
        with_origin(config, "factory_stages", config),
        checkpoints.preprocessor_of(path),
        tuple(files.values()),
        rename=lambda file, name: PARTS[file.parent.name] + name,
        format_name="factory_stages",
    )


def _open_lora(path: Path, config: Mapping[str, Any]) -> CheckpointFolder:
    files = _parts(path)
    adapter = next((path / name for name in (ADAPTER_SAFE, ADAPTER_BIN) if (path / name).is_file()), None)
    if adapter is None:
        raise ModelError(f"{ADAPTER_CONFIG} without {ADAPTER_SAFE} or {ADAPTER_BIN}", where=str(path), hint=FETCH)
    settings = checkpoints.read_json(path / ADAPTER_CONFIG)
    lora = _understood(settings, path / ADAPTER_CONFIG)
    wrapped = any(BASE in name for name in checkpoints.names_in(files["language_model"]))

    def rename(file: Path, name: str) -> str:
        if file == adapter:
            return _adapter_name(name)
        plain = PARTS[file.parent.name] + name.replace(f"{BASE}.", ".")
        layer, _, leaf = plain.rpartition(".")
        inside = layer.removeprefix(PARTS["language_model"])
        adapted = file == files["language_model"] and _is_target(inside, lora["targets"])
        return f"{layer}{BASE}.{leaf}" if adapted else plain

    return CheckpointFolder(
        path,
        with_origin({**config, "lora": lora}, "factory_lora", config, adapter_config=settings, base_layer=wrapped),
        checkpoints.preprocessor_of(path),
        (*files.values(), adapter),
        rename=rename,
        extra_files=(path / ADAPTER_CONFIG,),
        format_name="factory_lora",
    )


def _understood(settings: Mapping[str, Any], where: Path) -> dict[str, Any]:
    """peft's settings as ours. Raises ModelError for adapters of another kind."""
    if settings.get("peft_type") != "LORA":
        raise ModelError(f"peft_type {settings.get('peft_type')!r}", where=str(where), hint="adapters are LORA here")
    for name, allowed in PLAIN.items():
        if (value := settings.get(name)) is not None and value not in allowed:
            hint = "only plain LoRA is understood; merge the adapters with the official code"
            raise ModelError(f"{name} is {value!r}", where=str(where), hint=hint)
    targets = settings.get("target_modules")
    if not isinstance(targets, list) or not all(isinstance(target, str) for target in targets):
        raise ModelError("target_modules is no list of names", where=str(where), hint="write the names out")
    before = PARTS["language_model"]
    return {
        "rank": int(settings["r"]),
        "alpha": int(settings["lora_alpha"]),
        "dropout": float(settings.get("lora_dropout") or 0.0),
        "targets": sorted(target.removeprefix(before) for target in targets),
    }


def _is_target(layer: str, targets: list[str]) -> bool:
    return any(layer == target or layer.endswith(f".{target}") for target in targets)


def _adapter_name(name: str) -> str:
    """peft's name of a tensor in a file to that in a module."""
    layer, _, leaf = name.removeprefix(PEFT).rpartition(".")
    return f"{layer}.{ADAPTER}.{leaf}"


def _write_whole(target: Path, config: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    checkpoints.write_state(target, state, config=config, preprocessor=None, tokenizer=target)


def _write_stage(target: Path, config: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    if config.get("lora"):
        raise ModelError("a folder of parts holds no adapters", hint="write factory_lora")
    original = origin(config, "factory_stages").get("config") or {k: v for k, v in config.items() if k != ORIGIN}
    _write_parts(target, original, state)


def _write_lora(target: Path, config: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    if not config.get("lora"):
        raise ModelError("there are no adapters", hint="write factory or factory_stages")
    source = origin(config, "factory_lora")
    mark = f".{ADAPTER}."
    adapters = {name: tensor for name, tensor in state.items() if mark in name}
    base = {name: tensor for name, tensor in state.items() if name not in adapters}
    if not source.get("base_layer", True):
        base = {name.replace(f"{BASE}.", "."): tensor for name, tensor in base.items()}
    original = source.get("config") or {k: v for k, v in config.items() if k not in (ORIGIN, "lora")}
    _write_parts(target, original, base)
    checkpoints.write_json(target / ADAPTER_CONFIG, source.get("adapter_config") or _peft(config["lora"]))
    named = {PEFT + name.replace(mark, "."): tensor for name, tensor in adapters.items()}
    checkpoints.save_tensors(target / ADAPTER_SAFE, named)


def _peft(lora: Mapping[str, Any]) -> dict[str, Any]:
    """Our settings as peft's."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "bias": "none",
        "r": lora["rank"],
        "lora_alpha": lora["alpha"],
        "lora_dropout": lora.get("dropout", 0.0),
        "target_modules": [PARTS["language_model"] + target for target in lora["targets"]],
    }


def _write_parts(target: Path, config: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    import torch

    checkpoints.write_json(target / CONFIG, config)
    for part, before in PARTS.items():
        (target / part).mkdir(exist_ok=True)
        held = {name.removeprefix(before): tensor for name, tensor in state.items() if name.startswith(before)}
        torch.save(held, target / part / PICKLED)


def _is_whole(path: Path, config: Mapping[str, Any]) -> bool:
    return is_factory(config) and (checkpoints.has_weights(path) or not _has_parts(path))


FORMATS = {
    "factory_lora": CheckpointFormat(
        "parts with LoRA adapters, of TinyLLaVA Factory", _is_lora, _open_lora, _write_lora
    ),
    "factory": CheckpointFormat("a whole model of TinyLLaVA Factory", _is_whole, _open_whole, _write_whole),
    "factory_stages": CheckpointFormat(
        "the parts of a pretrain stage, of TinyLLaVA Factory", _is_stage, _open_stage, _write_stage
    ),
}
