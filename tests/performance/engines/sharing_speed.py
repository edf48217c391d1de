"""CPU seconds a question of `hf` over families of transformers: a shared prefix against one by one.

    OMP_NUM_THREADS=1 python -m tests.performance.engines.sharing_speed qwen2_5_vl --rounds 2

One thread, process CPU time, the two alternated in one process; one by one a few questions of an image are timed, since
each costs the same. Answers must be equal. Beside the ratio of seconds stands that of the arithmetic, by torch's
counter: what a machine would give that computes few tokens as fast as many. Prints a row for docs/performance.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from functools import partial

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.performance.engines.family_models import MODELS, build
from tests.performance.engines.models import OBJECTS, drawn
from vlmbench.base.samples import Generation, ImageRef, Request
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.huggingface.system import HfSystem


def group(picture: int, questions: int, tokens: int) -> list[Request]:
    """Questions about a drawn picture, which differ from their first word on."""
    image = ImageRef(f"{picture}.png", partial(drawn, picture))
    asked = [f"{thing}: there?" for thing in OBJECTS[:questions]]
    return [Request(text, text, (image,), generation=Generation(max_new_tokens=tokens)) for text in asked]


def measure(engine: HfEngine, asked: list[Request]) -> tuple[float, dict[str, str]]:
    """CPU seconds per question, and the answers."""
    begun = time.process_time()
    said = {request.sample_id: response for request, response in engine.answer([asked])}
    seconds = (time.process_time() - begun) / len(said)
    assert all(response.finish != "error" for response in said.values()), next(iter(said.values())).error
    return seconds, {name: response.text for name, response in said.items()}


def arithmetic(engine: HfEngine, asked: list[Request]) -> float:
    """Floating-point operations per question. Attention by plain products: the counter does not see a CPU's kernel."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        list(engine.answer([asked]))
    return float(counter.get_total_flops() / len(asked))


def main() -> int:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=list(MODELS))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--questions", type=int, default=18)
    parser.add_argument("--alone", type=int, default=2, help="questions that are timed one by one")
    parser.add_argument("--tokens", type=int, default=4)
    parser.add_argument("--dtype", default="float32")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, processor = build(options.family)
    system = HfSystem(model.to(getattr(torch, options.dtype)), processor)
    system.decode = lambda ids: " ".join(map(str, ids))  # type: ignore[method-assign]  # bytes that are no UTF-8
    shared, simple = HfEngine(system), HfEngine(system, kind="simple")
    assert shared.kind == "shared", shared.sharing
    times: dict[str, list[float]] = {"shared": [], "simple": []}
    distinct: set[str] = set()
    for number in range(options.rounds):
        asked = group(number, options.questions, options.tokens)
        found: dict[str, dict[str, str]] = {}
        for kind in ("shared", "simple") if number % 2 else ("simple", "shared"):
            engine, some = (shared, asked) if kind == "shared" else (simple, asked[: options.alone])
            seconds, found[kind] = measure(engine, some)
            times[kind].append(seconds)
            print(f"round {number} {kind}: {seconds:.3f} s", file=sys.stderr)
        assert options.dtype != "float32" or found["simple"].items() <= found["shared"].items(), "the answers differ"
        distinct |= set(found["shared"].values())
    asked = group(0, options.questions, options.tokens)
    bound = arithmetic(simple, asked[:1]) / arithmetic(shared, asked)
    size = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    ratio = statistics.median(one / other for one, other in zip(times["simple"], times["shared"], strict=True))
    one_by_one, together = statistics.median(times["simple"]), statistics.median(times["shared"])
    name = f"{options.family}-like, {size:.0f}M, {options.dtype}"
    cells = f"{one_by_one:.2f} | {together:.3f}"
    print(f"| {name} | {options.questions} | {cells} | {ratio:.1f} | {bound:.1f} | {len(distinct)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
