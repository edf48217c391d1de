"""Your own model in thirty lines: python examples/own_model.py [FOLDER]

It ignores the image and says yes to questions about objects with long names: a score near chance, with its interval.
Your own model answers in `answer`; data, prompts, parsing, metrics, intervals, the run's folder and the report come
with vlmbench. A package offers its model to others through the entry point group `vlmbench.models`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from vlmbench.base import registry
from vlmbench.base.samples import Request, Response
from vlmbench.cli import main as cli


class LongWords:
    """Says yes if the object in the question has a long name."""

    name = "longwords"
    fingerprint = "longwords-1"  # change this with the rule, so that old answers are not reused

    def __init__(self, letters: int) -> None:
        self.letters = letters

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Everything else that determines the answers."""
        return {"letters": self.letters}

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """Shown in tables."""
        return {"parameters": 0}

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """One answer per request; the requests of a group share their image."""
        for group in groups:
            for request in group:
                word = request.prompt.split("?")[0].split()[-4]  # Is there a CROSS in the image
                yield request, Response(text="Yes" if len(word) >= self.letters else "No")


def load(checkpoint: str | None, *, letters: int = 5) -> LongWords:
    """Called by the registry; keyword options become `--model longwords,letters=7`."""
    return LongWords(letters)


def main(folder: Path) -> int:
    """Run it on a part of POPE's embedded sample."""
    if "longwords" not in registry.models.names():
        registry.models.add("longwords", load)
    words = ["--model", "longwords,letters=6", "--tasks", "pope", "--limit", "180", "--output", str(folder / "run")]
    return cli.main(["run", *words])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(Path(temporary)))
