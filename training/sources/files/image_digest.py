"""A digest of the pictures that rows name: the size of each, and the content of some."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from vlmbench.base.errors import ImageError
from vlmbench.base.samples import ImageRef
from vlmbench.data.files import ImageFile

SAMPLED = 256
"""Rows, spread over all, whose pictures are read. Of a smaller set that is every picture."""


class PictureSizes:
    """Names and sizes of pictures, in the order of the rows."""

    def __init__(self) -> None:
        self.count = self.bytes = 0
        self._digest = b""  # not a hash object: rows travel to other processes

    def add(self, picture: ImageRef) -> None:
        """One row's picture."""
        size = -1
        if isinstance(picture.load, ImageFile):
            with suppress(OSError):
                size = (picture.load.root / picture.name).stat().st_size
        self.count, self.bytes = self.count + 1, self.bytes + max(size, 0)
        self._add(f"{picture.name} {size}".encode("utf-8", "surrogatepass"))

    def digest(self, rows: int, picture: Callable[[int], ImageRef | None]) -> dict[str, Any]:
        """{rows, pictures, picture bytes, digest}. `picture` gives a row's; those of SAMPLED rows are read."""
        before = self._digest
        for at in range(0, rows, max(1, -(-rows // SAMPLED))):
            try:
                if (found := picture(at)) is not None:
                    self._add(found.load())
            except ImageError as error:
                self._add(error.what.encode("utf-8", "surrogatepass"))
        told, self._digest = self._digest, before
        return {"rows": rows, "pictures": self.count, "picture bytes": self.bytes, "digest": told.hex()}

    def _add(self, content: bytes) -> None:
        self._digest = hashlib.blake2b(self._digest + content, digest_size=16).digest()
