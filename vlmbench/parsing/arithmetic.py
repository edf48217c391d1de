"""The number that an arithmetic expression stands for, in LaTeX or as Python writes it. Nothing in a text is run.

A recursive-descent parser: numbers, + - * / ^, roots, fractions, factorials, per cent, pi, brackets. Everything else is
no number: names, functions, lists, relations. It is made for texts of models: their length, the depth of brackets and
the size of numbers are limited.

The LaTeX grammar is that of latex2sympy2 1.9.1 (OrangeX4/latex2sympy PS.g4), whose results MATH-V's code gives to
Python's `eval`: `1/2\\pi` is 1/(2 pi), `2^3^2` is (2^3)^2, `13\\frac{1}{2}` is 13 times a half, `9:8` is a quotient,
`1,000` is a thousand, and what cannot follow a number (a closing bracket) ends the expression.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction

Number = int | float

LONGEST = 1_000
"""Characters of a text; longer ones are no numbers."""
DEEPEST = 40
"""Brackets inside brackets."""
BITS = 4_096
"""Of the largest whole number. Floats are limited by themselves."""
FACTORIAL = 400
"""The largest number whose factorial is taken: it fits into BITS."""


class _NoNumberError(ValueError):
    """The text stands for no number that is computed here."""


def latex_number(text: str, names: Mapping[str, Number] | None = None, *, exact: bool = False) -> Number | None:
    """The value of a LaTeX expression: whole numbers as int, all else as float; None for what stands for no number.

    `names`: single letters that stand for numbers. `exact`: without square roots, factorials and pi, as where Python's
    names for them are missing.
    """
    return _value(_Latex(text, names or {}, exact))


def python_number(text: str, names: Mapping[str, Number] | None = None) -> Number | None:
    """The value of an arithmetic expression of Python: `^` is the exclusive or, `1e3` a float, `03` no number."""
    return _value(_Python(text, names or {}))


def _value(parser: _Parser) -> Number | None:
    try:
        return parser.value()
    except (ArithmeticError, ValueError, TypeError):  # a quotient by 0, a float without end, a root of -1, 2.5!
        return None


def _checked(value: object) -> Number:
    """A real number within the limits."""
    if isinstance(value, int) and value.bit_length() <= BITS:
        return value
    if isinstance(value, float):
        return value
    raise _NoNumberError


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int) and abs(exponent) * base.bit_length() > BITS:
        raise _NoNumberError
    return _checked(base**exponent)


def _factorial(value: Number) -> Number:
    if not isinstance(value, int) or value > FACTORIAL:
        raise _NoNumberError
    return math.factorial(value)


Operation = Callable[[Number, Number], Number]


class _Parser:
    """The tokens of a text, and what the grammars share."""

    tokens: re.Pattern[str]

    def __init__(self, text: str, names: Mapping[str, Number]) -> None:
        self.text, self.names, self.at, self.depth = text, names, 0, 0
        if len(text) > LONGEST:
            self.text = "?"  # in no grammar
        self.token = ""
        self.step()

    def step(self) -> str:
        """The current token; the next one becomes current, "" at the end."""
        token, rest = self.token, self.text[self.at :]
        self.at += len(rest) - len(rest.lstrip(" \t\r\n"))
        found = self.tokens.match(self.text, self.at)
        self.token = found[0] if found else self.text[self.at : self.at + 1]
        self.at += len(self.token)
        return token

    def take(self, token: str) -> None:
        """Go on behind a token that must be there."""
        if self.step() != token:
            raise _NoNumberError

    def inside(self, close: str, *more: str) -> Number:
        """The expression in brackets whose opening one is behind; `more` may follow the closing one."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise _NoNumberError
        value = self.expression()
        for token in (*more, close):
            self.take(token)
        self.depth -= 1
        return value

    def expression(self) -> Number:
        """A sum."""
        raise NotImplementedError

    def value(self) -> Number:
        """The whole text's."""
        raise NotImplementedError


class _Latex(_Parser):
    WORDS = (
        r"ar[c]?(?:sin|cos|tan)h|gcd|lcm|floor|ceil|eye|zeros|ones|cols|rows|diag|norm|rank|tr|rref|[hv]stack|orth"
        r"|nullspace|eig|svd|[pbv]?matrix"
    )
    """Names of the grammar's functions, or how they begin."""
    tokens = re.compile(rf"\\[a-zA-Z]+|\\.|\d*(?:,\d{{3}})*\.\d+(?:\\%)?|\d+(?:,\d{{3}})*(?:\\%)?|{WORDS}", re.DOTALL)
    SUMS: Mapping[str, Operation] = {"+": operator.add, "-": operator.sub}
    PRODUCTS: Mapping[str, Operation] = {
        "*": operator.mul, "\\times": operator.mul, "\\cdot": operator.mul,
        "/": operator.truediv, "\\over": operator.truediv, "\\div": operator.truediv, ":": operator.truediv,
    }  # fmt: skip
    BRACKETS: Mapping[str, str] = {"(": ")", "{": "}", "[": "]", "\\{": "\\}", "\\lbrace": "\\rbrace"}
    STARTS = ("\\frac", "\\sqrt", "\\pi", "\\left", "\\binom")
    SPACES = re.compile(r"\\displaystyle|\\q?quad|\\,|~|\$")
    ENDS = re.compile(rf"[)\]}}._&]?|\\[}}\\]|\\(?:right|rightarrow|to|choose)|{WORDS}")
    """What may stand behind an expression without being read: `12 rows` is 12, as `12)` is."""

    def __init__(self, text: str, names: Mapping[str, Number], exact: bool) -> None:
        text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
        super().__init__(self.SPACES.sub(" ", text), names)
        self.exact = exact

    def value(self) -> Number:
        value = self.expression()
        if not self.ENDS.fullmatch(self.token):
            raise _NoNumberError
        return value

    def expression(self) -> Number:
        value = self.product()
        while self.token in self.SUMS:
            operation = self.SUMS[self.step()]
            value = _checked(operation(value, self.product()))
        return value

    def product(self) -> Number:
        value = self.signed()
        while self.token in self.PRODUCTS:
            operation = self.PRODUCTS[self.step()]
            value = _checked(operation(value, self.signed()))
        return value

    def signed(self) -> Number:
        """Factors without a sign between them, as many as there are, behind signs."""
        sign = 1
        while self.token in self.SUMS:
            sign *= -1 if self.step() == "-" else 1
        value = self.factor()
        while self.starts_factor():
            value = _checked(value * self.factor())
        return sign * value

    def starts_factor(self) -> bool:
        """Whether the current token begins a number or a bracket."""
        token = self.token
        if token in self.BRACKETS or token in self.STARTS or token in self.names:
            return True
        return token[:1].isdecimal() or (len(token) > 1 and token[0] == ".")

    def factor(self) -> Number:
        """A power, and factorials of it."""
        value = self.atom()
        while self.token == "^":
            self.step()
            braced = self.token == "{"
            value = _power(value, self.atom() if braced else self.simple())
        while self.token == "!" and not self.exact:
            self.step()
            value = _factorial(value)
        while self.token == "'":  # a transposition
            self.step()
        return value

    def simple(self) -> Number:
        """A number, pi or a name."""
        token = self.step()
        if token in self.names:
            return self.names[token]
        if token == "\\pi" and not self.exact:
            return math.pi
        digits = token.removesuffix("\\%").replace(",", "")
        if not digits.isascii() or digits in ("", "."):
            raise _NoNumberError
        value = Fraction(digits) / (100 if token.endswith("\\%") else 1)
        return _checked(value.numerator if value.denominator == 1 else value.numerator / value.denominator)

    def atom(self) -> Number:
        """A bracket, a fraction, a root, or what is simple."""
        token = self.token
        if token in self.BRACKETS:
            return self.inside(self.BRACKETS[self.step()])
        if token == "\\left":
            self.step()
            return self.inside(self.BRACKETS.get(self.step(), "?"), "\\right")
        if token in ("\\frac", "\\binom"):
            self.step()
            above, below = self.braced(), self.braced()
            return self.chosen(above, below) if token == "\\binom" else _checked(above / below)
        if token == "\\sqrt":
            return self.root()
        return self.simple()

    def braced(self) -> Number:
        """An argument of a command."""
        self.take("{")
        return self.inside("}")

    def chosen(self, above: Number, below: Number) -> Number:
        if not isinstance(above, int) or not isinstance(below, int) or above > FACTORIAL:
            raise _NoNumberError
        return math.comb(above, below)

    def root(self) -> Number:
        """A square root, or that of the degree in brackets."""
        self.step()
        degree: Number = 2
        if self.token == "[":
            self.step()
            degree = self.inside("]")
        value = self.braced()
        if self.exact and degree == 2:
            raise _NoNumberError
        return math.sqrt(value) if degree == 2 else _power(value, 1 / degree)


class _Python(_Parser):
    tokens = re.compile(
        r"(?:\d+(?:_\d+)*)?\.\d+(?:_\d+)*(?:e[+-]?\d+)?|\d+(?:_\d+)*\.?(?:e[+-]?\d+)?|\*\*|//|[a-z_]\w*", re.IGNORECASE
    )
    LEVELS: tuple[Mapping[str, Operation], ...] = (
        {"^": operator.xor},
        {"+": operator.add, "-": operator.sub},
        {"*": operator.mul, "/": operator.truediv, "//": operator.floordiv, "%": operator.mod},
    )
    """Operators by precedence, the loosest first."""

    def value(self) -> Number:
        if "\n" in self.text:  # the end of a statement
            raise _NoNumberError
        value = self.expression()
        self.take("")
        return value

    def expression(self) -> Number:
        return self.level(0)

    def level(self, number: int) -> Number:
        """Operators of a level between operands of the next."""
        if number == len(self.LEVELS):
            return self.signed()
        value = self.level(number + 1)
        while self.token in self.LEVELS[number]:
            operation = self.LEVELS[number][self.step()]
            value = _checked(operation(value, self.level(number + 1)))
        return value

    def signed(self) -> Number:
        """A power behind signs; the exponent may have signs too."""
        sign = 1
        while self.token in ("+", "-"):
            sign *= -1 if self.step() == "-" else 1
        return sign * self.power()

    def power(self) -> Number:
        value = self.atom()
        if self.token != "**":
            return value
        self.step()
        self.depth += 1
        if self.depth > DEEPEST:
            raise _NoNumberError
        value = _power(value, self.signed())
        self.depth -= 1
        return value

    def atom(self) -> Number:
        token = self.step()
        if token == "(":
            return self.inside(")")
        if token in self.names:
            return self.names[token]
        if not token.isascii() or (not token[:1].isdigit() and token[:1] != ".") or token == ".":
            raise _NoNumberError
        if token.replace("_", "").isdecimal():
            if token.lstrip("0_") != token and token.strip("0_"):
                raise _NoNumberError  # 03 is a syntax error
            return _checked(int(token))
        return float(token)
