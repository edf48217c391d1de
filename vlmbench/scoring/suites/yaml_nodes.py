"""YAML read as plain texts, lists and mappings, each with its line, so that every error says where it is.

Only what a settings file needs is read: no tags, anchors or aliases (they unfold to gigabytes), one document, keys once
each, and no guessing of types: `no` is a text until a reader wants true or false. Scalars are converted by the reader
that knows what it expects (`text`, `whole`, `number`, `flag`).
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmbench.base.errors import UsageError
from vlmbench.base.files import read_regular

LARGEST = 256 << 10
"""Bytes of a file."""
DEEPEST = 8
"""Levels of nesting."""
_NULLS = ("", "~", "null", "Null", "NULL")
_FLAGS: Mapping[str, bool] = {"true": True, "True": True, "false": False, "False": False}


@dataclass(frozen=True)
class Node:
    """A value of the file."""

    value: str | list[Node] | dict[str, Node]
    line: int
    place: str
    """The keys that lead to it: `tasks[1].limit`."""
    file: str
    plain: bool = False
    """Whether it is a scalar without quotes."""

    def error(self, problem: str, hint: str = "") -> UsageError:
        """What is wrong with it, with the file, the line and the keys that lead to it."""
        return UsageError(f"{self.place}: {problem}" if self.place else problem, where=self.where, hint=hint)

    @property
    def where(self) -> str:
        """`suite.yaml:12`."""
        return f"{self.file}:{self.line}"

    @property
    def shown(self) -> str:
        """The value for messages."""
        if isinstance(self.value, str):
            return "nothing" if self.plain and self.value in _NULLS else f"{self.value!r:.60}"
        return "a list" if isinstance(self.value, list) else "a mapping"

    def text(self) -> str:
        """A text; a number is one too. Raises UsageError."""
        if not isinstance(self.value, str) or (self.plain and self.value in _NULLS):
            raise self.error(f"a text was expected, not {self.shown}")
        return self.value

    def whole(self) -> int:
        """A whole number. Raises UsageError."""
        if not isinstance(self.value, str) or not self.plain or not re.fullmatch(r"[-+]?\d{1,15}", self.value):
            raise self.error(f"a whole number was expected, not {self.shown}")
        return int(self.value)

    def number(self) -> float:
        """A finite number. Raises UsageError."""
        try:
            found = float(self.value) if isinstance(self.value, str) and self.plain else math.nan
        except ValueError:
            found = math.nan
        if not math.isfinite(found):
            raise self.error(f"a number was expected, not {self.shown}")
        return found

    def flag(self) -> bool:
        """true or false. Raises UsageError."""
        if not isinstance(self.value, str) or not self.plain or self.value not in _FLAGS:
            raise self.error(f"true or false was expected, not {self.shown}")
        return _FLAGS[self.value]

    def items(self) -> list[Node]:
        """A list with at least one item. Raises UsageError."""
        if not isinstance(self.value, list):
            raise self.error(f"a list was expected, not {self.shown}", "begin each item with `- `")
        if not self.value:
            raise self.error("the list is empty")
        return self.value

    def fields(self, known: Collection[str], needed: Collection[str] = ()) -> dict[str, Node]:
        """A mapping with known keys. Raises UsageError, with near names, for another key, and for a missing one."""
        if not isinstance(self.value, dict):
            raise self.error(f"a mapping was expected, not {self.shown}", f"its keys are: {', '.join(known)}")
        for key, node in self.value.items():
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
                hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
                raise node.error("there is no such key", hint)
        if lacking := [key for key in needed if key not in self.value]:
            raise self.error(f"{lacking[0]} is missing", f"add `{lacking[0]}: ...`")
        return self.value


def read(path: Path) -> Node:
    """The file's one document. Raises UsageError, with the line, for what is no YAML or more than is read here."""
    import yaml

    file = str(path)
    try:
        content = read_regular(path, LARGEST).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read it: {error.strerror or error}", where=file, hint="name a suite file") from None
    except UnicodeDecodeError:
        raise UsageError("it is not UTF-8 text", where=file, hint="save it as UTF-8") from None
    try:
        _refuse_unwanted(yaml.parse(content, Loader=yaml.SafeLoader), file)
        root = yaml.compose(content, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark is not None else file
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        raise UsageError(f"not valid YAML: {problem!s:.200}", where=where, hint="fix the line") from None
    if root is None:
        raise UsageError("it is empty", where=file, hint="docs/evaluate/suites.md shows a suite file")
    return _node(root, "", file)


def _refuse_unwanted(events: Iterator[Any], file: str) -> None:
    """Raise UsageError for tags, anchors, aliases, several documents and deep nesting, before anything is built."""
    depth = documents = 0
    for event in events:
        name, line = type(event).__name__, event.start_mark.line + 1
        depth += name.endswith("StartEvent") - name.endswith("EndEvent")
        documents += name == "DocumentStartEvent"
        tag = getattr(event, "tag", None)
        problem = ""
        if name == "AliasEvent" or getattr(event, "anchor", None):
            problem = "anchors and aliases (& and *) are not read here: write the value out"
        elif tag is not None:
            problem = f"tags are not read here: {tag!r:.60}"
        elif depth - 2 > DEEPEST:
            problem = f"it is nested more than {DEEPEST} levels deep"
        elif documents > 1:
            problem = "a suite file holds one document"
        if problem:
            raise UsageError(problem, where=f"{file}:{line}", hint="docs/evaluate/suites.md has what a file may hold")


def _node(node: Any, place: str, file: str) -> Node:
    import yaml

    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        return Node(node.value, line, place, file, plain=node.style is None)
    if isinstance(node, yaml.SequenceNode):
        return Node([_node(one, f"{place}[{index}]", file) for index, one in enumerate(node.value)], line, place, file)
    found: dict[str, Node] = {}
    for key, value in node.value:
        at = Node("", key.start_mark.line + 1, place, file)
        if not isinstance(key, yaml.ScalarNode):
            raise at.error("a key must be a word")
        if key.value in found:
            raise at.error(f"{key.value!r:.60} is there twice", "keep one of them")
        below = _node(value, f"{place}.{key.value}" if place else key.value, file)
        found[key.value] = below if isinstance(below.value, str) else Node(below.value, at.line, below.place, file)
    return Node(found, line, place, file)
