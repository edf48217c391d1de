"""Choices ranked by a vLLM engine: by what it expects behind the open prompt, step by step along the choices.

A step is the open prompt with the first tokens of one or more choices behind it; the engine tells the log-probabilities
of the tokens that come next there (`logprob_token_ids`, vllm 0.32). Choices of one token each are one step, and all
steps of a question read its prefix from the cache. The other way, `prompt_logprobs` of whole prompts, does not read it;
made to (`skip_reading_prefix_cache`), vLLM 0.32 tells what happens to be in memory for tokens that it did not compute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vlmbench.base.errors import ModelError
from vlmbench.base.samples import ChoiceScore, Request, Response

from ..engine.packing import common_prefix
from . import vllm_process
from .vllm_answers import EngineRequest
from .vllm_prompts import Conversations, PreparedPrompt, Rendered, refuse_other_choice

MOST_NAMED = 128
"""Tokens that vLLM tells of in one step (MAX_LOGPROB_TOKEN_IDS)."""
STEP_COST = 96
"""Tokens that a step costs: on a CPU half a block of the cache (64) and what vLLM does for a request besides."""


@dataclass(frozen=True, eq=False)
class Step:
    """One place behind the open prompt."""

    prompt: Any
    """As the engine takes it."""
    ids: tuple[int, ...]
    """What the network reads."""
    named: tuple[int, ...]
    """Tokens that come next in the choices."""


def ranking(request: Request, prompt: PreparedPrompt, prompts: Rendered | Conversations) -> EngineRequest:
    """Choices by the summed log-probabilities of their tokens: in steps, or by whole prompts where that costs less."""
    make = vllm_process.module().SamplingParams
    steps = steps_of(prompt) if prompt.choice_ids else []
    if steps and cost(steps) <= sum(map(len, prompt.choice_ids)):
        try:
            pairs = [
                (step.prompt, make(temperature=0.0, max_tokens=1, logprob_token_ids=list(step.named))) for step in steps
            ]
        except TypeError:  # an older vLLM
            pass
        else:
            return EngineRequest(pairs, lambda outs: _by_steps(request, prompt, prompts, steps, outs))
    # Tokens as text cost Python more than a small network computes.
    scored = make(temperature=0.0, max_tokens=1, prompt_logprobs=0, detokenize=False)
    opened = [] if prompt.choice_ids else [(prompt.open_prompt, make(temperature=0.0, max_tokens=1))]
    return EngineRequest(
        [*opened, *((choice, scored) for choice in prompt.choices)],
        lambda outs: _by_prompts(request, prompt, prompts, outs),
    )


def steps_of(prompt: PreparedPrompt) -> list[Step]:
    """The places behind which choices go on, the open prompt first; one with many tokens to tell of several times."""
    start = answer_start(prompt.ids, prompt.choice_ids)
    found: dict[tuple[int, ...], tuple[Any, set[int]]] = {}
    for choice, row in zip(prompt.choices, prompt.choice_ids, strict=True):
        given = choice["prompt_token_ids"]  # with one token for each image, all of which are before the start
        for at in range(start, len(row)):
            read = {**choice, "prompt_token_ids": given[: len(given) - len(row) + at]}
            found.setdefault(row[:at], (read, set()))[1].add(row[at])
    steps = []
    for ids, (read, following) in found.items():
        named = sorted(following)
        steps += [Step(read, ids, tuple(named[at : at + MOST_NAMED])) for at in range(0, len(named), MOST_NAMED)]
    return steps


def cost(steps: Sequence[Step]) -> int:
    """Tokens to compute, about: the first step is the prompt itself, of the others the cache holds most."""
    return len(steps[0].ids) + sum(min(len(step.ids), STEP_COST) for step in steps[1:])


def answer_start(opened: tuple[int, ...], rows: Sequence[tuple[int, ...]]) -> int:
    """Where the choices begin: behind what all of them share with the open prompt."""
    return min(common_prefix([opened, row]) for row in rows)


def _by_steps(
    request: Request, prompt: PreparedPrompt, prompts: Any, steps: Sequence[Step], outputs: Sequence[Any]
) -> Response:
    told: dict[tuple[tuple[int, ...], int], float] = {}
    for step, out in zip(steps, outputs, strict=True):
        prompts.check(request, out.prompt_token_ids, step.ids)
        [values] = out.outputs[0].logprobs
        told |= {(step.ids, token): float(values[token].logprob) for token in step.named}
    start = answer_start(prompt.ids, prompt.choice_ids)
    values = [[told[row[:at], row[at]] for at in range(start, len(row))] for row in prompt.choice_ids]
    return _scored(request, prompts, [row[start:] for row in prompt.choice_ids], values, len(prompt.ids))


def _by_prompts(request: Request, prompt: PreparedPrompt, prompts: Any, outputs: Sequence[Any]) -> Response:
    rows = [tuple(out.prompt_token_ids) for out in outputs[-len(prompt.choices) :]]
    if prompt.choice_ids:
        opened = prompt.ids
        for row, expected in zip(rows, prompt.choice_ids, strict=True):
            prompts.check(request, row, expected)
    else:
        opened = tuple(outputs[0].prompt_token_ids)
        prompts.check(request, opened, ())
    start = answer_start(opened, rows)
    if start >= min(map(len, rows)):
        raise ModelError(f"cannot rank {list(request.choices)}: one has no tokens", hint="leave out empty choices")
    values = [
        [float(out.prompt_logprobs[at][row[at]].logprob) for at in range(start, len(row))]
        for row, out in zip(rows, outputs[-len(rows) :], strict=True)
    ]
    return _scored(request, prompts, [row[start:] for row in rows], values, len(opened))


def _scored(
    request: Request,
    prompts: Any,
    tails: Sequence[Sequence[int]],
    values: Sequence[Sequence[float]],
    prompt_tokens: int,
) -> Response:
    """The response by each choice's tokens and their log-probabilities. Raises ModelError for another choice's."""
    for choice, tail in zip(request.choices, tails, strict=True):
        refuse_other_choice(prompts.tokenizer, tail, choice)
    scores = tuple(
        ChoiceScore(choice, float(sum(row)), len(row)) for choice, row in zip(request.choices, values, strict=True)
    )
    best = sorted((score.logprob for score in scores), reverse=True)
    margin = best[0] - best[1] if len(best) > 1 else None
    return Response(choices=scores, prompt_tokens=prompt_tokens, margin=margin)
