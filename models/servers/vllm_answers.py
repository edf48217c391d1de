"""What a vLLM engine is asked for one request, and how its outputs become the response."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vlmbench.base.samples import Request, Response
from vlmbench.parsing.thinking import apart

from ..engine.decoding import Draft, Job
from . import vllm_process
from .vllm_prompts import Conversations, PreparedPrompt, Rendered

FINISHED = ("stop", "length")


@dataclass(eq=False)
class EngineRequest:
    """What is asked for one request, and how its outputs become the response."""

    prompts: list[tuple[Any, Any]]
    """Each with its SamplingParams."""
    read: Callable[[Sequence[Any]], Response]


def sampling(request: Request, *, thought: bool = False) -> Any:
    """A free answer's parameters; a sample draws from a seed of its own. `thought`: one may come first."""
    generation = request.generation
    seed = int.from_bytes(hashlib.sha256(request.seed.encode()).digest()[:4], "big")
    drawn: dict[str, Any] = {"top_p": generation.top_p, "seed": seed} if generation.temperature > 0 else {}
    if generation.min_new_tokens:
        drawn["min_tokens"] = generation.min_new_tokens
    return vllm_process.module().SamplingParams(
        temperature=generation.temperature,
        max_tokens=generation.longest,
        stop=None if thought else list(generation.stop) or None,  # they would end a thought, too
        logprobs=2,  # for the margin between the best two
        **drawn,
    )


def names_tokens(params: Any) -> bool:
    """Whether the log-probabilities of certain tokens are asked for, in a vLLM that knows how."""
    return bool(getattr(params, "logprob_token_ids", None))


def to_response(request: Request, prompt: PreparedPrompt, prompts: Rendered | Conversations, out: Any) -> Response:
    """A RequestOutput as an answer. Raises ModelError for the answer to another prompt."""
    prompts.check(request, out.prompt_token_ids, prompt.ids)
    best = out.outputs[0]
    response = Response(best.text.strip(), prompt_tokens=len(out.prompt_token_ids), new_tokens=len(best.token_ids))
    if best.finish_reason not in FINISHED:
        return replace(response, finish="error", error=f"vLLM ended with {best.finish_reason!r}")
    response = replace(response, finish=best.finish_reason, margin=_margin(best.logprobs))
    return _limited(request, prompts, response, best.token_ids) if thinks(request, prompts) else response


def thinks(request: Request, prompts: Rendered | Conversations) -> bool:
    """Whether the answer is read token by token: a thought may come before it."""
    return isinstance(prompts, Rendered) and bool(request.generation.max_reasoning_tokens or prompts.thinks)


def _limited(request: Request, prompts: Any, response: Response, ids: Sequence[int]) -> Response:
    """The answer by its tokens, within the limits of the thought and the answer."""
    draft = Draft(Job((), request.generation), prompts)
    draft.take(ids)
    whole = len(draft.ids) == len(ids)
    response = replace(
        response,
        text=draft.text.strip(),
        finish=response.finish if whole and draft.finish == "length" else draft.finish,
        new_tokens=len(draft.ids),
        reasoning_tokens=draft.outcome(0).reasoning_tokens,
    )
    return apart(response, prompts.tags)


def _margin(steps: Any) -> float | None:
    """Smallest gap between the two likeliest tokens over the steps."""
    gaps = []
    for step in steps or ():
        values = sorted((token.logprob for token in step.values()), reverse=True)
        gaps += [values[0] - values[1]] if len(values) > 1 else []
    return min(gaps, default=None)
