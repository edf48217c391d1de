"""Fields that a server does not know: found out from its refusal, left out or renamed from then on.

OpenAI's reasoning models refuse `max_tokens`, a temperature and `stop`; other servers know no `max_completion_tokens`,
or no `seed`.
Each field is changed once at most, and changes are reported.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from vlmbench.chat.options import LENGTHS

LENGTH, SAMPLING, STOP, SEED, JSON = "length", "sampling", "stop", "seed", "json"
UNSUPPORTED = re.compile(
    r"unsupported|not (be )?supported|(does|do) ?n[o']t support|unrecogni[sz]ed|unknown|unexpected|not permitted"
    r"|not allowed|extra (inputs|fields)|only the default",
    re.IGNORECASE,
)

_NAMED = {"stop": r"""['"`]stop['"`]|parameter:? stop\b|stop (sequence|word|text|parameter|token)s?\b"""}
"""How a refusal names a field whose name is a plain word."""


class Adapted:
    """The fields of a request as one server takes them, learnt from its refusals."""

    def __init__(self, allowed: Collection[str]) -> None:
        """`allowed`: which of LENGTH, SAMPLING, STOP, SEED and JSON may be changed without asking the user."""
        self._fields: dict[str, str] = {}
        if LENGTH in allowed:
            self._fields |= {LENGTHS[0]: LENGTHS[1], LENGTHS[1]: LENGTHS[0]}
        if SAMPLING in allowed:
            self._fields |= {"temperature": "", "top_p": ""}
        if STOP in allowed:
            self._fields["stop"] = ""
        if SEED in allowed:
            self._fields["seed"] = ""
        if JSON in allowed:
            self._fields["response_format"] = ""
        self.changes: dict[str, str] = {}
        """By field: the name it goes under, or nothing where it is left out."""

    def body(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The request as this server takes it."""
        adapted = {}
        for name, value in request.items():
            if new := self.changes.get(name, name):
                adapted[new] = value
        return adapted

    def learn(self, sent: Mapping[str, Any], message: str, parameter: str) -> str:
        """Adapt to a refusal. Returns what is changed because of it; empty when it is about something else.

        `parameter` is the field that the server names by itself, where it does.
        """
        if not UNSUPPORTED.search(message):
            return ""
        for name, new in self._fields.items():
            if name not in sent or name in self.changes or name in self.changes.values():
                continue
            if parameter == name or (not parameter and re.search(_NAMED.get(name, rf"\b{name}\b"), message)):
                self.changes[name] = new
                return f"{name} is sent as {new}" if new else f"{name} is left out"
        return ""

    def summary(self) -> str:
        """All changes as text, for run.json."""
        return ", ".join(f"{name} as {new}" if new else f"no {name}" for name, new in self.changes.items())
