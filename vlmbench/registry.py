"""Names to objects. Built-in names are strings "module:object", imported at first use, so that listing needs no torch.

A name is exact: never a substring, and a second registration of the same name is an error. Packages add their own by
the entry-point groups `vlmbench.tasks`, `vlmbench.models` and `vlmbench.recipes`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from vlmbench.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from vlmbench.nouns import Task

TASKS: Mapping[str, str] = {
    "pope": "vlmbench.tasks.pope:POPE",
    "gqa": "vlmbench.tasks.gqa:GQA",
    "mmbench": "vlmbench.tasks.mmbench:MMBENCH",
    "refcoco": "vlmbench.tasks.refcoco:REFCOCO",
    "vqav2": "vlmbench.tasks.vqav2:VQAV2",
    "okvqa": "vlmbench.tasks.okvqa:OKVQA",
    "textvqa": "vlmbench.tasks.textvqa:TEXTVQA",
    "vizwiz": "vlmbench.tasks.vizwiz:VIZWIZ",
    "vsr": "vlmbench.tasks.vsr:VSR",
    "iconqa": "vlmbench.tasks.iconqa:ICONQA",
    "hateful_memes": "vlmbench.tasks.hateful_memes:HATEFUL_MEMES",
    "scienceqa": "vlmbench.tasks.scienceqa:SCIENCEQA",
    "mme": "vlmbench.tasks.mme:MME",
    "mmvet": "vlmbench.tasks.mmvet:MMVET",
    "llava_bench": "vlmbench.tasks.llava_bench:LLAVA_BENCH",
}

MODELS: Mapping[str, str] = {
    "tinyllava": "vlmbench.models.tinyllava:load",
    "tinygptv": "vlmbench.models.tinygptv:load",
    "minigpt4": "vlmbench.models.minigpt4:load",
    "minigptv2": "vlmbench.models.minigptv2:load",
    "echo": "vlmbench.models.echo:load",
}

VARIANTS, ABSENT = "vlmbench.models.variants:VARIANTS", "vlmbench.models.variants:ABSENT"
"""The published models by name, and those that cannot be built here."""
SHEET = "vlmbench.models.parameters:sheet_of"
"""What counts a published model."""

LOAD = "vlmbench.models.parameters:load_of"
"""What counts a stage of training, for its plan."""
SHIPPED = "vlmbench.models.tinyllava:NANO"
"""The folder of the small model that ships."""
ABLATION_PLOT = "vlmbench.reports.training:write_ranges"
LIVE = "vlmbench.models.answering:live"
"""What lets a model that is being trained answer."""
TRAINING_PLOT = "vlmbench.reports.training:write_plot"
MERGED = "vlmbench.models.parts.assembled:merged"
"""What changes a config.json at any depth."""

_RECIPES = "vlmbench.training.recipes"
RECIPES: Mapping[str, str] = {
    "nano": f"{_RECIPES}.nano:nano",
    "tinygptv-nano": f"{_RECIPES}.tinygptv_nano:nano",
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

ABLATIONS: Mapping[str, str] = {
    "ablation-tinygptv": f"{_RECIPES}.ablations:tinygptv",
    "ablation-tinyllava": f"{_RECIPES}.ablations:tinyllava",
}


@dataclass
class Registry:
    """The names of one kind of thing."""

    kind: str
    builtin: Mapping[str, str]
    group: str
    _extra: dict[str, Any] = field(default_factory=dict)
    _scanned: bool = False

    def names(self) -> list[str]:
        """All known names, built-in first."""
        self._scan()
        return [*self.builtin, *self._extra]

    def add(self, name: str, target: Any) -> None:
        """Register an object, or a "module:object" string, under a new name. Raises UsageError on a duplicate."""
        if name in self.builtin or name in self._extra:
            raise UsageError(f"{self.kind} {name!r} is registered twice", cure="give one of them another name")
        self._extra[name] = target

    def get(self, name: str) -> Any:
        """The object behind a name. Raises UnknownNameError, with near names, for a name nobody registered."""
        target: Any = self.builtin.get(name)
        if target is None:
            self._scan()
            if name not in self._extra:
                raise UnknownNameError(self.kind, name, self.names())
            target = self._extra[name]
        return load_object(target) if isinstance(target, str) else target

    def _scan(self) -> None:
        if self._scanned:
            return
        self._scanned = True
        from importlib.metadata import entry_points

        for point in entry_points(group=self.group):
            self.add(point.name, point.value)


def load_object(path: str) -> Any:
    """Import "module:object"."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


tasks = Registry("task", TASKS, "vlmbench.tasks")
models = Registry("model", MODELS, "vlmbench.models")
recipes = Registry("recipe", RECIPES, "vlmbench.recipes")


@dataclass(frozen=True)
class TaskChoice:
    """A task as asked for on the command line: `NAME[:SPLIT][@PROTOCOL]`."""

    task: Task
    split: str
    protocol: str

    @property
    def key(self) -> str:
        """The shortest spelling: the key in scores.json. Defaults are left out."""
        split = "" if self.split == self.task.splits[0] else f":{self.split}"
        protocol = "" if self.protocol == next(iter(self.task.protocols)) else f"@{self.protocol}"
        return f"{self.task.name}{split}{protocol}"


def choose_task(spec: str) -> TaskChoice:
    """Parse `pope`, `gqa:val`, `pope@llava`, `pope:aokvqa@llava`. Raises UnknownNameError for any unknown word."""
    rest, _, protocol = spec.strip().partition("@")
    name, _, split = rest.partition(":")
    task = cast("Task", tasks.get(name))
    if split and split not in task.splits:
        raise UnknownNameError(f"split of {name}", split, task.splits)
    if protocol and protocol not in task.protocols:
        raise UnknownNameError(f"protocol of {name}", protocol, task.protocols)
    return TaskChoice(task, split or task.splits[0], protocol or next(iter(task.protocols)))


def choose_tasks(specs: str) -> list[TaskChoice]:
    """Parse a comma-separated list of tasks. Raises UsageError when one is named twice or none at all."""
    chosen = [choose_task(spec) for spec in specs.split(",") if spec.strip()]
    keys = [choice.key for choice in chosen]
    if not chosen:
        raise UsageError("no task named", cure=f"--tasks takes one or more of: {', '.join(tasks.names())}")
    if doubled := {key for key in keys if keys.count(key) > 1}:
        raise UsageError(f"task named twice: {', '.join(sorted(doubled))}", cure="name each once")
    return chosen
