"""Images as the data URLs that chat servers take."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vlmbench.base.errors import ImageError
from vlmbench.data.images import decoding as images

if TYPE_CHECKING:
    from PIL.Image import Image

ORIENTATION = 0x0112
"""EXIF's tag for how an image was held."""
SENT_AS_IS = {"JPEG": "jpeg", "PNG": "png"}
"""Formats that every server reads, by PIL's name."""
SMALLEST = 16
"""Pixels per side below which an image is no longer scaled down."""


@dataclass(frozen=True)
class Limits:
    """How large an image may be. A larger one is scaled down, in proportion."""

    max_side: int = 0
    """Pixels of the longer side; 0: any."""
    max_bytes: int = 20_000_000
    """Of the encoded image, before base64 makes it a third longer."""


def data_url(data: bytes, name: str, limits: Limits) -> str:
    """An image's bytes as a data URL: as they are where any server reads them to the pixels that our adapters see.

    Others (turned by EXIF, transparent, CMYK, rare formats, too large) are decoded by the rules of
    vlmbench.data.images.decoding and sent as PNG, or as JPEG where PNG is too large. Raises ImageError for no image.
    """
    image = images.decode(data, name)
    kind = _kind(data, limits)
    if not kind:
        data, kind = _encode(image, name, limits)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _kind(data: bytes, limits: Limits) -> str:
    """The media type's second half of bytes that can be sent as they are; empty for others."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=images.FORMATS) as opened:
        plain = opened.mode in ("RGB", "L") and getattr(opened, "n_frames", 1) == 1
        upright = opened.getexif().get(ORIENTATION, 1) == 1
        fits = len(data) <= limits.max_bytes and (not limits.max_side or max(opened.size) <= limits.max_side)
        return SENT_AS_IS.get(opened.format or "", "") if plain and upright and fits else ""


def _encode(image: Image, name: str, limits: Limits) -> tuple[bytes, str]:
    """An image within the limits, and its kind."""
    if limits.max_side and max(image.size) > limits.max_side:
        image = _scaled(image, limits.max_side / max(image.size))
    while max(image.size) >= SMALLEST:
        for kind, options in (("png", {}), ("jpeg", {"quality": 95})):
            out = io.BytesIO()
            image.save(out, kind, **options)
            if out.tell() <= limits.max_bytes:
                return out.getvalue(), kind
        image = _scaled(image, 0.75)
    raise ImageError(f"cannot be made to fit {limits.max_bytes} bytes", where=name, hint="raise max_bytes")


def _scaled(image: Image, factor: float) -> Image:
    from PIL import Image

    width, height = (max(1, round(side * factor)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)
