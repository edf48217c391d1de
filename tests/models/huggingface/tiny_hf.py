"""Tiny random checkpoints of transformers' image-text architectures, with their official processors, made here.

Weights are scaled up so that answers depend on picture and question; a tokenizer of bytes serves them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from vlmbench.models.huggingface.loading.processors import no_videos, without_videos

Builder = Callable[[], tuple[Any, Any]]
SIDE, PATCH = 28, 14
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "<image>", "<video>", "<start>", "<end>", "<row>")
CHAT = (
    "{% for m in messages %}{{ '<start>' if m['role'] == 'user' else '<end>' }}{% if m['content'] is string %}"
    "{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}IMAGE{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<end>{% endif %}"
)


def tokenizer(*more: str, bos: bool = True, **names: str) -> Any:
    """Bytes and special tokens; `names` are further named ones."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*SPECIAL, *more]
    raw = Tokenizer(models.BPE(vocab={word: at for at, word in enumerate([*words, *alphabet])}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    if bos:
        raw.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        additional_special_tokens=words[4:],
        model_max_length=4096,
        **({"extra_special_tokens": names} if names else {}),
    )


def text(words: Any, **more: Any) -> dict[str, Any]:
    """What all language models have in common."""
    return {
        "vocab_size": len(words),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "tie_word_embeddings": False,
        **more,
    }


def vision(**more: Any) -> dict[str, Any]:
    """What all vision towers have in common."""
    return {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "image_size": SIDE,
        "patch_size": PATCH,
        **more,
    }


def chat(image: str) -> str:
    """The chat template, with what stands for a picture."""
    return CHAT.replace("IMAGE", image)


def _clip_pictures() -> Any:
    return hf.CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})


def llava() -> tuple[Any, Any]:
    """CLIP, a projector, Llama with grouped queries; a chat template."""
    words = tokenizer()
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(**vision()),
        text_config=hf.LlamaConfig(**text(words)),
        image_token_index=4,
        image_seq_length=4,
    )
    processor = hf.LlavaProcessor(
        _clip_pictures(),
        words,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=chat("<image>"),
    )
    return hf.LlavaForConditionalGeneration(config), processor


def llava_next() -> tuple[Any, Any]:
    """As many tiles as a picture's form asks for, with tokens at the ends of rows."""
    words = tokenizer()
    grid = [[SIDE, 2 * SIDE], [2 * SIDE, SIDE], [2 * SIDE, 2 * SIDE]]
    config = hf.LlavaNextConfig(
        vision_config=hf.CLIPVisionConfig(**vision()),
        text_config=hf.MistralConfig(**text(words), sliding_window=None),
        image_token_index=4,
        image_grid_pinpoints=grid,
    )
    pictures = hf.LlavaNextImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}, image_grid_pinpoints=grid
    )
    processor = hf.LlavaNextProcessor(
        pictures,
        words,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=chat("<image>"),
    )
    return hf.LlavaNextForConditionalGeneration(config), processor


def mistral_llava() -> tuple[Any, Any]:
    """A language model with a sliding window."""
    model, processor = llava()
    config = model.config
    config.text_config = hf.MistralConfig(**text(processor.tokenizer), sliding_window=8)
    return hf.LlavaForConditionalGeneration(config), processor


def idefics3() -> tuple[Any, Any]:
    """Pixel shuffle, pictures cut in tiles with tokens between them."""
    words, pictures, config = _tiled()
    processor = hf.Idefics3Processor(pictures, words, image_seq_len=1, chat_template=chat("<image>"))
    return hf.Idefics3ForConditionalGeneration(hf.Idefics3Config(**config)), processor


def smolvlm() -> tuple[Any, Any]:
    """Idefics 3 with other words and a part for videos."""
    words, pictures, config = _tiled()
    processor = hf.SmolVLMProcessor(pictures, words, no_videos(), image_seq_len=1, chat_template=chat("<image>"))
    return hf.SmolVLMForConditionalGeneration(hf.SmolVLMConfig(**config)), processor


def _tiled() -> tuple[Any, Any, dict[str, Any]]:
    rows = tuple(f"<row_{row}_col_{col}>" for row in range(1, 7) for col in range(1, 7))
    words = tokenizer("<fake_token_around_image>", "<global-img>", "<end_of_utterance>", *rows)
    pictures = hf.Idefics3ImageProcessorPil(
        size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}, do_image_splitting=True
    )
    tower, decoder = vision(image_size=SIDE), hf.LlamaConfig(**text(words))
    return words, pictures, {"vision_config": tower, "text_config": decoder, "image_token_id": 4, "scale_factor": 2}


def paligemma() -> tuple[Any, Any]:
    """Attention in both directions over the whole prompt; no chat template."""
    words = tokenizer(bos=False)
    pictures = hf.SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    pictures.image_seq_length = 4
    processor = hf.PaliGemmaProcessor(pictures, words)
    config = hf.PaliGemmaConfig(
        vision_config=hf.SiglipVisionConfig(**vision(projection_dim=32)),
        text_config=hf.GemmaConfig(**text(words, vocab_size=len(words), head_dim=8)),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        projection_dim=32,
        hidden_size=32,
    )
    return hf.PaliGemmaForConditionalGeneration(config), processor


def gemma3() -> tuple[Any, Any]:
    """Sliding windows, and pictures whose tokens see each other in both directions."""
    words = tokenizer("<boi>", "<eoi>", boi_token="<boi>", eoi_token="<eoi>", image_token="<image>")
    pictures = hf.Gemma3ImageProcessorPil(size={"height": SIDE, "width": SIDE})
    processor = hf.Gemma3Processor(pictures, words, chat_template=chat("<boi>"), image_seq_length=4)
    config = hf.Gemma3Config(
        vision_config=vision(),
        text_config=hf.Gemma3TextConfig(**text(words, head_dim=8), sliding_window=16),
        mm_tokens_per_image=4,
        boi_token_index=words.convert_tokens_to_ids("<boi>"),
        eoi_token_index=words.convert_tokens_to_ids("<eoi>"),
        image_token_index=4,
    )
    return hf.Gemma3ForConditionalGeneration(config), processor


def _qformer() -> dict[str, Any]:
    return {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "encoder_hidden_size": 32,
        "vocab_size": 300,
        "pad_token_id": 0,
    }


def _opt(words: Any) -> Any:
    return hf.OPTConfig(
        vocab_size=len(words),
        hidden_size=32,
        ffn_dim=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        word_embed_proj_dim=32,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )


def _t5(words: Any) -> Any:
    return hf.T5Config(
        vocab_size=len(words), d_model=32, d_ff=64, d_kv=8, num_layers=2, num_heads=4, decoder_start_token_id=0,
        pad_token_id=0, eos_token_id=2, tie_word_embeddings=False,
    )  # fmt: skip


def _blip2(language: Callable[[Any], Any]) -> tuple[Any, Any]:
    words = tokenizer()
    config = hf.Blip2Config(
        vision_config=vision(),
        qformer_config=_qformer(),
        text_config=language(words),
        num_query_tokens=4,
        image_token_index=4,
    )
    pictures = hf.BlipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    return hf.Blip2ForConditionalGeneration(config), hf.Blip2Processor(pictures, words, num_query_tokens=4)


def blip2() -> tuple[Any, Any]:
    """A Q-Former before OPT, whose positions are learnt; no chat template, and no image tokens in the text."""
    return _blip2(_opt)


def blip2_t5() -> tuple[Any, Any]:
    """A Q-Former before T5: the prompt goes into an encoder."""
    return _blip2(_t5)


def instructblip() -> tuple[Any, Any]:
    """A Q-Former that reads the question, too: what it makes of a picture hangs on it."""
    words, readers = tokenizer(), tokenizer()
    config = hf.InstructBlipConfig(
        vision_config=vision(),
        qformer_config=_qformer(),
        text_config=_opt(words),
        num_query_tokens=4,
        image_token_index=4,
    )
    pictures = hf.BlipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    processor = hf.InstructBlipProcessor(pictures, words, readers, num_query_tokens=4)
    return hf.InstructBlipForConditionalGeneration(config), processor


def mllama() -> tuple[Any, Any]:
    """Pictures enter by layers of cross-attention."""
    words = tokenizer("<|image|>", "<|python_tag|>")
    config = hf.MllamaConfig(
        vision_config={
            **vision(),
            "num_hidden_layers": 2,
            "num_global_layers": 1,
            "attention_heads": 2,
            "vision_output_dim": 64,
            "intermediate_layers_indices": [0],
            "max_num_tiles": 2,
            "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]],
        },
        text_config={**text(words), "cross_attention_layers": [1], "num_hidden_layers": 3, "vocab_size": len(words)},
        image_token_index=words.convert_tokens_to_ids("<|image|>"),
    )
    pictures = hf.MllamaImageProcessorPil(size={"height": SIDE, "width": SIDE}, max_image_tiles=2)
    processor = hf.MllamaProcessor(pictures, words, chat_template=chat("<|image|>"))
    return hf.MllamaForConditionalGeneration(config), processor


def onevision() -> tuple[Any, Any]:
    """SigLIP and Qwen2; tiles as in LLaVA-NeXT, all of a tower's tokens."""
    words = tokenizer()
    grid = [[SIDE, SIDE], [SIDE, 2 * SIDE], [2 * SIDE, SIDE]]
    config = hf.LlavaOnevisionConfig(
        vision_config=hf.SiglipVisionConfig(**vision(), vision_use_head=False),
        text_config=hf.Qwen2Config(**text(words)),
        image_token_index=4,
        video_token_index=5,
        image_grid_pinpoints=grid,
    )
    pictures = hf.LlavaOnevisionImageProcessorPil(size={"height": SIDE, "width": SIDE}, image_grid_pinpoints=grid)
    return hf.LlavaOnevisionForConditionalGeneration(config), hf.LlavaOnevisionProcessor(
        pictures,
        words,
        no_videos(),
        num_image_tokens=4,
        vision_feature_select_strategy="full",
        chat_template=chat("<image>"),
    )


def internvl() -> tuple[Any, Any]:
    """Pictures in patches, pixel shuffle, Qwen2."""
    words = tokenizer(
        start_image_token="<start>", end_image_token="<end>", context_image_token="<image>", video_token="<video>"
    )
    config = hf.InternVLConfig(
        vision_config=hf.InternVLVisionConfig(**{**vision(), "image_size": [SIDE, SIDE], "patch_size": [PATCH, PATCH]}),
        text_config=hf.Qwen2Config(**text(words)),
        image_token_id=4,
        image_seq_length=1,
    )
    pictures = hf.GotOcr2ImageProcessorPil(size={"height": SIDE, "width": SIDE}, max_patches=3)
    template = chat("<image>")
    processor = hf.InternVLProcessor(pictures, words, no_videos(), image_seq_length=1, chat_template=template)
    return hf.InternVLForConditionalGeneration(config), processor


def qwen2_vl() -> tuple[Any, Any]:
    """M-RoPE: a token's position has three numbers, and a picture's tokens share some."""
    words = tokenizer(image_token="<image>", video_token="<video>")
    config = hf.Qwen2VLConfig(
        vision_config={"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2},
        text_config=text(words, rope_parameters={"rope_type": "default", "mrope_section": [1, 1, 2]}),
        image_token_id=4,
        video_token_id=5,
        vision_start_token_id=6,
        vision_end_token_id=7,
    )
    pictures = hf.Qwen2VLImageProcessorPil(min_pixels=4 * SIDE * SIDE, max_pixels=8 * SIDE * SIDE)
    processor = hf.Qwen2VLProcessor(pictures, words, no_videos(), chat_template=chat("<start><image><end>"))
    return hf.Qwen2VLForConditionalGeneration(config), processor


SHARING = (
    *("llava", "llava_next", "onevision", "idefics3", "smolvlm", "internvl"),
    *("qwen2_vl", "sliding", "gemma3", "mllama"),
)
"""What passes the trial."""
REFUSED: Mapping[str, str] = {
    "paligemma": "attention over the image sees the question behind it",
    "blip2": "takes no positions",
    "blip2_t5": "its encoder reads the question together with the image",
    "instructblip": "takes no positions",
}
"""What does not, and a word of the reason."""
BUILDERS: Mapping[str, Builder] = {
    "llava": llava,
    "llava_next": llava_next,
    "onevision": onevision,
    "idefics3": idefics3,
    "smolvlm": smolvlm,
    "internvl": internvl,
    "qwen2_vl": qwen2_vl,
    "sliding": mistral_llava,
    "paligemma": paligemma,
    "gemma3": gemma3,
    "blip2": blip2,
    "blip2_t5": blip2_t5,
    "instructblip": instructblip,
    "mllama": mllama,
}


def build(kind: str | Builder, *, seed: int = 0) -> tuple[Any, Any]:
    """A random model of this kind, and its processor."""
    torch.manual_seed(seed)
    with without_videos():
        model, processor = (BUILDERS[kind] if isinstance(kind, str) else kind)()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "gate" in name and parameter.dim() == 1:  # cross-attention starts closed
                parameter.fill_(0.8)
            elif parameter.dim() > 1:
                parameter.normal_(std=(0.5 if "embed" in name else 1.2) / parameter[0].numel() ** 0.5)
    model.generation_config.eos_token_id = 2
    return model, processor


def checkpoint(kind: str, folder: Path, *, seed: int = 0) -> Path:
    """A folder with a random checkpoint of this kind."""
    model, processor = build(kind, seed=seed)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
