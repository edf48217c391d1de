"""The watch of a run under `--gate`: it looks at the gate's tests as answers come, and ends the run when it may.

Tests are those of `vlmbench check` on the same tasks. Their p-values at the looks are corrected by Holm over all of
them (those that cannot be decided early count too), and one that was decided stays so. A task all of whose tests are
decided is asked no more; the others go on, wave by wave in turn. Tasks that cannot stop early come last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import UsageError
from vlmbench.base.process import terminal
from vlmbench.base.task import strata_tag
from vlmbench.compare import anchors, compare
from vlmbench.compare.differences import turned_items
from vlmbench.compare.early import fitting
from vlmbench.compare.early.course import course
from vlmbench.compare.early.sides import Name, Side, Watched
from vlmbench.compare.gates import parts, planned
from vlmbench.compare.gates.gate import WHOLE, Report, check, keep
from vlmbench.compare.gates.rules import PLAIN, GateRules, Scale, names_known, sensible
from vlmbench.runs.storage import remote_store
from vlmbench.runs.storage.reload import Item, StoredRun
from vlmbench.stats import paired
from vlmbench.stats.metrics import TARGET, upward
from vlmbench.stats.noninferiority import Margins, Outcome
from vlmbench.stats.sequential import looks
from vlmbench.stats.sequential.boundary import Boundary
from vlmbench.stats.sequential.looks import EarlyDecision, Look

if TYPE_CHECKING:
    from vlmbench.base.samples import Record
    from vlmbench.compare.gates.planned import Test
    from vlmbench.runs.execution.planning import Plan, PlannedRequest
    from vlmbench.stats.metrics import Metric

FEW_RESAMPLES: dict[str, Any] = {"resamples": 2, "seed": 0}
"""For comparing the baseline with itself, which tells the tests and no result."""


class EarlyGate:
    """Holds a run against a baseline while it goes on. Give it to `evaluate`, then ask for the `report` of the run."""

    def __init__(self, baseline: Path, rules: GateRules, seed: int = 0, anchor: Path | None = None) -> None:
        """Raises UsageError for rules that contradict themselves, StoreError for a baseline that cannot be read."""
        sensible(rules)
        self.rules, self.seed = rules, seed
        self.baseline = compare.open_run(baseline)
        self.anchor = None if anchor is None else compare.open_run(anchor)
        self.decided: dict[Name, EarlyDecision] = {}
        self.in_full: dict[str, str] = {}
        """Why a task is asked in full, by its key."""
        self._watched: dict[str, Watched] = {}
        self._last: list[PlannedRequest] = []
        """What is asked in full, after the others."""
        self._best: dict[Name, float] = {}
        """The smallest p-value of each test at any look."""
        self._spans: dict[Name, float] = {}
        self._scales: dict[Name, Scale] = {}
        """What the allowed drop of each test is counted in."""
        self._boundaries: dict[Name, Boundary] = {}
        self._above: dict[Name, float] = {}
        """Of a metric that should be near a target: how far the earlier run is above it."""
        self._last_look: dict[Name, Look] = {}
        self._looking: list[str] = []

    # ------------------------------------------------------------------------------------------------- before the run

    def begin(self, plan: Plan, manifest: Mapping[str, Any]) -> None:
        """Refuse what cannot be held against the baseline. Raises UsageError."""
        run = fitting.planned(plan, manifest)
        own = replace(self.baseline, tasks=fitting.pairs(self.baseline, run))
        compared = self._compared(own, own)
        found = self._tests(compared)
        against = [(own, "", found)]
        for one in anchors.against(compared, self.anchor, (), force=False):
            tests = planned.tests(self._compared(one, own), self.rules.metric, FEW_RESAMPLES)
            against.append((one, anchors.words(one), tests))
        sides: dict[str, list[Side]] = {key: [] for key in own.tasks}
        for one, since, tests in against:
            for test in tests:
                self._known((test.task.key, test.metric.name, since), test)
            for key, before in one.tasks.items():
                sides[key].append(Side(before, [(key, t.metric.name, since) for t in tests if t.task.key == key]))
        self._best = {name: 1.0 for mine in sides.values() for side in mine for name in side.tests}
        averaged = fitting.averaged(own, run) if self.rules.metric in WHOLE else {}
        for key, before in own.tasks.items():
            items = [item for item in plan.requests if item.task == key]
            way = course(items, self.seed, strata_tag(before.choice.task))
            self._watched[key] = Watched(way, sides[key])
            self._margins((key, "", ""))
            if why := averaged.get(key) or fitting.unable(before, [test for test in found if test.task.key == key]):
                terminal.note(f"{key}: asked in full: {why}")
                self.in_full[key] = why
                self._last += items
                del self._watched[key]

    def _tests(self, compared: compare.Comparison) -> list[Test]:
        """What the ordinary gate tests, but for parts that need not hold."""
        asked = planned.tests(compared, self.rules.metric, FEW_RESAMPLES)
        metrics = {task.key: parts.paired_metrics(task) for task in compared.tasks}
        called = {key: parts.all_names(found) for key, found in metrics.items()}
        names_known(self.rules, [test.task.key for test in asked], called)
        holding = parts.held(self.rules.must_hold, metrics)
        return [*asked, *planned.part_tests(compared, asked, metrics, holding, FEW_RESAMPLES, all_parts=False)]

    def _known(self, name: Name, test: Test) -> None:
        """Keep what the looks at a test need to know of the earlier run."""
        assert test.metric.metrics is not None, "it was compared here"
        before = test.metric.metrics[0]
        self._scales[name] = test.scale
        stratified = strata_tag(self.baseline.tasks[name[0]].choice.task)
        groups = [len(set(part.clusters)) for _, part in before.parts] if stratified else ()
        self._boundaries[name] = Boundary(len(set(before.clusters)), groups)
        if before.direction == TARGET and before.target is not None:
            self._above[name] = before.value() - before.target

    def _compared(self, before: StoredRun, after: StoredRun) -> compare.Comparison:
        return compare.compare(
            before, after, metric=self.rules.metric, bars=False, count_failures=True, **FEW_RESAMPLES
        )

    # ------------------------------------------------------------------------------------------------- during the run

    def waves(self) -> Iterator[Sequence[PlannedRequest]]:
        """The next questions of every task that is not decided; then what has to be asked in full."""
        while self._watched:
            going = [key for key, task in self._watched.items() if not task.course.over]
            self._looking = [key for key in going if not self._is_decided(key)]
            wave = [item for key in self._looking for item in self._next_wave(self._watched[key])]
            if not wave:
                break
            yield wave
        self._looking = []
        if self._last:
            yield self._last

    def _next_wave(self, task: Watched) -> list[PlannedRequest]:
        """Up to where the last of the task's tests may be decided."""
        times = [self._last_look[name].times(self._margins(name), self._spans[name])
                 for name in task.tests if name in self._last_look and name not in self.decided]  # fmt: skip
        return task.course.next_wave(max(times, default=1.0))

    def look(self, record: Callable[[PlannedRequest], Record]) -> None:
        """Look at every test of the tasks of the last wave."""
        seen: dict[Name, Look] = {}
        for key in self._looking:
            task = self._watched[key]
            if task.course.over:
                continue  # all is asked: the ordinary gate decides
            items = [_item(record(item)) for item in task.course.asked(task.seen)]
            task.seen = task.course.done
            for side in task.sides:
                side.take(items)
                open_tests = [name for name in side.tests if name not in self.decided]
                found = side.metrics() if open_tests else ({}, {}, 0)
                seen |= {name: one for name in open_tests if (one := self._look(name, *found)) is not None}
        self._last_look |= seen
        self._best |= {name: min(self._best[name], one.p) for name, one in seen.items()}
        self._decide(seen)

    def _look(self, name: Name, before: Mapping[str, Metric], after: Mapping[str, Metric], turned: int) -> Look | None:
        """One test; where its metric has become undefined, of the accuracy in its stead, which can fail it only."""
        metric = name[1]
        if metric not in before or metric not in after:
            return None
        plain = [side[metric] for side in (before, after)]
        pair = [upward(one) for one in plain]
        undefined = [math.isnan(one.value()) for one in pair]
        self._spans[name] = plain[1].span if name in self._above else pair[1].span
        margins, boundary = self._margins(name), self._boundaries[name]
        if self._scales[name].names:  # a part, whose own answers count alone
            turned = turned_items(*plain)
        if undefined == [False, True] and all(planned.GUARD in side for side in (before, after)):
            guards = [side[planned.GUARD] for side in (before, after)]
            return replace(looks.look(guards[0], guards[1], turned, margins, boundary), lower=None)
        if any(undefined):
            return None
        if name in self._above:
            return looks.near_target(plain[0], plain[1], self._above[name], turned, margins, boundary)
        return looks.look(pair[0], pair[1], turned, margins, boundary)

    def _decide(self, seen: Mapping[Name, Look]) -> None:
        corrected = paired.holm({"\n".join(name): p for name, p in self._best.items()})
        for name, found in seen.items():
            margins, p = self._margins(name), corrected["\n".join(name)]
            assert p is not None, "each test has one"
            outcome = Outcome.FAIL if found.fell(p, margins) else None
            if outcome is None and found.held(margins, self._spans[name]):
                outcome = Outcome.PASS
            if outcome is not None:
                way = self._watched[name[0]].course
                self.decided[name] = EarlyDecision.of(found, outcome, p, way.before[way.done], way.questions)

    def _margins(self, name: Name) -> Margins:
        return self.rules.margins(name[0], len(self._best), self._scales.get(name, PLAIN), total=bool(name[2]))

    def _is_decided(self, key: str) -> bool:
        return all(name in self.decided for name in self._watched[key].tests)

    # ------------------------------------------------------------------------------------------------- after the run

    def report(self, folder: Path) -> Report:
        """The gate's report of the finished run: what was decided early, and the ordinary gate for the rest.

        Looks may spend a part of alpha, which the ordinary gate has less of. Raises StoreError and UsageError as
        `check` does.
        """
        own = replace(self.baseline, tasks={key: self.baseline.tasks[key] for key in [*self._watched, *self.in_full]})
        rules = replace(self.rules, alpha=self.rules.alpha * (1 - looks.FELL_SHARE))
        return check(folder, own, rules, anchor=self.anchor, seed=self.seed, early=self.decided)

    def keep(self, folder: Path) -> Report:
        """The report of the finished run, which its folder keeps too. `folder` may be a URL."""
        report = self.report(remote_store.fetch_run(str(folder)))
        keep(report)
        return report

    def facts(self) -> dict[str, Any]:
        """How far each task was asked, and why not less."""
        asked = {
            key: {
                "asked": task.course.before[task.course.done],
                "questions": task.course.questions,
                "decided": self._is_decided(key),
            }
            for key, task in self._watched.items()
        }
        full = {key: {"decided": False, "in_full": why} for key, why in self.in_full.items()}
        return {"baseline": self.baseline.path.name, "model": self.baseline.name, "tasks": {**asked, **full}}


def refuse_perturbed(perturb: str) -> None:
    """Raise UsageError for a run that is asked otherwise too."""
    if perturb:
        problem = "--gate checks the questions as they are, --perturb asks them otherwise"
        raise UsageError(problem, hint="run once with --gate, then again without it and with --perturb")


def _item(record: Record) -> Item:
    return Item(record.sample, record.score, record.response.text, record.image_hashes)
