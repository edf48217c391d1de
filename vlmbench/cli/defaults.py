"""Defaults of a verb's options from ./vlmbench.toml: a table per verb, options by their names without dashes.

    [run]
    model = "tinyllava"
    limit = 0.1

What the command line says goes first. What runs code, or decides where a key is sent, is not taken from a file that
lies in a folder: someone else may have made it.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from vlmbench.base import settings
from vlmbench.base.errors import UnknownNameError, UsageError
from vlmbench.base.process import terminal

REFUSED: Mapping[str, str] = {
    "plugins": "plug-ins are code, and a settings file runs none",
    "trust_remote_code": "it runs code, and a settings file runs none",
}
"""Options that only a command line may set, and why."""
SERVER = "base_url"
"""The option of models and judges that says where requests, and the key, are sent."""


def apply(parser: argparse.ArgumentParser, verb: str, verbs: Collection[str]) -> list[str]:
    """Make a verb's table in vlmbench.toml its defaults; returns them as words of a command line.

    Raises UnknownNameError for tables that are no verb and options that the verb lacks, UsageError for wrong values.
    """
    tables = settings.sections()
    for name in tables:
        if name not in verbs:
            raise UnknownNameError(f"verb in {settings.CONFIG}", name, verbs)
    given: list[str] = []
    for name, value in tables.get(verb, {}).items():
        option = name.replace("-", "_")
        if option in REFUSED:
            raise UsageError(REFUSED[option], where=settings.CONFIG, hint="name it on the command line")
        given += _words(_action(parser, verb, option), value)
    return given


def _action(parser: argparse.ArgumentParser, verb: str, option: str) -> argparse.Action:
    known = {action.dest: action for action in parser._actions if action.option_strings and action.dest != "help"}
    if option not in known:
        raise UnknownNameError(f"option of {verb} in {settings.CONFIG}", option, known)
    return known[option]


def _words(action: argparse.Action, value: Any) -> list[str]:
    """An option as the command line would give it."""
    flag = next(name for name in action.option_strings if name.startswith("--"))
    problem = f"[{flag}] takes no {value!r:.40}"
    if isinstance(value, Mapping | Sequence) and not isinstance(value, str):
        raise UsageError(problem, where=settings.CONFIG, hint="write a string, a number, true or false")
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise UsageError(problem, where=settings.CONFIG, hint="it is true or false")
        return [flag] if value else []
    if isinstance(value, bool):
        raise UsageError(problem, where=settings.CONFIG, hint="write a string or a number")
    if SERVER in str(value):
        why = f"{SERVER} decides where a key is sent: a settings file does not"
        raise UsageError(why, where=settings.CONFIG, hint="name it on the command line")
    return [f"{flag}={value}"]


def with_defaults(
    parser: argparse.ArgumentParser, verb: str, verbs: Collection[str], words: Sequence[str]
) -> list[str]:
    """The words of a command with those of vlmbench.toml before them, so that the command's own count; they are told.

    Help is printed as it is.
    """
    given = apply(parser, verb, verbs)
    named = {word.partition("=")[0] for word in words}
    used = [word for word in given if word.partition("=")[0] not in named]
    if used and not named & {"-h", "--help"}:
        terminal.note(f"{settings.CONFIG}: {shlex.join(used)}")
    return [*used, *words]
