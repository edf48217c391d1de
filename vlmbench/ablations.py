"""Changes of the picture under which the same questions are asked again: is the score vision at all?

An ablated picture is a Picture like any other: its bytes are another PNG, so hashes and stored keys change with it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from vlmbench import images
from vlmbench.errors import UnknownNameError
from vlmbench.nouns import Picture

if TYPE_CHECKING:
    from PIL.Image import Image

ABLATIONS: Mapping[str, Callable[[Image], Image]] = {
    "blind": images.blank,
}
"""Name to change, RGB picture to RGB picture."""


def ablate(picture: Picture, name: str) -> Picture:
    """The picture under a change. Raises UnknownNameError at once, and ImageError when it is read and cannot be."""
    if name not in ABLATIONS:
        raise UnknownNameError("ablation", name, ABLATIONS)
    return Picture(picture.name, partial(_read, picture, name))


def _read(picture: Picture, name: str) -> bytes:
    changed = ABLATIONS[name](images.decode(picture.read(), picture.name))
    out = io.BytesIO()
    changed.save(out, "PNG")
    return out.getvalue()
