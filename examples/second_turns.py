"""Whether second questions of a dialogue are answered as well as first ones: the included models on embedded samples.

    python examples/second_turns.py            (two minutes)

Each question is asked by itself, and again behind another question about the same image and the answer that the model
gave to that one. Both scores are the benchmark's own headline; the difference is paired, with a 95 % interval.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from vlmbench.base.model import Model
from vlmbench.base.registry import TaskChoice, choose_task
from vlmbench.base.samples import Request, Response, Sample
from vlmbench.data.files import Folder
from vlmbench.runs.opening import load_model
from vlmbench.runs.options import ModelOptions
from vlmbench.scoring.score import score_responses
from vlmbench.stats.intervals import intervals
from vlmbench.stats.metrics import Metric
from vlmbench.stats.paired import paired

MODELS = "tinyllava,tinygptv"
TASKS = "pope,gqa,vqav2,tallyqa"
"""With several questions about each image."""


def answered(model: Model, groups: Iterable[Sequence[Request]]) -> dict[str, Response]:
    """Responses by sample id."""
    return {request.sample_id: response for request, response in model.answer(groups)}


def second(groups: Iterable[Sequence[Request]], first: Mapping[str, Response]) -> list[list[Request]]:
    """Each question behind the next one about its image, and what the model answered to that one."""
    return [
        [
            replace(request, history=((other.prompt, first[other.sample_id].text),))
            for request, other in zip(group, [*group[1:], group[0]], strict=True)
        ]
        for group in groups
    ]


def measured(choice: TaskChoice, samples: Sequence[Sample], responses: Mapping[str, Response]) -> Metric:
    """The benchmark's headline."""
    scored = score_responses(choice.task, choice.protocol, [(sample, responses[sample.id]) for sample in samples])
    if failed := [sample.id for sample, score in scored if score.value is None]:
        raise SystemExit(f"{choice.task.name}: {len(failed)} questions have no score, e.g. {failed[0]}")
    name = choice.task.protocols[choice.protocol].headline
    return next(one for one in choice.task.summarise(scored, choice.protocol) if one.name == name)


def compared(model: Model, key: str) -> tuple[int, Metric, Metric]:
    """(Questions, the headline of first turns, that of second turns) over the images with several questions."""
    choice = choose_task(key)
    by_image: dict[str, list[Sample]] = defaultdict(list)
    for sample in choice.task.samples(Folder.sample(choice.task.name), choice.split):
        by_image[sample.cluster].append(sample)
    asked = [group for group in by_image.values() if len(group) > 1]
    groups = [[choice.task.build_request(sample, choice.protocol) for sample in group] for group in asked]
    first = answered(model, groups)
    later = answered(model, second(groups, first))
    samples = [sample for group in asked for sample in group]
    return len(samples), measured(choice, samples, first), measured(choice, samples, later)


def row(name: str, key: str, questions: int, first: Metric, later: Metric) -> str:
    """A line of the table."""
    ends = [f"{one.value:.1f} [{one.low:.1f}, {one.high:.1f}]" for one in intervals([first, later])]
    found = paired(first, later).difference
    span = "" if found.low is None else f" [{found.low:+.1f}, {found.high:+.1f}]"
    return f"| {name} | `{key}` | {first.name} | {questions:,} | {' | '.join(ends)} | {found.value:+.1f}{span} |"


def main() -> None:
    """Ask everything twice, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=MODELS, help=f"default: {MODELS}")
    parser.add_argument("--tasks", default=TASKS, help=f"default: {TASKS}")
    options = parser.parse_args()
    print(
        "| model | task | metric | questions | first turn | second turn | difference |",
        "|---|---|---|---|---|---|---|",
        sep="\n",
    )
    for name in options.models.split(","):
        model = load_model(ModelOptions(name))
        for key in options.tasks.split(","):
            print(row(name, key, *compared(model, key)), flush=True)


if __name__ == "__main__":
    main()
