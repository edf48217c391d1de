"""Which image stands in for which where a question is shown another image of its split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from vlmbench.base.errors import ImageError
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.data.images import decoding as images


class Donors:
    """Whose images stand in for whose: never equal bytes, never of a shared cluster, always as many."""

    def __init__(self, every: Iterable[Sample], seed: int) -> None:
        self._images: dict[tuple[str, ...], tuple[ImageRef, ...]] = {}
        self._clusters: dict[tuple[str, ...], set[str]] = {}
        for sample in every:
            if sample.images:
                names = _names(sample)
                self._images.setdefault(names, sample.images)
                self._clusters.setdefault(names, set()).add(sample.cluster or sample.id)
        self._circle = sorted(self._images, key=lambda names: hashlib.sha256(repr((seed, names)).encode()).digest())
        self._place = {names: place for place, names in enumerate(self._circle)}
        self._found: dict[tuple[str, ...], tuple[ImageRef, ...] | None] = {}

    def of(self, sample: Sample) -> tuple[ImageRef, ...] | None:
        """The images to show instead; None where there are none."""
        names = _names(sample)
        if names not in self._found:
            start = self._place[names] + 1
            rest = (*self._circle[start:], *self._circle[: start - 1])
            self._found[names] = next((self._images[donor] for donor in rest if self._fits(names, donor)), None)
        return self._found[names]

    def _fits(self, names: tuple[str, ...], donor: tuple[str, ...]) -> bool:
        if len(names) != len(donor) or self._clusters[names] & self._clusters[donor]:
            return False
        own, donated = (_prints(self._images[key]) for key in (names, donor))
        return not own & donated


def _names(sample: Sample) -> tuple[str, ...]:
    return tuple(image.name for image in sample.images)


def _prints(refs: Sequence[ImageRef]) -> set[str]:
    """Fingerprints of those images that can be read."""
    prints = set()
    for image in refs:
        try:
            prints.add(images.fingerprint(image.load()))
        except ImageError:
            continue
    return prints
