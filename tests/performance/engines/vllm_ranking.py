"""CPU time a question of the vllm adapter: free answers, choices ranked behind the cached prompt and by whole prompts.

    OMP_NUM_THREADS=1 PYTHON -m tests.performance.engines.vllm_ranking MODEL

PYTHON is the interpreter of vLLM's environment (`make vllm-test`), MODEL a LLaVA-type folder with the names of weights
of transformers 4. 8 questions about each of 3 images, one thread, float32, process CPU time; the ways alternated,
medians. All answers and rankings are compared with those of `hf`. Prints a row of Markdown for each way.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections import defaultdict
from functools import partial
from typing import Any

from tests.performance.engines.models import OBJECTS, drawn
from vlmbench.base.samples import Generation, ImageRef, Request, Response
from vlmbench.models.huggingface.load import load as load_hf
from vlmbench.models.servers import vllm, vllm_ranking

ROUNDS, IMAGES, QUESTIONS = 3, 3, 8
CHOICES = {"yes, no": ("Yes", "No"), "4 longer choices": ("a red cat", "nothing of the kind", "a dog", "no way")}


def groups(choices: tuple[str, ...]) -> list[list[Request]]:
    """All questions of one kind."""
    asked = []
    for number in range(IMAGES):
        image = ImageRef(f"{number}.jpg", partial(drawn, number))
        asked.append(
            [
                Request(
                    f"{number} {name}", f"Is there a {name} in the image?", (image,), choices, generation=Generation(8)
                )
                for name in OBJECTS[:QUESTIONS]
            ]
        )
    return asked


def no_steps(_: Any) -> list[vllm_ranking.Step]:
    """Instead of vllm_ranking.steps_of: whole prompts."""
    return []


def apart(ours: dict[str, Response], theirs: dict[str, Response]) -> float:
    """The largest difference in a log-probability or margin. The texts must be equal."""
    found = 0.0
    for name, response in ours.items():
        other = theirs[name]
        assert not response.error and response.text == other.text, (response, other)
        pairs = [(one.logprob, two.logprob) for one, two in zip(response.choices, other.choices, strict=True)]
        found = max([found, *(abs(one - two) for one, two in [*pairs, (response.margin or 0, other.margin or 0)])])
    return found


def main() -> int:
    """Time and print."""
    os.environ |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
    folder = sys.argv[1]
    model = vllm.load(folder, dtype="float32", max_model_len=1024, enforce_eager=True)
    assert isinstance(model, vllm.InProcess)
    llm = model._engine()[0].llm
    cached: list[int] = []
    generate = llm.generate

    def counting(*args: Any, **more: Any) -> Any:
        outputs = generate(*args, **more)
        cached.extend(one.num_cached_tokens for one in outputs)
        return outputs

    llm.generate = counting
    asked = {"free": groups(()), **{name: groups(choices) for name, choices in CHOICES.items()}}
    ways = [("free", False), *((name, whole) for name in CHOICES for whole in (False, True))]
    reference = {name: {r.sample_id: s for r, s in load_hf(folder).answer(which)} for name, which in asked.items()}
    times, held, far = defaultdict(list), {}, {}
    making = vllm_ranking.steps_of
    for number in range(ROUNDS):
        for name, whole in ways[:: -1 if number % 2 else 1]:
            vllm_ranking.__dict__["steps_of"] = no_steps if whole else making
            llm.reset_prefix_cache()
            cached.clear()
            begun = time.process_time()
            said = {request.sample_id: response for request, response in model.answer(asked[name])}
            times[name, whole].append((time.process_time() - begun) / len(said))
            held[name, whole] = sum(one > 0 for one in cached), len(cached)
            far[name, whole] = apart(said, reference[name])
    print("| what | way | ms a question | prompts, of them cached | furthest from hf |\n|---|---|---|---|---|")
    for (name, whole), seconds in times.items():
        hits, prompts = held[name, whole]
        way = "" if name == "free" else "whole prompts" if whole else "steps"
        print(
            f"| {name} | {way} | {1e3 * statistics.median(seconds):.0f} | {prompts}, {hits} | {far[name, whole]:.1e} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
