"""What both engines share: a question as ids, greedy decoding with its margin, stopping and ranking."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from vlmbench.base.errors import ModelError
from vlmbench.base.samples import ChoiceScore, Generation
from vlmbench.parsing.thinking import Tag, cut_at, has_tags

from ..parts import host
from ..parts.protocols import IMAGE_TOKEN
from .packing import common_prefix
from .thoughts import ThoughtLimits, thought_tokens


class AnswerDecoder(Protocol):
    """The part of a system that turns new tokens into an answer."""

    def decode(self, ids: Sequence[int]) -> str:
        """New tokens to the answer text."""

    @property
    def end_ids(self) -> frozenset[int]:
        """Tokens that end an answer."""

    @property
    def stop(self) -> tuple[str, ...]:
        """Texts that end an answer, beside the task's own."""


@dataclass(frozen=True)
class Job:
    """One distinct question about some images (or none)."""

    ids: tuple[int, ...]
    """The whole templated prompt, IMAGE_TOKEN where each image goes."""
    generation: Generation
    choices: tuple[str, ...] = ()
    choice_ids: tuple[tuple[int, ...], ...] = ()
    """Prompt and choice as one text, for each choice to rank."""
    seed: str = ""
    """What a sampled answer's seed comes from: the sample's id. Empty for greedy answers."""

    @property
    def answer_start(self) -> int:
        """Where the choices' scored tokens begin: before any token that a choice's text has merged into."""
        return min(common_prefix([self.ids, ids]) for ids in self.choice_ids)

    def prompt_tokens(self, visual: int) -> int:
        """Length of the prompt with `visual` tokens in each image's place."""
        return len(self.ids) + (visual - 1) * self.ids.count(IMAGE_TOKEN)


@dataclass(frozen=True)
class Outcome:
    """The result of a job."""

    text: str = ""
    finish: str = "stop"
    margin: float | None = None
    prompt_tokens: int = 0
    new_tokens: int = 0
    reasoning_tokens: int = 0
    """How many of `new_tokens` come before the answer itself."""
    choices: tuple[ChoiceScore, ...] = ()
    error: str = ""
    """Why there is no answer: logits that are not finite."""


@dataclass(frozen=True)
class PromptRow:
    """One row of tokens to run: a prompt to answer, or a prompt with one of its choices to score."""

    job: int
    tokens: tuple[int, ...]
    """The tokens to feed; a choice's last token predicts nothing and is left out."""
    logits: int
    """How many of the last positions' logits are wanted."""


def prompt_rows(index: int, job: Job) -> list[PromptRow]:
    """A job's rows."""
    if not job.choices:
        return [PromptRow(index, job.ids, 1)]
    start = job.answer_start
    return [PromptRow(index, ids[:-1], len(ids) - start) for ids in job.choice_ids]


def image_prefix(ids: Sequence[int]) -> tuple[int, ...]:
    """The prompt through its first image: prompts with equal heads share a prefix that holds at least this image."""
    return tuple(ids[: ids.index(IMAGE_TOKEN) + 1]) if IMAGE_TOKEN in ids else ()


def prefix_length(prompts: Sequence[PromptRow]) -> int:
    """How many tokens to prefill once: all that the prompts share, less what each must feed itself for its own logits.

    Nothing for a single prompt, which goes through in one piece.
    """
    if len(prompts) == 1:
        return 0
    return min(
        common_prefix([prompt.tokens for prompt in prompts]),
        min(len(prompt.tokens) - prompt.logits for prompt in prompts),
    )


Observer = Callable[[Job, int, Tensor], None]
"""Called with a job, a step (or, for choices, the n-th scored token) and that step's logits, (vocabulary,) float32."""


def no_observer(job: Job, step: int, logits: Tensor) -> None:
    """An observer that does nothing."""


class Best(NamedTuple):
    """The best token of a row of logits."""

    token: int
    """The lowest id of equals."""
    margin: float
    """Its lead over the second-best logit."""
    logit: float
    """Finite unless the row is no prediction: argmax and topk put NaN first, then +inf."""


def greedy(logits: Tensor) -> list[Best]:
    """(rows, vocabulary) float32 to each row's best token."""
    return _best(logits, logits.argmax(dim=-1))


def _best(logits: Tensor, tokens: Tensor) -> list[Best]:
    """Tokens chosen by (rows, vocabulary) logits, (rows,), with what is told of each row: the host waits once."""
    if logits.shape[-1] == 1:
        return [Best(token, float("inf"), logit) for token, logit in zip(*host.read(tokens, logits[:, 0]), strict=True)]
    top = logits.topk(2, dim=-1).values  # (rows, 2)
    return [Best(*one) for one in zip(*host.read(tokens, top[:, 0] - top[:, 1], top[:, 0]), strict=True)]


def choose(logits: Tensor, drafts: Sequence[Draft]) -> list[Best]:
    """(rows, vocabulary) float32 to each draft's next token: the best one that it may have, or one drawn."""
    logits = without_ends(logits, drafts)
    drawn_rows = {row for row, draft in enumerate(drafts) if draft.job.generation.temperature > 0}
    tokens = logits.argmax(dim=-1)  # (rows,)
    if drawn_rows:
        tokens = torch.stack(
            [draft.draw(logits[row]) if row in drawn_rows else tokens[row] for row, draft in enumerate(drafts)]
        )
    return _best(logits, tokens)


def without_ends(logits: Tensor, drafts: Sequence[Draft]) -> Tensor:
    """(rows, vocabulary) float32 logits of the drafts' next tokens, end tokens ruled out (-inf) of answers that are
    still shorter than min_new_tokens.
    """
    short = [row for row, draft in enumerate(drafts) if len(draft.ids) < draft.job.generation.min_new_tokens]
    ends = sorted(drafts[0].system.end_ids) if short else []
    if not ends:
        return logits
    rows, columns = (host.send(torch.tensor(places), logits.device) for places in (short, ends))
    return logits.index_put((rows[:, None], columns), logits.new_full((), -math.inf))


def visual_tokens(features: Sequence[Tensor]) -> int:
    """How many tokens an image takes; 0 where there is none."""
    return len(features[0]) if features else 0


def not_finite(values: str, where: str) -> ModelError:
    """Build the error for logits that give no answer. `values`: what they are, NaN for instance."""
    why = "numbers overflow in this dtype, or a training diverged and left NaN in the weights"
    return ModelError(f"the logits are not finite ({values}) {where}: {why}", hint="try --dtype float32")


def check_scores(_ids: Tensor, scores: Tensor) -> Tensor:
    """A logits processor that lets finite scores pass; -inf rules a token out. Raises ModelError for others."""
    for best in greedy(scores):
        if not math.isfinite(best.logit):
            raise not_finite(non_finite_name(best.logit), "while the answer is drawn")
    return scores


class ScoreCheck:
    """A logits processor that notes whether scores are finite, and looks only at the end: the host waits once."""

    def __init__(self) -> None:
        self._best: list[Tensor] = []

    def __call__(self, _ids: Tensor, scores: Tensor) -> Tensor:
        """(rows, vocabulary) to the same; a row that no token can be drawn from becomes zeros."""
        best = scores.amax(dim=-1)  # NaN where there is one
        self._best.append(best)
        return torch.where(best.isfinite()[:, None], scores, 0.0)

    def check(self) -> None:
        """Raises ModelError where any row was no prediction; -inf rules a token out."""
        bests = host.read(torch.cat(self._best).float())[0] if self._best else []
        for best in bests:
            if not math.isfinite(best):
                raise not_finite(non_finite_name(best), "while the answer is drawn")


def non_finite_name(number: float) -> str:
    """Name a number that is not finite."""
    return "NaN" if math.isnan(number) else "+inf" if number > 0 else "none above -inf"


def seed_of(job: Job) -> int:
    """The seed of a sampled answer: from the prompt and the sample, so that no other answer plays a part."""
    return int.from_bytes(hashlib.sha256(repr((job.ids, job.seed)).encode()).digest()[:6], "big")


class Sampler:
    """Draws the tokens of one answer as transformers' `generate` does for it alone, from a generator of its own."""

    def __init__(self, job: Job, device: torch.device) -> None:
        from transformers import TemperatureLogitsWarper, TopPLogitsWarper

        temperature, top_p = job.generation.temperature, job.generation.top_p
        self._generator = torch.Generator(device).manual_seed(seed_of(job))
        self._warpers = [TemperatureLogitsWarper(float(temperature))] if temperature != 1.0 else []
        if top_p < 1.0:
            self._warpers.append(TopPLogitsWarper(top_p))

    def draw(self, scores: Tensor) -> Tensor:
        """The next token, (), by (vocabulary,) float32 logits: any where they are no prediction.

        By torch.multinomial's way and numbers, without its look at the probabilities, for which the host would wait.
        """
        row = scores[None]
        for warp in self._warpers:
            row = warp(None, row)
        chances = row.softmax(dim=-1)
        return (chances / torch.empty_like(chances).exponential_(1, generator=self._generator)).argmax(dim=-1)[0]


@dataclass
class Draft:
    """An answer while it is generated, token by token."""

    job: Job
    system: AnswerDecoder
    ids: list[int] = field(default_factory=list)
    margin: float | None = None
    text: str = ""
    finish: str = ""
    """Empty while the answer continues."""
    error: str = ""

    def __post_init__(self) -> None:
        self._named = tags_of(self.system)
        self._sampler: Sampler | None = None
        self._limits = ThoughtLimits(self.job.generation, self.system.decode, self._named)

    def draw(self, scores: Tensor) -> Tensor:
        """A token, (), drawn by (vocabulary,) float32 logits."""
        if self._sampler is None:
            self._sampler = Sampler(self.job, scores.device)
        return self._sampler.draw(scores)

    def push(self, best: Best) -> bool:
        """Take the next token, or fail where the logits are no prediction. Returns whether the answer continues."""
        token, margin, logit = best
        if not math.isfinite(logit):
            self.finish = "error"
            self.error = str(not_finite(non_finite_name(logit), f"at token {len(self.ids) + 1} of the answer"))
            return False
        self.ids.append(token)
        self.margin = margin if self.margin is None else min(self.margin, margin)
        ended = token in self.system.end_ids
        if ended and self._limits.left(self.ids[:-1], ended=True) <= 0:
            self.ids.pop()
        elif ended:
            self.finish, self.text = "stop", self.stopped(self.ids[:-1])[0]
            return False
        left = self._limits.left(self.ids, ended=ended)
        if left < 0:
            del self.ids[left:]
        if left <= 0 or self.job.generation.stop or self.system.stop:
            self.text, stopped = self.stopped(self.ids)
            self.finish = "stop" if stopped else "length" if left <= 0 else ""
        return not self.finish

    def stopped(self, ids: Sequence[int]) -> tuple[str, bool]:
        """The text of tokens before the first stop text that counts, and whether there is one.

        One that ends within the first `min_new_tokens` does not count.
        """
        generation = self.job.generation
        must = len(self.system.decode(ids[: generation.min_new_tokens])) if generation.min_new_tokens else 0
        stops = (*generation.stop, *self.system.stop)
        return cut_at(self.system.decode(ids), stops, self._named, must=must)

    def take(self, tokens: Sequence[int]) -> None:
        """Take a whole answer at once, without logits."""
        for token in tokens:
            if not self.push(Best(token, float("inf"), 0.0)):
                break
        self.margin = None
        if not self.finish:
            self.text, stopped = self.stopped(self.ids)
            self.finish = "stop" if stopped else "length"

    def outcome(self, visual: int) -> Outcome:
        """The finished answer."""
        if self.error:
            return Outcome(finish=self.finish, error=self.error)
        thought = count_thought(self.text, self.ids, self.system)
        margin = None if self.job.generation.temperature > 0 else self.margin
        return Outcome(self.text, self.finish, margin, self.job.prompt_tokens(visual), len(self.ids), thought)


def tags_of(decoder: AnswerDecoder) -> tuple[Tag, ...]:
    """Pairs of tags around the thoughts of this model, beside the usual ones."""
    return tuple(getattr(decoder, "tags", ()))


def count_thought(text: str, ids: Sequence[int], decoder: AnswerDecoder) -> int:
    """How many of an answer's tokens were thoughts; `text` is the answer as far as it counts."""
    named = tags_of(decoder)
    return thought_tokens(ids, decoder.decode, named) if has_tags(text, named) else 0


def drawn(job: Job, decoder: AnswerDecoder, new: Sequence[int], prompt_tokens: int, new_tokens: int) -> Outcome:
    """The outcome of tokens that `generate` drew or searched for, within the limits of the thought and the answer."""
    draft = Draft(job, decoder)
    if job.generation.max_reasoning_tokens:
        draft.take(new)
        thought = count_thought(draft.text, draft.ids, decoder)
        return Outcome(draft.text, draft.finish, None, prompt_tokens, len(draft.ids), thought)
    ended = next((at for at, token in enumerate(new) if token in decoder.end_ids), None)
    text, stopped = draft.stopped(new[:ended])
    finish = "stop" if stopped or ended is not None else "length"
    thought = count_thought(text, new[:new_tokens], decoder)
    return Outcome(text, finish, None, prompt_tokens, new_tokens, thought)


def rank(asked: Sequence[tuple[Job, Sequence[Tensor]]], visual: int, observe: Observer) -> list[Outcome]:
    """Score the choices of some jobs; the host waits once for all of them. Beside each job, for each of its choices
    (scored tokens, vocabulary) float32 logits that predict them.
    """
    sums = []
    for job, rows in asked:
        step = 0
        for ids, logits in zip(job.choice_ids, rows, strict=True):
            for row in logits:
                observe(job, step, row)
                step += 1
            targets = host.send(torch.tensor(ids[job.answer_start :], dtype=torch.long), logits.device)
            sums.append(logits.log_softmax(dim=-1).gather(1, targets[:, None]).sum())  # (scored, 1) -> ()
    totals = iter(host.read(torch.stack(sums))[0] if sums else ())
    return [_ranked(job, rows, [next(totals) for _ in rows], visual) for job, rows in asked]


def _ranked(job: Job, rows: Sequence[Tensor], totals: Sequence[float], visual: int) -> Outcome:
    """The margin is the lead of the best choice's sum over the second-best's. A sum is finite unless a logit is NaN or
    +inf, or the network rules a choice's token out (-inf): no ranking then.
    """
    scores = []
    for choice, ids, logits, total in zip(job.choices, job.choice_ids, rows, totals, strict=True):
        if not math.isfinite(total):
            return Outcome(finish="error", error=str(_no_score(choice, logits)))
        scores.append(ChoiceScore(choice, total, len(ids) - job.answer_start))
    best = sorted((score.logprob for score in scores), reverse=True)
    margin = best[0] - best[1] if len(best) > 1 else None
    return Outcome(margin=margin, prompt_tokens=job.prompt_tokens(visual), choices=tuple(scores))


def _no_score(choice: str, logits: Tensor) -> ModelError:
    for at, best in enumerate(greedy(logits), start=1):
        if not math.isfinite(best.logit):
            return not_finite(non_finite_name(best.logit), f"at token {at} of the choice {choice!r}")
    hint = "rank other choices, or take a protocol that reads text"
    return ModelError(f"the network gives the choice {choice!r} no probability at all (-inf)", hint=hint)


def attention_mask(visible: Tensor, lm: Any, device: torch.device, dtype: torch.dtype) -> Tensor | None:
    """(lanes, rows, columns) bool to the language model's 4-D mask: bool, or additive for attention by plain matmuls.

    `visible` is the host's. None when single rows see everything: the model's own default, and its fastest path.
    """
    if visible.shape[1] == 1 and bool(visible.all()):
        return None
    mask = host.send(visible[:, None], device)  # (lanes, 1, rows, columns), broadcast over heads
    if getattr(lm.config, "_attn_implementation", "sdpa") != "eager":
        return mask
    return torch.zeros(mask.shape, dtype=dtype, device=device).masked_fill(~mask, torch.finfo(dtype).min)
