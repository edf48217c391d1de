"""What may decide, while a run goes on, which questions are still asked: a gate that stops when it is decided.

The runner asks wave after wave, and lets the watch look at what became of each. Waves depend on the questions and on
the answers alone, not on which answer came first or which process asked: a run that is killed and resumed takes the
same course.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from vlmbench.base.samples import Record
    from vlmbench.runs.execution.planning import Plan, PlannedRequest


class Watch(Protocol):
    """Chooses what is asked next; vlmbench.compare.early has one."""

    def begin(self, plan: Plan, manifest: Mapping[str, Any]) -> None:
        """Look at what is planned, before anything is asked. `manifest`: `asked` and `suites` as run.json has them.

        Raises UsageError for what cannot be watched.
        """

    def waves(self) -> Iterator[Sequence[PlannedRequest]]:
        """What to ask, wave after wave; no more when enough was asked."""

    def look(self, record: Callable[[PlannedRequest], Record]) -> None:
        """Look at the last wave. `record` says what became of one of its questions."""

    def facts(self) -> dict[str, Any]:
        """What run.json keeps under `gate`."""
