"""`vlmbench export`: write a run's answers in the format of a test server or official script."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base import settings
from vlmbench.base.errors import StoreError, UnknownNameError, UsageError
from vlmbench.base.process import exit_codes
from vlmbench.base.samples import Response, Sample, Status
from vlmbench.base.task import Exports
from vlmbench.data.answers.predictions import Lossy, named
from vlmbench.plugins import specs as loading
from vlmbench.runs.storage import remote_store
from vlmbench.scoring.draws import split_id

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which answers, in which form, to where."""
    add = parser.add_argument
    add("run", type=remote_store.fetch_run, metavar="RUN", help="folder of a finished run")
    add("--task", metavar="NAME[:SPLIT][@PROTOCOL]", help="which of its tasks (required if it has several)")
    add("--format", metavar="NAME", help="which of the task's formats (default: its first, or that of --output)")
    add("--output", type=Path, metavar="PATH", help="file or folder to write (default: RUN/export/TASK)")
    add("--draw", type=int, metavar="K", help="which answer to each question, from 1, of a run with --samples")
    add("--data", metavar="sample|hub|DIR", help="where the questions are (default: as in the run)")


def run(args: argparse.Namespace) -> int:
    """Write the answers, say where they are and what is left out."""
    from vlmbench.runs.storage.run_files import read_finished

    manifest, scores = read_finished(args.run)
    if perturbation := manifest.get("asked", {}).get("perturb"):
        what = f"the answers were given under a perturbation ({perturbation}), not to the benchmark's own questions"
        raise UsageError(what, where=str(args.run), hint="export the run as it is; records.parquet holds these answers")
    key = _task(args, manifest)
    entry = _entry(args.run, manifest, key)
    choice = _choice(key, entry)
    draw = _draw(args, choice)
    if not isinstance(choice.task, Exports):
        raise UsageError(f"{choice.task.name} has no format to export to", hint="records.parquet holds the answers")
    path = _path(args, key if draw is None else f"{key}-draw{draw + 1}", choice.task)
    answers = _answers(args.run, manifest, scores, key)
    if draw is not None:
        answers = {own: text for (own, at), text in ((split_id(i), t) for i, t in answers.items()) if at == draw}
    samples = _samples(args, choice, entry)
    asked = [sample for sample in samples if sample.id in answers]
    if len(asked) != len(answers):
        raise StoreError("the run asked other questions", where=entry["data"], hint="name its data: --data DIR")
    if failed := [sample.id for sample in asked if answers[sample.id] is None]:
        what = f"{len(failed)} of {len(asked)} questions have no answer: {named(failed)}"
        raise UsageError(what, where=str(args.run), hint="run the same command again: it asks them once more")
    texts = {key: text for key, text in answers.items() if text is not None}
    choice.task.export(texts, asked, choice.protocol, path)
    _tell_loss(choice, asked, texts, path)
    if len(asked) < len(samples):
        print(f"vlmbench: the run asked {len(asked)} of {len(samples)} questions: servers want all", file=sys.stderr)
    print(f"{key}: {len(asked)} answers: {path}")
    return exit_codes.OK


def _tell_loss(choice: TaskChoice, asked: Sequence[Sample], texts: Mapping[str, str], path: Path) -> None:
    """Say on stderr how many answers the format cannot hold as what they are: not read."""
    task = choice.task
    if not isinstance(task, Lossy) or path.suffix not in task.lossy:
        return
    scores = [task.score(sample, Response(texts[sample.id]), choice.protocol) for sample in asked]
    if unread := sum(
        bool(score.status is Status.UNPARSED or score.unread or not score.parsed_answer) for score in scores
    ):
        print(f"vlmbench: {unread} of {len(asked)} answers: {task.lossy[path.suffix]}", file=sys.stderr)


def _task(args: argparse.Namespace, manifest: Mapping[str, Any]) -> str:
    keys = list(manifest.get("tasks", {}))
    if not keys:
        raise StoreError("the run has no task", where=str(args.run), hint="name another run")
    if args.task is None and len(keys) > 1:
        raise UsageError(f"the run has {len(keys)} tasks", hint=f"name one: --task {' or '.join(keys)}")
    if args.task is not None and args.task not in keys:
        raise UnknownNameError("task of this run", args.task, keys)
    return str(args.task or keys[0])


def _entry(folder: Path, manifest: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """What run.json says of the task. Raises StoreError where it lacks what an export needs."""
    entry: Mapping[str, Any] = manifest["tasks"][key]
    if lacking := [name for name in ("name", "split", "protocol", "data", "samples", "hashes") if name not in entry]:
        what = f"field 'tasks.{key}.{lacking[0]}': it is missing"
        raise StoreError(what, where=str(folder / "run.json"), hint="restore the file")
    return entry


def _choice(key: str, entry: Mapping[str, Any]) -> TaskChoice:
    from vlmbench.base.registry import choose_task
    from vlmbench.base.variant import split_key

    _, variant = split_key(key)
    plus = "+" if variant else ""
    return choose_task(f"{entry['name']}:{entry['split']}@{entry['protocol']}{plus}{variant}")


def _draw(args: argparse.Namespace, choice: TaskChoice) -> int | None:
    """Which draw is written, from 0; None where there is one answer to each question. Raises UsageError."""
    count = choice.variant.samples
    if count == 1 and args.draw is None:
        return None
    if count == 1:
        raise UsageError(f"{choice.key} has one answer to each question", where=str(args.run), hint="leave --draw out")
    if args.draw is None or not 1 <= args.draw <= count:
        hint = f"name one of them: --draw 1 to --draw {count}"
        raise UsageError(f"{choice.key} has {count} answers to each question", where=str(args.run), hint=hint)
    return int(args.draw) - 1


def _path(args: argparse.Namespace, name_of_file: str, task: Exports) -> Path:
    """Where to write. Raises UsageError when --format and --output contradict each other."""
    name = args.format
    if name is not None and name not in task.formats:
        raise UnknownNameError("format of this task", name, task.formats)
    if args.output is not None and name is None:
        name = next((one for one, suffix in task.formats.items() if suffix == args.output.suffix), None)
    name = name or next(iter(task.formats))
    suffix = task.formats[name]
    if args.output is None:
        safe = "".join(letter if letter.isalnum() or letter in "-_.@+" else "_" for letter in name_of_file)
        return Path(args.run) / "export" / f"{safe}{suffix}"
    if suffix and args.output.suffix != suffix:
        told = ", ".join(f"{one} ({ending or 'a folder'})" for one, ending in task.formats.items())
        raise UsageError(f"--output {args.output} does not end in {suffix}", hint=f"the formats are: {told}")
    return Path(args.output)


def _answers(folder: Path, manifest: Mapping[str, Any], scores: Mapping[str, Any], key: str) -> dict[str, str | None]:
    """Sample id to answer; None for a question that failed.

    The answer is the text; of ranked choices, what they were read as: a choice, its letter, a probability.
    """
    import pyarrow.compute as pc

    from vlmbench.runs.storage import run_tables
    from vlmbench.runs.storage.layout import RECORDS

    columns = ("task", "sample_id", "text", "finish", "parsed_answer", "choice_scores")
    expected = run_tables.expected_rows({key: scores[key]} if key in scores else {})
    table = run_tables.read(folder, RECORDS, manifest, columns, rows=expected)
    rows = table.filter(pc.equal(table["task"], key))
    return {row["sample_id"]: None if row["finish"] == "error" else _answer(row) for row in rows.to_pylist()}


def _answer(row: Mapping[str, Any]) -> str:
    """The text; for ranked choices, what they were parsed as."""
    return str(row["text"] if row["choice_scores"] == "[]" else row["parsed_answer"])


def _samples(args: argparse.Namespace, choice: TaskChoice, entry: Mapping[str, Any]) -> Sequence[Sample]:
    """The questions as the run had them. Raises StoreError when the data are not those of the run."""
    from vlmbench.data.files import read_samples
    from vlmbench.runs.storage.manifest import hash_of

    data = loading.open_data(choice, settings.load({"data": args.data or entry["data"]}))
    samples = read_samples(choice.task, data, choice.split)
    if len(samples) == entry["samples"]:
        now = hash_of([[s.id, s.question, s.target, s.choices] for s in samples])
        if now != entry["hashes"].get("samples"):
            raise StoreError("the run asked other questions", where=data.label, hint="name its data: --data DIR")
    return samples
