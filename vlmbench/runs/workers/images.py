"""The images of a group that goes to a worker: which travel by name, which as bytes, and reading them there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from types import BuiltinFunctionType, FunctionType
from typing import Any

from vlmbench.base.errors import ImageError
from vlmbench.base.samples import ImageRef, Request
from vlmbench.data.files import ImageFile
from vlmbench.data.images import decoding as images

AGAIN = "do not change data while a run reads them; the same command asks again"
LIGHT = 4096
"""Bytes or characters that may travel in the place of a name."""
PLAIN = (int, float, type(None), Path, BuiltinFunctionType)


@dataclass(frozen=True, slots=True)
class Group:
    """A group of requests that share their images, as a worker gets it."""

    number: int
    keys: tuple[str, ...]
    """Of the answers, a key per request."""
    requests: tuple[Request, ...]
    hashes: tuple[str, ...] | None
    """Of the images of each request, which the worker then reads itself; None: the requests hold their bytes."""


def travels(ref: ImageRef) -> bool:
    """Whether a worker can be sent how to read an image instead of its bytes.

    A file of a data folder, and what this package makes from one; not an image inside a dataset in memory, and nothing
    that needs code which a worker may not have.
    """
    return _light(ref.load)


def _light(value: Any) -> bool:
    if isinstance(value, partial):
        return all(map(_light, (value.func, *value.args, *value.keywords.values())))
    if isinstance(value, str | bytes):
        return len(value) <= LIGHT
    if isinstance(value, tuple):
        return all(map(_light, value))
    if isinstance(value, ImageRef):
        return _light(value.load)
    if isinstance(value, ImageFile):  # its root may be a URL, whose connection is made anew
        return True
    if isinstance(value, FunctionType):
        return _ours(value.__module__)
    if is_dataclass(value) and _ours(type(value).__module__):
        return all(_light(getattr(value, field.name)) for field in fields(value))
    return isinstance(value, PLAIN)


def _ours(module: str) -> bool:
    return module.partition(".")[0] == __name__.partition(".")[0]


def _refs(requests: Sequence[Request]) -> Iterator[ImageRef]:
    for request in requests:
        yield from request.images
        for example in request.examples:
            yield from example.images


def all_travel(requests: Sequence[Request]) -> bool:
    """Whether all images of a group can be read by who is told how."""
    return all(map(travels, _refs(requests)))


def with_image_bytes(requests: Sequence[Request]) -> list[Request]:
    """A group with its images' bytes. Images with the same source are read once.

    One that cannot be read raises the same error where it is loaded.
    """
    known: dict[Any, Callable[[], bytes]] = {}

    def loaded(ref: ImageRef) -> ImageRef:
        source = images.source_of(ref)
        if source not in known:
            try:
                known[source] = partial(_constant, ref.load())
            except Exception as error:  # reported by the model, as for its own readers
                known[source] = partial(_unreadable, error)
        return ImageRef(ref.name, known[source])

    return _replaced(requests, loaded)


def _replaced(requests: Sequence[Request], change: Callable[[ImageRef], ImageRef]) -> list[Request]:
    def changed(request: Request) -> Request:
        shown = tuple(replace(one, images=tuple(map(change, one.images))) for one in request.examples)
        return replace(request, images=tuple(map(change, request.images)), examples=shown)

    return [changed(request) for request in requests]


def unchanged(requests: Sequence[Request], hashes: tuple[str, ...] | None) -> Sequence[Request]:
    """Requests with bytes; an image that is another one than the run was planned with is one that cannot be read."""
    if not hashes:
        return requests
    known: dict[int, ImageRef] = {}

    def checked(ref: ImageRef, expected: str) -> ImageRef:
        if id(ref.load) not in known:
            known[id(ref.load)] = ref
            with suppress(Exception):  # it says so itself when it is read
                if images.fingerprint(ref.load()) != expected:
                    error = ImageError(f"{ref.name} is another image than when the run was planned", hint=AGAIN)
                    known[id(ref.load)] = ImageRef(ref.name, partial(_unreadable, error))
        return replace(known[id(ref.load)], name=ref.name)

    def of(request: Request) -> Request:
        return replace(request, images=tuple(map(checked, request.images, hashes)))

    return [of(request) for request in requests]


def read_here(group: Group) -> tuple[Group, str]:
    """A worker's group with its images' bytes, or as it was and why they cannot be had on this machine.

    An image that is another one than the run was planned with counts as one that is not there.
    """
    if group.hashes is None:
        return group, ""
    known: dict[Any, bytes] = {}

    def loaded(ref: ImageRef) -> ImageRef:
        source = images.source_of(ref)
        if source not in known:
            known[source] = ref.load()
        return ImageRef(ref.name, partial(_constant, known[source]))

    try:
        read = tuple(_replaced(group.requests, loaded))
    except Exception as error:  # whatever it is, the process that sent it may do better
        return group, (str(error).splitlines() or [type(error).__name__])[0]
    for name, content, expected in _with_hashes(read, group.hashes):
        if images.fingerprint(content) != expected:
            return group, f"{name} is another image here"
    return replace(group, requests=read), ""


def _with_hashes(requests: Sequence[Request], hashes: tuple[str, ...]) -> Iterator[tuple[str, bytes, str]]:
    """Each distinct image with the hash it should have: usually all requests of a group have the same object."""
    seen: dict[tuple[int, str], bytes] = {}
    for request in requests:
        for ref, expected in zip(request.images, hashes, strict=True):
            content = ref.load()
            if (id(content), expected) not in seen:
                seen[id(content), expected] = content
                yield ref.name, content, expected


def _constant(content: bytes) -> bytes:
    return content


def _unreadable(error: Exception) -> bytes:
    raise error
