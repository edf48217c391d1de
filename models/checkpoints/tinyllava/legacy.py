"""TinyLLaVA's first code (branch tinyllava_bench): bczhou/TinyLLaVA-3.1B, -2.0B, -1.5B, and what that code trains.

Source: TinyLLaVA_Factory tinyllava/model/{llava_arch,language_model/*,multimodal_encoder/*,multimodal_projector/*}.py
and tinyllava/model/builder.py@2d2105f. Its Phi has a head without a bias; its SigLIP lacks the last layer and the
pooling head, is tapped at its end, and keeps every patch whatever mm_vision_select_feature says.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import ModelError

from .. import folder as checkpoints
from ..folder import CONFIG, FETCH, SAFE, CheckpointFolder
from ..key_mapping import KeyMapping
from . import towers
from .format import CheckpointFormat, origin, with_origin

if TYPE_CHECKING:
    from torch import Tensor

KINDS = {
    "TinyLlavaLlamaForCausalLM": "llama",
    "TinyLlavaStablelmForCausalLM": "stablelm",
    "TinyLlavaPhiForCausalLM": "phi",
}
"""`architectures` to the language model's model_type."""
STABLELM = {"rope_pct": "partial_rotary_factor", "norm_eps": "layer_norm_eps"}
"""What StableLM's own code called settings that transformers names otherwise."""
CONNECTORS = {"resampler": "legacy_resampler"}
"""mm_projector_type to ours, where the names differ."""
OWN = frozenset({"architectures", "auto_map", "model_type", "transformers_version", "image_aspect_ratio", "pad_token"})
OWN |= {"tokenizer_model_max_length", "tokenizer_padding_side", "resampler_hidden_size", "num_queries"}
OWN |= {"num_resampler_layers", "use_mm_proj", "tune_entire_model", "tune_vision_tower", "tune_mm_mlp_adapter"}
"""Fields that are not the language model's, beside those with mm_."""
PROJECTOR = "mm_projector.bin"
BIAS, HEAD = "language_model.lm_head.bias", "language_model.lm_head.weight"
SIGLIP = "siglip_vision_model"
OTHER_HALF = tuple(
    f"vision_tower._vision_tower.{name}"
    for name in ("text_model.", "logit_scale", "logit_bias", "visual_projection.", "text_projection.")
)
"""What the files of a whole SigLIP or CLIP hold beside the tower."""
ARCADE = "arcade100k.tiktoken"

NAMES = KeyMapping(
    [
        ("model.vision_tower.vision_tower.{rest}", "vision_tower._vision_tower.{rest}"),
        ("model.mm_projector.{rest}", "connector._connector.{rest}"),
        ("model.{rest}", "language_model.model.{rest}"),
        ("lm_head.{rest}", "language_model.lm_head.{rest}"),
    ]
)


def _kind(config: Mapping[str, Any]) -> str:
    """The language model's model_type, "" for a config of another code."""
    names = config.get("architectures") or [""]
    return KINDS.get(str(names[0]), "")


def _matches(_: Path, config: Mapping[str, Any]) -> bool:
    return bool(_kind(config))


def _open(path: Path, config: Mapping[str, Any]) -> CheckpointFolder:
    if (path / PROJECTOR).is_file() and not checkpoints.has_weights(path):
        hint = "it belongs to a language model and a vision tower: convert the three together"
        raise ModelError(f"the folder holds the projector alone ({PROJECTOR})", where=str(path), hint=hint)
    if (path / ARCADE).is_file() and not (path / "tokenizer.json").is_file():
        hint = (
            "put tokenizer.json and tokenizer_config.json of stabilityai/stablelm-2-zephyr-1_6b, the same words, here"
        )
        raise ModelError(f"the tokenizer is {ARCADE}, which needs its authors' code", where=str(path), hint=hint)
    files = checkpoints.weight_files(path)
    vision = towers.tower_of(path, str(config.get("mm_vision_tower")))
    cut = vision.get("model_type") == SIGLIP
    if cut:
        vision |= {"num_hidden_layers": _layers(path, vision, files), "vision_use_head": False}
    ours = settings(config, vision, cut=cut)

    def finish(state: dict[str, Tensor]) -> dict[str, Tensor]:
        return _with_bias(config, state)

    also = (path / towers.VISION,)
    preprocessor = checkpoints.preprocessor_of(path)
    return CheckpointFolder(path, ours, preprocessor, files, _rename, finish, extra_files=also, format_name="legacy")


def _with_bias(config: Mapping[str, Any], state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Phi's head with the bias of zeros that the first code leaves out."""
    if _kind(config) == "phi" and BIAS not in state and HEAD in state:
        head = state[HEAD]
        state[BIAS] = head.new_zeros(head.shape[0])
    return state


def _rename(_: Path, name: str) -> str:
    return NAMES.ours(name) or name


def settings(config: Mapping[str, Any], vision: Mapping[str, Any], *, cut: bool) -> dict[str, Any]:
    """Our config of a legacy one with its tower's. `cut`: the tower's files lack the last layer already.

    Raises ModelError for what is unknown here.
    """
    if config.get("mm_use_im_start_end") or config.get("mm_use_im_patch_token"):
        raise ModelError("the image has tokens of its own", where=CONFIG, hint="no published model has them")
    if "unpad" in str(config.get("mm_patch_merge_type") or "flat").split("_"):
        raise ModelError("mm_patch_merge_type unpad", where=CONFIG, hint="no published model has it")
    kind, connector = _kind(config), str(config.get("mm_projector_type") or "linear")
    text = {name: value for name, value in config.items() if name not in OWN and not name.startswith("mm_")}
    if kind == "stablelm":
        text = {STABLELM.get(name, name): value for name, value in text.items()}
    siglip = vision.get("model_type") == SIGLIP
    return with_origin(
        {
            "model_type": "tinyllava",
            "text_config": {**text, "model_type": kind},
            "vision_config": dict(vision),
            "vision_model_name_or_path": config.get("mm_vision_tower"),
            "connector_type": CONNECTORS.get(connector, connector),
            "vision_feature_layer": -1 if cut else -2 if siglip else int(config.get("mm_vision_select_layer", -2)),
            "vision_feature_select_strategy": "cls_patch"
            if siglip
            else config.get("mm_vision_select_feature", "patch"),
            "image_aspect_ratio": config.get("image_aspect_ratio") or "square",
            "tokenizer_model_max_length": config.get("tokenizer_model_max_length") or 2048,
            "tokenizer_padding_side": config.get("tokenizer_padding_side", "right"),
            "pad_token": config.get("pad_token"),
            "resampler_hidden_size": config.get("resampler_hidden_size"),
            "num_queries": config.get("num_queries"),
            "num_resampler_layers": config.get("num_resampler_layers"),
            "hidden_size": config.get("hidden_size"),
            "vocab_size": config.get("vocab_size"),
            "vision_hidden_size": vision.get("hidden_size"),
        },
        "legacy",
        config,
    )


def _layers(path: Path, vision: Mapping[str, Any], files: tuple[Path, ...]) -> int:
    """How many layers of SigLIP the files hold: all but the last. Raises ModelError for another number."""
    before = "model.vision_tower.vision_tower.vision_model.encoder.layers."
    names = (name for file in files for name in checkpoints.names_in(file))
    numbers = {name.removeprefix(before).split(".")[0] for name in names if name.startswith(before)}
    whole = int(vision["num_hidden_layers"])
    if len(numbers) not in (whole - 1, whole):
        message = f"{len(numbers)} layers of a vision tower of {whole}"
        raise ModelError(message, where=str(path), hint=f"it should hold all but the last. {FETCH}")
    return len(numbers)


def _write(target: Path, config: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    source = origin(config, "legacy")
    if not source:
        hint = "only what was read from such a folder can be written as one"
        raise ModelError("not a checkpoint of TinyLLaVA's first code", hint=hint)
    tensors = dict(state)
    if config["text_config"]["model_type"] == "phi" and bool((bias := tensors.pop(BIAS)).any()):
        hint = "the first code has no such bias: this model was trained further"
        raise ModelError(f"{BIAS} is not zero ({int(bias.count_nonzero())} of {len(bias)})", hint=hint)
    checkpoints.write_json(target / CONFIG, source["config"])
    if source["config"].get("mm_vision_tower") not in towers.PUBLISHED:
        grown = {"num_hidden_layers": config["vision_config"]["num_hidden_layers"] + 1}
        siglip = config["vision_config"]["model_type"] == SIGLIP
        checkpoints.write_json(target / towers.VISION, {**config["vision_config"], **(grown if siglip else {})})
    named = {NAMES.theirs(name) or name: tensor for name, tensor in tensors.items()}
    checkpoints.save_tensors(target / SAFE, named)


def open_projector(path: Path, *, language_model: Path, vision_tower: Path) -> CheckpointFolder:
    """A base stage: `mm_projector.bin` with the folders of the language model and the tower it was trained between.

    Raises ModelError for what is missing or unknown.
    """
    config = checkpoints.read_json(path / CONFIG)
    if not _kind(config) or not (path / PROJECTOR).is_file():
        raise ModelError(f"no {PROJECTOR} of TinyLLaVA's first code", where=str(path), hint="name the stage's folder")
    tower_config = checkpoints.read_json(vision_tower / CONFIG)
    ours = settings(config, tower_config.get("vision_config") or tower_config, cut=False)
    sources = {path / PROJECTOR: "", **dict.fromkeys(checkpoints.weight_files(language_model), "language_model.")}
    sources |= dict.fromkeys(checkpoints.weight_files(vision_tower), "vision_tower._vision_tower.")

    def rename(file: Path, name: str) -> str:
        return sources[file] + name if sources[file] else _rename(file, name)

    def finish(state: dict[str, Tensor]) -> dict[str, Tensor]:
        held = {name: tensor for name, tensor in state.items() if not name.startswith(OTHER_HALF)}
        return _with_bias(config, held)

    preprocessor = checkpoints.preprocessor_of(vision_tower)
    return CheckpointFolder(
        path,
        ours,
        preprocessor,
        tuple(sources),
        rename,
        finish,
        tokenizer_folder=language_model,
        format_name="legacy_projector",
    )


FORMATS = {"legacy": CheckpointFormat("a model of TinyLLaVA's first code", _matches, _open, _write)}
