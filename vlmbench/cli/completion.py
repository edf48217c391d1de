"""Answers the TAB key: the verb's options, and the names that an argument takes.

argcomplete asks for it: the shell code that `vlmbench completion SHELL` prints starts `vlmbench` with _ARGCOMPLETE set.
Plug-ins of files are not loaded, and no package's entry point: pressing TAB runs no code of others.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from argcomplete.completers import SuppressCompleter
from argcomplete.finders import CompletionFinder

from vlmbench.base import registry

Completer = Callable[..., Iterable[str]]


def answer(verbs: Mapping[str, str], parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Write the completions of the command line that the shell handed over, and end the process.

    `verbs`: what each does. `parser`: makes one verb's parser; only that of the verb on the line is made.
    """
    line = os.environ.get("COMP_LINE", "").split()
    whole = argparse.ArgumentParser(prog="vlmbench")
    below = whole.add_subparsers()
    for verb, text in verbs.items():
        if verb in line[1:2]:
            _add_completers(parser(verb, partial(below.add_parser, verb, help=text)))
        else:
            below.add_parser(verb, help=text)
    CompletionFinder()(whole, always_complete_options="long")


def _add_completers(parser: argparse.ArgumentParser) -> None:
    """Names where an argument takes names, nothing where it takes a number, files elsewhere."""
    for action in parser._actions:
        found = NAMES.get(action.dest)
        if found is not None:
            action.completer = found  # type: ignore[attr-defined]
        elif action.type in (int, float) or action.dest in NUMBERS:
            action.completer = SuppressCompleter()  # type: ignore[attr-defined]


def tasks(prefix: str, **_: Any) -> list[str]:
    """`pope`, `pope:coco`, `pope@llava`, `suite:imp9`, and the same behind `gqa,`. Of tasks' and suites' own names."""
    before, comma, spec = prefix.rpartition(",")
    name, mark = re.split("[:@]", spec, maxsplit=1)[0], "@" if "@" in spec else ":"
    if spec.startswith(registry.SUITE):
        return [f"{before}{comma}{registry.SUITE}{word}" for word in registry.suites.names()]
    found = [*registry.tasks.names(), registry.SUITE]
    if name != spec and name in registry.tasks.builtin:
        task, stem = registry.tasks.get(name), spec.rpartition(mark)[0]
        found = [f"{stem}{mark}{word}" for word in (task.protocols if mark == "@" else task.splits)]
    return [f"{before}{comma}{word}" for word in found]


def suites(**_: Any) -> list[str]:
    """Names of suites."""
    return registry.suites.names()


def models(**_: Any) -> list[str]:
    """Names of models."""
    return registry.models.names()


def recipes(**_: Any) -> list[str]:
    """Names of recipes and of their ablations."""
    return [*registry.recipes.names(), *registry.ABLATIONS]


NAMES: Mapping[str, Completer] = {
    "task": tasks, "tasks": tasks, "suites": suites, "model": models, "judge": models, "verify_against": models,
    "recipe": recipes,
}  # fmt: skip
"""By an argument's destination: what it may be."""
NUMBERS = frozenset({"limit"})
"""Destinations of numbers that are read by a function of their own."""
