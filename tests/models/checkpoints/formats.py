"""Official folders of each form of TinyLLaVA, at toy size: their names are written down here once more, by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.models.tiny import build, config
from vlmbench.models.parts.language import weight_names as names
from vlmbench.models.systems.tinyllava import TinyLLaVA

DINO = {
    "model_type": "dinov2",
    "hidden_size": 24,
    "mlp_ratio": 2,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 42,
    "patch_size": 14,
}
BERT = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "cross_attention_frequency": 2,
}
MIXTURE: dict[str, Any] = {
    "vision": "clip_vision_model",
    "connector_type": "mof_mlp",
    "vision_model_name_or_path": "mof:tiny-clip",
    "vision_model_name_or_path2": "mof:tiny-dinov2",
    "vision_config2": DINO,
}
QFORMER: dict[str, Any] = {"connector_type": "qformer", "num_queries": 5, "qformer_config": BERT}
RESAMPLER: dict[str, Any] = {"connector_type": "resampler", "num_queries": 5, "num_resampler_layers": 2}
LEGACY_RESAMPLER: dict[str, Any] = {**RESAMPLER, "connector_type": "legacy_resampler", "resampler_hidden_size": 36}
LEGACY_SIGLIP: dict[str, Any] = {"vision_feature_layer": -1, "vision_feature_select_strategy": "cls_patch"}
ADAPTED = ("model.layers.0.self_attn.q_proj", "model.layers.1.mlp.fc1")
"""Layers with adapters of rank 3 and alpha 6."""


def made(at: Path, seed: int = 0, **told: Any) -> TinyLLaVA:
    """A system whose every weight is random, norms and biases too, rounded to bfloat16."""
    system = build(at / "words", config(told.pop("kind", "phi"), told.pop("vision", "siglip_vision_model"), **told))
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in system.network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=chance) * 0.05).copy_(parameter.bfloat16())
    system.network.eval()
    return system


def tensors(system: TinyLLaVA) -> dict[str, Tensor]:
    """Its weights in Factory's names, in bfloat16, what are norms in float32."""
    state = {names.to_file(name): tensor.detach().clone() for name, tensor in system.network.state_dict().items()}
    return {name: tensor if "norm" in name.lower() else tensor.bfloat16() for name, tensor in state.items()}


def build_layout(at: Path, system: TinyLLaVA, told: Mapping[str, Any]) -> None:
    """Config and tokenizer."""
    at.mkdir()
    (at / "config.json").write_text(json.dumps(told), "utf-8")
    for file in system.files.iterdir():
        shutil.copyfile(file, at / file.name)


def factory(at: Path, **told: Any) -> TinyLLaVA:
    """A whole model of Factory."""
    system = made(at.parent, **told)
    build_layout(at, system, system.config)
    save_file(tensors(system), at / "model.safetensors")
    return system


def part(state: Mapping[str, Tensor], before: str) -> dict[str, Tensor]:
    """Those with a prefix, without it."""
    return {name.removeprefix(before): tensor for name, tensor in state.items() if name.startswith(before)}


def stages(at: Path, **told: Any) -> TinyLLaVA:
    """The three parts of a pretrain stage."""
    system = made(at.parent, **told)
    build_layout(at, system, system.config)
    save_parts(at, tensors(system))
    return system


def save_parts(at: Path, state: Mapping[str, Tensor]) -> None:
    """Three files."""
    places = {
        "language_model": "language_model.",
        "vision_tower": "vision_tower._vision_tower.",
        "connector": "connector.",
    }
    for folder, before in places.items():
        (at / folder).mkdir()
        torch.save(part(state, before), at / folder / "pytorch_model.bin")


def lora(at: Path, *, marked: bool = True, **told: Any) -> TinyLLaVA:
    """Parts with adapters; the system that comes back has them added into its weights."""
    system = made(at.parent, **told)
    state = tensors(system)
    targets = [f"language_model.{name}" for name in ADAPTED]
    settings = {"peft_type": "LORA", "r": 3, "lora_alpha": 6, "lora_dropout": 0.1, "bias": "none"}
    build_layout(at, system, system.config)
    (at / "adapter_config.json").write_text(json.dumps({**settings, "target_modules": targets}), "utf-8")
    adapters, chance = {}, torch.Generator().manual_seed(5)
    for target in targets:
        layer: Any = system.network.get_submodule(target)
        rows, columns = layer.weight.shape
        down, up = torch.randn(3, columns, generator=chance), torch.randn(rows, 3, generator=chance)
        adapters[f"base_model.model.{target}.lora_A.weight"] = down
        adapters[f"base_model.model.{target}.lora_B.weight"] = up
        with torch.no_grad():
            layer.weight += 6 / 3 * up @ down
        for leaf in ("weight", "bias"):
            if marked:
                state[f"{target}.base_layer.{leaf}"] = state.pop(f"{target}.{leaf}")
    save_file(adapters, at / "adapter_model.safetensors")
    save_parts(at, state)
    return system


SIZES = ("num_queries", "num_resampler_layers", "resampler_hidden_size")
ARCHITECTURES = {"phi": "Phi", "llama": "Llama", "stablelm": "Stablelm"}


def legacy(at: Path, **told: Any) -> TinyLLaVA:
    """A model of the first code: SigLIP without its last layer and its head, no bias of Phi's head."""
    kind, siglip = told.get("kind", "phi"), told.get("vision", "siglip_vision_model").startswith("siglip")
    system = made(at.parent, **({**told, **LEGACY_SIGLIP} if siglip else told))
    text, vision = dict(system.config["text_config"]), dict(system.config["vision_config"])
    if kind == "phi":
        torch.nn.init.zeros_(system.network.language_model.lm_head.bias)
    state = {}
    for name, tensor in tensors(system).items():
        if ".head." in name or name.endswith("lm_head.bias"):
            continue
        for ours, theirs in (
            ("vision_tower._vision_tower.", "model.vision_tower.vision_tower."),
            ("connector._connector.", "model.mm_projector."),
            ("language_model.", ""),
        ):
            if name.startswith(ours):
                state[theirs + name.removeprefix(ours)] = tensor
    connector = system.config["connector_type"]
    own = {
        **text,
        "model_type": f"tiny_llava_{kind}",
        "architectures": [f"TinyLlava{ARCHITECTURES[kind]}ForCausalLM"],
        "mm_vision_tower": "tiny",
        "mm_projector_type": {"legacy_resampler": "resampler"}.get(connector, connector),
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch",
        "image_aspect_ratio": "square",
        "tokenizer_model_max_length": 512,
        **{
            name: told[name]
            for name in ("num_queries", "num_resampler_layers", "resampler_hidden_size")
            if name in told
        },
    }
    build_layout(at, system, own)
    grown = {"num_hidden_layers": vision["num_hidden_layers"] + 1} if siglip else {}
    (at / "vision_config.json").write_text(json.dumps({**vision, **grown}), "utf-8")
    save_file(state, at / "model.safetensors")
    return system


def hf(at: Path, *, nested: bool = False, prefixed: bool = True, full: bool = False, **told: Any) -> TinyLLaVA:
    """transformers' own class."""
    told |= {"vision_feature_select_strategy": "cls_patch" if full else "patch", "conv_version": "llava_hf"}
    system = made(at.parent, kind="llama", vision="clip_vision_model", **told)
    state = {hf_name(name, nested, prefixed): tensor for name, tensor in tensors(system).items()}
    own = {
        "model_type": "llava",
        "architectures": ["LlavaForConditionalGeneration"],
        "text_config": system.config["text_config"],
        "vision_config": system.config["vision_config"],
        "projector_hidden_act": "gelu",
        "vision_feature_layer": -2,
        "vision_feature_select_strategy": "full" if full else "default",
    }
    build_layout(at, system, own)
    save_file(state, at / "model.safetensors")
    return system


def hf_name(name: str, nested: bool, prefixed: bool) -> str:
    """Factory's name to that of transformers' class, in one of its layouts."""
    name = name.replace("vision_tower._vision_tower.vision_model.", f"vision_tower.{'vision_model.' * prefixed}")
    name = name.replace("connector._connector.0.", "multi_modal_projector.linear_1.")
    name = name.replace("connector._connector.2.", "multi_modal_projector.linear_2.")
    if not nested:
        return name
    name = name.replace("language_model.lm_head.", "lm_head.").replace("language_model.model.", "language_model.")
    return name if name.startswith("lm_head.") else f"model.{name}"


Maker = Callable[..., TinyLLaVA]
KINDS: dict[str, tuple[str, Maker, dict[str, Any]]] = {
    "factory": ("factory", factory, {}),
    "factory mixture": ("factory", factory, MIXTURE),
    "factory qformer": ("factory", factory, QFORMER),
    "stages": ("factory_stages", stages, {}),
    "stages mixture": ("factory_stages", stages, MIXTURE),
    "stages qformer": ("factory_stages", stages, QFORMER),
    "lora": ("factory_lora", lora, {}),
    "lora without marks": ("factory_lora", lora, {"marked": False}),
    "legacy phi": ("legacy", legacy, {}),
    "legacy llama clip": ("legacy", legacy, {"kind": "llama", "vision": "clip_vision_model"}),
    "legacy stablelm": ("legacy", legacy, {"kind": "stablelm", "text": {"num_key_value_heads": 2}}),
    "legacy resampler": ("legacy", legacy, LEGACY_RESAMPLER),
    "hf 4": ("hf_llava", hf, {}),
    "hf 5": ("hf_llava", hf, {"prefixed": False}),
    "hf in memory": ("hf_llava", hf, {"nested": True, "prefixed": False}),
    "hf full": ("hf_llava", hf, {"full": True}),
}
"""Name to (its form, what makes it, with what)."""
