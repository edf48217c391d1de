"""Options of calls to a chat server, checked, and the server's key, which comes from the environment alone."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, fields
from urllib.parse import urlsplit

from vlmbench.base.errors import UsageError

OPENAI = "https://api.openai.com/v1"
LENGTHS = ("max_tokens", "max_completion_tokens")
"""Names of the field that limits a reply's length."""
DETAILS = ("", "low", "high", "auto")
"""How closely OpenAI's models look at an image; empty: not sent."""
LIST_PRICE = -1.0
"""A price that is not given: the list price, where it is known."""
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,60}")
"""How environment variables are usually named. Anything else may be a key, given where its name belongs."""


@dataclass(frozen=True)
class ApiOptions:
    """What stands after `openai:MODEL` as `,k=v`, and concerns the calls."""

    base_url: str = OPENAI
    """The server: anything that speaks OpenAI's chat completions."""
    key_env: str = ""
    """The environment variable that holds the key. OPENAI_API_KEY for OpenAI; none for other servers unless named."""
    rpm: float = 3000.0
    """Calls a minute, at most."""
    tpm: float = 0.0
    """Tokens a minute, at most; 0: no limit."""
    in_flight: int = 128
    """Calls open at once, at most."""
    timeout: float = 60.0
    """Seconds for one attempt."""
    deadline: float = 600.0
    """Seconds for one request, from its first attempt; and for how long a server may refuse every call."""
    attempts: int = 8
    """Calls for one request, refusals (HTTP 429) not counted: those are bounded by the deadline."""
    backoff: float = 0.5
    """Seconds before the second attempt; doubled each time."""
    price_in: float = LIST_PRICE
    """US dollars per million prompt tokens; the list price, where it is known, unless given."""
    price_out: float = LIST_PRICE
    """US dollars per million generated tokens."""


def check_options(options: ApiOptions) -> None:
    """Raises UsageError for options that no call can be made with."""
    _check_address(options.base_url)
    for option in fields(options):
        value = getattr(options, option.name)
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{option.name} must be a finite number", hint=f"leave {option.name} out for its default")
    for name in ("rpm", "in_flight", "timeout", "deadline", "attempts"):
        if not getattr(options, name) > 0:
            raise UsageError(f"{name} must be above 0", hint=f"leave {name} out for its default")
    for name in ("tpm", "backoff"):
        if getattr(options, name) < 0:
            raise UsageError(f"{name} must not be negative", hint=f"leave {name} out for its default")
    for name in ("price_in", "price_out"):
        if getattr(options, name) < 0 and getattr(options, name) != LIST_PRICE:
            raise UsageError(f"{name} must not be negative", hint=f"leave {name} out for the list price")


def check_budget(budget: float, name: str) -> None:
    """Raises UsageError for a budget that is no amount of money."""
    if not math.isfinite(budget) or budget < 0:
        raise UsageError(f"{name} must be a finite number of US dollars", hint=f"leave {name} out for no limit")


def _check_address(base_url: str) -> None:
    try:
        parts = urlsplit(base_url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise UsageError("base_url is no address", hint="write base_url=http://HOST:PORT/v1")
    if parts.username or parts.password or parts.query or parts.fragment or set("?#@") & set(base_url):
        hint = "put the key into an environment variable and name it: key_env=NAME"
        raise UsageError("base_url must hold no key or password: it is written into the run", hint=hint)


def find_key(options: ApiOptions) -> str:
    """The server's key. Raises UsageError that says what to set, and that never repeats what may itself be a key."""
    name = options.key_env or ("OPENAI_API_KEY" if options.base_url.rstrip("/") == OPENAI else "")
    if not name:
        return ""
    key = os.environ.get(name, "").strip() if "\0" not in name and "=" not in name else ""
    if not key and not _VARIABLE.fullmatch(name):
        problem = "key_env names no environment variable that is set (its value is not shown here: it may be a key)"
        raise UsageError(problem, hint="key_env=NAME takes the variable's name: export NAME=..., then key_env=NAME")
    if not key:
        own = ", or name a server of your own: openai:MODEL,base_url=http://HOST:PORT/v1"
        raise UsageError(
            f"{options.base_url} needs a key, and {name} is not set",
            hint=f"set it: export {name}=...{'' if options.key_env else own}",
        )
    if not (key.isascii() and key.isprintable()):
        problem = "the key in the environment holds characters that no HTTP header can"
        raise UsageError(problem, where=name, hint="copy the key again, without line breaks and typographic characters")
    return key
