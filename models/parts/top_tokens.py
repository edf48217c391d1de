"""The likeliest tokens at each place of an answer, for students of logit distillation."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
import torch
from torch import Tensor

from vlmbench.base.model import TokenLogprobs


class TopTokens:
    """An engine's observer: keeps the logits of scored answers until `of` makes log-probabilities of them."""

    def __init__(self, top: int, vocabulary: int, shared: int) -> None:
        """`vocabulary`: ids that have a token; rows of the head beyond them are padding. `shared`: ids that the student
        has, too; the others belong to the rest. 0: all.
        """
        self._top, self._vocabulary, self._shared = top, vocabulary, min(shared or vocabulary, vocabulary)
        self._logits: dict[Hashable, dict[int, Tensor]] = {}

    def __call__(self, job: Hashable, step: int, logits: Tensor) -> None:
        """`step`: the n-th scored token. `logits`: (head's rows,) float32."""
        self._logits.setdefault(job, {})[step] = logits[: self._vocabulary]

    def of(self, job: Hashable, tokens: Sequence[int]) -> TokenLogprobs:
        """What was expected at each of the answer's `tokens`; each job's once."""
        logits = torch.stack([row for _, row in sorted(self._logits.pop(job).items())])  # (tokens, vocabulary)
        if len(logits) != len(tokens):
            return TokenLogprobs(error=f"logits of {len(logits)} tokens, but the answer has {len(tokens)}")
        logprobs = logits.log_softmax(dim=-1)
        best = logprobs[:, : self._shared].topk(min(self._top, self._shared), dim=-1)
        rest = logprobs.scatter(1, best.indices, -math.inf).logsumexp(dim=-1)  # (tokens,)
        columns = (best.indices.cpu().numpy().astype(np.int32), best.values.cpu().numpy(), rest.cpu().numpy())
        return TokenLogprobs(tuple(tokens), *columns)
