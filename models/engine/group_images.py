"""The images of a group of requests: each read, decoded, prepared and encoded once, however often it is asked about."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vlmbench.base.errors import ImageError, ModelError
from vlmbench.base.samples import ImageRef, Request
from vlmbench.data.images import decoding as images

from ..parts import host
from ..parts.protocols import System, Turn


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An image, ready for the network; or why it is not."""

    key: str = ""
    """Content hash."""
    pixels: Tensor | None = None
    """(3, height, width) float32."""
    error: str = ""


Prepared = Sequence[Sequence[PreparedImage]]
"""For each request of a group its images, in the order of their places in the prompt."""


def turns_of(request: Request) -> list[Turn]:
    """A request as a dialogue: the examples, the earlier turns, the question; the images belong to the first question
    behind the examples. Raises ModelError where images and places do not fit each other.
    """
    turns = [_turn(one.prompt, one.answer, one.images, one.image_places) for one in request.examples]
    (question, answer), *later = [*request.history, (request.prompt, None)]
    turns.append(_turn(question, answer, request.images, request.image_places))
    return turns + [Turn(question, answer) for question, answer in later]


def _turn(question: str, answer: str | None, shown: Sequence[ImageRef], places: tuple[int, ...]) -> Turn:
    inside = all(0 <= place <= len(question) for place in places) and list(places) == sorted(places)
    if places and (len(places) != len(shown) or not inside):
        message = f"image places {places} do not fit {len(shown)} images and a text of {len(question)} characters"
        raise ModelError(message, hint="give one ascending offset per image, or none to put all images first")
    return Turn(question, answer, len(shown), places)


def images_of(request: Request) -> list[ImageRef]:
    """All images of a request, in the order in which its prompt shows them."""
    return [image for example in request.examples for image in example.images] + list(request.images)


def prepare(system: System, group: Sequence[Request]) -> list[list[PreparedImage]]:
    """Read, decode and prepare each request's images, equal ones once. What cannot be had says why in its place.

    Holds one decoded image at a time, and of each image what the network takes.
    """
    by_source: dict[Hashable, PreparedImage] = {}
    by_content: dict[str, PreparedImage] = {}
    prepared = []
    for request in group:
        row = []
        for image in images_of(request):
            source = images.source_of(image)
            if source not in by_source:
                by_source[source] = _prepared(system, image, by_content)
            row.append(by_source[source])
        prepared.append(row)
    return prepared


def _prepared(system: System, image: ImageRef, by_content: dict[str, PreparedImage]) -> PreparedImage:
    try:
        data = image.load()
        key = images.fingerprint(data)
        if key not in by_content:
            by_content[key] = PreparedImage(key, system.pixels(images.decode(data, image.name)))
        return by_content[key]
    except ImageError as error:
        return PreparedImage(error=str(error))
    except Exception as error:
        return PreparedImage(error=f"{image.name}: {describe(error)}")


def pixels_held(prepared: Prepared) -> int:
    """How many pixels the distinct images of a group hold."""
    distinct = {id(image): image for row in prepared for image in row}
    return sum(image.pixels.numel() // 3 for image in distinct.values() if image.pixels is not None)


class GroupFeatures:
    """The features of a group's images, each image encoded when it is first asked for."""

    def __init__(self, system: System, prepared: Prepared, device: torch.device, dtype: torch.dtype) -> None:
        self.system, self.device, self.dtype = system, device, dtype
        self._pixels = {image.key: image.pixels for row in prepared for image in row}
        self._features: dict[str, Tensor] = {}

    @torch.inference_mode()
    def of(self, keys: Iterable[str]) -> list[Tensor]:
        """(visual tokens, width) for each image, in order."""
        found = []
        for key in keys:
            if key not in self._features:
                pixels = self._pixels[key]
                assert pixels is not None
                moved = host.send(pixels, self.device).to(self.dtype)
                self._features[key] = self.system.network.image_features(moved[None])[0]
            found.append(self._features[key])
        return found


def describe(error: Exception) -> str:
    """An exception in one line for a record; our own errors say it all themselves."""
    if isinstance(error, ImageError | ModelError):
        return str(error)
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"
