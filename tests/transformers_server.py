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
from pathlib import Path
from typing import Any

import pytest

NEEDED = ("accelerate", "fastapi", "uvicorn", "multipart")
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"
SEEING = (
    "{% for m in messages %}{{ m['role'] }}: "
    "{% for part in m['content'] %}{% if part['type'] == 'image' %}<image>{% endif %}{% endfor %}"
    "{% for part in m['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}\n"
    "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
)
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}


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


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """The port of a server of that folder's model; a skip where the server's packages are not installed."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        pytest.skip(f"`transformers serve` needs {', '.join(missing)}: pip install 'vlmbench[test]'")
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
