"""Any image-text model of transformers: `--model hf:FOLDER` or `--model hf:OWNER/NAME` of the Hugging Face hub.

LLaVA 1.5/1.6/OneVision, Qwen2-VL and 2.5-VL, BLIP-2, InstructBLIP, InternVL, Idefics, PaliGemma, Gemma 3, SmolVLM, ...:
whatever `AutoModelForImageTextToText` and `AutoProcessor` open. Nothing here knows one of them by name.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from vlmbench.errors import ModelError, UnknownNameError, UsageError

from .answering import Answering
from .engine import DTYPES, SMALL, place
from .hf_batches import AUTO
from .hf_engine import HfEngine
from .hf_processors import open_processor
from .hf_system import HfSystem
from .memory import hand_back
from .parts.hush import hushed
from .quantize import check as check_quantization
from .quantize import quantize as quantize_weights

FILES = (".json", ".safetensors", ".model", ".txt", ".jinja", ".py")
"""Suffixes of what decides the answers in a checkpoint's folder."""


class HfModel(Answering):
    """A transformers model as the Model of a run."""

    @property
    def converses(self) -> bool:  # type: ignore[override]
        """Whether earlier turns of a dialogue are heeded."""
        return self.hf.converses

    def __init__(self, system: HfSystem, fingerprint: str, engine: HfEngine) -> None:
        self.hf = system
        super().__init__(system, fingerprint, engine)  # type: ignore[arg-type]  # what facts ask of it, it has


def load(
    checkpoint: str | None,
    *,
    engine: str = "shared",
    exact: bool = False,
    dtype: str = "float32",
    device: str = "",
    threads: int = 0,
    quantize: str = "",
    batch: str = AUTO,
    attention: str = "",
    prompting: str = "",
    trust_remote_code: bool = False,
) -> HfModel:
    """A folder, or a model of the hub, that answers. `engine` shared becomes `batched`, and says so, where it must.

    `batch`: rows that go through the network at once, or `auto`. `attention`: transformers' name of an implementation.
    `prompting`: `chat` or another way of hf_prompts. `trust_remote_code`: run code that comes with the checkpoint;
    never without being told. Raises ModelError for what cannot be loaded or asked, UsageError for unknown words.
    """
    if checkpoint is None:
        raise UsageError("which model?", cure="--model hf:FOLDER or --model hf:OWNER/NAME")
    if dtype not in DTYPES:
        raise UnknownNameError("dtype", dtype, DTYPES)
    if threads < 0:
        raise UsageError("threads must be at least 0", cure="leave it out")
    if quantize:
        check_quantization(quantize)
    where = place(device)
    model, processor, mark = _open(checkpoint, dtype=DTYPES[dtype], attention=attention, trusted=trust_remote_code)
    if threads or sum(parameter.numel() for parameter in model.parameters()) < SMALL:
        torch.set_num_threads(threads or 1)
    if quantize:
        quantize_weights(model.get_decoder(), quantize, where)
        hand_back()
    model.to(where)
    told = {
        "dtype": dtype,
        **({"quantize": quantize} if quantize else {}),
        **({"attention": attention} if attention else {}),
    }
    system = HfSystem(model, processor, way=prompting, told=told)
    return HfModel(system, mark, HfEngine(system, kind=engine, batch=batch, exact=exact))


def of_objects(model: Any, processor: Any) -> HfModel:
    """A model that is in memory already, with its processor, where it lies and in its own numbers.

    Raises ModelError for a processor that does not work.
    """
    system = HfSystem(model, processor, told={"dtype": str(model.dtype).removeprefix("torch.")})
    return HfModel(system, object_mark(model, processor), HfEngine(system))


def object_mark(model: Any, processor: Any) -> str:
    """SHA-256 over the weights, config and processor of a model in memory."""
    digest = hashlib.sha256(model.config.to_json_string(use_diff=False).encode())
    digest.update(processor.to_json_string().encode())
    tokenizer = getattr(processor, "tokenizer", None)
    for word, number in sorted(tokenizer.get_vocab().items()) if tokenizer else ():
        digest.update(f"{word}\0{number}\n".encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}\0{tensor.dtype}{tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _open(checkpoint: str, *, dtype: torch.dtype, attention: str, trusted: bool) -> tuple[Any, Any, str]:
    """The network, its processor, and the fingerprint of both."""
    folder = Path(checkpoint).expanduser()
    source = str(folder) if folder.is_dir() else checkpoint
    if folder.exists() and not folder.is_dir():
        raise ModelError("not a folder", where=checkpoint, cure="name the folder with config.json")
    more: dict[str, Any] = {"attn_implementation": attention} if attention else {}
    try:
        with hushed():
            from transformers import AutoModelForImageTextToText

            processor = open_processor(source, trusted=trusted)
            model = AutoModelForImageTextToText.from_pretrained(
                source, dtype=dtype, trust_remote_code=trusted, use_safetensors=True, **more
            )
    except (OSError, ValueError, ImportError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise ModelError(f"transformers cannot open it: {error}", where=checkpoint, cure=_cure(str(error))) from None
    mark = fingerprint(folder) if folder.is_dir() else _hub_mark(checkpoint, model.config)
    return model, processor, mark


def _cure(said: str) -> str:
    if "trust_remote_code" in said:
        return "read the code that comes with it; then --trust-remote-code runs it"
    if "num2words" in said:
        return "pip install 'vlmbench[hf]'"
    return "it takes a folder (or hub name) with config.json, *.safetensors and the processor's files"


def _hub_mark(name: str, config: Any) -> str:
    commit = getattr(config, "_commit_hash", None)
    if not commit:
        raise ModelError("the hub tells no commit of it", where=name, cure="download it and name the folder")
    return hashlib.sha256(f"{name}@{commit}".encode()).hexdigest()


def fingerprint(folder: Path) -> str:
    """SHA-256 over a checkpoint's weights, tokenizer and configs: file names and contents, in name order."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.iterdir() if path.suffix in FILES):
        with file.open("rb") as stream:
            digest.update(f"{file.name}\0{hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
