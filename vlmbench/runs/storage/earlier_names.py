"""Option names of earlier versions, which wrote them into run.json and into hashes: their runs are read and resumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OPTIONS: Mapping[str, str] = {"perturb": "ablate"}
"""Options under `asked` in run.json: today's name to the earlier one."""
MODEL_OPTIONS: Mapping[str, str] = {"recheck_ties": "exact", "batch_size": "batch"}
"""The same for options inside --model NAME,key=value."""


def update(asked: dict[str, Any]) -> None:
    """Give the options of a stored run the names that they have now."""
    for name, earlier in OPTIONS.items():
        if earlier in asked:
            asked[name] = asked.pop(earlier)


def canonical(request: Mapping[str, Any]) -> dict[str, Any]:
    """Options under the names that are hashed and compared: the first ones they had."""
    result = {OPTIONS.get(name, name): value for name, value in request.items()}
    if isinstance(result.get("model"), str):
        head, *pairs = result["model"].split(",")
        split = [pair.partition("=") for pair in pairs]
        result["model"] = ",".join([head, *(MODEL_OPTIONS.get(key, key) + eq + value for key, eq, value in split)])
    return result
