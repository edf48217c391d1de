"""Content hashes of images: each file is read once."""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench.base.errors import ImageError
from vlmbench.base.samples import ImageRef
from vlmbench.data.images import decoding as images


class ImageHashes:
    """The hashes of one split's images by name, which is unique in it; changed images have an object of their own."""

    def __init__(self) -> None:
        self._known: dict[str, str | ImageError] = {}

    def of(self, refs: Sequence[ImageRef]) -> tuple[tuple[str, ...], str]:
        """One hash per image, or none and why an image cannot be read."""
        hashes = []
        for ref in refs:
            if ref.name not in self._known:
                try:
                    self._known[ref.name] = images.fingerprint(ref.load())
                except ImageError as error:
                    self._known[ref.name] = error
            found = self._known[ref.name]
            if isinstance(found, ImageError):
                return (), str(found)
            hashes.append(found)
        return tuple(hashes), ""
