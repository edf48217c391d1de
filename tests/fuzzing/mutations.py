"""Ways to damage a file: bytes, lines, and values inside JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

TEXT = (".json", ".jsonl", ".tsv", ".csv", ".txt", ".toml")
"""Suffixes whose lines can be told apart."""
JSON = (".json", ".jsonl")

WEIRD: tuple[Any, ...] = (
    None, True, -1, 0, 2**63, 10**30, 1e308, -0.5, "", " ", "\n", "\x00", "\x1b]0;x\x07", "\u202e", "\ud800", "x" * 300,
    "../../etc/passwd", "/dev/zero", [], {}, [None], {"a": None}, ["\ud800"], "NaN", "１", "nan", "None",
)  # fmt: skip
"""Values that no field expects."""
RAW = (b"9" * 5000, b"1e999", b"NaN", b"Infinity", b"[" * 3000, b'"\\ud800"', b"\xff\xfe", b"--5", b"tru")
"""Texts that no value of the file looks like; some of them are no JSON."""


@dataclass(frozen=True)
class Mutation:
    """What was done to a file."""

    name: str
    shorter: bool = False
    """Whether whole rows may be gone: a shorter file is then a legitimate one."""
    doubles: bool = False
    """Whether a whole row is there twice."""


Change = Callable[[bytes, random.Random], tuple[bytes, Mutation]]


def flip(content: bytes, rng: random.Random) -> tuple[bytes, Mutation]:
    """One to five bytes become others."""
    made = bytearray(content)
    for _ in range(rng.randint(1, 5)):
        if made:
            made[rng.randrange(len(made))] = rng.randrange(256)
    return bytes(made), Mutation("flip")


def truncate(content: bytes, rng: random.Random) -> tuple[bytes, Mutation]:
    """The end is gone."""
    return content[: rng.randrange(len(content) + 1)], Mutation("truncate", shorter=True)


def cut(content: bytes, rng: random.Random) -> tuple[bytes, Mutation]:
    """A slice is gone."""
    start = rng.randrange(len(content) + 1)
    return content[:start] + content[start + rng.randint(1, 200) :], Mutation("cut", shorter=True)


def insert(content: bytes, rng: random.Random) -> tuple[bytes, Mutation]:
    """Bytes in between: control characters, marks, quotes, ends of lines."""
    at = rng.randrange(len(content) + 1)
    more = rng.choice((b"\x00", b"\r", b"\n", b'"', b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\t", b",", b"\xff", b"\x1b[2J"))
    return content[:at] + more + content[at:], Mutation("insert")


def empty(content: bytes, rng: random.Random) -> tuple[bytes, Mutation]:
    """Nothing, or blanks, or an empty container."""
    return rng.choice((b"", b" \n", b"[]", b"{}", b"null", b"\xef\xbb\xbf")), Mutation("empty")


def encode(content: bytes, rng: random.Random) -> tuple[bytes, Mutation]:
    """The same text in another encoding, or with a mark of the byte order before it."""
    text = content.decode("utf-8", "replace")
    return rng.choice((text.encode("utf-16"), text.encode("utf-8-sig"), text.encode("utf-32"))), Mutation("encode")


def delete_line(content: bytes, rng: random.Random) -> tuple[bytes, Mutation]:
    """A line is gone."""
    lines = content.split(b"\n")
    del lines[rng.randrange(len(lines))]
    return b"\n".join(lines), Mutation("delete_line", shorter=True)


def double_line(content: bytes, rng: random.Random) -> tuple[bytes, Mutation]:
    """A line is there twice, not always side by side."""
    lines = content.split(b"\n")
    line = rng.choice(lines)
    lines.insert(rng.randrange(len(lines) + 1), line)
    return b"\n".join(lines), Mutation("double_line", doubles=bool(line.strip()))


def swap_lines(content: bytes, rng: random.Random) -> tuple[bytes, Mutation]:
    """Two lines change places."""
    lines = content.split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines), Mutation("swap_lines")


def raw_value(content: bytes, rng: random.Random) -> tuple[bytes, Mutation]:
    """A word between separators becomes text that no value looks like."""
    starts = [at for at in range(len(content)) if content[at : at + 1] in (b":", b",", b"\t", b"=", b"[")][:2000]
    if not starts:
        return flip(content, rng)
    start = rng.choice(starts) + 1
    end = start
    while end < len(content) and content[end : end + 1] not in (b",", b"}", b"]", b"\t", b"\n"):
        end += 1
    return content[:start] + rng.choice(RAW) + content[end:], Mutation("raw_value")


def json_value(content: bytes, rng: random.Random) -> tuple[bytes, Mutation]:
    """A value somewhere inside becomes one that no field expects, its key is renamed, or it is gone or doubled."""
    whole, parts, at = _parse(content, rng)
    if whole is None:
        return flip(content, rng)
    changed, mutation = _change(whole, rng)
    text = json.dumps(changed)
    if at is not None:
        return b"\n".join([*parts[:at], text.encode(), *parts[at + 1 :]]), mutation
    return text.encode(), mutation


def _parse(content: bytes, rng: random.Random) -> tuple[Any, list[bytes], int | None]:
    """The JSON of the file, or of one of its lines with all lines and its place; None where it is no JSON."""
    try:
        return json.loads(content), [], None
    except (ValueError, RecursionError):
        parts = content.split(b"\n")
        at = rng.randrange(len(parts))
        try:
            return json.loads(parts[at]), parts, at
        except (ValueError, RecursionError):
            return None, [], None


def _change(whole: Any, rng: random.Random) -> tuple[Any, Mutation]:
    """Walk down to a random place and change what is there."""
    node, holder, key = whole, None, None
    while isinstance(node, dict | list) and node and (holder is None or rng.random() < 0.8):
        holder = node
        key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
        node = node[key]
    if holder is None:
        return rng.choice(WEIRD), Mutation("json_value")
    return whole, _put(holder, key, rng)


def _put(holder: Any, key: Any, rng: random.Random) -> Mutation:
    action = rng.choice(("replace", "replace", "delete", "rename", "double"))
    if action == "delete":
        del holder[key]
        return Mutation("json_delete", shorter=True)
    if action == "rename" and isinstance(holder, dict):
        holder[rng.choice(("x", key.upper(), key + " ", "\ud800"))] = holder.pop(key)
        return Mutation("json_rename", shorter=True)
    if action == "double" and isinstance(holder, list):
        holder.insert(rng.randrange(len(holder) + 1), holder[key])
        return Mutation("json_double", doubles=isinstance(holder[key], dict))
    holder[key] = rng.choice(WEIRD)
    return Mutation("json_null" if holder[key] is None else "json_value")


ANY: tuple[Change, ...] = (flip, flip, truncate, cut, insert, empty)
LINES: tuple[Change, ...] = (encode, delete_line, double_line, swap_lines, raw_value)
OF: Mapping[str, tuple[Change, ...]] = {
    suffix: (*ANY, *LINES, *((json_value,) * 6 if suffix in JSON else ())) for suffix in TEXT
}
"""By suffix."""


def mutate(content: bytes, suffix: str, rng: random.Random) -> tuple[bytes, Mutation]:
    """A file's bytes, damaged in one way that suits its kind."""
    return rng.choice(OF.get(suffix, ANY))(content, rng)
