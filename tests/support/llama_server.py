"""A llama.cpp server on loopback, a server that is not ours, with tiny LLaVAs written here as GGUF files. For tests.

The model knows nothing, sees, and says mostly `yes` and `no`, of which its head makes opposites. `python -m
tests.support.llama_server FOLDER PORT` serves what `make_model` wrote until it is ended.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.transformers_server import free_port, wait_for

NEEDED = ("xllamacpp", "gguf")
CONTEXT = 512
"""Tokens that a conversation may have."""
WIDTH, LAYERS, HEADS = 64, 2, 2
SIDE, PATCH = 28, 14
SPECIAL = ("<s>", "</s>")
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "
MODEL, PROJECTOR = "model.gguf", "mmproj.gguf"


def _letters() -> list[str]:
    """GPT-2's letters for the 256 bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) if byte in plain else chr(256 + others.index(byte)) for byte in range(256)]


def make_model(folder: Path, seed: int) -> Path:
    """A language model and a picture tower with a projector; `seed` draws the weights, never the shapes."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    _write_text(folder / MODEL, rng)
    _write_vision(folder / PROJECTOR, rng)
    return folder


def _write_text(path: Path, rng: np.random.Generator) -> None:
    import gguf

    merges = ["y e", "ye s", "n o"]
    tokens = [*SPECIAL, *_letters(), *(merge.replace(" ", "") for merge in merges)]
    out = gguf.GGUFWriter(path, "llama")
    out.add_context_length(CONTEXT)
    out.add_embedding_length(WIDTH)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(WIDTH)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_rope_dimension_count(WIDTH // HEADS)
    out.add_vocab_size(len(tokens))
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list(tokens)
    out.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)))
    out.add_token_merges(merges)
    out.add_bos_token_id(0)
    out.add_eos_token_id(1)
    out.add_chat_template(TEMPLATE)

    def put(name: str, *shape: int, scale: float = 0.3) -> None:
        out.add_tensor(name, (rng.standard_normal(shape) * scale).astype(np.float32))

    def ones(name: str) -> None:
        out.add_tensor(name, np.ones(WIDTH, np.float32))

    put("token_embd.weight", len(tokens), WIDTH, scale=1.0)
    for layer in range(LAYERS):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
            put(f"blk.{layer}.{part}.weight", WIDTH, WIDTH)
        ones(f"blk.{layer}.attn_norm.weight")
        ones(f"blk.{layer}.ffn_norm.weight")
    ones("output_norm.weight")
    head = np.zeros((len(tokens), WIDTH), np.float32)
    head[tokens.index("yes")] = 3 * rng.standard_normal(WIDTH)
    head[tokens.index("no")] = -head[tokens.index("yes")]
    head[1] = 0.7 * rng.standard_normal(WIDTH)
    for letter in "abcdefgh":
        head[tokens.index(letter)] = 0.7 * rng.standard_normal(WIDTH)
    out.add_tensor("output.weight", head)
    _close(out)


def _write_vision(path: Path, rng: np.random.Generator) -> None:
    import gguf

    out = gguf.GGUFWriter(path, "clip")
    out.add_bool("clip.has_vision_encoder", True)
    out.add_string("clip.projector_type", "mlp")
    out.add_bool("clip.use_gelu", False)
    sizes = {
        "image_size": SIDE, "patch_size": PATCH, "embedding_length": WIDTH, "feed_forward_length": WIDTH,
        "projection_dim": WIDTH, "block_count": LAYERS, "attention.head_count": HEADS,
    }  # fmt: skip
    for name, value in sizes.items():
        out.add_uint32(f"clip.vision.{name}", value)
    out.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    out.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    out.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])

    def put(name: str, *shape: int, scale: float = 0.3) -> None:
        out.add_tensor(name, (rng.standard_normal(shape) * scale).astype(np.float32))

    def norm(name: str) -> None:
        out.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))
        out.add_tensor(f"{name}.bias", np.zeros(WIDTH, np.float32))

    put("v.class_embd", WIDTH)
    put("v.patch_embd.weight", WIDTH, 3, PATCH, PATCH)
    put("v.position_embd.weight", (SIDE // PATCH) ** 2 + 1, WIDTH)
    norm("v.pre_ln")
    for layer in range(LAYERS + 1):  # llama.cpp takes the features of the layer before the last
        for part in ("attn_q", "attn_k", "attn_v", "attn_out", "ffn_up", "ffn_down"):
            put(f"v.blk.{layer}.{part}.weight", WIDTH, WIDTH)
            put(f"v.blk.{layer}.{part}.bias", WIDTH, scale=0.0)
        norm(f"v.blk.{layer}.ln1")
        norm(f"v.blk.{layer}.ln2")
    for part in ("mm.0", "mm.2"):
        put(f"{part}.weight", WIDTH, WIDTH, scale=0.6)
        put(f"{part}.bias", WIDTH)
    _close(out)


def _close(out: Any) -> None:
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


class Serving:
    """The server as a process of its own, which can be ended and started again on the same port."""

    def __init__(self, log: Path) -> None:
        self.port, self._log = free_port(), log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The base_url for clients."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self, folder: Path) -> None:
        """Serve a folder's model; whatever was served before is ended."""
        self.stop()
        words = [sys.executable, "-m", "tests.support.llama_server", str(folder), str(self.port)]
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        root = Path(__file__).resolve().parents[2]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(words, cwd=root, env=env, stdout=log, stderr=log)
        wait_for(f"http://127.0.0.1:{self.port}/health", self._process, self._log)

    def stop(self) -> None:
        """Kill it, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def serving(log: Path) -> Iterator[Serving]:
    """A server that is not started yet; a skip where its packages are not installed."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        pytest.skip(f"llama.cpp's server needs {', '.join(missing)}: make test installs them")
    made = Serving(log)
    try:
        yield made
    finally:
        made.stop()


def main(folder: str, port: str) -> None:
    """Serve until ended."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.mmproj.path = str(Path(folder) / MODEL), str(Path(folder) / PROJECTOR)
    params.hostnames, params.port = ["127.0.0.1"], int(port)
    params.n_ctx, params.n_parallel, params.warmup, params.use_jinja = CONTEXT, 1, False, True
    params.cpuparams.n_threads = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
