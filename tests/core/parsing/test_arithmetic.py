"""Arithmetic in LaTeX and in Python's form: what is a number and which, what is none, and what is too much."""

from __future__ import annotations

import ast
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlmbench.parsing.arithmetic import DEEPEST, LONGEST, latex_number, python_number

PI, ROOT = math.pi, math.sqrt(3)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("3.0", 3), ("03", 3), (".5", 0.5), ("1,000", 1_000), ("-2 + 5", 3), ("+3+3", 6), ("2-(3+4)", -5),
        ("6/2", 3.0), ("9:8", 1.125), ("1:2:3", 1 / 6), ("2\\cdot3", 6), ("7 \\div 2", 3.5), ("3\\times4", 12),
        ("\\frac{1}{2}", 0.5), ("\\dfrac{3}{4}", 0.75), ("13\\frac{1}{2}", 6.5), ("50\\%", 0.5), ("100\\%", 1),
        ("2\\sqrt{3}", 2 * ROOT), ("\\sqrt[3]{8}", 2.0), ("12^{1/2}", 2 * ROOT), ("10^3", 1_000), ("2^3^2", 64),
        ("2^{3^2}", 512), ("10^{-2}", 0.01), ("-2^2", -4), ("(-2)^2", 4), ("18 \\pi", 18 * PI),
        ("1/2\\pi", 1 / (2 * PI)), ("4 rows", 4),
        ("$\\left(1+2\\right)[3]\\{2\\}$", 18), ("5!", 120), ("\\binom{5}{2}", 10), ("3)", 3), ("3. So", 3),
        ("625 \\rightarrow 626", 625), ("6\\left(1+\\frac{1}{2}\\sqrt{3}\\right)", 6 + 3 * ROOT),
    ],
)  # fmt: skip
def test_latex(text: str, value: float) -> None:
    found = latex_number(text)
    assert found == pytest.approx(value)
    assert isinstance(found, int) == isinstance(value, int), "whole numbers stay whole: a tuple is compared as a text"


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "x", "3 cm", "2x", "three", "45°", "18π", "2√3", "3,", "1,2", "{1,2}", "1;2", "x=3", "3<4", "1e3",
        "7**2",
        "\\frac12", "\\sqrt3", "\\infty", "\\alpha", "1/0", "\\sqrt{-1}", "(-8)^{1/3}", "2.5!", "(-3)!", "(1",
        "1+", "*3",
        "\\sin 3", "e^2", "\\log 10", "\\begin{matrix}1\\end{matrix}", "3\\$", "\\text{3}", "__import__('os')", "3\x00",
        "\N{ARABIC-INDIC DIGIT THREE}",
    ],
)  # fmt: skip
def test_no_number_in_latex(text: str) -> None:
    assert latex_number(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "1" * (LONGEST + 1), "(" * 500 + "1" + ")" * 500, "{" * (DEEPEST + 1) + "1" + "}" * (DEEPEST + 1),
        "9^9^9^9^9^9",
        "9^{999999999}", "2^{2^{2^{2^{2^2}}}}", "99999!", "5!!!!!", "10^{300}!", "\\binom{100000}{50000}",
        "9.9^{99999}",
        "\\sqrt[0]{3}", "1.5^{1e9}", "9" * 900 + "*" + "9" * 90 + "^9",
    ],
)  # fmt: skip
def test_too_much(text: str) -> None:
    assert latex_number(text) is None
    assert python_number(text.replace("^", "**").replace("{", "(").replace("}", ")")) is None


def test_depth_and_signs_of_a_power_in_python() -> None:
    assert latex_number("(" * DEEPEST + "1" + ")" * DEEPEST) == 1
    assert python_number("2**-1") == 0.5 and python_number("-2**2") == -4 and python_number("2**3**2") == 512
    assert python_number("2**" * 200 + "1") is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e3", 1e3), ("7^2", 5), ("10^3", 9), ("2+3*4", 14), ("(1 + 2)/3", 1.0), ("7//2", 3), ("-7%3", 2),
     ("1_000", 1_000),
     ("3.", 3.0), ("0", 0), ("00", 0), ("5 ^ 1 + 2", 6), ("- - 3", 3)],
)  # fmt: skip
def test_python(text: str, value: float) -> None:
    found = python_number(text)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "03",
        "1 2",
        "x",
        "abs(3)",
        "'a'",
        "[1]",
        "1,2",
        "3\n+4",
        "1/0",
        "7//0",
        "1.5^2",
        "0x10",
        "3j",
        "True",
        "3 #",
        "1..2",
    ],
)
def test_no_number_in_python(text: str) -> None:
    assert python_number(text) is None


def test_names_stand_for_what_they_are_told() -> None:
    assert python_number("2*a + 1", {"a": 3}) == 7 and python_number("a") is None
    assert latex_number("2a + 1", {"a": 3}) == 7 and latex_number("ab", {"a": 3}) is None
    assert latex_number("\\pi", exact=True) is None and latex_number("\\sqrt{4}", exact=True) is None
    assert latex_number("\\sqrt[3]{8}", exact=True) == 2.0 and latex_number("3!", exact=True) is None


@given(st.text(st.sampled_from("0123456789+-*/^().,:!{}[] \\e%_aπ"), max_size=40) | st.text(max_size=40))
def test_any_text_is_a_number_or_none(text: str) -> None:
    for found in (latex_number(text), python_number(text, {"a": 2})):
        assert found is None or isinstance(found, int | float)


NUMBERS = st.integers(0, 99).map(str)
OPERATORS = st.sampled_from(["+", "-", "*", "//", "%", "^"])
SUMS = st.recursive(NUMBERS, lambda inner: st.tuples(inner, OPERATORS, inner).map(lambda parts: f"({''.join(parts)})"))


@given(SUMS)
def test_whole_numbers_as_python_has_them(text: str) -> None:
    """Against Python's own grammar, on the tree that it builds."""
    operators = {
        ast.Add: int.__add__, ast.Sub: int.__sub__, ast.Mult: int.__mul__, ast.FloorDiv: int.__floordiv__,
        ast.Mod: int.__mod__, ast.BitXor: int.__xor__,
    }  # fmt: skip

    def value(node: ast.expr) -> int:
        if isinstance(node, ast.BinOp):
            return operators[type(node.op)](value(node.left), value(node.right))
        assert isinstance(node, ast.Constant) and isinstance(node.value, int)
        return node.value

    try:
        right: int | None = value(ast.parse(text, mode="eval").body)
    except ZeroDivisionError:
        right = None
    found = python_number(text)
    assert found == right or text.count("(") > DEEPEST or abs(right or 0) > 10**9
