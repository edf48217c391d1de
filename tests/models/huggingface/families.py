"""Compares each family of tiny checkpoints with transformers itself: `python -m tests.models.huggingface.families`.

One by one against the class' own `generate`, ranked choices against one forward over prompt and choice, batches and
packed rows against both. Every checkpoint is written to a folder and opened as a user's would be.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.models.huggingface import tiny_hf
from tests.models.huggingface.asking import CHOICES, noisy, questions
from tests.models.huggingface.tiny_families import FAMILIES, NEEDS_TORCHVISION
from vlmbench.base.samples import Generation, Request, Response
from vlmbench.data.images import decoding as images
from vlmbench.models.huggingface import load as hf
from vlmbench.models.huggingface.engine import HfEngine
from vlmbench.models.huggingface.plain import Question
from vlmbench.models.huggingface.prompts import CHAT
from vlmbench.models.huggingface.system import HfSystem

TOKENS = 6
CLOSE = 1e-4
"""Log-probabilities of a choice that are equal."""
KINDS = {"one by one": {"kind": "simple"}, "batch": {"kind": "batched", "batch": "4"}, "packed": {"kind": "shared"}}


@dataclass
class Found:
    """One family's row of the table."""

    equal: dict[str, int]
    """By way of asking: answers equal to transformers' own."""
    ranked: dict[str, float]
    """By way of asking: the largest difference of a choice's log-probability; infinite where one is missing."""
    asked: int
    distinct: int
    """Different texts among the answers: 1 would show little."""
    sharing: str
    batching: str
    generate: str
    """Whose loop generates."""


def checkpoint(kind: str, folder: Path) -> Path:
    """A folder with a random checkpoint of this family."""
    model, processor = tiny_hf.build(FAMILIES[kind])
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def measure(folder: Path) -> Found:
    """Everything about one checkpoint."""
    from transformers import AutoModelForImageTextToText

    own = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    system = hf.load(str(folder), engine="simple").hf
    system.decode = numbers  # type: ignore[method-assign]
    asked = questions(2, 3, tokens=TOKENS)
    ranked = Request("ranked", "what is red?", (noisy(0),), CHOICES, Generation(TOKENS))
    groups = [[*asked[0], ranked], asked[1]]
    texts = {request.sample_id: generated(own, system, request) for group in asked for request in group}
    scores = forced(own, system, ranked)
    equal, worst, engines = {}, {}, {}
    for name, options in KINDS.items():
        engines[name] = engine = HfEngine(system, **options)  # type: ignore[arg-type]
        said = {request.sample_id: response for request, response in engine.answer(groups)}
        equal[name] = sum(said[key].text == text and not said[key].error for key, text in texts.items())
        worst[name] = _apart(said["ranked"], scores)
    return Found(
        equal,
        worst,
        len(texts),
        len(set(texts.values())),
        engines["packed"].sharing,
        engines["batch"].batching,
        engines["one by one"].plain.generating.way,
    )


def _apart(response: Response, scores: list[float]) -> float:
    if len(response.choices) != len(scores):
        return float("inf")
    pairs = zip(response.choices, scores, strict=True)
    return max((gap if (gap := abs(one.logprob - two)) == gap else float("inf")) for one, two in pairs)


def _opened(request: Request) -> list[Any]:
    return [images.decode(picture.load()) for picture in request.images]


def _text(system: HfSystem, request: Request) -> str:
    """The prompt by the processor's own chat template, or the plain words where it has none."""
    if system.prompts.way != CHAT:
        return system.prompts.text(request.prompt, 1)
    content = [{"type": "image"}, {"type": "text", "text": request.prompt}]
    processor = system.prompts.processor
    return str(
        processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
    )


@torch.inference_mode()
def generated(own: Any, system: HfSystem, request: Request) -> str:
    """What transformers' own `generate` answers, with all of the checkpoint's generation settings."""
    processor = system.prompts.processor
    text = _text(system, request)
    bos = getattr(processor.tokenizer, "bos_token", None)
    more = {"add_special_tokens": False} if bos and text.startswith(bos) else {}
    inputs = processor(text=[text], images=[_opened(request)], return_tensors="pt", **more)
    known = inspect.signature(own.forward).parameters
    inputs = {name: value for name, value in inputs.items() if name in known or "token_type" not in name}
    inputs.pop("labels", None)
    given = inputs["input_ids"][0]
    made: Tensor = own.generate(**inputs, max_new_tokens=TOKENS, do_sample=False, num_beams=1)[0]
    begun = len(given) if torch.equal(made[: len(given)], given) else int(system.encoder_decoder)
    new = made[begun:].tolist()
    return numbers(new[: next((at for at, token in enumerate(new) if token in system.end_ids), None)])


def numbers(ids: Sequence[int]) -> str:
    """Tokens as a text that tells them all apart: bytes that are no UTF-8 look alike, special tokens like nothing."""
    return " ".join(map(str, ids))


@torch.inference_mode()
def forced(own: Any, system: HfSystem, request: Request) -> list[float]:
    """Each choice's log-probability, by one forward over the whole text."""
    question = system.question(request, _opened(request))
    start = question.job.answer_start
    return [_one(own, system, question, ids, start) for ids in question.job.choice_ids]


def _one(own: Any, system: HfSystem, question: Question, ids: tuple[int, ...], start: int) -> float:
    inputs = dict(question.prompt.media.tensors)
    answer = torch.tensor(ids[start:])
    if system.encoder_decoder:
        first = own.generation_config.decoder_start_token_id
        first = own.config.get_text_config(decoder=True).decoder_start_token_id if first is None else first
        inputs |= {"input_ids": torch.tensor([ids[:start]]), "decoder_input_ids": torch.tensor([[first, *ids[start:]]])}
        logits = own(**inputs).logits[0, :-1]
    else:
        inputs["input_ids"] = torch.tensor([ids])
        for name, row in question.prompt.rows.items():
            # An answer sees what the last token of the prompt sees; PaliGemma's has a type of its own, others none.
            last = row[:, start - 1 : start] if row.dim() > 2 else row.new_full((1, 1), _answer_type(own, name))
            inputs[name] = torch.cat([row[:, :start], last.repeat_interleave(len(answer), dim=1)], dim=1)
        logits = own(**inputs).logits[0, start - 1 : -1]
    return float(logits.float().log_softmax(-1).gather(1, answer[:, None]).sum())


def _answer_type(own: Any, name: str) -> int:
    return int(name == "token_type_ids" and "paligemma" in type(own).__name__.lower())


def table(found: dict[str, Found]) -> Iterator[str]:
    """Rows of Markdown."""
    yield "| family | one by one | ranked (worst) | batch of 4 | packed | loop | distinct |"
    yield "|---|---|---|---|---|---|---|"
    for kind, row in found.items():
        cells = {name: f"{count}/{row.asked}, {row.ranked[name]:.1g}" for name, count in row.equal.items()}
        batch = cells["batch"] if row.batching == "yes" else f"{cells['batch']} ({row.batching})"
        packed = cells["packed"] if row.sharing == "yes" else f"{cells['packed']} ({row.sharing})"
        alone, worst = cells["one by one"].split(", ")
        yield f"| {kind} | {alone} | {worst} | {batch} | {packed} | {row.generate} | {row.distinct} |"
    for kind, reason in NEEDS_TORCHVISION.items():
        yield f"| {kind} | not built: {reason} | | | | | |"


def main() -> int:
    """Build and measure the families named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("families", nargs="*", help="names; without any, all")
    named = parser.parse_args().families or list(FAMILIES)
    with tempfile.TemporaryDirectory() as folder:
        found = {kind: measure(checkpoint(kind, Path(folder) / kind)) for kind in named}
    print("\n".join(table(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
