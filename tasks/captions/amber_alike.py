"""Write AMBER's alike.json: `python -m vlmbench.tasks.captions.amber_alike DATA`, where spaCy is installed.

The script asks spaCy for every two words whether they are alike. Only words of relation.json ever meet, so that the
answers are one table, which then serves on machines without spaCy and its model of 560 MB.
"""

from __future__ import annotations

import json
import sys
import warnings
from importlib import import_module
from itertools import chain, combinations
from pathlib import Path

from vlmbench.base.errors import UsageError
from vlmbench.data.files import Folder, read_object

MODEL, ALIKE = "en_core_web_lg", 0.8
"""inference.py@534babf6: two words are alike above this similarity."""


def main(folder: str) -> Path:
    """The file, beside relation.json. Raises DataError without the lists, UsageError without spaCy or its model."""
    path = Folder(Path(folder)).need("AMBER's list of related words", "data/relation.json", "relation.json")
    related = read_object(path)
    try:
        read = import_module("spacy").load(MODEL)
    except (ImportError, OSError):
        hint = f"pip install spacy, then python -m spacy download {MODEL}"
        raise UsageError(f"spaCy or its model {MODEL} is not installed", hint=hint) from None
    words = dict.fromkeys(chain(related.values, *(related.texts(word) for word in related.values)))
    vectors = {word: read(word) for word in words}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # words without a vector are alike to none
        alike = [pair for pair in combinations(words, 2) if vectors[pair[0]].similarity(vectors[pair[1]]) > ALIKE]
    written = path.with_name("alike.json")
    written.write_text(json.dumps(alike, indent=1) + "\n", "utf-8")
    return written


if __name__ == "__main__":
    main(sys.argv[1])
