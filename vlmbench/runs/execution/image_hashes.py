"""Content hashes of images: each file is read once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from vlmbench.base.errors import ImageError
from vlmbench.base.process.progress import each
from vlmbench.base.samples import ImageRef
from vlmbench.data.images import decoding as images


@runtime_checkable
class ReadsImages(Protocol):
    """A model that can read images in many places at once, as a pool of workers can."""

    def image_hashes(self, refs: Sequence[ImageRef]) -> Iterator[tuple[ImageRef, str]]:
        """Each image with its content hash, in any order; "" for one that could not be read there."""


class ImageHashes:
    """The hashes of one split's images by name, which is unique in it; changed images have an object of their own."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[str, ...], str]] = {}

    def learn(self, refs: Iterable[ImageRef], model: object, doing: str) -> None:
        """Have a model read these images, if it can do that; what it cannot read is read here in its turn."""
        if not isinstance(model, ReadsImages):
            return
        distinct = list({ref.name: ref for ref in refs}.values())
        for ref, found in each(model.image_hashes(distinct), doing, "image", len(distinct)):
            if found:
                self._known[ref.name] = (found,), ""

    def of(self, refs: Sequence[ImageRef]) -> tuple[tuple[str, ...], str]:
        """One hash per image, or none and why an image cannot be read."""
        if len(refs) == 1:  # questions about one image share its tuple
            return self._of(refs[0])
        hashes: list[str] = []
        for ref in refs:
            found, error = self._of(ref)
            if error:
                return (), error
            hashes += found
        return tuple(hashes), ""

    def _of(self, ref: ImageRef) -> tuple[tuple[str, ...], str]:
        found = self._known.get(ref.name)
        if found is None:
            try:
                found = (images.fingerprint(ref.load()),), ""
            except ImageError as error:
                found = (), str(error)
            self._known[ref.name] = found
        return found
