"""What a few-shot example says is right: the protocol's own reader gives it full marks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vlmbench.base.errors import UsageError
from vlmbench.base.registry import choose_task, tasks
from vlmbench.base.samples import ChoiceScore, Response, Sample, Status
from vlmbench.base.task import example_answer
from vlmbench.data.files import Folder
from vlmbench.parsing.boxes import in_hundredths, in_shares


def everything() -> Iterator[str]:
    """Every protocol of every task on its default split."""
    for name in tasks.builtin:
        for protocol in choose_task(name).task.protocols:
            yield f"{name}@{protocol}"


@pytest.mark.parametrize("key", [*everything()])
def test_examples_of_every_protocol_get_full_marks(key: str) -> None:
    choice = choose_task(key)
    answer_of = example_answer(choice.task)
    assert answer_of is not None
    graded = 0
    for sample in choice.task.samples(Folder.sample(choice.task.name), choice.split)[:200]:
        if sample.target is None:
            continue
        try:
            request = choice.task.build_request(sample, choice.protocol)
        except UsageError:  # a kind of question that the protocol does not know
            continue
        answer = answer_of(sample, choice.protocol)
        ranked = tuple(ChoiceScore(option, 0.0 if option == answer else -9.0, 1) for option in request.choices)
        if request.choices and answer not in request.choices:
            assert choice.protocol == "unanswerability", "which ranks one word, and is shown answers all the same"
            graded += 1
            continue
        score = choice.task.score(sample, Response(answer, ranked), choice.protocol)
        if key == "mmmu@lmms_eval" and not sample.choices:
            assert score.value == 0, "whose code counts no answer to an open question"
        elif score.status is Status.JUDGE_FAILED:
            assert answer and "<" not in answer
        else:
            assert score.status is Status.OK, (sample.id, answer, score.note)
            assert best(sample, score.value), (sample.id, sample.target, answer, score)
            assert not score.unread
        graded += 1
    assert graded


def best(sample: Sample, value: float | None) -> bool:
    """Right; of people who disagree, as right as an answer can be that two of ten gave."""
    several = isinstance(sample.target, tuple) and len(set(sample.target)) > 1
    return value is not None and value >= (0.3 if several else 1)


def test_the_words_are_the_protocols() -> None:
    said = {}
    for key in ("pope", "pope@llava", "vsr", "vsr@minigpt_v2", "vsr@vlmevalkit", "hateful_memes", "mme"):
        choice = choose_task(key)
        sample = next(s for s in choice.task.samples(Folder.sample(choice.task.name), choice.split) if s.target)
        answer_of = example_answer(choice.task)
        assert answer_of is not None
        said[key] = answer_of(sample, choice.protocol).lower(), answer_of(sample, choice.protocol).istitle()
    assert {key for key, (_, title) in said.items() if title} == {"vsr"}, "its choices are True and False"
    assert said["vsr@vlmevalkit"][0] in ("yes", "no") and said["vsr"][0] in ("true", "false")


def test_boxes_as_text() -> None:
    box = (10.0, 20.0, 60.0, 1000.0)
    assert in_shares(box, 100, 200) == "[0.100, 0.100, 0.600, 1.000]"
    assert in_hundredths(box, 100, 200) == "{<10><10><60><100>}"
