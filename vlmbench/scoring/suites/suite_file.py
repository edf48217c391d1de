"""`--suite FILE`: a suite as YAML, with the settings of its tasks, its model and its judge.

What the command line says wins over the file. The file holds settings and no code: plug-ins and
--trust-remote-code can only be asked for on the command line, since a file may come from somebody else.
docs/evaluate/suites.md has all keys.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base import registry
from vlmbench.base.errors import UsageError
from vlmbench.base.variant import PLAIN, Variant, chosen, merged
from vlmbench.scoring.suites import yaml_nodes
from vlmbench.scoring.suites.suite import FORMULAS, Member, Suite
from vlmbench.scoring.suites.yaml_nodes import Node

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice

Read = Callable[[Node], Any]

MODEL: Mapping[str, Read] = {
    "name": Node.text, "engine": Node.text, "recheck_ties": Node.flag, "dtype": Node.text, "quantize": Node.text,
    "linear": Node.text, "device": Node.text, "threads": Node.whole, "batch_size": Node.text, "attention": Node.text,
}  # fmt: skip
"""Keys under `model`; but for the name they are options of `vlmbench run`."""
JUDGE: Mapping[str, Read] = {"model": Node.text, "runs": Node.whole, "budget": Node.number}
GENERATION: Mapping[str, tuple[str, Read]] = {
    "temperature": ("temperature", Node.number), "top_p": ("top_p", Node.number),
    "max_new_tokens": ("max_new_tokens", Node.whole), "thinking_budget": ("thinking", Node.whole),
    "system": ("system", Node.text), "shots": ("shots", Node.text), "samples": ("samples", Node.whole),
}  # fmt: skip
"""Keys under `generation`: the field of base.variant.Variant, and what it holds."""
KEYS = ("name", "title", "source", "note", "model", "judge", "data", "limit", "generation", "tasks", "average")
TASK = ("task", "data", "limit", "generation")
AVERAGE = ("formula", "source", "members")
MEMBER = ("task", "name", "metric", "divide_by", "weight")


@dataclass(frozen=True)
class FileChoice:
    """One task of a file."""

    choice: TaskChoice
    data: str = ""
    limit: int | float | None = None


@dataclass(frozen=True)
class _Line:
    """One task as it is written."""

    spec: str
    where: str
    variant: Variant = PLAIN
    data: str = ""
    limit: int | float | None = None

    def choose(self, variant: Variant) -> TaskChoice:
        """The task, with the command line's variant too. Raises UsageError with the line."""
        try:
            return registry.choose_task(self.spec, merged(self.variant, variant))
        except UsageError as error:
            raise UsageError(error.what, where=self.where, hint=error.hint) from None


@dataclass(frozen=True)
class SuiteFile:
    """A suite file, read and checked."""

    written: Suite
    """Its members' tasks are the specs as they are written."""
    lines: tuple[_Line, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of `vlmbench run`, by name: its model's and its judge's."""

    def choices(self, variant: Variant = PLAIN) -> list[FileChoice]:
        """Its tasks, asked in a variant besides their own. Raises UsageError, with the line, for what does not fit."""
        found: dict[str, FileChoice] = {}
        for line in self.lines:
            choice = line.choose(variant)
            if choice.key in found:
                raise UsageError(f"{choice.key} is there twice", where=line.where, hint="name each task once")
            found[choice.key] = FileChoice(choice, line.data, line.limit)
        return list(found.values())

    def suite(self, variant: Variant = PLAIN) -> Suite:
        """The suite, its members under the keys of their tasks."""
        keys = {line.spec: line.choose(variant).key for line in self.lines}
        return self.written.with_tasks(keys, variant.label)


def names_set(options: Mapping[str, Any]) -> set[str]:
    """The options that somebody gave: 0 is a value, None, False, no text and one sample are how they come."""
    unset = {name for name, value in options.items() if value is None or value is False or value == ""}
    return options.keys() - unset - ({"samples"} if options.get("samples") == 1 else set())


def read(path: Path, given: Collection[str] = ()) -> SuiteFile:
    """Read a suite file; plug-ins must be loaded by then. `given`: names of options that the command line sets.

    Raises UsageError with file, line and key.
    """
    root = yaml_nodes.read(path)
    known = root.fields(KEYS, needed=("name", "tasks"))
    name = known["name"].text()
    if name in registry.suites.names():
        raise known["name"].error(f"there is a suite {name!r} already", "give it another name")
    common = _settings(known, given)
    lines = tuple(_line(node, common, given) for node in known["tasks"].items())
    words = {key: known[key].text() for key in ("title", "source", "note") if key in known}
    formula, source, members = _average(known.get("average"), lines)
    try:
        title, listed, note = words.get("title", ""), words.get("source", path.name), words.get("note", "")
        suite = Suite(name, title, listed, members, formula, source, note)
    except UsageError as error:
        raise UsageError(error.what, where=known.get("average", known["name"]).where, hint=error.hint) from None
    file = SuiteFile(suite, lines, {**_model(known.get("model"), given), **_judge(known.get("judge"), given)})
    file.choices()
    return file


def _settings(known: Mapping[str, Node], given: Collection[str]) -> dict[str, Any]:
    """Data, limit and variant of a file or of one task, without what the command line sets."""
    found: dict[str, Any] = {}
    if "data" in known and "data" not in given:
        found["data"] = known["data"].text()
    if "limit" in known and not {"limit", "ids"}.intersection(given):
        found["limit"] = _limit(known["limit"])
    if "generation" in known:
        node = known["generation"]
        fields = node.fields(GENERATION)
        values = {GENERATION[key][0]: GENERATION[key][1](one) for key, one in fields.items()}
        try:
            chosen(**values)
        except UsageError as error:
            raise UsageError(error.what, where=node.where, hint=error.hint) from None
        found["generation"] = {GENERATION[key][0]: values[GENERATION[key][0]] for key in fields if key not in given}
    return found


def _limit(node: Node) -> int | float:
    """A number of questions, or a share of them below 1."""
    value = node.number()
    if value <= 0:
        raise node.error(f"{node.value} leaves nothing to ask", "give a number above 0, or a share such as 0.1")
    return value if value < 1 else node.whole()


def _line(node: Node, common: Mapping[str, Any], given: Collection[str]) -> _Line:
    """A task: its spec alone, or a mapping with settings that go before the file's."""
    if isinstance(node.value, str):
        spec, own = node.text(), {}
    else:
        known = node.fields(TASK, needed=("task",))
        spec, own = known["task"].text(), _settings(known, given)
    if registry.is_suite(spec) or "," in spec:
        raise node.error(
            f"one task was expected, not {spec!r:.60}", "name a suite by --tasks suite:NAME beside --suite"
        )
    both = {**common, **own}
    try:
        variant = Variant(**{**common.get("generation", {}), **own.get("generation", {})})
    except UsageError as error:
        raise UsageError(error.what, where=node.where, hint=error.hint) from None
    return _Line(spec.strip(), node.where, variant, both.get("data", ""), both.get("limit"))


def _average(node: Node | None, lines: tuple[_Line, ...]) -> tuple[str, str, tuple[Member, ...]]:
    """(formula, its source, members): without a list of members all tasks are, with their headlines."""
    everyone = tuple(Member(line.spec, line.spec) for line in lines)
    if node is None:
        return "", "", everyone
    known = node.fields(AVERAGE, needed=("formula",))
    formula = known["formula"].text()
    if formula not in FORMULAS:
        raise known["formula"].error(f"no formula named {formula!r:.60}", f"there are: {', '.join(FORMULAS)}")
    source = known["source"].text() if "source" in known else ""
    members = tuple(_member(one, lines) for one in known["members"].items()) if "members" in known else everyone
    return formula, source, members


def _member(node: Node, lines: tuple[_Line, ...]) -> Member:
    """A member of the average: a task's spec alone, or a mapping."""
    known = {"task": node} if isinstance(node.value, str) else node.fields(MEMBER, needed=("task",))
    spec, specs = known["task"].text().strip(), [line.spec for line in lines]
    if spec not in specs:
        raise known["task"].error(f"the suite has no task {spec!r:.60}", f"its tasks are: {', '.join(specs)}")
    metrics: tuple[str, ...] = ()
    if "metric" in known:
        metric = known["metric"]
        metrics = tuple(one.text() for one in (metric.items() if isinstance(metric.value, list) else [metric]))
    name = known["name"].text() if "name" in known else " ".join([spec, *metrics])
    numbers = {key: known[key].number() for key in ("divide_by", "weight") if key in known}
    try:
        return Member(name, spec, metrics, **numbers)
    except UsageError as error:
        raise node.error(error.what, error.hint) from None


def _model(node: Node | None, given: Collection[str]) -> dict[str, Any]:
    """The model's options; none where the command line names another model."""
    if node is None:
        return {}
    known = {"name": node} if isinstance(node.value, str) else node.fields(MODEL, needed=("name",))
    values = {"model" if key == "name" else key: MODEL[key](one) for key, one in known.items()}
    return {} if "model" in given else {key: value for key, value in values.items() if key not in given}


def _judge(node: Node | None, given: Collection[str]) -> dict[str, Any]:
    """The judge's options; none where the command line names another judge."""
    if node is None:
        return {}
    known = {"model": node} if isinstance(node.value, str) else node.fields(JUDGE, needed=("model",))
    values = {"judge" if key == "model" else f"judge_{key}": JUDGE[key](one) for key, one in known.items()}
    return {} if "judge" in given else {key: value for key, value in values.items() if key not in given}
