"""Open, orient, flatten and hash an image; limits against bombs. PIL only, imported at first use.

An ordinary image comes out with the pixels of `PIL.Image.open(...).convert("RGB")`, which is what the official codes
feed their models: transparency is dropped, not laid over white, CMYK goes through PIL's own conversion, an animation
gives its first frame. Two things differ on purpose: the EXIF orientation is applied (what the questioners saw), and
16-bit or float grey is scaled to 8 bits, where PIL would clip nearly all of it to white.
"""

from __future__ import annotations

import hashlib
import io
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from vlmbench.base.errors import ImageError
from vlmbench.base.samples import ImageRef

if TYPE_CHECKING:
    from concurrent.futures import Future

    from PIL.Image import Image

T = TypeVar("T")
R = TypeVar("R")

MAX_PIXELS = 64 * 1024 * 1024
"""Larger images are refused before their pixels are unpacked: 192 MiB as RGB."""
MAX_SIDE = 16_384
"""Longer sides are refused: some systems pad to a square."""
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF")
"""What is opened. PIL's others are rare in benchmarks, and some of them start outside programs."""


def fingerprint(data: bytes) -> str:
    """The image's identity: SHA-256 of its encoded bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def decode(data: bytes, name: str = "image") -> Image:
    """Encoded bytes to an RGB image, upright.

    Raises ImageError, naming the image and the hint, for bytes that are no image, a damaged or truncated one, or
    one larger than MAX_PIXELS or MAX_SIDE.
    """
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise ImageError("the image's file is empty", where=name, hint="fetch it again")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            _check_size(opened.size, name)
            opened.load()
            return _flatten(_upright(opened))
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"a decompression bomb: {error}", where=name, hint="leave it out, or scale it down") from None
    except UnidentifiedImageError:
        known = ", ".join(FORMATS)
        raise ImageError(f"not an image in a known format ({known})", where=name, hint="fetch it again") from None
    except MemoryError:
        raise ImageError("no memory left to open it", where=name, hint="scale the image down") from None
    except Exception as error:  # PIL's plugins raise OSError, SyntaxError, ValueError, struct.error, zlib.error, ...
        problem = str(error) or type(error).__name__
        raise ImageError(f"a damaged image: {problem}", where=name, hint="fetch it again") from None


def size_of(image: ImageRef) -> tuple[int, int]:
    """Width and height in pixels, by the file's head alone: before any EXIF orientation. Raises ImageError."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(image.load()), formats=FORMATS) as opened:
            return opened.size
    except ImageError:
        raise
    except Exception as error:  # PIL's own kinds, as in `decode`
        problem = str(error) or type(error).__name__
        raise ImageError(problem, where=image.name, hint="fetch it again") from None


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS or max(size) > MAX_SIDE:
        raise ImageError(
            f"an image of {width} x {height} pixels, more than {MAX_PIXELS} pixels or {MAX_SIDE} a side",
            where=name,
            hint="leave it out, or scale it down",
        )


def _upright(image: Image) -> Image:
    """Apply the EXIF orientation; an image whose EXIF block cannot be read is taken as it lies."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF raises as many kinds of errors as PIL has parsers
        return image


def _flatten(image: Image) -> Image:
    """Any mode to RGB of 8 bits."""
    from PIL import Image

    if image.mode == "I" or image.mode == "F" or image.mode.startswith("I;16"):
        import numpy as np

        values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0).clip(min=0.0)
        # Integers of 16 bits, or of 8 kept in a wide mode; floats in 0..1, or already in 0..255, or anything.
        peak = float(values.max(initial=0.0))
        steps = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
        full = 65535.0 if image.mode.startswith("I;16") else next((step for step in steps if peak <= step), peak)
        image = Image.fromarray((values * (255.0 / full)).round().astype(np.uint8))
    # A copy, so that nothing keeps the encoded bytes or an open file.
    return image.convert("RGB") if image.mode != "RGB" else image.copy()


def blank(image: Image) -> Image:
    """A uniform mid-grey image of the same size: what a model answers without seeing."""
    from PIL import Image

    return Image.new("RGB", image.size, (128, 128, 128))


def thumbnail(image: Image, size: int) -> bytes:
    """A JPEG of an RGB image with its longer side at most `size` pixels."""
    small = image.copy()
    small.thumbnail((size, size))
    out = io.BytesIO()
    small.save(out, "JPEG", quality=85)
    return out.getvalue()


def source_of(image: ImageRef) -> Hashable:
    """What is equal for images read the same way, so that a file is read once; the function itself if unknown."""

    def unwrap(value: Any) -> Hashable:
        if isinstance(value, partial):
            pairs = tuple((name, unwrap(item)) for name, item in sorted(value.keywords.items()))
            return (value.func, *(unwrap(item) for item in value.args), pairs)
        if isinstance(value, ImageRef):
            return (value.name, unwrap(value.load))
        return value if isinstance(value, Hashable) else id(value)

    return unwrap(image.load)


def prefetch(items: Iterable[T], work: Callable[[T], R], *, ahead: int = 3, workers: int = 2) -> Iterator[tuple[T, R]]:
    """Yield (item, work(item)) in order, with the work of the next `ahead` items done in threads meanwhile.

    At most `ahead` + 1 results are held. `items` is drawn from this thread alone. An exception of `work` is raised when
    its item's turn comes. Closing the iterator drops what has not begun.
    """
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="vlmbench-prefetch")
    waiting: deque[tuple[T, Future[R]]] = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            if len(waiting) > ahead:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
