"""Bodies of responses, unpacked by us and never larger than a limit: whatever a server sends, memory is bounded.

A server is asked not to compress. One that compresses anyway is unpacked step by step, so that a small body which
unpacks to a huge one stops at the limit too.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openai import AsyncOpenAI

LARGEST = 8 * 2**20
"""Bytes of one response. A reply of 2,000 tokens with 20 log-probabilities each takes two million."""
STEP = 65536
PACKED = {"": 0, "identity": 0, "gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""Encodings that are unpacked, as zlib's window bits; 0: nothing to unpack."""


class BodyError(Exception):
    """A response whose body cannot be taken."""


class Unpacked:
    """A response's bytes, unpacked, up to a limit."""

    def __init__(self, stream: Any, encoding: str, largest: int) -> None:
        self._stream, self._encoding, self._largest = stream, encoding, largest

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._encoding not in PACKED:
            raise BodyError(f"the response is packed as {self._encoding!r:.40}, which was not asked for")
        bits, size = PACKED[self._encoding], 0
        inflate = zlib.decompressobj(bits) if bits else None
        async for packed in self._stream:
            for part in _inflated(inflate, packed) if inflate else (packed,):
                size += len(part)
                if size > self._largest:
                    raise BodyError(f"the response is larger than {self._largest / 2**20:g} MB")
                yield part

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()


def _inflated(inflate: zlib._Decompress, packed: bytes) -> Iterator[bytes]:
    while packed and not inflate.eof:
        try:
            yield inflate.decompress(packed, STEP)
        except zlib.error as error:
            raise BodyError(f"the response cannot be unpacked: {error}") from None
        packed = inflate.unconsumed_tail


def client(key: str, base_url: str, timeout: float, connect: float) -> AsyncOpenAI:
    """A client that takes bounded bodies and tries nothing again by itself. `connect`: seconds for a connection."""
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    # what openai sends with: httpx, or httpx2 from openai 3 on; they agree in all that is used here
    http = importlib.import_module(DefaultAsyncHttpxClient.__mro__[1].__module__.partition(".")[0])
    kind: Any = type("UnpackedStream", (Unpacked, http.AsyncByteStream), {})

    async def limit(response: Any) -> None:
        """The library's hook for responses: their bodies come unpacked and bounded from now on."""
        encoding = response.headers.pop("content-encoding", "").strip().lower()
        response.stream = kind(response.stream, encoding, LARGEST)

    return AsyncOpenAI(
        api_key=key or "none",
        base_url=base_url,
        max_retries=0,
        timeout=http.Timeout(timeout, connect=connect),
        default_headers={"accept-encoding": "identity"},
        http_client=DefaultAsyncHttpxClient(event_hooks={"response": [limit]}),
    )
