"""A small JSON document of an HTTP server, within a time that no server can stretch.

The time limit of a socket starts again with each byte: a server that sends one byte per second would hold a command for
hours. Here the whole exchange has a limit, from the name's look-up to the last byte.
"""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import orjson

HELD = 64 << 10
"""Bytes that are read at a time."""


def fetched(url: str, *, headers: Mapping[str, str], within: float, largest: int, body: bytes | None = None) -> Any:
    """What GET (with a `body`: POST) gives, parsed.

    Raises urllib.error.HTTPError (closed) for a refusal, TimeoutError after `within` seconds, OSError or
    http.client.HTTPException for a broken exchange, ValueError for what is no JSON or longer than `largest` bytes.
    """
    content: list[bytes] = []
    failure: list[Exception] = []
    request = urllib.request.Request(url, body, dict(headers))

    def read() -> None:
        try:
            content.append(_read(request, within, largest))
        except Exception as error:  # raised in the waiting thread
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            failure.append(error)

    worker = threading.Thread(target=read, name="small-json", daemon=True)
    worker.start()
    worker.join(within)
    if failure:
        raise failure.pop()
    if not content:
        raise TimeoutError(f"no whole reply within {within:g} s")
    return orjson.loads(content[0])


def _read(request: urllib.request.Request, within: float, largest: int) -> bytes:
    end, body = time.monotonic() + within, b""
    with urllib.request.urlopen(request, timeout=within) as response:
        while block := response.read1(HELD):
            body += block
            if len(body) > largest:
                raise ValueError(f"more than {largest:,} bytes")
            if time.monotonic() > end:  # the caller has given up
                break
    return body
