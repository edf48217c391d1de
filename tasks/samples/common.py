"""What the builders of the embedded samples share: which scenes, and how files are written."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.scenes.scene import Scene, draw, make_scene, sample_seeds

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGES = 60
"""Pictures in each of the first samples."""


def scenes(task: str, wanted: int = IMAGES) -> list[Scene]:
    """The sample's scenes: at least three different kinds each, as POPE asks of its pictures."""
    found: list[Scene] = []
    for seed in sample_seeds(task):
        scene = make_scene(seed)
        if len({thing.kind for thing in scene.things}) >= 3:
            found.append(scene)
        if len(found) == wanted:
            break
    return found


def jpeg(scene: Scene) -> bytes:
    """The scene as a JPEG file."""
    return encoded(draw(scene))


def encoded(picture: Image, kind: str = "JPEG") -> bytes:
    """A picture as a file's bytes."""
    file = io.BytesIO()
    picture.save(file, kind, quality=90)
    return file.getvalue()


def write(path: Path, content: str | bytes) -> None:
    """A file, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def compact(value: Any) -> str:
    """JSON without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
