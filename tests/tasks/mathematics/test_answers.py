"""MathVista, MathVision, MathVerse: how answers are found and compared, by rules and with judges, and without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench.base.samples import JudgeRequest, Response, Sample, Status, Verdict
from vlmbench.tasks.mathematics import mathverse_judge, mathvision_answers, mathvista_answers
from vlmbench.tasks.mathematics.mathverse import MATHVERSE
from vlmbench.tasks.mathematics.mathvision import MATHVISION
from vlmbench.tasks.mathematics.mathvista import MATHVISTA
from vlmbench.tasks.mathematics.mathvista_judge import FAILED, prompt


def vista(kind: str, target: str | None, choices: Sequence[str] = (), precision: str = "") -> Sample:
    """A problem of MathVista."""
    extra = {"answer_type": kind, "precision": precision, "unit": "", "query": "", "skills": ""}
    return Sample("1", "How much?", (), target, choices=tuple(choices), cluster="1", extra=extra)


OPTIONS = vista("text", "B", ("6cm", "7cm", "12cm"))
WHOLE, DECIMAL, LISTED = vista("integer", "14"), vista("float", "1.25", precision="2"), vista("list", "[1, 2]")


@pytest.mark.parametrize(
    ("sample", "text", "read"),
    [
        (OPTIONS, "(B)", "7cm"), (OPTIONS, "The answer is (A) or rather (B) 7cm.", "7cm"), (OPTIONS, "B", "7cm"),
        (OPTIONS, "it is 12cm, so the answer is 7cm", "7cm"), (OPTIONS, "First 7cm, then 12cm", "12cm"),
        (OPTIONS, "7cm", "7cm"), (OPTIONS, "I cannot tell.", ""), (OPTIONS, "", ""), (OPTIONS, "(Z)", ""),
        (OPTIONS, 'The answer is "C".', "12cm"), (OPTIONS, "\\boxed{B}", "7cm"), (OPTIONS, "Answer: b) 7cm", "7cm"),
        (WHOLE, "inf", "None"), (WHOLE, "9" * 500, "None"),
        (WHOLE, "There are 3 and 11, 14 in all", "14"), (WHOLE, "1,400 cm", "1400"), (WHOLE, "none", "None"),
        (WHOLE, "The answer is 14, as 7 x 2 is", "14"), (WHOLE, "14.7", "14"), (WHOLE, "-3", "-3"),
        (DECIMAL, "about 1.249", "1.25"), (DECIMAL, "1e1", "10.0"), (DECIMAL, "x = .5", "0.5"),
        (LISTED, "so [1,2]", "[1, 2]"), (LISTED, "1 and 2", ""),
    ],
)  # fmt: skip
def test_rules(sample: Sample, text: str, read: str) -> None:
    score = MATHVISTA.score(sample, Response(text), "rules")
    assert score.parsed_answer == read and score.status is Status.OK
    right = {"text": "7cm", "integer": "14", "float": "1.25", "list": "[1, 2]"}[sample.extra["answer_type"]]
    assert score.value == float(read == right)
    nothing = read in ("", "None")
    assert bool(score.unread) == (nothing and sample is not LISTED)


@given(st.text(max_size=60), st.sampled_from((OPTIONS, WHOLE, DECIMAL, LISTED)))
def test_rules_read_any_text(text: str, sample: Sample) -> None:
    for protocol in MATHVISTA.protocols:
        score = MATHVISTA.score(sample, Response(text), protocol)
        assert score.value in (0, 1) or score.status is Status.JUDGE_FAILED
    assert MATHVISTA.score(sample, Response(text), "rules").status is Status.OK


def test_any_text_is_some_option_to_the_official_rule() -> None:
    """The one with the least edit distance, the first of equal ones; which is counted as unread."""
    match = mathvista_answers.match
    assert match(OPTIONS, "8cm").read == "6cm" and match(OPTIONS, "8cm").unread == "option"
    assert match(OPTIONS, "").read == "6cm" and mathvista_answers.match_said(OPTIONS, " ").read == ""
    assert match(OPTIONS, "(b)").right and match(OPTIONS, "b").read == "6cm", "a lone small letter names no option"
    assert match(OPTIONS, "(D) 12cm").read != "12cm", "a letter of no option is compared by its edit distance"
    twins = vista("text", "C", ("30", "18", "18", "9"))
    assert match(twins, "B").right and match(twins, "C").right, "equal options are equal answers"


def converse(task: Any, sample: Sample, text: str, protocol: str, replies: Sequence[str]) -> tuple[Verdict, list[Any]]:
    """A talk with scripted replies: the verdict, and the requests."""
    steps, asked = task.grade(sample, Response(text), protocol), []
    try:
        asked.append(next(steps))
        for reply in replies:
            asked.append(steps.send(reply))
    except StopIteration as end:
        return end.value, asked
    raise AssertionError(f"{len(replies)} replies were not enough")


def test_the_judge_is_asked_only_where_rules_find_nothing() -> None:
    assert MATHVISTA.score(WHOLE, Response("14"), "official").value == 1
    assert MATHVISTA.score(WHOLE, Response("14 cm"), "official").status is Status.JUDGE_FAILED
    verdict, asked = converse(MATHVISTA, WHOLE, "14", "official", [])
    assert verdict.value == 1 and not asked
    verdict, (request,) = converse(MATHVISTA, WHOLE, "14 cm", "official", ["14"])
    assert verdict.value == 1 and verdict.note == "read as 14"
    assert isinstance(request, JudgeRequest) and request.texts == [prompt(WHOLE, "14 cm")]
    assert request.texts[0].endswith("\n\n14 cm\n\nExtracted answer: ")
    quick = MATHVISTA.score(WHOLE, Response('The answer is "14".'), "official_quick")
    assert quick.value == 1 and quick.status is Status.OK


def test_replies_that_say_nothing() -> None:
    verdict, asked = converse(MATHVISTA, WHOLE, "?", "lmms_eval", ["", " ", "\n", "14"])
    assert verdict.value == 1 and len(asked) == 4
    verdict, asked = converse(MATHVISTA, WHOLE, "?", "lmms_eval", [""] * 5)
    assert verdict.value == 0 and verdict.unread and len(asked) == 5
    verdict, asked = converse(MATHVISTA, WHOLE, "?", "vlmevalkit", [FAILED] * 5)
    assert verdict.status is Status.JUDGE_FAILED and [one.temperature for one in asked] == [0, 0.5, 1, 1.5, 2]
    assert converse(MATHVISTA, WHOLE, "?", "vlmevalkit", ["14.0"])[0].value == 0, "its int() reads no 14.0"
    zero = vista("integer", "0")
    assert converse(MATHVISTA, zero, "0", "vlmevalkit", ["0"])[0].value == 1, "a right 0 is asked about all the same"
    assert converse(MATHVISTA, LISTED, "[1, 2]", "vlmevalkit", ["[1, 2]"])[0].value == 0, "no list is ever right"


def vision(target: str, *choices: str) -> Sample:
    """A problem of MathVision."""
    return Sample("1", "Which?", (), target, choices=choices, cluster="1")


@pytest.mark.parametrize(
    ("target", "choices", "text", "found", "right"),
    [
        ("B", "12345", "\\boxed{B}", "b", True), ("B", "12345", "The answer is (B).", "b", True),
        ("B", "12345", "So the result is 2.", "2", True), ("B", "12345", "B\nbecause", "b", True),
        ("B", "12345", "\\boxed{1} and \\boxed{\\text{B}}", "b", True), ("B", "12345", "", "", False),
        ("2\\sqrt{3}", "", "the answer is 3.464", "3.464", True), ("60", "", "\\boxed{60^\\circ}", "60", True),
        ("0.5", "", "\\boxed{\\frac{1}{2}}", "\\frac{1}{2}", True), ("(1,2)", "", "\\boxed{(1.0, 2)}", "(1.0,2)", True),
        ("(1,2)", "", "\\boxed{(2, 1)}", "(2,1)", False), ("x+1", "", "\\boxed{1+x}", "1+x", False),
        ("4", "", "\\boxed{x = 4 \\text{ units}}", "4", True),
    ],
)  # fmt: skip
def test_mathvision(target: str, choices: str, text: str, found: str, right: bool) -> None:
    score = MATHVISION.score(vision(target, *choices), Response(text), "official")
    assert (score.parsed_answer, score.value) == (found, float(right))


def test_an_a_is_any_number_to_vlmevalkit_and_to_no_other() -> None:
    """Its `eval` sees the name under which it keeps the right number."""
    assert mathvision_answers.close("3", "a") and mathvision_answers.close("\\frac{1}{2}", "a")
    assert not mathvision_answers.same("3", "a") and not mathvision_answers.close("3", "b")
    assert mathvision_answers.close("5", "7^2") and not mathvision_answers.same("5", "7^2"), "^ is Python's"
    assert not mathvision_answers.close("2\\sqrt{3}", "3.46") and mathvision_answers.same("2\\sqrt{3}", "3.46")


@given(st.text(max_size=80))
def test_mathvision_reads_any_text(text: str) -> None:
    for sample in (vision("B", *"12345"), vision("\\frac{1}{2}")):
        for protocol in MATHVISION.protocols:
            score = MATHVISION.score(sample, Response(text), protocol)
            assert score.value in (0, 1) or (protocol == "vlmevalkit" and score.status is Status.JUDGE_FAILED)


VERSE = Sample("1", "How long?", (), "C", cluster="1", extra={"stated": "How {long}?", "for_eval": "How long?"})


def test_mathverse_asks_twice() -> None:
    verdict, asked = converse(
        MATHVERSE, VERSE, "I say {C}.", "official", ["", "Extracted Answer: C", "yes", "Judgement: 1"]
    )
    assert verdict.value == 1 and len(asked) == 4 and asked[0] == asked[1] and asked[2] == asked[3]
    assert "Model response: 'I say {C}.'" in asked[0].texts[0]
    assert asked[2].texts[0].endswith("[Question]: How {long}?\n[Standard Answer]: C\n[Model_answer] : C\nJudgement:")
    verdict, asked = converse(MATHVERSE, VERSE, "C", "official_quick_match", ["c"])
    assert verdict.value == 0 and len(asked) == 1
    verdict, asked = converse(MATHVERSE, VERSE, "C", "vlmevalkit", [" C\n"])
    assert verdict.value == 1 and len(asked) == 1, "equality is enough"
    verdict, asked = converse(MATHVERSE, VERSE, "C", "vlmevalkit", ["(C)", *["Judgement: 1"] * 5])
    assert verdict.value == 0 and verdict.unread and len(asked) == 6
    verdict, asked = converse(MATHVERSE, VERSE, "C", "lmms_eval", ["I give 10"])
    assert verdict.value == 1 and verdict.unread, "a 1 anywhere"


@pytest.mark.parametrize("replies", [[" "], ["C", "perhaps"]])
def test_loops_without_end_are_no_verdict(replies: list[str]) -> None:
    many = [*replies[:-1], *[replies[-1]] * mathverse_judge.ENDLESS]
    verdict, asked = converse(MATHVERSE, VERSE, "C", "official", many)
    assert verdict.status is Status.JUDGE_FAILED and verdict.value is None
    assert len(asked) == len(many) and "asks for ever" in verdict.note


def test_figures() -> None:
    """A problem counts for each of its skills; MathVerse's figure is the mean over its versions."""
    skilled = [
        (Sample(str(n), "", (), "A", tags={"task": "t"}, cluster=str(n), extra={"skills": skills}), float(n % 2))
        for n, skills in enumerate(("a; b", "a", "b", ""))
    ]
    scored = [(sample, MATHVISTA.extremes(sample, "rules", 0)[int(value)]) for sample, value in skilled]
    values = {metric.name: metric.value() for metric in MATHVISTA.summarise(scored, "rules")}
    assert values == pytest.approx({"accuracy": 50, "task_t": 50, "skills_a": 50, "skills_b": 0})
    versions = [
        (
            Sample(str(n), "", (), "A", tags={"problem_version": name, "subject": "S"}, cluster="p"),
            float(name == "Text Lite"),
        )
        for n, name in enumerate(("Text Lite", "Text Lite", "Text Lite", "Vision Only"))
    ]
    scored = [(sample, MATHVERSE.extremes(sample, "official", 1)[int(value)]) for sample, value in versions]
    values = {metric.name: metric.value() for metric in MATHVERSE.summarise(scored, "official")}
    assert values["accuracy"] == pytest.approx(50) and values["total"] == pytest.approx(75)
    assert values["problem_version_Vision Only"] == 0 and values["subject_S"] == pytest.approx(75)
