"""Calibration: accuracy by confidence in bins, and the expected calibration error.

The confidence of a ranked answer is the softmax over the choices' log-probabilities; of a generated one the logistic
function of the smallest gap between the best and second-best logit, that is the probability of the better of the two
at the answer's least certain step. Both ignore all other answers, so they are upper bounds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

BINS = 10
LEAST = 20
"""Fewer answers make no bins."""


def calibration(columns: Mapping[str, Sequence[Any]]) -> dict[str, Any] | None:
    """{"of", "bins": [{"low", "high", "confidence", "right", "count"}], "error", "count"}; None without confidences.

    `error` is the expected calibration error: the mean of |confidence - share right| over the answers' bins.
    """
    ranked = any(text != "[]" for text in columns["choice_scores"])
    confidences = list(map(_ranked, columns["choice_scores"]) if ranked else map(_generated, columns["margin"]))
    pairs = [
        (share, value)
        for share, value, status in zip(confidences, columns["value"], columns["status"], strict=True)
        if share is not None and status == "ok" and value is not None and 0 <= value <= 1
    ]
    if len(pairs) < LEAST:
        return None
    bins = []
    for number in range(BINS):
        members = [pair for pair in pairs if min(int(pair[0] * BINS), BINS - 1) == number]
        if members:
            confidence, right = (math.fsum(column) / len(members) for column in zip(*members, strict=True))
            entry = {"low": number / BINS, "high": (number + 1) / BINS, "confidence": confidence, "right": right}
            bins.append({**entry, "count": len(members)})
    error = math.fsum(b["count"] * abs(b["confidence"] - b["right"]) for b in bins) / len(pairs)
    source = "log-probabilities of the choices" if ranked else "smallest margin of the answer's logits"
    return {"of": source, "bins": bins, "error": error, "count": len(pairs)}


def _ranked(text: str) -> float | None:
    """The softmax's share of the best choice."""
    logs = [choice["logprob"] for choice in json.loads(text)]
    if not logs or any(log is None or not math.isfinite(log) for log in logs):
        return None
    top = max(logs)
    return 1 / math.fsum(math.exp(log - top) for log in logs)


def _generated(margin: float | None) -> float | None:
    """The logistic function of the smallest logit margin."""
    return None if margin is None or not math.isfinite(margin) else 1 / (1 + math.exp(-min(max(margin, 0.0), 700.0)))
