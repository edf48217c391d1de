"""Thoughts in prompts and tokens of a transformers model: `thinking=auto|on|off|TAG` of the hf and vllm adapters.

Chat templates differ: some write the tag that opens a thought into the prompt (then the model's first words are a
thought), some take a switch, `enable_thinking` or `thinking`. Both are found by rendering, not from the model's name.
Tags that are special tokens stay in the text: without them nobody could tell thought and answer apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from vlmbench.base.errors import UsageError
from vlmbench.parsing.thinking import TAGS, Tag, opened_by, pair

AUTO = "auto"
ON = "on"
OFF = "off"
SWITCHES = ("enable_thinking", "thinking")
"""Variables of chat templates that turn thoughts on and off."""
SHORTEST = 3
"""Characters of a special token that may be a part of a tag."""
_CODE = re.compile(r"\{[%{].*?[%}]\}", re.DOTALL)


class ThinkingOption:
    """What a user wants of a model's thoughts."""

    def __init__(self, word: str, template: Any) -> None:
        """Raises UsageError for a word that is neither auto, on or off, nor a tag."""
        self.word = word.strip() or AUTO
        self.tags: tuple[Tag, ...] = () if self.word in (AUTO, ON, OFF) else (pair(self.word),)
        code = " ".join(_CODE.findall(template)) if isinstance(template, str) else ""
        names = [name for name in SWITCHES if re.search(rf"(?<![\w.'\"]){name}(?![\w'\"])", code)]
        self.switches = dict.fromkeys(names, self.word == ON) if self.word in (ON, OFF) else {}
        """What the template is told."""
        self.opened = ""
        """The tag that the prompt ends with."""
        self.closing = ""
        """What is put behind the prompt, to end its thought at once."""
        self.closed = False
        """Whether prompts end with a thought that is over: ranked choices follow it."""

    def look(self, prompt: str) -> None:
        """Take note of how a rendered prompt ends. Raises UsageError where on or off changes nothing."""
        self.opened = opened_by(prompt, self.tags)
        if self.word in (ON, OFF) and not self.switches and not self.opened:
            problem = f"thinking={self.word}: the chat template has no switch for thoughts, and opens none"
            raise UsageError(problem, hint="leave thinking out")
        if self.word != OFF:
            return
        if self.opened:
            end = next(end for start, end in TAGS if start == self.opened.lower())
            blank = prompt[prompt.rindex(self.opened) + len(self.opened) :]
            self.closing = f"{'' if blank else chr(10)}\n{end}\n\n"
            self.opened = ""
        self.closed = any((prompt + self.closing).rstrip().lower().endswith(end) for _, end in TAGS)


class TokenDecoder:
    """New tokens to text: special ones out, but for tags of thoughts."""

    def __init__(self, tokenizer: Any, thinking: ThinkingOption) -> None:
        self._tokenizer, self._thinking = tokenizer, thinking
        words = [word for tag in (*thinking.tags, *TAGS) for word in tag]
        special = _special(tokenizer)
        self._special = frozenset(special)
        self.tags = frozenset(
            token
            for token, text in special.items()
            if len(text) >= SHORTEST and any(text.lower() in word.lower() for word in words)
        )
        """Special tokens of which the tags are made."""

    def __call__(self, ids: Sequence[int]) -> str:
        """The text, outer spaces removed, behind the tag that the prompt ends with."""
        decode: Callable[..., str] = self._tokenizer.decode
        if self.tags.isdisjoint(ids):
            text = str(decode(list(ids), skip_special_tokens=True)).strip()
        else:
            kept = [token for token in ids if token in self.tags or token not in self._special]
            text = str(decode(kept, skip_special_tokens=False)).strip()
        return self._thinking.opened + text


def _special(tokenizer: Any) -> dict[int, str]:
    """The special tokens, by id."""
    added = getattr(tokenizer, "added_tokens_decoder", None) or {}
    found = {int(token): str(text) for token, text in added.items() if getattr(text, "special", False)}
    known = getattr(tokenizer, "all_special_ids", None) or ()
    names = tokenizer.convert_ids_to_tokens(list(known)) if known else []
    return {**found, **{int(token): str(name) for token, name in zip(known, names, strict=True)}}
