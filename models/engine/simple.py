"""The reference engine: one question at a time, no prefix shared. The shared-prefix engine must equal it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..parts import host
from ..parts.protocols import System
from .decoding import (
    Draft,
    Job,
    Observer,
    Outcome,
    ScoreCheck,
    drawn,
    greedy,
    no_observer,
    rank,
    seed_of,
    visual_tokens,
    without_ends,
)


class OneByOne:
    """Each job alone: whole prompt run, then a plain loop of one token at a time over its own cache."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.lm: Any = system.network.language_model

    @torch.inference_mode()
    def answer(self, features: Sequence[Tensor], job: Job, observe: Observer = no_observer) -> Outcome:
        """The outcome of one job. `features`: (visual tokens, width) of each image, in the order of the places."""
        visual = visual_tokens(features)
        if job.choices:
            rows = [self._score(ids, len(ids) - job.answer_start, features) for ids in job.choice_ids]
            return rank([(job, rows)], visual, observe)[0]
        if job.generation.temperature > 0 or job.generation.num_beams > 1:
            return self._sample(job, features, visual)
        return self._greedy(job, features, observe).outcome(visual)

    def _greedy(self, job: Job, features: Sequence[Tensor], observe: Observer) -> Draft:
        embeds = self._embed(job.ids, features)
        out = self.lm(inputs_embeds=embeds, use_cache=True, logits_to_keep=1)
        draft = Draft(job, self.system)
        step = 0
        while True:
            logits = out.logits[0, -1:].float()
            observe(job, step, logits[0])
            best = greedy(without_ends(logits, [draft]))[0]
            if not draft.push(best):
                return draft
            ids = host.send(torch.tensor([[best.token]]), embeds.device)
            out = self.lm(input_ids=ids, past_key_values=out.past_key_values, use_cache=True)
            step += 1

    def _score(self, ids: tuple[int, ...], count: int, features: Sequence[Tensor]) -> Tensor:
        """(count, vocabulary) float32 logits that predict the last `count` tokens of `ids`."""
        logits: Tensor = self.lm(inputs_embeds=self._embed(ids, features), use_cache=False).logits[0]
        return logits[-count - 1 : -1].float()

    def _sample(self, job: Job, features: Sequence[Tensor], visual: int) -> Outcome:
        """Sampling or beams, by the language model's own `generate`; the seed comes from the prompt and the sample."""
        from transformers import GenerationConfig

        generation, end = job.generation, sorted(self.system.end_ids)
        config = GenerationConfig(
            max_new_tokens=generation.longest,
            min_new_tokens=generation.min_new_tokens or None,
            do_sample=generation.temperature > 0,
            num_beams=generation.num_beams,
            length_penalty=generation.length_penalty if generation.num_beams > 1 else 1.0,
            eos_token_id=end or None,
            pad_token_id=end[0] if end else 0,
            **(
                {"temperature": generation.temperature, "top_p": generation.top_p, "top_k": 0}
                if generation.temperature > 0
                else {}
            ),
        )
        embeds = self._embed(job.ids, features)
        with torch.random.fork_rng(devices=[embeds.device] if embeds.device.type == "cuda" else []):
            torch.manual_seed(seed_of(job))
            mask = torch.ones(embeds.shape[:2], dtype=torch.long, device=embeds.device)
            new = self.lm.generate(
                inputs_embeds=embeds,
                attention_mask=mask,
                generation_config=config,
                logits_processor=[scores := ScoreCheck()],
            )[0].tolist()
        scores.check()
        return drawn(job, self.system, new, job.prompt_tokens(visual), len(new))

    def _embed(self, ids: tuple[int, ...], features: Sequence[Tensor]) -> Tensor:
        """Ids to (1, tokens, width)."""
        return self.system.network.embed(torch.tensor(ids, dtype=torch.long), features)[None]
