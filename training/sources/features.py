"""Features of a frozen vision tower, kept on disk: each image is encoded once, over all epochs and stages.

One file per image, named by the image's own bytes, in a folder named by what looks at it. A file is written aside and
renamed, so that a kill leaves whole files alone, and any number of processes may read and write at once.

Each image is looked at alone, never in a batch with others, and what is stored is what is used at once: a batch's
numbers do not depend on what the cache holds, so a training that was killed resumes bit for bit.
"""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vlmbench.base.errors import StoreError, UnknownNameError
from vlmbench.base.samples import ImageRef
from vlmbench.data.images import decoding as images

from .entries import Entry

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

DTYPES = ("float32", "float16")
NAME = "features"
FRESH = ".new"
CHECKSUM = 4
"""Bytes at a file's end. Features that were changed on the disk are looked at again, not trained on."""
LEFT = 600.0
"""Seconds after which a file that is still being written has been left behind."""


def fingerprint(tower: nn.Module, preparation: str) -> str:
    """Names a tower's weights and a preparation of images: other weights or pixels, another name."""
    import torch

    digest = hashlib.sha256(preparation.encode())
    for name, tensor in sorted(tower.state_dict().items()):
        flat = tensor.detach().cpu().contiguous().view(-1)
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


@dataclass
class CacheStats:
    """What the cache did so far."""

    found: int = 0
    looked: int = 0
    """Images that the tower had to look at."""
    stored: int = 0
    full: int = 0
    """Images not stored because the cache is full."""


class Features:
    """Visual features by image."""

    def __init__(
        self, folder: Path, mark: str, look: Callable[[Image], Tensor], *, limit: int, dtype: str = "float32"
    ) -> None:
        """`mark`: see `fingerprint`; `look`: an image to its features (tokens, width), the tower frozen and in eval.

        `limit`: bytes that the whole folder may hold; several processes may each add their last image beyond it.
        `dtype` float16 halves them, for a rounding of 5e-4. Raises UnknownNameError for another dtype, StoreError when
        the folder cannot be used.
        """
        if dtype not in DTYPES:
            raise UnknownNameError("dtype", dtype, DTYPES)
        self._look, self._limit, self._dtype = look, limit, dtype
        self._root, self._folder = folder, folder / f"{mark}-{dtype}"
        self.stats = CacheStats()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot keep features: {error.strerror}", where=str(folder)) from None
        self.bytes = _held(folder)

    def of(self, image: ImageRef) -> Tensor:
        """(tokens, width) float32. Raises ImageError when the image cannot be read."""
        import torch

        content = image.load()
        key = images.fingerprint(content)
        path = self._folder / key[:2] / key
        if (cached := self._read(path)) is not None:
            self.stats.found += 1
            return cached.float()
        with torch.no_grad():
            features = self._look(images.decode(content, image.name)).to(getattr(torch, self._dtype)).cpu().contiguous()
        self.stats.looked += 1
        self._write(path, features)
        return features.float()

    def stack(self, entries: Sequence[Entry]) -> Tensor | None:
        """(rows, tokens, width) of a batch, zeros for rows without an image; None when none has one."""
        return stacked([None if entry.image is None else self.of(entry.image) for entry in entries])

    def _read(self, path: Path) -> Tensor | None:
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            stored = path.read_bytes()
            content = stored[:-CHECKSUM]
            if _checksum(content) != stored[-CHECKSUM:]:
                raise KeyError(NAME)
            return load(content)[NAME]
        except FileNotFoundError:
            return None
        except (SafetensorError, KeyError, OSError):
            path.unlink(missing_ok=True)  # cut short by a full disk or a power cut, damaged, or without a checksum
            return None

    def _write(self, path: Path, features: Tensor) -> None:
        from safetensors.torch import save

        content = save({NAME: features})
        content += _checksum(content)
        if self.bytes + len(content) > self._limit:
            self.bytes = _held(self._root)  # others may have written, or tidied up
        if self.bytes + len(content) > self._limit:
            self.stats.full += 1
            self._limit = min(self._limit, self.bytes)  # full stays full: the folder is not gone through again
            return
        fresh = path.with_name(f"{path.name}.{os.getpid()}{FRESH}")
        try:
            path.parent.mkdir(exist_ok=True)
            fresh.write_bytes(content)
            fresh.replace(path)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise StoreError(
                f"cannot keep features: {error.strerror}", where=str(path), hint="make room, or set a smaller limit"
            ) from None
        self.bytes += len(content)
        self.stats.stored += 1


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(CHECKSUM, "little")


def stacked(features: Sequence[Tensor | None]) -> Tensor | None:
    """(rows, tokens, width), zeros for None; None when all are."""
    import torch

    some = next((tensor for tensor in features if tensor is not None), None)
    return (
        None
        if some is None
        else torch.stack([torch.zeros_like(some) if tensor is None else tensor for tensor in features])
    )


def _held(folder: Path) -> int:
    """Bytes of all files below a folder, what killed writers left behind removed. What another process removes
    meanwhile does not count.
    """
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            if name.endswith(FRESH) and time.time() - stat.st_mtime > LEFT:
                path.unlink(missing_ok=True)
            else:
                total += stat.st_size
    return total
