"""Official files from their URLs into a data folder: resumable, atomic, nothing outside the folder is ever written."""

from __future__ import annotations

import shutil
import stat
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Sequence
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath
from typing import cast

from vlmbench.errors import DataError

CHUNK = 1 << 20
TIMEOUT = 60.0
"""Seconds without a byte before a connection counts as dead."""


def download(url: str, path: Path, *, progress: bool = True) -> None:
    """Fetch a URL to a path, which appears only when whole. A part left by an earlier try is continued if possible.

    Raises DataError naming the URL.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise DataError("only http and https addresses are fetched", where=url)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _receive(url, part, progress)
        part.replace(path)
    except urllib.error.HTTPError as error:
        cure = f"get it by hand and put it at {path}"
        raise DataError(f"the server says {error.code} {error.reason}", where=url, cure=cure) from None
    except (urllib.error.URLError, TimeoutError, HTTPException, ConnectionError) as error:
        what = f"cannot fetch it: {getattr(error, 'reason', None) or error}"
        raise DataError(what, where=url, cure="try again: what has come so far is kept and continued") from None
    except OSError as error:
        cure = "free some space or name another --data, then try again: it goes on from there"
        raise DataError(f"cannot write: {error.strerror}", where=str(path), cure=cure) from None


def _receive(url: str, part: Path, progress: bool) -> None:
    from tqdm import tqdm

    have = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": "vlmbench"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        answer = _open(url, headers)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # the part is as long as the file, or longer: begin again
            raise
        have = 0
        answer = _open(url, {"User-Agent": "vlmbench"})
    with answer:
        if answer.status != 206:
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        name = part.name.removesuffix(".part")
        silent = None if progress else True
        with (
            part.open("ab" if have else "wb") as file,
            tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=name, disable=silent) as bar,
        ):
            while block := answer.read(CHUNK):
                file.write(block)
                bar.update(len(block))
    if total is not None and part.stat().st_size != total:
        what = f"the connection ended after {part.stat().st_size:,} of {total:,} bytes"
        raise DataError(what, where=url, cure="try again: what has come so far is kept and continued")


def _open(url: str, headers: dict[str, str]) -> HTTPResponse:
    request = urllib.request.Request(url, headers=headers)
    return cast(HTTPResponse, urllib.request.urlopen(request, timeout=TIMEOUT))


def extract(archive: Path, wanted: Sequence[str], root: Path, *, progress: bool = True) -> list[str]:
    """Take files out of a zip into a folder: `wanted` are file paths, found by their last part, and folders, whole.

    Returns those of `wanted` that the archive has nothing for. Raises DataError for an archive that is broken or whose
    names lead out of the folder; then nothing is written.
    """
    from tqdm import tqdm

    try:
        with zipfile.ZipFile(archive) as opened:
            infos = [info for info in opened.infolist() if not info.is_dir()]
            for info in infos:
                _refuse_escape(info, archive)
            placed = {info.filename: place for info in infos if (place := _place(info.filename, wanted))}
            for info in tqdm(infos, unit="file", desc="unpacking", disable=None if progress else True):
                if info.filename in placed:
                    _write_member(opened, info, root / placed[info.filename])
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise DataError(
            f"not a readable zip file: {error}", where=str(archive), cure="remove it and try again"
        ) from None
    except OSError as error:
        what = f"cannot write: {error.strerror}"
        raise DataError(what, where=str(root), cure="free some space, then try again") from None
    return [path for path in wanted if not any(_covers(path, place) for place in placed.values())]


def _covers(wanted: str, place: str) -> bool:
    return place == wanted or place.startswith(wanted + "/")


def _place(member: str, wanted: Sequence[str]) -> str | None:
    """Where a member of the archive belongs below the data folder; None if nobody wants it."""
    parts = PurePosixPath(member).parts
    for path in wanted:
        name = PurePosixPath(path).name
        if parts[-1] == name:
            return path
        if name in parts[:-1] and "." not in name:
            return "/".join([path, *parts[parts.index(name) + 1 :]])
    return None


def _refuse_escape(info: zipfile.ZipInfo, archive: Path) -> None:
    name = info.filename.replace("\\", "/")
    parts = name.split("/")
    link = stat.S_ISLNK(info.external_attr >> 16)
    if name.startswith("/") or ".." in parts or ":" in parts[0] or link:
        what = f"the archive holds {info.filename!r}, which would be written outside the data folder"
        raise DataError(what, where=str(archive), cure="do not use this archive")


def _write_member(opened: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    if path.is_file() and path.stat().st_size == info.file_size:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with opened.open(info) as source, part.open("wb") as file:
        shutil.copyfileobj(source, file, CHUNK)
    part.replace(path)
