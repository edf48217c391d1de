"""MMBench's questions: rows of its TSV files, with the pictures inside as base64, or of its hub copy.

A question is in the file as often as it has options, each time with the options rotated by one: row i, then i + 10^6,
i + 2·10^6, ... A short picture cell is the index of another row, whose picture it shares (VLMEvalKit's files).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vlmbench.base.errors import ImageError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.data.files import Hub, Row, unique
from vlmbench.data.image_cells import decode_base64

LETTERS = "ABCD"
ROTATION = 10**6
"""Added to a question's index for each turn of its options."""
SHARED = 64
"""A picture cell of at most so many characters names another row."""
NAN = "nan"
"""What pandas makes of an empty cell; as an option it may also be a word."""

HUB_NAMES = ("lmms-lab/MMBench", "lmms-lab-encoder/MMBench")
HUB_FIELDS = ("index", "question", "hint", *LETTERS, "answer", "category", "L2-category", "split")


@dataclass(frozen=True, slots=True)
class CellPicture:
    """Decodes the picture in a cell of a table."""

    cell: str
    where: str

    def __call__(self) -> bytes:
        return decode_base64(self.cell, self.where)


def from_table(rows: Sequence[Row], language: str) -> list[Sample]:
    """Samples of a TSV file's rows."""
    known = unique(((str(row.integer("index")), row) for row in rows), "index")
    found = {index: _owner(index, row, known) for index, row in known.items()}
    shown = _pictures({index: known[owner] for index, owner in found.items()})
    return _samples(known, shown, language)


def _owner(index: str, row: Row, known: Mapping[str, Row]) -> str:
    """The row that holds a row's picture."""
    cell = row.text("image")
    if len(cell) > SHARED or _is_picture(cell):
        return index
    other = str(row.integer("image")) if cell.strip().isdecimal() else ""
    if other not in known:
        raise row.error("image", f"neither a picture nor the index of a row: {cell!r:.40}")
    shared = known[other].text("image")
    if len(shared) <= SHARED and not _is_picture(shared) and other != index:
        raise row.error("image", f"names row {other}, which has no picture of its own")
    if other == index:
        raise row.error("image", "names its own row")
    return other


def _is_picture(cell: str) -> bool:
    """Whether a short cell holds a picture of few pixels, not the index of a row."""
    if cell.strip().isdecimal():
        return False
    try:
        return bool(decode_base64(cell, ""))
    except ImageError:
        return False


def _pictures(owners: Mapping[str, Row]) -> dict[str, ImageRef]:
    """The picture of each row; equal ones are one picture, named after the first row that shows it."""
    by_cell: dict[bytes, ImageRef] = {}
    found: dict[str, ImageRef] = {}
    of_owner: dict[int, ImageRef] = {}
    for index, row in owners.items():
        if id(row) not in of_owner:
            cell = row.text("image")
            digest = hashlib.sha256(cell.encode()).digest()
            read = CellPicture(cell, f"{row.where}, field 'image'")
            of_owner[id(row)] = by_cell.setdefault(digest, ImageRef(f"{index}.jpg", read))
        found[index] = of_owner[id(row)]
    return found


def from_hub(hub: Hub, language: str, split: str) -> list[Sample]:
    """Samples of the hub's copy: the same rows, the pictures in full."""
    table = hub.table(HUB_NAMES, language, split, (*HUB_FIELDS, "image"))
    rows = [Row({"l2-category": r.values["L2-category"], **r.values}, r.file, r.at) for r in table.rows(HUB_FIELDS)]
    known = unique(((str(row.integer("index")), row) for row in rows), "index")
    first: dict[int, int] = {}
    for place, index in enumerate(known):
        first.setdefault(int(index) % ROTATION, place)
    pictures = {group: table.picture(place, "image", f"{group}.jpg") for group, place in first.items()}
    return _samples(known, {index: pictures[int(index) % ROTATION] for index in known}, language)


def _samples(known: Mapping[str, Row], pictures: Mapping[str, ImageRef], language: str) -> list[Sample]:
    turns = Counter(int(index) % ROTATION for index in known)
    cells = [_cell(row, letter) for row in known.values() for letter in LETTERS]
    nan = NAN in cells and "" not in cells
    return [_sample(index, row, pictures[index], language, turns, nan) for index, row in known.items()]


def _sample(index: str, row: Row, picture: ImageRef, language: str, turns: Counter[int], nan: bool) -> Sample:
    group = int(index) % ROTATION
    options = _options(row, turns[group], nan)
    tags = {"language": language}
    for name, field in (("ability", "l2-category"), ("leaf", "category"), ("split", "split")):
        if given := _given(row, field):
            tags[name] = given
    return Sample(
        id=index,
        question=row.text("question"),
        images=(picture,),
        target=_answer(row, options),
        choices=options,
        tags=tags,
        cluster=picture.name,
        extra={"hint": _given(row, "hint"), "group": group, "turns": turns[group]},
    )


def _cell(row: Row, field: str) -> str:
    """A cell's text as it stands; empty where there is none."""
    value = row.values.get(field)
    if value is None or value != value:
        return ""
    text = row.text(field) if isinstance(value, str) else str(value)
    return text if text.strip() else ""


def _given(row: Row, field: str) -> str:
    """A cell's text; empty where there is none, and for what pandas makes of that."""
    text = _cell(row, field)
    return "" if text.strip().lower() == NAN else text


def _options(row: Row, turns: int, nan: bool) -> tuple[str, ...]:
    """The options. "nan" at their end is one where the question is asked in as many rotations, or else where the
    file leaves the cells of absent ones empty (`nan`: it does not).
    """
    given = [_cell(row, letter) for letter in LETTERS]
    most = given.index("") if "" in given else len(given)
    least = most
    while least and given[least - 1] == NAN:
        least -= 1
    count = most
    if least < most:
        count = turns if turns > 1 and least <= turns <= most else least if nan else most
    if count < 2 or any(given[most:]):
        raise row.error("A", f"2 to 4 options, from A on without a gap, are needed, not {given!r}")
    return tuple(given[:count])


def _answer(row: Row, options: Sequence[str]) -> str | None:
    answer = _given(row, "answer").strip()
    if answer and answer not in letters(options):
        raise row.error("answer", f"{answer!r:.40} is none of {', '.join(letters(options))}")
    return answer or None


def letters(options: Iterable[object]) -> list[str]:
    """The letters of some options."""
    return [letter for letter, _ in zip(LETTERS, options, strict=False)]


def by_letter(sample: Sample) -> dict[str, str]:
    """A sample's options by letter."""
    return dict(zip(LETTERS, sample.choices, strict=False))
