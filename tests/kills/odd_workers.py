"""What loads a model in a worker that is unlike the others. Picklable, and imported by the worker from here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.kills.shards import load
from vlmbench.base.errors import ImageError
from vlmbench.data.files import ImageFile
from vlmbench.runs.storage import parts


class Elsewhere:
    """Loads a model on a machine that sees neither the data nor the run's folder."""

    def __init__(self, data: bool, folder: bool) -> None:
        self.data, self.folder = data, folder

    def __call__(self) -> Any:
        def unread(self: ImageFile) -> bytes:
            raise ImageError("no image", where=str(self.root))

        def unwritable(part: Any) -> Any:
            return parts.Buffer(), "cannot write to it"

        if self.data:
            ImageFile.__call__ = unread  # type: ignore[method-assign]
        if self.folder:
            parts.writer = unwritable
        return load(0.0)


class Drifting:
    """Another model in every process, slow enough that a second one is there before the first has answered all."""

    def __call__(self) -> Any:
        model: Any = load(0.2)
        model.fingerprint = str(os.getpid())
        return model


class Scribbler:
    """A worker whose first line is damaged on its way to the disk, once."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __call__(self) -> Any:
        write, mark = parts.PartWriter.write, self.mark

        def scribbled(self: parts.PartWriter, lines: Any) -> None:
            try:
                mark.touch(exist_ok=False)
            except FileExistsError:
                write(self, lines)
            else:
                write(self, [lines[0].replace(b"finish", b"fixish"), *lines[1:]])

        parts.PartWriter.write = scribbled  # type: ignore[method-assign]
        return load(0.0)
