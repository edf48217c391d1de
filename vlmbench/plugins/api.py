"""What a plug-in calls to make its tasks and models known: add_task, add_model, and @model over a function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from vlmbench.base import registry
from vlmbench.base.errors import PluginError
from vlmbench.plugins.function_model import FunctionModel, refuse_other_signatures

if TYPE_CHECKING:
    from vlmbench.base.model import Model
    from vlmbench.base.task import Task

F = TypeVar("F", bound=Callable[..., Any])

TASK = (
    "name", "title", "version", "splits", "sizes", "protocols",
    "required_files", "samples", "build_request", "score", "summarise", "read_predictions",
)  # fmt: skip
"""The members of base.task.Task."""
MODEL = ("name", "fingerprint", "settings", "facts", "answer")
"""The members of base.model.Model."""


def add_task(task: Task) -> None:
    """Make a task known under its name. Raises PluginError for what is no task, UsageError for a taken name."""
    refuse_lacking(task, "task", TASK)
    registry.tasks.add(task.name, task)


def add_model(name: str, load: Callable[..., Model]) -> None:
    """Make a model known: `load(checkpoint, *, option=default, ...)` gives it.

    `--model NAME:CHECKPOINT,option=value` is what it is called with. Raises UsageError for a taken name.
    """
    registry.models.add(name, load)


def model(name: str, *, version: str = "") -> Callable[[F], F]:
    """Register a function (images, question) -> text as a model; its keyword-only arguments are options.

    `version` stands for the source in the model's fingerprint. Raises PluginError for a function that takes other
    arguments, UsageError for a taken name.
    """

    def register(function: F) -> F:
        refuse_other_signatures(function)
        options = [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]

        def load(checkpoint: str | None, **chosen: Any) -> FunctionModel:
            if checkpoint is not None:
                problem = f"model {name} is a function and takes no checkpoint"
                raise PluginError(problem, hint=f"--model {name}; keyword-only arguments become options: {name},k=v")
            return FunctionModel(name, function, options=chosen, version=version)

        parameters = [inspect.Parameter("checkpoint", inspect.Parameter.POSITIONAL_OR_KEYWORD), *options]
        load.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # its options are read from it
        add_model(name, load)
        return function

    return register


def refuse_lacking(registered: object, kind: str, needed: tuple[str, ...]) -> None:
    """Raise PluginError for an object that lacks what its kind has."""
    if absent := [name for name in needed if not hasattr(registered, name)]:
        hint = f"vlmbench.base.{kind}.{kind.title()} says what each is"
        raise PluginError(f"{type(registered).__name__} is no {kind}: it has no {', '.join(absent)}", hint=hint)
