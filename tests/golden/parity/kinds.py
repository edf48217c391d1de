"""The kinds of parity folders, each known by what a folder holds; a folder can be of several."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import safe_open

LEGACY_PROJECTOR = "model.mm_projector."
FACTORY = "TinyLLaVA/TinyLLaVA_Factory"
SYSTEMS = {
    ("Vision-CAIR/MiniGPT-4", "MiniGPT4"): "minigpt4",
    ("Vision-CAIR/MiniGPT-4", "MiniGPTv2"): "minigptv2",
    ("DLYuanGod/TinyGPT-V", "MiniGPT4"): "tinygptv",
    ("DLYuanGod/TinyGPT-V", "MiniGPTv2"): "tinygptv",
}
"""The MiniGPT family: our name of a system by its repository and its class there."""


def facts(folder: Path, name: str) -> dict[str, object]:
    """A JSON object of a golden folder; empty without the file."""
    file = folder / name
    return dict(json.loads(file.read_text("utf-8"))) if file.is_file() else {}


def weight_names(folder: Path) -> list[str]:
    """The names of a folder's weights; none without the file."""
    file = folder / "model.safetensors"
    if not file.is_file():
        return []
    with safe_open(file, "numpy") as weights:
        return list(weights.keys())


def is_legacy(folder: Path) -> bool:
    """Whether a folder's weights have the names of TinyLLaVA's first code."""
    return any(name.startswith(LEGACY_PROJECTOR) for name in weight_names(folder))


def is_whole_legacy(folder: Path) -> bool:
    """Whether a folder of the first code has a language model with its tokenizer and config."""
    files = (folder / "tokenizer").is_dir() and (folder / "config.json").is_file()
    return files and is_legacy(folder) and "model.embed_tokens.weight" in weight_names(folder)


def is_factory(folder: Path) -> bool:
    """Whether a folder is of TinyLLaVA Factory: by its config, or by the repository it was made with."""
    named = facts(folder, "config.json").get("model_type") == "tinyllava"
    return (named or facts(folder, "info.json").get("repo") == FACTORY) and not is_legacy(folder)


def is_tuned_factory(folder: Path) -> bool:
    """Whether a folder of Factory has the gradients of its tuning stages."""
    return "tune" in facts(folder, "info.json") and (folder / "preprocessor_config.json").is_file()


def is_minigpt(folder: Path) -> bool:
    """Whether a folder is of the MiniGPT family."""
    info = facts(folder, "info.json")
    return (info.get("repo"), info.get("model_class")) in SYSTEMS


def is_phi(folder: Path) -> bool:
    """Whether a folder holds TinyGPT-V's language model alone."""
    info = facts(folder, "info.json")
    return info.get("repo") == "DLYuanGod/TinyGPT-V" and "model_class" not in info and "config" in info


def is_minigpt_misc(folder: Path) -> bool:
    """Whether a folder holds prompts, learning rates and position embeddings of the MiniGPT family."""
    return (folder / "lr_schedules.json").is_file()


PARITY: Mapping[str, Callable[[Path], bool]] = {
    "factory": is_factory,
    "tuned factory": is_tuned_factory,
    "legacy": is_legacy,
    "whole legacy": is_whole_legacy,
    "minigpt": is_minigpt,
    "phi": is_phi,
    "minigpt misc": is_minigpt_misc,
}
