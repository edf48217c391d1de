"""Reads a pickle that holds nothing but data, without running anything: RefCOCO's refs(unc).p.

Only instructions that build dicts, lists, tuples, texts and numbers are known; any other is refused. The instructions
are taken apart by the standard library's pickletools, which executes nothing.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError

_MARK = object()
_NOTHING = frozenset({"PROTO", "FRAME", "STOP"})
_VALUES = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    )
)
"""Instructions that put their own argument on the stack."""
_CONSTANTS: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "MARK": lambda: _MARK,
}


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def above_mark(self) -> list[Any]:
        """What was put on the stack since the last mark."""
        at = max(place for place, item in enumerate(self.stack) if item is _MARK)
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    def collect(self, make: Callable[[list[Any]], Any]) -> None:
        """Put what `make` makes of the things above the mark on the stack."""
        self.stack.append(make(self.above_mark()))

    def last(self, count: int) -> None:
        """The last things as a tuple."""
        items = tuple(self.stack[-count:])
        self.stack[-count:] = [items]

    def append(self, items: list[Any]) -> None:
        """Into the list below."""
        self.stack[-1].extend(items)

    def set(self, items: list[Any]) -> None:
        """Keys and values in turn into the dict below."""
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def take(self, count: int) -> list[Any]:
        """The last things, off the stack."""
        items = self.stack[-count:]
        del self.stack[-count:]
        return items


_STEPS: Mapping[str, Callable[[_Machine, Any], None]] = {
    "DICT": lambda m, _: m.collect(lambda items: dict(zip(items[::2], items[1::2], strict=True))),
    "LIST": lambda m, _: m.collect(list),
    "TUPLE": lambda m, _: m.collect(tuple),
    "TUPLE1": lambda m, _: m.last(1),
    "TUPLE2": lambda m, _: m.last(2),
    "TUPLE3": lambda m, _: m.last(3),
    "APPEND": lambda m, _: m.append(m.take(1)),
    "APPENDS": lambda m, _: m.append(m.above_mark()),
    "SETITEM": lambda m, _: m.set(m.take(2)),
    "SETITEMS": lambda m, _: m.set(m.above_mark()),
    "POP": lambda m, _: m.stack.__delitem__(-1),
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), lambda m, at: m.memo.__setitem__(at, m.stack[-1])),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda m, at: m.stack.append(m.memo[at])),
    "MEMOIZE": lambda m, _: m.memo.__setitem__(len(m.memo), m.stack[-1]),
}


def read_plain(path: Path) -> Any:
    """What the file holds. Raises DataError for anything but plain data, naming the instruction."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read it: {error.strerror}", where=str(path), hint="check the path") from None
    machine = _Machine()
    try:
        for code, argument, place in pickletools.genops(content):
            _step(machine, code.name, argument, f"{path}, byte {place}")
        (value,) = machine.stack
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, UnicodeError) as error:
        raise DataError(f"a damaged pickle: {error}", where=str(path), hint="get the official file again") from None
    return value


def _step(machine: _Machine, name: str, argument: Any, where: str) -> None:
    if name in _VALUES:
        machine.stack.append(argument)
    elif name in _CONSTANTS:
        machine.stack.append(_CONSTANTS[name]())
    elif name in _STEPS:
        _STEPS[name](machine, argument)
    elif name not in _NOTHING:
        message = f"the pickle does more than hold data ({name}); it is not read"
        raise DataError(message, where=where, hint="get the official file, refs(unc).p or refs(umd).p")
