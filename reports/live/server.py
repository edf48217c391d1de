"""Serves a run's pages while it goes on: on the loopback address, to who knows the token of the address.

A page of another site cannot read it: the token is in the path, the Host header must name this machine (so that no
name of another site can be made to mean it), and nothing is answered but GET. The run's folder is only read; the site
is made of a snapshot in a temporary folder, when somebody opens it.
"""

from __future__ import annotations

import hmac
import mimetypes
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from vlmbench.base.errors import ImageError, UsageError, VlmbenchError
from vlmbench.base.samples import ImageRef
from vlmbench.base.version import __version__
from vlmbench.data.images import decoding as images
from vlmbench.runs.live.snapshot import FINISHED, Live
from vlmbench.runs.storage.thumbnails import SIDE

from ..site import build
from ..site.page import render
from .state import state

HOST = "127.0.0.1"
EVERY = 1.0
"""Seconds between two looks at the log."""
SHARE = 10
"""What a look or a site costs is spent at most once in so many times its seconds: the run needs the machine."""
KEPT = 256
"""Small copies of images in memory."""


@dataclass
class Watched:
    """A run with what was made of it at the last look; one thread works on it at a time."""

    live: Live
    folder: Path
    """A temporary one: of the snapshot and its site."""
    told: dict[str, Any] = field(default_factory=dict)
    """The page's content at the last look."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _looked: tuple[float, float] = (0.0, 0.0)
    """(when the last look ended, seconds that it took)."""
    _built: tuple[float, float] = (0.0, 0.0)
    """The same of the site."""
    _scored: float = 0.0
    """When answers were last scored."""
    _thumbnails: dict[str, bytes] = field(default_factory=dict)

    def look(self) -> None:
        """Read and score what came, if the last look was long enough ago. An error is shown on the page."""
        with self._lock:
            if not _is_due(self._looked):
                return
            start = time.monotonic()
            try:
                if self.live.read() or not self._scored:
                    self.live.score()
                    self._scored = time.monotonic()
                self.told = {**state(self.live), "error": ""}
            except VlmbenchError as error:
                self.told = {**self.told, "error": str(error)}
            self._looked = (time.monotonic(), time.monotonic() - start)

    @property
    def finished(self) -> bool:
        """Whether nothing more will come."""
        return self.told.get("state") == FINISHED

    def site(self) -> Path:
        """The folder of the site of what is there, made again when it is old."""
        output = self.folder / "site"
        with self._lock:
            if not output.is_dir() or (self._scored > self._built[0] and _is_due(self._built)):
                start = time.monotonic()
                run = self.live.folder
                if self.live.state != FINISHED:
                    run = self.folder / self.live.folder.resolve().name
                    self.live.write(run)
                build.write([run], output)
                self._built = (time.monotonic(), time.monotonic() - start)
        return output

    def thumbnail(self, digest: str) -> bytes | None:
        """A small copy of one of the run's images, by its content hash."""
        if digest not in self._thumbnails:
            found = self._image(digest)
            if found is None:
                return None
            try:
                self._thumbnails[digest] = images.thumbnail(images.decode(found.load(), found.name), SIDE)
            except ImageError:
                return None
            if len(self._thumbnails) > KEPT:
                self._thumbnails.pop(next(iter(self._thumbnails)))
        return self._thumbnails[digest]

    def _image(self, digest: str) -> ImageRef | None:
        for item in self.live.plan.requests:
            if digest in item.image_hashes:
                return item.request.images[item.image_hashes.index(digest)]
        return None


def _is_due(last: tuple[float, float]) -> bool:
    """Whether so much time went by since something was made that making it again is a small part of it."""
    return time.monotonic() - last[0] >= max(EVERY, SHARE * last[1])


class Server(ThreadingHTTPServer):
    """The server of one run."""

    daemon_threads = True

    def __init__(self, watched: Watched, port: int = 0) -> None:
        self.watched, self.token = watched, secrets.token_urlsafe(16)
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            what = f"cannot listen on port {port}: {getattr(error, 'strerror', None) or error}"
            raise UsageError(what, hint="name another --port, or leave it out for a free one") from None

    @property
    def address(self) -> str:
        """Where the page is; whoever knows it can see the run."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle of an answer is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """The page, its state, an image, or a file of the site."""
        if self.headers.get("Host", "") not in (
            f"{HOST}:{self.server.server_port}",
            f"localhost:{self.server.server_port}",
        ):
            return self._answer(HTTPStatus.FORBIDDEN, b"another host\n", "text/plain")
        if self.path == "/favicon.ico":  # browsers ask for it unasked
            return self._answer(HTTPStatus.OK, b"", "image/x-icon")
        _, token, *rest = unquote(self.path.partition("?")[0]).split("/")
        if not hmac.compare_digest(token.encode("utf-8", "replace"), self.server.token.encode()):
            return self._answer(HTTPStatus.NOT_FOUND, b"not found\n", "text/plain")
        try:
            content, kind = self._content(rest)
        except VlmbenchError as error:
            return self._answer(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n".encode("utf-8", "replace"), "text/plain")
        if content is None:
            return self._answer(HTTPStatus.NOT_FOUND, b"not found\n", "text/plain")
        return self._answer(HTTPStatus.OK, content, kind)

    def _content(self, parts: list[str]) -> tuple[bytes | None, str]:
        watched = self.server.watched
        match parts:
            case [""]:
                return _page(watched).encode(), "text/html"
            case ["state.json"]:
                return orjson.dumps(watched.told), "application/json"
            case ["images", name] if name.endswith(".jpg"):
                return watched.thumbnail(name.removesuffix(".jpg")), "image/jpeg"
            case ["site", *inside]:
                return _file(watched.site(), inside)
        return None, ""

    def _answer(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("X-Frame-Options", "DENY"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """The token of the address reaches no log."""


def _file(folder: Path, parts: list[str]) -> tuple[bytes | None, str]:
    """A file of the site; nothing outside of it."""
    path = folder.joinpath(*(parts if parts != [""] else ["index.html"]))
    if any(part in ("", ".", "..") for part in parts if parts != [""]) or not path.is_file():
        return None, ""
    if not path.resolve().is_relative_to(folder.resolve()):
        return None, ""
    return path.read_bytes(), mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _page(watched: Watched) -> str:
    return render(
        "live.html",
        script="live",
        data={"live": watched.told},
        live=True,
        charts=False,
        title=f"{watched.told.get('model', 'run')} · vlmbench watch",
        version=__version__,
    )


def serve(watched: Watched, port: int, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C. `ready` is told the address."""
    with Server(watched, port) as server:
        watched.look()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ready(server.address)
        try:
            while True:
                time.sleep(EVERY)
                if not watched.finished:
                    watched.look()
        finally:
            server.shutdown()
