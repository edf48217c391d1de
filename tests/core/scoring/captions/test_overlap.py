"""CIDEr, BLEU and ROUGE-L; tests/golden compares them with pycocoevalcap."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest

from vlmbench.scoring.captions.overlap import Overlap, bleu, rouge

DOGS, CATS = "a dog runs on the grass", "two cats sleep in a box"


def naive_cider(captions: list[str], references: list[list[str]]) -> list[float]:
    """CIDEr-D by the formula, with dictionaries."""

    def grams(text: str, n: int) -> Counter[tuple[str, ...]]:
        words = text.split()
        return Counter(tuple(words[place : place + n]) for place in range(len(words) - n + 1))

    found = []
    for caption, texts in zip(captions, references, strict=True):
        total = 0.0
        for n in (1, 2, 3, 4):
            seen = Counter(gram for others in references for gram in {g for text in others for g in grams(text, n)})

            def weights(text: str, n: int = n, seen: Counter[tuple[str, ...]] = seen) -> dict[tuple[str, ...], float]:
                rarity = math.log(len(captions))
                return {g: k * (rarity - math.log(max(1, seen[g]))) for g, k in grams(text, n).items()}

            ours = weights(caption)
            for text in texts:
                theirs = weights(text)
                norms = math.hypot(*ours.values()) * math.hypot(*theirs.values())
                both = sum(min(ours[gram], theirs.get(gram, 0.0)) * theirs.get(gram, 0.0) for gram in ours)
                apart = max(0, len(caption.split()) - 1) - max(0, len(text.split()) - 1)
                total += (both / norms if norms else 0.0) * math.exp(-(apart**2) / 72) / len(texts) / 4
        found.append(10 * total)
    return found


def made_up(images: int, seed: int) -> tuple[list[str], list[list[str]]]:
    """Captions of few words, so that much is shared."""
    dice = random.Random(seed)
    words = ["a", "dog", "cat", "runs", "on", "the", "grass", "with", "red"]

    def text() -> str:
        return " ".join(dice.choice(words) for _ in range(dice.randint(0, 8)))

    return [text() for _ in range(images)], [[text() for _ in range(dice.randint(1, 5))] for _ in range(images)]


@pytest.mark.parametrize("seed", range(4))
def test_cider_is_the_formula(seed: int) -> None:
    captions, references = made_up(30, seed)
    found = Overlap(captions, references).cider()
    assert found == pytest.approx(naive_cider(captions, references), abs=1e-9)


def test_cider_is_of_a_set() -> None:
    """The words' weights are the set's: a part by itself has another figure, and one image has none."""
    captions, references = made_up(40, 1)
    whole = Overlap(captions, references)
    part = whole.part(range(10))
    assert part.cider().mean() != pytest.approx(whole.cider()[:10].mean(), abs=1e-3)
    assert whole.part([3]).cider().tolist() == [0.0]
    assert Overlap([DOGS, CATS], [[DOGS], [CATS]]).cider() == pytest.approx([10.0, 10.0])


def test_bleu_is_a_ratio_of_sums() -> None:
    overlap = Overlap([DOGS, "two two two two"], [[CATS, DOGS], [CATS]])
    sums = overlap.bleu_sums()
    assert sums[0].tolist() == [6, 5, 4, 3, 6, 5, 4, 3, 6, 6]
    assert sums[1].tolist() == [1, 0, 0, 0, 4, 3, 2, 1, 4, 6]  # a word counts as often as a reference has it
    assert bleu(sums[0], 4) == pytest.approx(1, abs=1e-6)
    assert bleu(sums.sum(axis=0), 1) == pytest.approx(7 / 10 * math.exp(1 - 12 / 10), abs=1e-6)
    assert bleu(sums, 2).shape == (2,)
    assert bleu(np.zeros(10), 4) == 0


def test_the_nearest_reference_in_length_the_shorter_of_two() -> None:
    assert Overlap(["a b c"], [["a b c d", "a b"]]).bleu_sums()[0, -1] == 2


def test_rouge() -> None:
    assert rouge(DOGS, [DOGS]) == pytest.approx(1)
    assert rouge("a b c d", ["a x c"]) == pytest.approx(2.44 * 0.5 * (2 / 3) / (2 / 3 + 1.44 * 0.5))
    assert rouge(CATS, ["nothing alike"]) == 0
    assert rouge("", [DOGS]) == 0


def test_without_images_or_words() -> None:
    assert not len(Overlap([], []).cider())
    empty = Overlap(["", ""], [[DOGS], [""]])
    assert empty.cider().tolist() == [0.0, 0.0]
    assert bleu(empty.bleu_sums().sum(axis=0), 4) == 0
