"""Packs several rows into one: less padding and fewer images encoded, with the losses of separate rows.

A packed row's turns are independent questions (base.samples.Conversation): the collator treats each as if it were
alone. So only rows of one turn are packed: those about the same image, and those without one. A dialogue stays a row
of its own, and so do captions of different images: a row holds one image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .entries import Entry


@dataclass
class _Pack:
    members: list[Entry] = field(default_factory=list)
    words: int = 0


def pack(entries: Sequence[Entry], room: int) -> list[Entry]:
    """The rows of a batch with those packed that can be, up to `room` words together; in order of their first ones.

    Packed rows of one batch have the loss of the batch: it is a mean over trained tokens.
    """
    packs: list[_Pack] = []
    open_for: dict[str, _Pack] = {}
    for at, entry in enumerate(entries):
        key = _key(entry, at)
        current = open_for.get(key)
        if current is None or current.words + entry.words > room:
            current = _Pack()
            packs.append(current)
            open_for[key] = current
        current.members.append(entry)
        current.words += entry.words
    return [_joined(current.members) for current in packs]


def _key(entry: Entry, at: int) -> str:
    """Equal for rows that can share one."""
    if len(entry.turns) > 1 and not entry.independent:
        return f"alone {at}"
    return f"image {entry.image.name}" if entry.image else "text"


def _joined(members: Sequence[Entry]) -> Entry:
    first = members[0]
    if len(members) == 1:
        return first
    turns = tuple(turn for member in members for turn in member.turns)
    return Entry(turns, first.image, "+".join(member.id for member in members), independent=True)
