"""Our checkpoints of the MiniGPT family back into the official files: the .pth, and what it builds on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vlmbench.base.errors import ModelError

from ...parts import reshaping
from .. import folder as checkpoints
from ..checkpoint import Checkpoint
from .names import BUFFER, PRESERVED, checkpoint_keys, fused, ours_to_official, prefix, some

CHECKPOINT, EVA, BLIP2, LANGUAGE = "checkpoint.pth", "eva_vit_g.pth", "blip2_pretrained_flant5xxl.pth", "llm"
"""Names in the folder that is written: those that the official code and configs know."""
BERT_POSITIONS = 512

_EVA = re.compile(r"visual_encoder\..+")
_BLIP2 = re.compile(r"query_tokens|Qformer\..+|ln_vision\..+")
_ADDED = re.compile(r".+\.lora_[AB]\.weight|.+\.self_attn\.(?:[qk]_layernorm|rotary_emb)\..+|.+\.post_layernorm\..+")
"""In a language model: what the family puts in, and no language model's own file holds."""
_AT_START = re.compile(r"ln_vision\..+|llama_model\..+\.(?:[qk]_layernorm|post_layernorm)\.(?:weight|bias)")
"""Norms that the official code leaves at weights 1 and biases 0 where no file holds them."""


def write(source: Checkpoint, target: Path) -> tuple[Path, ...]:
    """Write the .pth alone to a name that ends so, else a folder with its source files beside it.

    A checkpoint that was read from official files gets the keys these had; any other those that the official training
    saves. Raises ModelError for what the format cannot hold, or when nothing can be written.
    """
    if lost := reshaping.key_biases(source.tensors):
        message = f"{len(lost)} biases of keys are not zero, and the official tower has none: {some(lost)}"
        raise ModelError(message, hint="keep it in our own format")
    if pruned := _other_head_widths(source.config):
        raise ModelError(pruned, hint="a model with fewer heads is kept in our own format")
    config = source.config
    official = {**_buffers(config), **ours_to_official(source.tensors, config)}
    keys = _keys(source, official)
    if gone := sorted({name for names in keys.values() for name in names} - official.keys() - _split_names(keys)):
        raise ModelError(f"{len(gone)} tensors that the official files had are gone: {some(gone)}")
    whole = not target.name.endswith(".pth")
    written = {name for part in ("vit", "qformer", "llm") for name in keys.get(part, ())}
    rest = [name for name in official if name not in written and not _reappears(name, official[name], keys)]
    keys["checkpoint"] = [*keys["checkpoint"], *(name for name in rest if name not in keys["checkpoint"])]
    try:
        if not whole:
            _save_checkpoint(source, official, keys["checkpoint"], target)
            return (target,)
        return _write_folder(source, official, keys, target)
    except OSError as error:
        raise ModelError(f"cannot be written: {error}", where=str(target), hint="give a writable place") from None


def _other_head_widths(config: Mapping[str, Any]) -> str:
    """Where heads were taken out: the official code, which takes a head's width from the others, cannot build that."""
    for part in ("vision_config", "text_config"):
        told = config[part]
        width, hidden, heads = (told.get(name) for name in ("head_dim", "hidden_size", "num_attention_heads"))
        if width and width * heads != hidden:
            return f"{part} has {heads} heads of {width} in {hidden} numbers, and the official code needs all of them"
    return ""


def _keys(source: Checkpoint, official: Mapping[str, Tensor]) -> dict[str, list[str]]:
    """By file: the names it gets."""
    if recorded := source.record.get("keys"):
        return {part: list(names) for part, names in recorded.items()}
    config, trained = source.config, checkpoint_keys(source.tensors, source.config)
    before = prefix(config)
    has_qformer = config["connector_type"] != "merge4_linear"
    return {
        "vit": [name for name in official if _EVA.fullmatch(name)],
        "qformer": [name for name in official if has_qformer and _BLIP2.fullmatch(name)],
        "llm": [name for name in official if name.startswith(before) and not _ADDED.fullmatch(name)],
        "checkpoint": [*trained, *(name for name in official if BUFFER.fullmatch(name) and name not in trained)],
    }


def _split_names(keys: Mapping[str, list[str]]) -> set[str]:
    """Projections that a language model's file had apart although the official class has them in one."""
    return {name for name in keys.get("llm", ()) if reshaping.SPLIT.fullmatch(name)}


def _reappears(name: str, tensor: Tensor, keys: Mapping[str, list[str]]) -> bool:
    """Whether the official code has this value although no file holds it."""
    if BUFFER.fullmatch(name):
        return True
    if (match := reshaping.FUSED.fullmatch(name)) and f"{match[1]}q_proj.{match[2]}" in keys.get("llm", ()):
        return True
    if not _AT_START.fullmatch(name):
        return False
    return bool((tensor == (1 if name.endswith(".weight") else 0)).all())


def _buffers(config: Mapping[str, Any]) -> dict[str, Tensor]:
    """What every official checkpoint holds although it follows from the config, computed as the official code does."""
    text, buffers = config["text_config"], {}
    if text["model_type"] == "llama":
        width = int(text.get("head_dim") or text["hidden_size"] // text["num_attention_heads"])
        base = float(text.get("rope_theta") or 10000.0)
        table = 1.0 / (base ** (torch.arange(0, width, 2).float() / width))
        inside = "self_attn.rotary_emb.inv_freq"
        for layer in range(int(text["num_hidden_layers"])):
            buffers[f"{prefix(config)}model.layers.{layer}.{inside}"] = table.clone()
    if config["connector_type"] != "merge4_linear":
        length = int(config.get("qformer_config", {}).get("max_position_embeddings", BERT_POSITIONS))
        buffers["Qformer.bert.embeddings.position_ids"] = torch.arange(length).expand(1, -1)
    return buffers


def _save_checkpoint(source: Checkpoint, official: Mapping[str, Tensor], keys: Iterable[str], target: Path) -> None:
    beside = source.record.get("beside", {})
    content = {
        # A copy each: of a view torch would save all it is a part of.
        "model": {name: official[name].detach().clone() for name in keys},
        "optimizer": None,
        "config": beside.get("config", {}),
        "scaler": None,
        "epoch": beside.get("epoch", 0),
    }
    _save(content, target)


def _save(content: Mapping[str, Any], target: Path) -> None:
    try:
        torch.save(content, target)
    except RuntimeError as error:  # torch's own writer says so of a full disk
        raise OSError(str(error)) from None


def _write_folder(
    source: Checkpoint, official: Mapping[str, Tensor], keys: Mapping[str, list[str]], target: Path
) -> tuple[Path, ...]:
    target.mkdir(parents=True, exist_ok=True)
    config, paths = source.config, [target / CHECKPOINT]
    _save_checkpoint(source, official, keys["checkpoint"], target / CHECKPOINT)
    preserved = {
        name.removeprefix(PRESERVED): tensor for name, tensor in source.tensors.items() if name.startswith(PRESERVED)
    }

    def part(name: str) -> dict[str, Tensor]:
        """A file's tensors: as they were where a later file overruled them."""
        return {
            tensor_name: preserved.get(f"{name}.{tensor_name}", official[tensor_name]).detach().contiguous()
            for tensor_name in keys.get(name, ())
        }

    if eva := part("vit"):
        named = {name.removeprefix("visual_encoder."): tensor.clone() for name, tensor in eva.items()}
        _save(named, target / EVA)
        paths.append(target / EVA)
    if blip2 := part("qformer"):
        _save({"model": {name: tensor.clone() for name, tensor in blip2.items()}}, target / BLIP2)
        paths.append(target / BLIP2)
    if fused(config) and _split_names(keys):
        heads = int(config["text_config"]["num_attention_heads"])
        official = {**official, **reshaping.split_fused(official, heads)}
    language = {_own_name(name, config): tensor for name, tensor in part("llm").items()}
    folder = target / LANGUAGE
    language_config = source.record.get("llm_config") or {
        n: v for n, v in config["text_config"].items() if n != "qk_layernorm"
    }
    checkpoints.write_state(folder, language, config=language_config, preprocessor=None, tokenizer=source.tokenizer)
    return (*paths, folder)


def _own_name(name: str, config: Mapping[str, Any]) -> str:
    """A language model's name inside the whole model to its own."""
    return re.sub(r"^lm_head\.0\.", "lm_head.", name.removeprefix(prefix(config)))
