"""Rows of a large JSON file one at a time: their places are kept, never all of their objects.

665,000 rows of LLaVA's mixture take 1 GB as text and several as Python objects; their places take 10 MB. The file is
mapped into memory and each row parsed when it is asked for.
"""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from vlmbench.base.errors import DataError

WINDOW = 4 << 20
"""Bytes looked at together."""
LONGEST = 1 << 20
"""A text in a row is shorter than this: what goes wrong farther from a window's end is not the window's fault."""
CURE = "download the file again"
_GAP = re.compile(rb"[\s,]*")
_BLANK = re.compile(rb"\s*")
_NEXT = re.compile(rb"[}\]]\s*,\s*(?=\{)")
"""Where a row may begin again behind a broken one."""
_DECODER = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True)
class Span:
    """Where one row lies in the file, in bytes; `value` is None for broken JSON."""

    start: int
    stop: int
    value: Any
    at: str
    """For people: `item 3`, `line 3`, `key 17`."""


class JsonFile:
    """A JSON array, an object with such an array in one of its fields, an object of rows by key, or JSON lines."""

    def __init__(self, path: Path) -> None:
        """Raises DataError for a file that cannot be read or is empty."""
        self.path = path
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            raise DataError("no such file", where=str(path), hint="check the path") from None
        except ValueError:
            raise DataError("the file is empty", where=str(path), hint=CURE) from None
        except OSError as error:
            raise DataError(f"cannot read it: {error.strerror}", where=str(path), hint="check the path") from None
        self._begin, self._window = 0, ""
        self._opening = ""

    def __reduce__(self) -> tuple[type[JsonFile], tuple[Path]]:
        return JsonFile, (self.path,)

    def value(self, start: int, stop: int) -> Any:
        """The object between two places; of a keyed file, (key, value)."""
        content = self._map[start:stop]
        if content[:1] == b'"':
            ((key, value),) = _parse(b"{" + content + b"}").items()
            return key, value
        return _parse(content)

    def spans(self, fields: Sequence[str] = (), *, keyed: bool = False) -> Iterator[Span]:
        """Every row. `fields`: where an object's array may be; `keyed`: the object's values are the rows.

        A row that is broken JSON comes with the value None; reading resumes at the next one that can be read. Raises
        DataError when the file is none of these.
        """
        start = _skip(_BLANK, self._map, 3 if self._map[:3] == b"\xef\xbb\xbf" else 0)
        first = self._map[start : start + 1]
        if self.path.suffix == ".jsonl":
            return self._lines(start)
        if first == b"[":
            return self._items(start + 1)
        if first != b"{":
            raise DataError("neither a JSON array nor an object", where=str(self.path), hint=CURE)
        if keyed:
            return self._keys(start + 1)
        return self._items(self._find(start + 1, fields))

    def _lines(self, start: int) -> Iterator[Span]:
        number = 0
        while start < len(self._map):
            stop = self._map.find(b"\n", start)
            stop = len(self._map) if stop < 0 else stop
            number += 1
            if content := self._map[start:stop].strip():
                yield Span(start, stop, _parse_or_none(content), f"line {number}")
            start = stop + 1

    def _items(self, at: int) -> Iterator[Span]:
        number = 0
        while (at := _skip(_GAP, self._map, at)) < len(self._map) and self._map[at : at + 1] != b"]":
            number += 1
            decoded = self._decode(at)
            if decoded is None:
                stop = self._recover(at)
                yield Span(at, stop, None, f"item {number}")
                at = stop
            else:
                value, stop = decoded
                if isinstance(value, dict) and not self._opening:
                    self._opening = next(iter(value), "")
                yield Span(at, stop, value, f"item {number}")
                at = stop
        if at >= len(self._map):
            yield Span(at, at, None, f"item {number + 1}: the file ends here, is it cut off?")

    def _keys(self, at: int) -> Iterator[Span]:
        while self._map[(at := _skip(_GAP, self._map, at)) : at + 1] == b'"':
            key, colon = self._decode(at) or ("", len(self._map))
            begin = _skip(_BLANK, self._map, colon) + 1
            decoded = self._decode(_skip(_BLANK, self._map, begin)) if begin < len(self._map) else None
            if decoded is None:
                yield Span(at, at, None, f"key {key}")
                return  # behind it nothing tells keys of rows from keys inside them
            value, stop = decoded
            yield Span(at, stop, (key, value), f"key {key}")
            at = stop
        if self._map[at : at + 1] != b"}":
            yield Span(at, at, None, "the end: is the file cut off?")

    def _find(self, at: int, fields: Sequence[str]) -> int:
        """The place behind the bracket of the first field of these names that holds an array."""
        while self._map[(at := _skip(_GAP, self._map, at)) : at + 1] == b'"':
            decoded = self._decode(at)
            if decoded is None:
                break
            name, colon = decoded
            at = _skip(_BLANK, self._map, _skip(_BLANK, self._map, colon) + 1)
            if name in fields and self._map[at : at + 1] == b"[":
                return at + 1
            skipped = self._decode(at)
            if skipped is None:
                break
            at = skipped[1]
        names = f", or an object with one in {' or '.join(map(repr, fields))}" if fields else ", not an object"
        raise DataError(f"an array of rows was expected{names}", where=str(self.path), hint=CURE)

    def _decode(self, at: int) -> tuple[Any, int] | None:
        """The value that begins at a place, and where it ends; None when it is broken.

        The bytes are read as Latin-1, so that places in the text are places in the file; a value with characters
        beyond ASCII is parsed once more.
        """
        reach = WINDOW
        if not self._begin <= at < self._begin + len(self._window):
            self._slide(at, reach)
        while True:
            text, first = self._window, at - self._begin
            whole = self._begin + len(text) >= len(self._map)
            try:
                value, stop = _DECODER.raw_decode(text, first)
            except json.JSONDecodeError as error:
                if whole or error.pos < len(text) - LONGEST or len(text) > 64 * WINDOW:
                    return None
            except RecursionError:
                return None
            else:
                if stop < len(text) or whole:
                    content = text[first:stop]
                    value = value if content.isascii() else _parse_or_none(content.encode("latin-1"))
                    return value, self._begin + stop
            # Cut by the window's end, perhaps.
            reach = reach if first else reach * 4
            self._slide(at, reach)

    def _is_row(self, value: dict[str, Any]) -> bool:
        """Objects inside a broken row can be read too: a row begins with the same field as the one before."""
        return next(iter(value), "") == self._opening if self._opening else len(value) > 2

    def _slide(self, at: int, reach: int) -> None:
        self._begin, self._window = at, self._map[at : at + reach].decode("latin-1")

    def _recover(self, at: int) -> int:
        """Where the next row that can be read begins, behind a broken one; the file's end if none does."""
        for match in _NEXT.finditer(self._map, at):
            following = self._decode(match.end())
            if following is not None and isinstance(following[0], dict) and self._is_row(following[0]):
                return match.end()
            if match.end() - at > 64 * WINDOW:
                break
        return len(self._map)


def _skip(pattern: re.Pattern[bytes], content: mmap.mmap, at: int) -> int:
    match = pattern.match(content, at)
    assert match is not None
    return match.end()


def _parse(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except ValueError:
        return json.loads(content)  # NaN, lone surrogates


def _parse_or_none(content: bytes) -> Any:
    try:
        return _parse(content)
    except (ValueError, RecursionError):
        return None
