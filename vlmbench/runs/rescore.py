"""A run's answers scored again, from its folder: with a judge, another judge, or changed parsers. Needs no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from vlmbench.base import registry, settings
from vlmbench.base.errors import DataError, StoreError
from vlmbench.base.json_shapes import MisfitError, fields, mapping, mapping_of, text
from vlmbench.base.process.progress import each
from vlmbench.base.samples import Example, Record, Response, Sample
from vlmbench.data.files import read_samples
from vlmbench.parsing import thinking
from vlmbench.plugins import loading as plugins
from vlmbench.plugins import specs as loading
from vlmbench.runs.execution import record_columns
from vlmbench.runs.storage import answer_log as kept_answers
from vlmbench.runs.storage import reload as stored
from vlmbench.runs.storage import run_tables
from vlmbench.runs.storage.layout import MANIFEST, RECORDS
from vlmbench.runs.storage.manifest import hash_of, identity
from vlmbench.runs.storage.run_files import DamagedError, read_manifest, read_scores, run_again
from vlmbench.runs.storage.store import RunStore
from vlmbench.scoring import draws
from vlmbench.scoring import score as scoring
from vlmbench.scoring import verdicts as judge_verdicts
from vlmbench.scoring.suites import scores as suite_scores

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice
    from vlmbench.scoring.judge import Judge

COLUMNS: tuple[str, ...] = (
    "task",
    "sample_id",
    "question",
    "prompt",
    "key",
    "images",
    "image_hashes",
    "target",
    "options",
)
COLUMNS += (kept_answers.CHOICES, *kept_answers.PLAIN)
LATER = (kept_answers.CHECKSUM, *kept_answers.REASONING, "image_places", "examples")
WHOLE = fields(
    {"tasks": mapping_of(fields({"hashes": mapping}, needed=("hashes", "version"))), "data_folder": text}
    | {"model": fields({"fingerprint": text}, needed=("fingerprint",))},
    needed=("tasks", "data_folder", "model"),
)
"""What of run.json is needed to score again."""


@dataclass(frozen=True)
class StoredAnswer:
    """One answer of a run's folder."""

    choice: TaskChoice
    sample: Sample
    response: Response
    key: str
    image_hashes: tuple[str, ...]
    prompt: str
    images: tuple[str, ...] = ()
    """Names of the images that were shown: under a perturbation they may be others than the sample's."""
    image_places: tuple[int, ...] = ()
    examples: tuple[str, ...] = ()
    """Ids of the few-shot examples that were shown."""


@dataclass(frozen=True)
class AnsweredRun:
    """A finished run's answers, joined again with their questions."""

    folder: Path
    manifest: dict[str, Any]
    choices: Sequence[TaskChoice]
    answers: Sequence[StoredAnswer]


def is_run(path: Path) -> bool:
    """Whether a path is a run's folder."""
    return (path / MANIFEST).is_file()


def load(folder: Path, data: str | None) -> AnsweredRun:
    """Read a finished run. `data` names where the questions are now, if not where they were.

    Raises StoreError for an unfinished run, DataError when the questions are other ones.
    """
    manifest = _manifest(folder)
    if "imported" in manifest:
        hint = f"import it again: vlmbench import PATH --output {folder}"
        raise DataError("the run was imported: its questions are in no data of ours", where=str(folder), hint=hint)
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for row in run_tables.read(folder, RECORDS, manifest, COLUMNS, LATER).to_pylist():
        rows.setdefault(row["task"], {})[row["sample_id"]] = row
    choices = [registry.choose_task(key) for key in manifest["tasks"]]
    asked = manifest.get("asked", {})
    told = settings.load({"data": data or manifest["data_folder"] or None})
    own = {} if data else asked.get("data_of", {})
    answers: list[StoredAnswer] = []
    perturbed = bool(asked.get("perturb"))
    for choice in choices:
        source = loading.open_data(choice, replace(told, data=own.get(choice.key, told.data)))
        samples = read_samples(choice.task, source, choice.split)
        there = _joined(choice, samples, rows.get(choice.key, {}), source.label, perturbed=perturbed)
        answers += [_stored_answer(choice, sample, row, folder, manifest) for sample, row in there]
    return AnsweredRun(folder, manifest, choices, answers)


def _manifest(folder: Path) -> dict[str, Any]:
    """run.json of a run whose records are whole: a finished one, or one that was being scored again when it ended."""
    manifest = read_manifest(folder)
    whole = manifest.get("finished", True) or manifest.get("rescoring")
    if not whole or not (folder / RECORDS).is_file():
        hint = f"run {run_again(folder, manifest)}: it resumes"
        raise StoreError("the run is not finished", where=str(folder), hint=hint)
    try:
        WHOLE(manifest, "")
    except MisfitError as error:
        raise DamagedError(str(error), where=str(folder / MANIFEST), hint="restore the file") from None
    return manifest


def _joined(
    choice: TaskChoice, samples: Sequence[Sample], rows: Mapping[str, Mapping[str, Any]], where: str, *, perturbed: bool
) -> list[tuple[Sample, Mapping[str, Any]]]:
    """Each row with its question, as the data have it now."""
    known = {sample.id: sample for sample in samples}
    found = []
    for key, row in rows.items():
        own, draw = draws.split_id(key) if choice.variant.samples > 1 else (key, 0)
        sample = known.get(own)
        if sample is None or sample.question != row["question"]:
            told = f"{choice.key} {key}: the run asked {row['question']!r:.80}"
            other = ", the data have no such question" if sample is None else f", the data say {sample.question!r:.80}"
            raise DataError(told + other, where=where, hint="name the data the run was made with: --data DIR")
        sample = draws.drawn(sample, draw)
        found.append((_as_asked(sample, row) if perturbed else sample, row))
    return found


def _stored_answer(
    choice: TaskChoice, sample: Sample, row: Mapping[str, Any], folder: Path, manifest: Mapping[str, Any]
) -> StoredAnswer:
    try:
        response = thinking.apart(kept_answers.response_of_row(row))
    except ValueError as error:
        raise run_tables.damaged(folder, RECORDS, manifest, f"{choice.key} {sample.id}: {error}") from None
    hashes, shown = tuple(row["image_hashes"] or ()), tuple(row["images"] or ())
    places, examples = tuple(row.get("image_places") or ()), tuple(row.get("examples") or ())
    return StoredAnswer(choice, sample, response, row["key"], hashes, row["prompt"], shown, places, examples)


def _as_asked(sample: Sample, row: Mapping[str, Any]) -> Sample:
    """A sample with the options and the right answer that a perturbation gave it."""
    return replace(sample, target=orjson.loads(row["target"]), choices=tuple(row["options"] or ()))


def score(run: AnsweredRun, judge: Judge | None, *, progress: bool = False) -> list[Record]:
    """Read every answer again; a judge grades what is left to one."""
    if judge is not None:
        for item in run.answers:
            judge.submit(item.choice, item.sample, item.response)
        judge.finish(progress=progress)
    records = []
    for item in each(run.answers, "scoring", "question"):
        task, protocol = item.choice.task, item.choice.protocol
        if judge is not None:
            found = judge.score(item.choice, item.sample, item.response)
        else:
            found = scoring.score_response(task, protocol, item.sample, item.response)
        shown = tuple(stored.image_ref(name) for name in item.images)
        request = replace(
            item.choice.build_request(item.sample),
            prompt=item.prompt,
            images=shown,
            image_places=item.image_places,
            examples=tuple(Example(key, "", "") for key in item.examples),
        )
        records.append(Record(item.choice.key, item.sample, request, item.key, item.image_hashes, item.response, found))
    return records


def write(
    run: AnsweredRun,
    records: Sequence[Record],
    judge: Judge | None,
    folder: Path,
    level: float | None = None,
    *,
    shrink: bool = False,
) -> tuple[dict[str, Any], Any]:
    """Put the new scores into a folder, the run's own or another; returns the manifest and the scores.

    Intervals keep the run's confidence level unless `level` gives another. `shrink` adds shrunk values of bars.

    In the run's own folder results of another judge are moved to superseded/, not deleted.
    """
    manifest = dict(run.manifest)
    manifest["tasks"] = {key: dict(entry) for key, entry in run.manifest["tasks"].items()}
    for choice in run.choices:
        entry = manifest["tasks"][choice.key]
        entry["hashes"] = {name: value for name, value in entry["hashes"].items() if name != "judge"}
        entry.pop("judge", None)
        if plugin := plugins.source_of(registry.tasks, choice.task.name):  # other rules read the same answers
            entry["plugin"] = plugin
            entry["hashes"]["plugin"] = hash_of(plugin)
        if judge is not None and choice.task.protocols[choice.protocol].judge is not None:
            entry["judge"] = judge.entry(choice)
            entry["hashes"]["judge"] = hash_of(entry["judge"])
    manifest["identity"] = identity(manifest["asked"], manifest["model"]["fingerprint"], manifest["tasks"])
    manifest.pop("judge", None)
    manifest["rescoring"] = True
    if judge is not None:
        manifest["judge"] = judge.facts()
    level = level or _level(run.folder)
    scores = scoring.score_records(run.choices, records, manifest["tasks"], level, shrink)
    scores |= suite_scores.entries(manifest.get("suites", {}), scores)
    with RunStore.open(folder, manifest) as store:
        store.finish(record_columns.writer(records), scores, judge_verdicts.columns(records))
    return manifest, scores


def _level(folder: Path) -> float | None:
    """The confidence level of the run's intervals; None where scores.json cannot be read or does not say it."""
    with suppress(StoreError):
        return next((entry["level"] for entry in read_scores(folder).values() if "level" in entry), None)
    return None
