"""Questions in plain batches through a transformers model's own `generate`: what runs on every architecture.

Prompts are padded on the left (an encoder's on the right), and only questions whose image tensors have the same shape
go together, so no image is ever padded. A batch of one is the run that everything else is measured against.

Choices are ranked by giving `generate` their tokens one after the other and noting what the network expected, before
anything that the checkpoint's generation settings force or forbid: so ranking, too, needs nothing that an architecture
does not have.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from vlmbench.base.samples import Request

from ..engine.decoding import (
    AnswerDecoder,
    Best,
    Draft,
    Job,
    Observer,
    Outcome,
    drawn,
    greedy,
    no_observer,
    rank,
    seed_of,
    without_ends,
)
from ..parts import host
from .generate import PLAIN, Checker, TokenGenerator
from .prompts import Prompt, move, pixels_of


@dataclass(eq=False)
class Question:
    """A job with its tensors, and the requests that it answers."""

    job: Job
    prompt: Prompt
    requests: list[Request] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows of a batch it takes."""
        return max(1, len(self.job.choices))

    @property
    def pixels(self) -> int:
        """What its tensors hold, in pixels of three numbers."""
        return pixels_of(self.prompt.media.tensors)

    @property
    def kind(self) -> Hashable:
        """Equal for questions that can go into one batch."""
        shapes = [(name, _shape(value)) for name, value in self.prompt.media.tensors.items()]
        return (
            bool(self.job.choices),
            self.job.generation.min_new_tokens,
            tuple(sorted(self.prompt.rows)),
            tuple(sorted(shapes, key=lambda item: item[0])),
        )


def _shape(value: Any) -> Hashable:
    return (value.dtype, tuple(value.shape[1:])) if isinstance(value, Tensor) and value.dim() else id(value)


@dataclass(frozen=True, eq=False)
class _Row:
    """One row of a batch: a prompt to answer, or its beginning with a choice's tokens to score."""

    question: Question
    start: int
    """How many of the prompt's tokens are given."""
    forced: tuple[int, ...] = ()


class Plain:
    """Answers questions of one kind, each in rows of its own."""

    def __init__(self, model: Any, decoder: AnswerDecoder, *, pad_id: int, encoder_decoder: bool) -> None:
        self.model, self.decoder, self.pad_id, self.right = model, decoder, pad_id, encoder_decoder
        self.generating = TokenGenerator(model)

    @torch.inference_mode()
    def answer(self, questions: Sequence[Question], size: int, observe: Observer = no_observer) -> list[Outcome]:
        """Outcomes in order. `size`: most rows that go through the network at once."""
        rows = [row for question in questions for row in _rows(question)]
        results: list[tuple[Draft, list[Tensor]]] = []
        for first in range(0, len(rows), size):
            results += self._batch(rows[first : first + size], observe)
        own, at = {}, 0
        for number, question in enumerate(questions):
            own[number], at = results[at : at + question.rows], at + question.rows
        scored = [
            (question.job, [torch.stack(logits) for _, logits in own[number]])
            for number, question in enumerate(questions)
            if question.job.choices
        ]
        ranked = iter(rank(scored, 0, observe))
        return [
            next(ranked) if question.job.choices else own[number][0][0].outcome(0)
            for number, question in enumerate(questions)
        ]

    @torch.inference_mode()
    def sample(self, question: Question) -> Outcome:
        """Sampling or beams; the seed comes from the prompt and the sample."""
        job, device = question.job, self.model.device
        generation = job.generation
        more: dict[str, Any] = {}
        if generation.temperature > 0:
            more = {"do_sample": True, "temperature": generation.temperature, "top_p": generation.top_p, "top_k": 0}
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed_of(job))
            batch = self._collate([_Row(question, len(job.ids))])
            if generation.num_beams > 1:
                more["length_penalty"] = generation.length_penalty
            least = generation.min_new_tokens or None
            config = self._config(generation.longest, num_beams=generation.num_beams, min_new_tokens=least, **more)
            output, watch = self.generating(batch, config, Checker)
        watch.check()
        new = self._new(output[0], job.ids)
        ended = next((at + 1 for at, token in enumerate(new) if token in self.decoder.end_ids), len(new))
        return drawn(job, self.decoder, new, len(job.ids), ended)

    def _config(self, tokens: int, **more: Any) -> Any:
        from transformers import GenerationConfig

        ends = None
        if more.pop("forced", False):
            more |= {"return_dict_in_generate": True, "output_logits": True}
        else:
            ends = sorted(self.decoder.end_ids) or None
        return GenerationConfig(max_new_tokens=tokens, eos_token_id=ends, pad_token_id=self.pad_id, **more)

    def _new(self, output: Tensor, prompt: Sequence[int]) -> list[int]:
        """The answer's tokens in a row that `generate` returned: with the prompt before them, or without."""
        ids = output.tolist()
        start = len(prompt) if ids[: len(prompt)] == list(prompt) else int(self.right)
        return list(ids[start:])

    def _batch(self, rows: Sequence[_Row], observe: Observer) -> list[tuple[Draft, list[Tensor]]]:
        """For each row its draft and, where tokens were forced, the logits that predict them."""
        forced = bool(rows[0].forced)
        tokens = max(len(row.forced) or row.question.job.generation.longest for row in rows)
        batch = self._collate(rows)
        config = self._config(tokens, forced=forced, do_sample=False, num_beams=1)
        output, watch = self.generating(batch, config, lambda: _BatchWatcher(rows, self.decoder, observe), raw=forced)
        if forced:
            predicted = [[output.logits[step][at] for step in range(len(row.forced))] for at, row in enumerate(rows)]
            return list(zip(watch.drafts, predicted, strict=True))
        if self.generating.way == PLAIN:
            for draft, new, prompt_ids in zip(watch.drafts, output, batch["input_ids"].tolist(), strict=True):
                draft.take(self._new(new, prompt_ids))
        return [(draft, []) for draft in watch.drafts]

    def _collate(self, rows: Sequence[_Row]) -> dict[str, Any]:
        """One batch on the network's device: padded rows of tokens, image tensors behind one another."""
        device, dtype, longest = self.model.device, self.model.dtype, max(row.start for row in rows)
        ids = [torch.tensor(row.question.job.ids[: row.start], dtype=torch.long)[None] for row in rows]
        batch: dict[str, Any] = {
            "input_ids": self._padded(ids, longest, self.pad_id),  # (rows, longest)
            "attention_mask": self._padded([torch.ones_like(row_ids) for row_ids in ids], longest, 0),
        }
        for name in rows[0].question.prompt.rows:
            cuts = [row.question.prompt.rows[name][:, : row.start] for row in rows]
            batch[name] = self._padded(cuts, longest, 0)  # (rows, longest, ...)
        batch = {name: host.send(value, device) for name, value in batch.items()}
        medias = [row.question.prompt.media.tensors for row in rows]
        for name, value in medias[0].items():
            joined = torch.cat([media[name] for media in medias]) if isinstance(value, Tensor) else value
            batch[name] = move(joined, device, dtype)
        return batch

    def _padded(self, rows: Sequence[Tensor], longest: int, value: int) -> Tensor:
        """(1, tokens, ...) each to (rows, longest, ...)."""
        padded = []
        for row in rows:
            gap = row.new_full((1, longest - row.shape[1], *row.shape[2:]), value)  # (1, padding, ...)
            padded.append(torch.cat([row, gap] if self.right else [gap, row], dim=1))
        return torch.cat(padded)


def _rows(question: Question) -> list[_Row]:
    job = question.job
    if not job.choices:
        return [_Row(question, len(job.ids))]
    start = job.answer_start
    return [_Row(question, start, ids[start:]) for ids in job.choice_ids]


class _BatchWatcher:
    """Looks on while `generate` works: logits before each token, the token after, and when a row is at its end."""

    def __init__(self, rows: Sequence[_Row], decoder: AnswerDecoder, observe: Observer) -> None:
        self.rows, self.observe, self.step = rows, observe, 0
        self.drafts = [Draft(row.question.job, decoder) for row in rows]
        self._best: list[Best] = []
        self._called = False
        self._live = [True] * len(rows)
        self.least = rows[0].question.job.generation.min_new_tokens

    @property
    def called(self) -> bool:
        """Whether `generate` called it, before a token and after."""
        return self._called and self.step > 0

    @property
    def done(self) -> bool | None:
        """Whether all rows are finished."""
        return not any(self._live) if self.called else None

    def before(self, _ids: Tensor, scores: Tensor) -> Tensor:
        """The logits processor, the last one: (rows, vocabulary) float32 to the same without end tokens that come too
        early, or to one that allows the forced token alone."""
        self._called = True
        if self.rows[0].forced:
            tokens = [row.forced[self.step] if live else 0 for row, live in zip(self.rows, self._live, strict=True)]
            chosen = host.send(torch.tensor(tokens), scores.device)[:, None]  # (rows, 1)
            return torch.full_like(scores, float("-inf")).scatter_(1, chosen, 0.0)
        allowed = without_ends(scores, self.drafts)
        self._best = greedy(allowed)
        for at, row in enumerate(self.rows):
            if self._live[at]:
                self.observe(row.question.job, self.step, scores[at])
        return allowed

    def after(self, ids: Tensor, _scores: Any) -> Tensor:
        """The stopping criterion: (rows,) bool, which rows are finished."""
        if not self._called:  # the class passes the criteria on, not the processors
            return torch.zeros(len(self.rows), dtype=torch.bool, device=ids.device)
        self.step += 1
        for at, row in enumerate(self.rows):
            if not self._live[at]:
                continue
            if row.forced:
                self._live[at] = self.step < len(row.forced)
            else:
                self._live[at] = self.drafts[at].push(self._best[at])
        return host.send(torch.tensor([not live for live in self._live]), ids.device)
