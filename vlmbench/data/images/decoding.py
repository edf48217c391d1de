"""Open, orient, flatten and hash an image; limits against bombs. PIL only, imported at first use.

An ordinary image comes out with the pixels of `PIL.Image.open(...).convert("RGB")`, which is what the official codes
feed their models: transparency is dropped, not laid over white, CMYK goes through PIL's own conversion, an animation
gives its first frame. Two things differ on purpose: the EXIF orientation is applied (what the questioners saw), and
16-bit or float grey is scaled to 8 bits, where PIL would clip nearly all of it to white.
"""

from __future__ import annotations

import hashlib
import io
import threading
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
PIXELS_AHEAD = 16 * 1024 * 1024
"""What may be decoded or prepared ahead of the network, in pixels: 192 MiB as three float32 each."""
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


def prefetch(
    items: Iterable[T],
    work: Callable[[T], R],
    *,
    ahead: int = 3,
    workers: int = 2,
    weigh: Callable[[R], int] | None = None,
    most: int = PIXELS_AHEAD,
) -> Iterator[tuple[T, R]]:
    """Yield (item, work(item)) in order, with the work of the next `ahead` items done in threads meanwhile.

    At most `ahead` + 1 results are held. `weigh` counts a result's pixels: while those held have `most` or more, only
    the work of the item whose turn it is begins; so they have less than `most` and those of one result per worker.
    `items` is drawn from this thread alone. An exception of `work` is raised when its item's turn comes. Closing the
    iterator drops what has not begun.
    """
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="vlmbench-prefetch")
    waiting: deque[tuple[T, Future[R]]] = deque()
    budget = _Budget(most)

    def limited(number: int, item: T) -> R:
        budget.wait(number)
        result = work(item)
        budget.hold(number, weigh(result) if weigh else 0)
        return result

    def next_result() -> tuple[T, R]:
        item, future = waiting.popleft()
        return item, future.result()

    turn = 0
    try:
        for number, item in enumerate(items):
            waiting.append((item, pool.submit(limited, number, item)))
            if len(waiting) > ahead:
                yield next_result()
                turn += 1
                budget.release(turn)
        while waiting:
            yield next_result()
            turn += 1
            budget.release(turn)
    finally:
        budget.release(None)
        pool.shutdown(wait=False, cancel_futures=True)


class _Budget:
    """Lets work begin while the results held weigh less than `most`, and that of the item whose turn it is always."""

    def __init__(self, most: int) -> None:
        self._most, self._turn, self._closed = most, 0, False
        self._held: dict[int, int] = {}
        self._changed = threading.Condition()

    def wait(self, number: int) -> None:
        """Return when the work of an item may begin."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or number <= self._turn or sum(self._held.values()) < self._most
            )

    def hold(self, number: int, weight: int) -> None:
        """Count an item's result."""
        with self._changed:
            self._held[number] = weight

    def release(self, turn: int | None) -> None:
        """The turn has come to this item, and those before are used; None: no result is wanted any more."""
        with self._changed:
            if turn is None:
                self._closed = True
            else:
                self._turn = turn
                self._held = {number: weight for number, weight in self._held.items() if number >= turn}
            self._changed.notify_all()
