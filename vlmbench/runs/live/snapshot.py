"""What a run has come to so far: how much is answered, and the scores of that.

Scores are those of a run that may be looked at at any time: what was not asked yet is `not_asked`, and the intervals
hold at all looks at once (stats/sequential/boundary.py). Images are asked about in a seeded order (runner.py), so what
is answered is a sample of the whole.
"""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.samples import NOT_YET, Record, Response
from vlmbench.parsing import thinking
from vlmbench.runs.execution import record_columns
from vlmbench.runs.live.replanning import model_of, plan_again
from vlmbench.runs.live.tail import Tail
from vlmbench.runs.storage import thumbnails
from vlmbench.runs.storage.layout import LOCK, LOG, THUMBS
from vlmbench.runs.storage.run_files import read_manifest, read_scores
from vlmbench.runs.storage.store import RunStore
from vlmbench.scoring import score as scoring
from vlmbench.scoring.suites import scores as suite_scores

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice
    from vlmbench.runs.execution.planning import Plan, PlannedRequest

FINISHED, RUNNING, STOPPED = "finished", "running", "stopped"
RECENT = 60.0
"""Seconds over which the pace is measured."""
RESAMPLES = 1_000
"""Of the bootstrap: the intervals are wide while a run goes on."""
LOCKS = Path("/proc/locks")


@dataclass
class Live:
    """A run's folder while another process writes into it. Nothing in it is touched."""

    folder: Path
    data: str | None = None
    """Where the data are now, if not where run.json says."""
    ids: Path | None = None
    """The file of --ids, for a run that was given one."""
    manifest: dict[str, Any] = field(init=False)
    plan: Plan = field(init=False)
    tail: Tail = field(init=False)
    scores: dict[str, Any] = field(default_factory=dict)
    """As scores.json has them, of what was answered at the last look."""
    records: list[Record] = field(default_factory=list)
    """Of every question, asked or not, in the order of the plan."""
    _seen: list[Response | None] = field(default_factory=list)
    """The answers of which the records were made."""
    _paces: list[tuple[float, int]] = field(default_factory=list)
    """(time, answers) of the last looks."""

    def __post_init__(self) -> None:
        self._open()

    def _open(self) -> None:
        self.manifest = read_manifest(self.folder)
        self.plan = plan_again(self.manifest, self.folder, self.data, self.ids)
        self.tail = Tail(self.folder)
        self.records, self._seen = [], []

    @property
    def state(self) -> str:
        """Whether the run is finished, being made, or left by the process that made it."""
        if self.manifest.get("finished"):
            return FINISHED
        return RUNNING if self._is_locked() else STOPPED

    def _is_locked(self) -> bool:
        """Whether a process holds the folder; where the system does not tell, whether the log grew of late."""
        try:
            about = (self.folder / LOCK).stat()
            place = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"
            return any(place in line.split() for line in LOCKS.read_text().splitlines())
        except OSError:
            log = self.folder / LOG
            return log.is_file() and time.time() - log.stat().st_mtime < RECENT

    def read(self) -> bool:
        """Read what came since; returns whether there was something.

        Raises StoreError for a folder that cannot be read, DataError where the run asks other questions now.
        """
        content = read_manifest(self.folder)
        if content["identity"] != self.manifest["identity"]:  # begun anew with other weights, data or versions
            self._open()
        ended = bool(content.get("finished")) and not self.manifest.get("finished")
        self.manifest = content
        if ended:  # the log is gone, with lines that were not read yet
            self.tail = Tail(self.folder, latest=self.tail.latest)
        return self.tail.read() or ended

    def score(self) -> None:
        """Score what is answered. The scores of a finished run are its own, those of its judge included."""
        choices = {choice.key: choice for choice in self.plan.choices}
        answers = [self.tail.answers.get(item.key) for item in self.plan.requests]
        if not self.records:
            self.records = [_record(choices[item.task], item, None) for item in self.plan.requests]
            self._seen = [None for _ in answers]
        for at, (item, answer) in enumerate(zip(self.plan.requests, answers, strict=True)):
            if answer is not self._seen[at]:
                self.records[at], self._seen[at] = _record(choices[item.task], item, answer), answer
        if self.state == FINISHED:
            self.scores = read_scores(self.folder)
            return
        self.scores = scoring.score_records(self.plan.choices, self.records, self.plan.tasks, resamples=RESAMPLES)
        self.scores |= suite_scores.entries(self.manifest.get("suites", {}), self.scores)

    def progress(self) -> dict[str, Any]:
        """How far it is: questions answered, failed and planned (equal ones count once), per second, seconds left."""
        asked = {item.key for item in self.plan.requests if not item.error}
        answered = sum(key in self.tail.answers for key in asked)
        failed = sum(self.tail.answers[key].finish == "error" for key in asked if key in self.tail.answers)
        now = time.monotonic()
        self._paces = [*(one for one in self._paces if now - one[0] <= RECENT), (now, answered)]
        (then, before), running = self._paces[0], self.state == RUNNING
        pace = (answered - before) / (now - then) if now > then and running else 0.0
        left = (len(asked) - answered) / pace if pace > 0 else None
        return {"answered": answered, "failed": failed, "planned": len(asked), "per_second": pace, "seconds_left": left}

    def write(self, folder: Path) -> None:
        """What is there so far as a finished run's folder, for reports; one that was there before is replaced."""
        if folder.is_dir():
            for path in folder.iterdir():
                if path.name != THUMBS:  # they stay what they are
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        asked = [item for item in self.plan.requests if item.key in self.tail.answers]
        shown = {d: p for item in asked for d, p in zip(item.image_hashes, item.request.images, strict=False)}
        manifest = {**self.manifest, "tasks": {**self.manifest["tasks"]}}
        with RunStore.open(folder, manifest) as store:
            store.finish(record_columns.writer(self.records), self.scores)
        thumbnails.decorate(shown, model_of(self.manifest), folder)


def _record(choice: TaskChoice, item: PlannedRequest, answer: Response | None) -> Record:
    """A question with its answer so far and the score of that."""
    if item.error or answer is None:
        response = Response(finish="error", error=item.error or NOT_YET)
    else:
        response = thinking.apart(answer)
    score = scoring.score_response(choice.task, choice.protocol, item.sample, response)
    return Record(item.task, item.sample, item.request, item.key, item.image_hashes, response, score)
