"""The tokens of a caption, as pycocoevalcap has them of Stanford CoreNLP's PTBTokenizer, without Java.

The tokenizer is a table of regular expressions, of which the one with the longest match wins (what must follow counts
as matched), and of equally long ones the first. Written from the documented behaviour of the Penn Treebank's tokens,
and compared with stanford-corenlp-3.4.1.jar, options -preserveLines -lowerCase, as pycocoevalcap 1.2 calls it.

What is peculiar: brackets become `-lrb-`, `-rsb-` and so on and stay, as do `?!` and `!!!`; single marks of
punctuation are dropped; currency signs become `$`, `#` or `cents`; emoji leave nothing; `'s` and `n't` are tokens.

A caption is one line here, whatever separates lines inside it. The official code replaces line feeds only: any other
separator (a carriage return, U+2028) moves the captions behind it to other images.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from vlmbench.scoring.captions import abbreviations as words
from vlmbench.scoring.captions.characters import DIGITS, DROPPED, LETTERS, MARKS

CACHED = 1 << 17
"""Texts whose tokens are remembered: 25,000 references are tokenized once for all metrics."""
PUNCTUATION = frozenset(("''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"))
"""Tokens that pycocoevalcap drops. Its list has `-LRB-` too, which never comes: brackets are in lower case."""
SEPARATORS = re.compile(r"[\n\r\x0b\x0c\u2028\u2029]")
HYPHEN = "\u00ad"
"""The soft hyphen: inside of words, and left out of tokens."""

_LETTER, _DIGIT = f"[{LETTERS}]", f"[{DIGITS}]"
_ALPHANUMERIC = f"[{LETTERS}{DIGITS}]"
_IN_WORD = f"[{LETTERS}{MARKS}{DIGITS}{HYPHEN}]"
_WORD = f"[{LETTERS}{MARKS}{HYPHEN}]{_IN_WORD}*(?:[.!?][{LETTERS}{MARKS}{HYPHEN}]{_IN_WORD}*)*"
_HYPHENS = "\u058a\u2010\u2011"
_APOSTROPHE, _ANY_APOSTROPHE = "['\u0092\u2019]", "['\u0092\u2019`\u0091\u2018\u201b]"
_SPACE, _LINE_END = "[ \t\u00a0\u2000-\u200a\u3000]", "[\n\x85]"
_BLANK = f"(?:{_SPACE}|{_LINE_END})"
_NOT = f"n{_ANY_APOSTROPHE}t"
_AUXILIARY = f"{_APOSTROPHE}(?:[msd]|re|ve|ll)"
_NUMBER = rf"[-+]?(?:{_DIGIT}*(?:[.:,{HYPHEN}\u066b\u066c]{_DIGIT}+)+|{_DIGIT}+)"
_FRACTION = rf"(?:{_DIGIT}{{1,4}}[- \u00a0])?{_DIGIT}{{1,4}}(?:\\?/|\u2044){_DIGIT}{{1,4}}"
_ACRONYM = r"(?:[A-Za-z]\.)*[A-Za-z](?:\.[A-Za-z])+|(?:Ph|Ed)\.D"
_JOINED = rf"[A-Za-z0-9][A-Za-z0-9.,{HYPHEN}]*(?:-(?:(?:{_ACRONYM})\.|[A-Za-z0-9{HYPHEN}]+))+"
_COMPOUND = f"{_IN_WORD}+(?:[-_{_HYPHENS}]{_IN_WORD}+)*"
_SLASHED = r"[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}"
_NAME, _ATTRIBUTE = "[A-Za-z][A-Za-z0-9_:.-]*", r" *= *['\"][^\r\n'\"]*['\"]"
_HOST, _PATH = r"[^ \t\n\f\r\"<>|.!?(){},]", r"/[^ \t\n\f\r\"<>|()]+[^ \t\n\f\r\"<>|.!?(){},-]"
_LABEL = r"[^ \t\n\f\r\"`'<>|.!?(){},\-$0-9_@/:;=\[\]\\^]"
_DOMAIN = rf"(?:(?i:www\.)(?:{_HOST}+\.)+[a-zA-Z]{{2,4}}|(?:{_LABEL}+\.)+(?i:{'|'.join(words.TOP_LEVEL)}))"
_USER, _SERVER = r"[^ \t\n\f\r\"<>|()\u00a0{}]", r"[^ \t\n\f\r\"<>|(){}.\u00a0]"
_QUOTES = "`\u2018\u2019\u201b\u2039\u203a\u201c\u201d\u00ab\u00bb\u0091-\u0094\u201a\u201e\u201f"


def _any(names: Sequence[str], flags: str = "") -> str:
    return f"(?{flags}:{'|'.join(re.escape(name) for name in sorted(names, key=len, reverse=True))})"


def _first_capital(names: Sequence[str]) -> str:
    return _any([form for name in names for form in (name.capitalize(), name.upper())])


def _not_shouted(names: Sequence[str]) -> str:
    return _any([form for name in names for form in (name, name.capitalize())])


# ------------------------------------------------------------------------------------------------- what tokens become

_BRACKETS = {"(": "-LRB-", ")": "-RRB-", "[": "-LSB-", "]": "-RSB-", "{": "-LCB-", "}": "-RCB-"}
_SIGNS = {
    "\u00a2": "cents", "\u00a3": "#", "\u0080": "$", "\u00a4": "$", "\u20a0": "$", "\u20ac": "$",
    "\u00bc": "1/4", "\u00bd": "1/2", "\u00be": "3/4", "\u2153": "1/3", "\u2154": "2/3",
    "&amp;": "&", "&lt;": "<", "&gt;": ">",
}  # fmt: skip
_QUOTED = {
    "`": "`", "\u2018": "`", "\u201b": "`", "\u2039": "`", "\u0091": "`", "\u2019": "'", "\u203a": "'", "\u0092": "'",
    "\u201c": "``", "\u00ab": "``", "\u0093": "``", "\u201d": "''", "\u00bb": "''", "\u0094": "''",
    "\u201a": "\u201a", "\u201e": "\u201e", "\u201f": "\u201f",
}  # fmt: skip


def _as_is(token: str) -> str:
    return token


def _kept_together(token: str) -> str:
    """Of one token the spaces do not divide it."""
    return token.replace(" ", "\u00a0")


def _round_brackets(token: str) -> str:
    return _kept_together(token.replace("(", "-LRB-").replace(")", "-RRB-"))


def _straight(token: str) -> str:
    return "".join(_QUOTED.get(mark, mark) for mark in token)


# -------------------------------------------------------------------------------------------------------------- rules

Change = Callable[[str], str]
_RULES: tuple[tuple[str, str, Change], ...] = (
    # Where it can begin (L a letter, D a digit, * anywhere), the token and what must follow, what becomes of it.
    ("L", "((?i:can))(?i:not)", _as_is),
    ("L", "((?i:gon|wan))(?i:na)", _as_is),
    ("L", "((?i:got))(?i:ta)", _as_is),
    ("L", "((?i:gim|lem))(?i:me)", _as_is),
    ("L", f"((?i:more?)){_APOSTROPHE}[nN]", _as_is),
    ("'", f"({_APOSTROPHE}[tT])(?i:is|was)", _as_is),
    ("<", rf"(<(?:[!?][A-Za-z-][^>\r\n]*|/?{_NAME}(?: +(?:{_NAME}(?:{_ATTRIBUTE})?))* */?)>)", _kept_together),
    ("*", "(&(?:MD|mdash|ndash);|[\u0096\u0097\u2013\u2014\u2015])", lambda token: "--"),
    ("&", "(&amp;|&lt;|&gt;)", _SIGNS.__getitem__),
    ("L*", f"({_WORD})(?i:{_AUXILIARY})", _as_is),
    ("L", f"([A-Za-z]*[A-MO-Za-mo-z]{HYPHEN}*)(?i:{_NOT})", _as_is),
    ("L*", f"({_WORD})", _as_is),
    ("L", f"([yY]{_APOSTROPHE}){_LETTER}", _as_is),
    ("'", f"({_APOSTROPHE}[nN]{_APOSTROPHE})", _as_is),
    ("'", f"({_APOSTROPHE}[nN]){_BLANK}", _as_is),
    ("'", f"({_APOSTROPHE}em|{_ANY_APOSTROPHE}cause|{_APOSTROPHE}till?|{_APOSTROPHE}[2-9]0s)", _as_is),
    ("'", f"({_APOSTROPHE}[0-9][0-9]){_BLANK}", _as_is),
    ("L", f"([lLdDjJ]{_APOSTROPHE})", _as_is),
    ("L", f"([A-HJ-XZn]{_ANY_APOSTROPHE}{_LETTER}{{2}}{_LETTER}*)", _as_is),
    ("LD", f"((?:{_ALPHANUMERIC}+[-_])*[dDoOlL]{_ANY_APOSTROPHE}{_ALPHANUMERIC}{{2,}}(?:[-_]{_ALPHANUMERIC}+)*)",
     _as_is),
    ("L", f"({_LETTER}+[aeiouyAEIOUY]{_ANY_APOSTROPHE}[aeiouA-Z]{_LETTER}*)", _as_is),
    ("L", f"(ol{_APOSTROPHE}|[cC]ap{_APOSTROPHE}n|[sS]omethin{_APOSTROPHE}|Dunkin{_APOSTROPHE})", _as_is),
    ("L", "([cC]'mon)", _as_is),
    ("L", r"((?i:https?)://[^ \t\n\f\r\"<>|()]+[^ \t\n\f\r\"<>|.!?(){},-])", _as_is),
    ("L*", f"({_DOMAIN})", _as_is),
    ("L*", f"({_DOMAIN}{_PATH})", _as_is),
    ("LD<&", rf"((?:&lt;|<)?[a-zA-Z0-9]{_USER}*@(?:{_SERVER}+\.)*{_SERVER}+(?:&gt;|>)?)", _as_is),
    ("@#", f"(@[A-Za-z_][A-Za-z0-9_]*|#[{LETTERS}{MARKS}{HYPHEN}][{LETTERS}{MARKS}]*|@{{2,}}|#{{2,}})", _as_is),
    ("L", r"([A-Z]+\$)", _as_is),
    ("'", f"((?i:{_AUXILIARY}))[^A-Za-z]", _straight),
    ("'", "((?i:[\u0092\u2019](?:[msd]|re|ve|ll)))", _straight),
    ("L", f"((?i:{_NOT}))[^A-Za-z]", _straight),
    ("D", f"({_DIGIT}{{1,2}}[-/]{_DIGIT}{{1,2}}[-/]{_DIGIT}{{2,4}})", _as_is),
    ("*", f"({_NUMBER})", _as_is),
    ("*", "([\u207a\u207b\u208a\u208b]?(?:[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+|[\u2080-\u2089]+))", _as_is),
    ("D", f"({_FRACTION})", _kept_together),
    ("D", f"({_DIGIT}+(?:{_LETTER}|{_DIGIT})*)", _as_is),
    ("*", r"((?:\([0-9]{2,3}\)[ \u00a0]?|(?:\+\+?)?(?:[0-9]{2,4}[- \u00a0])?[0-9]{2,4}[- \u00a0])[0-9]{3,4}"
          r"[- \u00a0]?[0-9]{3,5})", _round_brackets),
    ("*", r"((?:\+\+?)?(?:[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5})", _as_is),
    ("*", rf"((?:[{LETTERS}{DIGITS}{HYPHEN}]+(?:[-_{_HYPHENS}][{LETTERS}{DIGITS}{HYPHEN}]+)+))", _as_is),
    ("*", rf"((?:{_JOINED}|{_WORD}|{_COMPOUND})\.)[,;:\u3001]", _as_is),
    ("L", r"([cC]\+\+|[cCfF]#)", _as_is),
    ("-", "(-(?:[LR][RCS]B|[lr][rcs]b)-)", _as_is),
    ("L", "([A-Z]+(?:(?:[+&]|&amp;)[A-Z]+)+)", lambda token: token.replace("&amp;", "&")),
    ("LD", rf"({_SLASHED}(?:\\?/{_SLASHED}){{1,2}})", _as_is),
    ("L", rf"({_any(words.SHORTENED, 'i')}\.)(?s:..)", _as_is),
    ("L", rf"((?:{_first_capital(words.CAPITALISED)}|{_not_shouted(words.UNSHOUTED)})\.)(?s:..)", _as_is),
    ("L", rf"({_any((*words.TITLES, *words.SHORTENED), 'i')}\.)", _as_is),
    ("L", rf"((?:{_first_capital(words.CAPITALISED)}|{_not_shouted(words.UNSHOUTED)})\.)", _as_is),
    ("L", rf"({_any(words.NUMBERED, 'i')}\.){_BLANK}?{_DIGIT}", _as_is),
    ("L", rf"([A-Za-z])\.{_BLANK}+{_any(words.STARTERS)}{_BLANK}", _as_is),
    ("L", rf"((?:{_ACRONYM}|[A-Za-z])\.)", _as_is),
    ("LD", rf"((?:{_ALPHANUMERIC}+\.)+{_any(words.FILE_TYPES, 'i')})(?:{_BLANK}|[.?!,])", _as_is),
    ("LD", f"({_JOINED})", _as_is),
    ("*", r"([<>]?[:;=][-o*']?[()DPdpO\\{@|\[\]])[^A-Za-z0-9]", _round_brackets),
    ("*", r"([\^x=~<>]\.\[\^x=~<>]|[-\^x=~<>']_[-\^x=~<>']|\([-\^x=~<>'][_.]?[-\^x=~<>']\)"
          r"|\([\^x=~<>']-[\^x=~<>'`]\))", _round_brackets),
    ("*", r"([()\[\]{}])", _BRACKETS.__getitem__),
    ("*", f"([{_HYPHENS}])", lambda token: "-"),
    ("-", "(-+)", lambda token: "--" if 3 <= len(token) <= 4 else token),
    ("*", r"(\.{3,5}|(?:\.[ \u00a0]){2,4}\.|[\u0085\u2026])", lambda token: "..."),
    ("*", r"(\*+|[?!]+|_+|\.|(?:\\\*)+|<<|>>)", _as_is),
    ("*", r"(``|''|\"|['`])", lambda token: "''"),
    ("*", f"([{_QUOTES}]{{1,2}})", lambda token: "".join(_QUOTED[mark] for mark in token)),
    ("*", f"([{''.join(sign for sign in _SIGNS if len(sign) == 1)}])", _SIGNS.__getitem__),
)  # fmt: skip
_COMPILED = [(starts, re.compile(pattern), change) for starts, pattern, change in _RULES]
_BLANKS = re.compile(f"{_BLANK}+")
_KIND = re.compile(f"(?P<L>{_LETTER})|(?P<D>{_DIGIT})")
_GONE = re.compile(f"[{DROPPED}]")
_PLAIN = re.compile(r"([A-Za-z]+(?:-[A-Za-z]+)*)(?:[,;:!?]|(\.))?[ \n]+")
"""A word of Latin letters with at most one mark behind it, before a space: one token, where it is not in a list."""
_OPEN_END = re.compile(rf"(?:^|[^A-Za-z])(?:[A-Za-z]|{_any(words.NUMBERED, 'i')})\.\s*\Z")
"""The end of a caption whose full stop may depend on the next line."""
_APOSTROPHES = "'`\u0091\u0092\u2018\u2019\u201b"


@lru_cache(maxsize=64)
def _rules_of(start: str) -> list[tuple[re.Pattern[str], Change]]:
    """The rules for tokens that begin with `L`, `D` or another character."""
    start = "'" if start in _APOSTROPHES else start
    return [(pattern, change) for starts, pattern, change in _COMPILED if start in starts or starts[-1] == "*"]


def tokenize_lines(captions: Sequence[str]) -> list[tuple[str, ...]]:
    """The tokens of captions that the official code writes into one file, a line each, in this order.

    A full stop at the end of a line may depend on the next line: `by a.` loses it before `The cat sat`, and `no.`
    keeps it before `5 cats`.
    """
    found = []
    for place, caption in enumerate(captions):
        following = ""
        if _OPEN_END.search(caption):  # the next line with something in it
            last = next((n for n in range(place + 1, len(captions)) if captions[n].strip()), place)
            following = "\n".join(captions[place + 1 : last + 1])
        found.append(tokenize(caption, following))
    return found


@lru_cache(maxsize=CACHED)
def tokenize(caption: str, following: str = "") -> tuple[str, ...]:
    """The tokens of one caption, without punctuation, in lower case. `following` is the next line, where it matters."""
    text = SEPARATORS.sub(" ", caption) + "\n"
    end = len(text)
    text += f"{SEPARATORS.sub(' ', following)}\n" if following else ""
    found: list[str] = []
    place = 0
    while place < end:
        plain = _PLAIN.match(text, place)
        if plain and _is_one_token(plain):
            found.append(plain[1].lower())
            place = plain.end()
        elif blanks := _BLANKS.match(text, place):
            place = blanks.end()
        else:
            token, place = _longest(text, place)
            found.append(token.lower())
    return tuple(token for token in found if token and token not in PUNCTUATION)


def _is_one_token(plain: re.Match[str]) -> bool:
    """Whether a plain word is not to be taken apart, and has no full stop that may be its own."""
    word = plain[1].lower()
    if plain[2] and (len(word) == 1 or word in words.DOTTED or "-" in word):
        return False
    return word not in words.SPLIT


def _longest(text: str, place: int) -> tuple[str, int]:
    """The token at a place that is not blank, "" for a character that leaves none, and where the next one may begin."""
    kind = _KIND.match(text, place)
    best, end = 0, place
    make: Change = _as_is
    for pattern, change in _rules_of(str(kind.lastgroup) if kind else text[place]):
        match = pattern.match(text, place)
        if match and match.end() > best:
            best, end, make = match.end(), match.end(1), change
    if best:
        return make(text[place:end]).replace(HYPHEN, "") or "-", end
    one = text[place]
    return "" if _GONE.match(one) or one > "\uffff" else one, place + 1
