"""Turns as the messages of a chat completion: texts as they are, parts in order where there are images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vlmbench.base.samples import ImageRef
from vlmbench.chat.turns import Parts, Turn

ImagePart = Callable[[ImageRef], Mapping[str, Any]]
"""An image as a content part."""


def image_part(url: str, detail: str = "") -> dict[str, Any]:
    """The content part of an image by its URL. `detail`: how closely the server looks; empty: not sent."""
    return {"type": "image_url", "image_url": {"url": url, **({"detail": detail} if detail else {})}}


def messages(turns: Sequence[Turn], part_of: ImagePart) -> list[dict[str, Any]]:
    """One message per turn, in order."""
    return [{"role": turn.role, "content": content(turn.parts, part_of)} for turn in turns]


def content(parts: Parts, part_of: ImagePart) -> str | list[dict[str, Any]]:
    """A message's content: one text where there is no image, which every server takes, else a list of parts."""
    if not any(isinstance(part, ImageRef) for part in parts):
        return "".join(part for part in parts if isinstance(part, str))
    return [{"type": "text", "text": part} if isinstance(part, str) else dict(part_of(part)) for part in parts]
