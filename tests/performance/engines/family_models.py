"""Models of some 200M random parameters in the shapes of three families of transformers, to time sharing over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import transformers as hf

from tests.models.huggingface import tiny_hf
from tests.models.huggingface.tiny_families import MARKS
from tests.models.huggingface.tiny_hf import PATCH, chat, tokenizer
from vlmbench.models.huggingface.loading.processors import no_videos

TEXT = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 12,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
}
TOWER = {"hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 8}


def text(words: Any, **more: Any) -> dict[str, Any]:
    """A language model of 180M parameters."""
    return tiny_hf.text(words, **{**TEXT, **more})


def qwen2_5_vl() -> tuple[Any, Any]:
    """M-RoPE, 729 tokens of an image of 756 x 756; a tower with windows of 112 pixels."""
    words, side = tokenizer(image_token="<image>", video_token="<video>"), 54 * PATCH
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [8, 12, 12]}
    tower = {"hidden_size": 512, "intermediate_size": 2048, "num_heads": 8, "depth": 12, "out_hidden_size": 1024}
    config = hf.Qwen2_5_VLConfig(
        vision_config={**tower, "window_size": 8 * PATCH, "fullatt_block_indexes": [2, 5, 8, 11]},
        text_config=text(words, rope_parameters=rope),
        vision_start_token_id=6,
        vision_end_token_id=7,
        **MARKS,
    )
    pictures = hf.Qwen2VLImageProcessorPil(min_pixels=side * side, max_pixels=side * side, patch_size=PATCH)
    processor = hf.Qwen2_5_VLProcessor(pictures, words, no_videos(), chat_template=chat("<start><image><end>"))
    return hf.Qwen2_5_VLForConditionalGeneration(config), processor


def gemma3() -> tuple[Any, Any]:
    """256 tokens of an image of 896 x 896 (4,096 patches), seen in both directions; five of six layers slide."""
    words, side = tokenizer("<boi>", "<eoi>", boi_token="<boi>", eoi_token="<eoi>", image_token="<image>"), 64 * PATCH
    pictures = hf.Gemma3ImageProcessorPil(size={"height": side, "width": side})
    processor = hf.Gemma3Processor(pictures, words, chat_template=chat("<boi>"), image_seq_length=256)
    tower = {**TOWER, "hidden_size": 384, "intermediate_size": 1536, "num_attention_heads": 6}
    config = hf.Gemma3Config(
        vision_config={**tower, "image_size": side, "patch_size": PATCH},
        text_config=hf.Gemma3TextConfig(**text(words, head_dim=64), sliding_window=128, sliding_window_pattern=6),
        mm_tokens_per_image=256,
        tie_word_embeddings=False,
        boi_token_index=words.convert_tokens_to_ids("<boi>"),
        eoi_token_index=words.convert_tokens_to_ids("<eoi>"),
        image_token_index=4,
    )
    return hf.Gemma3ForConditionalGeneration(config), processor


def mllama() -> tuple[Any, Any]:
    """An image enters by three of twelve layers: four tiles of 1,025 states; hardly any prompt before the question."""
    words, side = tokenizer("<|image|>", "<|python_tag|>"), 32 * PATCH
    config = hf.MllamaConfig(
        vision_config={
            "hidden_size": 512,
            "intermediate_size": 2048,
            "num_hidden_layers": 12,
            "num_global_layers": 4,
            "attention_heads": 8,
            "image_size": side,
            "patch_size": PATCH,
            "vision_output_dim": 1536,
            "intermediate_layers_indices": [3, 7],
            "max_num_tiles": 4,
        },
        text_config=text(words, cross_attention_layers=[3, 7, 11], vocab_size=len(words)),
        image_token_index=words.convert_tokens_to_ids("<|image|>"),
    )
    pictures = hf.MllamaImageProcessorPil(size={"height": side, "width": side}, max_image_tiles=4)
    processor = hf.MllamaProcessor(pictures, words, chat_template=chat("<|image|>"))
    return hf.MllamaForConditionalGeneration(config), processor


MODELS: Mapping[str, Callable[[], tuple[Any, Any]]] = {"qwen2_5_vl": qwen2_5_vl, "gemma3": gemma3, "mllama": mllama}


def build(name: str) -> tuple[Any, Any]:
    """A model of random weights and its processor. Attention is sharpened, so that answers hang on the question."""
    model, processor = tiny_hf.build(MODELS[name])
    with torch.no_grad():
        for key, parameter in model.get_decoder().named_parameters():
            if "q_norm" in key:  # where there is one, it undoes the scale of what it norms
                parameter.fill_(3.0)
            elif "q_proj" in key and parameter.dim() > 1:
                parameter.mul_(4.0)
    return model, processor
