"""`vlmbench run`: put a benchmark's questions to a model and score the answers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench import cli, loading, places, settings
from vlmbench.errors import UsageError
from vlmbench.verbs import judging, model_options, worker_options

if TYPE_CHECKING:
    from vlmbench.judge import Judge
    from vlmbench.nouns import Model
    from vlmbench.registry import TaskChoice
    from vlmbench.runner import Outcome, Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the main job."""
    add = parser.add_argument
    model_options.add_model(parser)
    add("--tasks", required=True, metavar="NAME[:SPLIT][@PROTOCOL],...", help="see `vlmbench tasks`")
    add(
        "--data",
        metavar="sample|hub[:COPIES]|DIR|URL",
        help="embedded sample (default), Hugging Face hub or a folder with copies of its datasets, or official files",
    )
    add("--limit", type=int, metavar="N", help="at most N questions a task: whole images in a seeded order")
    add(
        "--output",
        type=places.path,
        metavar="DIR|URL",
        help="the run's folder (default: runs/..., the same for the same command)",
    )
    add("--ablate", default="", metavar="CHANGE", help="ask about changed pictures, e.g. blind")
    model_options.add_settings(parser)
    add("--seed", type=int, default=0, help="for --limit and sampling (default 0)")
    add(
        "--min-coverage",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="exit 1 when fewer samples have a score (default 1.0)",
    )
    add("--json", action="store_true", help="print on stdout what scores.json holds, and nothing else")
    judging.add_arguments(parser)
    worker_options.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Plan, ask, score, report. Exit code 1 when a task's coverage is below --min-coverage."""
    from vlmbench import registry

    if args.limit is not None and args.limit < 1:
        raise UsageError(f"--limit {args.limit} leaves nothing to ask", cure="give a number above 0")
    chosen = registry.choose_tasks(args.tasks)
    told = settings.load({"data": args.data})
    data = {choice.key: loading.open_data(choice, told) for choice in chosen}
    with judging.opened(args, chosen, told) as judge, worker_options.opened(args) as model:
        plan, folder = _plan(args, chosen, data, model, told, judge)
        choices = {choice.key: choice for choice in chosen}
        judging.announce(judge, ((choices[item.task], item.sample, None) for item in plan.asked))
        try:
            outcome = _execute(args, plan, folder, model, told, judge)
        except KeyboardInterrupt:
            where = f"\ninterrupted: the answers so far are in {folder}; the same command goes on from there"
            print(where, file=sys.stderr)
            return cli.INTERRUPTED
        judging.tell(judge)
    _show(args, outcome)
    return cli.OK if outcome.coverage >= args.min_coverage else cli.BAD_RESULT


def _asked(
    args: argparse.Namespace, chosen: Sequence[TaskChoice], model: Model, told: settings.Settings
) -> dict[str, Any]:
    return {
        "model": args.model,
        "settings": dict(model.settings),
        "tasks": [choice.key for choice in chosen],
        "data": told.data,
        "limit": args.limit,
        "ablate": args.ablate,
        "seed": args.seed,
    }


def _plan(
    args: argparse.Namespace,
    chosen: Sequence[TaskChoice],
    data: dict[str, Any],
    model: Model,
    told: settings.Settings,
    judge: Judge | None,
) -> tuple[Plan, Path]:
    from vlmbench import manifest, runner

    plan = runner.plan(chosen, data, model, limit=args.limit, ablation=args.ablate, seed=args.seed, judge=judge)
    asked = _asked(args, chosen, model, told)
    name = "-".join([model.name, *(c.key for c in chosen), manifest.hash_of(asked)[:8]])
    safe = "".join(letter if letter.isalnum() or letter in "-_.@" else "_" for letter in name)
    return plan, args.output or told.runs_folder / safe


def _execute(
    args: argparse.Namespace, plan: Plan, folder: Path, model: Model, told: settings.Settings, judge: Judge | None
) -> Outcome:
    from vlmbench import manifest, runner
    from vlmbench.store import RunStore

    content = manifest.build(
        asked=_asked(args, plan.choices, model, told),
        model=model,
        tasks=plan.tasks,
        seed=args.seed,
        data_folder=told.data,
    )
    with RunStore.open(folder, content) as store:
        return runner.execute(plan, model, store, progress=sys.stderr.isatty(), judge=judge)


def _show(args: argparse.Namespace, outcome: Outcome) -> None:
    from vlmbench.registry import load_object
    from vlmbench.store import read_manifest, to_json

    if args.json:
        sys.stdout.write(to_json(outcome.scores).decode())
    else:
        print(load_object("vlmbench.reports.table:text")(read_manifest(outcome.folder), outcome.scores))
        if outcome.reused:
            print(f"{outcome.reused} of {len(outcome.records)} answers were taken from an earlier sitting of this run")
        judging.tell_spread(outcome.scores)
        print(f"run: {outcome.folder}")
    for key, task in outcome.scores.items():
        if "withheld" in task["statuses"]:
            note = task[task["headline"]].get("note", "")
            print(f"vlmbench: {key}: {note}; `vlmbench export` writes what it takes", file=sys.stderr)
        if task["coverage"] < args.min_coverage:
            print(f"vlmbench: {key}: only {task['coverage']:.1%} of the samples have a score", file=sys.stderr)
            for line in _reasons(outcome, key):
                print(f"  {line}", file=sys.stderr)
            if task["statuses"].get("judge_failed") and args.judge is None:
                again = f"`vlmbench score {outcome.folder} --judge openai:gpt-4-0613`"
                print(f"vlmbench: {key}: no judge was named; {again} grades these answers", file=sys.stderr)


def _reasons(outcome: Outcome, key: str, most: int = 5) -> list[str]:
    """Why samples of a task have no score: the commonest reasons, each with a sample."""
    found: dict[str, list[str]] = {}
    for record in outcome.records:
        if record.task == key and record.score.status not in ("ok", "withheld"):
            note = record.score.note.partition("\n")[0] or "no reason given"
            found.setdefault(f"{record.score.status}: {note}", []).append(record.sample.id)
    ranked = sorted(found.items(), key=lambda item: -len(item[1]))
    lines = [f"{len(ids)} x {reason} (sample {ids[0]})" for reason, ids in ranked[:most]]
    rest = sum(len(ids) for _, ids in ranked[most:])
    return [*lines, f"{rest} more: see records.parquet"] if rest else lines
