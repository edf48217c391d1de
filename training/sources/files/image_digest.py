"""A digest of the images that rows name: the size of each, and the content of some."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from vlmbench.base.errors import ImageError
from vlmbench.base.samples import ImageRef
from vlmbench.data.files import ImageFile

SAMPLED = 256
"""Rows, spread over all, whose images are read. Of a smaller set that is every image."""


class ImageSizes:
    """Names and sizes of images, in the order of the rows."""

    def __init__(self) -> None:
        self.count = self.bytes = 0
        self._digest = b""  # not a hash object: rows travel to other processes

    def add(self, image: ImageRef) -> None:
        """One row's image."""
        size = -1
        if isinstance(image.load, ImageFile):
            with suppress(OSError):
                size = (image.load.root / image.name).stat().st_size
        self.count, self.bytes = self.count + 1, self.bytes + max(size, 0)
        self._add(f"{image.name} {size}".encode("utf-8", "surrogatepass"))

    def digest(self, rows: int, image_of: Callable[[int], ImageRef | None]) -> dict[str, Any]:
        """{rows, pictures, picture bytes, digest}. `image_of` gives a row's; those of SAMPLED rows are read."""
        before = self._digest
        for at in range(0, rows, max(1, -(-rows // SAMPLED))):
            try:
                if (image := image_of(at)) is not None:
                    self._add(image.load())
            except ImageError as error:
                self._add(error.what.encode("utf-8", "surrogatepass"))
        final, self._digest = self._digest, before
        return {"rows": rows, "pictures": self.count, "picture bytes": self.bytes, "digest": final.hex()}

    def _add(self, content: bytes) -> None:
        self._digest = hashlib.blake2b(self._digest + content, digest_size=16).digest()
