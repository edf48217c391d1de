"""Names to objects. Built-in names are strings "module:object", imported at first use, so that listing needs no torch.

A name is exact: never a substring, and a second registration of the same name is an error. Packages add their own by
the entry-point groups `vlmbench.tasks`, `vlmbench.models` and `vlmbench.recipes`; files by `--plugins` (plugins.py).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from vlmbench.base.errors import PluginError, UnknownNameError, UsageError
from vlmbench.base.variant import PLAIN, Variant, digest_of, merged, split_key
from vlmbench.base.variant import parse as parse_variant

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from vlmbench.base.samples import Request, Sample
    from vlmbench.base.task import Task

TASKS = "vlmbench.tasks.catalog:TASKS"
"""The table of built-in benchmarks, by name."""
TASK_LISTING = "vlmbench.tasks.catalog:LISTING"
"""The file that describes them."""

SUITES = "vlmbench.tasks.suites:SUITES"
"""The table of built-in suites, by name."""
SUITE = "suite:"
"""What the key of a suite begins with, in scores.json as on the command line."""

MODELS: Mapping[str, str] = {
    "tinyllava": "vlmbench.models.systems.tinyllava:load",
    "tinygptv": "vlmbench.models.systems.tinygptv:load",
    "minigpt4": "vlmbench.models.systems.minigpt4:load",
    "minigptv2": "vlmbench.models.systems.minigptv2:load",
    "hf": "vlmbench.models.huggingface.load:load",
    "echo": "vlmbench.models.echo:load",
    "openai": "vlmbench.models.servers.openai:load",
    "vllm": "vlmbench.models.servers.vllm:load",
}

OF_HUB = ("hf", "vllm")
"""Those whose checkpoint may be the name of a model on the Hugging Face hub."""

VARIANTS, ABSENT = "vlmbench.models.zoo.variants:VARIANTS", "vlmbench.models.zoo.variants:ABSENT"
"""The published models by name, and those that cannot be built here."""
SHEET = "vlmbench.models.zoo.model_stats:stats_of"
"""What counts a published model."""

LOAD = "vlmbench.models.zoo.model_stats:load_of"
"""What counts a stage of training, for its plan."""
FIGURES = "vlmbench.models.zoo.figures:of_config"
"""What counts the parameters, FLOPs and bytes of a config."""
MODEL_FIGURES = "vlmbench.models.zoo.figures:of_model"
"""What counts the FLOPs of a loaded model."""
SMALLER = "vlmbench.models.zoo.figures:pruned_config"
"""What tells the config that pruning leaves of another."""
SHIPPED = "vlmbench.models.systems.tinyllava:NANO"
"""The folder of the small model that ships."""
SHIPPED_MODELS = "vlmbench.models.zoo.figures:SHIPPED"
"""The folders of all small models that ship, by system."""
ABLATION_PLOT = "vlmbench.reports.site.training_curves:write_ranges"
NOTEBOOK = "vlmbench.reports.text.notebook:scores"
NOTEBOOK_COMPARED = "vlmbench.reports.text.notebook:differences"
NOTEBOOK_SAMPLES = "vlmbench.reports.text.notebook:samples"
"""What notebooks show of a run, a comparison and questions."""
COMPARED = "vlmbench.reports.text.compare:text"
SITE = "vlmbench.reports.site.build:write"
"""What prints a comparison, and what writes the HTML report."""
LOG_RUN = "vlmbench.integrations.loggers:log_run"
"""What sends a run to experiment trackers and model cards."""
COMPRESSION_PAGE = "vlmbench.reports.site.compression:page"
"""What draws a compression study."""
LIVE = "vlmbench.models.engine.adapter:model_in_training"
"""What lets a model that is being trained answer."""
TRAINING_PLOT = "vlmbench.reports.site.training_curves:write_plot"
MERGED = "vlmbench.models.network.system:deep_merge"
"""What changes a config.json at any depth."""

DRAWN = "vlmbench.scoring.draws:DrawnTask"
"""What makes a task of one whose questions are answered several times."""

TRANSFORMERS = "vlmbench.models.huggingface.load:of_objects"
"""What makes an adapter of a transformers model and its processor."""

_RECIPES = "vlmbench.training.recipes"
RECIPES: Mapping[str, str] = {
    "nano": f"{_RECIPES}.nano:nano",
    "tinygptv-nano": f"{_RECIPES}.tinygptv_nano:nano",
    "prune": f"{_RECIPES}.prune:prune",
    "tinyllava-base": f"{_RECIPES}.tinyllava:base",
    "tinyllava-base-paper": f"{_RECIPES}.tinyllava:base_paper",
    "tinyllava-share-paper": f"{_RECIPES}.tinyllava:share_paper",
    "tinyllava-share-factory": f"{_RECIPES}.tinyllava:share_factory",
    "tinyllava-lora": f"{_RECIPES}.tinyllava:lora",
    "tinyllava-qlora": f"{_RECIPES}.tinyllava:qlora",
    "tinyllava-custom-lora": f"{_RECIPES}.tinyllava:custom_lora",
    "minigpt4-paper": f"{_RECIPES}.minigpt4:paper",
    "minigpt4-code": f"{_RECIPES}.minigpt4:code",
    "minigpt4-7b-code": f"{_RECIPES}.minigpt4:code_7b",
    "minigpt4-llama2-code": f"{_RECIPES}.minigpt4:llama2",
    "minigptv2-paper": f"{_RECIPES}.minigptv2:paper",
    "minigptv2-code": f"{_RECIPES}.minigptv2:code",
    "tinygptv-paper": f"{_RECIPES}.tinygptv:paper",
    "tinygptv-code": f"{_RECIPES}.tinygptv:code",
}

DISTIL = "vlmbench.training.distil.student"
"""What gives a recipe a teacher, and tells so."""

ABLATIONS: Mapping[str, str] = {
    "ablation-tinygptv": f"{_RECIPES}.ablations:tinygptv",
    "ablation-tinyllava": f"{_RECIPES}.ablations:tinyllava",
}


IMPORTED = "vlmbench.runs.imports.peer_task:ImportedTask"
"""What makes the task of a peer's benchmark, of its name."""
PEERS = ("lmms-eval", "lm-eval", "vlmevalkit", "evalscope", "inspect", "llava")
"""Harnesses whose results are imported: `PEER.DATASET` names a task."""

PLUGINS = "a plug-in's names are known where it is named: --plugins FILE|DIR"


@dataclass
class Registry:
    """The names of one kind of thing."""

    kind: str
    table: Mapping[str, Any] | str
    """What vlmbench itself has, by name: objects or "module:object" strings; or "module:object" of that table."""
    group: str
    _extra: dict[str, Any] = field(default_factory=dict)
    """Objects, "module:object" strings and entry points."""
    _points: dict[str, EntryPoint] = field(default_factory=dict)
    """The entry points among them, of whichever class: the backport `importlib_metadata` takes over with its own."""
    _scanned: bool = False

    @cached_property
    def builtin(self) -> Mapping[str, Any]:
        """What vlmbench itself has: name to an object or to "module:object"."""
        return cast("Mapping[str, Any]", load_object(self.table)) if isinstance(self.table, str) else self.table

    def names(self) -> list[str]:
        """All known names, built-in first."""
        self._scan()
        return [*self.builtin, *self._extra]

    def add(self, name: str, target: Any) -> None:
        """Register an object, or a "module:object" string, under a new name. Raises UsageError on a duplicate."""
        self._scan()
        self._refuse_known(name)
        self._extra[name] = target

    def remove(self, name: str) -> None:
        """Forget a name that was added."""
        del self._extra[name]
        self._points.pop(name, None)

    @contextmanager
    def temporarily_registered(self, name: str, target: Any) -> Iterator[None]:
        """Inside, an object has a name. Raises UsageError for a name that is taken."""
        self.add(name, target)
        try:
            yield
        finally:
            self.remove(name)

    def get(self, name: str) -> Any:
        """The object behind a name.

        Raises UnknownNameError, with near names, for an unregistered name; PluginError for a package whose entry
        point cannot be loaded.
        """
        target: Any = self.builtin.get(name)
        if target is None:
            self._scan()
            if name not in self._extra:
                raise UnknownNameError(self.kind, name, self.names(), PLUGINS)
            target = self._extra[name]
        if isinstance(target, str):
            return load_object(target)
        return target if (point := self.entry_point(name)) is None else _load_point(point)

    def entry_point(self, name: str) -> EntryPoint | None:
        """Where an installed package offers a name; None for all others."""
        return self._points.get(name)

    def _refuse_known(self, name: str, where: str = "") -> None:
        if name in self.builtin:
            holder = "vlmbench itself has it"
        elif point := self.entry_point(name):
            holder = f"{describe(point)} has it"
        elif name in self._extra:
            holder = "it was added before"
        else:
            return
        problem = f"{self.kind} {name!r} is registered twice: {holder}"
        raise UsageError(problem, where=where, hint="give one of them another name")

    def _scan(self) -> None:
        if self._scanned:
            return
        from importlib.metadata import entry_points

        for point in entry_points(group=self.group):
            known = self.entry_point(point.name)  # a scan that a collision ended starts again
            if known is None or known != point:
                self._refuse_known(point.name, describe(point))
                self._extra[point.name] = self._points[point.name] = point
        self._scanned = True


def describe(point: EntryPoint) -> str:
    """An entry point's package, for messages and run.json: `vlmbench-signs 1.2`."""
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.value


def _load_point(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:  # whatever a package's code raises
        problem = f"its entry point {point.name} = {point.value} cannot be loaded: {type(error).__name__}: {error}"
        raise PluginError(problem, where=describe(point), hint="fix or uninstall the package") from error


def load_object(path: str) -> Any:
    """Import "module:object"."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


tasks = Registry("task", TASKS, "vlmbench.tasks")
models = Registry("model", MODELS, "vlmbench.models")
recipes = Registry("recipe", RECIPES, "vlmbench.recipes")
suites = Registry("suite", SUITES, "vlmbench.suites")


@dataclass(frozen=True)
class TaskChoice:
    """A task as asked for on the command line: `NAME[:SPLIT][@PROTOCOL[+VARIANT]]`."""

    task: Task
    split: str
    protocol: str
    variant: Variant = PLAIN

    @cached_property
    def key(self) -> str:
        """The shortest spelling: the key in scores.json. Defaults are left out; a variant names its protocol."""
        split = "" if self.split == self.task.splits[0] else f":{self.split}"
        if label := self.variant.label:
            return f"{self.task.name}{split}@{self.protocol}+{label}"
        protocol = "" if self.protocol == next(iter(self.task.protocols)) else f"@{self.protocol}"
        return f"{self.task.name}{split}{protocol}"

    def check_variant(self) -> None:
        """Raise UsageError for a variant that contradicts the protocol, as far as is known without the questions."""
        variant = self.variant
        if variant.digest and variant.digest != digest_of(variant.system):
            problem = f"{self.key}: system={variant.digest} is the hash of a prompt, which has to be given as text"
            raise UsageError(problem, hint="leave system=... out, and write --system TEXT")
        if variant != PLAIN:
            variant.generation(self.task.protocols[self.protocol].generation, self.key)

    def build_request(self, sample: Sample) -> Request:
        """How the model is asked: in the protocol's words, with the variant's changes.

        Raises UsageError for settings that contradict the protocol. Few-shot examples are not in it yet: they come
        from other samples (vlmbench.runs.execution.few_shot).
        """
        request = self.task.build_request(sample, self.protocol)
        if self.variant == PLAIN:
            return request
        if request.choices and self.variant.generation_words:
            problem = f"{self.key}: this protocol ranks options by likelihood, and generates nothing to sample or limit"
            raise UsageError(problem, hint=f"take a protocol that reads text: `vlmbench tasks {self.task.name}`")
        generation = self.variant.generation(request.generation, self.key)
        return replace(request, generation=generation, system=self.variant.system or request.system)


def is_suite(key: str) -> bool:
    """Whether a key of scores.json is a suite's, and not a task's."""
    return key.startswith(SUITE)


def is_imported(name: str) -> bool:
    """Whether a task's name is that of a peer's benchmark: `lmms-eval.pope`."""
    peer, dot, dataset = name.partition(".")
    return bool(dot and dataset) and peer in PEERS


def bare_name(key: str) -> str:
    """The task's name in a key."""
    return split_key(key)[0].partition("@")[0].partition(":")[0]


def choose_task(spec: str, variant: Variant = PLAIN) -> TaskChoice:
    """Parse `pope`, `gqa:val`, `pope@llava`, `pope:aokvqa@llava+temperature=0.7`; `variant` is added to the spec's own.

    Raises UnknownNameError for any unknown word.
    """
    words, label = split_key(spec.strip())
    rest, _, protocol = words.partition("@")
    name, _, split = rest.partition(":")
    task = cast("Task", load_object(IMPORTED)(name) if is_imported(name) else tasks.get(name))
    if task.name != name:  # the name in scores.json must lead back to it
        raise PluginError(f"task {name!r} calls itself {task.name!r}", hint="register it under its own name")
    if split and split not in task.splits:
        raise UnknownNameError(f"split of {name}", split, task.splits)
    if protocol and protocol not in task.protocols:
        raise UnknownNameError(f"protocol of {name}", protocol, task.protocols)
    both = merged(parse_variant(label), variant)
    if both.samples > 1:
        task = cast("Task", load_object(DRAWN)(task, both.samples))
    return TaskChoice(task, split or task.splits[0], protocol or next(iter(task.protocols)), both)


def choose_tasks(specs: str, variant: Variant = PLAIN) -> list[TaskChoice]:
    """Parse a comma-separated list of tasks. Raises UsageError when one is named twice or none at all."""
    chosen = [choose_task(spec, variant) for spec in specs.split(",") if spec.strip()]
    keys = [choice.key for choice in chosen]
    if not chosen:
        raise UsageError("no task named", hint=f"--tasks takes one or more of: {', '.join(tasks.names())}")
    if duplicate := {key for key in keys if keys.count(key) > 1}:
        raise UsageError(f"task named twice: {', '.join(sorted(duplicate))}", hint="name each once")
    return chosen
