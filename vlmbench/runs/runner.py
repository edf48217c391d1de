"""The main job: put every question to the model once, keep every answer at once, then score.

Questions are grouped by the content of their pictures, over all tasks of the run, so that a model works on a picture
once. Equal questions (same key) are asked once and their answer serves all samples. Only this file calls tasks and
models; they never meet.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import ImageError, ModelError, VlmbenchError
from vlmbench.base.model import Model, SupportsLogprobs, SupportsMultiTurn
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import ImageRef, Record, Request, Response, Sample
from vlmbench.data import encoding, images
from vlmbench.data import notes as data_notes
from vlmbench.data.files import read_samples
from vlmbench.perturbations import perturbations as ablations
from vlmbench.runs import manifest
from vlmbench.runs.storage import answer_log as kept_answers
from vlmbench.runs.storage import thumbnails
from vlmbench.runs.storage.store import RunStore, answer_key
from vlmbench.scoring import score as scoring
from vlmbench.scoring import verdicts as judge_verdicts

if TYPE_CHECKING:
    from vlmbench.data.files import Folder, Hub
    from vlmbench.scoring.judge import Judge

GIVE_UP_AFTER = 3
"""Groups that may fail in a row, with nothing answered between, before the model counts as broken."""


@dataclass(frozen=True)
class PlannedRequest:
    """One sample of one task, with everything decided but the answer."""

    task: str
    sample: Sample
    request: Request
    key: str
    image_hashes: tuple[str, ...]
    error: str = ""
    """Why it cannot even be asked: its picture cannot be read."""


@dataclass
class Plan:
    """Everything a run will ask."""

    choices: Sequence[TaskChoice]
    asked: list[PlannedRequest]
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The manifest's entry of each task."""
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)
    """By task, how many questions the ablation does not fit, by reason; a task of which nothing is left is not in
    `choices`."""


@dataclass(frozen=True)
class Outcome:
    """A finished run."""

    folder: Path
    scores: dict[str, Any]
    records: list[Record]
    reused: int
    """Answers taken from an earlier sitting."""

    @property
    def coverage(self) -> float:
        """The lowest coverage of the tasks."""
        return min(float(task["coverage"]) for task in self.scores.values())


def plan(
    choices: Sequence[TaskChoice],
    data: Mapping[str, Folder | Hub],
    model: Model,
    *,
    limit: int | None,
    ablation: str,
    seed: int,
    judge: Judge | None = None,
) -> Plan:
    """Read the samples, word the questions and hash the pictures. `data` is by task key, `ablation` a change's label.

    Raises ModelError when a protocol ranks choices, or goes on with a dialogue, and the model cannot.
    """
    change = ablations.parse_one(ablation, seed) if ablation else None
    made = Plan([], [])
    for choice in choices:
        hashes = _PictureHashes()
        samples = read_samples(choice.task, data[choice.key], choice.split)
        put = ablations.put(choice, samples, _limited(samples, limit, seed), change)
        if put.left_out:
            made.left_out[choice.key] = dict(put.left_out)
        if put.left_out and not put.asked:
            continue
        of_sample: dict[str, tuple[str, ...]] = {}
        for sample, request in put.asked:
            encoding.check_encodable(choice.key, sample, request)
            if request.choices:
                _refuse_unable(model, choice, sample)
            if request.history and not supports_multi_turn(model):
                raise ModelError(f"{model.name} takes no dialogue, which {choice.key} asks for", hint="use another")
            error = ""
            try:
                of_sample[sample.id] = hashes.of(request.images)
            except ImageError as failure:
                of_sample[sample.id], error = (), str(failure)
            key = answer_key(
                model=model.fingerprint,
                settings=model.settings,
                task=choice.task.name,
                version=choice.task.version,
                request=request,
                images=of_sample[sample.id],
            )
            made.asked.append(PlannedRequest(choice.key, sample, request, key, of_sample[sample.id], error))
        made.choices = [*made.choices, choice]
        label = data[choice.key].label
        made.tasks[choice.key] = manifest.task_entry(
            choice,
            put.asked,
            of_sample,
            label,
            judge,
            questions=put.samples,
            notes=data_notes.notes(choice.task, choice.split, samples, label),
        )
    return made


def _refuse_unable(model: Model, choice: TaskChoice, sample: Sample) -> None:
    """Raise ModelError, naming the protocols that read text, unless the model can rank choices."""
    if isinstance(model, SupportsLogprobs) and model.supports_logprobs:
        return
    readers = []
    for name in choice.task.protocols:
        with suppress(VlmbenchError):  # a protocol need not know this kind of question
            if not choice.task.build_request(sample, name).choices:
                readers.append(name)
    task = choice.task.name if choice.split == choice.task.splits[0] else f"{choice.task.name}:{choice.split}"
    hint = f"protocols that read text: {', '.join(f'{task}@{name}' for name in readers)}" if readers else "use another"
    raise ModelError(f"{model.name} cannot rank answers by likelihood, which {choice.key} asks for", hint=hint)


def supports_multi_turn(model: Model) -> bool:
    """Whether a model heeds the earlier turns of a dialogue."""
    return isinstance(model, SupportsMultiTurn) and model.supports_multi_turn


def execute(
    made: Plan, model: Model, store: RunStore, *, progress: bool = False, judge: Judge | None = None
) -> Outcome:
    """Ask what the store does not hold yet, then score everything and close the run. A judge grades as answers come.

    Ctrl-C and errors leave every answer given so far in the store. Raises ModelError when the model is broken.
    """
    from tqdm import tqdm

    known = set(store.answers)
    failures: dict[str, str] = {}
    grade = _grader(made, judge)
    for key, response in store.answers.items():
        grade(key, response)
    groups = group_by_pictures(item for item in made.asked if not item.error and item.key not in known)
    total = sum(len(group) for group in groups)
    with tqdm(total=total, unit="question", desc="asking", disable=None if progress else True) as bar:
        for key, response in _answers(groups, model, store):
            response = encoding.sanitized(response)
            if response.finish == "error":
                failures[key] = response.error
            else:
                store.append(key, response)
                grade(key, response)
            bar.update()
    if judge is not None:
        judge.finish(progress=progress)
    records = _records(made, store.answers, failures, judge)
    scores = scoring.score_records(made.choices, records, made.tasks)
    store.manifest["model"]["facts"] = dict(model.facts)
    if judge is not None:
        store.manifest["judge"] = judge.facts()
    verdicts = judge_verdicts.columns(records)
    shown = {d: p for item in made.asked for d, p in zip(item.image_hashes, item.request.images, strict=False)}
    store.finish(record_columns(records), scores, verdicts, partial(thumbnails.decorate, shown, model))
    return Outcome(store.place, scores, records, sum(item.key in known for item in made.asked))


def _grader(made: Plan, judge: Judge | None) -> Callable[[str, Response], None]:
    """What hands an answer to the judge, for every sample that it serves."""
    choices = {choice.key: choice for choice in made.choices}
    served: dict[str, list[PlannedRequest]] = {}
    for item in made.asked if judge is not None else ():
        if not item.error:
            served.setdefault(item.key, []).append(item)

    def grade(key: str, response: Response) -> None:
        for item in served.get(key, ()):
            assert judge is not None
            judge.submit(choices[item.task], item.sample, response)

    return grade


def group_by_pictures(items: Iterable[PlannedRequest]) -> list[list[PlannedRequest]]:
    """Groups that share their pictures, in order of first appearance; one item per key."""
    groups: dict[tuple[str, ...], dict[str, PlannedRequest]] = {}
    for number, item in enumerate(items):
        pictures = item.image_hashes or (f"text only {number // 32}",)  # no picture to share: packs of a handy size
        groups.setdefault(pictures, {}).setdefault(item.key, item)
    return [list(group.values()) for group in groups.values()]


def _answers(groups: list[list[PlannedRequest]], model: Model, store: RunStore) -> Iterator[tuple[str, Response]]:
    """(key, response) as they come. A group on which the model raises is answered by errors, and the rest goes on."""
    waiting = list(groups)
    failed_in_a_row = 0
    while waiting:
        handed = _Handed(waiting)
        try:
            for request, response in model.answer(handed):
                for key, finished in handed.answered(request):
                    failed_in_a_row = 0
                    yield key, response
                    if finished:
                        store.sync()
            return
        except VlmbenchError:
            raise
        except Exception as error:  # a bug in an adapter or its library: that group is lost, not the run
            failed_in_a_row += 1
            told = f"{type(error).__name__}: {error}"
            if failed_in_a_row >= GIVE_UP_AFTER or not handed.open:
                raise ModelError(
                    f"{model.name} fails on every group: {told}",
                    hint="the answers so far are kept; mend it and run the same command",
                ) from error
            for key in handed.open_keys():
                yield key, Response(finish="error", error=told)
        waiting = handed.rest()


class _Handed:
    """Gives a model its groups one by one and knows which requests are still out."""

    def __init__(self, groups: list[list[PlannedRequest]]) -> None:
        self._groups = groups
        self._next = 0
        self.open: dict[int, tuple[str, int]] = {}
        """By id() of the request object: its key and group number."""
        self._left: dict[int, int] = {}

    def __iter__(self) -> Iterator[list[Request]]:
        while self._next < len(self._groups):
            number, group = self._next, self._groups[self._next]
            self._next += 1
            self._left[number] = len(group)
            self.open.update({id(item.request): (item.key, number) for item in group})
            yield [item.request for item in group]

    def answered(self, request: Request) -> Iterator[tuple[str, bool]]:
        """The key of an answered request, and whether its group is complete; nothing for one answered before."""
        found = self.open.pop(id(request), None)
        if found is not None:
            key, number = found
            self._left[number] -= 1
            yield key, self._left[number] == 0

    def open_keys(self) -> list[str]:
        """Keys handed out and not answered."""
        return [key for key, _ in self.open.values()]

    def rest(self) -> list[list[PlannedRequest]]:
        """Groups not handed out yet."""
        return self._groups[self._next :]


def _records(
    made: Plan, answers: Mapping[str, Response], failures: Mapping[str, str], judge: Judge | None
) -> list[Record]:
    tasks = {choice.key: choice for choice in made.choices}
    records = []
    for item in made.asked:
        reason = item.error or failures.get(item.key) or "the model gave no answer"
        response = (None if item.error else answers.get(item.key)) or Response(finish="error", error=reason)
        choice = tasks[item.task]
        if judge is not None:
            score = judge.score(choice, item.sample, response)
        else:
            score = scoring.score_response(choice.task, choice.protocol, item.sample, response)
        records.append(Record(item.task, item.sample, item.request, item.key, item.image_hashes, response, score))
    return records


def record_columns(records: Sequence[Record]) -> dict[str, list[Any]]:
    """Records as the columns of records.parquet."""
    import orjson

    def text(value: Any) -> str:
        return orjson.dumps(value, default=dict).decode()

    columns: dict[str, list[Any]] = {}
    dialogues = any(r.request.history for r in records)
    for r in records:
        row = {
            "task": r.task, "sample_id": r.sample.id, "question": r.sample.question, "prompt": r.request.prompt,
            "images": [p.name for p in r.request.images], "image_hashes": list(r.image_hashes),
            "target": text(r.sample.target), "options": list(r.sample.choices),
            "tags": text(dict(r.sample.tags)), "cluster": r.sample.cluster, "extra": extra_text(r.sample.extra),
            "status": str(r.score.status), "value": r.score.value, "parsed_answer": r.score.parsed_answer,
            "note": r.score.note,
            "key": r.key, "choice_scores": text(r.response.choices),
            kept_answers.CHECKSUM: kept_answers.checksum(r.key, r.response),
            **({"history": text(r.request.history)} if dialogues else {}),
            **{name: getattr(r.response, name) for name in Response.__dataclass_fields__ if name != "choices"},
        }  # fmt: skip
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return columns


def extra_text(extra: Mapping[str, Any]) -> str:
    """What a run keeps of Sample.extra, as JSON: sets sorted, names of the whole split left out.

    `null` for what JSON cannot hold: the run goes on, and comparing it says that it cannot.
    """
    import orjson

    def plain(value: Any) -> Any:
        if isinstance(value, set | frozenset):
            return sorted(value)
        if isinstance(value, Mapping):
            return dict(value)
        raise TypeError(type(value).__name__)

    kept = {name: value for name, value in extra.items() if not name.startswith("_")}
    try:
        return orjson.dumps(kept, default=plain).decode()
    except TypeError:
        return "null"


def _limited(samples: Sequence[Sample], limit: int | None, seed: int) -> Sequence[Sample]:
    """At most `limit` samples: whole clusters in a seeded order, so that every split and kind stays represented."""
    if limit is None or limit >= len(samples):
        return samples
    clusters: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        clusters.setdefault(sample.cluster or sample.id, []).append(index)
    order = sorted(clusters)
    random.Random(seed).shuffle(order)
    chosen = [index for name in order for index in clusters[name]][:limit]
    return [samples[index] for index in sorted(chosen)]


class _PictureHashes:
    """Content hashes of one split's pictures, each file read once."""

    def __init__(self) -> None:
        self._known: dict[str, str | ImageError] = {}
        """By picture name, which is unique in a split."""

    def of(self, pictures: Sequence[ImageRef]) -> tuple[str, ...]:
        """One hash a picture. Raises ImageError for one that cannot be read, every time it is asked for."""
        return tuple(self._one(picture) for picture in pictures)

    def _one(self, picture: ImageRef) -> str:
        if picture.name not in self._known:
            try:
                self._known[picture.name] = images.fingerprint(picture.load())
            except ImageError as error:
                self._known[picture.name] = error
        found = self._known[picture.name]
        if isinstance(found, ImageError):
            raise found
        return found
