"""Checks that questions and answers can be stored: as UTF-8, and as finite numbers (base/files.py says what is not)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.base.files import unicode_problem
from vlmbench.base.samples import Example, Request, Response, Sample

AT_ONCE = 1000
"""Questions that are tried together."""


def check_encodable(task: str, pairs: Sequence[tuple[Sample, Request]]) -> None:
    """Raise DataError for a question that could not be stored, before anything is asked."""
    import orjson

    for start in range(0, len(pairs), AT_ONCE):
        some = pairs[start : start + AT_ONCE]
        try:
            orjson.dumps([_stored(*pair) for pair in some], default=str, option=orjson.OPT_NON_STR_KEYS)
        except TypeError:  # one of them cannot
            for sample, request in some:
                _check_encodable(task, sample, _stored(sample, request))


def _stored(sample: Sample, request: Request) -> list[Any]:
    """What is stored of a question, in the order of PARTS."""
    own = request.images is not sample.images
    return [
        sample.id,
        sample.question,
        sample.target,
        sample.choices,
        dict(sample.tags),
        [request.prompt, request.choices, request.history, request.system],
        [[example.prompt, example.answer] for example in request.examples],
        [image.name for image in (*sample.images, *request.images)] if own else [i.name for i in sample.images],
        sample.cluster,
        {name: _plain(value) for name, value in sample.extra.items() if not name.startswith("_")},
    ]


PARTS = ("id", "question", "target", "choices", "tags", "prompt", "examples", "name of an image", "cluster", "extra")
"""What is stored of a question, as messages name it."""


def _check_encodable(task: str, sample: Sample, parts: Sequence[Any]) -> None:
    """Raise DataError that says what cannot be stored, if anything."""
    import orjson

    try:
        orjson.dumps(parts, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        for name, value in zip(PARTS, parts, strict=True):
            for text in _texts(value):
                if problem := unicode_problem(text):
                    where = f"{task}, sample {sample.id!a}, {name}"
                    raise DataError(problem, where=where, hint="fix the task's data") from None
        where = f"{task}, sample {sample.id!a}"
        raise DataError(f"it cannot be stored: {error}", where=where, hint="fix the task's data") from None


def check_image_places(task: str, request: Request) -> None:
    """Raise DataError where images and their places in the text do not fit each other, before anything is asked."""
    if not (request.image_places or request.examples):
        return
    first = request.history[0][0] if request.history else request.prompt
    shown: list[tuple[str, str, Request | Example]] = [("prompt", first, request)]
    shown += [(f"example {one.id!a}", one.prompt, one) for one in request.examples]
    for what, text, holder in shown:
        places, count = holder.image_places, len(holder.images)
        if not places:
            continue
        where = f"{task}, sample {request.sample_id!a}, {what}"
        if len(places) != count:
            problem = f"{count} images, but {len(places)} places for them in the text"
            raise DataError(problem, where=where, hint="give one place per image, or none to put all images first")
        if list(places) != sorted(places) or places[0] < 0 or places[-1] > len(text):
            problem = f"image places {places} are not ascending offsets into a text of {len(text)} characters"
            raise DataError(problem, where=where, hint="fix the task's build_request")


def _plain(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, set | frozenset) else value


def _texts(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple):
        return [text for item in value for text in _texts(item)]
    return [str(value)]


def sanitized(response: Response) -> Response:
    """The response itself, or an error response where its text cannot be stored or its numbers are not finite.

    A NaN or infinite score ranks nothing, whichever adapter returned it.
    """
    if bad := [score for score in response.choices if not math.isfinite(score.logprob)]:
        problem = f"the log-probability of the choice {bad[0].choice!r} is {bad[0].logprob}, not a finite number"
        return Response(finish="error", error=problem)
    if response.margin is not None and math.isnan(response.margin):
        return Response(finish="error", error="the margin of the answer is NaN: the logits were not finite")
    if what := unicode_problem(response.text) or unicode_problem(response.reasoning):
        return Response(finish="error", error=f"the model's answer: {what}")
    if unicode_problem(response.error):
        return replace(response, error=response.error.encode("utf-8", "backslashreplace").decode())
    return response
