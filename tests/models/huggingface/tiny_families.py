"""Tiny random checkpoints of further image-text families, beside those of tiny_hf: what each one's plumbing needs.

Sizes are the smallest that the classes take; only what makes a family peculiar is spelt out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import transformers as hf

from tests.models.huggingface import tiny_hf
from tests.models.huggingface.tiny_hf import PATCH, SIDE, chat, text, tokenizer, vision
from vlmbench.models.huggingface.loading.processors import no_videos

TORCHVISION = "its image processor needs torchvision"
NEEDS_TORCHVISION: Mapping[str, str] = {
    "cohere2_vision": TORCHVISION,
    "fast_vlm": "its vision tower needs timm, which needs torchvision",
    "lfm2_vl": TORCHVISION,
    "llama4": TORCHVISION,
    "mistral3": "PixtralProcessor needs torchvision",
    "perception_lm": TORCHVISION,
    "pixtral": "PixtralProcessor needs torchvision",
}
"""Families that cannot be opened without torchvision, by name and reason: not built here."""
VISUAL = {"hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "depth": 2}
"""The vision towers of the Qwen line and GLM."""
MARKS = {"image_token_id": 4, "video_token_id": 5}


def _rope(words: Any, **more: Any) -> dict[str, Any]:
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2], **more.pop("rope", {})}
    return text(words, rope_parameters=rope, **more)


def _qwen_pictures(patch: int = PATCH) -> Any:
    side = 2 * patch
    return hf.Qwen2VLImageProcessorPil(min_pixels=4 * side * side, max_pixels=8 * side * side, patch_size=patch)


def _siglip(**more: Any) -> Any:
    return hf.SiglipVisionConfig(**vision(**more), vision_use_head=False)


def qwen2_5_vl() -> tuple[Any, Any]:
    """M-RoPE; a vision tower with windows."""
    words = tokenizer(image_token="<image>", video_token="<video>")
    config = hf.Qwen2_5_VLConfig(
        vision_config={**VISUAL, "out_hidden_size": 32, "window_size": 4 * PATCH, "fullatt_block_indexes": [1]},
        text_config=_rope(words),
        vision_start_token_id=6,
        vision_end_token_id=7,
        **MARKS,
    )
    processor = hf.Qwen2_5_VLProcessor(_qwen_pictures(), words, no_videos(), chat_template=chat("<start><image><end>"))
    return hf.Qwen2_5_VLForConditionalGeneration(config), processor


def _qwen3(kind: str, tower: Mapping[str, Any], language: Mapping[str, Any]) -> tuple[Any, Any]:
    words = tokenizer(
        image_token="<image>", video_token="<video>", vision_bos_token="<start>", vision_eos_token="<end>"
    )
    config = getattr(hf, f"{kind}Config")(
        vision_config={**VISUAL, "out_hidden_size": 32, "patch_size": 16, "num_position_embeddings": 64, **tower},
        text_config=_rope(words, head_dim=8, **language),
        vision_start_token_id=6,
        vision_end_token_id=7,
        **MARKS,
    )
    processor = hf.Qwen3VLProcessor(_qwen_pictures(16), words, no_videos(), chat_template=chat("<start><image><end>"))
    return getattr(hf, f"{kind}ForConditionalGeneration")(config), processor


def qwen3_vl() -> tuple[Any, Any]:
    """Features of several tower layers are added deep in the language model."""
    return _qwen3("Qwen3VL", {"depth": 3, "deepstack_visual_indexes": [0, 1]}, {})


def qwen3_5() -> tuple[Any, Any]:
    """Every second layer is linear attention: a recurrent state instead of a cache."""
    linear = {"linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 8}
    layers = ["linear_attention", "full_attention"] * 2
    more = {**linear, "linear_value_head_dim": 8, "layer_types": layers, "num_hidden_layers": 4}
    return _qwen3("Qwen3_5", {}, {**more, "rope": {"partial_rotary_factor": 1.0}})


def glm4v() -> tuple[Any, Any]:
    """GLM-4.1V: M-RoPE over a part of each head."""
    names = ("<|begin_of_video|>", "<|end_of_video|>")
    words = tokenizer(*names, image_token="<image>", video_token="<video>")
    first, last = words.convert_tokens_to_ids(list(names))
    config = hf.Glm4vConfig(
        vision_config={**VISUAL, "out_hidden_size": 32, "image_size": 2 * SIDE},
        text_config=_rope(words, head_dim=8, rope={"partial_rotary_factor": 1.0}),
        image_start_token_id=6,
        image_end_token_id=7,
        video_start_token_id=first,
        video_end_token_id=last,
        **MARKS,
    )
    area = SIDE * SIDE
    pictures = hf.Glm4vImageProcessorPil(size={"shortest_edge": 8 * area, "longest_edge": 16 * area})
    processor = hf.Glm4vProcessor(pictures, words, no_videos(), chat_template=chat("<start><image><end>"))
    return hf.Glm4vForConditionalGeneration(config), processor


def gemma4() -> tuple[Any, Any]:
    """Sliding windows, embeddings for each layer, pictures seen in both directions."""
    words = tokenizer(
        "<boi>", "<eoi>", "<|video|>",
        boi_token="<boi>", eoi_token="<eoi>", image_token="<image>",
        audio_token="<row>", boa_token="<start>", eoa_token="<end>",
    )  # fmt: skip
    begin, end, film = words.convert_tokens_to_ids(["<boi>", "<eoi>", "<|video|>"])
    language = {
        **text(words, head_dim=8),
        "sliding_window": 16,
        "layer_types": ["sliding_attention", "full_attention"],
        "vocab_size_per_layer_input": len(words),
        "hidden_size_per_layer_input": 8,
    }
    tower = {**vision(num_hidden_layers=2), "num_key_value_heads": 2, "head_dim": 16, "patch_size": 16}
    config = hf.Gemma4Config(
        text_config=language,
        vision_config={**tower, "position_embedding_size": 64},
        audio_config=None,
        image_token_id=4,
        video_token_id=film,
        boi_token_id=begin,
        eoi_token_id=end,
        audio_token_id=8,
        boa_token_id=6,
        eoa_token_index=7,
    )
    pictures = hf.Gemma4ImageProcessorPil(patch_size=16, max_soft_tokens=70, pooling_kernel_size=3)
    processor = hf.Gemma4Processor(
        hf.Gemma4AudioFeatureExtractor(),
        pictures,
        words,
        no_videos(),
        chat_template=chat("<image>"),
        image_seq_length=70,
    )
    return hf.Gemma4ForConditionalGeneration(config), processor


def aya_vision() -> tuple[Any, Any]:
    """Cohere 2 with a sliding window; tiles with words between them."""
    marks = ["<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "<|IMG_LINE_BREAK|>", "TILE", "TILE_GLOBAL"]
    words = tokenizer(*marks, *(f"TILE_{number}" for number in range(1, 10)))
    side = 2 * SIDE
    config = hf.AyaVisionConfig(
        vision_config=_siglip(image_size=side),
        text_config=hf.Cohere2Config(**text(words, head_dim=8), sliding_window=16),
        image_token_index=words.convert_tokens_to_ids("<|IMG_PATCH|>"),
        downsample_factor=2,
    )
    pictures = hf.GotOcr2ImageProcessorPil(size={"height": side, "width": side}, max_patches=3)
    processor = hf.AyaVisionProcessor(
        pictures,
        words,
        patch_size=PATCH,
        img_size=side,
        downsample_factor=2,
        image_token="<image>",
        chat_template=chat("<image>"),
    )
    return hf.AyaVisionForConditionalGeneration(config), processor


def granite_vision() -> tuple[Any, Any]:
    """LLaVA-NeXT over three layers of SigLIP, with Granite's multipliers."""
    words, grid = tokenizer(), [[SIDE, 2 * SIDE], [2 * SIDE, SIDE]]
    language = hf.GraniteConfig(
        **text(words),
        embedding_multiplier=12.0,
        logits_scaling=8.0,
        residual_multiplier=0.22,
        attention_multiplier=0.02,
    )
    config = hf.LlavaNextConfig(
        vision_config=_siglip(),
        text_config=language,
        image_token_index=4,
        image_grid_pinpoints=grid,
        vision_feature_layer=[-3, -2, -1],
        vision_feature_select_strategy="full",
    )
    square = {"height": SIDE, "width": SIDE}
    pictures = hf.LlavaNextImageProcessorPil(size=square, crop_size=square, image_grid_pinpoints=grid)
    processor = hf.LlavaNextProcessor(
        pictures,
        words,
        patch_size=PATCH,
        vision_feature_select_strategy="full",
        num_additional_image_tokens=0,
        chat_template=chat("<image>"),
    )
    return hf.LlavaNextForConditionalGeneration(config), processor


def vipllava() -> tuple[Any, Any]:
    """LLaVA over several layers of CLIP."""
    words = tokenizer()
    config = hf.VipLlavaConfig(
        vision_config=hf.CLIPVisionConfig(**vision()),
        text_config=hf.LlamaConfig(**text(words)),
        image_token_index=4,
        image_seq_length=4,
        vision_feature_layers=[-1, -2, 1],
    )
    processor = hf.LlavaProcessor(
        tiny_hf._clip_pictures(),
        words,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=chat("<image>"),
    )
    return hf.VipLlavaForConditionalGeneration(config), processor


def deepseek_vl() -> tuple[Any, Any]:
    """SigLIP and Llama; the processor writes a picture's tokens."""
    words = tokenizer(image_token="<image>")
    config = hf.DeepseekVLConfig(vision_config=_siglip(), text_config=hf.LlamaConfig(**text(words)), image_token_id=4)
    pictures = hf.DeepseekVLImageProcessorPil(size={"height": SIDE, "width": SIDE}, min_size=PATCH)
    processor = hf.DeepseekVLProcessor(pictures, words, num_image_tokens=4, chat_template=chat("<image>"))
    return hf.DeepseekVLForConditionalGeneration(config), processor


def janus() -> tuple[Any, Any]:
    """Its own `generate`, which passes no logits processors on: it makes pictures, too."""
    words = tokenizer(image_token="<image>", boi_token="<start>", eoi_token="<end>")
    tower = vision(num_hidden_layers=2)
    del tower["intermediate_size"]
    drawing = {
        "embed_dim": 8,
        "num_embeddings": 16,
        "latent_channels": 8,
        "base_channels": 32,
        "channel_multiplier": [1, 1],
        "num_res_blocks": 1,
        "projection_dim": 32,
        "image_token_embed_dim": 32,
    }
    config = hf.JanusConfig(
        vision_config={**tower, "mlp_ratio": 2.0, "projection_dim": 32, "num_image_tokens": 4},
        vq_config=drawing,
        text_config=hf.LlamaConfig(**text(words)),
        image_token_id=4,
    )
    pictures = hf.JanusImageProcessorPil(size={"height": SIDE, "width": SIDE}, min_size=PATCH)
    processor = hf.JanusProcessor(pictures, words, num_image_tokens=4, chat_template=chat("<image>"))
    return hf.JanusForConditionalGeneration(config), processor


def florence2() -> tuple[Any, Any]:
    """DaViT before BART: an encoder that reads the question, and a decoder whose first and last tokens are forced."""
    words = tokenizer(image_token="<image>")
    ends = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    forced = {"decoder_start_token_id": 2, "forced_bos_token_id": 1, "forced_eos_token_id": 2}
    language = {
        "model_type": "bart",
        "vocab_size": len(words),
        "d_model": 32,
        "max_position_embeddings": 1024,
        **{f"{side}_layers": 2 for side in ("encoder", "decoder")},
        **{f"{side}_attention_heads": 2 for side in ("encoder", "decoder")},
        **{f"{side}_ffn_dim": 64 for side in ("encoder", "decoder")},
    }
    tower = {
        "depths": [1, 1, 1, 1],
        "embed_dim": [16, 16, 16, 32],
        "num_heads": [1, 1, 1, 2],
        "num_groups": [1, 1, 1, 2],
        "projection_dim": 32,
        "window_size": 4,
        "max_temporal_embeddings": 4,
        "max_position_embeddings": 10,
    }
    config = hf.Florence2Config(
        vision_config=tower,
        text_config={**language, **ends, **forced},
        image_token_id=4,
        is_encoder_decoder=True,
        **ends,
    )
    pictures = hf.CLIPImageProcessorPil(size={"height": 64, "width": 64}, do_center_crop=False)
    pictures.image_seq_length = 5
    model = hf.Florence2ForConditionalGeneration(config)
    for name, number in {**ends, **forced}.items():
        setattr(model.generation_config, name, number)
    return model, hf.Florence2Processor(pictures, words)


def kosmos2() -> tuple[Any, Any]:
    """Padding counts among its positions as soon as there is a cache; pictures are told by a mask over the row."""
    processor = hf.Kosmos2Processor(tiny_hf._clip_pictures(), tokenizer(), num_patch_index_tokens=16)
    language = {
        "vocab_size": len(processor.tokenizer) + 80,
        "embed_dim": 32,
        "layers": 2,
        "ffn_dim": 64,
        "attention_heads": 4,
        "max_position_embeddings": 2048,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    config = hf.Kosmos2Config(vision_config=vision(), text_config=language, latent_query_num=64)
    return hf.Kosmos2ForConditionalGeneration(config), processor


def ovis2() -> tuple[Any, Any]:
    """Pictures as mixtures of visual words."""
    marks = ["<IMG_START>", "<IMG_GRID>", "<IMG_COL>", "<IMG_ROW>", "<IMG_END>"]
    words = tokenizer("<IMG_ATOM>", *marks)
    tower = vision(num_hidden_layers=2, vocab_size=64, hidden_stride=1, num_visual_indicator_tokens=len(marks))
    config = hf.Ovis2Config(
        vision_config=tower,
        text_config=hf.Qwen2Config(**text(words)),
        image_token_id=words.convert_tokens_to_ids("<IMG_ATOM>"),
        visual_indicator_token_ids=words.convert_tokens_to_ids(marks),
        vocab_size=len(words),
        hidden_size=32,
    )
    pictures = hf.Ovis2ImageProcessorPil(size={"height": SIDE, "width": SIDE}, crop_to_patches=True, max_patches=3)
    processor = hf.Ovis2Processor(
        pictures, words, image_token="<image>", image_seq_length=4, chat_template=chat("<image>")
    )
    return hf.Ovis2ForConditionalGeneration(config), processor


def idefics2() -> tuple[Any, Any]:
    """A perceiver between tower and language model."""
    words = tokenizer("<fake_token_around_image>", "<end_of_utterance>")
    perceiver = {
        "hidden_size": 32,
        "resampler_n_latents": 3,
        "resampler_depth": 1,
        "resampler_n_heads": 2,
        "num_key_value_heads": 1,
        "resampler_head_dim": 8,
    }
    config = hf.Idefics2Config(
        vision_config=vision(),
        text_config=hf.MistralConfig(**text(words, head_dim=8), sliding_window=None),
        perceiver_config=perceiver,
        image_token_id=4,
    )
    pictures = hf.Idefics2ImageProcessorPil(
        size={"longest_edge": 2 * SIDE, "shortest_edge": SIDE}, do_image_splitting=False
    )
    processor = hf.Idefics2Processor(pictures, words, image_seq_len=3, chat_template=chat("<image>"))
    return hf.Idefics2ForConditionalGeneration(config), processor


FAMILIES: Mapping[str, Callable[[], tuple[Any, Any]]] = {
    **tiny_hf.BUILDERS,
    "qwen2_5_vl": qwen2_5_vl,
    "qwen3_vl": qwen3_vl,
    "qwen3_5": qwen3_5,
    "glm4v": glm4v,
    "gemma4": gemma4,
    "aya_vision": aya_vision,
    "granite_vision": granite_vision,
    "vipllava": vipllava,
    "deepseek_vl": deepseek_vl,
    "janus": janus,
    "florence2": florence2,
    "kosmos2": kosmos2,
    "ovis2": ovis2,
    "idefics2": idefics2,
}
SHARING = (
    *tiny_hf.SHARING,
    *("qwen2_5_vl", "qwen3_vl", "glm4v", "gemma4", "aya_vision"),
    *("granite_vision", "vipllava", "deepseek_vl", "janus", "ovis2", "idefics2"),
)
"""What passes the trial of packed rows."""
COPIES = ("qwen3_5",)
"""What shares by copies of a prefix's state."""
ONE_BY_ONE = ("kosmos2",)
"""What fails the trial of batches."""
