"""`vlmbench run`: run a model on benchmarks and score its answers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vlmbench.base import paths
from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes, signals, terminal
from vlmbench.cli.options import Group, generation, judge, model
from vlmbench.cli.options import gate as gate_options
from vlmbench.runs.options import RunOptions, VerifyOptions, WorkerOptions
from vlmbench.runs.storage import remote_store

if TYPE_CHECKING:
    from vlmbench.compare.early.early_gate import EarlyGate
    from vlmbench.integrations.loggers import Target
    from vlmbench.runs.evaluation import Evaluated
    from vlmbench.runs.execution.runner import Outcome

PERTURBATIONS = (
    "blind, noise, blur, jpeg, crop, rotate, shuffle-image, option-order, paraphrase-suffix, "
    "typographic, typographic-control, language, pgd"
)
"""For the help text, so that a run without perturbations imports none of their code; a test holds them equal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the main job."""
    questions = parser.add_argument_group("what is asked")
    add = questions.add_argument
    model.add_model(questions, required=False)
    add(
        "--tasks",
        default="",
        metavar="NAME[:SPLIT][@PROTOCOL],...",
        help="see `vlmbench tasks`; `suite:NAME` stands for the members of a suite, see `vlmbench suites`",
    )
    add("--suite", type=Path, metavar="FILE", help="tasks, settings and an average in YAML (docs/evaluate/suites.md)")
    add(
        "--data",
        metavar="sample|hub[:COPIES]|DIR|URL",
        help="embedded sample (default), Hugging Face hub or a folder with copies of its datasets, or official files",
    )
    add(
        "--limit",
        type=_limit,
        metavar="N|SHARE",
        help="at most N questions per task, or a share of each such as 0.1: whole images in a seeded order; "
        "equally many per category where the score is a sum over categories",
    )
    add("--ids", type=paths.path, metavar="FILE", help="ask the questions with these ids, one per line")
    add("--seed", type=int, default=0, help="for --limit, sampling and --perturb (default 0)")
    add(
        "--perturb",
        default="",
        metavar="NAME[:SEVERITY],...",
        help=f"run again under perturbations and report paired differences: {PERTURBATIONS} "
        "(docs/evaluate/perturbations.md); each is a run in RUN/perturbations",
    )
    model.add_settings(parser.add_argument_group("how the model computes"))
    generation.add_arguments(parser)
    judge.add_arguments(parser.add_argument_group("the judge of open answers"))
    _add_output(parser.add_argument_group("what is written and printed"))
    _add_gate(parser.add_argument_group("a gate that ends the run (docs/evaluate/gate.md)"))
    _add_verification(parser.add_argument_group("a second model as a check"))
    _add_workers(parser.add_argument_group("several processes or machines", "docs/scale.md"))


def _add_output(group: Group) -> None:
    add = group.add_argument
    add(
        "--output",
        type=paths.path,
        metavar="DIR|URL",
        help="the run's folder (default: runs/..., the same for the same command)",
    )
    add(
        "--min-coverage",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="exit 1 if fewer samples have a score (default 1.0)",
    )
    add("--interval", type=float, metavar="LEVEL", help="confidence level of the intervals (default 0.95)")
    add("--json", action="store_true", help="print the content of scores.json on stdout, and nothing else")
    add(
        "--log-to",
        action="append",
        default=[],
        metavar="SERVICE[:name=value],...",
        help="send the scores to wandb, mlflow, trackio, tensorboard, or a model card (hub-card=README.md); "
        "options: project=, name= (docs/training/loops.md)",
    )


def _limit(text: str) -> int | float:
    """A number of questions, or a share of them."""
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        problem = f"a number of questions or a share such as 0.1 was expected, not {text!r:.40}"
        raise argparse.ArgumentTypeError(problem) from None


def _add_gate(group: Group) -> None:
    group.add_argument(
        "--gate",
        type=remote_store.fetch_run_or_file,
        metavar="RUN|FILE",
        help="check against this run or baseline while asking, and stop as soon as every verdict is certain; "
        "exit codes and the options below are those of `vlmbench check`",
    )
    gate_options.add_arguments(group)


def _add_verification(group: Group) -> None:
    add = group.add_argument
    add(
        "--verify-backend",
        type=int,
        metavar="N",
        help="first compare with another model on N questions; refused if too many answers differ",
    )
    add("--verify-against", metavar="MODEL", help="the other model (default: hf with the same weights, if known)")


def _add_workers(group: Group) -> None:
    """The options of docs/scale.md."""
    add = group.add_argument
    add("--workers", type=int, metavar="N", help="N replicas of the model, each in its own process (needs Ray)")
    add("--ray", metavar="ADDRESS", help="distribute the workers over a running Ray cluster: auto, or HOST:PORT")
    add(
        "--worker-timeout",
        type=float,
        metavar="SECONDS",
        help="replace a worker after this time without an answer (default 900)",
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate and print. Exit code 1 for a coverage below --min-coverage, or grades that make no total; with --gate,
    those of `vlmbench check`."""
    from vlmbench.runs.evaluation import evaluate
    from vlmbench.scoring.score import complete

    asked = options(with_suite_file(args))
    gate = _gate(args)
    targets = _targets(args)
    try:
        result = evaluate(asked, gate)
    except KeyboardInterrupt as stop:  # what is kept has been printed
        return signals.code_of(stop)
    _print_scores(result.unperturbed, json=args.json)
    if targets:
        from vlmbench.integrations.loggers import log_run

        log_run(remote_store.fetch_run(str(result.unperturbed.folder)), targets, name=result.unperturbed.folder.name)
    if gate is not None:
        return _report_gate(args, gate, result.unperturbed)
    for outcome in result.outcomes:
        _print_missing(outcome, args.min_coverage, judged=args.judge is not None)
    if result.perturbations:
        _report_perturbations(result, quiet=args.json)
    whole = all(complete(outcome.scores, args.min_coverage) for outcome in result.outcomes)
    return exit_codes.OK if whole else exit_codes.BAD_RESULT


def _gate(args: argparse.Namespace) -> EarlyGate | None:
    """The gate that may end the run, if one was named. Raises UsageError and StoreError."""
    if args.gate is None:
        if given := gate_options.named(args):
            raise UsageError(f"{', '.join(given)}: for a gate alone", hint="name the baseline: --gate RUN|FILE")
        return None
    from vlmbench.compare.early.early_gate import EarlyGate, refuse_perturbed

    refuse_perturbed(args.perturb)
    return EarlyGate(args.gate, gate_options.rules(args), args.seed, args.anchor)


def _targets(args: argparse.Namespace) -> list[Target]:
    """Where the scores go. Raises UsageError, before anything is asked, for services that are not there."""
    if not args.log_to:
        return []
    from vlmbench.integrations.loggers import parse

    return parse(args.log_to)


def _report_gate(args: argparse.Namespace, gate: EarlyGate, outcome: Outcome) -> int:
    """The gate's report of the finished run, its files and its exit code."""
    from vlmbench.base.registry import load_object

    report = gate.keep(outcome.folder)
    gate_options.write(args, report)
    if not args.json:
        print(f"\n{load_object('vlmbench.reports.text.gate:text')(report)}")
    return gate_options.CODES[report.outcome]


def with_suite_file(args: argparse.Namespace) -> argparse.Namespace:
    """The options with those of --suite where the command line says nothing; `suite` is then the file, read.

    Raises UsageError where the file is wrong, and without a model or tasks.
    """
    if args.suite is not None:
        from vlmbench.scoring.suites import suite_file

        args.suite = suite_file.read(args.suite, suite_file.names_set(vars(args)))
        for name, value in args.suite.options.items():
            setattr(args, name, value)
    if args.model is None:
        raise UsageError("which model?", hint="name one: --model NAME; `vlmbench models` lists them")
    if args.suite is None and not args.tasks:
        raise UsageError("which tasks?", hint="name some: --tasks NAME,...; `vlmbench tasks` lists them")
    return args


def options(args: argparse.Namespace) -> RunOptions:
    """The command's options as the evaluation takes them. Raises UsageError."""
    return RunOptions(
        model.options(args),
        args.tasks,
        data=args.data,
        limit=args.limit,
        ids=args.ids,
        output=args.output,
        perturb=args.perturb,
        seed=args.seed,
        judge=judge.options(args),
        verify=VerifyOptions(args.verify_backend, args.verify_against),
        workers=WorkerOptions(args.workers, args.ray, args.worker_timeout),
        plugins=args.plugins,
        interval=args.interval,
        variant=generation.options(args),
        suite=args.suite,
    )


def _print_scores(outcome: Outcome, *, json: bool) -> None:
    from vlmbench.base.registry import load_object
    from vlmbench.runs.storage.run_files import to_json

    if json:
        terminal.result(to_json(outcome.scores).decode())
        return
    print(load_object("vlmbench.reports.text.table:text")(outcome.manifest, outcome.scores))
    if outcome.reused:
        print(f"{outcome.reused} of {len(outcome.records)} answers were taken from the run so far")
    judge.print_agreement(outcome.scores)
    print(f"run: {outcome.folder}")


def _report_perturbations(result: Evaluated, *, quiet: bool) -> None:
    """Compare the perturbed runs with the unperturbed one, write perturbations.json, print the table unless `quiet`."""
    from vlmbench.base.registry import load_object
    from vlmbench.compare.groups import perturbation_report
    from vlmbench.runs.storage import layout

    folder = result.unperturbed.folder
    found = perturbation_report.build(folder, result.perturbations, result.skipped)
    perturbation_report.write(found, folder)
    if not quiet:
        table = load_object("vlmbench.reports.text.perturbations:text")(found)
        print(f"\n{table}\nperturbations: {folder / layout.PERTURBATIONS}")


def _print_missing(outcome: Outcome, min_coverage: float, *, judged: bool) -> None:
    """Print on stderr what has no score, and why."""
    from vlmbench.base.registry import is_suite, load_object

    for key, task in outcome.scores.items():
        if unlabeled := task["statuses"].get("unlabeled"):
            note = task[task["headline"]].get("note", "")
            total = sum(task["statuses"].values())
            part = f"{unlabeled:,} of {total:,} questions have no score: " if unlabeled < total else ""
            terminal.warn(f"{key}: {part}{terminal.clean(note)}; `vlmbench export` writes what it takes")
        if task["coverage"] >= min_coverage or is_suite(key):  # its members are told of themselves
            continue
        share = load_object("vlmbench.reports.text.table:coverage")(task["coverage"])
        lines = [f"{key}: only {share} of the samples have a score", *_reasons(outcome, key)]
        terminal.warn("\n  ".join(lines))
        if task["statuses"].get("judge_failed") and not judged:
            again = f"`vlmbench score {outcome.folder} --judge openai:gpt-4-0613`"
            terminal.warn(f"{key}: no judge was named; {again} grades these answers")


def _reasons(outcome: Outcome, key: str, most: int = 5) -> list[str]:
    """Why samples of a task have no score: the most frequent reasons, each with a sample."""
    found: dict[str, list[str]] = {}
    for record in outcome.records:
        if record.task == key and record.score.status not in ("ok", "unlabeled"):
            note = record.score.note.partition("\n")[0] or "no reason given"
            found.setdefault(f"{record.score.status}: {note}", []).append(record.sample.id)
    ranked = sorted(found.items(), key=lambda item: -len(item[1]))
    lines = [f"{len(ids)} x {terminal.clean(f'{reason} (sample {ids[0]})')}" for reason, ids in ranked[:most]]
    rest = sum(len(ids) for _, ids in ranked[most:])
    return [*lines, f"{rest} more: see records.parquet"] if rest else lines
