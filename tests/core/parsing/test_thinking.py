"""Thinking tags in scoring: a thought without an end is no answer, one before an answer is no part of it."""

from __future__ import annotations

import pytest

from vlmbench.base import registry
from vlmbench.base.samples import ChoiceScore, Response, Sample, Status
from vlmbench.parsing import thinking
from vlmbench.scoring import score as scoring

SAMPLE = Sample("1", "Is it?", (), "yes", tags={"category": "random"}, cluster="1")


@pytest.mark.parametrize(("start", "end"), thinking.TAGS)
@pytest.mark.parametrize("case", [str, str.upper, str.title])
def test_each_kind_of_tag(start: str, end: str, case: type[str]) -> None:
    start, end = case(start), case(end)
    cut, whole, bare = f"\n{start} no, {end[:-1]}", f" {start}no\n{end}\n\nYes", f"no, wait{end}Yes"
    assert [thinking.split(text).finished for text in (cut, whole, bare)] == [False, True, True]
    assert all(map(thinking.has_tags, (cut, whole, bare)))
    assert [thinking.split(text).answer for text in (cut, whole, bare)] == ["", "Yes", "Yes"]


@pytest.mark.parametrize("text", ["", "Yes", "a < b", "I think so", "[0.1, 0.2]", "<b>Yes</b>", "A thought: yes"])
def test_plain_answers_hold_none(text: str) -> None:
    assert not thinking.has_tags(text) and thinking.split(text) == thinking.Split("", text)


@pytest.mark.parametrize("spec", sorted(registry.tasks.names()))
def test_no_protocol_reads_a_cut_thought_or_a_blank_cut(spec: str) -> None:
    """Of any task: neither is handed to a reader, whatever its rule would make of it."""
    task = registry.tasks.get(spec)
    blank, thought = Response(" \n", finish="length"), Response("<think>yes, 7, A, (0.1, 0.2)")
    for protocol in task.protocols:
        for response in (blank, Response("", finish="length"), thought):
            score = scoring.score_response(task, protocol, SAMPLE, response)
            assert (score.value, score.status) == (None, Status.TRUNCATED), protocol


def test_an_empty_answer_and_ranked_choices_stay() -> None:
    """Who ends without a word has answered; likelihoods need no text."""
    task = registry.tasks.get("pope")
    assert scoring.score_response(task, "official", SAMPLE, Response("")).status is Status.OK
    ranked = Response(choices=(ChoiceScore("yes", -1.0, 1), ChoiceScore("no", -2.0, 1)), finish="length")
    assert scoring.score_response(registry.tasks.get("hateful_memes"), *_ranked(), ranked).status is Status.OK


def _ranked() -> tuple[str, Sample]:
    from vlmbench.data.files import Folder

    task = registry.tasks.get("hateful_memes")
    return next(iter(task.protocols)), task.samples(Folder.sample("hateful_memes"), task.splits[0])[0]


def test_the_notes_beside_the_score() -> None:
    choice = registry.choose_task("gqa")
    from vlmbench.data.files import Folder

    samples = choice.task.samples(Folder.sample("gqa"), choice.split)[:6]
    cut = Response("", finish="length", reasoning="is it red?", new_tokens=8, reasoning_tokens=8)
    thought = Response("red", reasoning="it is red", new_tokens=4, reasoning_tokens=2)
    responses = [Response("Well. <think>red</think>\nred"), cut, cut, thought, Response("red"), Response("red")]
    pairs = list(zip(samples, responses, strict=True))
    scored = scoring.score_responses(choice.task, choice.protocol, pairs)
    entry = scoring.summarise(choice, scored, responses=responses)
    assert "1 of 6 answers hold thinking tags behind other words, which were read as they stand" in entry["notes"]
    told = [note for note in entry["notes"] if "truncated" in note]
    assert len(told) == 1 and told[0].startswith("2 of 6 answers end inside") and "--thinking-budget N" in told[0]
    assert not any("cut at max_new_tokens" in note or "empty" in note for note in entry["notes"])
    assert entry["answers"]["thoughts"] == {"total": 3, "cut": 2, "mean_tokens": 6.0, "share_of_tokens": 0.9}
    plain = [Response("red")] * 6
    scored = scoring.score_responses(choice.task, choice.protocol, list(zip(samples, plain, strict=True)))
    assert "thoughts" not in scoring.summarise(choice, scored, responses=plain)["answers"]
