"""Named variants of a protocol: the user's own temperature, length, system prompt, examples, or several samples.

A variant has a key and a row of its own, `pope@official+temperature=0.7+samples=5`, so that it is never mistaken for
how the protocol's papers ask. The words in the key are the settings that the user names, in the order of NAMES;
of a system prompt, whose text stands in run.json, the key has the hash.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

from vlmbench.base.errors import UsageError
from vlmbench.base.samples import Generation

NAMES = ("temperature", "top_p", "max_new_tokens", "thinking", "system", "shots", "samples")
"""Words of a key, in their order."""
OPTIONS: Mapping[str, str] = {
    "temperature": "--temperature",
    "top_p": "--top-p",
    "max_new_tokens": "--max-new-tokens",
    "thinking": "--thinking-budget",
    "system": "--system",
    "shots": "--shots",
    "samples": "--samples",
}
"""By word: the option that sets it."""
MOST: Mapping[str, int] = {"max_new_tokens": 10_000_000, "thinking": 10_000_000, "samples": 10_000}
"""By word: the largest value; more is a slip of the pen, and would fill the memory before a question is asked."""
LEAST_TEMPERATURE = 0.0001
"""Of sampling: logits that are divided by less overflow."""
MOST_DIGITS = 9
"""Of a number of examples."""
_PLUS = re.compile(r"\+(?!_)")
"""What begins a variant in a key."""
_DIGEST = re.compile(r"[0-9a-f]{8}")


def _check_range(variant: Any, name: str, fits: Callable[[Any], bool], wanted: str, *, whole: bool = False) -> None:
    value = getattr(variant, name)
    if value is None:
        return
    number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not fits(value):
        raise UsageError(f"{OPTIONS[name]} takes {wanted}, not {value!r:.40}")
    if not whole:
        object.__setattr__(variant, name, float(value) + 0.0)  # -0.0 is 0.0


@dataclass(frozen=True)
class Variant:
    """What of a protocol a user changes; a field at its default changes nothing."""

    temperature: float | None = None
    top_p: float | None = None
    max_new_tokens: int | None = None
    thinking: int | None = None
    """Tokens for a thought, beside those of the answer."""
    system: str = ""
    """The system prompt's text."""
    shots: str = ""
    """`K` or `K:SPLIT`: so many solved questions of a split (the same one, if none is named) before each question."""
    samples: int = 1
    """How many answers are drawn to each question."""
    digest: str = ""
    """Of a system prompt whose text is not known: a variant that was read from a key."""

    def __post_init__(self) -> None:
        """Raise UsageError for a value out of range, or for settings that contradict each other."""
        wanted = f"a number from 0 to 2 (0, or at least {LEAST_TEMPERATURE})"
        _check_range(self, "temperature", lambda value: value == 0 or LEAST_TEMPERATURE <= value <= 2, wanted)
        _check_range(self, "top_p", lambda value: 0 < value <= 1, "a number above 0, at most 1")
        for name, most in MOST.items():
            counts = range(1, most + 1)
            _check_range(self, name, counts.__contains__, f"a whole number from 1 to {most:,}", whole=True)
        for name in ("system", "shots"):
            if not isinstance(getattr(self, name), str):
                raise UsageError(f"{OPTIONS[name]} takes a text, not {getattr(self, name)!r:.40}")
        if self.shots:
            count, split = self.examples
            object.__setattr__(self, "shots", f"{count}:{split}" if split else str(count))

    @property
    def examples(self) -> tuple[int, str]:
        """How many examples, and of which split ("": the same one)."""
        count, _, split = self.shots.partition(":")
        readable = count.isdecimal() and len(count) <= MOST_DIGITS and not self.shots.endswith(":")
        if not readable or int(count) < 1:
            hint = "write K or K:SPLIT, such as --shots 4:train"
            raise UsageError(f"--shots takes a number above 0, not {self.shots!r:.40}", hint=hint)
        return int(count), split

    @cached_property
    def label(self) -> str:
        """`temperature=0.7+samples=5`; empty for no change."""
        return "+".join(f"{name}={value}" for name, value in self._words().items())

    @property
    def generation_words(self) -> list[str]:
        """The words of its changes that say how an answer is generated."""
        words = ("temperature", "top_p", "max_new_tokens", "thinking")
        return [name for name in words if getattr(self, name) is not None]

    def _words(self) -> dict[str, str]:
        digest = digest_of(self.system) or self.digest
        values: dict[str, Any] = {name: getattr(self, name) for name in NAMES} | {"system": digest}
        values["samples"] = None if self.samples == 1 else self.samples
        words = {name: value for name, value in values.items() if value not in (None, "")}
        return {name: str(value).removesuffix(".0") for name, value in words.items()}

    def to_dict(self) -> dict[str, Any]:
        """What run.json says of it: the fields that change something, the system prompt as text."""
        values = {item.name: (getattr(self, item.name), item.default) for item in fields(self)}
        return {name: value for name, (value, default) in values.items() if value != default}

    def generation(self, own: Generation, key: str) -> Generation:
        """The protocol's generation settings with this variant's. Raises UsageError where they contradict each other.

        `key` names the task in errors.
        """
        changes: Mapping[str, Any] = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_new_tokens": self.max_new_tokens,
            "max_reasoning_tokens": self.thinking,
        }
        changed = replace(own, **{name: value for name, value in changes.items() if value is not None})
        sampled = changed.temperature > 0
        if self.top_p is not None and self.top_p < 1 and not sampled:
            raise UsageError(f"{key}: --top-p without a temperature changes nothing", hint="add --temperature 0.7")
        if self.samples > 1 and not sampled:
            problem = f"{key}: --samples {self.samples} at temperature 0 gives the same answer {self.samples} times"
            raise UsageError(problem, hint="add --temperature 0.7")
        if sampled and changed.num_beams > 1:
            hint = "take a protocol without beams, or leave --temperature out"
            raise UsageError(f"{key}: its protocol searches with beams, which do not sample", hint=hint)
        if changed.min_new_tokens > changed.max_new_tokens:
            problem = f"{key}: --max-new-tokens {changed.max_new_tokens}, and the protocol wants at least"
            raise UsageError(f"{problem} {changed.min_new_tokens}", hint="give more")
        return changed


PLAIN = Variant()
"""The protocol as its papers run it."""


def chosen(**settings: Any) -> Variant:
    """The variant of the settings that somebody gave; None stands for one that nobody did.

    Raises UsageError for values out of range, and for an empty text: it would be taken for no setting.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    for name, value in given.items():
        if value == "":
            raise UsageError(f"{OPTIONS[name]} takes a text, not an empty one", hint=f"leave {OPTIONS[name]} out")
    return Variant(**given)


def digest_of(system: str) -> str:
    """What a key holds of a system prompt; empty for none."""
    return hashlib.sha256(system.encode()).hexdigest()[:8] if system else ""


def split_key(key: str) -> tuple[str, str]:
    """The words of a key before its variant, and the variant's label: "" where there is none.

    A split may have a plus of its own: `refcoco:refcoco+_val@peers+temperature=0.7`. Raises UsageError for a plus with
    nothing behind it.
    """
    plus = _PLUS.search(key)
    if plus is None:
        return key, ""
    words, label = key[: plus.start()], key[plus.end() :]
    if not label:
        raise UsageError(f"{key!r:.80} ends with a plus", hint=f"write {words}, or {words}+temperature=0.7")
    return words, label


def parse(label: str) -> Variant:
    """Read the label of a key (`split_key`). Raises UsageError."""
    types = {"temperature": float, "top_p": float, "max_new_tokens": int, "thinking": int, "samples": int}
    found: dict[str, Any] = {}
    for word in label.split("+") if label else ():
        name, equals, value = word.partition("=")
        if name not in NAMES or not equals:
            raise UsageError(f"no variant {word!r:.60}", hint=f"there are: {', '.join(f'{n}=...' for n in NAMES)}")
        if name in found or (name == "system" and "digest" in found):
            raise UsageError(f"{name} is set twice in {label!r:.80}", hint="set it once")
        if name == "system":
            if not _DIGEST.fullmatch(value):
                raise UsageError("a system prompt is given as text: --system TEXT", hint="leave system=... out")
            found["digest"] = value
            continue
        try:
            found[name] = types.get(name, str)(value)
        except ValueError:
            raise UsageError(f"{name} takes a number, not {value!r:.40}") from None
    return Variant(**found)


def merged(first: Variant, second: Variant) -> Variant:
    """Both variants' changes. Raises UsageError where both set the same."""
    for name in first.to_dict().keys() & second.to_dict().keys():
        if getattr(first, name) != getattr(second, name):
            option = OPTIONS.get(name, name)
            raise UsageError(f"{name} is set twice: in the task and by {option}", hint="set it in one place")
    return Variant(**{**first.to_dict(), **second.to_dict()})
