"""Who can teach whom: log-probabilities that are the networks' own, and refusals that say why."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models.huggingface import tiny_hf
from tests.models.tiny import codegen
from tests.training.distil.rows import rows, student, taught
from tests.training.toy import SMALL
from vlmbench.base.errors import TrainingError, UnknownNameError
from vlmbench.base.model import Vocabulary
from vlmbench.base.samples import Conversation, Request, Response
from vlmbench.models.huggingface import load as hf_load
from vlmbench.models.systems import tinyllava
from vlmbench.training.distil.answer_file import OK, AnswerFile
from vlmbench.training.distil.asking import Asking, answered, keys_of, png
from vlmbench.training.distil.teacher import Teacher, opened, shared_ids
from vlmbench.training.recipe.teacher import Distil


class Fixed:
    """Answers by rule; follow-up questions too."""

    name, fingerprint, supports_multi_turn = "fixed", "1", True

    def __init__(self) -> None:
        self.settings: dict[str, str] = {}
        self.facts: dict[str, str] = {}
        self.asked: list[Request] = []

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        for request in (request for group in groups for request in group):
            self.asked.append(request)
            yield request, self.say(request)

    def say(self, request: Request) -> Response:
        return Response(f" said {len(request.history)} ")


def asking(model: Fixed, path: Path, bad: float = 0.0, **settings: object) -> Asking:
    teacher = Teacher(Distil("fixed", kind="answers", **settings), model, Vocabulary({}))  # type: ignore[arg-type]
    return Asking(teacher, AnswerFile(path, teacher.mark, write=True), bad)


def test_answers_take_the_datas_place_and_dialogues_know_them(tmp_path: Path) -> None:
    model, asked = Fixed(), rows()
    ask = asking(model, tmp_path / "answers", max_new_tokens=9, beams=2)
    ask.ask(asked)
    told = [answered(row, [ask.file.get(key) for key in keys_of(row)]) for row in asked]
    assert [[answer for _, answer in row.turns] for row in told] == [
        ["said 0"] * len(asked[0].turns),
        ["said 0"] * len(asked[1].turns),
        [f"said {at}" for at in range(len(asked[2].turns))],
    ]
    last = model.asked[-1]
    assert [answer for _, answer in last.history] == [f"said {at}" for at in range(len(last.history))]
    assert (last.generation.max_new_tokens, last.generation.num_beams) == (9, 2)
    count = len(model.asked)
    ask.ask(rows())
    assert len(model.asked) == count, "what is in the file is not asked again"


def test_failures_are_counted_and_too_many_are_refused(tmp_path: Path) -> None:
    class Broken(Fixed):
        def say(self, request: Request) -> Response:
            if "Is" in request.prompt:
                return Response(finish="error", error="the server is away")
            return Response("x", finish="length") if len(request.prompt) % 2 else Response(" ")

    with pytest.raises(TrainingError, match=r"no usable answer: .* failed") as caught:
        asking(Broken(), tmp_path / "strict").ask(rows())
    assert "the server is away" in str(caught.value)
    ask = asking(Broken(), tmp_path / "lenient", 1.0)
    ask.ask(asked := rows())
    assert set(ask.bad) == {"failed", "cut at max_new_tokens", "empty"}
    assert all(answered(row, [ask.file.get(key) for key in keys_of(row)]) == row for row in asked), (
        "the data's own stay"
    )


def test_dialogues_need_a_teacher_that_takes_them(tmp_path: Path) -> None:
    model = Fixed()
    model.supports_multi_turn = False
    asking(model, tmp_path / "single").ask(rows(dialogues=False))
    with pytest.raises(TrainingError, match="cannot be asked a follow-up question"):
        asking(model, tmp_path / "dialogue").ask(rows())


def test_both_scores_the_teachers_own_answers(tmp_path: Path) -> None:
    asked = rows(dialogues=False)[:1]
    model = taught(Distil("tinyllava", kind="both", top_k=2), tmp_path / "answers", asked)
    assert model.file is not None
    own = tinyllava.load(None).system.tokenizer
    for key in keys_of(asked[0]):
        said = model.file.get(key)
        assert said is not None and said.status == OK and said.tokens is not None and said.ids is not None
        assert own.decode(said.tokens.tolist()).strip() == said.text
        assert said.ids[:, 0].tolist() == said.tokens.tolist(), "it answered greedily"
    batch = model.collate(asked, "")
    assert int((batch["teacher_at"] >= 0).sum()) == int((batch["labels"] >= 0).sum())


def test_a_row_that_was_not_asked_about_is_an_error(tmp_path: Path) -> None:
    asked = rows()
    model = taught(Distil("tinyllava", top_k=2), tmp_path / "answers", asked[:1])
    with pytest.raises(TrainingError, match="the teacher was not asked about row '1'"):
        model.collate(asked, "")


def test_what_an_hf_teacher_tells_is_its_networks(tmp_path: Path) -> None:
    """Packed behind one picture and one by one, with the end token, for the ids that a student shares."""
    folder = tmp_path / "llava"
    model, processor = tiny_hf.BUILDERS["llava"]()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    from vlmbench.base.samples import ImageRef

    row = rows()[0]
    assert row.image is not None
    content = png(row.image)
    requests = [
        Request(str(at), question, (ImageRef("one", lambda: content),), (answer,))
        for at, (question, answer) in enumerate(row.turns)
    ]
    told = {}
    for engine in ("shared", "simple"):
        loaded = hf_load.load(str(folder), engine=engine)
        told[engine] = {request.sample_id: one for request, one in loaded.token_logprobs([requests], 5, 200)}
    vocabulary = loaded.vocabulary()
    for request in requests:
        one, other = (told[engine][request.sample_id] for engine in ("shared", "simple"))
        assert one.error == "" and one.tokens == other.tokens and one.tokens[-1] == min(loaded.hf.end_ids)
        assert one.ids is not None and one.logprobs is not None and one.rest is not None and other.logprobs is not None
        assert "".join(vocabulary.tokens[token] for token in one.tokens[:-1]).replace("Ġ", " ") == request.choices[0]
        assert np.allclose(one.logprobs, other.logprobs, atol=1e-4) and one.ids.max() < 200
        assert np.allclose(np.exp(one.logprobs).sum(axis=1) + np.exp(one.rest), 1.0, atol=1e-5)


def test_vocabularies_are_compared_token_by_token() -> None:
    base = Vocabulary({0: "<end>", 1: "a", 2: "b"}, frozenset({0}))
    image = Vocabulary({**base.tokens, 3: "<image>"}, frozenset({0, 3}))
    assert shared_ids(image, base, "") == shared_ids(base, image, "") == 3
    with pytest.raises(TrainingError, match="1 tokens differ: 3 is 'c' to the teacher and no token to the student"):
        shared_ids(Vocabulary({**base.tokens, 3: "c"}), base, "teacher x")
    swapped = Vocabulary({0: "<end>", 1: "b", 2: "a"}, frozenset({0}))
    with pytest.raises(
        TrainingError, match="2 tokens differ: 1 is 'a' to the teacher and 'b' to the student"
    ) as caught:
        shared_ids(base, swapped, "teacher x")
    assert "distil.kind=answers" in str(caught.value)


def test_refusals_say_why(tmp_path: Path) -> None:
    own = student().vocabulary()
    with pytest.raises(TrainingError, match="echo: gives no log-probabilities"), opened(Distil("echo"), own):
        pass
    many = Distil("tinyllava", top_k=2000)
    with pytest.raises(TrainingError, match="top_k 2000 contradicts a vocabulary of 1024 tokens"), opened(many, own):
        pass
    other = tinyllava.build(SMALL, preprocessor=None, tokenizer=codegen(tmp_path))
    words, expected = other.vocabulary(), "another tokenizer than the student's: [0-9,]+ tokens differ"
    with pytest.raises(TrainingError, match=expected), opened(Distil("tinyllava"), words):
        pass
    threads = torch.get_num_threads()
    with opened(Distil("tinyllava", kind="answers"), other.vocabulary()) as teacher:
        assert "vocabulary" not in teacher.mark and "top_k" not in teacher.mark
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"temperature": 0.0}, "temperature is 0.0: it must be above 0"),
        ({"temperature": float("nan")}, "temperature is nan: it must be a finite number"),
        ({"top_k": 0}, "top_k is 0: it must be at least 1"),
        ({"weight": 1.5}, "weight is 1.5: it must be at least 0 and at most 1"),
        ({"kind": "answers", "temperature": 4.0}, "temperature 4 contradicts kind 'answers'"),
        ({"kind": "logits", "beams": 5}, "beams 5 contradicts kind 'logits'"),
        ({"teacher": ""}, "teacher is empty"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        Distil(**{"teacher": "tinyllava", **settings})  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="no kind of distillation named 'logit'"):
        Distil("tinyllava", kind="logit")


def test_keys_are_of_everything_that_decides_an_answer() -> None:
    row = rows()[0]
    turned = Conversation(row.turns[::-1], row.image, True)
    assert keys_of(turned) == keys_of(row)[::-1]
    assert row.image is not None
    others = [
        Conversation(row.turns, row.image.rotate(90), True),
        Conversation(row.turns, None, True),
        Conversation(((row.turns[0][0], "other"), *row.turns[1:]), row.image, False),
    ]
    for other in others:
        assert not set(keys_of(other)) & set(keys_of(row)[1:])
    assert json.dumps([key.hex() for key in keys_of(row)])
