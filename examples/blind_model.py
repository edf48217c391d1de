"""The included model with its eyes closed, as a plug-in: every image is grey.

    vlmbench run --plugins examples/blind_model.py --model blind --tasks pope --gate BASELINE

`--perturb blind` shows what a model's score owes to its images; this, that a gate finds a model that does not look.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from PIL import Image

import vlmbench
from vlmbench.base.model import Model
from vlmbench.base.samples import ImageRef, Request, Response
from vlmbench.plugins import specs


def grey() -> bytes:
    """A grey image as a file's bytes."""
    file = io.BytesIO()
    Image.new("RGB", (224, 224), (127, 127, 127)).save(file, "PNG")
    return file.getvalue()


class Blind:
    """Another model that is shown grey images."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.name, self.fingerprint = f"{model.name}-blind", f"{model.fingerprint}-blind"

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Those of the model."""
        return self.model.settings

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """Those of the model."""
        return self.model.facts

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """The model's answers to the same questions about grey images."""
        asked: dict[int, Request] = {}
        image = (ImageRef("grey", grey),)

        def changed() -> Iterator[list[Request]]:
            for group in groups:
                shown = [replace(request, images=image * len(request.images)) for request in group]
                asked.update(zip(map(id, shown), group, strict=True))
                yield shown

        for request, response in self.model.answer(changed()):
            yield asked.pop(id(request)), response


def load(checkpoint: str | None) -> Blind:
    """Called by the registry: `--model blind`, or `--model blind:NAME` for another model than tinyllava."""
    return Blind(specs.load_model(specs.parse_model(checkpoint or "tinyllava"), {}))


vlmbench.add_model("blind", load)
