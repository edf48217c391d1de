"""Official checkpoints of the MiniGPT family at toy size: the names and layouts are written down here by hand."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.models import tiny
from vlmbench.models.parts.language.tokenizer import read_tokenizer

VIT, MLP, BLOCKS, PATCHES = 176, 40, 2, 4
BERT, BERT_MLP, BERT_LAYERS, QUERIES = 128, 48, 3, 3
WIDTH, LLM_MLP, LAYERS, HEADS, RANK, MIDDLE = 32, 48, 2, 2, 4, 4096
State = dict[str, Tensor]

KINDS = ("minigpt4", "minigpt4-llama2", "minigptv2", "tinygptv")
EDGES = {"minigpt4": 28, "minigpt4-llama2": 28, "minigptv2": 56, "tinygptv": 56}
"""Pictures' edges here; the tower's file is for 28."""


class Draw:
    """Random tensors; the same seed gives the same."""

    def __init__(self, seed: int) -> None:
        self.numbers = torch.Generator().manual_seed(seed)

    def __call__(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        spread = 1.5 / (shape[-1] ** 0.5) if len(shape) > 1 else 0.3
        return (spread * torch.randn(shape, generator=self.numbers)).to(dtype)

    def linear(self, name: str, out: int, into: int, dtype: torch.dtype = torch.float32) -> State:
        return {f"{name}.weight": self(out, into, dtype=dtype), f"{name}.bias": self(out, dtype=dtype)}

    def norm(self, name: str, width: int, dtype: torch.dtype = torch.float32) -> State:
        return {f"{name}.weight": 1 + self(width, dtype=dtype), f"{name}.bias": self(width, dtype=dtype)}


def eva(draw: Draw) -> State:
    """eva_vit_g.pth, with the parts that nothing uses."""
    state = {
        "cls_token": draw(1, 1, VIT),
        "pos_embed": draw(1, PATCHES + 1, VIT),
        "patch_embed.proj.weight": draw(VIT, 3, 14, 14) / 14,
        "patch_embed.proj.bias": draw(VIT),
        "mask_token": draw(1, 1, VIT),
        **draw.norm("norm", VIT),
    }
    for block in range(BLOCKS):
        at = f"blocks.{block}"
        state |= {f"{at}.attn.q_bias": draw(VIT), f"{at}.attn.v_bias": draw(VIT)}
        state |= {f"{at}.attn.qkv.weight": draw(3 * VIT, VIT)}
        state |= draw.linear(f"{at}.attn.proj", VIT, VIT) | draw.linear(f"{at}.mlp.fc1", MLP, VIT)
        state |= draw.linear(f"{at}.mlp.fc2", VIT, MLP)
        state |= draw.norm(f"{at}.norm1", VIT) | draw.norm(f"{at}.norm2", VIT)
    return state


def blip2(draw: Draw) -> State:
    """The model of blip2_pretrained_flant5xxl.pth, with the parts that nothing uses."""
    bert = "Qformer.bert"
    state = {
        "query_tokens": draw(1, QUERIES, BERT),
        f"{bert}.embeddings.position_ids": torch.arange(512).expand(1, -1).clone(),
        f"{bert}.embeddings.word_embeddings.weight": draw(7, BERT),
        "Qformer.cls.predictions.bias": draw(7),
        **draw.linear("t5_proj", 8, BERT),
        **draw.norm("ln_vision", VIT),
        **draw.norm(f"{bert}.embeddings.LayerNorm", BERT),
    }
    for layer in range(BERT_LAYERS):
        at = f"{bert}.encoder.layer.{layer}"
        for attention, into in {"attention": BERT, **({"crossattention": VIT} if layer % 2 == 0 else {})}.items():
            state |= draw.linear(f"{at}.{attention}.self.query", BERT, BERT)
            state |= draw.linear(f"{at}.{attention}.self.key", BERT, into)
            state |= draw.linear(f"{at}.{attention}.self.value", BERT, into)
            state |= draw.linear(f"{at}.{attention}.output.dense", BERT, BERT)
            state |= draw.norm(f"{at}.{attention}.output.LayerNorm", BERT)
        for last in ("", "_query"):
            state |= draw.linear(f"{at}.intermediate{last}.dense", BERT_MLP, BERT)
            state |= draw.linear(f"{at}.output{last}.dense", BERT, BERT_MLP)
            state |= draw.norm(f"{at}.output{last}.LayerNorm", BERT)
    return state


def llama(draw: Draw, words: int) -> State:
    """A Llama's own state dict, in float16."""
    half = torch.float16
    state = {
        "model.embed_tokens.weight": draw(words, WIDTH, dtype=half),
        "lm_head.weight": draw(words, WIDTH, dtype=half),
    }
    state["model.norm.weight"] = 1 + draw(WIDTH, dtype=half)
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        for one in "qkvo":
            state[f"{at}.self_attn.{one}_proj.weight"] = draw(WIDTH, WIDTH, dtype=half)
        for one in ("gate", "up"):
            state[f"{at}.mlp.{one}_proj.weight"] = draw(LLM_MLP, WIDTH, dtype=half)
        state[f"{at}.mlp.down_proj.weight"] = draw(WIDTH, LLM_MLP, dtype=half)
        for one in ("input", "post_attention"):
            state[f"{at}.{one}_layernorm.weight"] = 1 + draw(WIDTH, dtype=half)
        state[f"{at}.self_attn.rotary_emb.inv_freq"] = inv_freq()
    return state


def phi(draw: Draw, words: int) -> State:
    """A Phi's own state dict as TinyGPT-V wants it: queries, keys and values in one projection."""
    half = torch.float16
    state = {"model.embed_tokens.weight": draw(words, WIDTH, dtype=half)}
    state |= draw.linear("lm_head", words, WIDTH, half) | draw.norm("model.final_layernorm", WIDTH, half)
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        state |= draw.linear(f"{at}.self_attn.query_key_value", 3 * WIDTH, WIDTH, half)
        state |= draw.linear(f"{at}.self_attn.dense", WIDTH, WIDTH, half)
        state |= draw.linear(f"{at}.mlp.fc1", LLM_MLP, WIDTH, half) | draw.linear(f"{at}.mlp.fc2", WIDTH, LLM_MLP, half)
        state |= draw.norm(f"{at}.input_layernorm", WIDTH, half)
    return state


def inv_freq() -> Tensor:
    """The table of a rotary embedding."""
    width = WIDTH // HEADS
    return 1.0 / (10000.0 ** (torch.arange(0, width, 2).float() / width))


def trained(draw: Draw, kind: str) -> State:
    """What the official training of a kind saves."""
    into = BERT if kind in ("minigpt4", "tinygptv") else 4 * VIT
    inside = "llama_model.base_model.model.model" if kind in ("minigptv2", "tinygptv") else "llama_model.model"
    state: State = {}
    for layer in range(LAYERS):
        at = f"{inside}.layers.{layer}"
        adapted = {
            "minigptv2": {"q_proj": WIDTH, "v_proj": WIDTH},
            "tinygptv": {"query_key_value": 3 * WIDTH, "dense": WIDTH},
        }
        for name, out in adapted.get(kind, {}).items():
            state[f"{at}.self_attn.{name}.lora_A.weight"] = draw(RANK, WIDTH)
            state[f"{at}.self_attn.{name}.lora_B.weight"] = draw(out, RANK)
        if kind == "tinygptv":
            for name, width in {"self_attn.q": 16, "self_attn.k": 16, "input": WIDTH, "post": WIDTH}.items():
                state[f"{at}.{name}_layernorm.weight"] = (1 if width == WIDTH else 3) + draw(width)
        else:
            state[f"{at}.self_attn.rotary_emb.inv_freq"] = inv_freq()
    if kind == "tinygptv":
        state[f"{inside}.final_layernorm.weight"] = 1 + draw(WIDTH)
        state |= draw.linear("llama_proj", MIDDLE, into) | draw.linear("llama_proj2", WIDTH, MIDDLE)
    else:
        state |= draw.linear("llama_proj", WIDTH, into)
    if into == BERT:
        state["Qformer.bert.embeddings.position_ids"] = torch.arange(512).expand(1, -1).clone()
    return state


@dataclass(frozen=True)
class Official:
    """The files of one checkpoint."""

    kind: str
    folder: Path
    pth: Path
    vit: Path
    llm: Path
    qformer: Path | None

    @property
    def system(self) -> str:
        """The name it goes by."""
        return self.kind.partition("-")[0]

    def options(self, **more: Any) -> dict[str, Any]:
        """The options of `load` for it."""
        given: dict[str, Any] = {"vit": str(self.vit), "llm": str(self.llm), "image_size": EDGES[self.kind]}
        return {**given, **({"qformer": str(self.qformer)} if self.qformer else {}), **more}

    def cli_options(self) -> list[str]:
        """The same as words of `vlmbench convert`."""
        told = [
            ("--vit", self.vit),
            ("--llm", self.llm),
            ("--qformer", self.qformer),
            ("--image-size", EDGES[self.kind]),
        ]
        return [str(word) for pair in told if pair[1] for word in pair]


def make(folder: Path, kind: str, *, seed: int = 0, **model: Any) -> Official:
    """Write all files of a kind. `model`: the training's own `model` config."""
    draw = Draw(seed)
    llm = (tiny.codegen if kind == "tinygptv" else tiny.llama)(folder / "language")
    words = len(read_tokenizer(llm))
    told = {
        "model_type": "phi" if kind == "tinygptv" else "llama",
        "vocab_size": words,
        "hidden_size": WIDTH,
        "intermediate_size": LLM_MLP,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "max_position_embeddings": 1024,
        "tie_word_embeddings": False,
        **({"bos_token_id": None, "eos_token_id": None} if kind == "tinygptv" else {}),
    }
    (llm / "config.json").write_text(json.dumps(told), "utf-8")
    save_file((phi if kind == "tinygptv" else llama)(draw, words), llm / "model.safetensors", metadata={"format": "pt"})
    torch.save(eva(draw), folder / "tower.pth")
    files = Official(
        kind,
        folder,
        folder / "trained.pth",
        folder / "tower.pth",
        llm,
        folder / "q.pth" if kind in ("minigpt4", "tinygptv") else None,
    )
    if files.qformer:
        torch.save({"model": blip2(draw)}, files.qformer)
    whole = {
        "model": trained(draw, kind),
        "optimizer": {"state": {}},
        "config": {"model": model},
        "scaler": None,
        "epoch": 3,
    }
    torch.save(whole, files.pth)
    return files


if __name__ == "__main__":  # python -m tests.models.checkpoints.official FOLDER KIND
    make(Path(sys.argv[1]), sys.argv[2])
