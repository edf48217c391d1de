"""Models that look, and models that do not, for runs under changes; and the command line with them, to be killed.

python -m tests.support.perturbed_models WORDS...    `vlmbench WORDS...`, with the models `prompted`, `seer` and `slow`
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Mapping
from functools import lru_cache, partial

from tests.support.toys import ToyModel
from vlmbench.base import registry
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Request
from vlmbench.cli import main as cli
from vlmbench.data.files import Folder
from vlmbench.data.images import decoding as images


def from_prompt(request: Request) -> str:
    """Yes or no by the words alone."""
    return "yes" if hashlib.sha256(request.prompt.encode()).digest()[0] % 2 else "no"


@lru_cache
def truths() -> Mapping[tuple[str, str], str]:
    """The right answers of pope by (picture's bytes, question)."""
    task = choose_task("pope").task
    prints: dict[str, str] = {}
    found = {}
    for sample in task.samples(Folder.sample("pope"), "coco"):
        picture = sample.images[0]
        if picture.name not in prints:
            prints[picture.name] = images.fingerprint(picture.load())
        found[prints[picture.name], sample.question] = str(sample.target)
    return found


def from_picture(request: Request) -> str:
    """The right answer about a picture it knows to the byte; no about any other."""
    return truths().get((images.fingerprint(request.images[0].load()), request.prompt), "no")


def slowly(request: Request) -> str:
    """As `from_prompt`, at 5 ms a question."""
    time.sleep(0.005)
    return from_prompt(request)


MODELS: Mapping[str, Callable[[Request], str]] = {"prompted": from_prompt, "seer": from_picture, "slow": slowly}


def load(text: Callable[[Request], str], name: str, checkpoint: str | None) -> ToyModel:
    """What the registry calls."""
    return ToyModel(text, name=name, fingerprint=name)


def loader(name: str) -> Callable[[str | None], ToyModel]:
    """The loader of one of the models."""
    return partial(load, MODELS[name], name)


if __name__ == "__main__":
    for known in MODELS:
        registry.models.add(known, loader(known))
    sys.exit(cli.main(sys.argv[1:]))
