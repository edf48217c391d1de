"""Official files from their URLs into a data folder: resumable, atomic, checked, nothing outside is ever written.

A part left by an earlier try is continued only if the server says that the file is still the same (If-Range) and sends
the very range that is missing; else it starts again. Beside `NAME.part`, `NAME.part.json` keeps the server's headers.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import httpx2

from vlmbench.base.errors import DataError
from vlmbench.data.archives import extract

__all__ = ["download", "extract"]
CHUNK = 1 << 20
START = 1 << 16
"""Bytes that are looked at before anything is written: they say whether it is a web page."""
TIMEOUT = 60.0
"""Seconds without a byte before a connection counts as dead."""
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_HTML = re.compile(rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
KEPT = "try again: what has come so far is kept and continued"


class _BeginAgainError(Exception):
    """The part that is there is of another file, or what came does not follow it."""


@dataclass(frozen=True)
class _Known:
    """What the server said about the file that a part is of."""

    url: str
    etag: str = ""
    modified: str = ""
    total: int | None = None

    @property
    def validator(self) -> str:
        """What If-Range takes: a strong ETag, else the date; empty where the server gave neither."""
        return self.etag if self.etag.startswith('"') else self.modified


def download(url: str, path: Path, *, progress: bool = True, checksum: str = "") -> None:
    """Fetch a URL to a path, which appears only when whole. A part left by an earlier try is continued if possible.

    `checksum` is `sha256:HEX`, `md5:HEX` or `git:HEX` (a blob's name). Raises DataError naming the URL.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise DataError("only http and https addresses are fetched", where=url)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _receive(url, part, progress)
        _check(url, part, checksum)
        part.replace(path)
        _beside(part).unlink(missing_ok=True)
    except httpx2.HTTPStatusError as error:
        hint = f"get it by hand and put it at {path}"
        refusal = error.response
        raise DataError(
            f"the server says {refusal.status_code} {refusal.reason_phrase}", where=url, hint=hint
        ) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, ImportError, ValueError) as error:  # the last two: a proxy of no use
        raise DataError(f"cannot fetch it: {str(error) or type(error).__name__}", where=url, hint=KEPT) from None
    except OSError as error:
        hint = "free some space or name another --data, then try again: it resumes there"
        raise DataError(f"cannot write: {error.strerror}", where=str(path), hint=hint) from None


def _receive(url: str, part: Path, progress: bool) -> None:
    try:
        _attempt(url, part, progress)
    except _BeginAgainError:
        _discard(part)
        try:
            _attempt(url, part, progress)
        except _BeginAgainError as error:
            _discard(part)
            raise DataError(str(error), where=url, hint="get it by hand") from None


def _attempt(url: str, part: Path, progress: bool) -> None:
    """Receive the file, or what a part lacks. Raises _BeginAgainError when the part is of no use."""
    earlier = _kept(url, part)
    received = part.stat().st_size if earlier is not None else 0
    headers = {"User-Agent": "vlmbench", "Accept-Encoding": "identity"}
    if earlier is not None and received:
        headers |= {"Range": f"bytes={received}-", "If-Range": earlier.validator}
    with httpx2.stream("GET", url, headers=headers, timeout=TIMEOUT, follow_redirects=True) as response:
        if response.status_code == 416 and received:
            raise _BeginAgainError("the server has no such range")
        response.raise_for_status()
        _refuse_compressed(response, url)
        published, received = _place(response, url, earlier, received)
        if not received:
            _beside(part).write_text(json.dumps(asdict(published)), encoding="utf-8")
        with part.open("ab" if received else "wb") as file:
            ended = _copy(response, file, published, received, part, progress)
    if published.total is not None and part.stat().st_size != published.total:
        if part.stat().st_size > published.total:
            raise _BeginAgainError(f"more than the {published.total:,} bytes that the server announced")
        problem = f"the connection ended after {part.stat().st_size:,} of {published.total:,} bytes"
        raise DataError(problem, where=url, hint=KEPT)
    if ended is not None:
        raise ended


def _copy(
    response: httpx2.Response, file: IO[bytes], published: _Known, received: int, part: Path, progress: bool
) -> httpx2.TransportError | None:
    """Append what comes. Returns the error that ended it early, with everything before it written."""
    from tqdm import tqdm

    name = part.name.removesuffix(".part")
    silent = None if progress else True
    waiting, ended = b"", None
    with tqdm(total=published.total, initial=received, unit="B", unit_scale=True, desc=name, disable=silent) as bar:

        def write(content: bytes) -> None:
            if not received and file.tell() == 0:
                _refuse_page(content, name, published.url)
            file.write(content)
            bar.update(len(content))

        try:
            for block in response.iter_raw():  # as it arrives: a block of a fixed size would be lost when it breaks off
                waiting += block
                if received or file.tell() or len(waiting) >= START:
                    write(waiting)
                    waiting = b""
        except httpx2.TransportError as error:
            ended = error
        if waiting:
            write(waiting)
    return ended


def _place(response: httpx2.Response, url: str, earlier: _Known | None, received: int) -> tuple[_Known, int]:
    """What the answer is of, and where in the file it begins. Raises _BeginAgainError where it fits no part."""
    content_length = response.headers.get("Content-Length")
    # The client refuses a response whose length is not digits.
    length = None if content_length is None else int(content_length)
    etag, modified = response.headers.get("ETag", ""), response.headers.get("Last-Modified", "")
    if response.status_code == 200:
        return _Known(url, etag, modified, length), 0
    match = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if response.status_code != 206 or earlier is None or match is None:
        raise _BeginAgainError(f"the server answers {response.status_code} without telling which part it sends")
    first, last = int(match[1]), int(match[2])
    total = None if match[3] == "*" else int(match[3])
    if first != received or (length is not None and last - first + 1 != length):
        raise _BeginAgainError(f"the server sends bytes {first:,} to {last:,}, asked for from {received:,}")
    if total is not None and (last + 1 != total or (earlier.total is not None and total != earlier.total)):
        raise _BeginAgainError(f"the file has {total:,} bytes now")
    if (etag and earlier.etag and etag != earlier.etag) or (
        modified and earlier.modified and modified != earlier.modified
    ):
        raise _BeginAgainError("the file has changed on the server")
    return _Known(url, earlier.etag, earlier.modified, last + 1 if total is None else total), received


def _refuse_compressed(response: httpx2.Response, url: str) -> None:
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise DataError(f"the server sends it compressed ({coding!r:.20})", where=url, hint="get it by hand")


def _refuse_page(start: bytes, name: str, url: str) -> None:
    """Raise DataError for a web page (to log in, to accept terms) or an archive that is none, before it is kept."""
    if not name.endswith((".html", ".htm")) and _HTML.match(start.removeprefix(b"\xef\xbb\xbf")):
        hint = "open the address in a browser: it may ask you to log in or to accept terms; then get the file by hand"
        raise DataError("the server sends a web page, not the file", where=url, hint=hint)
    if name.endswith(".zip") and not start.startswith(b"PK"):
        raise DataError("what the server sends is no zip file", where=url, hint="get it by hand")


def _beside(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _beside(part).unlink(missing_ok=True)


def _kept(url: str, part: Path) -> _Known | None:
    """What is known of a part that can be continued; others are removed."""
    with suppress(OSError, ValueError, TypeError):
        known = _Known(**json.loads(_beside(part).read_text("utf-8")))
        size = part.stat().st_size
        fits = known.total is None or (isinstance(known.total, int) and size < known.total)
        if known.url == url and isinstance(known.validator, str) and known.validator and size and fits:
            return known
    _discard(part)
    return None


# -------------------------------------------------------------------------------------------------------- checksums


def _check(url: str, part: Path, checksum: str) -> None:
    """Raise DataError, and remove the part, when the content is not the published one."""
    if not checksum:
        return
    kind, _, expected = checksum.partition(":")
    actual = _digest(part, kind)
    if actual != expected:
        _discard(part)
        problem = f"its {kind} is {actual}, and that of the published file {expected}"
        raise DataError(
            problem, where=url, hint="try again; if it stays so, the file has changed: get the right one by hand"
        )


def _digest(path: Path, kind: str) -> str:
    digest = hashlib.new({"git": "sha1"}.get(kind, kind), usedforsecurity=False)
    if kind == "git":
        digest.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()
