"""`--tasks pope,suite:mobilevlm6` to tasks, and to the suites that they are members of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from vlmbench.base import registry
from vlmbench.base.errors import UsageError
from vlmbench.base.variant import PLAIN, Variant, merged
from vlmbench.base.variant import parse as parse_variant

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice
    from vlmbench.scoring.suites.suite import Suite
    from vlmbench.scoring.suites.suite_file import SuiteFile


@dataclass(frozen=True)
class Chosen:
    """What one run does."""

    choices: tuple[TaskChoice, ...]
    suites: Mapping[str, Suite] = field(default_factory=dict)
    """By key; their members' tasks are keys of `choices`."""
    data: Mapping[str, str] = field(default_factory=dict)
    """By task key, where a suite file says where its questions are."""
    limits: Mapping[str, Any] = field(default_factory=dict)
    """By task key, where a suite file limits the questions."""

    def told(self) -> dict[str, Any]:
        """What run.json says of it under `asked`: what decides the run besides its tasks; empty without suites."""
        content: dict[str, Any] = {}
        if self.suites:
            content["suites"] = {key: _definition(suite) for key, suite in self.suites.items()}
        if self.data:
            content["data_of"] = dict(self.data)
        if self.limits:
            content["limits"] = dict(self.limits)
        return content


def _definition(suite: Suite) -> str:
    """What the average of a suite depends on: a new wording of its title or source is the same suite."""
    figures = [f"{one.task or '-'} {one.figure}" for one in suite.members]
    return f"{suite.formula or 'no average'}: {'; '.join(figures)}"


def choose(specs: str, variant: Variant = PLAIN, file: SuiteFile | None = None) -> Chosen:
    """Parse a comma-separated list of tasks and suites; the tasks of a suite file come first.

    A task that several suites have is asked once. Raises UsageError for a task or a suite that is named twice, a suite
    without any member here, and no task at all; UnknownNameError for unknown words.
    """
    words = [word.strip() for word in specs.split(",") if word.strip()]
    alone = [word for word in words if not registry.is_suite(word)]
    named = {choice.key: choice for choice in (registry.choose_tasks(",".join(alone), variant) if alone else [])}
    chosen: dict[str, TaskChoice] = {}
    suites: list[Suite] = []
    data: dict[str, str] = {}
    limits: dict[str, Any] = {}
    if file is not None:
        for one in file.choices(variant):
            chosen[one.choice.key] = one.choice
            data |= {one.choice.key: one.data} if one.data else {}
            limits |= {one.choice.key: one.limit} if one.limit is not None else {}
        suites.append(file.suite(variant))
    for word in words:
        if registry.is_suite(word):
            suite, choices = _members(word, variant)
            suites.append(suite)
            chosen |= {choice.key: choice for choice in choices if choice.key not in chosen}
        else:
            choice = registry.choose_task(word, variant)
            chosen.setdefault(choice.key, named[choice.key])
    keys = [suite.key for suite in suites]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise UsageError(f"suite named twice: {', '.join(twice)}", hint="name each once")
    choices_or_error = tuple(chosen.values()) or tuple(registry.choose_tasks(specs, variant))
    return Chosen(choices_or_error, dict(zip(keys, suites, strict=True)), data, limits)


def _members(spec: str, variant: Variant) -> tuple[Suite, list[TaskChoice]]:
    """A suite as `suite:NAME[+VARIANT]` names it, its members under their keys; and its tasks."""
    name, _, label = spec.removeprefix(registry.SUITE).partition("+")
    suite = cast("Suite", registry.suites.get(name))
    both = merged(parse_variant(label), variant)
    choices = {one.task: registry.choose_task(one.task, both) for one in suite.members if one.task}
    if not choices:
        problem = f"suite {name}: vlmbench has none of its members yet: {', '.join(suite.missing)}"
        raise UsageError(problem, hint="`vlmbench suites` shows which suites have members here")
    return suite.with_tasks({task: one.key for task, one in choices.items()}, both.label), list(choices.values())


def expanded(names: Iterable[str], suites: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of a run's tasks, with its suites' members in the place of `suite:NAME`. `suites`: those of its run.json.

    Raises UsageError for a suite that the run does not have.
    """
    found: list[str] = []
    for name in names:
        if not registry.is_suite(name):
            found.append(name)
            continue
        if name not in suites:
            raise UsageError(f"no {name} in the run", hint=f"it has: {', '.join(suites) or 'no suites'}")
        found += [one["task"] for one in suites[name]["members"] if one.get("task")]
    return list(dict.fromkeys(found))
