"""`vlmbench score`: score answers that exist already, in the benchmark's own file format. No model is needed."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench import cli, loading, settings
from vlmbench.errors import DataError, UsageError
from vlmbench.nouns import Request, Response, Sample, Score, Status

if TYPE_CHECKING:
    from vlmbench.registry import TaskChoice
    from vlmbench.sources import Folder, Hub


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which answers to which questions."""
    add = parser.add_argument
    add("task", metavar="TASK[:SPLIT][@PROTOCOL]", help="see `vlmbench tasks`")
    add(
        "--predictions",
        type=Path,
        required=True,
        metavar="PATH",
        help="answer file, or a folder of them, in the benchmark's format; or rows of id and text",
    )
    add("--data", metavar="sample|hub|DIR", help="where the questions are (default: the embedded sample)")
    add("--attentions", type=Path, metavar="FILE", help="attention maps, for gqa's grounding")
    add("--output", type=Path, metavar="DIR", help="also write a run's folder, for reports and comparisons")
    add(
        "--min-coverage",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="exit 1 when fewer answers have a score (default 1.0)",
    )
    add("--json", action="store_true", help="print on stdout what scores.json holds, and nothing else")


def run(args: argparse.Namespace) -> int:
    """Read, score, show. Exit code 1 when coverage is below --min-coverage."""
    from vlmbench import registry, scoring

    choice = registry.choose_task(args.task)
    data = loading.open_data(choice, settings.load({"data": args.data}))
    samples = choice.task.samples(data, choice.split)
    if args.attentions is not None:
        samples = _with_attentions(choice, samples, args.attentions, data)
    texts = choice.task.read_predictions(args.predictions, samples)
    pairs = [(sample, Response(texts[sample.id])) for sample in samples]
    scored = scoring.score_responses(choice.task, choice.protocol, pairs)
    if all(score.status is Status.WITHHELD for _, score in scored):
        what = scored[0][1].note if scored else "there is nothing to score"
        raise DataError(what, where=data.label, cure="`vlmbench export` writes what the server takes")
    scores = {choice.key: scoring.summarise(choice, scored)}
    manifest = _manifest(args, choice, data, samples)
    if args.output is not None:
        _write_run(args.output, manifest, choice, pairs, scored, scores)
    _show(args, manifest, scores)
    return cli.OK if scores[choice.key]["coverage"] >= args.min_coverage else cli.BAD_RESULT


def _with_attentions(choice: TaskChoice, samples: Sequence[Sample], path: Path, data: Folder | Hub) -> Sequence[Sample]:
    attach = getattr(choice.task, "with_attentions", None)
    if attach is None:
        raise UsageError(f"{choice.task.name} has no score for attentions", cure="leave --attentions out")
    found: Sequence[Sample] = attach(samples, path, data, choice.split)
    return found


@dataclass
class AnswerFile:
    """Stands where a run has its model: the answers that were scored."""

    name: str
    fingerprint: str

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """None: how the answers were made is not known."""
        return {}

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """None."""
        return {}

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """Nothing: the answers exist."""
        return iter(())


def _answer_file(path: Path) -> AnswerFile:
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(file.read_bytes())
    return AnswerFile(f"answers {path.name}", digest.hexdigest()[:32])


def _request(choice: TaskChoice, sample: Sample) -> Request:
    """What the protocol would have asked; the bare question where the data lack what its prompt needs (OCR tokens)."""
    try:
        return choice.task.ask(sample, choice.protocol)
    except DataError:
        return Request(sample.id, sample.question, sample.images)


def _manifest(
    args: argparse.Namespace, choice: TaskChoice, data: Folder | Hub, samples: Sequence[Sample]
) -> dict[str, Any]:
    from vlmbench import manifest

    asked = [(sample, _request(choice, sample)) for sample in samples]
    model = _answer_file(args.predictions)
    words = {"model": model.name, "tasks": [choice.key], "data": data.label, "predictions": str(args.predictions)}
    tasks = {choice.key: manifest.task_entry(choice, asked, {}, data.label)}
    return manifest.build(asked=words, model=model, tasks=tasks, seed=0, data_folder=data.label)


def _write_run(
    folder: Path,
    manifest: dict[str, Any],
    choice: TaskChoice,
    pairs: Sequence[tuple[Sample, Response]],
    scored: Sequence[tuple[Sample, Score]],
    scores: Mapping[str, Any],
) -> None:
    from vlmbench.nouns import Record
    from vlmbench.runner import record_columns
    from vlmbench.store import RunStore, answer_key

    fingerprint = manifest["model"]["fingerprint"]
    records = []
    for (sample, response), (_, score) in zip(pairs, scored, strict=True):
        request = _request(choice, sample)
        task = choice.task
        key = answer_key(
            model=fingerprint,
            settings={},
            task=task.name,
            version=task.version,
            request=request,
            images=(sample.id,),
        )
        records.append(Record(choice.key, sample, request, key, (), response, score))
    with RunStore.open(folder, manifest) as store:
        store.finish(record_columns(records), scores)


def _show(args: argparse.Namespace, manifest: Mapping[str, Any], scores: Mapping[str, Any]) -> None:
    from vlmbench.registry import load_object
    from vlmbench.store import to_json

    if args.json:
        sys.stdout.write(to_json(scores).decode())
        return
    print(load_object("vlmbench.reports.table:text")(manifest, scores))
    for entry in scores.values():
        for note in dict.fromkeys(m["note"] for m in entry.values() if isinstance(m, dict) and "note" in m):
            names = [name for name, m in entry.items() if isinstance(m, dict) and m.get("note") == note]
            print(f"note: {', '.join(names[:4])}{', ...' if len(names) > 4 else ''}: {note}")
    if args.output is not None:
        print(f"run: {args.output}")
