"""`--perturb pgd`: the images of a question, attacked through the model that is asked it, and kept as files.

The right answer goes to the attack alone: it is told to `image_loss`, which gives gradients, and never stands in a
request. What the model answers is an ordinary request with other images, whose content is in its key.

Attacked images lie in the cache, by the content of everything that decides them, because they are read several times
and take many passes through the network: a run that was interrupted goes on where it was.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from vlmbench.base.errors import ImageError, UsageError
from vlmbench.base.files import write_atomically
from vlmbench.base.model import GivesImageGradients, Model
from vlmbench.base.process import progress
from vlmbench.base.samples import ImageRef, Request, Sample
from vlmbench.data.images import decoding as images
from vlmbench.perturbations import pgd
from vlmbench.perturbations.wrong_answers import WrongAnswers, right_answer

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice

FORMAT = 1
"""Of the attack: another one gives other images."""
FOLDER = "attacked"
"""In the cache."""
NO_ANSWER = "it has no published right answer in words, whose loss could be raised"
NO_WRONG_ANSWER = "it has no wrong answer to aim at"


def refuse(model: Model) -> None:
    """Raise UsageError for a model through which no image can be attacked."""
    reason = "it gives no gradients"
    if isinstance(model, GivesImageGradients):
        reason = model.image_gradients
    if reason:
        problem = f"pgd cannot attack the images of {model.name}: {reason}"
        hint = "take an included system (tinyllava, tinygptv, minigpt4, minigptv2) in this process, without --workers, "
        raise UsageError(problem, hint=f"{hint}--quantize and --linear; or attack by words: --perturb typographic")


@dataclass
class Attacks:
    """The attack on the images of a task's questions."""

    attack: pgd.Attack
    seed: int
    choice: TaskChoice
    every: Sequence[Sample]
    model: Model
    cache: Path
    wrong: WrongAnswers = field(init=False)

    def __post_init__(self) -> None:
        """Raises UsageError for few-shot examples."""
        if self.choice.variant.shots:
            raise UsageError(f"pgd: {self.choice.key} is attacked without examples", hint="leave --shots out")
        self.wrong = WrongAnswers(self.choice, self.every, self.seed)

    def requests(self, chosen: Sequence[Sample]) -> Iterator[tuple[Sample, Request | str]]:
        """Each sample with its request, or why it is not attacked. An image that cannot be read is left to its
        error.
        """
        for sample in progress.each(chosen, f"attacking the images of {self.choice.key}", "question"):
            request = self.choice.build_request(sample)
            aim = self._aim(sample)
            if not request.images:
                yield sample, "no image"
            elif aim is None:
                yield sample, NO_ANSWER if self.attack.target == "none" else NO_WRONG_ANSWER
            else:
                try:
                    yield sample, self._attacked(request, aim)
                except ImageError:
                    yield sample, request

    def _aim(self, sample: Sample) -> str | None:
        """The answer whose loss is raised, or lowered."""
        if self.attack.target == "none":
            return right_answer(self.choice, sample) or None
        return self.wrong.as_asked(sample)

    def _attacked(self, request: Request, aim: str) -> Request:
        if not self.attack.eps:
            return request
        data = [image.load() for image in request.images]
        digest = self._digest(request, aim, [images.fingerprint(one) for one in data])
        files = [self.cache / FOLDER / f"{digest}-{number}.png" for number in range(len(data))]
        if not all(file.is_file() for file in files):
            decoded = [images.decode(one, image.name) for one, image in zip(data, request.images, strict=True)]
            self._write(request, aim, [_pixels(image) for image in decoded], files, digest)
        shown = (
            ImageRef(f"{image.name}#{digest[:16]}", partial(_read, file))
            for image, file in zip(request.images, files, strict=True)
        )
        return replace(request, images=tuple(shown))

    def _write(
        self, request: Request, aim: str, clean: Sequence[pgd.Levels], files: Sequence[Path], digest: str
    ) -> None:
        """Attack and keep the images. Raises UsageError for a model that gives no gradients."""
        import numpy as np
        from PIL import Image

        refuse(self.model)
        assert isinstance(self.model, GivesImageGradients)  # refused above
        chance = np.random.Generator(np.random.PCG64(int(digest[:32], 16)))
        loss = partial(self.model.image_loss, request, aim)
        towards = self.attack.target != "none"
        for file, pixels in zip(files, pgd.attacked(clean, loss, self.attack, chance, towards=towards), strict=True):
            out = io.BytesIO()
            Image.fromarray(pixels).save(out, "PNG")
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, out.getvalue())

    def _digest(self, request: Request, aim: str, prints: Sequence[str]) -> str:
        """Of everything that decides the attacked images."""
        asked: Any = [request.prompt, request.history, request.image_places, request.system, aim, prints]
        content = [FORMAT, self.model.fingerprint, dict(self.model.settings), repr(self.attack), self.seed, asked]
        return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _pixels(image: Any) -> pgd.Levels:
    import numpy as np

    return np.asarray(image)


def _read(file: Path) -> bytes:
    """As a PPM file, like all changed images."""
    try:
        return images.to_ppm(images.decode(file.read_bytes(), file.name))
    except OSError as error:
        hint = "run the same command again: it is attacked anew"
        raise ImageError(
            f"an attacked image is gone from the cache: {error.strerror}", where=str(file), hint=hint
        ) from None
