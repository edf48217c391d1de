"""Small copies of a run's images for reports, and the model's training log: what must never cost a score.

They are written when records and scores are safe. A full disk, a folder that cannot be written or a image that cannot
be drawn is a warning.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from vlmbench.base.errors import ImageError
from vlmbench.base.files import write_atomically
from vlmbench.base.model import Model
from vlmbench.base.process.progress import each
from vlmbench.base.samples import ImageRef
from vlmbench.data.images import decoding as images
from vlmbench.runs.storage import changed_images
from vlmbench.runs.storage.changed_images import Changed
from vlmbench.runs.storage.layout import THUMBS, TRAINING_LOG

LOGGER = logging.getLogger(__name__)
MOST = 2000
"""Images of a run that reports can show."""
SIDE = 256
"""Their longer side, in pixels."""


def decorate(pictures: Mapping[str, ImageRef], model: Model, folder: Path, changed: Sequence[Changed] = ()) -> None:
    """Put thumbnails and the training log into a run's folder, as far as that goes; `images` are by content hash.
    `changed`: images of a perturbed run, to be shown beside the unperturbed ones.
    """
    try:
        changed_images.keep(changed, folder / THUMBS)
        _keep_thumbnails(pictures, folder / THUMBS)
        if log := model.facts.get("training_log"):
            write_atomically(folder / TRAINING_LOG, Path(str(log)).read_bytes())
    except Exception as error:  # whatever a disk or an imaging library raises: the scores are written
        told = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        LOGGER.warning("%s: the scores are complete, the thumbnails for reports are not: %s", folder, told)


def _keep_thumbnails(pictures: Mapping[str, ImageRef], folder: Path) -> None:
    """As many as a page can carry; one that cannot be drawn is left out."""
    for digest, picture in each(list(pictures.items())[:MOST], "keeping small images", "image"):
        path = folder / f"{digest[:16]}.jpg"
        if not path.is_file():
            folder.mkdir(exist_ok=True)
            with suppress(ImageError):
                write_atomically(path, images.thumbnail(images.decode(picture.load(), picture.name), SIDE))
