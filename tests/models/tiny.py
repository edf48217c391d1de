"""TinyLLaVA at toy size: tokenizer files, configs and pictures, made here, so that no golden data is needed."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tokenizers.pre_tokenizers import ByteLevel

from vlmbench.models.systems import tinyllava
from vlmbench.models.systems.tinyllava import TinyLLaVA

END = "<|endoftext|>"
MERGES = ("Ġ a", "e s", "y es", "Ġ t", "h e", "Ġt he", "A S", "U S", "US E")


def codegen(folder: Path) -> Path:
    """A byte-level BPE in the files of CodeGen's tokenizer, as Phi's."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = [*sorted(ByteLevel.alphabet()), *(merge.replace(" ", "") for merge in MERGES), END]
    files = {
        "vocab.json": json.dumps({letter: number for number, letter in enumerate(letters)}),
        "merges.txt": "#version: 0.2\n" + "\n".join(MERGES) + "\n",
        "tokenizer_config.json": json.dumps(
            {"tokenizer_class": "CodeGenTokenizer", "unk_token": END, "bos_token": END, "eos_token": END}
        ),
    }
    for name, content in files.items():
        (folder / name).write_text(content, "utf-8")
    return folder


@cache
def _pieces() -> bytes:
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    words = [
        "A chat between a curious user and an assistant.",
        "USER: What is there? ASSISTANT: a red square",
        "yes no",
    ]
    SentencePieceTrainer.train(
        sentence_iterator=iter(words * 20),
        model_writer=model,
        vocab_size=300,
        model_type="bpe",
        byte_fallback=True,
        # As Llama's own: blanks are letters like others.
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return model.getvalue()


def llama(folder: Path, *, legacy: bool = False) -> Path:
    """A SentencePiece model in the files of Llama's slow tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(_pieces())
    words = {"tokenizer_class": "LlamaTokenizer", "legacy": legacy, "add_bos_token": True, "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(words), "utf-8")
    return folder


def config(kind: str = "phi", vision: str = "siglip_vision_model", **more: Any) -> dict[str, Any]:
    """A config.json of a few thousand parameters."""
    text = {
        "model_type": kind,
        "vocab_size": 320,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 1024,
        **more.pop("text", {}),
    }
    tower = {
        "model_type": vision,
        "hidden_size": 24,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
    }
    return {
        "model_type": "tinyllava",
        "text_config": text,
        "vision_config": tower,
        "connector_type": "mlp2x_gelu",
        "vision_feature_select_strategy": "patch",
        "tokenizer_model_max_length": 512,
        **more,
    }


def build(folder: Path, told: dict[str, Any], *, seed: int = 0) -> TinyLLaVA:
    """A fresh model with the tokenizer of its family, whose files are put into `folder`."""
    files = {"llama": llama}.get(told["text_config"]["model_type"], codegen)(folder)
    return tinyllava.build(told, preprocessor=None, tokenizer=files, seed=seed)


def picture(seed: int = 0, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """An RGB picture of noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)
