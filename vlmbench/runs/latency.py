"""How long an answer takes: to its first token and for each further one, by prompt, image and batch.

Each setting is measured on the model's own way of answering, with images that it has not seen: once with answers of one
token, once with longer ones. The first token's time is the former's; a further token's is the difference, by tokens.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from vlmbench.base.errors import ModelError, StoreError, UsageError
from vlmbench.base.files import write_atomically
from vlmbench.base.model import Model, PartClock, SupportsPartTimes
from vlmbench.base.samples import Generation, ImageRef, Request
from vlmbench.scenes.scene import TRAIN_SEEDS, draw, make_scene

from .storage import run_files

FILE = "latency.json"
PROMPT, SIDE, BATCH = 32, 336, 1
"""Words, pixels and answers at a time while something else varies."""
PROMPTS, SIDES, BATCHES = (8, 32, 128), (224, 336, 672), (1, 4, 16)
MOST = {"words": 4096, "pixels": 4096, "answers": 1024}
WORD = "star"
PARTS = ("vision_tower", "connector", "language_model")


@dataclass(frozen=True, slots=True)
class Setting:
    """What is asked."""

    words: int = PROMPT
    """Of the question."""
    pixels: int = SIDE
    """A side of the image, which is square."""
    answers: int = BATCH
    """Questions at a time, each about its own image."""


@dataclass(frozen=True, slots=True)
class Latency:
    """What a setting takes: medians over repetitions."""

    setting: Setting
    prompt_tokens: int
    """The image's among them; 0 where the model does not tell."""
    first: float
    """Seconds until the first token of all answers."""
    first_range: tuple[float, float]
    """Least and most."""
    per_token: float
    """Seconds for each further token of all answers."""
    cpu: float
    """Processor seconds of the process until the first token."""
    parts: dict[str, float]
    """Seconds until the first token by part, `rest` for all else; empty where the model does not tell."""
    decoding: float | None
    """The language model's share of the time for further tokens; None where the model does not tell."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = asdict(self)
        return {**found.pop("setting"), **found}


def settings(words: Sequence[int], pixels: Sequence[int], answers: Sequence[int]) -> list[Setting]:
    """One thing varied at a time, the others as usual; none twice. Raises UsageError for a number out of range."""
    for name, values in (("words", words), ("pixels", pixels), ("answers", answers)):
        if wrong := [value for value in values if not 1 <= value <= MOST[name]]:
            raise UsageError(f"{wrong[0]} {name} cannot be measured", hint=f"give numbers from 1 to {MOST[name]}")
    found = [
        *(Setting(words=number) for number in words),
        *(Setting(pixels=number) for number in pixels),
        *(Setting(answers=number) for number in answers),
    ]
    return list(dict.fromkeys(found))


def measure(model: Model, setting: Setting, *, tokens: int, repeats: int, first_image: int = 0) -> Latency:
    """Answers of one token and of `tokens` more, `repeats` times, after one that warms up.

    `first_image` numbers the images: others have not been seen. Raises ModelError where an answer fails.
    """
    images = iter(range(first_image, first_image + 2 * (repeats + 1) * setting.answers))
    rows: list[tuple[float, float, float, dict[str, float], dict[str, float]]] = []
    watched = model.part_times() if isinstance(model, SupportsPartTimes) else nullcontext()
    prompt_tokens = 0
    with watched as clock:
        for number in range(repeats + 1):
            short, cpu, parts, prompt_tokens = _answered(model, setting, 1, images, clock)
            long, _, all_parts, _ = _answered(model, setting, 1 + tokens, images, clock)
            if number:
                rows.append((short, cpu, max(long - short, 0.0), parts, all_parts))
    firsts = [row[0] for row in rows]
    parts = {name: median(row[3][name] for row in rows) for name in PARTS} if rows[0][3] else {}
    if parts:
        parts["rest"] = max(median(firsts) - sum(parts.values()), 0.0)
    more = median(row[2] for row in rows)
    share = [(row[4]["language_model"] - row[3]["language_model"]) / row[2] for row in rows if parts and row[2] > 0]
    return Latency(
        setting,
        prompt_tokens,
        median(firsts),
        (min(firsts), max(firsts)),
        more / tokens,
        median(row[1] for row in rows),
        parts,
        min(max(median(share), 0.0), 1.0) if share else None,
    )


def _answered(
    model: Model, setting: Setting, tokens: int, images: Iterator[int], clock: PartClock | None
) -> tuple[float, float, dict[str, float], int]:
    """Seconds, processor seconds, seconds by part, prompt tokens of one batch."""
    generation = Generation(max_new_tokens=tokens, min_new_tokens=tokens)
    groups = [[_request(setting, next(images), generation)] for _ in range(setting.answers)]
    if clock is not None:
        clock.read()
    cpu, start = time.process_time(), time.perf_counter()
    responses = [response for _, response in model.answer(groups)]
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    if failed := next((response for response in responses if response.finish == "error"), None):
        raise ModelError(f"no answer: {failed.error}", hint="try it with `vlmbench ask`")
    parts = dict(clock.read()) if clock is not None else {}
    return seconds, cpu, parts, max(response.prompt_tokens or 0 for response in responses)


def _request(setting: Setting, number: int, generation: Generation) -> Request:
    """A question of so many words about an image of its own."""
    name = f"latency-{number}"
    file = io.BytesIO()
    draw(make_scene(TRAIN_SEEDS.start + number)).resize((setting.pixels, setting.pixels)).save(file, "PNG")
    image = ImageRef(f"{name}.png", partial(bytes, file.getvalue()))
    return Request(name, " ".join([WORD] * setting.words), (image,), generation=generation)


def check_run(folder: Path, fingerprint: str) -> None:
    """Raises StoreError unless it is the folder of a finished run of these weights."""
    manifest, _ = run_files.read_finished(folder)
    asked = manifest.get("model", {}).get("fingerprint")
    if asked != fingerprint:
        message = f"the run is of other weights ({asked}) than this model's ({fingerprint})"
        raise StoreError(message, where=str(folder), hint="name a run of the same checkpoint")


def store(report: Mapping[str, Any], folder: Path) -> None:
    """Write the measured times beside a run's scores."""
    write_atomically(folder / FILE, (json.dumps(report, indent=1) + "\n").encode())
