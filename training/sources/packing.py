"""Several rows in one: fewer padding tokens and fewer pictures seen, with the losses of separate rows.

A packed row's turns are independent questions (nouns.Conversation): the collator gives each the numbers it would have
alone. So only rows of one turn are packed: those about the same picture, and those without one. A dialogue stays a row
of its own, and so do captions of different pictures: a row holds one picture.
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

    Packed rows of one batch have the loss of the batch: it is a mean over learnt tokens.
    """
    packs: list[_Pack] = []
    open_for: dict[str, _Pack] = {}
    for at, entry in enumerate(entries):
        key = _key(entry, at)
        found = open_for.get(key)
        if found is None or found.words + entry.words > room:
            found = _Pack()
            packs.append(found)
            open_for[key] = found
        found.members.append(entry)
        found.words += entry.words
    return [_joined(found.members) for found in packs]


def _key(entry: Entry, at: int) -> str:
    """Equal for rows that can share one."""
    if len(entry.turns) > 1 and not entry.independent:
        return f"alone {at}"
    return f"picture {entry.picture.name}" if entry.picture else "text"


def _joined(members: Sequence[Entry]) -> Entry:
    first = members[0]
    if len(members) == 1:
        return first
    turns = tuple(turn for member in members for turn in member.turns)
    return Entry(turns, first.picture, "+".join(member.id for member in members), independent=True)
