"""`vlmbench run`: put a benchmark's questions to a model and score the answers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base import exit_codes, settings, terminal
from vlmbench.base import paths as places
from vlmbench.base import signals as ending
from vlmbench.base.errors import UsageError
from vlmbench.cli import main as cli
from vlmbench.cli.options import (
    judge as judging,
)
from vlmbench.cli.options import (
    model as model_options,
)
from vlmbench.cli.options import (
    perturb as ablating,
)
from vlmbench.cli.options import (
    verify as verifying,
)
from vlmbench.cli.options import (
    workers as worker_options,
)
from vlmbench.plugins import loading as plugins
from vlmbench.plugins import specs as loading

if TYPE_CHECKING:
    from vlmbench.base.model import Model
    from vlmbench.base.registry import TaskChoice
    from vlmbench.perturbations.perturbations import Change
    from vlmbench.runs.runner import Outcome, Plan
    from vlmbench.scoring.judge import Judge

LONGEST_NAME = 180
"""Bytes of a run's default folder name before its hash."""


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
    ablating.add_arguments(parser)
    model_options.add_settings(parser)
    add("--seed", type=int, default=0, help="for --limit, sampling and --ablate (default 0)")
    add(
        "--min-coverage",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="exit 1 when fewer samples have a score (default 1.0)",
    )
    add(
        "--json",
        action="store_true",
        help="print on stdout what scores.json (with --ablate: ablations.json) holds, and nothing else",
    )
    judging.add_arguments(parser)
    verifying.add_arguments(parser)
    worker_options.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Carry it out, show it. Exit code 1 for a coverage below --min-coverage, or grades that make no total."""
    from vlmbench.scoring import score as scoring

    try:
        made = carry_out(args)
    except KeyboardInterrupt as stop:  # what is kept has been said
        return ending.code_of(stop)
    if not (args.json and made.changes):
        _show(args, made.plain)
    for outcome in made.outcomes:
        _tell_lacking(args, outcome)
    if made.changes:
        ablating.show(made.plain.folder, made.changes, made.left_out, json=args.json)
    whole = all(scoring.complete(one.scores, args.min_coverage) for one in made.outcomes)
    return exit_codes.OK if whole else exit_codes.BAD_RESULT


@dataclass(frozen=True)
class Made:
    """What one command made: the run, and the same under each change."""

    outcomes: Sequence[Outcome]
    changes: Sequence[Change]
    left_out: Mapping[str, Mapping[str, Mapping[str, int]]]
    """By change and task: how many samples it says nothing about, by reason."""

    @property
    def plain(self) -> Outcome:
        """The run under no change."""
        return self.outcomes[0]


def carry_out(args: argparse.Namespace) -> Made:
    """Plan, ask, score, store; then the same under each change: what `vlmbench run` and `vlmbench.evaluate` share."""
    from vlmbench.base import registry
    from vlmbench.compare import perturbed as ablated
    from vlmbench.perturbations import perturbations as ablations

    if args.limit is not None and args.limit < 1:
        raise UsageError(f"--limit {args.limit} leaves nothing to ask", hint="give a number above 0")
    changes = ablations.parse(args.ablate, args.seed)
    chosen = registry.choose_tasks(args.tasks)
    told = settings.load({"data": args.data})
    data = {choice.key: loading.open_data(choice, told) for choice in chosen}
    left_out: dict[str, Mapping[str, Mapping[str, int]]] = {}
    with judging.opened(args, chosen, told) as judge, worker_options.opened(args) as model:
        sitting = _Sitting(args, chosen, data, model, told, judge)
        try:
            asked = sitting.plan("")
            for key, entry in asked.tasks.items():
                cli.tell_notes(key, entry.get("notes", ()))
            sitting.checked = verifying.verified(args, asked, model)
            outcomes = [sitting.outcome(asked)]
            for change in changes:
                plan = sitting.plan(change.label)
                left_out[change.label] = plan.left_out
                if plan.choices:
                    folder = ablated.folder_of(outcomes[0].folder, change)
                    outcomes.append(sitting.outcome(plan, change.label, folder))
        except KeyboardInterrupt:
            kept = f": the answers so far are in {sitting.folder}; the same command goes on from there"
            print(f"\ninterrupted{kept if sitting.folder else ' before the first answer'}", file=sys.stderr)
            raise
        judging.tell(judge)
        model_options.tell(model)
    return Made(outcomes, changes, left_out)


@dataclass
class _Sitting:
    """What the runs of one command share: the questions' data, a loaded model, a judge."""

    args: argparse.Namespace
    chosen: Sequence[TaskChoice]
    data: Mapping[str, Any]
    model: Model
    told: settings.Settings
    judge: Judge | None
    folder: Path | None = None
    """The run that is being made."""
    checked: Mapping[str, Any] = field(default_factory=dict)
    """What --verify-backend found, for the manifest."""

    def plan(self, ablation: str) -> Plan:
        """What is asked under a change, or (empty) as it is."""
        from vlmbench.runs import runner

        options = {"limit": self.args.limit, "ablation": ablation, "seed": self.args.seed, "judge": self.judge}
        return runner.plan(self.chosen, self.data, self.model, **options)

    def outcome(self, plan: Plan, ablation: str = "", folder: Path | None = None) -> Outcome:
        """Ask and score one run; without a folder it is the one that the command names."""
        from vlmbench.runs import manifest, runner
        from vlmbench.runs.storage.store import RunStore

        asked = self._asked(plan, ablation)
        self.folder = folder or self.args.output or self.told.runs_folder / _name(self.model, plan, asked)
        if self.judge is not None:
            self.judge.next_run()
            choices = {choice.key: choice for choice in plan.choices}
            judging.announce(self.judge, ((choices[item.task], item.sample, None) for item in plan.asked))
        content = manifest.build(
            asked=asked, model=self.model, tasks=plan.tasks, seed=self.args.seed, data_folder=self.told.data
        )
        if plan.left_out:
            content["left_out"] = plan.left_out
        with RunStore.open(self.folder, {**content, **self.checked}) as store:
            return runner.execute(plan, self.model, store, progress=sys.stderr.isatty(), judge=self.judge)

    def _asked(self, plan: Plan, ablation: str) -> dict[str, Any]:
        return {
            "model": self.args.model,
            "settings": dict(self.model.settings),
            "tasks": [choice.key for choice in plan.choices],
            "data": self.told.data,
            "limit": self.args.limit,
            "ablate": ablation,
            "seed": self.args.seed,
            **plugins.asked((choice.task.name for choice in plan.choices), loading.parse_model(self.args.model).name),
        }


def _name(model: Model, plan: Plan, asked: Mapping[str, Any]) -> str:
    """Of a run's folder: the same for the same command, whatever it ablates."""
    from vlmbench.runs import manifest

    name = "-".join([model.name, *(choice.key for choice in plan.choices)])
    safe = "".join(letter if letter.isalnum() or letter in "-_.@" else "_" for letter in name)
    short = safe.encode()[:LONGEST_NAME].decode(errors="ignore")  # file systems take 255 bytes
    return f"{short}-{manifest.hash_of(asked)[:8]}"


def _show(args: argparse.Namespace, outcome: Outcome) -> None:
    from vlmbench.base.registry import load_object
    from vlmbench.runs.storage.run_files import read_manifest, to_json

    if args.json:
        terminal.result(to_json(outcome.scores).decode())
    else:
        print(load_object("vlmbench.reports.text.table:text")(read_manifest(outcome.folder), outcome.scores))
        if outcome.reused:
            print(f"{outcome.reused} of {len(outcome.records)} answers were taken from an earlier sitting of this run")
        judging.tell_spread(outcome.scores)
        print(f"run: {outcome.folder}")


def _tell_lacking(args: argparse.Namespace, outcome: Outcome) -> None:
    """Say on stderr what has no score, and why."""
    from vlmbench.base.registry import load_object

    for key, task in outcome.scores.items():
        if "unlabeled" in task["statuses"]:
            note = task[task["headline"]].get("note", "")
            print(f"vlmbench: {key}: {terminal.clean(note)}; `vlmbench export` writes what it takes", file=sys.stderr)
        if task["coverage"] < args.min_coverage:
            share = load_object("vlmbench.reports.text.table:coverage")(task["coverage"])
            print(f"vlmbench: {key}: only {share} of the samples have a score", file=sys.stderr)
            for line in _reasons(outcome, key):
                print(f"  {line}", file=sys.stderr)
            if task["statuses"].get("judge_failed") and args.judge is None:
                again = f"`vlmbench score {outcome.folder} --judge openai:gpt-4-0613`"
                print(f"vlmbench: {key}: no judge was named; {again} grades these answers", file=sys.stderr)


def _reasons(outcome: Outcome, key: str, most: int = 5) -> list[str]:
    """Why samples of a task have no score: the commonest reasons, each with a sample."""
    found: dict[str, list[str]] = {}
    for record in outcome.records:
        if record.task == key and record.score.status not in ("ok", "unlabeled"):
            note = record.score.note.partition("\n")[0] or "no reason given"
            found.setdefault(f"{record.score.status}: {note}", []).append(record.sample.id)
    ranked = sorted(found.items(), key=lambda item: -len(item[1]))
    lines = [f"{len(ids)} x {terminal.clean(f'{reason} (sample {ids[0]})')}" for reason, ids in ranked[:most]]
    rest = sum(len(ids) for _, ids in ranked[most:])
    return [*lines, f"{rest} more: see records.parquet"] if rest else lines
