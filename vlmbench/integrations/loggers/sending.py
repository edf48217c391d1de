"""Runs to all services that are named: what fails there is told once, and ends neither a run nor a training."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vlmbench.base.process import terminal
from vlmbench.runs.storage.run_files import read_finished

from . import hub_card
from .sent_run import SentRun
from .targets import HUB_CARD, Target, parse
from .trackers import TRACKERS, Tracker

SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
"""Names of environment variables whose values are never shown."""
LOGIN = re.compile(r"(?<=://)[^/\s@]+@")
"""A name and a password in a URL."""
HINTS: Mapping[str, str] = {"wandb": "WANDB_MODE=offline keeps the run in a folder, and `wandb sync` sends it later"}

OF_A_STEP = ("model", "fingerprint")
"""What is another at each step of a training."""


class Sender:
    """Open runs of some services. One that fails is left out from then on."""

    def __init__(self, targets: Sequence[Target], *, title: str = "", folder: Path | None = None) -> None:
        """`title`: the runs' name unless a target has one. `folder`: where services keep files without a place."""
        self.targets, self.title, self.folder = list(targets), title, folder
        self._open: dict[str, Tracker] = {}
        self._failed: set[str] = set()

    def send(self, sent: SentRun, step: int | None = None) -> None:
        """A finished run, at a step of a training."""
        config = {name: value for name, value in sent.config.items() if step is None or name not in OF_A_STEP}
        for target in self.targets:
            if target.service == HUB_CARD:
                self._try(target, lambda target=target: hub_card.write(target, sent))  # type: ignore[misc]
            else:
                self._try(target, lambda target=target: self._tracker(target, config).run(sent, step))  # type: ignore[misc]

    def numbers(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Numbers by name, to services that draw curves."""
        for target in self.targets:
            if target.service != HUB_CARD:
                self._try(target, lambda target=target: self._tracker(target, {}).numbers(values, step))  # type: ignore[misc]

    def close(self) -> None:
        """End the runs that were opened."""
        for target in self.targets:
            if (tracker := self._open.pop(target.service, None)) is not None:
                self._try(target, tracker.close)

    def _tracker(self, target: Target, config: Mapping[str, Any]) -> Tracker:
        if target.service not in self._open:
            folder = self.folder or Path()
            self._open[target.service] = TRACKERS[target.service](target, self.title, config, folder)
        return self._open[target.service]

    def _try(self, target: Target, action: Callable[[], object]) -> None:
        if target.service in self._failed:
            return
        try:
            action()
        except Exception as error:  # whatever a service's library raises: no network, no key, a full disk
            self._failed.add(target.service)
            told = without_secrets(terminal.clean(f"{type(error).__name__}: {error}"))
            hint = f"\n  {HINTS[target.service]}" if target.service in HINTS else ""
            terminal.warn(f"nothing more is sent to {target.service}: {told:.400}{hint}")


def log_run(folder: Path, targets: Sequence[Target] | str, *, step: int | None = None, name: str = "") -> None:
    """Send a finished run to services, and end there what was opened for it.

    `targets` as `--log-to` takes them. Raises UsageError for services that are not known or not installed, StoreError
    for a folder without a finished run; what fails at a service is told on stderr.
    """
    known = parse([targets]) if isinstance(targets, str) else targets
    manifest, scores = read_finished(folder)
    sender = Sender(known, title=name or folder.name, folder=folder)
    sender.send(SentRun(folder, manifest, scores), step)
    sender.close()


def without_secrets(text: str) -> str:
    """A message of others without logins in URLs, and without the values of variables that hold keys."""
    for name, value in os.environ.items():
        if len(value) >= 8 and SECRET.search(name):
            text = text.replace(value, "***")
    return LOGIN.sub("***@", text)
