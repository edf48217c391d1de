"""What went wrong with a call to a chat server, and what that means: try again, give this request up, or end the run.

The tables here know the HTTP statuses and the words of the servers in use: an account without credit and a wrong key
concern every request; a question that the server's moderation flags, and one that is too long, concern it alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vlmbench.base.errors import ModelError

AGAIN = frozenset((408, 409, 425, 429))
"""Statuses below 500 after which trying again makes sense."""
NEVER_AGAIN = frozenset((501, 505))
"""Statuses from 500 on after which it makes none."""

NO_CREDIT = re.compile(
    r"insufficient[ _](credit|balance|fund|quota)|credit balance is too low|(out of|no|more) credits?\b"
    r"|requires more credits|billing hard limit|in arrears|payment required",
    re.IGNORECASE,
)
BAD_KEY = re.compile(
    r"(invalid|incorrect|not a valid|missing|wrong|expired).{0,24}api[ _-]?key"
    r"|api[ _-]?key.{0,24}(invalid|not valid|missing|required|expired|incorrect)",
    re.IGNORECASE,
)
MODERATED = re.compile(
    r"flagged|moderat|content[ _-]?(policy|filter|management)|safety|harmful|inappropriate|sensitive|prohibited content"
    r"|violat\w+ .{0,40}(policy|policies|guidelines|terms)",
    re.IGNORECASE,
)
CREDIT_CURE = "the account has no credit left: add some, then run the same command again"
NAME_CURE = "check the model's name and base_url"


class NoReplyError(Exception):
    """A request without a reply; the text says why."""

    def __init__(self, problem: str, *, refused: bool = False) -> None:
        self.refused = refused
        """The server refused this very request: it is there, and trying again does not help."""
        super().__init__(problem)


class ServerStoppedError(Exception):
    """No request can be answered any more; holds the error to be shown."""

    def __init__(self, error: ModelError) -> None:
        self.error = error
        super().__init__(str(error))


class MalformedReplyError(Exception):
    """One attempt went wrong."""

    def __init__(
        self,
        problem: str,
        *,
        again: bool = True,
        slow_down: bool = False,
        pause: float | None = None,
        kind: str = "",
        parameter: str = "",
    ) -> None:
        self.again, self.slow_down, self.pause = again, slow_down, pause
        self.kind = kind
        """`gone`: no server listens there. `forbidden`: HTTP 403 that does not say why. `status`: another HTTP status.
        `body`: no chat completion."""
        self.parameter = parameter
        """The parameter that the server refuses, where it names one by itself."""
        super().__init__(problem)


class ErrorBodyError(Exception):
    """HTTP 200 with a body that says there was an error."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.body = body
        super().__init__("an error in a response of status 200")

    @property
    def status(self) -> int:
        """The HTTP status that the body names; 500 where it names none."""
        code = error_of(self.body).get("code", self.body.get("code"))
        if isinstance(code, str) and len(code) == 3 and code.isdecimal():
            code = int(code)
        return int(code) if isinstance(code, int | float) and 400 <= code <= 599 else 500


def error_of(body: object) -> Mapping[str, Any]:
    """The part of a body that describes an error, whichever of the usual forms it has."""
    if not isinstance(body, Mapping):
        return {}
    error = body.get("error")
    if isinstance(error, Mapping):
        return error
    return {**body, "message": error} if isinstance(error, str) else body


def words_of(body: object) -> str:
    """What a body says about an error; empty where it says nothing."""
    error = error_of(body)
    for name in ("message", "detail", "msg", "error"):
        if isinstance(text := error.get(name), str) and text.strip():
            return text
    return str(error["detail"]) if error.get("detail") else ""


def meaning(status: int, body: object, message: str, pause: float | None) -> MalformedReplyError | str:
    """What an HTTP status with a body means: a failed attempt, or (as text) the hint without which none succeeds.

    The hint `key` stands for a hint about the key, which the caller has.
    """
    error = error_of(body)
    codes = (error.get("code"), error.get("type"))
    if status == 402 or "insufficient_quota" in codes or (status in (400, 403, 429) and NO_CREDIT.search(message)):
        return CREDIT_CURE
    if status == 401 or (status in (400, 403) and BAD_KEY.search(message)):
        return "key"
    if status == 404:
        return NAME_CURE
    again = status in AGAIN or (status >= 500 and status not in NEVER_AGAIN)
    parameter = error.get("param")
    forbidden = status == 403 and not MODERATED.search(message) and "logprob" not in message
    return MalformedReplyError(
        message,
        again=again,
        slow_down=status == 429,
        pause=pause,
        kind="forbidden" if forbidden else "status",
        parameter=parameter if isinstance(parameter, str) and status in (400, 422) else "",
    )
