"""What can go wrong, as one tree. Every error says what, where and the hint; the CLI shows it without a traceback.

VlmbenchError               exit code 2: the user must change something
├── UsageError              a command's words do not fit together
│   ├── UnknownNameError    no such task, model, protocol, ...: near names are offered
│   └── PluginError         a plug-in cannot be imported, registers nothing, or takes a known name
├── DataError               a data file is missing or broken: names file, line and field
│   ├── ImageError          one image cannot be read: becomes that sample's status
│   └── PredictionsError    an answer file does not fit the questions
├── ModelError              a checkpoint cannot be loaded or a model cannot do what is requested
├── TrainingError           a recipe contradicts itself, or training cannot continue
└── StoreError              the run's folder cannot be used: another run's, in use, not writable, full
"""

from __future__ import annotations

import copyreg
import difflib
from collections.abc import Iterable
from typing import Any


class VlmbenchError(Exception):
    """Base of all errors a user can fix. `str()` is the whole message: what, where, hint."""

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(what, where, hint)

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors travel between processes as what they say: every kind has constructor arguments of its own."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]

    def __str__(self) -> str:
        parts = [self.what if not self.where else f"{self.where}: {self.what}"]
        if self.hint:
            parts.append(f"  {self.hint}")
        return "\n".join(parts)


class UsageError(VlmbenchError):
    """The words of a command do not fit together."""


class UnknownNameError(UsageError):
    """A name that is not registered. `more`: what else may help."""

    def __init__(self, kind: str, name: str, known: Iterable[str], more: str = "") -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known)}"
        super().__init__(f"no {kind} named {name!r}", hint="\n  ".join(filter(None, (hint, more))))


class PluginError(UsageError):
    """A plug-in cannot be used."""


class DataError(VlmbenchError):
    """A data file is missing or broken."""


class ImageError(DataError):
    """An image cannot be read."""


LONGEST = 600
"""Characters that an error about an answer file has at most: it quotes ids and texts of others."""


class PredictionsError(DataError):
    """An answer file does not fit the questions."""

    def __init__(self, problem: str, *, where: str = "", hint: str = "") -> None:
        if len(problem) > LONGEST:
            problem = f"{problem[: LONGEST * 3 // 4]} ... {problem[-LONGEST // 4 :]}"
        super().__init__(problem, where=where, hint=hint)


class ModelError(VlmbenchError):
    """A checkpoint cannot be loaded, or a model cannot do what is requested."""


class TrainingError(VlmbenchError):
    """A recipe contradicts itself, or training cannot continue."""


class StoreError(VlmbenchError):
    """The run's folder cannot be used."""
