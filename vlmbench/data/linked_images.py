"""Images that a data set only links to: fetched one by one, when they are needed."""

from __future__ import annotations

from functools import partial

from vlmbench.base.errors import ImageError
from vlmbench.base.samples import ImageRef
from vlmbench.data.reading import IMAGE_BYTES

SECONDS = 60


def linked_image(name: str, url: str, hint: str) -> ImageRef:
    """An image behind an address; `hint` says what helps where it cannot be fetched."""
    return ImageRef(name, partial(_fetched, url, hint))


def _fetched(url: str, hint: str) -> bytes:
    from http.client import HTTPException  # slow to load, and only linked images need them
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=SECONDS) as answer:
            content = bytes(answer.read(IMAGE_BYTES))
            if answer.length:  # the connection ended early
                raise ImageError(f"{answer.length:,} bytes are missing", where=url, hint="run the same command again")
            return content
    except (OSError, HTTPException, ValueError) as error:
        raise ImageError(f"cannot fetch it: {error}", where=url, hint=hint) from None
