"""Records what vLLM answers, for tests/models/servers/test_vllm_records.py: its stand-in has to answer the same.

    make vllm-test PYTEST_ARGS=--collect-only      # makes the environment
    .venv-vllm/bin/python -m tests.models.vllm_real.record

writes tests/models/vllm_real/records.json: calls of LLM.generate and LLM.chat with what came back, errors with their
classes, and the interface. Run it after a change of CALLS or of vLLM's version, and read the difference.
"""

from __future__ import annotations

import gc
import inspect
import json
import math
import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.models.vllm_real.checkpoints import make
from tests.support.transformers_server import pictures

RECORDS = Path(__file__).with_name("records.json")
FREE = {"temperature": 0.0, "max_tokens": 6, "logprobs": 2}
SCORED = {"temperature": 0.0, "max_tokens": 1, "prompt_logprobs": 0, "detokenize": False}
ENGINE_ERRORS = ("EngineDeadError", "EngineGenerateError")


@dataclass(frozen=True)
class Call:
    """Texts with <image> marks and the numbers of their pictures, or conversations; parameters of each."""

    asked: list[Any]
    params: list[dict[str, Any]]
    images: list[list[int]] = field(default_factory=list)
    """Of texts; a conversation has its picture first."""
    how: dict[str, Any] = field(default_factory=dict)
    """Further arguments of `chat`."""

    @property
    def chat(self) -> bool:
        """Whether these are conversations."""
        return not isinstance(self.asked[0], str)


def named(*ids: int) -> dict[str, Any]:
    """Parameters that ask for the log-probabilities of tokens."""
    return {"temperature": 0.0, "max_tokens": 1, "logprob_token_ids": list(ids)}


RED, WHAT, LONG = "<image>Is it red? A:", "<image>What is it? A:", "<image>" + "Is it red? " * 40
USER, TALK = [["user", "Is it red?"]], [["user", "Is it red?"], ["assistant", "yes"], ["user", "Why?"]]
CALLS = {
    "free answers": Call([RED, WHAT, RED], [FREE] * 3, [[0], [0], [1]]),
    "text alone and two pictures": Call(["Is it red? A:", "<image><image>Which? A:"], [FREE] * 2, [[], [2, 1]]),
    "stop and least length": Call(
        [RED, WHAT, RED], [{**FREE, "stop": ["%"]}, {**FREE, "stop": ["e"]}, {**FREE, "min_tokens": 6}], [[0], [0], [2]]
    ),
    "named tokens": Call([RED, WHAT], [named(40, 50), named(7, 8, 9)], [[0], [1]]),
    "free beside named": Call([RED, WHAT, WHAT], [FREE, named(40, 50, 60), FREE], [[0], [0], [1]]),
    "whole prompts": Call([RED + "yes", RED + "no way"], [SCORED] * 2, [[0], [0]]),
    "too long": Call([RED, LONG], [FREE] * 2, [[0], [0]]),
    "too long with its image": Call(["<image>" + "x" * 250], [FREE], [[0]]),
    "too many named": Call([RED], [named(*range(129))], [[0]]),
    "a conversation": Call([USER], [FREE], how={"add_generation_prompt": True}),
    "with special tokens": Call(
        [USER], [FREE], how={"add_generation_prompt": True, "tokenization_kwargs": {"add_special_tokens": True}}
    ),
    "a dialogue": Call([TALK], [FREE], how={"add_generation_prompt": True}),
    "an answer begun": Call([TALK[:2]], [SCORED], how={"add_generation_prompt": False, "continue_final_message": True}),
}


def asked(llm: Any, params: Any, call: Call) -> Any:
    """What came of a call of this vLLM, real or stood in for, as JSON has it."""
    settings = [params(**one) for one in call.params]
    shown = pictures()
    try:
        if call.chat:
            outputs = llm.chat([messages(one, shown[0]) for one in call.asked], settings, use_tqdm=False, **call.how)
        else:
            encode = llm.get_tokenizer()
            prompts = [
                {
                    "prompt_token_ids": encode(text)["input_ids"],
                    "multi_modal_data": {"image": [shown[at] for at in own]},
                }
                for text, own in zip(call.asked, call.images, strict=True)
            ]
            prompts = [
                one if one["multi_modal_data"]["image"] else {"prompt_token_ids": one["prompt_token_ids"]}
                for one in prompts
            ]
            outputs = llm.generate(prompts, settings, use_tqdm=False)
    except Exception as error:
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind not in (BaseException, object)]
        return {"error": kinds, "words": str(error)}
    return [read(one) for one in outputs]


def messages(turns: list[list[str]], picture: Any) -> list[dict[str, Any]]:
    """A conversation with the picture in its first turn."""
    made: list[dict[str, Any]] = []
    for role, text in turns:
        parts = [{"type": "text", "text": text}]
        made.append({"role": role, "content": parts if role == "user" else text})
    made[0]["content"].insert(0, {"type": "image_pil", "image_pil": picture})
    return made


def read(out: Any) -> dict[str, Any]:
    """A RequestOutput."""
    said = out.outputs[0]
    return {
        "prompt_token_ids": list(out.prompt_token_ids),
        "text": said.text,
        "token_ids": list(said.token_ids),
        "finish_reason": said.finish_reason,
        "logprobs": said.logprobs and [told(step) for step in said.logprobs],
        "prompt_logprobs": out.prompt_logprobs and [step and told(step) for step in out.prompt_logprobs],
    }


def told(step: Any) -> dict[str, float | None]:
    """Log-probabilities by token; of one that cannot be, none."""
    values = {str(token): one.logprob for token, one in sorted(step.items())}
    return {token: round(value, 5) if math.isfinite(value) else None for token, value in values.items()}


def interface(vllm: Any) -> dict[str, Any]:
    """Parameters of what the adapter calls, with their defaults; classes of errors."""
    from vllm.engine.arg_utils import EngineArgs
    from vllm.v1.engine import exceptions

    kinds = {name: getattr(exceptions, name) for name in ENGINE_ERRORS}
    return {
        "SamplingParams": defaults(vllm.SamplingParams),
        "EngineArgs": defaults(EngineArgs),
        "LLM": defaults(vllm.LLM),
        "generate": defaults(vllm.LLM.generate),
        "chat": defaults(vllm.LLM.chat),
        "errors": {name: [one.__name__ for one in kind.__mro__[:-2]] for name, kind in kinds.items()},
        "dead": str(exceptions.EngineDeadError()),
    }


def defaults(what: Any) -> dict[str, str]:
    """By parameter."""
    parameters = inspect.signature(what).parameters.values()
    return {one.name: repr(one.default) for one in parameters if one.kind != one.VAR_KEYWORD and one.name != "self"}


def main() -> None:
    """Record."""
    os.environ |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"}
    import vllm

    found: dict[str, Any] = {"version": vllm.__version__, "interface": interface(vllm), "calls": {}}
    for name in ("tiny", "tinybos"):
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), name)
            llm = vllm.LLM(folder, dtype="float32", max_model_len=256, enforce_eager=True, enable_prefix_caching=True)
            found["calls"][name] = {title: asked(llm, vllm.SamplingParams, call) for title, call in CALLS.items()}
            del llm
            gc.collect()  # its end takes the groups of the next with it
    text = json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True)
    RECORDS.write_text(compact(text) + "\n", "utf-8")


def compact(text: str) -> str:
    """Lists of numbers, and what a step tells, on one line each."""
    inner = re.compile(r"(\[|\{)\n\s*([^][{}]*?)\n\s*(\]|\})")
    return inner.sub(lambda found: found[1] + re.sub(r",\n\s*", ", ", found[2]) + found[3], text)


if __name__ == "__main__":
    main()
