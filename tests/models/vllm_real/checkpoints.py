"""LLaVA checkpoints that vLLM reads: two tiny ones, and one of 576 image tokens, whose prompts fill its cache blocks.

    python -m tests.models.vllm_real.checkpoints FOLDER COPY

copies a checkpoint with the names of weights that transformers 4 wrote, which vLLM reads (those of transformers 5 it
refuses). Weights are drawn by name and the vocabulary is written down, so that every version of torch, tokenizers and
transformers makes the same.
"""

from __future__ import annotations

import re
import shutil
import string
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np

SPECIAL = ("<s>", "</s>", "<unk>", "<image>")
MERGES = ("y e", "ye s", "n o", "Y e", "Ye s", "N o", "r e", "re d", "c a", "Ġ yes", "Ġ no", "Ġ a", "i s")
PLAIN = (
    "{% for m in messages %}{{ m['role'] }}: {% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% endif %}{% endfor %}"
    "{% for c in m['content'] %}{% if c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}\n"
    "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
)
CONTENT = (
    "{% for m in messages %}{% if m['role'] == 'user' %}USER: {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>\n{% else %}{{ c['text'] }}{% endif %}{% endfor %} ASSISTANT:"
    "{% else %} {{ m['content'] }}{% endif %}{% endfor %}"
)
"""Prints an answer's content as it comes, as many templates do."""
OLD_NAMES = {r"^model\.vision_tower\.(?!vision_model)": "vision_tower.vision_model.",
             r"^model\.language_model\.": "language_model.model.",
             r"^model\.multi_modal_projector\.": "multi_modal_projector.",
             r"^vision_tower\.(?!vision_model)": "vision_tower.vision_model.",
             r"^lm_head\.": "language_model.lm_head."}  # fmt: skip


def tokenizer(template: str, *, bos: bool) -> Any:
    """Bytes of ASCII and a few merges; vLLM holds back the halves of other letters. `bos`: it puts <s> first."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = [*sorted(set(string.printable) - set(string.whitespace)), "Ġ", "Ċ"]
    pairs = [(first, second) for first, second in (merge.split() for merge in MERGES)]
    words = [*SPECIAL, *letters, *(first + second for first, second in pairs)]
    raw = Tokenizer(models.BPE(vocab={word: at for at, word in enumerate(words)}, merges=pairs))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    if bos:
        raw.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="</s>",
        additional_special_tokens=["<image>"],
        chat_template=template,
        model_max_length=4096,
    )


def llava(folder: Path, *, side: int, patch: int, width: int, template: str, bos: bool) -> None:
    """Write a LLaVA of two layers with a CLIP tower of two: it knows nothing, and sees."""
    import transformers as hf

    words = tokenizer(template, bos=bos)
    size = {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": 2,
        "num_attention_heads": width // 32,
    }
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(image_size=side, patch_size=patch, projection_dim=width, **size),
        text_config=hf.LlamaConfig(
            vocab_size=len(words), bos_token_id=0, eos_token_id=1, max_position_embeddings=4096, **size
        ),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        image_seq_length=(side // patch) ** 2,
    )
    hf.LlavaForConditionalGeneration(config).save_pretrained(folder)
    hf.LlavaProcessor(
        hf.CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side}),
        words,
        patch_size=patch,
        vision_feature_select_strategy="default",
        chat_template=template,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)
    rewrite(folder, draw=True)


def old_name(name: str) -> str:
    """As transformers 4 wrote it."""
    for pattern, instead in OLD_NAMES.items():
        name = re.sub(pattern, instead, name)
    return name


def rewrite(folder: Path, *, draw: bool = False) -> None:
    """Give the weights their older names. `draw`: and values seeded by them; norms stay at 1, biases at 0.

    Raises FileNotFoundError where they are in several files.
    """
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    weights = {old_name(name): value for name, value in load_file(path).items()}
    if draw:
        weights = {name: drawn(name, value) for name, value in weights.items()}
    save_file(weights, path, metadata={"format": "pt"})


def drawn(name: str, value: Any) -> Any:
    """Matrices and embeddings anew; large in the language model, or all it says comes from the last few tokens."""
    import torch

    if value.dim() < 2 and not name.endswith("class_embedding"):
        return value.contiguous()
    normal = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(tuple(value.shape))
    return torch.from_numpy((0.3 if "language_model" in name else 0.1) * normal).float()


CHECKPOINTS: dict[str, dict[str, Any]] = {
    "tiny": {"side": 32, "patch": 8, "width": 64, "template": PLAIN, "bos": False},
    "tinybos": {"side": 32, "patch": 8, "width": 64, "template": CONTENT, "bos": True},
    "wide": {"side": 336, "patch": 14, "width": 128, "template": PLAIN, "bos": True},
}
"""Without <s>; with it, as Llama's and Vicuna's tokenizers put it; with it, and with as many tokens as LLaVA-1.5's."""


def make(folder: Path, name: str) -> None:
    """Write one of them."""
    llava(folder, **CHECKPOINTS[name])


def main() -> None:
    """Copy and rename."""
    source, copy = map(Path, sys.argv[1:])
    shutil.copytree(source, copy)
    rewrite(copy)


if __name__ == "__main__":
    main()
