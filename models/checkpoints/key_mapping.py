"""Renames tensors by a table of pairs, in both directions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

PLACES: Mapping[str, str] = {
    "n": r"\d+",
    "leaf": r"weight|bias",
    "attention": r"attention|crossattention",
    "part": r"query|key|value",
    "rest": r".+",
    "path": r".+",
}
"""What may stand at a placeholder `{...}` of a pair."""
_PLACE = re.compile(r"\{(\w+)\}")


class KeyMapping:
    """A table of (their name, our name); both sides of a pair have the same placeholders. The first pair that fits
    decides, in either direction.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._to_ours = [(_compiled(theirs), ours) for theirs, ours in pairs]
        self._to_theirs = [(_compiled(ours), theirs) for theirs, ours in pairs]

    def ours(self, name: str) -> str | None:
        """Map their name to ours; None where no pair fits."""
        return _renamed(name, self._to_ours)

    def theirs(self, name: str) -> str | None:
        """Map our name to theirs; None where no pair fits."""
        return _renamed(name, self._to_theirs)


def _compiled(template: str) -> re.Pattern[str]:
    pieces = _PLACE.split(template)
    return re.compile(
        "".join(
            f"(?P<{piece}>{PLACES[piece]})" if index % 2 else re.escape(piece) for index, piece in enumerate(pieces)
        )
    )


def _renamed(name: str, table: Sequence[tuple[re.Pattern[str], str]]) -> str | None:
    for pattern, template in table:
        if match := pattern.fullmatch(name):
            return template.format(**match.groupdict())
    return None
