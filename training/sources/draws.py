"""Chance that follows from a moment: the same draw for the same (seed, row, epoch) on every machine."""

from __future__ import annotations

import hashlib


def mix(*parts: object) -> int:
    """A seed from anything that names a moment."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:6], "big")
