"""On a GPU: an image's questions behind one prefix, plain batches, one by one, and vLLM, on TinyLLaVA-3.1B's shapes.

    python -m tests.performance.engines.gpu_speed FOLDER
    python -m tests.performance.engines.gpu_speed FOLDER --shapes tiny --device cpu --dtype float32  (a trial run)

FOLDER gets a checkpoint with random weights (SigLIP 384/14 with 729 visual tokens, two linears, Phi-2; 6 GB in
bfloat16) and a run for each way of asking the embedded POPE sample, 18 questions per image, each in a process of its
own. vLLM is asked where it is installed. Random weights say nothing; that equal questions get equal answers can be seen
all the same, up to bfloat16's rounding. Prints a markdown table.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch

from tests.models.huggingface.tiny_hf import CHAT, tokenizer
from vlmbench.runs.storage.run_files import read_manifest

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
ENDS = 0.45
"""Share of the vocabulary that ends an answer: so answers have about two tokens."""


def checkpoint(folder: Path, shapes: str, dtype: torch.dtype) -> Path:
    """A LLaVA-type checkpoint of transformers; made once."""
    import transformers as hf

    if (folder / "config.json").is_file():
        return folder
    torch.manual_seed(0)
    words = tokenizer()
    vision, text = SHAPES[shapes]
    config = hf.LlavaConfig(
        vision_config=hf.SiglipVisionConfig(**vision, image_size=384, patch_size=14, vision_use_head=False),
        text_config=hf.PhiConfig(**text, bos_token_id=1, eos_token_id=2, pad_token_id=0),
        image_token_index=4,
        vision_feature_select_strategy="full",
    )
    torch.set_default_dtype(dtype)
    model = hf.LlavaForConditionalGeneration(config)
    torch.set_default_dtype(torch.float32)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:  # spread, so that answers differ
                weight.normal_(0.0, (1.0 if "embed" in name else 1.6) / weight.shape[-1] ** 0.5)
    model.generation_config.eos_token_id = [2, *range(9, int(text["vocab_size"] * ENDS))]
    processor = hf.LlavaProcessor(
        hf.SiglipImageProcessorPil(size={"height": 384, "width": 384}),
        words,
        patch_size=14,
        vision_feature_select_strategy="full",
        chat_template=CHAT.replace("IMAGE", "<image>"),
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def asked(folder: Path, model: str, limit: int, *more: str) -> tuple[float, dict[str, str]]:
    """Seconds per question, and the answers."""
    command = [
        sys.executable,
        "-m",
        "vlmbench.cli.main",
        "run",
        "--model",
        model,
        "--tasks",
        "pope",
        "--limit",
        str(limit),
    ]
    subprocess.run([*command, "--output", str(folder), *more], check=True, stdout=subprocess.DEVNULL)
    table = pq.read_table(folder / "records.parquet", columns=["sample_id", "text"]).to_pydict()
    found = dict(zip(table["sample_id"], table["text"], strict=True))
    return read_manifest(folder)["model"]["facts"]["seconds_per_question"], found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shapes", choices=SHAPES, default="3.1b")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", choices=("bfloat16", "float16", "float32"), default="bfloat16")
    parser.add_argument("--limit", type=int, default=360, help="questions")
    told = parser.parse_args()
    model = checkpoint(told.folder / f"model-{told.shapes}", told.shapes, getattr(torch, told.dtype))
    local = ["--device", told.device, "--dtype", told.dtype]
    ways = {
        "one by one": (f"hf:{model}", [*local, "--engine", "simple"]),
        "plain batches": (f"hf:{model}", [*local, "--engine", "batched"]),
        "shared prefix": (f"hf:{model}", [*local, "--engine", "shared"]),
    }
    if find_spec("vllm"):
        ways["vLLM"] = (f"vllm:{model}", ["--dtype", told.dtype])
    runs = told.folder / f"runs-{told.shapes}-{told.device}-{told.dtype}"
    found = {name: asked(runs / name, way, told.limit, *more) for name, (way, more) in ways.items()}
    first, answers = found["one by one"]
    print("| way | ms per question | times as fast | equal answers |\n|---|---|---|---|")
    for name, (seconds, texts) in found.items():
        equal = sum(texts[sample] == text for sample, text in answers.items())
        print(f"| {name} | {1000 * seconds:.1f} | {first / seconds:.1f} | {equal} of {len(answers)} |")


if __name__ == "__main__":
    main()
