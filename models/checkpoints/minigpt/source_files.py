"""The files an official checkpoint of the MiniGPT family is made of, each read into the names of the whole model.

Where they are published: MiniGPT-4 README.md@d94738a and minigpt4/models/{eva_vit,minigpt4}.py; TinyGPT-V README.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vlmbench.base.errors import ModelError

from ...parts.language.weight_names import FOLLOWING
from .. import folder as checkpoints
from ..folder import FETCH
from .names import some

BLOCKS = 39
"""Of EVA-CLIP-g that are built; what a file holds beyond is left out, as the official loading does."""

BLIP2 = "https://storage.googleapis.com/sfr-vision-language-research/LAVIS/models/BLIP2/"
LANGUAGE_MODELS: Mapping[str, str] = {
    "vicuna0": "Vicuna v0 (7B or 13B): Vision-CAIR/vicuna-7b or Vision-CAIR/vicuna on huggingface.co",
    "llama2": "Llama-2-7b-chat: meta-llama/Llama-2-7b-chat-hf on huggingface.co",
    "minigptv2": "Llama-2-7b-chat: meta-llama/Llama-2-7b-chat-hf on huggingface.co",
    "tinygptv": "Phi-2, as the folder phi-2 of the space llizhx/TinyGPT-V on huggingface.co has it",
}
"""By prompt format: the language model it was trained on."""

_EVA_USED = re.compile(
    r"cls_token|pos_embed|patch_embed\.proj\.(?:weight|bias)"
    r"|blocks\.\d+\.(?:norm[12]\.(?:weight|bias)|attn\.(?:q_bias|v_bias|qkv\.weight|proj\.(?:weight|bias))"
    r"|mlp\.fc[12]\.(?:weight|bias))"
)
_EVA_UNUSED = re.compile(r"mask_token|(?:norm|fc_norm|head|lm_head)\.(?:weight|bias)|rel_pos_bias\..+")
_EVA_BLOCK = re.compile(r"blocks\.(\d+)\..+")
_BLIP2_UNUSED = re.compile(
    r"(?:t5|opt)_(?:model|proj|tokenizer)\..+|(?:vision_proj|text_proj|itm_head)\.(?:weight|bias)|temp|Qformer\.cls\..+"
    r"|Qformer\.bert\.embeddings\.(?:word|position)_embeddings\.weight"
    r"|Qformer\.bert\.encoder\.layer\.\d+\.(?:intermediate|output)\..+"
)
_GLOBAL = re.compile(r"GLOBAL (\S+)")


@dataclass(frozen=True, slots=True)
class Source:
    """The contents of one source file."""

    file: Path
    state: dict[str, Tensor]
    """Official names of the whole model; of a language model, its own."""
    unused: tuple[str, ...] = ()
    """Names that are known, and of no use here."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What the file holds beside tensors."""


def read_pickled(file: Path) -> dict[str, Any]:
    """A .pth by torch's safe reader: tensors, numbers and text, never objects.

    Raises ModelError for a file that is missing, damaged, or holds anything else.
    """
    import pickle

    if not file.is_file():
        raise ModelError("no such file", where=str(file), hint="name the .pth file")
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = _GLOBAL.search(str(error))
        if named is None:
            raise ModelError("damaged weights: no pickle of tensors", where=str(file), hint=FETCH) from None
        raise ModelError(
            f"holds objects of code beside tensors ({named[1]}): reading them could run whatever it contains",
            where=str(file),
            hint="if you trust where it is from, save its tensors alone, in the environment it was made in: "
            "torch.save({'model': torch.load(FILE)['model']}, NEW)",
        ) from None
    except Exception as error:  # torch's zip reader raises RuntimeError, EOFError, KeyError, OSError, ...
        raise ModelError(f"damaged weights: {error}", where=str(file), hint=FETCH) from None
    if not isinstance(content, dict):
        raise ModelError("not a table of tensors", where=str(file), hint=FETCH)
    return content


def read_whole(file: Path) -> Source:
    """A checkpoint of training, {"model": tensors, "optimizer", "config", ...}, or a bare table of tensors."""
    if file.suffix == ".safetensors":
        return Source(file, checkpoints.read(file))
    content = read_pickled(file)
    state, beside = content.get("model", content), {name: value for name, value in content.items() if name != "model"}
    if not isinstance(state, dict) or not state or not all(isinstance(t, Tensor) for t in state.values()):
        hint = "is it the checkpoint itself, not a log, an optimizer's state or another model?"
        raise ModelError("no table of tensors under 'model'", where=str(file), hint=hint)
    unused = () if state is content else tuple(name for name in beside if name in ("optimizer", "scaler"))
    return Source(file, dict(state), unused, {} if state is content else beside)


def read_eva(file: Path) -> Source:
    """eva_vit_g.pth: the vision tower, 39 blocks of it. Raises ModelError for unknown keys."""
    whole = read_whole(file).state
    late = {name for name in whole if (block := _EVA_BLOCK.fullmatch(name)) and int(block[1]) >= BLOCKS}
    unused = tuple(name for name in whole if name in late or _EVA_UNUSED.fullmatch(name))
    state = {f"visual_encoder.{name}": tensor for name, tensor in whole.items() if name not in {*unused}}
    unknown = [name for name in whole if name not in {*unused} and not _EVA_USED.fullmatch(name)]
    _refuse(file, unknown, "eva_vit_g.pth", "vit")
    return Source(file, state, unused)


def read_blip2(file: Path) -> Source:
    """blip2_pretrained_flant5xxl.pth: query tokens, Q-Former, ln_vision; its text layers and T5's are not used."""
    whole = read_whole(file).state
    unused = tuple(name for name in whole if _BLIP2_UNUSED.fullmatch(name))
    state = {name: tensor for name, tensor in whole.items() if name not in {*unused}}
    heads = ("query_tokens", "ln_vision.", "Qformer.", "visual_encoder.")
    _refuse(file, [name for name in state if not name.startswith(heads)], "blip2_pretrained_flant5xxl.pth", "qformer")
    return Source(file, state, unused)


def read_language(folder: Path) -> Source:
    """A language model's folder in transformers' layout: its tensors under their own names, its config beside."""
    if not folder.is_dir():
        raise ModelError("no such folder", where=str(folder), hint="llm takes the language model's folder")
    config = checkpoints.read_json(folder / checkpoints.CONFIG)
    state: dict[str, Tensor] = {}
    for file in checkpoints.weight_files(folder):
        state |= checkpoints.read(file)
    unused = tuple(name for name in state if FOLLOWING.search(name))
    return Source(folder, {n: t for n, t in state.items() if n not in {*unused}}, unused, config)


def _refuse(file: Path, names: list[str], expected: str, option: str) -> None:
    if names:
        message = f"{len(names)} tensors unexpected: {some(names)}"
        raise ModelError(message, where=str(file), hint=f"{option} takes {expected}: {BLIP2}{expected}")


@dataclass(frozen=True, slots=True)
class RequiredFile:
    """A file that a checkpoint needs beside its own."""

    option: str
    what: str
    where: str
    read: Callable[[Path], Source]


def required_files(prompt_format: str) -> Mapping[str, RequiredFile]:
    """The source files by option, and where the authors publish them. `prompt_format`: how the model is asked."""
    eva, blip2 = "eva_vit_g.pth", "blip2_pretrained_flant5xxl.pth"
    published = LANGUAGE_MODELS[prompt_format if prompt_format in LANGUAGE_MODELS else "minigptv2"]
    return {
        "vit": RequiredFile("vit", f"the vision tower, {eva}", f"{BLIP2}{eva}", read_eva),
        "qformer": RequiredFile("qformer", f"the Q-Former, {blip2}", f"{BLIP2}{blip2}", read_blip2),
        "llm": RequiredFile("llm", "the language model's folder", published, read_language),
    }
