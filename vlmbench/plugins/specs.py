"""Words of the command line to objects: `NAME[:CHECKPOINT][,k=v]` to a model, `--data` to folders or the hub."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vlmbench.base import paths, registry
from vlmbench.base.errors import ModelError, UnknownNameError, UsageError
from vlmbench.base.model import Model
from vlmbench.base.process import devices, extras, garbage, hub_network
from vlmbench.base.renamed_options import refuse_old_names
from vlmbench.base.task import bundled_data_dir
from vlmbench.plugins import variants
from vlmbench.plugins.loader_options import of_loader

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice
    from vlmbench.base.settings import Settings
    from vlmbench.data.files import Folder, Hub


@dataclass(frozen=True)
class ModelSpec:
    """A model as asked for on the command line."""

    name: str
    checkpoint: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def parse_model(spec: str) -> ModelSpec:
    """Parse `tinyllava`, `tinyllava:FOLDER`, `echo,text=yes`. Raises UsageError for an option without `=`."""
    head, *pairs = spec.split(",")
    name, _, checkpoint = head.partition(":")
    options: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"cannot read {pair!r} of the model {spec}", hint="write NAME[:CHECKPOINT][,key=value]")
        options[key.strip()] = value
    return ModelSpec(name.strip(), checkpoint or None, options)


def load_model(spec: ModelSpec, flags: Mapping[str, Any]) -> Model:
    """Load a model. `flags` are the command's own options; those left at None are not passed.

    A loader is `load(checkpoint, *, option=default, ...)`; text from `k=v` becomes the type of the default.
    A checkpoint is a folder, or the name of a published variant. Raises UnknownNameError for an unknown model or
    option, UsageError for a value of the wrong type, ModelError for a variant whose weights are not here.
    """
    check(spec, flags)
    checkpoint = variants.checkpoint(spec.name, spec.checkpoint)
    loader = registry.models.get(spec.name)
    parameters = inspect.signature(loader).parameters
    given = {name: value for name, value in flags.items() if value is not None and value is not False}
    named = {**given, **spec.options}
    _refuse_unknown(spec.name, given, spec.options, keyword_options(loader))
    options = {
        name: _typed(name, value, parameters[name].default) if isinstance(value, str) else value
        for name, value in named.items()
    }
    with garbage.resumed():
        return cast(Model, loader(checkpoint, **options))


HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w.-]+)?")
"""What can be a name of the hub, and no path."""


def check(spec: ModelSpec, flags: Mapping[str, Any]) -> None:
    """Raise what can be told of a model without importing its loader, which takes seconds: UnknownNameError for an
    unknown model or option, UsageError for a package that is missing or a device that this torch does not know,
    ModelError for a folder that is not there, and for a model of the hub while it cannot be reached."""
    if spec.name not in registry.models.builtin:
        return
    variants.checkpoint(spec.name, spec.checkpoint)
    known = of_loader(registry.MODELS[spec.name])
    given = {name: value for name, value in flags.items() if value is not None and value is not False}
    if known is not None:
        _refuse_unknown(spec.name, given, spec.options, list(known))
    named = {**given, **spec.options}
    device = str(named.get("device", ""))
    if found := extras.missing(spec.name, named) or (devices.problem(device) if device else None):
        raise UsageError(found[0], hint=found[1])
    here = spec.checkpoint is None or "base_url" in named or Path(spec.checkpoint).expanduser().exists()
    asks_hub = spec.name in registry.OF_HUB and not here
    if spec.checkpoint is not None and asks_hub and not HUB_NAME.fullmatch(spec.checkpoint):
        hint = "name a folder with config.json and *.safetensors, or a model of the hub (OWNER/NAME)"
        raise ModelError("no such folder", where=spec.checkpoint, hint=hint)
    if spec.checkpoint is not None and asks_hub and (found := hub_network.absent(spec.checkpoint)):
        raise ModelError(found[0], where=spec.checkpoint, hint=found[1])


def keyword_options(loader: Any) -> list[str]:
    """The names of a loader's options."""
    parameters = inspect.signature(loader).parameters
    return [name for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY]


def _refuse_unknown(model: str, flags: Mapping[str, Any], options: Mapping[str, str], known: Sequence[str]) -> None:
    """Raise UsageError for a flag, and UnknownNameError for an option, that the model does not have."""
    for name in flags:
        if name not in known:
            raise UsageError(f"model {model} has no --{name.replace('_', '-')}", hint=_options(model, known))
    for name in options:
        if name not in known:
            refuse_old_names([name])
            raise UnknownNameError(f"option of model {model}", name, known)


def _options(name: str, known: Sequence[str]) -> str:
    return f"its options are: {', '.join(known)}" if known else f"{name} takes no options"


def _typed(name: str, value: str, default: Any) -> Any:
    words = {"true": True, "false": False}
    if isinstance(default, bool):
        if value.lower() not in words:
            raise UsageError(f"{name} takes true or false, not {value!r}")
        return words[value.lower()]
    if isinstance(default, int | float):
        try:
            return type(default)(value)
        except ValueError:
            raise UsageError(f"{name} takes a number, not {value!r}") from None
    return value


def open_data(choice: TaskChoice, settings: Settings) -> Folder | Hub:
    """Where a task's samples come from: its embedded sample, the hub (or copies of its datasets), or official files.

    Data that a task brings along replace a sample, and are no sample: they are complete.

    Raises UsageError for a folder that does not exist.
    """
    from vlmbench.data.files import Folder, Hub
    from vlmbench.data.reading import is_dir

    if settings.data == "sample":
        own = bundled_data_dir(choice.task)
        return Folder.sample(choice.task.name) if own is None else Folder(own)
    if settings.data == "hub":
        return Hub()
    copies = settings.data.startswith("hub:")
    root = paths.path(settings.data.removeprefix("hub:"))
    if not is_dir(root):
        raise UsageError(
            f"no folder {root}", hint="--data takes sample, hub, hub:COPIES, or a folder of official files"
        )
    if copies:
        return Hub(root, settings.data)
    return Folder(root, settings.data)
