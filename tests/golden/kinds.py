"""The kinds of golden folders, and which of them has a reader.

An oracle folder's kind is its name, and its readers stand in the table of its family (tests/golden/oracles). A parity
folder's kinds follow from its content, and each test module in tests/golden/parity says which of them it reads.
"""

from __future__ import annotations

from pathlib import Path

from tests.golden.folders import ORACLE
from tests.golden.oracles import (
    amber,
    captions,
    charxiv,
    choice_sets,
    choices,
    documents,
    grounding,
    groups,
    judged,
    letters,
    mathematics,
    several_images,
    short_answers,
    yes_no,
)
from tests.golden.oracles.reading import Readers
from tests.golden.parity.kinds import PARITY

FAMILIES = (
    yes_no,
    amber,
    captions,
    groups,
    choices,
    charxiv,
    choice_sets,
    several_images,
    letters,
    short_answers,
    documents,
    mathematics,
    judged,
    grounding,
)


def merged() -> dict[str, Readers]:
    """The tables of all families as one."""
    found: dict[str, Readers] = {}
    for family in FAMILIES:
        assert not found.keys() & family.READERS.keys(), "two families read one folder"
        found |= family.READERS
    return found


ORACLES = merged()
"""By the name of an oracle folder: what is compared with its expected values."""


def kinds(folder: Path) -> list[str]:
    """The kinds of a golden folder that a reader is there for; none for a folder that nothing here reads."""
    if (folder / ORACLE).is_file():
        names = dict.fromkeys((folder.name, folder.resolve().name))  # a link may have another name than its target
        return [name for name in names if name in ORACLES][:1]
    return [kind for kind, fits in PARITY.items() if fits(folder)]
