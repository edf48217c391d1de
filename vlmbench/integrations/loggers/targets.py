"""`--log-to wandb:project=x,tensorboard,hub-card=README.md` to services with their options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from vlmbench.base.errors import UnknownNameError, UsageError
from vlmbench.base.process import extras

HUB_CARD = "hub-card"
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "wandb": ("project", "name", "entity"),
    "mlflow": ("project", "name"),
    "trackio": ("project", "name"),
    "tensorboard": ("dir", "name"),
    HUB_CARD: ("name",),
}
"""The services, and what may be set for each. Where a server is, and its key, is for its own environment variables."""
PROJECT = "vlmbench"
"""Where runs go unless a project is named; MLflow calls it an experiment."""


@dataclass(frozen=True)
class Target:
    """A service that scores are sent to."""

    service: str
    options: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    """Of a model card: README.md, or the folder it is in."""

    def __str__(self) -> str:
        words = ",".join(f"{name}={value}" for name, value in self.options.items())
        return self.service + (f"={self.path}" if self.path else "") + (f":{words}" if words else "")


def parse(texts: Iterable[str]) -> list[Target]:
    """The services of one or several texts, each `SERVICE[:option=value,...]` or `hub-card=PATH`, with commas between.

    Raises UnknownNameError for unknown services and options, UsageError where words do not fit or a service's library
    is not installed.
    """
    found: list[Target] = []
    for piece in (word.strip() for text in texts for word in text.split(",") if word.strip()):
        head, colon, first = piece.partition(":")
        service, equals, path = head.partition("=")
        if service in OPTIONS:
            if equals and service != HUB_CARD:
                raise UsageError(f"cannot read {head!r:.80} of --log-to", hint=f"write {service}:name=VALUE")
            found.append(Target(service, {}, path))
            piece = first
        elif not found or colon or not equals:
            raise UnknownNameError("service of --log-to", service, OPTIONS)
        if piece:
            found[-1] = _with_option(found[-1], piece)
    for target in found:
        _check(target)
    if double := {one.service for one in found if [other.service for other in found].count(one.service) > 1}:
        raise UsageError(f"--log-to names {', '.join(sorted(double))} twice", hint="name each once")
    return found


def _with_option(target: Target, text: str) -> Target:
    name, equals, value = text.partition("=")
    if name not in OPTIONS[target.service]:
        raise UnknownNameError(f"option of --log-to {target.service}", name, OPTIONS[target.service])
    if not equals or not value:
        raise UsageError(f"--log-to {target.service}: {name} has no value", hint=f"write {target.service}:{name}=VALUE")
    return Target(target.service, {**target.options, name: value}, target.path)


def _check(target: Target) -> None:
    if target.service == HUB_CARD:
        if not target.path:
            raise UsageError("--log-to hub-card: which card?", hint="name its file: hub-card=README.md")
    elif not extras.installed(target.service):
        what = f"--log-to {target.service} needs {target.service}, which is not installed"
        raise UsageError(what, hint=extras.install_command(target.service))
