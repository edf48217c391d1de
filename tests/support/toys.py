"""A ten-question task and misbehaving models, so that the whole walk runs in under a second."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from vlmbench.base.errors import ImageError
from vlmbench.base.samples import Generation, ImageRef, Request, Response, Sample, Score, Status
from vlmbench.base.task import DataFile, Size, TaskProtocol
from vlmbench.stats import metrics


def png(colour: tuple[int, int, int]) -> bytes:
    """An 8 x 8 picture of one colour."""
    return png_of(Image.new("RGB", (8, 8), colour))


def png_of(image: Image.Image) -> bytes:
    """A picture, encoded without loss."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def write_stars(path: Path) -> None:
    """Four multiple-choice questions about two images, as VLMEvalKit's tables have them: right are A, B, A, B."""
    image = base64.b64encode(png((200, 20, 20)) * 2).decode("ascii")
    lines = ["index\tquestion\timage\tA\tB\tC\tD\tanswer\tcategory\tl2_category"]
    for index, (cell, right, axis) in enumerate(
        ((image, "A", "shape"), ("1", "B", "color"), (image[:-4], "A", "shape"), ("3", "B", "color")), 1
    ):
        lines.append(f"{index}\tWhat is {index}?\t{cell}\tstar\tmoon\tring\t\t{right}\tperception\t{axis}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def keep(data: bytes) -> bytes:
    """A reader of bytes at hand."""
    return data


def gone(name: str) -> bytes:
    """A reader of a picture that is not there."""
    raise ImageError("the picture is not there", where=name, hint="bring it back")


@dataclass
class ToyTask:
    """Yes/no questions about `pictures` plain pictures, `each` questions a picture; every second answer is yes."""

    name: str = "toy"
    title: str = "plain pictures (tests)"
    version: int = 1
    splits: tuple[str, ...] = ("test", "val")
    sizes: Mapping[str, Size] = field(default_factory=dict)
    protocols: Mapping[str, TaskProtocol] = field(
        default_factory=lambda: {
            "official": TaskProtocol("official", "tests", "accuracy", Generation(max_new_tokens=8)),
            "polite": TaskProtocol("polite", "tests", "accuracy", Generation(max_new_tokens=8)),
        }
    )
    pictures: int = 4
    each: int = 3
    shade: int = 0
    """Changes the pictures' bytes."""
    missing: tuple[int, ...] = ()
    """Pictures that cannot be read."""

    def required_files(self, split: str) -> Sequence[DataFile]:
        return []

    def samples(self, data: Any, split: str) -> Sequence[Sample]:
        made = []
        for i in range(self.pictures):
            read: Callable[[], bytes] = partial(keep, png((i, self.shade, 9)))
            if i in self.missing:
                read = partial(gone, f"{i}.png")
            for j in range(self.each):
                target = "yes" if (i + j) % 2 else "no"
                picture = ImageRef(f"{i}.png", read)
                made.append(Sample(f"{i}-{j}", f"Is it {j}?", (picture,), target, tags={"j": str(j)}, cluster=str(i)))
        return made

    def build_request(self, sample: Sample, protocol: str) -> Request:
        please = " Please." if protocol == "polite" else ""
        return Request(
            sample.id, sample.question + please, sample.images, generation=self.protocols[protocol].generation
        )

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        if response.text not in ("yes", "no"):
            return Score(None, Status.UNPARSED, note="neither yes nor no")
        return Score(float(response.text == sample.target), parsed_answer=response.text)

    def summarise(self, scored: Sequence[tuple[Sample, Score]], protocol: str) -> Sequence[metrics.Metric]:
        values = [score.value or 0.0 for _, score in scored]
        clusters = [sample.cluster for sample, _ in scored]
        labels = [sample.tags["j"] for sample, _ in scored]
        return [metrics.mean("accuracy", values, clusters), *metrics.by_tag("j", values, labels, clusters)]

    def read_predictions(self, path: Path, samples: Sequence[Sample]) -> Mapping[str, str]:
        return {}


@dataclass
class ToyModel:
    """Answers `text(request)`; counts what it was asked; can fail, raise or stop at a given question."""

    text: Callable[[Request], str] = lambda request: "yes"
    name: str = "toy"
    fingerprint: str = "f1"
    settings: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    raise_at: frozenset[str] = frozenset()
    """Sample ids at which answer() raises RuntimeError."""
    stop_after: int | None = None
    """Questions after which Ctrl-C is pressed."""
    asked: list[str] = field(default_factory=list)
    groups: list[list[str]] = field(default_factory=list)

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        return {"parameters": 0}

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        for group in groups:
            self.groups.append([request.sample_id for request in group])
            for request in group:
                if self.stop_after is not None and len(self.asked) >= self.stop_after:
                    raise KeyboardInterrupt
                if request.sample_id in self.raise_at:
                    raise RuntimeError("planted")
                self.asked.append(request.sample_id)
                yield request, Response(text=self.text(request), new_tokens=1)
