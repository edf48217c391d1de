"""A run's answers scored again, from its folder: with a judge, another judge, or mended readers. Needs no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from vlmbench import judge_verdicts, loading, plugins, registry, scoring, settings, stored
from vlmbench.errors import DataError, StoreError
from vlmbench.manifest import hash_of
from vlmbench.nouns import ChoiceScore, Record, Response, Sample
from vlmbench.runner import record_columns
from vlmbench.sources import read_samples
from vlmbench.store import MANIFEST, RECORDS, RunStore, read_manifest

if TYPE_CHECKING:
    from vlmbench.judge import Judge
    from vlmbench.registry import TaskChoice


@dataclass(frozen=True)
class Kept:
    """One answer of a run's folder."""

    choice: TaskChoice
    sample: Sample
    response: Response
    key: str
    image_hashes: tuple[str, ...]
    prompt: str
    images: tuple[str, ...] = ()
    """Names of the pictures that were shown: under an ablation they may be others than the sample's."""


@dataclass(frozen=True)
class OldRun:
    """A finished run's answers, joined again with their questions."""

    folder: Path
    manifest: dict[str, Any]
    choices: Sequence[TaskChoice]
    kept: Sequence[Kept]


def is_run(path: Path) -> bool:
    """Whether a path is a run's folder."""
    return (path / MANIFEST).is_file()


def load(folder: Path, data: str | None) -> OldRun:
    """Read a finished run. `data` names where the questions are now, if not where they were.

    Raises StoreError for an unfinished run, DataError when the questions are other ones.
    """
    import pyarrow.parquet as pq

    manifest = read_manifest(folder)
    if not (folder / RECORDS).is_file():
        raise StoreError("the run is not finished", where=str(folder), cure="run the same command again: it goes on")
    rows: dict[str, dict[str, dict[str, Any]]] = {}
    for row in pq.read_table(folder / RECORDS).to_pylist():
        rows.setdefault(row["task"], {})[row["sample_id"]] = row
    choices = [registry.choose_task(key) for key in manifest["tasks"]]
    told = settings.load({"data": data or manifest["data_folder"] or None})
    kept: list[Kept] = []
    ablated = bool(manifest.get("asked", {}).get("ablate"))
    for choice in choices:
        source = loading.open_data(choice, told)
        samples = read_samples(choice.task, source, choice.split)
        kept += _joined(choice, samples, rows.get(choice.key, {}), source.label, ablated=ablated)
    return OldRun(folder, manifest, choices, kept)


def _joined(
    choice: TaskChoice, samples: Sequence[Sample], rows: Mapping[str, Mapping[str, Any]], where: str, *, ablated: bool
) -> list[Kept]:
    known = {sample.id: sample for sample in samples}
    found = []
    for key, row in rows.items():
        if key not in known or known[key].question != row["question"]:
            told = f"{choice.key} {key}: the run asked {row['question']!r:.80}"
            other = (
                f", the data say {known[key].question!r:.80}" if key in known else ", the data have no such question"
            )
            raise DataError(told + other, where=where, cure="name the data the run was made with: --data DIR")
        sample = _as_asked(known[key], row) if ablated else known[key]
        hashes, shown = tuple(row["image_hashes"] or ()), tuple(row["images"] or ())
        found.append(Kept(choice, sample, _response(row), row["key"], hashes, row["prompt"], shown))
    return found


def _as_asked(sample: Sample, row: Mapping[str, Any]) -> Sample:
    """A sample with the options and the right answer that an ablation gave it."""
    return replace(sample, target=orjson.loads(row["target"]), choices=tuple(row["options"] or ()))


def _response(row: Mapping[str, Any]) -> Response:
    names = [name for name in Response.__dataclass_fields__ if name != "choices"]
    choices = tuple(ChoiceScore(**choice) for choice in orjson.loads(row["choice_scores"]))
    return Response(**{name: row[name] for name in names}, choices=choices)


def score(run: OldRun, judge: Judge | None, *, progress: bool = False) -> list[Record]:
    """Read every answer again; a judge grades what is left to one."""
    if judge is not None:
        for item in run.kept:
            judge.submit(item.choice, item.sample, item.response)
        judge.finish(progress=progress)
    records = []
    for item in run.kept:
        task, protocol = item.choice.task, item.choice.protocol
        if judge is not None:
            found = judge.score(item.choice, item.sample, item.response)
        else:
            found = scoring.score_response(task, protocol, item.sample, item.response)
        shown = tuple(stored.picture(name) for name in item.images)
        request = replace(task.ask(item.sample, protocol), prompt=item.prompt, images=shown)
        records.append(Record(item.choice.key, item.sample, request, item.key, item.image_hashes, item.response, found))
    return records


def write(run: OldRun, records: Sequence[Record], judge: Judge | None, folder: Path) -> tuple[dict[str, Any], Any]:
    """Put the new scores into a folder, the run's own or another; returns the manifest and the scores.

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
    tasks = {key: [entry["version"], entry["hashes"]] for key, entry in manifest["tasks"].items()}
    manifest["identity"] = hash_of([manifest["asked"], manifest["model"]["fingerprint"], tasks])
    manifest.pop("judge", None)
    if judge is not None:
        manifest["judge"] = judge.facts()
    scores = scoring.score_records(run.choices, records, manifest["tasks"])
    with RunStore.open(folder, manifest) as store:
        store.finish(record_columns(records), scores, judge_verdicts.columns(records))
    return manifest, scores
