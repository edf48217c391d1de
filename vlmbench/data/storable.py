"""Text that can be stored: any script, byte for byte; halves of surrogate pairs, which no UTF-8 holds, are refused.

Nothing here or elsewhere normalises: a question in NFD stays in NFD from the task's file to the report.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Request, Response, Sample


def complaint(text: str) -> str:
    """What is wrong with a text, for an error; empty when nothing is."""
    if text.isascii():
        return ""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"U+{ord(text[error.start]):04X}"
        return f"character {error.start + 1} is {half}, half of a surrogate pair, which no text file can hold"
    return ""


def refuse_broken(task: str, sample: Sample, request: Request) -> None:
    """Raise DataError for a question that could not be stored, before anything is asked."""
    import orjson

    parts = {
        "id": sample.id,
        "question": sample.question,
        "target": sample.target,
        "choices": sample.choices,
        "tags": dict(sample.tags),
        "prompt": [request.prompt, request.choices, request.history],
        "name of a picture": [picture.name for picture in (*sample.images, *request.images)],
        "cluster": sample.cluster,
        "extra": {name: _plain(value) for name, value in sample.extra.items() if not name.startswith("_")},
    }
    try:
        orjson.dumps(parts, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        for name, value in parts.items():
            for text in _texts(value):
                if what := complaint(text):
                    where = f"{task}, sample {sample.id!a}, {name}"
                    raise DataError(what, where=where, hint="mend the task's data") from None
        where = f"{task}, sample {sample.id!a}"
        raise DataError(f"it cannot be stored: {error}", where=where, hint="mend the task's data") from None


def _plain(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, set | frozenset) else value


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple):
        return [text for one in value for text in _texts(one)]
    return [str(value)]


def storable(response: Response) -> Response:
    """The response as it is; an error in its place where its text could not be stored, or its numbers are none.

    A score that is NaN or infinite ranks nothing, whichever adapter gives it.
    """
    if bad := [score for score in response.choices if not math.isfinite(score.logprob)]:
        said = f"the log-probability of the choice {bad[0].choice!r} is {bad[0].logprob}, not a finite number"
        return Response(finish="error", error=said)
    if response.margin is not None and math.isnan(response.margin):
        return Response(finish="error", error="the margin of the answer is NaN: the logits were not finite")
    if what := complaint(response.text):
        return Response(finish="error", error=f"the model's answer: {what}")
    if complaint(response.error):
        return replace(response, error=response.error.encode("utf-8", "backslashreplace").decode())
    return response
