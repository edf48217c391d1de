"""`vlmbench score`: score existing answers in the benchmark's own file format. No model is needed."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base import settings
from vlmbench.base.errors import DataError, UsageError
from vlmbench.base.process import exit_codes, terminal
from vlmbench.base.samples import Request, Response, Sample, Score, Status
from vlmbench.base.task import Judged
from vlmbench.cli.options import judge as judge_options
from vlmbench.data.answers.answer_columns import note_on_targets, refuse_questions
from vlmbench.data.answers.predictions import ReadsByProtocol
from vlmbench.parsing import thinking
from vlmbench.plugins import loading as plugins
from vlmbench.plugins import specs as loading
from vlmbench.runs import opening
from vlmbench.scoring import answer_notes
from vlmbench.scoring import score as scoring
from vlmbench.scoring.verdicts import columns, combine

if TYPE_CHECKING:
    from vlmbench.base.registry import TaskChoice
    from vlmbench.data.files import Folder, Hub
    from vlmbench.scoring.judge import Judge


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which answers to which questions."""
    add = parser.add_argument
    add(
        "task", metavar="TASK[:SPLIT][@PROTOCOL]|RUN", help="see `vlmbench tasks`; or a run's folder, to score it again"
    )
    add(
        "--predictions",
        type=Path,
        metavar="PATH",
        help="for TASK: an answer file, or a folder of them, in the benchmark's format; or rows of id and text",
    )
    add("--data", metavar="sample|hub[:COPIES]|DIR", help="where the questions are (default: the embedded sample)")
    add("--attentions", type=Path, metavar="FILE", help="attention maps, for gqa's grounding")
    add("--output", type=Path, metavar="DIR", help="also write a run's folder, for reports and comparisons")
    add(
        "--min-coverage",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="exit 1 if fewer answers have a score (default 1.0)",
    )
    add(
        "--interval",
        type=float,
        metavar="LEVEL",
        help="confidence level of the intervals (default 0.95; of a run, its own)",
    )
    add(
        "--shrink",
        action="store_true",
        help="beside each bar of a breakdown, also its value drawn towards the mean of the breakdown, for bars of few "
        "questions",
    )
    add("--json", action="store_true", help="print the content of scores.json on stdout, and nothing else")
    add("--labels", type=Path, metavar="FILE", help="of a run: people's grades, in a sheet of `vlmbench judge label`")
    judge_options.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Read, score, show. Exit code 1 when coverage is below --min-coverage."""
    from vlmbench.base import registry
    from vlmbench.data.files import read_samples
    from vlmbench.runs import rescore as rescoring
    from vlmbench.runs.options import check_level

    check_level(args, "interval")
    if args.labels is not None:
        return _with_labels(args)
    if rescoring.is_run(Path(args.task)):
        return _again(args)
    choice = registry.choose_task(args.task)
    if args.predictions is None:
        raise UsageError("which answers?", hint="name them: --predictions PATH; or give a run's folder for TASK")
    if choice.variant.samples > 1:
        problem = f"{choice.key}: an answer file holds one answer to each question"
        raise UsageError(problem, hint=f"leave +samples={choice.variant.samples} out")
    told = settings.load({"data": args.data})
    data = loading.open_data(choice, told)
    samples = read_samples(choice.task, data, choice.split)
    if args.attentions is not None:
        samples = _with_attentions(choice, samples, args.attentions, data)
    with opening.open_judge(judge_options.options(args), [choice], told.cache_folder) as judge:
        pairs, scored = _scored(args, choice, samples, judge)
        manifest = _manifest(args, choice, data, samples, judge)
        verdicts_alone = judge is None and any(score.verdicts for _, score in scored)
        responses = [] if verdicts_alone else [response for _, response in pairs]
        notes = manifest["tasks"][choice.key].setdefault("notes", [])
        notes += note_on_targets({sample.id: response.text for sample, response in pairs}, samples)
        notes += answer_notes.thoughts_in_file([response for _, response in pairs])
        settled = {"level": args.interval, "shrink": args.shrink}
        scores = {choice.key: scoring.summarise(choice, scored, responses=responses, notes=notes, **settled)}
        if judge is not None:
            opening.print_judge_usage(judge)
    if all(score.status is Status.UNLABELED for _, score in scored):
        problem = (scored[0][1].note or "the data have no answers") if scored else "there is nothing to score"
        raise DataError(problem, where=data.label, hint="`vlmbench export` writes what the server takes")
    if args.output is not None:
        _write_run(args.output, manifest, choice, pairs, scored, scores)
    _show(args, manifest, scores)
    return exit_codes.OK if scoring.complete(scores, args.min_coverage) else exit_codes.BAD_RESULT


Pairs = Sequence[tuple[Sample, Response]]


def _scored(
    args: argparse.Namespace, choice: TaskChoice, samples: Sequence[Sample], judge: Judge | None
) -> tuple[Pairs, list[tuple[Sample, Score]]]:
    """Answers and their scores: from verdicts in the file, from a judge, or by the task's own rules."""
    task, protocol = choice.task, choice.protocol
    if opening.is_graded(choice) and isinstance(task, Judged):
        verdicts = task.read_verdicts(args.predictions, samples, protocol)
        if verdicts is not None:
            if judge is not None:
                raise UsageError("the file holds a judge's verdicts", where=str(args.predictions), hint="no --judge")
            found = [(sample, combine(verdicts[sample.id])) for sample in samples]
            return [(sample, Response()) for sample in samples], found
    texts = _texts(args.predictions, choice, samples)
    pairs = [(sample, thinking.apart(Response(texts[sample.id]))) for sample in samples]
    if judge is None:
        scored = scoring.score_responses(task, protocol, pairs)
        if all(score.status is Status.JUDGE_FAILED for _, score in scored):
            raise UsageError(f"{choice.key} is graded by a judge", hint="name one: --judge openai:gpt-4-0613")
        return pairs, scored
    opening.print_judge_estimate(judge, ((choice, *pair) for pair in pairs))
    for pair in pairs:
        judge.submit(choice, *pair)
    judge.finish(progress=sys.stderr.isatty())
    return pairs, [(sample, judge.score(choice, sample, response)) for sample, response in pairs]


def _texts(path: Path, choice: TaskChoice, samples: Sequence[Sample]) -> Mapping[str, str]:
    """The answers of a file, by the task's own reader. Raises PredictionsError when they are the questions."""
    if isinstance(choice.task, ReadsByProtocol):
        texts = choice.task.read_protocol_predictions(path, samples, choice.protocol)
    else:
        texts = choice.task.read_predictions(path, samples)
    refuse_questions(texts, samples, str(path))
    return texts


def _again(args: argparse.Namespace) -> int:
    """Score a run's answers again, and write the scores into its folder or into --output."""
    from vlmbench.runs import rescore as rescoring

    if args.predictions is not None or args.attentions is not None:
        raise UsageError("a run's folder holds its answers", hint="leave --predictions and --attentions out")
    folder = Path(args.task)
    old = rescoring.load(folder, args.data)
    with opening.open_judge(judge_options.options(args), old.choices, settings.load().cache_folder) as judge:
        if judge is not None:
            opening.print_judge_estimate(judge, ((item.choice, item.sample, item.response) for item in old.answers))
        records = rescoring.score(old, judge, progress=sys.stderr.isatty())
        if judge is not None:
            opening.print_judge_usage(judge)
        args.output = args.output or folder
        manifest, scores = rescoring.write(old, records, judge, args.output, args.interval, shrink=args.shrink)
    _show(args, manifest, scores)
    return exit_codes.OK if scoring.complete(scores, args.min_coverage) else exit_codes.BAD_RESULT


def _with_labels(args: argparse.Namespace) -> int:
    """What people's grades and the judge's say together; nothing is written."""
    import json

    from vlmbench.base.registry import load_object
    from vlmbench.compare.labels import estimates, sheet
    from vlmbench.runs import rescore as rescoring
    from vlmbench.runs.storage import reload

    if not rescoring.is_run(Path(args.task)) or args.predictions is not None or args.judge is not None:
        raise UsageError(
            "labels are of a run's answers", hint="vlmbench score RUN --labels FILE, without other answers"
        )
    stored = reload.load(Path(args.task))
    level = args.interval or next(iter(stored.tasks.values())).level
    found = estimates.estimate(stored, sheet.read(args.labels, stored), level)
    if args.json:
        terminal.result(json.dumps({one.task: one.to_json() for one in found}, indent=2))
    else:
        print(load_object("vlmbench.reports.text.labels:text")(found, level))
    return exit_codes.OK


def _with_attentions(choice: TaskChoice, samples: Sequence[Sample], path: Path, data: Folder | Hub) -> Sequence[Sample]:
    attach = getattr(choice.task, "with_attentions", None)
    if attach is None:
        raise UsageError(f"{choice.task.name} has no score for attentions", hint="leave --attentions out")
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
        return choice.build_request(sample)
    except DataError:
        return Request(sample.id, sample.question, sample.images)


def _manifest(
    args: argparse.Namespace,
    choice: TaskChoice,
    data: Folder | Hub,
    samples: Sequence[Sample],
    judge: Judge | None,
) -> dict[str, Any]:
    from vlmbench.data import notes as data_notes
    from vlmbench.runs.evaluation import print_notes
    from vlmbench.runs.storage import manifest

    asked = [(sample, _request(choice, sample)) for sample in samples]
    model = _answer_file(args.predictions)
    words: dict[str, Any] = {
        "model": model.name,
        "tasks": [choice.key],
        "data": data.label,
        "predictions": str(args.predictions),
    }
    words |= plugins.asked([choice.task.name])
    told = data_notes.notes(choice.task, choice.split, samples, data.label)
    tasks = {choice.key: manifest.task_entry(choice, asked, {}, data.label, judge, notes=told)}
    print_notes(tasks)
    made = manifest.build(request=words, model=model, tasks=tasks, seed=0, data_folder=data.label)
    return made | ({"judge": judge.facts()} if judge is not None else {})


def _write_run(
    folder: Path,
    manifest: dict[str, Any],
    choice: TaskChoice,
    pairs: Sequence[tuple[Sample, Response]],
    scored: Sequence[tuple[Sample, Score]],
    scores: Mapping[str, Any],
) -> None:
    from vlmbench.base.samples import Record
    from vlmbench.runs.execution import record_columns
    from vlmbench.runs.storage.store import RunStore, answer_key

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
        store.finish(record_columns.writer(records), scores, columns(records))


def _show(args: argparse.Namespace, manifest: Mapping[str, Any], scores: Mapping[str, Any]) -> None:
    from vlmbench.base.registry import load_object
    from vlmbench.runs.storage.run_files import to_json

    if args.json:
        terminal.result(to_json(scores).decode())
        return
    print(load_object("vlmbench.reports.text.table:text")(manifest, scores))
    for entry in scores.values():
        told = entry[entry["headline"]].get("note")  # in the table already
        found = dict.fromkeys(m["note"] for m in entry.values() if isinstance(m, dict) and "note" in m)
        for note in (note for note in found if note != told):
            names = [name for name, m in entry.items() if isinstance(m, dict) and m.get("note") == note]
            print(f"note: {', '.join(names[:4])}{', ...' if len(names) > 4 else ''}: {note}")
    judge_options.print_agreement(scores)
    if args.output is not None:
        print(f"run: {args.output}")
