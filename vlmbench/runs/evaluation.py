"""One evaluation: a model's answers to the questions of some tasks, scored and stored, and again under perturbations.

`vlmbench run` and `vlmbench.evaluate` both build RunOptions and call `evaluate`. The walk:

    options -> choose tasks -> read their samples -> open judge and model -> plan the requests (planning.plan)
            -> open the run's folder (RunStore) -> ask and score (runner.execute) -> the same for each perturbation
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base import registry, settings
from vlmbench.base.process import garbage, progress, terminal
from vlmbench.data.files import read_samples
from vlmbench.plugins import loading as plugins
from vlmbench.plugins import specs
from vlmbench.runs import opening
from vlmbench.runs.execution import few_shot, planning, runner, selection
from vlmbench.runs.storage import manifest
from vlmbench.runs.storage.layout import perturbed_run
from vlmbench.runs.storage.store import RunStore, refuse_unwritable
from vlmbench.scoring.suites import choosing

if TYPE_CHECKING:
    from vlmbench.base.model import Model
    from vlmbench.base.registry import TaskChoice
    from vlmbench.base.samples import Sample
    from vlmbench.base.settings import Settings
    from vlmbench.perturbations.perturbations import Perturbation
    from vlmbench.runs.execution.planning import Plan
    from vlmbench.runs.execution.runner import Outcome
    from vlmbench.runs.execution.watching import Watch
    from vlmbench.runs.options import RunOptions
    from vlmbench.scoring.judge import Judge
    from vlmbench.scoring.suites.choosing import Chosen

LONGEST_NAME = 180
"""Bytes of a run's default folder name before its hash: file systems take 255."""


@dataclass(frozen=True)
class Evaluated:
    """The finished runs of one evaluation."""

    outcomes: Sequence[Outcome]
    """The unperturbed run, then one per perturbation that had something to ask."""
    perturbations: Sequence[Perturbation] = ()
    skipped: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)
    """By perturbation and task: how many samples it does not apply to, by reason."""

    @property
    def unperturbed(self) -> Outcome:
        """The run of the questions as they are."""
        return self.outcomes[0]


@garbage.paused()
def evaluate(options: RunOptions, watch: Watch | None = None) -> Evaluated:
    """Ask, score and store; progress and remarks go to stderr. A `watch` may end the run before everything is asked.

    Ctrl-C and errors leave every answer in the run's folder, from where the same options resume. What can be wrong is
    looked at before torch is imported: words, extras, device, data files, the folder to write to.
    """
    opening.check_model(options.model)
    perturbations = _perturbations(options)
    chosen, places, data = choose(options)
    choices = chosen.choices
    ids = None if options.ids is None else selection.read_ids(options.ids, choices)
    if options.output is not None:
        refuse_unwritable(options.output)
    reading = progress.each(choices, "reading the questions", "task")
    samples = {choice.key: read_samples(choice.task, data[choice.key], choice.split) for choice in reading}
    _check(perturbations, choices, samples)
    with ExitStack() as stack:
        judge = None
        if options.judge.model:
            judge = stack.enter_context(opening.open_judge(options.judge, choices, places.cache_folder))
        if options.workers.wanted:
            model = stack.enter_context(opening.open_workers(options))
        else:
            if specs.parse_model(options.model.spec).name in registry.models.builtin:  # no object in memory
                terminal.note(f"loading {terminal.clean(options.model.spec)}")
            model = opening.load_model(options.model)
        _check_model(perturbations, model)
        evaluation = Evaluation(options, chosen, places, data, samples, model, judge, ids, watch)
        try:
            result = evaluation.run(perturbations)
        except KeyboardInterrupt:
            kept = f": the answers so far are in {evaluation.folder}; the same command resumes from there"
            terminal.note(f"\ninterrupted{kept if evaluation.folder else ' before the first answer'}")
            raise
        if judge is not None:
            opening.print_judge_usage(judge)
        opening.print_server_usage(model)
    return result


def choose(options: RunOptions) -> tuple[Chosen, Settings, dict[str, Any]]:
    """The tasks that are named, the settings, and where each task's data are, by key.

    Raises UsageError and UnknownNameError for words that mean nothing, DataError for files that are not there.
    """
    chosen, places = (
        choosing.choose(options.tasks, options.variant, options.suite),
        settings.load({"data": options.data}),
    )
    for choice in chosen.choices:
        choice.check_variant()
    few_shot.check(chosen.choices)
    data = {one.key: specs.open_data(one, _places(places, chosen, one.key)) for one in chosen.choices}
    return chosen, places, data


def _perturbations(options: RunOptions) -> Sequence[Perturbation]:
    if not options.perturb:
        return ()
    from vlmbench.perturbations import perturbations

    return perturbations.parse(options.perturb, options.seed)


def _check(
    changes: Sequence[Perturbation], choices: Sequence[TaskChoice], samples: Mapping[str, Sequence[Sample]]
) -> None:
    """Refuse a task that a perturbation has nothing for, before a model is loaded."""
    if changes:
        from vlmbench.perturbations import perturbations

        for choice in choices:
            perturbations.check(changes, choice, samples[choice.key])


def _check_model(changes: Sequence[Perturbation], model: Model) -> None:
    """Refuse a model that an attack cannot go through, before it is asked anything."""
    if changes:
        from vlmbench.perturbations import perturbations

        perturbations.check_model(changes, model)


def _places(places: Settings, chosen: Chosen, key: str) -> Settings:
    """The settings for one task: a suite file may say where its data are."""
    return replace(places, data=chosen.data[key]) if key in chosen.data else places


@dataclass
class Evaluation:
    """What the runs of one evaluation share, and the run that is being made."""

    options: RunOptions
    chosen: Chosen
    places: Settings
    data: Mapping[str, Any]
    """By task key: where its samples come from."""
    samples: Mapping[str, Sequence[Sample]]
    """By task key."""
    model: Model
    judge: Judge | None
    ids: selection.Ids | None = None
    """The questions that --ids lists; None: all, or those of --limit."""
    watch: Watch | None = None
    folder: Path | None = None
    """Of the run that is being made."""
    verified: Mapping[str, Any] = field(default_factory=dict)
    """What --verify-backend found, for run.json."""

    def run(self, perturbations: Sequence[Perturbation]) -> Evaluated:
        """The unperturbed run, then the perturbed ones."""
        plan = self.plan(None)
        print_notes(plan.tasks)
        if self.watch is not None:
            suites = {key: suite.to_dict() for key, suite in self.chosen.suites.items()}
            self.watch.begin(plan, {"asked": self._request(plan, None), "suites": suites})
        if self.options.verify.questions is not None:
            from vlmbench.runs.verification import verify_backend

            with garbage.resumed():
                self.verified = verify_backend(self.options.verify, plan, self.model)
        outcomes = [self.execute(plan, None, None)]
        skipped: dict[str, Mapping[str, Mapping[str, int]]] = {}
        for change in perturbations:
            with garbage.resumed():  # an attack goes through the network
                plan = self.plan(change)
            skipped[change.label] = plan.skipped
            if plan.choices:
                outcomes.append(self.execute(plan, change, perturbed_run(outcomes[0].folder, change.label)))
        return Evaluated(outcomes, perturbations, skipped)

    def plan(self, change: Perturbation | None) -> Plan:
        """What is asked, under a perturbation or as it is."""
        return planning.plan(
            self.chosen.choices,
            self.data,
            self.model,
            limit=self.options.limit,
            limits=self.chosen.limits,
            ids=self.ids,
            seed=self.options.seed,
            perturbation=change,
            judge=self.judge,
            samples=self.samples,
            cache=self.places.cache_folder,
        )

    def execute(self, plan: Plan, change: Perturbation | None, folder: Path | None) -> Outcome:
        """Ask and score one run; without a folder it is the one that the options name."""
        request = self._request(plan, change)
        self.folder = folder or self.options.output or self.places.runs_folder / self._name(plan, request)
        if self.judge is not None:
            self.judge.next_run()
            choices = {choice.key: choice for choice in plan.choices}
            opening.print_judge_estimate(self.judge, ((choices[i.task], i.sample, None) for i in plan.requests))
        content = manifest.build(
            request=request,
            model=self.model,
            tasks=plan.tasks,
            seed=self.options.seed,
            data_folder=self.places.data,
        )
        if plan.skipped:
            content["left_out"] = plan.skipped
        if self.chosen.suites:
            content["suites"] = {key: suite.to_dict() for key, suite in self.chosen.suites.items()}
        with RunStore.open(self.folder, {**content, **self.verified}) as store:
            level, bar = self.options.interval, sys.stderr.isatty()
            watch = self.watch if change is None else None
            return runner.execute(plan, self.model, store, progress=bar, judge=self.judge, level=level, watch=watch)

    def _request(self, plan: Plan, change: Perturbation | None) -> dict[str, Any]:
        """What run.json holds under `asked`: the options that decide the run's content."""
        model = specs.parse_model(self.options.model.spec).name
        return {
            "model": self.options.model.spec,
            "settings": dict(self.model.settings),
            "tasks": [choice.key for choice in plan.choices],
            "data": self.places.data,
            "limit": self.options.limit,
            **({} if self.ids is None else {"ids": manifest.hash_of(selection.listed_ids(self.ids))}),
            "perturb": "" if change is None else change.label,
            "seed": self.options.seed,
            **self.chosen.told(),
            **plugins.asked((choice.task.name for choice in plan.choices), model),
        }

    def _name(self, plan: Plan, request: Mapping[str, Any]) -> str:
        """The default name of a run's folder: the same for the same options, with or without perturbations.

        A suite stands for its members.
        """
        suites = self.chosen.suites
        members = {one.task for suite in suites.values() for one in suite.members}
        keys = [*suites, *(choice.key for choice in plan.choices if choice.key not in members)]
        name = "-".join([self.model.name, *keys])
        safe = "".join(letter if letter.isalnum() or letter in "-_.@" else "_" for letter in name)
        short = safe.encode()[:LONGEST_NAME].decode(errors="ignore")
        return f"{short}-{manifest.hash_of_request(request)[:8]}"


def print_notes(tasks: Mapping[str, Mapping[str, Any]]) -> None:
    """Print, before the work begins, what is peculiar about each task's data. `tasks`: their entries in run.json."""
    for key, entry in tasks.items():
        for note in entry.get("notes", ()):
            terminal.warn(f"{key}: {note}")
