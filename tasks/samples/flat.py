"""Small PNG files of drawn pictures: few shades of each colour, so that the grain costs little room."""

from __future__ import annotations

from typing import Any

from .common import encoded

SHADE = 16
"""Values of a colour that become one."""


def shaded(points: Any) -> Any:
    """The pixels with fewer shades."""
    import numpy as np

    return (np.asarray(points).astype(np.int64) // SHADE * SHADE + SHADE // 2).astype(np.uint8)


def png(points: Any) -> bytes:
    """A PNG file of pixels, its shades reduced."""
    from PIL import Image

    return encoded(Image.fromarray(shaded(points), "RGB"), "PNG")
