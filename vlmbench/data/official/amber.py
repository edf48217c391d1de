"""AMBER's official files: queries about images, and an annotation for each. Both of its parts are laid out this way.

junyangwang0410/AMBER@534babf6: data/query/*.json, data/annotations.json; images by its README.
"""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench.base.samples import ImageRef
from vlmbench.base.task import DataFile
from vlmbench.data.answers.predictions import OTHERS
from vlmbench.data.files import Folder, Row, read_rows
from vlmbench.data.official.files import by_key, data_file

RAW = "https://raw.githubusercontent.com/junyangwang0410/AMBER/534babf6bbfcce2e735c26289dedfb21cef3c939"
LICENCE = "Apache-2.0"
ANNOTATIONS = ("data/annotations.json", "annotations.json")
IMAGES = ("image", "images", "data/image", ".")
START = 0.001
"""What the script's counters of questions and words start at (data/metrics.txt)."""


def query_places(queries: str) -> list[str]:
    """Where a file of queries may lie."""
    return [f"data/query/{queries}", f"query/{queries}", queries]


def required_files(queries: str, what: str) -> list[DataFile]:
    """Queries, annotations and images."""
    return [
        fetched(query_places(queries), what),
        fetched(ANNOTATIONS, "right answers"),
        data_file(IMAGES[:3], "1,004 images", licence=LICENCE, how="image archive on Google Drive, by AMBER's README"),
    ]


def fetched(places: Sequence[str], what: str) -> DataFile:
    """A file of the repository, where it lies there first."""
    return data_file(places, what, f"{RAW}/{places[0]}", LICENCE)


def annotated(data: Folder, queries: str, hint: str) -> tuple[list[tuple[str, Row, Row, ImageRef]], dict[str, object]]:
    """(id, query, annotation, image) of each query, and what `Sample.extra` holds of the other annotations.

    Answer files may be about all of AMBER: answers to the queries of another file are passed over. Raises DataError.
    """
    asked = by_key(read_rows(data.need("AMBER's questions", *query_places(queries), hint=hint)), "id")
    notes = by_key(read_rows(data.need("AMBER's annotations", *ANNOTATIONS, hint=hint)), "id")
    for key, row in asked.items():
        if key not in notes:
            raise row.error("id", f"question {key} has no annotation", "annotations.json must have one with this id")
    found = [(key, row, notes[key], data.image(row, row.text("image"), *IMAGES)) for key, row in asked.items()]
    return found, {OTHERS: frozenset(notes.keys() - asked.keys())}
