"""Checks whether questions about an image can share its prefix: by a model's config and modules, then by a trial.

What is looked for is what breaks the packed row: positions that are no plain count, attention that is not causal or
does not see everything before it, images that enter elsewhere than in the row. Anything else shows in the
trial: drawn images, a few questions, every logit compared with a plain run.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch

from vlmbench.base.samples import Generation

from ..engine.decoding import Job
from ..engine.margin_scale import QUESTIONS, LogitRecorder, is_finite, max_difference, test_image
from ..engine.memory import out_of_memory
from ..parts.kernels import attention as matmul_attention
from .plain import Plain, Question
from .prompts import Prompts
from .sharing.masks import STATES, layer_kinds
from .sharing.packed import HfSharedPrefix

CLOSE = 1e-4
"""How far logits may part in float32; wrong positions, masks or images move them by 0.1 and more."""
NOISE = {torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 2e-2}
"""The same as a share of the largest logit, by number type, where that is more."""
STEPS = 2
ASKED = 2
"""Questions of the trial."""


def reason_against(model: Any) -> str:
    """Why the config or the modules forbid sharing, all reasons; empty if they do not."""
    return ", ".join(reason for reason, applies in CHECKS.items() if applies(model))


def _text(model: Any) -> Any:
    return model.config.get_text_config(decoder=True)


def _takes(model: Any, *names: str) -> bool:
    return not set(names).isdisjoint(inspect.signature(model.forward).parameters)


def _configs(model: Any) -> Iterator[Any]:
    yield model.config
    yield _text(model)


def is_encoder_decoder(model: Any) -> bool:
    """Whether prompts go into an encoder, and answers come from a decoder."""
    return any(getattr(config, "is_encoder_decoder", False) for config in _configs(model))


def _states(model: Any) -> bool:
    return not set(STATES).isdisjoint(layer_kinds(_text(model)))


def _no_mask(model: Any) -> bool:
    return model.get_decoder().config._attn_implementation not in ("sdpa", "eager", matmul_attention.NAME)


CHECKS: dict[str, Callable[[Any], bool]] = {
    "it is an encoder with a decoder": is_encoder_decoder,
    "some of its layers keep a state instead of positions": _states,
    "this implementation of attention takes no block mask": _no_mask,
    "its forward takes no positions or no cache": lambda model: (
        not (_takes(model, "position_ids") and _takes(model, "past_key_values"))
    ),
}
"""Reasons, in the order in which they are told. Parameters of the model's own forward count as part of its modules."""


def self_check(shared: HfSharedPrefix, plain: Plain, prompts: Prompts, pack_tokens: int) -> tuple[str, float]:
    """(why sharing fails, "" if it does not; the largest difference of any logit) on a drawn image."""
    images, doing = [test_image(0)], "when it is asked"
    try:
        rendered = [prompts.prompt(prompts.text(text, 1), images) for text in QUESTIONS[:ASKED]]
        media = rendered[0].media
        if any(not media.same(prompt.media) for prompt in rendered):
            return "what its processor makes of an image depends on the question", 0.0
        if prompts.image_id is None or any(prompts.image_id not in prompt.ids for prompt in rendered):
            return "its images have no place in the row of tokens", 0.0
        jobs = [Job(prompt.ids, Generation(max_new_tokens=STEPS)) for prompt in rendered]
        if not shared.can_share(jobs):
            return "its prompts do not begin with the image", 0.0
        doing, packed, alone = "by itself", LogitRecorder(), LogitRecorder()
        for job, prompt in zip(jobs, rendered, strict=True):
            plain.answer([Question(job, prompt)], 1, alone.record)
        if not alone.rows:
            return "its own `generate` shows no logits to compare with", 0.0
        doing = "on a packed row"
        shared.answer(rendered[0], jobs, pack_tokens, packed.record)
    except Exception as error:  # an architecture that cannot do this says so in its own way
        if out_of_memory(error):
            raise
        return f"it fails {doing} ({type(error).__name__}: {(str(error).splitlines() or [''])[0]})", 0.0
    return compared(packed, alone, plain.model.dtype)


def trial(plain: Plain, prompts: Prompts, recorder: LogitRecorder) -> None:
    """Answer the trial's questions about a drawn image one by one, and record their logits."""
    images = [test_image(0)]
    for text in QUESTIONS[:ASKED]:
        prompt = prompts.prompt(prompts.text(text, 1), images)
        plain.answer([Question(Job(prompt.ids, Generation(max_new_tokens=STEPS)), prompt)], 1, recorder.record)


def compared(
    together: LogitRecorder, alone: LogitRecorder, dtype: torch.dtype, kind: str = "packed"
) -> tuple[str, float]:
    """Compare logits, (vocabulary,) per job and step, as long as both gave the same tokens. `dtype`: the network's."""
    worst, largest = 0.0, 0.0
    for job, rows in alone.rows.items():
        for mine, other in zip(together.rows[job], rows, strict=False):
            if not is_finite(other):
                return "its logits are not finite, even one by one", 0.0
            worst = max(worst, max_difference(mine, other))
            largest = max(largest, float(other.nan_to_num(0.0, 0.0, 0.0).abs().max()))
            if not job.choices and int(mine.argmax()) != int(other.argmax()):
                break  # from here on they answer different texts
    limit = max(CLOSE, NOISE.get(dtype, 0.0) * largest)
    return ("" if worst <= limit else f"{kind} logits part by {worst:.2g} from plain ones"), worst
