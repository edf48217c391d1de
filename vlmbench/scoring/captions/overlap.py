"""CIDEr, BLEU and ROUGE-L of captions against references, as pycocoevalcap 1.2 computes them.

CIDEr (Vedantam et al., CVPR 2015) here is CIDEr-D. The weight of a sequence of words depends on how many images'
references have it, among the images that are scored: a caption's value is its part of this set's figure, and would be
another one in another set. BLEU (Papineni et al., ACL 2002) is of the whole set: a ratio of sums. ROUGE-L (Lin 2004)
is a mean over images.
Captions and references are texts of tokens with spaces between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from vlmbench.scoring.captions import ngrams

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

SPREAD = 6.0
"""Standard deviation of CIDEr-D's penalty on the difference of lengths, which it counts in pairs of words."""
RECALL_WEIGHT = 1.2
"""How much more recall weighs than precision in ROUGE-L (beta)."""
TINY, SMALL = 1e-15, 1e-9
"""What BLEU's numerators and denominators are enlarged by."""


@dataclass(frozen=True)
class Overlap:
    """The captions of a set of images, one each, and their references."""

    captions: Sequence[str]
    references: Sequence[Sequence[str]]
    """At least one per image."""

    @cached_property
    def _owner(self) -> Ints:
        """(references,) the image of each reference."""
        import numpy as np

        return np.repeat(np.arange(len(self.captions)), [len(texts) for texts in self.references])

    @cached_property
    def _lengths(self) -> Ints:
        """(captions + references,) words of each text."""
        import numpy as np

        return np.array([len(text.split()) for text in self._texts], dtype=np.int64)

    @cached_property
    def _texts(self) -> list[str]:
        return [*self.captions, *(text for texts in self.references for text in texts)]

    @cached_property
    def _grams(self) -> list[_Shared]:
        return [_shared(grams, len(self.captions), self._owner) for grams in ngrams.count(self._texts)]

    def part(self, rows: Sequence[int]) -> Overlap:
        """Some of the images as a set by themselves."""
        return Overlap([self.captions[row] for row in rows], [self.references[row] for row in rows])

    def cider(self) -> Floats:
        """(images,) CIDEr-D of each caption, 0 to 10, in this set of images. The set's figure is their mean."""
        import numpy as np

        images = len(self.captions)
        if not images:
            return np.zeros(0)
        alike = sum(_cosine(grams, images, self._owner) for grams in self._grams) / ngrams.LONGEST
        pairs = np.maximum(self._lengths - 1, 0)
        apart = (pairs[self._owner] - pairs[images:]).astype(np.float64)
        values = np.bincount(self._owner, alike * np.exp(-(apart**2) / (2 * SPREAD**2)), images)
        of_image: Floats = 10 * values / np.bincount(self._owner, minlength=images)
        return of_image

    def bleu_sums(self) -> Floats:
        """(images, 10) what `bleu` takes: sequences of 1 to 4 words that references have, and all of them; words; words

        of the reference that is nearest in length.
        """
        import numpy as np

        images = len(self.captions)
        lengths = self._lengths[:images]
        right = [np.bincount(g.text, np.minimum(g.count, g.most), images) for g in self._grams]
        guessed = [np.maximum(lengths - n, 0) for n in range(ngrams.LONGEST)]
        starts = np.cumsum([0, *(len(texts) for texts in self.references)]) + images
        nearest = [
            min((abs(int(length) - size), size) for size in self._lengths[start:end].tolist())[1]
            for length, start, end in zip(lengths, starts, starts[1:], strict=False)
        ]
        return np.stack([*right, *guessed, lengths, np.array(nearest)], axis=1).astype(np.float64)

    def rouge(self) -> list[float]:
        """ROUGE-L of each caption, 0 to 1."""
        return [rouge(caption, texts) for caption, texts in zip(self.captions, self.references, strict=True)]


def bleu(sums: Floats, longest: int) -> Floats:
    """(..., 10) sums of `Overlap.bleu_sums` to (...) BLEU-`longest`, 0 to 1."""
    import numpy as np

    right, guessed = sums[..., :longest], sums[..., ngrams.LONGEST : ngrams.LONGEST + longest]
    precision = np.prod((right + TINY) / (guessed + SMALL), axis=-1) ** (1 / longest)
    ratio = (sums[..., -2] + TINY) / (sums[..., -1] + SMALL)
    brevity = np.exp(np.minimum(0.0, 1 - 1 / np.maximum(ratio, TINY)))
    value: Floats = precision * brevity
    return value


def rouge(caption: str, references: Sequence[str]) -> float:
    """ROUGE-L of one caption: the best precision and the best recall of any reference, 0 to 1.

    Words are what single spaces separate, so that an empty text is one empty word.
    """
    words = caption.split(" ")
    precision = recall = 0.0
    for reference in references:
        others = reference.split(" ")
        common = _longest_common(words, others)
        precision, recall = max(precision, common / len(words)), max(recall, common / len(others))
    if not precision or not recall:
        return 0.0
    weight = RECALL_WEIGHT**2
    return (1 + weight) * precision * recall / (recall + weight * precision)


def _longest_common(words: Sequence[str], others: Sequence[str]) -> int:
    """Length of the longest common subsequence, one bit per word (Hyyro 2004)."""
    places: dict[str, int] = {}
    for place, word in enumerate(words):
        places[word] = places.get(word, 0) | 1 << place
    every = (1 << len(words)) - 1
    rows = every
    for word in others:
        met = rows & places.get(word, 0)
        rows = (rows + met | rows - met) & every
    return len(words) - rows.bit_count()


# ---------------------------------------------------------------------------------- sequences that texts have in common


@dataclass(frozen=True)
class _Shared:
    """The sequences of n words in captions, and those of them that the same image's references have."""

    text: Ints
    """(rows,) the caption of each row."""
    count: Ints
    weight: Floats
    """(rows,) how often, times the weight of the sequence."""
    most: Ints
    """(rows,) how often a reference has it at most."""
    place: Ints
    """(pairs,) a row of a caption; with `reference` and `in_reference`, one sequence that both have."""
    reference: Ints
    in_reference: Floats
    """(pairs,) its weight there."""
    caption_norm: Floats
    reference_norm: Floats


def _shared(grams: ngrams.Grams, images: int, owner: Ints) -> _Shared:
    """Rows of captions come first in `grams`, their texts being the first ones."""
    import numpy as np

    split = int(np.searchsorted(grams.text, images))
    reference = grams.text[split:] - images
    image, code = owner[reference], grams.code[split:]
    kinds = max(grams.kinds, 1)
    seen = np.unique(image * kinds + code) % kinds
    rarity = math.log(max(images, 1)) - np.log(np.maximum(1.0, np.bincount(seen, minlength=kinds)))
    weight = grams.count * rarity[grams.code] if len(grams.code) else np.zeros(0)
    keys = grams.text[:split] * kinds + grams.code[:split]
    place = np.minimum(np.searchsorted(keys, image * kinds + code), max(split - 1, 0))
    met = np.flatnonzero(keys[place] == image * kinds + code) if split else np.zeros(0, dtype=np.int64)
    most = np.zeros(split, dtype=np.int64)
    np.maximum.at(most, place[met], grams.count[split:][met])
    squares = np.bincount(grams.text, weight**2, images + len(owner))
    norms = np.sqrt(squares)
    return _Shared(
        grams.text[:split],
        grams.count[:split],
        weight[:split],
        most,
        place[met],
        reference[met],
        weight[split:][met],
        norms[:images],
        norms[images:],
    )


def _cosine(grams: _Shared, images: int, owner: Ints) -> Floats:
    """(references,) the cosine of each with its caption, in which no sequence counts more often than it is there."""
    import numpy as np

    parts = np.minimum(grams.weight[grams.place], grams.in_reference) * grams.in_reference
    norms = grams.caption_norm[owner] * grams.reference_norm
    sums = np.bincount(grams.reference, parts, len(owner)).astype(np.float64)
    return np.divide(sums, norms, out=sums, where=norms != 0)
