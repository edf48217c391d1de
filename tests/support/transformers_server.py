"""`transformers serve` on loopback, a server that is not ours, and tiny random models for it. For tests."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.toys import png_of
from vlmbench.base.samples import Generation, ImageRef, Request

NEEDED = ("accelerate", "fastapi", "uvicorn", "multipart")
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"
SEEING = (
    "{% for m in messages %}{{ m['role'] }}: "
    "{% for part in m['content'] %}{% if part['type'] == 'image' %}<image>{% endif %}{% endfor %}"
    "{% for part in m['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}\n"
    "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
)
SIZES = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
"""Heads of 32, which every attention kernel takes."""
QUESTIONS = ("What is it?", "Where?", "Is it blue?")
WORDS = 6


def make_tokenizer(special: tuple[str, ...] = (), template: str = TEMPLATE) -> Any:
    """A tokenizer of bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    letters = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer, bare.decoder = letters, decoders.ByteLevel()
    words = ["<s>", "</s>", *special]
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=words, initial_alphabet=letters.alphabet(), show_progress=False
    )
    bare.train_from_iterator(["grade 0.5 0.1"], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bare, bos_token="<s>", eos_token="</s>", pad_token="</s>")
    tokenizer.chat_template = template
    return tokenizer


def make_language_model(folder: Path) -> None:
    """A Llama of two layers that knows nothing."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer()
    config = LlamaConfig(vocab_size=len(tokenizer), bos_token_id=0, eos_token_id=1, **SIZES)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def make_llava(folder: Path) -> None:
    """A LLaVA of two layers with a CLIP tower of two: it knows nothing, and sees."""
    import torch
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer = make_tokenizer(("<image>",), SEEING)
    side, patch = 32, 8
    wide = {"initializer_range": 0.3}  # or all it says comes from the last few tokens
    text = LlamaConfig(vocab_size=len(tokenizer), bos_token_id=0, eos_token_id=1, **SIZES, **wide)
    vision = CLIPVisionConfig(image_size=side, patch_size=patch, projection_dim=32, **SIZES)
    sign = tokenizer.convert_tokens_to_ids("<image>")
    torch.manual_seed(5)
    LlavaForConditionalGeneration(
        LlavaConfig(vision_config=vision, text_config=text, image_token_index=sign)
    ).save_pretrained(folder)
    LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side}),
        tokenizer,
        patch_size=patch,
        vision_feature_select_strategy="default",
        chat_template=SEEING,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)


def pictures() -> list[Image.Image]:
    """Three that differ in colour and in form."""
    return [Image.new("RGB", (40, 30 + 10 * n), (80 * n, 200 - 60 * n, 9)) for n in range(3)]


def asked(number: int, question: str) -> Request:
    """A question about one of them."""
    picture = ImageRef(str(number), partial(bytes, png_of(pictures()[number])))
    return Request(f"{number} {question}", question, (picture,), generation=Generation(WORDS))


def directly(folder: Path) -> dict[str, str]:
    """What the model says without a server."""
    from transformers import LlavaForConditionalGeneration, LlavaProcessor

    model, processor = LlavaForConditionalGeneration.from_pretrained(folder), LlavaProcessor.from_pretrained(folder)
    said = {}
    for number, picture in enumerate(pictures()):
        for question in QUESTIONS:
            parts = [{"type": "image", "image": picture}, {"type": "text", "text": question}]
            inputs = processor.apply_chat_template(
                [{"role": "user", "content": parts}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            )
            out = model.generate(**inputs, max_new_tokens=WORDS, do_sample=False)
            new = out[0, inputs["input_ids"].shape[1] :]
            said[f"{number} {question}"] = processor.decode(new, skip_special_tokens=True)
    return said


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """The port of a server of that folder's model; a skip where the server's packages are not installed."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        pytest.skip(f"`transformers serve` needs {', '.join(missing)}: make test installs it")
    port = free_port()
    words = [str(Path(sys.executable).with_name("transformers")), "serve", "--device", "cpu", "--port", str(port)]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*words, "--host", "127.0.0.1"], stdout=log, stderr=log, env=env)
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process, folder / "log")
            yield port
        finally:
            process.terminate()
            process.wait(20)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the server answers."""
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())
