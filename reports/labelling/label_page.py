"""Answers of a run as a page for people to grade: it opens from disk, needs no network, and saves a sheet.

It holds the answers that `vlmbench judge label` draws, with their images inside: at up to IMAGE_SIDE pixels from the
data where they are still there, or the run's own small copies. What the judge gave is left out unless `reveal` is set,
and the model's name unless `show_model` is: both would lead whoever grades.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmbench.base.errors import UsageError, VlmbenchError
from vlmbench.base.samples import ImageRef
from vlmbench.compare.labels import sheet
from vlmbench.data.images import decoding as images
from vlmbench.runs import rescore
from vlmbench.runs.storage.layout import THUMBS
from vlmbench.runs.storage.reload import Item, StoredRun, StoredTask, text_hash

from ..site.page import render

IMAGE_SIDE = 768
"""Pixels of an image's longer side, at most."""
LARGEST = 64 << 20
"""Bytes of all images together."""


@dataclass(frozen=True)
class Written:
    """What a page holds."""

    answers: int
    images: int
    small: int
    """Images that are the run's own small copies."""
    missing: int
    """Images of which there is none."""


@dataclass
class _Images:
    """The images of a page, each once."""

    folder: Path
    originals: Mapping[tuple[str, str], tuple[ImageRef, ...]]
    entries: list[dict[str, Any]] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    size: int = 0
    small: int = 0
    missing: int = 0

    def of(self, task: StoredTask, item: Item) -> list[int]:
        """The places of an answer's images."""
        originals = self.originals.get((task.key, item.sample.id), ())
        return [
            self._place(
                image.name,
                item.image_hashes[at] if at < len(item.image_hashes) else "",
                originals[at] if at < len(originals) else None,
            )
            for at, image in enumerate(item.sample.images)
        ]

    def _place(self, name: str, digest: str, original: ImageRef | None) -> int:
        known = digest or name
        if known not in self.places:
            content = _scaled(original)
            if content is None:
                content = self._thumbnail(digest)
                self.small += content is not None
            self.missing += content is None
            self.size += len(content or b"")
            if self.size > LARGEST:
                hint = f"--count draws fewer answers; a page holds {LARGEST >> 20} MiB of images"
                raise UsageError("the images are too many for one page", hint=hint)
            uri = None if content is None else f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"
            self.places[known] = len(self.entries)
            self.entries.append({"name": name, "uri": uri})
        return self.places[known]

    def _thumbnail(self, digest: str) -> bytes | None:
        path = self.folder / THUMBS / f"{digest[:16]}.jpg"
        return path.read_bytes() if digest.isalnum() and path.is_file() else None


def _scaled(original: ImageRef | None) -> bytes | None:
    """A JPEG of the image; None where it cannot be read."""
    if original is None:
        return None
    try:
        return images.thumbnail(images.decode(original.load(), original.name), IMAGE_SIDE)
    except (VlmbenchError, OSError):
        return None


def write(
    output: Path,
    run: StoredRun,
    *,
    count: int,
    seed: int = 0,
    data: str | None = None,
    reveal: bool = False,
    show_model: bool = False,
) -> Written:
    """Write the page of all tasks of a run. `data` names where the images are now, if not where they were.

    Raises UsageError for a run without grades, and where the images are too large together.
    """
    shown = _Images(run.path, _originals(run, data))
    items = [
        _item(task, item, shown.of(task, item), reveal)
        for task in run.tasks.values()
        for item in sheet.draw(task, count, seed)
    ]
    known = "\n".join(f"{one['task']}\t{one['sample_id']}\t{one['answer_hash']}" for one in items)
    content = {
        "id": hashlib.sha256(known.encode()).hexdigest()[:16],
        "model": run.name if show_model else "",
        "images": shown.entries,
        "items": items,
    }
    page = render("training.html", script="labels", data={"labels": content}, title="Grade answers", charts=False)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page, encoding="utf-8", newline="\n")
    return Written(len(items), len(shown.entries), shown.small, shown.missing)


def _originals(run: StoredRun, data: str | None) -> dict[tuple[str, str], tuple[ImageRef, ...]]:
    """By task and sample, its images from the data; none under a perturbation, which showed others, or without data.

    Raises DataError where `data` names others.
    """
    if run.manifest.get("asked", {}).get("perturb"):
        return {}
    try:
        answers = rescore.load(run.path, data).answers
    except VlmbenchError:
        if data:
            raise
        return {}
    return {(one.choice.key, one.sample.id): one.sample.images for one in answers}


def _item(task: StoredTask, item: Item, places: list[int], reveal: bool) -> dict[str, Any]:
    sample, scale = item.sample, sheet.scale_of(task)
    return {
        "task": task.key,
        "sample_id": sample.id,
        "answer_hash": text_hash(item.text),
        "images": places,
        "names": " ".join(image.name for image in sample.images),
        "question": sample.question,
        "choices": list(sample.choices),
        "target": "" if sample.target is None else str(sample.target),
        "answer": item.text,
        "scale": str(scale),
        "low": scale.low,
        "high": scale.high,
        "judge": item.score.value if reveal else None,
    }
