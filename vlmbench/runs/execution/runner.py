"""The main job: ask the model every question once, store every answer at once, then score.

Questions are grouped by the content of their images, over all tasks of the run, so that a model encodes an image once.
The groups are asked in an order that the run's seed decides: what is answered so far is a sample of the whole.
Equal questions (same key) are asked once and their answer serves all samples. Only this file calls tasks and models:
no task knows a model, no model knows a task.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from vlmbench.base.errors import ModelError, VlmbenchError
from vlmbench.base.model import Model
from vlmbench.base.process import garbage
from vlmbench.base.process.progress import each
from vlmbench.base.samples import NOT_ASKED, Record, Request, Response
from vlmbench.data import encoding
from vlmbench.parsing import thinking
from vlmbench.runs.execution import record_columns
from vlmbench.runs.execution.planning import Plan, PlannedRequest, group_by_images
from vlmbench.runs.execution.selection import place
from vlmbench.runs.storage import thumbnails
from vlmbench.runs.storage.store import RunStore
from vlmbench.scoring import score as scoring
from vlmbench.scoring.suites import scores as suite_scores

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice
    from vlmbench.runs.execution.watching import Watch
    from vlmbench.scoring.judge import Judge

GIVE_UP_AFTER = 3
"""Groups that may fail in a row, with no answer in between, before the model counts as broken."""


@runtime_checkable
class StoresAnswers(Protocol):
    """A model that brings answers into the store itself, as a pool of workers does."""

    def answer_planned(
        self, groups: Sequence[Sequence[PlannedRequest]], store: RunStore
    ) -> Iterator[tuple[str, Response]]:
        """(key, response) as they come, when the store has them; raises like Model.answer."""


@dataclass(frozen=True)
class Outcome:
    """A finished run."""

    folder: Path
    manifest: dict[str, Any]
    """What run.json holds."""
    scores: dict[str, Any]
    records: list[Record]
    reused: int
    """How many answers were stored already when this process started."""

    @property
    def coverage(self) -> float:
        """The lowest coverage of the tasks."""
        return min(float(task["coverage"]) for task in self.scores.values())


def execute(
    plan: Plan,
    model: Model,
    store: RunStore,
    *,
    progress: bool = False,
    judge: Judge | None = None,
    level: float | None = None,
    watch: Watch | None = None,
) -> Outcome:
    """Ask what the store does not hold yet, then score everything and close the run. A judge grades as answers come.
    `level` is the confidence level of the intervals. With a `watch` not everything need be asked.

    Ctrl-C and errors leave every answer given so far in the store. Raises ModelError when the model is broken.
    """
    stored = set(store.answers)
    choices = {choice.key: choice for choice in plan.choices}
    grade = _ignore if judge is None else _grader(plan, judge)
    for key, response in store.answers.items():
        grade(key, thinking.apart(response))
    with garbage.resumed():
        failures, asked, looked_at = _ask(plan, model, store, grade, watch, progress=progress)
        if judge is not None:
            judge.finish(progress=progress)
    known = {*store.answers, *failures}
    unasked = {id(item) for item in plan.requests if id(item) not in asked and (item.error or item.key not in known)}
    items = [replace(item, error=NOT_ASKED) if id(item) in unasked else item for item in plan.requests]
    scored, kept = each(items, "scoring", "question"), looked_at if judge is None else {}
    records = [kept.get(id(item)) or _record(choices, store.answers, failures, judge, item) for item in scored]
    scores = scoring.score_records(plan.choices, records, plan.tasks, level)
    scores |= suite_scores.entries(store.manifest.get("suites", {}), scores)
    _keep_facts(store.manifest, model, judge, watch)
    shown = {d: p for item in plan.requests for d, p in zip(item.image_hashes, item.request.images, strict=False)}
    decorate = partial(thumbnails.decorate, shown, model, changed=plan.changed)
    store.finish(record_columns.writer(records), scores, _verdict_columns(records), decorate)
    return Outcome(store.place, store.manifest, scores, records, sum(item.key in stored for item in plan.requests))


def _ask(
    plan: Plan,
    model: Model,
    store: RunStore,
    grade: Callable[[str, Response], None],
    watch: Watch | None,
    *,
    progress: bool,
) -> tuple[dict[str, str], set[int], dict[int, Record]]:
    """Ask what the store does not hold yet.

    Returns why questions failed, by key; and by id() of the planned requests, which were asked, and the records that a
    watch has seen: none is scored twice.
    """
    from tqdm import tqdm

    choices = {choice.key: choice for choice in plan.choices}
    failures: dict[str, str] = {}
    asked: set[int] = set()
    looked_at: dict[int, Record] = {}
    seed = int(store.manifest.get("seed") or 0)
    total = len({item.key for item in plan.requests if not item.error} - store.answers.keys())
    with tqdm(total=total, unit="question", desc="asking", disable=None if progress else True) as bar:
        for wave in [plan.requests] if watch is None else watch.waves():
            for key, response in _stored(_groups(wave, {*store.answers, *failures}, seed), model, store):
                if response.finish == "error":
                    failures[key] = response.error
                else:
                    grade(key, response)
                bar.update()
            asked.update(map(id, wave))
            if watch is not None:
                looked_at.update((id(item), _record(choices, store.answers, failures, None, item)) for item in wave)
                watch.look(lambda item: looked_at[id(item)])
    return failures, asked, looked_at


def _keep_facts(manifest: dict[str, Any], model: Model, judge: Judge | None, watch: Watch | None) -> None:
    """What is known of all that took part once the run is done."""
    manifest["model"]["facts"] = dict(model.facts)
    if judge is not None:
        manifest["judge"] = judge.facts()
    if watch is not None:
        manifest["gate"] = watch.facts()


def _ignore(key: str, response: Response) -> None:
    """What is done with an answer where no judge grades."""


def _grader(plan: Plan, judge: Judge) -> Callable[[str, Response], None]:
    """What submits an answer to the judge, for every sample that it serves."""
    choices = {choice.key: choice for choice in plan.choices}
    served: dict[str, list[PlannedRequest]] = {}
    for item in plan.requests:
        if not item.error:
            served.setdefault(item.key, []).append(item)

    def grade(key: str, response: Response) -> None:
        for item in served.get(key, ()):
            judge.submit(choices[item.task], item.sample, response)

    return grade


def _verdict_columns(records: Sequence[Record]) -> dict[str, list[Any]]:
    """The columns of judgements.parquet; none where nothing was judged."""
    if not any(record.score.verdicts for record in records):
        return {}
    from vlmbench.scoring import verdicts

    return verdicts.columns(records)


def _stored(groups: list[list[PlannedRequest]], model: Model, store: RunStore) -> Iterator[tuple[str, Response]]:
    """(key, response) as they come, when the store has them."""
    if isinstance(model, StoresAnswers):
        yield from model.answer_planned(groups, store)
        return
    for key, response in _answers(groups, model, store):
        response = thinking.apart(encoding.sanitized(response))
        store.append(key, response)
        yield key, response


def _answers(groups: list[list[PlannedRequest]], model: Model, store: RunStore) -> Iterator[tuple[str, Response]]:
    """(key, response) as they come. A group on which the model raises is answered by errors, and the rest continues."""
    waiting = list(groups)
    failed_in_a_row = 0
    while waiting:
        feeder = _GroupFeeder(waiting)
        try:
            for request, response in model.answer(feeder):
                for key, finished in feeder.answered(request):
                    failed_in_a_row = 0
                    yield key, response
                    if finished:
                        store.sync()
            return
        except VlmbenchError:
            raise
        except Exception as error:  # a bug in an adapter or its library: that group is lost, not the run
            failed_in_a_row += 1
            reason = f"{type(error).__name__}: {error}"
            if failed_in_a_row >= GIVE_UP_AFTER or not feeder.pending:
                raise ModelError(
                    f"{model.name} fails on every group: {reason}",
                    hint="the answers so far are kept; fix the model and run the same command",
                ) from error
            for key in feeder.pending_keys():
                yield key, Response(finish="error", error=reason)
        waiting = feeder.rest()


class _GroupFeeder:
    """Gives a model its groups one by one and knows which requests are pending."""

    def __init__(self, groups: list[list[PlannedRequest]]) -> None:
        self._groups = groups
        self._next = 0
        self.pending: dict[int, tuple[str, int]] = {}
        """By id() of the request object: its key and group number."""
        self._left: dict[int, int] = {}

    def __iter__(self) -> Iterator[list[Request]]:
        while self._next < len(self._groups):
            number, group = self._next, self._groups[self._next]
            self._next += 1
            self._left[number] = len(group)
            self.pending.update({id(item.request): (item.key, number) for item in group})
            yield [item.request for item in group]

    def answered(self, request: Request) -> Iterator[tuple[str, bool]]:
        """The key of an answered request, and whether its group is complete; nothing for one answered before."""
        found = self.pending.pop(id(request), None)
        if found is not None:
            key, number = found
            self._left[number] -= 1
            yield key, self._left[number] == 0

    def pending_keys(self) -> list[str]:
        """Keys of the requests that the model has and did not answer."""
        return [key for key, _ in self.pending.values()]

    def rest(self) -> list[list[PlannedRequest]]:
        """Groups that the model has not taken yet."""
        return self._groups[self._next :]


def _groups(items: Iterable[PlannedRequest], known: Container[str], seed: int) -> list[list[PlannedRequest]]:
    """What there is to ask of these, by images, in seeded order: no answer is known, and the images can be read."""
    groups = group_by_images(item for item in items if not item.error and item.key not in known)
    return sorted(groups, key=lambda group: place(seed, " ".join(group[0].image_hashes or (group[0].key,))))


def _record(
    choices: Mapping[str, TaskChoice],
    answers: Mapping[str, Response],
    failures: Mapping[str, str],
    judge: Judge | None,
    item: PlannedRequest,
) -> Record:
    """A question with its answer and score; `failures` says why there is no answer, by key."""
    reason = item.error or failures.get(item.key) or "the model gave no answer"
    answer = None if item.error else answers.get(item.key)
    response = Response(finish="error", error=reason) if answer is None else thinking.apart(answer)
    choice = choices[item.task]
    if judge is not None:
        score = judge.score(choice, item.sample, response)
    else:
        score = scoring.score_response(choice.task, choice.protocol, item.sample, response)
    return Record(item.task, item.sample, item.request, item.key, item.image_hashes, response, score)
