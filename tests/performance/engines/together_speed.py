"""CPU seconds a question with one question an image: decoded together against one by one, with a transformers model.

    OMP_NUM_THREADS=1 python -m tests.performance.engines.together_speed MODEL long
    OMP_NUM_THREADS=1 python -m tests.performance.engines.together_speed MODEL short
    OMP_NUM_THREADS=1 python -m tests.performance.engines.together_speed MODEL ranking

MODEL is a folder with a LLaVA-type checkpoint. `long`: answers of 96 tokens; `short`: of at most 8; `ranking`: 4
choices. One thread, float32, process CPU time, the ways alternated in one process; medians. Answers must be equal, and
long ones of at least three kinds. Prints a row of Markdown for each way.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tests.performance.engines.models import OBJECTS, drawn
from vlmbench.base.samples import Generation, ImageRef, Request
from vlmbench.data.images.decoding import decode
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.huggingface.load import load
from vlmbench.models.huggingface.system import HfSystem

TOKENS = 96
CHOICES = ("yes", "no", "a red cat on a table", "nothing of the kind")
KINDS = {
    "long": partial(Request, generation=Generation(max_new_tokens=TOKENS, min_new_tokens=TOKENS)),
    "short": partial(Request, generation=Generation(max_new_tokens=8)),
    "ranking": partial(Request, choices=CHOICES),
}


def groups(kind: str, images: int) -> list[list[Request]]:
    """One question about each image."""
    return [
        [
            KINDS[kind](
                str(number),
                f"Is there a {OBJECTS[number % len(OBJECTS)]} in the image?",
                (ImageRef(f"{number}.png", partial(drawn, number)),),
            )
        ]
        for number in range(images)
    ]


def measure(engine: HfEngine, asked: list[list[Request]]) -> tuple[float, list[Any]]:
    """CPU seconds a question, and the answers in order."""
    begun = time.process_time()
    said = {request.sample_id: response for request, response in engine.answer(asked)}
    seconds = (time.process_time() - begun) / len(said)
    assert all(response.finish != "error" for response in said.values()), next(iter(said.values())).error
    order = [said[request.sample_id] for group in asked for request in group]
    return seconds, [
        (one.text, max(one.choices, key=lambda c: c.logprob).choice if one.choices else "") for one in order
    ]


def write(system: HfSystem, asked: list[list[Request]], folder: Path) -> None:
    """The images, and each prompt's ids with one token where an image goes, as vLLM takes them."""
    folder.mkdir(parents=True, exist_ok=True)
    prompts = []
    for number, (request,) in enumerate(asked):
        data = request.images[0].load()
        (folder / f"{number}.jpg").write_bytes(data)
        ids = system.question(request, [decode(data)]).job.ids
        image = system.prompts.image_id
        prompts.append([token for at, token in enumerate(ids) if token != image or ids[at - 1] != image])
    (folder / "ids.json").write_text(json.dumps(prompts), encoding="utf-8")


def main() -> int:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("kind", choices=list(KINDS))
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--rows", nargs="+", default=["1", "8"])
    parser.add_argument("--linear", default="")
    parser.add_argument("--write", type=Path, help="only write images and token ids there, for vllm_peer")
    options = parser.parse_args()
    torch.set_num_threads(1)
    system = load(options.model, engine="simple").hf
    asked = groups(options.kind, options.images)
    if options.write:
        write(system, asked, options.write)
        return 0
    ways = {"one by one": HfEngine(system, kind="simple", linear=options.linear)}  # changes the layers for all
    for rows in options.rows:
        ways[f"{rows} together"] = HfEngine(system, batch=rows)
    times: dict[str, list[float]] = defaultdict(list)
    found: dict[str, list[Any]] = {}
    for number in range(options.rounds):
        for name in list(ways)[:: -1 if number % 2 else 1]:
            seconds, found[name] = measure(ways[name], asked)
            times[name].append(seconds)
            print(f"round {number} {name}: {seconds:.3f} s", file=sys.stderr)
    for name, answers in found.items():
        assert answers == found["one by one"], f"{name}: the answers differ"
    print(f"{len(set(found['one by one']))} distinct answers, linear {options.linear or 'mkl'}\n")
    print("| way | s per question | ratio | decoding | cache peak, MiB |")
    print("|---|---|---|---|---|")
    for name, engine in ways.items():
        ratio = statistics.median(a / b for a, b in zip(times["one by one"], times[name], strict=True))
        facts, middle = engine.facts, statistics.median(times[name])
        held = int(facts.get("cache_peak_bytes", 0)) / 2**20
        print(f"| {name} | {middle:.3f} | {ratio:.2f} | {facts.get('decoding', '')} | {held:.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
