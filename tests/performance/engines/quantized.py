"""What `--dtype` and `--quantize` save and cost: bytes, memory, seconds, and answers and scores against float32.

    OMP_NUM_THREADS=1 python -m tests.performance.engines.quantized shipped --rounds 3
    OMP_NUM_THREADS=1 python -m tests.performance.engines.quantized random240m

Each setting runs in a process of its own. `shipped` runs the embedded samples of POPE and GQA and compares scores, with
the interval of the paired difference; its peak memory is that of the whole command. `random240m` has no scores; its
peak counts from when the model is ready (Linux). Prints markdown tables for docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.performance.engines.engine_memory import resident
from vlmbench.base.samples import Status
from vlmbench.runs import rescore as rescoring
from vlmbench.runs.storage.run_files import read_manifest
from vlmbench.stats.intervals import difference

if TYPE_CHECKING:
    from vlmbench.stats.metrics import Metric

SETTINGS = (
    ("float32", ""),
    ("bfloat16", ""),
    ("float32", "int8"),
    ("bfloat16", "int8"),
    ("float32", "int4"),
    ("bfloat16", "int4"),
)
TASKS = "pope,gqa"
QUESTIONS = 18
MIB = 1024 * 1024


@dataclass(frozen=True)
class Measured:
    """What one setting gave."""

    facts: Mapping[str, float]
    answers: Mapping[str, str]
    headlines: Mapping[str, Metric]
    """By task."""


def told(dtype: str, quantize: str, device: str) -> list[str]:
    """The settings as words of the command line."""
    words = ["--dtype", dtype, *(["--quantize", quantize] if quantize else [])]
    return [*words, *(["--device", device] if device else [])]


def run_shipped(device: str, dtype: str, quantize: str) -> Measured:
    """`vlmbench run` over the embedded samples."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "vlmbench.cli.main", "run", "--model", "tinyllava", "--tasks", TASKS]
        command += [*told(dtype, quantize, device), "--data", "sample", "--output", name, "--json"]
        subprocess.run(command, check=True, capture_output=True)
        records = rescoring.score(rescoring.load(Path(name), None), None)
        facts = read_manifest(Path(name))["model"]["facts"]
        headlines: dict[str, Metric] = {}
        for choice in rescoring.load(Path(name), None).choices:
            scored = [(r.sample, r.score) for r in records if r.task == choice.key and r.score.status is Status.OK]
            metrics = {metric.name: metric for metric in choice.task.summarise(scored, choice.protocol)}
            headlines[choice.key] = metrics[choice.task.protocols[choice.protocol].headline]
    return Measured(facts, {f"{r.task} {r.sample.id}": r.response.text for r in records}, headlines)


def child(device: str, dtype: str, quantize: str) -> None:
    """Ask the random model about one picture; print facts and answers."""
    import gc

    import torch

    from tests.performance.engines.models import subject
    from vlmbench.models.engine.engine import Engine
    from vlmbench.models.engine.memory import stored_bytes

    torch.set_num_threads(1)
    of = subject("random240m")
    engine = Engine(of.system, dtype=dtype, quantize=quantize, device=device)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    answered = list(engine.answer(of.groups(QUESTIONS)))
    assert all(response.finish != "error" for _, response in answered), answered[0][1].error
    network: Any = of.system.network
    facts = {
        **engine.facts,
        "weight_bytes": stored_bytes(network),
        "weight_bytes_language_model": stored_bytes(network.language_model),
    }
    if engine.device.type == "cpu":
        facts["peak_memory_bytes"] = resident("VmHWM") * MIB
    print(json.dumps({"facts": facts, "answers": {request.sample_id: r.text for request, r in answered}}))


def run_random(device: str, dtype: str, quantize: str) -> Measured:
    """The random model, in a process of its own."""
    command = [sys.executable, "-m", "tests.performance.engines.quantized", "random240m", "--child", dtype, quantize]
    out = subprocess.run([*command, "--device", device], check=True, capture_output=True, text=True).stdout
    found = json.loads(out)
    return Measured(found["facts"], found["answers"], {})


def tell_costs(rounds: Mapping[tuple[str, str], Sequence[Measured]]) -> None:
    """Bytes, memory, seconds and how many answers are float32's."""
    whole = rounds[SETTINGS[0]][0]
    parts = "language model, MiB | share | all weights, MiB | peak memory, MiB"
    print(f"| dtype | quantize | {parts} | ms per question | ms per word | equal answers |")
    print("|---" * 9 + "|")
    for (dtype, quantize), measured in rounds.items():
        facts = measured[0].facts
        language, full = (m.facts["weight_bytes_language_model"] for m in (measured[0], whole))
        peak = statistics.median(m.facts["peak_memory_bytes"] for m in measured)
        question, word = (
            1000 * statistics.median(m.facts[f"seconds_per_{what}"] for m in measured) for what in ("question", "word")
        )
        same = sum(text == whole.answers[name] for name, text in measured[0].answers.items()) / len(whole.answers)
        sizes = f"{language / MIB:.1f} | {language / full:.2f} | {facts['weight_bytes'] / MIB:.1f} | {peak / MIB:.0f}"
        print(f"| {dtype} | {quantize or '-'} | {sizes} | {question:.1f} | {word:.1f} | {same:.1%} |")


def tell_scores(rounds: Mapping[tuple[str, str], Sequence[Measured]]) -> None:
    """Each task's headline, and how far it is from float32's."""
    whole = rounds[SETTINGS[0]][0]
    heads = [f"{key} {metric.name} | difference, 95 % interval" for key, metric in whole.headlines.items()]
    print(f"\n| dtype | quantize | {' | '.join(heads)} |")
    print("|---" * (2 + 2 * len(heads)) + "|")
    for (dtype, quantize), measured in rounds.items():
        cells = []
        for key, metric in measured[0].headlines.items():
            found = difference(metric, whole.headlines[key])
            spread = "no answer's score differs" if found.low is None else f"[{found.low:+.1f}, {found.high:+.1f}]"
            cells.append(f"{metric.value():.1f} | {found.value:+.1f} {spread}")
        print(f"| {dtype} | {quantize or '-'} | {' | '.join(cells)} |")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subject", choices=["shipped", "random240m"])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--device", default="")
    parser.add_argument("--child", nargs=2, metavar=("DTYPE", "QUANTIZE"))
    options = parser.parse_args()
    if options.child:
        child(options.device, *options.child)
        return 0
    measure: Callable[[str, str], Measured]
    measure = partial(run_shipped if options.subject == "shipped" else run_random, options.device)
    rounds: dict[tuple[str, str], list[Measured]] = {setting: [] for setting in SETTINGS}
    for number in range(options.rounds):
        for setting, measured in rounds.items():
            measured.append(measure(*setting))
            print(f"round {number} {setting}: {measured[-1].facts['seconds_per_question']:.4f} s", file=sys.stderr)
            assert measured[-1].answers == measured[0].answers, "two runs differ"
    tell_costs(rounds)
    if options.subject == "shipped":
        tell_scores(rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
