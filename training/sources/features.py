"""What a frozen vision tower sees, kept on disk: each picture is looked at once, over all epochs and stages.

One file a picture, named by the picture's own bytes, in a folder named by what looks at it. A file is written aside and
renamed, so that a kill leaves whole files alone, and any number of processes may read and write at once.

Each picture is looked at alone, never in a batch with others, and what is stored is what is used at once: a batch's
numbers do not depend on what the cache holds, so a training that was killed goes on bit for bit.
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
from vlmbench.data import images

from .entries import Entry

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

DTYPES = ("float32", "float16")
NAME = "features"
FRESH = ".new"
CHECKSUM = 4
"""Bytes at a file's end. Features that were changed on the disk are looked at again, not learnt from."""
LEFT = 600.0
"""Seconds after which a file that is still being written has been left behind."""


def fingerprint(tower: nn.Module, preparation: str) -> str:
    """Names a tower's weights and a preparation of pictures: other weights or pixels, another name."""
    import torch

    digest = hashlib.sha256(preparation.encode())
    for name, tensor in sorted(tower.state_dict().items()):
        flat = tensor.detach().cpu().contiguous().view(-1)
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


@dataclass
class Use:
    """What the cache did so far."""

    found: int = 0
    looked: int = 0
    """Pictures that the tower had to look at."""
    stored: int = 0
    full: int = 0
    """Pictures not stored because the cache is full."""


class Features:
    """Visual features by picture."""

    def __init__(
        self, folder: Path, mark: str, look: Callable[[Image], Tensor], *, limit: int, dtype: str = "float32"
    ) -> None:
        """`mark`: see `fingerprint`; `look`: a picture to its features (tokens, width), the tower frozen and in eval.

        `limit`: bytes that the whole folder may hold; several processes may each add their last picture beyond it.
        `dtype` float16 halves them, for a rounding of 5e-4. Raises UnknownNameError for another dtype, StoreError when
        the folder cannot be used.
        """
        if dtype not in DTYPES:
            raise UnknownNameError("dtype", dtype, DTYPES)
        self._look, self._limit, self._dtype = look, limit, dtype
        self._root, self._folder = folder, folder / f"{mark}-{dtype}"
        self.use = Use()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot keep features: {error.strerror}", where=str(folder)) from None
        self.bytes = _held(folder)

    def of(self, picture: ImageRef) -> Tensor:
        """(tokens, width) float32. Raises ImageError when the picture cannot be read."""
        import torch

        content = picture.load()
        key = images.fingerprint(content)
        path = self._folder / key[:2] / key
        if (kept := self._read(path)) is not None:
            self.use.found += 1
            return kept.float()
        with torch.no_grad():
            seen = self._look(images.decode(content, picture.name)).to(getattr(torch, self._dtype)).cpu().contiguous()
        self.use.looked += 1
        self._write(path, seen)
        return seen.float()

    def stack(self, entries: Sequence[Entry]) -> Tensor | None:
        """(rows, tokens, width) of a batch, zeros for rows without a picture; None when none has one."""
        return stacked([None if entry.picture is None else self.of(entry.picture) for entry in entries])

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

    def _write(self, path: Path, seen: Tensor) -> None:
        from safetensors.torch import save

        content = save({NAME: seen})
        content += _checksum(content)
        if self.bytes + len(content) > self._limit:
            self.bytes = _held(self._root)  # others may have written, or tidied up
        if self.bytes + len(content) > self._limit:
            self.use.full += 1
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
        self.use.stored += 1


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(CHECKSUM, "little")


def stacked(seen: Sequence[Tensor | None]) -> Tensor | None:
    """(rows, tokens, width), zeros for None; None when all are."""
    import torch

    some = next((one for one in seen if one is not None), None)
    return None if some is None else torch.stack([torch.zeros_like(some) if one is None else one for one in seen])


def _held(folder: Path) -> int:
    """Bytes of all files below a folder, what killed writers left behind removed. What another process removes
    meanwhile does not count.
    """
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            if name.endswith(FRESH) and time.time() - found.st_mtime > LEFT:
                path.unlink(missing_ok=True)
            else:
                total += found.st_size
    return total
