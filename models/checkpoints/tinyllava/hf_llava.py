"""LLaVA as transformers' own class keeps it (LlavaForConditionalGeneration): bczhou/tiny-llava-v1-hf.

Sources: transformers models/llava/{configuration,modeling}_llava.py, versions 4 and 5, whose files differ in names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import ModelError

from .. import folder as checkpoints
from ..folder import CONFIG, SAFE, CheckpointFolder
from ..key_mapping import KeyMapping
from .format import CheckpointFormat, origin, with_origin

if TYPE_CHECKING:
    from torch import Tensor

PROCESSOR = "processor_config.json"
"""Where transformers 5 keeps what version 4 wrote into preprocessor_config.json."""
SELECTIONS = {"default": "patch", "full": "cls_patch"}
TEMPLATE = "llava_hf"
INSIDE = re.compile(r"(model\.)?vision_tower\.(vision_model\.)?.+")
"""A tower's name: whether all lies under `model.`, as in the class itself, and whether the tower keeps the prefix of
transformers 4."""


def _matches(_: Path, config: Mapping[str, Any]) -> bool:
    return config.get("model_type") == "llava" and config.get("architectures") == ["LlavaForConditionalGeneration"]


def _table(nested: bool, prefixed: bool) -> KeyMapping:
    """Names of files to ours. `nested`: under `model.`; `prefixed`: the tower's under `vision_model.`."""
    before, inside = "model." if nested else "", "vision_model." if prefixed else ""
    projector, ours = f"{before}multi_modal_projector.linear_", "connector._connector."
    language = [("lm_head.{rest}", "language_model.lm_head.{rest}")] if nested else []
    language.append((f"{before}language_model.{{rest}}", f"language_model.{before}{{rest}}"))
    return KeyMapping(
        [
            (f"{before}vision_tower.{inside}{{rest}}", "vision_tower._vision_tower.vision_model.{rest}"),
            (f"{projector}1.{{leaf}}", f"{ours}0.{{leaf}}"),
            (f"{projector}2.{{leaf}}", f"{ours}2.{{leaf}}"),
            *language,
        ]
    )


def _open(path: Path, config: Mapping[str, Any]) -> CheckpointFolder:
    files = checkpoints.weight_files(path)
    matches = [INSIDE.fullmatch(name) for file in files for name in checkpoints.names_in(file)]
    layout = {"nested": any(m and m[1] for m in matches), "prefixed": any(m and m[2] for m in matches)}
    table = _table(**layout)
    return CheckpointFolder(
        path,
        with_origin(settings(config, path), "hf_llava", config, **layout),
        _preprocessor(path),
        files,
        rename=lambda file, name: table.ours(name) or name,
        extra_files=(path / PROCESSOR,),
        format_name="hf_llava",
    )


def _preprocessor(path: Path) -> dict[str, Any] | None:
    if (path / PROCESSOR).is_file():
        nested = checkpoints.read_json(path / PROCESSOR).get("image_processor")
        if isinstance(nested, dict):
            return nested
    return checkpoints.preprocessor_of(path)


def settings(config: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Our config of transformers'. Raises ModelError for what no TinyLLaVA has."""
    from transformers import AutoConfig

    where, hint = str(path / CONFIG), "take a checkpoint of TinyLLaVA, or of LLaVA 1.5"
    text, vision = config.get("text_config"), config.get("vision_config")
    if not isinstance(text, Mapping) or not isinstance(vision, Mapping):
        raise ModelError("no text_config or no vision_config", where=where, hint=hint)
    layer, act = config.get("vision_feature_layer", -2), config.get("projector_hidden_act", "gelu")
    strategy = config.get("vision_feature_select_strategy", "default")
    if act != "gelu" or not isinstance(layer, int) or not config.get("multimodal_projector_bias", True):
        raise ModelError("a projector that is not LLaVA's", where=where, hint=hint)
    if strategy not in SELECTIONS:
        hint = f"there are: {', '.join(SELECTIONS)}"
        raise ModelError(f"no vision_feature_select_strategy {strategy!r}", where=where, hint=hint)
    try:  # these files leave out what is as transformers has it
        whole = {**AutoConfig.for_model(**vision).to_dict(), **vision}
    except Exception as error:
        raise ModelError(f"vision_config: {type(error).__name__}: {error}", where=where, hint=hint) from None
    return {
        "model_type": "tinyllava",
        "text_config": dict(text),
        "vision_config": whole,
        "connector_type": "mlp2x_gelu",
        "vision_feature_layer": layer,
        "vision_feature_select_strategy": SELECTIONS[strategy],
        "image_aspect_ratio": "square",
        "tokenizer_model_max_length": int(text.get("max_position_embeddings") or 2048),
        "conv_version": TEMPLATE,
        "vision_hidden_size": whole.get("hidden_size"),
    }


def _write(target: Path, config: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    source = origin(config, "hf_llava")
    if not source:
        hint = "only what was read from such a folder can be written as one"
        raise ModelError("not a checkpoint of transformers' own class", hint=hint)
    table = _table(bool(source["nested"]), bool(source["prefixed"]))
    checkpoints.write_json(target / CONFIG, source["config"])
    named = {table.theirs(name) or name: tensor for name, tensor in state.items()}
    checkpoints.save_tensors(target / SAFE, named)


FORMATS = {"hf_llava": CheckpointFormat("LLaVA in transformers' own class", _matches, _open, _write)}
