"""The objects that a caption names, as CHAIR finds them; tests/golden compares words and figures with its code."""

from __future__ import annotations

import pytest

from vlmbench.scoring.captions.objects import named, sentences, treebank, words
from vlmbench.scoring.captions.singular import singular

SINGULARS = {
    "dogs": "dog", "buses": "bus", "knives": "knife", "wolves": "wolf", "women": "woman", "people": "person",
    "children": "child", "scissors": "scissors", "ties": "ty", "doggies": "doggies", "bases": "basis", "four": "fmy",
    "glass": "glas", "dice": "dice", "mice": "mouse", "rice": "rice", "ice": "ice", "boxes": "box", "oxens": "oxs",
    "mothers-in-law": "mother-in-law", "t-shirts": "t-shirt", "dogs'": "dog's", "berries": "berry",
    "": "", "skis": "ski",
}  # fmt: skip
SYNONYMS = {"dog": "dog", "puppy": "dog", "person": "person", "baby": "person", "chair": "chair", "seat": "chair",
            "toilet": "toilet", "wine glass": "wine glass", "train": "train", "bear": "bear", "tie": "tie"}  # fmt: skip


@pytest.mark.parametrize("word", SINGULARS)
def test_singulars_with_their_mistakes(word: str) -> None:
    assert singular(word) == SINGULARS[word]


def test_words_of_the_treebank() -> None:
    assert treebank('a "dog\'s" toy, they can\'t cannot; (it\'s) 5:30.') == [
        "a", "``", "dog", "'s", "''", "toy", ",", "they", "ca", "n't", "can", "not", ";", "(", "it", "'s", ")", "5:30",
        ".",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "count"), [("a dog. a cat.", 2), ("what? yes! (no.) so", 4), ("the t.v. is on", 1), ("a b. c", 1), ("", 1)]
)
def test_sentences(text: str, count: int) -> None:
    assert len(sentences(text)) == count


@pytest.mark.parametrize(
    ("caption", "things"),
    [
        ("Two dogs. A Puppy!", ["dog", "dog"]),
        ("There is a dog.\n\nPeople sit. A baby's bear", ["dog", "person", "person", "bear"]),
        ("an adult bear and a passenger train", ["bear", "train"]),
        ("the seat of the toilet, a toilet seat", ["toilet", "toilet"]),
        ("two wine glasses on a seat", ["wine glass", "chair"]),
        ("a bow tie", ["tie"]),
        ("dogs", ["dog"]),
        ("", []),
    ],
)
def test_objects_of_several_sentences(caption: str, things: list[str]) -> None:
    assert [thing for _, thing in named(caption, SYNONYMS)] == things


def test_a_full_stop_inside_hides_no_object() -> None:
    """What the oracle's single sentences do: `dog.` is no word of the list."""
    caption = "A dog. A baby"
    assert [word for word, _ in named(caption, SYNONYMS, lambda text: [text])] == ["baby"]
    assert "dog" in words(caption)
