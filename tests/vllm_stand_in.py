"""What stands in for vLLM where it is not installed: its documented interface around the shipped model.

Source: vllm 0.33.0, entrypoints/llm.py, sampling_params.py, outputs.py, logprobs.py. Only what the adapter may use is
here; anything else is a TypeError. Texts, token counts and log-probabilities are those of the model.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any

from PIL.Image import Image

from tests.toys import png_of
from vlmbench.models import tinyllava
from vlmbench.nouns import Generation, Picture, Request

__version__ = "0.33.0"
"""Of the interface that is stood in for."""


@dataclass(kw_only=True)
class SamplingParams:
    """What decides one answer."""

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    stop: list[str] | None = None
    max_tokens: int | None = 16
    logprobs: int | None = None
    prompt_logprobs: int | None = None


@dataclass
class Logprob:
    """One token's."""

    logprob: float
    rank: int | None = None
    decoded_token: str | None = None


@dataclass
class CompletionOutput:
    """One answer."""

    index: int
    text: str
    token_ids: Sequence[int]
    cumulative_logprob: float | None
    logprobs: list[dict[int, Logprob]] | None
    finish_reason: str | None = None


@dataclass
class RequestOutput:
    """One request's answers."""

    prompt_token_ids: list[int]
    outputs: list[CompletionOutput]
    prompt_logprobs: list[dict[int, Logprob] | None] | None = None


@dataclass
class Script:
    """What tests plant and look at."""

    made_with: list[dict[str, Any]] = field(default_factory=list)
    calls: list[list[str]] = field(default_factory=list)
    """By call of `chat`: the last question of each conversation."""
    params: list[SamplingParams] = field(default_factory=list)
    pictures: list[tuple[str, ...]] = field(default_factory=list)
    """Hashes of each conversation's pictures, in the order handed over."""
    fail_on: str = ""
    """A question that vLLM refuses, and with it the call it comes in."""
    wrong_on: str = ""
    """A question answered wrongly: the text that is said instead is `wrong`."""
    breaks: str = ""
    """Why the model cannot be loaded."""


class LLM:
    """The engine. `script` is the test's."""

    script = Script()

    def __init__(
        self,
        model: str,
        *,
        seed: int = 0,
        dtype: str = "auto",
        quantization: str | None = None,
        revision: str | None = None,
        tokenizer_revision: str | None = None,
        gpu_memory_utilization: float = 0.92,
        tensor_parallel_size: int = 1,
        enforce_eager: bool = False,
        trust_remote_code: bool = False,
        enable_prefix_caching: bool | None = None,
        max_model_len: int | None = None,
        limit_mm_per_prompt: dict[str, int] | None = None,
    ) -> None:
        if self.script.breaks:
            raise ValueError(self.script.breaks)
        self.script.made_with.append(
            {key: value for key, value in locals().items() if key not in ("self", "__class__")}
        )
        self._model = tinyllava.load(None, threads=1)

    def chat(
        self,
        messages: Sequence[list[dict[str, Any]]],
        sampling_params: Sequence[SamplingParams] | None = None,
        use_tqdm: bool = True,
        *,
        add_generation_prompt: bool = True,
        continue_final_message: bool = False,
    ) -> list[RequestOutput]:
        """Answer conversations, in order."""
        assert sampling_params is not None and len(messages) == len(sampling_params) and not use_tqdm
        assert add_generation_prompt is not continue_final_message
        asked = [_request(one, params) for one, params in zip(messages, sampling_params, strict=True)]
        self.script.calls.append([request.prompt for request, _ in asked])
        self.script.pictures += [tuple(picture.name for picture in request.images) for request, _ in asked]
        self.script.params += sampling_params
        if self.script.fail_on and any(self.script.fail_on == request.prompt for request, _ in asked):
            raise ValueError("The decoder prompt is longer than the maximum model length")
        if continue_final_message:
            return [self._score(request, answer) for request, answer in asked]
        assert not any(answer for _, answer in asked), "an answer that is given goes on, or is not given"
        return [self._answer(request, params) for (request, _), params in zip(asked, sampling_params, strict=True)]

    def _answer(self, request: Request, params: SamplingParams) -> RequestOutput:
        [(_, response)] = self._model.answer([[request]])
        wrong = request.prompt == self.script.wrong_on
        text = " wrong" if wrong else f" {response.text}"
        steps = None
        if params.logprobs:  # the smallest gap at the first step, wider ones behind
            gap = 9.0 if wrong else response.margin or 0.0
            steps = [{1: Logprob(-0.1), 2: Logprob(-0.1 - gap - more)} for more in range(response.new_tokens)]
        said = CompletionOutput(0, text, [1] * response.new_tokens, None, steps, response.finish)
        return RequestOutput(self._ids(request, response.prompt_tokens), [said])

    def _score(self, request: Request, answer: str) -> RequestOutput:
        """The prompt with the answer in it: its tokens' log-probabilities are the sum's equal shares."""
        [(_, response)] = self._model.answer([[Request("x", request.prompt, request.images, choices=(answer,))]])
        [score] = response.choices
        opened = self._ids(request, response.prompt_tokens)
        ids = [*opened, *(1000 + number for number in range(score.tokens))]
        told: list[dict[int, Logprob] | None] = [None, *({token: Logprob(-7.0)} for token in opened[1:])]
        told += [{token: Logprob(score.logprob / score.tokens)} for token in ids[len(opened) :]]
        return RequestOutput(ids, [CompletionOutput(0, "", [1], None, None, "length")], told)

    def _ids(self, request: Request, count: int) -> list[int]:
        """As many ids as the prompt has tokens; equal prompts have equal ones."""
        return [hashlib.sha256(request.prompt.encode()).digest()[0]] + [7] * (count - 1)


def _request(conversation: Sequence[dict[str, Any]], params: SamplingParams) -> tuple[Request, str]:
    """The conversation as a request of ours, and the answer that is already given."""
    texts, pictures = [], []
    for message in conversation:
        parts = message["content"]
        parts = [{"type": "text", "text": parts}] if isinstance(parts, str) else parts
        for part in parts:
            if part["type"] == "image_pil":
                image: Image = part["image_pil"]
                data = png_of(image)
                pictures.append(Picture(hashlib.sha256(data).hexdigest(), partial(bytes, data)))
            else:
                texts.append(part["text"])
    roles = Counter(message["role"] for message in conversation)
    given = texts.pop() if roles["user"] == roles["assistant"] else ""
    history = tuple(zip(texts[:-1:2], texts[1::2], strict=True))
    generation = Generation(params.max_tokens or 16, tuple(params.stop or ()))
    return Request("x", texts[-1], tuple(pictures), generation=generation, history=history), given


def module(script: Script) -> ModuleType:
    """The module as `import vllm` finds it."""
    made: Any = ModuleType("vllm")
    made.__version__, made.SamplingParams = __version__, SamplingParams
    made.LLM = type("LLM", (LLM,), {"script": script})
    return made  # type: ignore[no-any-return]
