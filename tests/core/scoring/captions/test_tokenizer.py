"""The tokens of captions, as pycocoevalcap has them; tests/golden compares two thousand more with the official code."""

from __future__ import annotations

import pytest

from vlmbench.scoring.captions.tokenizer import SEPARATORS, tokenize, tokenize_lines

KNOWN = {
    "A man's dog isn't a cat.": "a man 's dog is n't a cat",
    "They can't, won't and shouldn't've.": "they ca n't wo n't and should n't 've",
    "cannot gonna gimme 'tis more'n": "can not gon na gim me 't is more 'n",
    "O'Neil's rock'n'roll, ma'am": "o'neil 's rock 'n' roll ma'am",
    "“hello” ‘it’s’ «there»": "hello it 's there",
    "Mr. Smith at 5 p.m. on Main St. near J. K. Rowling": "mr. smith at 5 p.m. on main st. near j. k. rowling",
    "No. 7 bus. no. The end.": "no. 7 bus no the end",
    "a mass. in Mass. and etc.": "a mass in mass. and etc.",
    "half-eaten pizza -- black-and-white, and/or R&D c&d": "half-eaten pizza black-and-white and/or r&d c & d",
    "$5 50% #1 #tag @user 1,000.50 1/2 10:30 12/25/2014": "$ 5 50 % # 1 #tag @user 1,000.50 1/2 10:30 12/25/2014",
    "£5 €6 ¢8 ½ cup": "# 5 $ 6 cents 8 1/2 cup",
    "(a) [b] {c}": "-lrb- a -rrb- -lsb- b -rsb- -lcb- c -rcb-",
    "(555) 555-1234": "-lrb-555-rrb-\u00a0555-1234",
    "what?! no!!! yes... maybe…": "what ?! no !!! yes maybe",
    "see http://example.org/a?b=c, www.a.com or me@b.org": "see http://example.org/a?b=c www.a.com or me@b.org",
    "a.jpg 5.jpg <b>bold</b> &amp; :-)": "a.jpg 5.jpg <b> bold </b> & :--rrb-",
    "猫。狗 Straße é 😀!": "猫 。 狗 straße é",
    "thre😀e": "thre e",
    " . , ! ? ; : - -- ... ' `` ": "",
    "": "",
}


@pytest.mark.parametrize("caption", KNOWN)
def test_tokens(caption: str) -> None:
    assert " ".join(tokenize(caption)) == KNOWN[caption]


@pytest.mark.parametrize("separator", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\u2028", "\u2029"])
def test_a_separator_of_lines_ends_no_caption(separator: str) -> None:
    """The official code gives every later caption to another image, except for line feeds."""
    assert SEPARATORS.search(separator)
    found = tokenize_lines([f"one{separator}two.", "a dog", "a cat"])
    assert found == [("one", "two"), ("a", "dog"), ("a", "cat")]


@pytest.mark.parametrize(
    ("lines", "first"),
    [
        (("by a.", "The dog"), "by a"),
        (("by a.", "the dog"), "by a."),
        (("by a.", "Theo"), "by a."),
        (("by a.", " ", "The dog"), "by a"),
        (("bus no.", "5 cats"), "bus no."),
        (("bus no.", "", "5 cats"), "bus no"),
        (("bus no.", "cats"), "bus no"),
        (("by mr.", "The dog"), "by mr."),
    ],
)
def test_a_last_full_stop_may_depend_on_the_next_line(lines: tuple[str, ...], first: str) -> None:
    assert " ".join(tokenize_lines(lines)[0]) == first


def test_new_letters_and_marks_do_not_depend_on_python() -> None:
    """U+1E9E is a letter of Unicode 5.1; U+A7C2 came later, and is dropped like all that the jar does not know."""
    assert tokenize("a\u1e9eb a\ua7c2b") == ("aßb", "a", "b")


@pytest.mark.parametrize("text", ["'" * 200, "a-" * 300, "(" * 300, "1,2." * 200, "&" * 300, "a." * 300, "@a" * 200])
def test_long_texts_of_marks_end(text: str) -> None:
    assert isinstance(tokenize(text), tuple)
