"""On a GPU: questions grouped by image, plain batches, one by one, and vLLM with automatic prefix caching.

    python -m tests.performance.engines.gpu_speed FOLDER --compile
    python -m tests.performance.engines.gpu_speed FOLDER --shapes tiny --device cpu --dtype float32  (a trial run)

FOLDER gets a checkpoint with random weights in TinyLLaVA-3.1B's shapes (SigLIP 384/14 with 729 visual tokens, two
linears, Phi-2; 6 GB in bfloat16) and a run for each way of asking three embedded samples with 18, 2 and 1 questions an
image, each in a process of its own. vLLM is asked where it is installed. Random weights say nothing; that equal
questions get equal answers can be seen all the same, up to bfloat16's rounding. Prints a markdown table; some minutes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch

from tests.models.huggingface.tiny_hf import CHAT, tokenizer

SHAPES: dict[str, tuple[dict[str, int], dict[str, Any]]] = {
    "3.1b": (
        {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16},
        {"vocab_size": 51_200, "hidden_size": 2560, "intermediate_size": 10_240, "num_hidden_layers": 32}
        | {"num_attention_heads": 32, "partial_rotary_factor": 0.4, "max_position_embeddings": 2048},
    ),
    "tiny": (
        {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2},
        {"vocab_size": 512, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
        | {"num_attention_heads": 4, "partial_rotary_factor": 0.5, "max_position_embeddings": 2048},
    ),
}
"""SigLIP's and Phi's sizes. TinyLLaVA leaves the tower's last layer out, as LLaVA's form does by itself."""
PATCH = 14
TASKS = {"pope": "18", "mme": "2", "vizwiz": "1"}
"""Embedded samples, and about how many questions they have an image."""
BATCH = ["--batch-size", "16"]
"""Where `auto` is one by one."""
ENDS = 0.45
"""Share of the vocabulary that ends an answer: so answers have about two tokens."""


@dataclass
class Answers:
    """What a model said about a task's questions."""

    texts: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    @property
    def each(self) -> float:
        """Seconds per question."""
        return sum(self.seconds) / len(self.seconds)


def built(shapes: str, side: int = 384) -> tuple[Any, Any]:
    """A LLaVA-type model of transformers and its processor, for images of so many pixels a side."""
    import transformers as hf

    words = tokenizer()
    vision, text = SHAPES[shapes]
    config = hf.LlavaConfig(
        vision_config=hf.SiglipVisionConfig(**vision, image_size=side, patch_size=PATCH, vision_use_head=False),
        text_config=hf.PhiConfig(**text, bos_token_id=1, eos_token_id=2, pad_token_id=0),
        image_token_index=4,
        vision_feature_select_strategy="full",
    )
    processor = hf.LlavaProcessor(
        hf.SiglipImageProcessorPil(size={"height": side, "width": side}),
        words,
        patch_size=PATCH,
        vision_feature_select_strategy="full",
        chat_template=CHAT.replace("IMAGE", "<image>"),
    )
    return hf.LlavaForConditionalGeneration(config), processor


def checkpoint(folder: Path, shapes: str, dtype: torch.dtype) -> Path:
    """Such a model on disk; made once."""
    if (folder / "config.json").is_file():
        return folder
    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    model, processor = built(shapes)
    torch.set_default_dtype(torch.float32)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:  # spread, so that answers differ
                weight.normal_(0.0, (1.0 if "embed" in name else 1.6) / weight.shape[-1] ** 0.5)
    model.generation_config.eos_token_id = [2, *range(9, int(SHAPES[shapes][1]["vocab_size"] * ENDS))]
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def asked(folder: Path, model: str, limit: int, *more: str) -> dict[str, Answers]:
    """Each task's answers."""
    command = [sys.executable, "-m", "vlmbench.cli.main", "run", "--model", model, "--tasks", ",".join(TASKS)]
    command += ["--limit", str(limit), "--output", str(folder), *more]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    columns = ["task", "sample_id", "text", "seconds"]
    rows = pq.read_table(folder / "records.parquet", columns=columns).to_pylist()
    found: dict[str, Answers] = {}
    for row in rows:
        answers = found.setdefault(row["task"], Answers())
        answers.texts[row["sample_id"]] = row["text"]
        answers.seconds.append(row["seconds"])
    return found


def ways(model: Path, device: str, dtype: str, *, compiled: bool) -> tuple[dict[str, tuple[str, list[str]]], str]:
    """Each way's model and options, the first to compare with; and why one is left out."""
    local = ["--device", device, "--dtype", dtype]
    found = {
        "one by one": (f"hf:{model}", [*local, "--engine", "simple"]),
        "plain batches": (f"hf:{model}", [*local, "--engine", "batched", *([] if device == "cuda" else BATCH)]),
        "grouped": (f"hf:{model}", [*local, "--engine", "shared"]),
    }
    if compiled:
        found["grouped, compiled steps"] = (f"hf:{model},compile=decode", [*local, "--engine", "shared"])
    if find_spec("vllm"):
        found["vLLM, prefix caching"] = (f"vllm:{model}", ["--dtype", dtype])
        return found, ""
    return found, "vLLM is left out: it is not installed here (pip install vllm)"


def table(found: Mapping[str, Mapping[str, Answers]]) -> str:
    """Markdown: each way's time for each task, against the first way's."""
    lines = ["| questions an image | way | ms per question | times as fast | equal answers |", "|---|---|---|---|---|"]
    first = next(iter(found.values()))
    for task, shape in TASKS.items():
        for way, answers in found.items():
            one, this = first[task], answers[task]
            equal = sum(this.texts[sample] == text for sample, text in one.texts.items())
            speed = f"{1000 * this.each:.1f} | {one.each / this.each:.1f}"
            lines.append(f"| {shape} | {way} | {speed} | {equal} of {len(one.texts)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shapes", choices=SHAPES, default="3.1b")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", choices=("bfloat16", "float16", "float32"), default="bfloat16")
    parser.add_argument("--limit", type=int, default=180, help="questions of each task")
    parser.add_argument("--compile", action="store_true", help="compiled steps of decoding, too")
    told = parser.parse_args()
    model = checkpoint(told.folder / f"model-{told.shapes}", told.shapes, getattr(torch, told.dtype))
    runs = told.folder / f"runs-{told.shapes}-{told.device}-{told.dtype}"
    chosen, missing = ways(model, told.device, told.dtype, compiled=told.compile)
    found = {name: asked(runs / name, way, told.limit, *more) for name, (way, more) in chosen.items()}
    print(table(found))
    if missing:
        print(f"\n{missing}")


if __name__ == "__main__":
    main()
