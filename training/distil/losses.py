"""The loss of a student that a teacher's log-probabilities are known to.

For each trained token, with z the student's logits, p the teacher's probabilities, y the data's own token:

    loss = (1 - w) CE(z, y) + w T^2 KL(P || Q)

P and Q are distributions over k + 1 outcomes: the teacher's k likeliest tokens, and the rest, all others together. Each
outcome's log-probability (of the rest: of its whole mass) is divided by T and normalised again. With k the size of the
vocabulary these are softmax(z / T) of Hinton, Vinyals and Dean (arXiv 1503.02531, section 2); the factor T^2 keeps the
size of the gradients as T changes (section 2 as well). With T = 1 the rest is the exact sum; with T > 1 it is one
outcome, tempered as one, so that T is no part of what is kept of the teacher.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional


def soft_loss(logits: Tensor, ids: Tensor, logprobs: Tensor, rest: Tensor, temperature: float) -> Tensor:
    """(tokens,) T^2 KL(P || Q). `logits`: (tokens, vocabulary) the student's. `ids`, `logprobs`: (tokens, k) the
    teacher's likeliest, distinct; `rest`: (tokens,) log of the mass of all others, -inf where there are none.
    """
    own = logits.log_softmax(dim=-1)
    kept = own.gather(1, ids)  # (tokens, k)
    expected = logprobs
    if ids.shape[1] < logits.shape[1]:
        others = own.scatter(1, ids, -math.inf).logsumexp(dim=-1, keepdim=True)  # (tokens, 1)
        kept, expected = torch.cat([kept, others], dim=1), torch.cat([logprobs, rest[:, None]], dim=1)
    student = (kept / temperature).log_softmax(dim=-1)
    teacher = (expected / temperature).log_softmax(dim=-1)
    # Where the teacher gives no probability at all, nothing is lost: 0 log 0 is 0.
    terms = torch.where(teacher.isfinite(), teacher.exp() * (teacher - student), 0.0)
    return temperature**2 * terms.sum(dim=-1)


def mixed_loss(
    logits: Tensor,
    labels: Tensor,
    at: Tensor,
    tables: tuple[Tensor, Tensor, Tensor],
    *,
    temperature: float,
    weight: float,
) -> Tensor:
    """Mean over the trained tokens, scalar. `labels`: (tokens,) the data's own. `at`: (tokens,) each token's row in
    the teacher's `tables` (ids, logprobs, rest), or -1: it has the hard loss alone.
    """
    ids, logprobs, rest = tables
    hard = functional.cross_entropy(logits, labels, reduction="none")
    known = at >= 0
    rows = at[known]
    soft = soft_loss(logits[known], ids[rows], logprobs[rows], rest[rows], temperature)
    share = torch.where(known, weight, 0.0)
    return ((1 - share) * hard).mean() + weight * soft.sum() / len(labels)
