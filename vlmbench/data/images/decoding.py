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
from collections.abc import Callable, Generator, Hashable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

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


def to_ppm(image: Image) -> bytes:
    """An RGB image as a PPM file: its bytes depend on the pixels alone, whatever packs PNG files here."""
    out = io.BytesIO()
    image.save(out, "PPM")
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
) -> Generator[tuple[T, R], None, None]:
    """Yield (item, work(item)) in order, with the work of the next `ahead` items done in threads meanwhile.

    At most `ahead` + 1 results are held. `weigh` counts a result's pixels: while those held have `most` or more, only
    the work of the item whose turn it is begins; so they have less than `most` and those of one result per worker.
    `items` is drawn from this thread alone. An exception of `work` is raised when its item's turn comes. Closing the
    iterator drops what has not begun.
    """
    jobs = _Jobs(work, weigh, most, workers)
    waiting: deque[tuple[T, Future[R]]] = deque()

    def next_result() -> tuple[T, R]:
        item, future = waiting.popleft()
        return item, future.result()

    try:
        for item in items:
            waiting.append((item, jobs.add(item)))
            if len(waiting) > ahead:
                yield next_result()
                jobs.drop_first()
        while waiting:
            yield next_result()
            jobs.drop_first()
    finally:
        jobs.close()


class _Jobs(Generic[T, R]):
    """Work in threads, in order. It begins while the results held weigh less than `most`; that of the item whose turn
    it is always begins. No thread waits for another, so that none keeps a program from ending.
    """

    def __init__(self, work: Callable[[T], R], weigh: Callable[[R], int] | None, most: int, workers: int) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="vlmbench-prefetch")
        self._work, self._weigh, self._most, self._free = work, weigh, most, workers
        self._queue: deque[tuple[int, T, Future[R]]] = deque()
        self._held: dict[int, int] = {}
        self._added = self._turn = 0
        self._lock = threading.Lock()

    def add(self, item: T) -> Future[R]:
        """The result of an item's work, once it has begun and ended."""
        from concurrent.futures import Future

        future: Future[R] = Future()
        with self._lock:
            self._queue.append((self._added, item, future))
            self._added += 1
            self._begin()
        return future

    def drop_first(self) -> None:
        """The first result is used: the next item's turn has come."""
        with self._lock:
            self._held.pop(self._turn, None)
            self._turn += 1
            self._begin()

    def close(self) -> None:
        """Drop what has not begun."""
        with self._lock:
            self._queue.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        """Start what may begin; the lock is held."""
        while self._queue and self._free:
            if self._queue[0][0] > self._turn and sum(self._held.values()) >= self._most:
                break
            self._free -= 1
            self._pool.submit(self._run, *self._queue.popleft())

    def _run(self, number: int, item: T, future: Future[R]) -> None:
        weight = 0
        ended: Callable[[], object] = future.cancel  # where work ends by what is no Exception
        try:
            result = self._work(item)
            weight = self._weigh(result) if self._weigh else 0
            ended = partial(future.set_result, result)
        except Exception as error:
            ended = partial(future.set_exception, error)
        finally:
            with self._lock:
                self._held[number] = weight
                ended()
                self._free += 1
                self._begin()
