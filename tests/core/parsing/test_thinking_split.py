"""The splitter: thought and answer of any text, in every form of tag, whatever is in the text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench.base.errors import UsageError
from vlmbench.base.samples import ChoiceScore, Response
from vlmbench.parsing import thinking
from vlmbench.parsing.thinking import TAGS, Split, apart, cut_at, split

PIECES = st.sampled_from(
    [word for pair in (*TAGS, *thinking.FRAMES) for word in pair]
    + ["</THINK>", "<Think>", "Yes", " ", "\n", "no", "<", "[", "◁", "<thin", "</ans", "İ", "ſ", "a < b", "</ think>"]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=40)
WORDS = st.text(st.characters(exclude_characters="<◁[", exclude_categories=["Cs"]), max_size=30)


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("<think>It is red.</think>\n\nRed", "It is red.", "Red"),
        ("It is red.</think>Red", "It is red.", "Red"),  # the template wrote the opening tag
        ("</think>Red", "", "Red"),
        ("<think>\n\n</think>\n\nRed", "", "Red"),  # a model that was told not to think
        ("<think>a</think>", "a", ""),
        ("<think>a</think>\n<think>b</think> c", "a\n\nb", "c"),
        ("<think>a</think><reasoning>b</reasoning>c", "a\n\nb", "c"),
        ("<think>a<think>b</think>c</think>d", "a<think>b</think>c", "d"),
        ("<think>the tag <think> opens</think>d", "the tag <think> opens", "d"),
        ("<think><think>a</think>b", "<think>a", "b"),
        ("<think>a</think>b</think>c", "a\n\nb", "c"),  # closed twice: what stands behind the last
        ("<think>a</think>Write <think>x</think> here.", "a", "Write <think>x</think> here."),
        ("Write <think>x</think> here.", "", "Write <think>x</think> here."),
        ("<think>a</think><answer> B </answer>", "a", "B"),
        ("<think>a</think>So <answer>B</answer>", "a", "So <answer>B</answer>"),
        ("<think>a</think><answer><|begin_of_box|>B<|end_of_box|></answer>", "a", "B"),
        ("<|begin_of_thought|>a<|end_of_thought|><|begin_of_solution|>B<|end_of_solution|>", "a", "B"),
        ("<answer>B</answer>", "", "<answer>B</answer>"),
        (" Yes ", "", " Yes "),
    ],
)
def test_what_is_thought_and_what_is_answer(text: str, reasoning: str, answer: str) -> None:
    found = split(text)
    assert (found.reasoning, found.answer, found.finished) == (reasoning, answer, True)


@pytest.mark.parametrize(
    "text",
    [
        "<think>a",
        "<think>a</think>\n<think>b",
        "<think>a</thinking>b",
        "<think>",
        "a</think><think>",
        "\n<THINK>a <b> c",
    ],
)
def test_a_thought_without_an_end_leaves_no_answer(text: str) -> None:
    assert split(text)[1:3] == ("", False)


@pytest.mark.parametrize("text", ["<thi", "<think>a<think>b</think>c", "<think>a</think> <thin"])
def test_what_a_limit_cuts_is_no_answer_where_it_may_be_a_thought(text: str) -> None:
    assert split(text, cut=True)[1:3] == ("", False)
    assert split(text).finished


def test_a_frame_that_a_limit_cuts() -> None:
    assert split("<think>a</think><answer>B", cut=True).answer == "B"
    assert split("<think>a</think><answ", cut=True).answer == ""


@given(TEXTS, st.booleans())
def test_nothing_is_lost_and_the_second_time_changes_nothing(text: str, cut: bool) -> None:
    found = split(text, cut=cut)
    assert 0 <= found.start <= len(text) and found.answer in text
    if not found.start:
        assert found == Split("", text)
        return
    assert text[found.start :].strip().startswith(found.answer)
    assert found.finished or not found.answer
    assert split(found.answer, cut=cut).start == 0
    response = Response(text, finish="length" if cut else "stop", new_tokens=9)
    once = apart(response)
    assert apart(once) == once and (once.text, once.reasoning) == (found.answer, found.reasoning)
    assert 0 <= once.reasoning_tokens <= 9


@given(st.sampled_from(TAGS), WORDS, WORDS, st.booleans(), st.booleans())
def test_a_thought_before_any_answer(tag: tuple[str, str], thought: str, answer: str, bare: bool, cut: bool) -> None:
    """The same answer as without the thought, cut or not."""
    text = f"{'' if bare else tag[0]}{thought}{tag[1]}{answer}"
    found = split(text, cut=cut)
    assert found.finished and found.answer == answer.strip() and found.reasoning == thought.strip()


@given(st.sampled_from(TAGS), WORDS, st.integers(0, 60))
def test_no_prefix_of_a_thought_is_an_answer(tag: tuple[str, str], thought: str, length: int) -> None:
    """Wherever the limit falls, up to the closing tag's last character."""
    text = f"{tag[0]}{thought}{tag[1]}"
    part = text[: max(2, min(length, len(text) - 1))]
    assert apart(Response(part, finish="length")).text == ""


def test_a_pair_that_the_user_names() -> None:
    assert thinking.pair("<plan>") == ("<plan>", "</plan>")
    assert thinking.pair("<|plan|>") == ("<|plan|>", "<|/plan|>")
    assert thinking.pair("BEGIN: END:") == ("BEGIN:", "END:")
    named = (thinking.pair("<plan>"),)
    assert split("<PLAN>a</plan>b", named)[:2] == ("a", "b")
    assert split("BEGIN:a END:b", (("BEGIN:", "END:"),))[:2] == ("a", "b")
    assert split("<plan>a</plan>b").answer == "<plan>a</plan>b"
    for word in ("plan", "", "<>", "<a> <A>", "a b c"):
        with pytest.raises(UsageError, match="no tag"):
            thinking.pair(word)


def test_a_stop_text_ends_the_answer_and_not_the_thought() -> None:
    text = "<think>stop? no</think>Yes stop it"
    assert cut_at(text, ("stop",)) == ("<think>stop? no</think>Yes", True)
    assert cut_at("<think>stop", ("stop",)) == ("<think>stop", False)
    assert cut_at("Yes stop", ("stop",)) == ("Yes", True)
    assert cut_at(" Yes ", ("stop",)) == (" Yes ", False)


def test_a_response_in_two_parts() -> None:
    response = Response("<think>aaaa</think>Yes", new_tokens=11, prompt_tokens=3)
    assert apart(response) == replace(response, text="Yes", reasoning="aaaa", reasoning_tokens=round(11 * 19 / 22))
    counted = replace(response, reasoning_tokens=7)
    assert apart(counted).reasoning_tokens == 7
    beside = replace(response, reasoning="server's")
    assert (
        apart(beside).reasoning == "server's\n\naaaa" and apart(replace(beside, reasoning="aaaa")).reasoning == "aaaa"
    )
    cut = apart(Response("<think>aaaa"))
    assert (cut.text, cut.finish, cut.reasoning) == ("", "length", "aaaa") and thinking.cut_inside(cut)
    for same in (
        Response("Yes"),
        Response(finish="error", error="x"),
        Response("a</think>b", choices=(ChoiceScore("a", -1.0, 1),)),
        Response("Yes", reasoning="kept", reasoning_tokens=3),
    ):
        assert apart(same) is same


def test_a_prompt_that_opens_a_thought() -> None:
    assert thinking.opened_by("<|im_start|>assistant\n<think>\n") == "<think>"
    assert thinking.opened_by("assistant\n<think>\n\n</think>\n\n") == ""
    assert thinking.opened_by("<think> is a tag") == thinking.opened_by("assistant") == ""


@pytest.mark.parametrize("piece", ["<think>", "</think>", "<think>a</think>", "<answer>", "<think> </thinking>"])
def test_long_texts_take_linear_time(piece: str) -> None:
    """What is quadratic in the tags would not come to an end here."""
    text = "a</think>" + piece * 20_000
    assert split(text, cut=True).start > 0
