"""Decides what questions about an image may share: by a model's structure, then by a trial in its own numbers.

The packed row comes first, copies of the prefix's state second, an image's features last. What no forward can do is
refused by structure. Everything else shows in the trial: drawn images, a few questions, every logit of every step
compared with a plain run's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from vlmbench.base.samples import Generation

from ..engine.decoding import AnswerDecoder, Job
from ..engine.margin_scale import QUESTIONS, LogitRecorder, is_finite, max_difference, test_image
from ..engine.memory import out_of_memory
from ..engine.packing import common_prefix
from ..engine.shared_prefix import new_cache
from ..parts.kernels import attention as matmul_attention
from ..parts.kernels.int8_dynamic import Int8DynamicLinear
from .plain import Plain, Question
from .prompts import Prompt, Prompts
from .sharing.features import RememberedParts
from .sharing.masks import STATES, layer_kinds, narrowed
from .sharing.packed import HfSharedPrefix
from .sharing.states import StateRows

CLOSE = 1e-4
"""How far logits may part in float32; wrong positions, masks or images move them by 0.1 and more."""
NOISE = {torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 2e-2}
"""The same as a share of the largest logit, by number type, where that is more."""
FACTOR, MOST = 4, 0.02
"""Logits may part by so many times the noise of two plain runs, but at most by this share of the largest logit."""
STEPS = 3
ASKED = (QUESTIONS[0], QUESTIONS[6])
"""Questions of the trial: a short one, too, so that small windows reach back to the image."""


def reason_against(model: Any) -> str:
    """Why structure forbids to share a prefix, all reasons; empty if it does not."""
    return ", ".join(reason for reason, applies in NO_PREFIX.items() if applies(model))


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


NO_PREFIX: dict[str, Callable[[Any], bool]] = {
    "its encoder reads the question together with the image": is_encoder_decoder,
    "its forward takes no positions or no cache": lambda model: (
        not (_takes(model, "position_ids") and _takes(model, "past_key_values"))
    ),
}
"""Reasons against any prefix, in the order in which they are told."""
NO_PACK: dict[str, Callable[[Any], bool]] = {
    "some of its layers keep a state instead of positions": _states,
    "this implementation of attention takes no block mask": _no_mask,
}
"""Reasons against a packed row alone."""


@dataclass(frozen=True)
class Sharing:
    """What a model's questions share."""

    way: HfSharedPrefix | None = None
    """How they share a prefix, if they do."""
    told: str = ""
    """For the tables: yes, how, or why not."""
    difference: float = 0.0
    """The largest difference of any logit in the trial."""
    parts: RememberedParts | None = None
    """What gives an image's features again, where that is all."""


def choose(
    model: Any,
    decoder: AnswerDecoder,
    plain: Plain,
    prompts: Prompts,
    pack_tokens: int,
    alone: LogitRecorder | None = None,
) -> Sharing:
    """Try out what may be shared, the most first. `alone`: what `trial` records, where that is known already."""
    reasons = [reason] if (reason := reason_against(model)) else []
    unpacked = [name for name, applies in NO_PACK.items() if applies(model)]
    ways = () if reasons else (StateRows,) if unpacked else (HfSharedPrefix, StateRows)
    for kind in ways:
        way = kind(model, decoder, prompts.image_id)
        reason, difference = self_check(way, plain, prompts, pack_tokens, alone)
        if not reason:
            why = [*unpacked, *reasons][:1]
            return Sharing(way, f"yes, by copies of the prefix's state: {why[0]}" if why else "yes", difference)
        reasons.append(reason)
    parts = RememberedParts(model)
    missing = features_check(parts, plain, prompts)
    told = f"refused: {', and '.join([*unpacked[:1], reasons[0]])}"
    return Sharing(told=told) if missing else Sharing(told=f"{told}; its images' features are shared", parts=parts)


def self_check(
    way: HfSharedPrefix, plain: Plain, prompts: Prompts, pack_tokens: int, alone: LogitRecorder | None = None
) -> tuple[str, float]:
    """(why sharing fails, "" if it does not; the largest difference of any logit) on a drawn image.

    Windows that the prompts of the trial do not fill are narrowed for both sides while it runs: what was recorded
    `alone` is of no use then.
    """
    doing = "when it is asked"
    try:
        rendered = _rendered(prompts)
        media = rendered[0].media
        if any(not media.same(prompt.media) for prompt in rendered):
            return "what its processor makes of an image depends on the question", 0.0
        if prompts.image_id is None or any(prompts.image_id not in prompt.ids for prompt in rendered):
            return "no token of its prompts is known to stand for an image", 0.0
        jobs = _jobs(rendered)
        if not way.can_share(jobs):
            return "its prompts do not begin with the image", 0.0
        doing = "by itself"
        with narrowed(way.lm, way.model, min(len(prompt.ids) for prompt in rendered)) as narrow:
            shared = LogitRecorder()
            if alone is None or narrow:
                alone = LogitRecorder()
                trial(plain, prompts, alone)
            if not alone.rows:
                return "its own `generate` shows no logits to compare with", 0.0
            doing = "behind a shared prefix"
            way.answer(rendered[0], jobs, pack_tokens, shared.record)
            noise = Noise(plain, jobs[0], rendered[0], alone)
            reason, worst = compared(shared, alone, rounding_type(plain.model), "shared", noise)
        if reason and _reads_on(way, rendered):
            reason = "attention over the image sees the question behind it"
        return reason, worst
    except Exception as error:  # an architecture that cannot do this says so in its own way
        if out_of_memory(error):
            raise
        return f"it fails {doing} ({type(error).__name__}: {(str(error).splitlines() or [''])[0]})", 0.0


def features_check(parts: RememberedParts, plain: Plain, prompts: Prompts) -> str:
    """Why no features are shared; empty where something is given again and all logits stay what they are."""
    try:
        alone, again = LogitRecorder(), LogitRecorder()
        trial(plain, prompts, alone)
        with parts.used():
            trial(plain, prompts, again)
    except Exception as error:  # see self_check
        if out_of_memory(error):
            raise
        return f"it fails ({type(error).__name__})"
    finally:
        parts.forget()
    if not parts.repeats:
        return "all of its parts read the question"
    return compared(again, alone, plain.model.dtype, "repeated")[0] if alone.rows else ""


def _reads_on(way: HfSharedPrefix, rendered: list[Prompt]) -> bool:
    """Whether what the layers keep of a prefix depends on what comes behind it."""
    if isinstance(way, StateRows):  # what a state keeps of each token cannot be told apart
        return False
    model, shared, caches = way.model, common_prefix([prompt.ids for prompt in rendered]), []
    with torch.inference_mode():
        for prompt in rendered:
            caches.append(new_cache())
            given = prompt.media.to(model.device, model.dtype)
            given |= {name: row.to(model.device) for name, row in prompt.rows.items()}
            ids = torch.tensor([prompt.ids], device=model.device)
            model(input_ids=ids, past_key_values=caches[-1], use_cache=True, **given)
    kept = [[layer.keys[:, :, :shared].float() for layer in cache.layers] for cache in caches]
    pairs = zip(*kept, strict=True)
    return any(float((one - other).abs().max()) > MOST * float(one.abs().max()) for one, other in pairs)


def _rendered(prompts: Prompts) -> list[Prompt]:
    images = [test_image(0)]
    return [prompts.prompt(prompts.text(text, 1), images) for text in ASKED]


def _jobs(rendered: list[Prompt]) -> list[Job]:
    return [Job(prompt.ids, Generation(max_new_tokens=STEPS)) for prompt in rendered]


def trial_questions(prompts: Prompts) -> tuple[Prompt, list[Job]]:
    """The trial's questions about a drawn image, and one of them as the processor gives it."""
    rendered = _rendered(prompts)
    return rendered[0], _jobs(rendered)


class Noise:
    """How much the same question's logits differ between a plain batch of two and one by one: measured when asked."""

    def __init__(self, plain: Plain, job: Job, prompt: Prompt, alone: LogitRecorder) -> None:
        self.plain, self.job, self.prompt, self.alone = plain, job, prompt, alone

    def __call__(self) -> float:
        """The largest difference; 0 where no batch can be had."""
        twice = LogitRecorder()
        try:
            self.plain.answer([Question(self.job, self.prompt)] * 2, 2, twice.record)
        except Exception:  # see self_check: then there is no noise to speak of
            return 0.0
        rows = twice.rows[self.job][::2]  # of the first row of the batch
        return max(map(max_difference, rows, self.alone.rows[self.job]), default=0.0)


def trial(plain: Plain, prompts: Prompts, recorder: LogitRecorder) -> None:
    """Answer the trial's questions about a drawn image one by one, and record their logits."""
    rendered = _rendered(prompts)
    for job, prompt in zip(_jobs(rendered), rendered, strict=True):
        plain.answer([Question(job, prompt)], 1, recorder.record)


def rounding_type(model: Any) -> torch.dtype:
    """The number type whose rounding a network's logits have: bfloat16's where activations are rounded to 8 bits."""
    dynamic = any(isinstance(module, Int8DynamicLinear) for module in model.modules())
    dtype: torch.dtype = torch.bfloat16 if dynamic else model.dtype
    return dtype


def compared(
    together: LogitRecorder,
    alone: LogitRecorder,
    dtype: torch.dtype,
    kind: str,
    noise: Callable[[], float] = lambda: 0.0,
) -> tuple[str, float]:
    """Compare logits, (vocabulary,) per job and step, as long as both gave the same tokens. `dtype`: the network's.

    `noise` is asked where they part by more than usual: (why they are not equal, the largest difference).
    """
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
    if limit < worst <= MOST * largest:
        limit = max(limit, FACTOR * noise())
    return ("" if worst <= limit else f"{kind} logits part by {worst:.2g} from plain ones"), worst
