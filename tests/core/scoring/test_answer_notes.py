"""What stands beside a score: counts and notes on answers that are no good answers, for every task."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

import pytest

import vlmbench
from vlmbench.base import registry
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import ChoiceScore, Response, Sample, Score
from vlmbench.data.files import Folder
from vlmbench.scoring import answer_notes, score

NONSENSE = "zx qv lorem"
READERS = ("pope", "mme", "mmbench", "scienceqa", "refcoco", "vsr@vlmevalkit", "hateful_memes@minigpt_v2")
"""Whose readers look for something that nonsense has not."""


def asked(key: str, text: str = "", finish: str = "stop", limit: int = 40) -> tuple[list[Sample], list[Response]]:
    choice = choose_task(key)
    samples = list(choice.task.samples(Folder.sample(choice.task.name), choice.split))[:limit]
    return samples, [Response(text, finish=finish) for _ in samples]


def entry(key: str, samples: list[Sample], responses: list[Response]) -> dict[str, Any]:
    choice = choose_task(key)
    scored = score.score_responses(choice.task, choice.protocol, zip(samples, responses, strict=True))
    found = score.summarise(choice, scored, responses=responses, resamples=2)
    own = f"{found['headline']}: "  # what is peculiar about the headline over a part of the questions
    return {**found, "notes": [note for note in found["notes"] if not note.startswith(own)]}


@pytest.mark.parametrize("key", READERS)
def test_nonsense_is_told_of_beside_whatever_score_it_gets(key: str) -> None:
    samples, responses = asked(key, NONSENSE, "length")
    found = entry(key, samples, responses)
    total = len(samples)
    counted = {"total": total, "unread": total, "cut": total, "empty": 0, "most_common": NONSENSE, "distinct": 1}
    assert found["answers"] == counted | {"most_common_share": 1.0}
    first, second, *_ = found["notes"]
    assert first == f"{total} of {total} answers were cut at max_new_tokens"
    assert second.startswith(f"{total} of {total} answers hold no ")


OTHERS = ("mmvet", "llava_bench", "sugarcrepe")
"""Graded by a judge; and a benchmark whose right answer is always its first caption, so that equal answers mean
nothing."""


@pytest.mark.parametrize("name", [name for name in registry.tasks.names() if name not in OTHERS])
def test_one_text_for_everything_is_told_of_in_every_task(name: str) -> None:
    samples, responses = asked(name, "no", limit=120)
    notes = entry(name, samples, responses)["notes"]
    assert f"{len(samples)} of {len(samples)} answers are the same text: 'no'" in notes


def test_empty_answers_are_counted_where_the_rule_reads_them_as_yes() -> None:
    samples, responses = asked("pope")
    responses[4:] = [Response(sample.target) for sample in samples[4:]]
    found = entry("pope", samples, responses)
    assert found["coverage"] == 1.0
    assert found["answers"]["empty"] == 4
    assert "4 of 40 answers are empty" in found["notes"]


def test_good_answers_get_no_note() -> None:
    samples, _ = asked("pope")
    assert entry("pope", samples, [Response(sample.target) for sample in samples])["notes"] == []


def test_few_odd_answers_among_many_get_none() -> None:
    assert not answer_notes.many(2, 100)
    assert not answer_notes.many(4, 100)
    assert answer_notes.many(5, 100)
    assert answer_notes.many(1, 1)


def test_answers_in_other_words_that_are_all_read_alike() -> None:
    samples, _ = asked("pope")
    found = entry("pope", samples, [Response(f"Yes, number {at}.") for at in range(len(samples))])
    assert found["notes"] == ["all 40 answers were read as 'yes'"]


def test_equal_answers_to_questions_that_have_one_answer_tell_nothing() -> None:
    samples = [sample for sample in asked("pope", limit=400)[0] if sample.target == "yes"]
    assert entry("pope", samples, [Response("yes") for _ in samples])["notes"] == []


def test_ranked_answers_count_by_the_likeliest_choice() -> None:
    ranked = Response(choices=(ChoiceScore("a", -2.0, 1), ChoiceScore("b", -1.0, 1)))
    task = choose_task("pope").task
    found = answer_notes.Answered(task, "official", (), [ranked] * 3, [Score(1.0)] * 3)
    assert found.common == ("b", 3)
    assert found.empty == 0


def test_notes_that_are_known_before_stand_first(tmp_path: object) -> None:
    choice = choose_task("pope")
    samples, responses = asked("pope", NONSENSE)
    scored = score.score_responses(choice.task, choice.protocol, zip(samples, responses, strict=True))
    found = score.summarise(choice, scored, responses=responses, notes=["short of data"], resamples=2)
    assert found["notes"][0] == "short of data"


def test_a_run_carries_its_notes() -> None:
    result = vlmbench.evaluate(lambda images, question: NONSENSE, "pope", limit=36)
    notes = result.summary["pope"]["notes"]
    assert "36 of 36 answers hold no yes or no; the protocol's rule still scores them" in notes


class Told:
    """A right answer that counts how often it is looked at."""

    looked_at = 0

    def __repr__(self) -> str:
        Told.looked_at += 1
        return str(Told.looked_at)


def alike(targets: list[Any]) -> bool:
    samples = [Sample(str(number), "?", (), target) for number, target in enumerate(targets)]
    answered = answer_notes.Answered(choose_task("pope").task, "", samples, [], [])
    return answer_notes._right_alike(answered)


def test_right_answers_that_differ_are_not_all_looked_at() -> None:
    assert not alike([Told() for _ in range(1000)])
    assert Told.looked_at <= 101


@pytest.mark.parametrize("total", [0, 1, 2, 19, 20, 21, 40, 41, 200])
def test_right_answers_are_nearly_all_the_same_from_a_share_on(total: int) -> None:
    most = math.ceil(answer_notes.SAME * total)
    for same in {max(most - 1, 0), most, total, total // 2}:
        targets = [0] * same + [*range(1, total - same + 1)]
        for order in (targets, targets[::-1], random.Random(0).sample(targets, total)):
            counts = Counter(order).most_common(1)
            assert alike(order) == bool(counts and counts[0][1] >= answer_notes.SAME * total)
