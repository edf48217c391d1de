"""Requests with images between their words, and the same as chat messages written down by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.models.huggingface.asking import noisy
from vlmbench.base.samples import Example, Generation, ImageRef, Request

A, B, C = noisy(0), noisy(1), noisy(2)
"""Three pictures of three forms."""
SHORT = Generation(4)
YES = Example("s1", "Is it  red?", "yes", (B,), (6,))
NO = Example("s2", "Same?", "no", (C, A))

REQUESTS: Mapping[str, Request] = {
    "between": Request("between", "First then  and last.", (A, B, C), (), SHORT, image_places=(6, 11, 21)),
    "twice": Request("twice", "Is  the same as ?", (B, B), (), SHORT, image_places=(3, 16)),
    "options": Request("options", "Which? A.  B.  C. ", (A, B, C), (), SHORT, image_places=(10, 14, 18)),
    "ends": Request("ends", "Look", (A, B), (), SHORT, image_places=(0, 4)),
    "first": Request("first", "Which?", (A, B), (), SHORT),
    "text": Request("text", "Who are you?", (), (), SHORT),
    "system": Request("system", "What is it?", (A,), (), SHORT, system="Be brief."),
    "shots": Request("shots", "Is it  blue?", (A,), (), SHORT, (), (6,), "Answer yes or no.", (YES, NO)),
    "dialogue": Request("dialogue", "Why?", (A, B), (), SHORT, (("Is  or  red?", "yes"),), (3, 7), examples=(YES,)),
    "ranked": Request("ranked", "Is  or  red?", (A, B), ("yes", "no"), SHORT, (), (3, 7), "Be brief.", (NO,)),
}


def said(text: str) -> dict[str, Any]:
    """A part of text."""
    return {"type": "text", "text": text}


def user(*parts: dict[str, Any] | ImageRef) -> dict[str, Any]:
    """A user's message; pictures stand as references."""
    return {"role": "user", "content": list(parts)}


def model(text: str) -> dict[str, Any]:
    """A message of the model."""
    return {"role": "assistant", "content": [said(text)]}


def system(text: str) -> dict[str, Any]:
    """A system message."""
    return {"role": "system", "content": [said(text)]}


SHOWN_YES = (user(said("Is it "), B, said(" red?")), model("yes"))
SHOWN_NO = (user(C, A, said("Same?")), model("no"))
MESSAGES: Mapping[str, tuple[dict[str, Any], ...]] = {
    "between": (user(said("First "), A, said("then "), B, said(" and last."), C),),
    "twice": (user(said("Is "), B, said(" the same as "), B, said("?")),),
    "options": (user(said("Which? A. "), A, said(" B. "), B, said(" C. "), C),),
    "ends": (user(A, said("Look"), B),),
    "first": (user(A, B, said("Which?")),),
    "text": (user(said("Who are you?")),),
    "system": (system("Be brief."), user(A, said("What is it?"))),
    "shots": (system("Answer yes or no."), *SHOWN_YES, *SHOWN_NO, user(said("Is it "), A, said(" blue?"))),
    "dialogue": (*SHOWN_YES, user(said("Is "), A, said(" or "), B, said(" red?")), model("yes"), user(said("Why?"))),
    "ranked": (system("Be brief."), *SHOWN_NO, user(said("Is "), A, said(" or "), B, said(" red?"))),
}
"""What each request is as messages."""
