"""AMBER's generative part: what each word does, how words are found, its files, and what NLTK and spaCy are for."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.toys import png
from vlmbench.base.errors import DataError, UsageError
from vlmbench.base.samples import Response, Status
from vlmbench.data.files import Folder, Hub
from vlmbench.tasks.captions import amber_alike, amber_nouns
from vlmbench.tasks.captions.amber_g import AMBER_G as TASK
from vlmbench.tasks.captions.amber_nouns import listed_nouns

RELATED = {
    "sea": ["water", "lake"], "tree": ["bush"], "lake": ["water"], "dog": ["puppy"], "boat": [], "person": ["man"],
    "sign": [], "light": [], "can": [],
}  # fmt: skip
NOTES: list[dict[str, Any]] = [
    {"id": 1, "type": "generative", "truth": ["sea", "lake", "tree"], "hallu": ["dog", "boat"]},
    {"id": 2, "type": "generative", "truth": [], "hallu": []},
    {"id": 1005, "type": "discriminative-hallucination", "truth": "yes"},
]
FILES: dict[str, Any] = {
    "data/query/query_generative.json": [
        {"id": n, "image": f"AMBER_{n}.jpg", "query": "Describe this image."} for n in (1, 2)
    ],
    "data/annotations.json": NOTES,
    "data/relation.json": RELATED,
    "data/alike.json": [["boat", "light"], ["tree", "person"], ["man", "puppy"]],
}


def write(folder: Path, **changed: Any) -> Folder:
    """The files in the repository's layout; a change of None leaves a file out."""
    for name, content in FILES.items():
        stem = Path(name).stem
        if (content := changed.get(stem, content)) is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(json.dumps(content), "utf-8")
    if (words := changed.get("safe_words", "sign\nlight")) is not None:
        (folder / "data/safe_words.txt").write_bytes(words.encode())
    (folder / "image").mkdir()
    for number in (1, 2):
        (folder / "image" / f"AMBER_{number}.jpg").write_bytes(png((10, 20, number)))
    return Folder(folder)


def values(data: Folder, *texts: str) -> dict[str, float]:
    samples = TASK.samples(data, "test")
    scored = [(s, TASK.score(s, Response(text), "word_list")) for s, text in zip(samples, texts, strict=False)]
    return {metric.name: round(metric.value(), 1) for metric in TASK.summarise(scored, "word_list")}


def test_what_each_word_does(tmp_path: Path) -> None:
    """water is the sea (the first that it is named with); a sign is safe; a man is like the foreseen puppy, a person
    like the tree that is there; a boat is foreseen."""
    data = write(tmp_path)
    found = values(data, "water and water, a sign, a man, a person, a boat, an unicorn")
    assert found == {"chair": 33.3, "cover": 66.6, "hal": 100.0, "cog": 100.0, "faithfulness": 66.7}
    assert values(data, "the sea", "a dog and a puppy")["hal"] == 50.0
    assert values(data, "")["hal"] == 0.1  # as the script: its count of answers starts at 0.001
    sample = TASK.samples(data, "test")[0]
    score = TASK.score(sample, Response("a lake with trees"), "word_list")
    assert (score.value, score.parsed_answer) == (1.0, "lake, tree")
    assert sample.extra["covers"]["lake"] == 0  # named with the sea, although it is there itself


def test_without_the_pairs_only_equal_words_are_alike(tmp_path: Path) -> None:
    assert values(write(tmp_path, alike=None), "a man, a person, a tree")["chair"] == 66.6


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Two dogs, bushes and a puppy-dog. A dog's boat", ["dog", "bush", "dog", "boat"]),
        ("Trees can be seen; a can, two cans.", ["can", "can"]),
        ("men and women near the water", ["man", "water"]),
        ("leaves", []),
    ],
)
def test_words_of_the_lists(text: str, found: list[str]) -> None:
    words = {word for key, others in RELATED.items() for word in (key, *others)} | {"leave"}
    assert listed_nouns(text, words) == found


def test_safe_words_of_a_checkout_on_windows(tmp_path: Path) -> None:
    """Every word is safe, not only the last."""
    text = "A sign and a light."
    for name, words in (("unix", "sign\nlight\n"), ("windows", "sign\r\nlight\r\n")):
        (tmp_path / name).mkdir()
        assert values(write(tmp_path / name, safe_words=words), text)["chair"] == 0, name


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"relation": None}, "AMBER's list of related words is not there"),
    ({"safe_words": None}, "AMBER's list of safe words is not there"),
    ({"safe_words": "\n"}, "there is no word in it"),
    ({"relation": {**RELATED, "sea": "water"}}, "field 'sea'"),
    ({"relation": {"sea": []}}, "field 'truth': relation.json has no entry for 'lake'"),
    ({"annotations": [NOTES[0] | {"hallu": ["unicorn"]}, *NOTES[1:]]}, "no entry for 'unicorn'"),
    ({"annotations": [NOTES[0] | {"truth": "yes"}, *NOTES[1:]]}, "field 'truth'"),
    ({"annotations": NOTES[:1]}, "question 2 has no annotation"),
    ({"alike": ["boat"]}, "a list of pairs of words was expected"),
]


@pytest.mark.parametrize(("changed", "message"), BROKEN)
def test_broken_files(changed: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        TASK.samples(write(tmp_path, **changed), "test")
    assert message in str(error.value)


def test_no_copy_on_the_hub(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no copy on the hub"):
        TASK.samples(Hub(tmp_path), "test")


def test_an_answer_file_about_all_of_amber(tmp_path: Path) -> None:
    samples = TASK.samples(write(tmp_path), "test")
    rows = [{"id": n, "response": text} for n, text in ((1, "a sea"), (2, "a boat"), (1005, "Yes"))]
    (tmp_path / "answers.json").write_text(json.dumps(rows), "utf-8")
    assert TASK.read_predictions(tmp_path / "answers.json", samples) == {"1": "a sea", "2": "a boat"}


def test_the_worst_and_the_best_answer(tmp_path: Path) -> None:
    sample = TASK.samples(write(tmp_path), "test")[0]
    worst, best = TASK.extremes(sample, "word_list", 0)
    assert (worst.value, best.value, best.parsed_answer) == (0.0, 1.0, "sea, lake, tree")
    assert "person" not in worst.parsed_answer and "boat" in worst.parsed_answer
    assert TASK.score(sample, Response(TASK.example_answer(sample, "word_list")), "word_list") == best


@dataclass
class Tagged:
    """In place of NLTK, which is not among the packages of the tests."""

    missing: bool = False
    stem = SimpleNamespace(WordNetLemmatizer=lambda: SimpleNamespace(lemmatize=lambda word: word.removesuffix("s")))

    def word_tokenize(self, text: str) -> list[str]:
        if self.missing:
            raise LookupError("punkt_tab")
        return text.split()

    def pos_tag(self, words: list[str]) -> list[tuple[str, str]]:
        return [(word, "VB" if word == "sign" else "NNS") for word in words]


def test_the_official_protocol_needs_nltk_and_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = TASK.samples(write(tmp_path), "test")[0]
    for module, message in ((None, "not installed"), (Tagged(missing=True), "NLTK lacks its tagger")):
        amber_nouns.nltk_or_why.cache_clear()
        monkeypatch.setitem(sys.modules, "nltk", module)  # None: importing it fails
        score = TASK.score(sample, Response("trees"), "official")
        assert (score.value, score.status, score.parsed_answer) == (None, Status.UNPARSED, "")
        assert message in score.note and "pip install nltk" in score.note and "word_list" in score.note
    amber_nouns.nltk_or_why.cache_clear()
    monkeypatch.setitem(sys.modules, "nltk", Tagged())
    score = TASK.score(sample, Response("trees sign boats Boats unicorns"), "official")
    assert (score.parsed_answer, score.value) == ("tree, boat", 0.0)


def test_the_official_protocol_needs_the_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nltk", Tagged())
    sample = TASK.samples(write(tmp_path, alike=None), "test")[0]
    score = TASK.score(sample, Response("trees"), "official")
    assert score.status is Status.UNPARSED and "no alike.json: `python -m" in score.note


@dataclass
class Meaning:
    """In place of a document of spaCy: words of one length are alike."""

    word: str

    def similarity(self, other: Meaning) -> float:
        return 0.9 if len(self.word) == len(other.word) else 0.8


def test_the_pairs_are_written_with_spacy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write(tmp_path, alike=None)
    for module in (None, SimpleNamespace(load=lambda name: (_ for _ in ()).throw(OSError(name)))):
        monkeypatch.setitem(sys.modules, "spacy", module)
        with pytest.raises(UsageError, match="en_core_web_lg is not installed"):
            amber_alike.main(str(tmp_path))
    monkeypatch.setitem(sys.modules, "spacy", SimpleNamespace(load=lambda name: Meaning))
    assert amber_alike.main(str(tmp_path)) == tmp_path / "data/alike.json"
    pairs = json.loads((tmp_path / "data/alike.json").read_text())
    assert ["tree", "lake"] in pairs and ["sea", "tree"] not in pairs and ["light", "water"] in pairs
    assert TASK.samples(data, "test")[0].extra["alike"]
