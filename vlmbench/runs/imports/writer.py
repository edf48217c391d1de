"""A peer's run as a run's folder: its own scores, our protocol's beside them, and what it states against its rows."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vlmbench.base import registry
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import ChoiceScore, Record, Request, Response, Sample, Score, Status
from vlmbench.parsing import thinking
from vlmbench.runs.execution import record_columns
from vlmbench.runs.imports import our_tasks, rules
from vlmbench.runs.imports.peer_task import plain
from vlmbench.runs.imports.readers import llava_folder
from vlmbench.runs.imports.readers.nouns import COUNT, STDERR, Figure, OurAnswers, PeerRow, PeerRun, PeerTask
from vlmbench.runs.storage import manifest as manifests
from vlmbench.runs.storage.reload import image_ref
from vlmbench.runs.storage.store import RunStore
from vlmbench.scoring import score as scoring
from vlmbench.stats.metrics import Metric

NO_SCORE = "the peer wrote no score for it"
AGREES = 1e-9
"""How far a recomputed figure may be from the stated one, relative to it: sums of floats differ by their order."""
EXAMPLES = 3
SHOWN = 60
"""Characters of an answer in a note."""


@dataclass
class ImportedModel:
    """Stands where a run has its model: what the peer's files tell of it."""

    name: str
    fingerprint: str
    settings: Mapping[str, str | int | float | bool]
    facts: Mapping[str, str | int | float]

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """Nothing: the answers exist."""
        return iter(())


@dataclass
class Imported:
    """What was made of a peer's run."""

    run: PeerRun
    manifest: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    @property
    def has_scores(self) -> bool:
        """Whether any answer has a score."""
        return any(entry["statuses"].get("ok") for entry in self.scores.values())


@dataclass
class _Made:
    """One task on its way into a run."""

    choice: TaskChoice
    records: list[Record]
    notes: list[str]
    peer: dict[str, Any]


def imported(run: PeerRun, level: float | None = None, data: str | None = None) -> Imported:
    """A peer's run with its scores. Nothing is written. `data`: where the benchmarks' own questions are."""
    fingerprint = _fingerprint(run)
    made: dict[str, _Made] = {}
    for task in run.tasks:
        one = _as_scored(run, task, fingerprint)
        made[one.choice.key] = one
        if task.rescored:
            _add_ours(run, task, fingerprint, one, made, data)
    for answers in run.ours:
        one = _with_its_data(run, answers, fingerprint)
        made[one.choice.key] = one
    scores: dict[str, Any] = {}
    entries: dict[str, dict[str, Any]] = {}
    label = f"imported from {run.peer}"
    for key, one in made.items():
        asked = [(record.sample, record.request) for record in one.records]
        entry = manifests.task_entry(one.choice, asked, {}, label, notes=one.notes)
        entries[key] = {**entry, "peer": one.peer}
        pairs = [(record.sample, record.score) for record in one.records]
        responses = [record.response for record in one.records]
        scores[key] = scoring.summarise(one.choice, pairs, responses=responses, notes=one.notes, level=level)
    words: dict[str, Any] = {"model": run.model, "tasks": list(made), "data": label}
    words["imported"] = {"peer": run.peer, "files": sorted(path.name for path in run.files)}
    model = ImportedModel(run.model, fingerprint, {}, {name: value for name, value in run.facts.items()})
    content = manifests.build(request=words, model=model, tasks=entries, seed=0, data_folder="")
    content["imported"] = {
        "peer": run.peer,
        "version": run.version,
        "started": run.started,
        "files": [str(path) for path in run.files],
        "failed": run.failed,
        "notes": list(run.notes),
        "figures": [_entry(figure, None) for figure in run.stated],
    }
    records = [record for one in made.values() for record in one.records]
    return Imported(run, content, scores, records)


def write(found: Imported, folder: Path) -> None:
    """Put it into a run's folder."""
    with RunStore.open(folder, found.manifest) as store:
        store.finish(record_columns.writer(found.records), found.scores)


def _fingerprint(run: PeerRun) -> str:
    digest = hashlib.sha256(f"{run.peer}\0{run.model}".encode())
    for path in sorted(run.files):
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                digest.update(part)
    return digest.hexdigest()[:32]


# ------------------------------------------------------------------------------------------------ as the peer scored it


def _as_scored(run: PeerRun, task: PeerTask, fingerprint: str) -> _Made:
    choice = registry.choose_task(f"{run.peer}.{plain(task.dataset)}@{plain(task.scorer)}")
    scorer = plain(task.scorer)
    names = {name: plain(name) for name in dict.fromkeys(name for row in task.rows for name in row.scores)}
    samples = [_peer_sample(row, task, names) for row in task.rows]
    graded = [_peer_score(row, task, scorer) for row in task.rows]
    records = _records(choice, samples, task.rows, graded, [_response(row) for row in task.rows], fingerprint)
    figures = _compared(task, samples, scorer)
    peer: dict[str, Any] = {"harness": run.peer, "version": run.version, "dataset": task.dataset}
    peer |= {"scorer": task.scorer}
    peer |= {"judge": task.judge, "figures": figures}
    notes = [*_about(run, task), *task.notes, *_scored_failures(run, task), *_disagreeing(figures)]
    return _Made(choice, records, notes, peer)


def _peer_sample(row: PeerRow, task: PeerTask, names: Mapping[str, str]) -> Sample:
    extra: dict[str, Any] = {"rule": task.rule, "scores": {names[name]: score for name, score in row.scores.items()}}
    if task.kinds:
        extra["kinds"] = {plain(name): kind for name, kind in task.kinds.items()}
    tags = {name: str(value) for name, value in row.tags.items()}
    tags |= {"subtask": str(row.fields["subtask"])} if "subtask" in row.fields else {}
    target = list(row.target) if isinstance(row.target, tuple) else row.target
    images = tuple(image_ref(name) for name in row.images)
    question = row.question or row.prompt
    return Sample(row.id, question, images, target, row.options, tags, row.cluster or row.id, {**row.fields, **extra})


def _peer_score(row: PeerRow, task: PeerTask, scorer: str) -> Score:
    if row.error:
        return Score(None, Status.ERROR, note=row.error[:500])
    if row.judge_error:
        return Score(None, Status.JUDGE_FAILED, row.parsed, row.judge_error[:500])
    value = _value(row, task)
    if value is None:
        return Score(None, Status.UNLABELED, row.parsed, NO_SCORE)
    return Score(value, Status.OK, row.parsed, row.note, unread=row.unread)


def _value(row: PeerRow, task: PeerTask) -> float | None:
    """The peer's score: the headline's; of a rule that reads one score under several names, the one there is."""
    if task.rule == "mean":
        return row.scores.get(task.scorer)
    return row.scores.get(task.scorer, next(iter(row.scores.values()), None))


def _records(
    choice: TaskChoice,
    samples: Sequence[Sample],
    rows: Sequence[PeerRow],
    scores: Sequence[Score],
    responses: Sequence[Response],
    fingerprint: str,
) -> list[Record]:
    found, task = [], choice.key
    for sample, row, score, response in zip(samples, rows, scores, responses, strict=True):
        request = Request(sample.id, row.prompt or sample.question, sample.images, sample.choices)
        key = hashlib.sha256(f"{fingerprint}\0{task}\0{sample.id}".encode()).hexdigest()[:32]
        found.append(Record(task, sample, request, key, (), response, score))
    return found


def _response(row: PeerRow) -> Response:
    if row.error:
        return Response(row.answer, finish="error", error=row.error[:2000])
    choices = tuple(ChoiceScore(choice, logprob, 1) for choice, logprob in row.choice_scores)
    return Response(row.answer, choices)


def _about(run: PeerRun, task: PeerTask) -> list[str]:
    version = f" {run.version}" if run.version else ", version not told"
    line = f"imported from {run.peer}{version}: scores are the peer's own, as it scored {task.dataset}"
    lacks = [*task.lacks, *([] if any(row.prompt for row in task.rows) else ["prompts"]), "weights"]
    lines = [line, f"not in the files: {', '.join(dict.fromkeys(lacks))}"]
    if task.judge:
        lines.append(f"judge, as the files tell: {task.judge}")
    return lines


def _scored_failures(run: PeerRun, task: PeerTask) -> list[str]:
    """Answers that failed and that the peer scored all the same: in its figures they are wrong answers."""
    failed = [row for row in task.rows if (row.error or row.judge_error) and row.scores]
    if not failed:
        return []
    return [f"{run.peer} scored {len(failed):,} of {len(task.rows):,} failures like answers; here they have no score"]


# ------------------------------------------------------------------------------------------------------------- figures


def _compared(task: PeerTask, samples: Sequence[Sample], scorer: str) -> list[dict[str, Any]]:
    """What the peer states against what its rows give: all rows that it scored, its failures too."""
    kept = [(sample, row) for sample, row in zip(samples, task.rows, strict=True) if row.scores]
    scored = [(sample, Score(_value(row, task), parsed_answer=row.parsed)) for sample, row in kept]
    metrics = {metric.name: metric for metric in rules.metrics(scored, scorer)} if task.figures else {}
    entries = []
    for figure in task.figures:
        if figure.of_ours:
            continue
        found: float | None = None
        if figure.metric and STDERR in figure.kind:
            parts = [str(row.fields.get("part", "")) for _, row in kept]
            values = [sample.extra["scores"].get(plain(figure.metric)) for sample, _ in scored]
            found = _stderr(values, parts if figure.kind != STDERR else None)
        elif figure.metric:
            found = _metric(metrics, figure)
        entries.append(_entry(figure, found))
    return entries


def _metric(metrics: Mapping[str, Metric], figure: Figure) -> float | None:
    """A figure out of the metrics of the rows; None where there is no such metric, or it is undefined."""
    metric = metrics.get(plain(figure.metric), metrics.get(figure.metric))
    if metric is None:
        return None
    if figure.kind == COUNT:
        return float(len(metric.items) if metric.n is None else metric.n)
    value = metric.value()
    return None if math.isnan(value) else value * figure.scale


def _stderr(values: Sequence[Any], parts: Sequence[str] | None) -> float | None:
    """The standard error of a mean; with `parts`, of the mean over groups that are weighted by their sizes."""
    groups: dict[str, list[float]] = {}
    for place, value in enumerate(values):
        if value is not None:
            groups.setdefault(parts[place] if parts else "", []).append(float(value))
    sizes = [len(group) for group in groups.values()]
    if not sizes or min(sizes) < 2:
        return None
    spreads = [_variance(group) for group in groups.values()]
    pooled = sum((size - 1) * spread for size, spread in zip(sizes, spreads, strict=True)) / (sum(sizes) - len(sizes))
    return math.sqrt(pooled / sum(sizes))


def _variance(values: Sequence[float]) -> float:
    middle = math.fsum(values) / len(values)
    return math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1)


def _entry(figure: Figure, found: float | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": figure.name, "stated": figure.stated, "recomputed": found}
    if found is None:
        entry["basis"] = "as stated by the peer"
    else:
        entry["basis"] = "recomputed from its rows"
        entry["metric"] = figure.metric
        if isinstance(figure.stated, int | float):
            entry["agrees"] = _agrees(found, float(figure.stated), figure.digits)
    return entry | ({"note": figure.note} if figure.note else {})


def _agrees(found: float, stated: float, digits: int | None) -> bool:
    allowed = AGREES * max(1.0, abs(stated)) if digits is None else 0.5001 * 10**-digits
    return abs(found - stated) <= allowed


def _disagreeing(figures: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"{one['name']}: the peer states {one['stated']}, its rows give {one['recomputed']:.6g}"
        for one in figures
        if one.get("agrees") is False
    ]


# ----------------------------------------------------------------------------------------------------- by our protocol


def _add_ours(
    run: PeerRun, task: PeerTask, fingerprint: str, theirs: _Made, made: dict[str, _Made], data: str | None
) -> None:
    """Score the same answers by our protocol, where we have the benchmark; say what differs, or why we have not."""
    found, reason = our_tasks.rescored(run.peer, task, data)
    if found is None or found.choice.key in made:
        reason = reason if found is None else f"{found.choice.key} is in the run already"
        theirs.notes.append(f"not scored by a protocol of vlmbench: {reason}")
        return
    choice = found.choice
    samples, rows = [sample for sample, _ in found.pairs], [row for _, row in found.pairs]
    responses = [thinking.apart(_response(row)) for row in rows]
    graded = scoring.score_responses(choice.task, choice.protocol, zip(samples, responses, strict=True))
    records = _records(choice, samples, rows, [score for _, score in graded], responses, fingerprint)
    good = [pair for pair in graded if pair[1].status is Status.OK]
    metrics = {metric.name: metric for metric in choice.task.summarise(good, choice.protocol)} if good else {}
    figures = [_entry(figure, _metric(metrics, figure)) for figure in task.figures if figure.of_ours]
    peer = {"harness": run.peer, "version": run.version, "dataset": task.dataset, "scorer": choice.protocol}
    differing = _differing(run, choice, theirs, records)
    notes = [f"the answers of {run.peer}'s {task.dataset}, scored by vlmbench's protocol {choice.protocol}", *differing]
    notes += [*([found.how] if found.how else []), *_disagreeing(figures)]
    theirs.notes += differing
    if not any(row.scores for row in task.rows):
        del made[theirs.choice.key]  # nothing of the peer's is per question: its figures stand with ours
        figures = [*theirs.peer["figures"], *figures]
        notes = [*theirs.notes, *notes[:1], *notes[1 + len(differing) :], f"{run.peer} wrote no score of any answer"]
    made[choice.key] = _Made(choice, records, notes, {**peer, "figures": figures})


def _with_its_data(run: PeerRun, answers: OurAnswers, fingerprint: str) -> _Made:
    """Answers with the benchmark's own questions beside them, scored by our protocol alone."""
    choice = registry.choose_task(answers.task)
    samples, texts = llava_folder.answered(choice, answers.answers, answers.data)
    pairs = [(sample, thinking.apart(Response(texts[sample.id]))) for sample in samples]
    graded = scoring.score_responses(choice.task, choice.protocol, pairs)
    records = []
    for (sample, response), (_, score) in zip(pairs, graded, strict=True):
        request = choice.build_request(sample)
        key = hashlib.sha256(f"{fingerprint}\0{choice.key}\0{sample.id}".encode()).hexdigest()[:32]
        records.append(Record(choice.key, sample, request, key, (), response, score))
    good = [pair for pair in graded if pair[1].status is Status.OK]
    metrics = {metric.name: metric for metric in choice.task.summarise(good, choice.protocol)} if good else {}
    figures = [_entry(figure, _metric(metrics, figure)) for figure in answers.figures]
    folder = answers.dataset
    notes = [
        f"imported from a LLaVA-style folder: answers joined with the questions in {folder}/; weights are not there"
    ]
    if any(score.status is Status.JUDGE_FAILED for _, score in graded):
        notes.append("a judge grades these answers: the folder holds no grades")
    peer = {"harness": run.peer, "version": "", "dataset": folder, "scorer": choice.protocol, "figures": figures}
    return _Made(choice, records, [*notes, *answers.notes, *_disagreeing(figures)], peer)


def _differing(run: PeerRun, choice: TaskChoice, theirs: _Made, ours: Sequence[Record]) -> list[str]:
    """How many answers the peer and our protocol score differently, with examples, and why where that is known."""
    pairs = [(a, b) for a, b in zip(theirs.records, ours, strict=False) if a.score.value is not None]
    if not pairs or len(theirs.records) != len(ours):
        return []
    other = [(a, b) for a, b in pairs if b.score.value is None or abs(a.score.value - b.score.value) > 1e-6]  # type: ignore[operator]
    if not other:
        return [f"{choice.key} and {run.peer} score all {len(pairs):,} answers alike"]
    shown = "; ".join(
        f"{a.response.text!r:.{SHOWN}} (right: {b.sample.target!r:.{SHOWN}}): {run.peer} {a.score.value:g}, here "
        + (str(b.score.status) if b.score.value is None else f"{b.score.value:g}")
        for a, b in other[:EXAMPLES]
    )
    reason = our_tasks.why(run.peer, choice)
    reason = f" ({reason})" if reason else ""
    return [f"{choice.key} and {run.peer} score {len(other):,} of {len(pairs):,} answers differently{reason}: {shown}"]


def renamed(run: PeerRun, model: str) -> PeerRun:
    """The run under another name of its model."""
    return replace(run, model=model)
