"""The gate of `vlmbench check`: did a model get worse than a baseline, by more than is allowed?

The statistics of one test are in stats/noninferiority.py (docs/evaluate/gate.md). A gate tests the headline of each
task (or the metrics that are named), and parts of it: guards and bars of breakdowns. It corrects them together, and
checks floors of coverage and status counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vlmbench.base.errors import StoreError, UsageError
from vlmbench.base.files import write_atomically
from vlmbench.base.registry import load_object
from vlmbench.base.renamed_options import refuse_old_names
from vlmbench.base.samples import Status
from vlmbench.compare import anchors, compare, run_differences
from vlmbench.compare.compare import Comparison, TaskComparison
from vlmbench.compare.gates import parts
from vlmbench.compare.gates import planned as planning
from vlmbench.compare.gates.planned import Kind, Test
from vlmbench.compare.gates.rules import Floor, GateRules, floors, given_amounts, names_known, sensible
from vlmbench.compare.gates.verdict import Verdict
from vlmbench.compare.suites import SuiteComparison, compared_suites
from vlmbench.runs.storage.layout import CHECK
from vlmbench.runs.storage.reload import StoredRun, StoredTask
from vlmbench.runs.storage.run_files import read_check, to_json
from vlmbench.stats import noninferiority
from vlmbench.stats.noninferiority import Decision, Margins, Outcome, decide, one_sided
from vlmbench.stats.sequential.looks import EarlyDecision

FORMAT = 1
WHOLE = ("headline", "all")
"""Choices of metrics with which the averages of suites are tested too."""
FIRST = 0.9
"""What part of alpha headlines have, and parts that must hold; the other parts have the rest. They lose a point or two
of power by it. Parts, of which there may be dozens, would find drops of nine tenths the size with a half of alpha."""
RESAMPLES = 2_000
"""Enough for a standard error: it is all that a gate takes from them."""


@dataclass(frozen=True)
class Report:
    """What a gate says of a run."""

    comparison: Comparison
    rules: GateRules
    verdicts: Sequence[Verdict]
    floors: Sequence[Floor]
    suites: Sequence[SuiteComparison] = ()
    """Those whose averages were tested."""
    anchors: Sequence[StoredRun] = ()
    """The runs that total drops were counted from."""
    parts: Sequence[Verdict] = ()
    """Of guards and bars that need not be shown to hold."""

    @property
    def shown(self) -> list[Verdict]:
        """The verdicts that tables list: all but those of parts that did not fail."""
        return [*self.verdicts, *(part for part in self.parts if part.decision.outcome is Outcome.FAIL)]

    @property
    def explained(self) -> list[Verdict]:
        """Those with a sentence of their own: parts have one where no other test of their task fails."""
        failed = {one.task.key for one in self.verdicts if one.decision.outcome is Outcome.FAIL}
        return [one for one in self.shown if one.kind is not Kind.PART or one.task.key not in failed]

    @property
    def about_parts(self) -> dict[str, str]:
        """By task: how many parts were tested that need not be shown to hold, and which of them fell."""
        told = {}
        for task in self.comparison.tasks:
            mine = [part for part in self.parts if part.task.key == task.key]
            fell = [part.metric.name for part in mine if part.decision.outcome is Outcome.FAIL]
            if mine:
                none = f"none of its {len(mine)} parts is shown to have fallen by more than allowed"
                some = f"{len(fell)} of its {len(mine)} parts fell by more than allowed: {', '.join(fell)}"
                told[task.key] = some if fell else none
        return told

    @property
    def outcome(self) -> Outcome:
        """Fail where one test fails or a floor is broken; else inconclusive where one test is; else pass.

        A part that need not hold decides nothing but by failing.
        """
        return _worst([*self.verdicts, *self.parts], broken=bool(self.floors))

    @property
    def by_task(self) -> dict[str, dict[str, Any]]:
        """Outcome and reasons of each task: fail where one of its tests fails or one of its floors is broken."""
        result: dict[str, dict[str, Any]] = {}
        tested: list[TaskComparison | SuiteComparison] = [*self.comparison.tasks, *self.suites]
        for task in tested:
            mine = [verdict for verdict in self.shown if verdict.task.key == task.key]
            broken = [floor.what for floor in self.floors if floor.key == task.key]
            outcome = _worst(mine, broken=bool(broken))
            told = [one.told for one in self.explained if one.task.key == task.key]
            about = [self.about_parts[task.key]] if task.key in self.about_parts else []
            result[task.key] = {"outcome": str(outcome), "reasons": [*broken, *told, *about]}
        return result

    def to_json(self) -> dict[str, Any]:
        """For scripts, and what stays in the run's folder."""
        return {
            "format": FORMAT,
            "outcome": str(self.outcome),
            "before": self.comparison.before.describe(),
            "after": self.comparison.after.describe(),
            **({"anchors": [anchor.describe() for anchor in self.anchors]} if self.anchors else {}),
            "settings": self.rules.to_json(),
            "floors": [asdict(floor) for floor in self.floors],
            "left_out": list(self.comparison.left_out),
            "tasks": [verdict.to_json() for verdict in self.verdicts],
            "parts": [verdict.to_json() for verdict in self.parts],
            "by_task": self.by_task,
        }


def _worst(verdicts: Sequence[Verdict], *, broken: bool) -> Outcome:
    if broken or any(verdict.decision.outcome is Outcome.FAIL for verdict in verdicts):
        return Outcome.FAIL
    open_ones = any(one.decision.outcome is Outcome.UNKNOWN for one in verdicts if one.kind is not Kind.PART)
    return Outcome.UNKNOWN if open_ones else Outcome.PASS


def check(
    run: Path | StoredRun,
    baseline: Path | StoredRun,
    rules: GateRules,
    *,
    anchor: Path | StoredRun | None = None,
    tasks: Sequence[str] = (),
    force: bool = False,
    seed: int = 0,
    early: Mapping[tuple[str, str, str], EarlyDecision] = MappingProxyType({}),
) -> Report:
    """Hold a run against a baseline: a run's folder or a baseline file; and against its anchors, or those of `anchor`.

    `early`: what was decided while the run went on (compare/early/), by task key, metric and anchor's name. Of a task
    that was not asked in full, parts that need not hold are not tested: it ended when the others were decided.

    Raises UsageError and StoreError as `comparison.compare` does, and UsageError for rules that contradict themselves.
    """
    sensible(rules)
    settings: dict[str, Any] = {"resamples": RESAMPLES, "seed": seed}
    compared = compare.compare(
        baseline,
        run,
        tasks=tasks,
        metric=rules.metric,
        bars=False,
        force=force,
        count_failures=True,
        **settings,
    )
    _all_there(compared, tasks)
    planned, averages, left_out = _planned(compared, rules, settings, force)
    _suites_there(left_out, tasks)
    compared = replace(compared, left_out=[*compared.left_out, *left_out])
    every = [Tested(compared, test) for test in planned]
    stopped = {task.key for task in compared.tasks if early and _stopped(compared.after.tasks[task.key])}
    found_parts = _parts(compared, rules, planned, left_out, settings)
    every += [Tested(compared, one) for one in found_parts if one.kind is not Kind.PART or one.task.key not in stopped]
    earlier = anchors.against(compared, anchor, tasks, force)
    for one in earlier:
        found = compare.compare(
            one, compared.after, metric=rules.metric, bars=False, force=force, count_failures=True, **settings
        )
        since = anchors.words(one)
        every += [Tested(found, test, since) for test in _planned(found, rules, settings, force)[0]]
    verdicts = _decided(every, rules, early)
    stored = [compared.after.tasks[task.key] for task in compared.tasks]
    broken = [floor for task in stored for floor in floors(task, rules, early=bool(early))]
    kinds = [[one for one in verdicts if (one.kind is Kind.PART) is part] for part in (False, True)]
    return Report(compared, rules, kinds[0], broken, averages, earlier, kinds[1])


def _stopped(task: StoredTask) -> bool:
    return any(item.score.status is Status.NOT_ASKED for item in task.items)


@dataclass(frozen=True)
class Tested:
    """One test, of the baseline or of an anchor."""

    pair: Comparison
    test: Test
    since: str = ""
    """The anchor, in words."""

    @property
    def name(self) -> tuple[str, str, str]:
        """Of the test, among those that were decided early."""
        return self.test.task.key, self.test.metric.name, self.since


def _decided(
    every: Sequence[Tested], rules: GateRules, early: Mapping[tuple[str, str, str], EarlyDecision]
) -> list[Verdict]:
    """The verdict of each test. Parts have a level of their own (noninferiority.gatekept)."""
    last = [at for at, one in enumerate(every) if one.test.kind is Kind.PART]
    first = [at for at in range(len(every)) if at not in set(last)]
    share = FIRST if last else 1.0
    margins: dict[int, Margins] = {}
    for family, level in ((first, share), (last, 1 - share)):
        for at in family:
            test, since = every[at].test, every[at].since
            margins[at] = rules.margins(test.task.key, len(family), test.scale, total=bool(since), share=level)
    ps = {at: one_sided(one.test.paired, one.test.spread, margins[at].allowed) for at, one in enumerate(every)}
    known = {at: early[one.name] for at, one in enumerate(every) if one.name in early}
    ps |= {at: float(one.outcome is not Outcome.FAIL) for at, one in known.items()}
    families = [{str(at): ps[at] for at in family} for family in (first, last)]
    corrected = noninferiority.gatekept(families[0], families[1], share)
    corrected |= {str(at): one.p_holm for at, one in known.items()}
    return [_verdict(one, margins[at], corrected[str(at)], known.get(at)) for at, one in enumerate(every)]


def _verdict(one: Tested, margins: Margins, p: float | None, early: EarlyDecision | None) -> Verdict:
    test = one.test
    decided: Decision | None = early
    decided = (
        decided or _nothing_left(one.pair, test.task) or noninferiority.undefined(test.metric.before, test.metric.after)
    )
    decided = decided or _other_judge(test.task)
    if decided is None:
        decided = decide(test.paired, test.spread, p, margins, same=test.same)
    return Verdict(test.task, test.metric, margins, decided, p, test.paired, one.since, test.kind)


def _parts(
    compared: Comparison,
    rules: GateRules,
    asked: Sequence[Test],
    left_out: Sequence[str],
    settings: dict[str, Any],
) -> list[Test]:
    """The tests of parts; none where metrics are named, but for what must hold. Raises UsageError for unknown names."""
    metrics = {task.key: parts.paired_metrics(task) for task in compared.tasks}
    called = {key: parts.all_names(found) for key, found in metrics.items()}
    names_known(rules, [*(test.task.key for test in asked), *left_out, *compared.before.tasks, *called], called)
    holding = parts.held(rules.must_hold, metrics)
    return planning.part_tests(compared, asked, metrics, holding, settings, all_parts=rules.metric in WHOLE)


def _planned(
    compared: Comparison, rules: GateRules, settings: dict[str, Any], force: bool
) -> tuple[list[Test], list[SuiteComparison], list[str]]:
    """(what is tested between two runs, the suites whose averages are among it, those that cannot be tested)."""
    _same_perturbation(compared, force)
    _same_thinking(compared, force)
    planned = planning.tests(compared, rules.metric, settings)
    averages, left_out = compared_suites(compared, settings) if rules.metric in WHOLE else ([], [])
    return [*planned, *planning.suite_tests(compared, averages, planned)], averages, left_out


def _suites_there(left_out: Sequence[str], tasks: Sequence[str]) -> None:
    """Raise UsageError for an average that was named and cannot be tested."""
    if lacking := [key for key in left_out if key in tasks]:
        problem = f"the average of {', '.join(lacking)} cannot be tested: a member, or one of its figures, is missing"
        raise UsageError(problem, hint="name the members instead, or run the suite of the same members")


def _nothing_left(compared: Comparison, task: TaskComparison | SuiteComparison) -> Decision | None:
    """A fail where samples had scores before and not one has now, however wide its interval; None elsewhere."""
    if isinstance(task, SuiteComparison) or not task.failed:
        return None
    if any(item.score.value is not None for item in compared.after.tasks[task.key].items):
        return None
    return Decision(Outcome.FAIL, None, None, None, None, None, "all failed")


def _other_judge(task: TaskComparison | SuiteComparison) -> Decision | None:
    """Inconclusive where changed answers were graded by different judges: nothing tells how far those are apart."""
    return Decision(Outcome.UNKNOWN, None, None, None, None, None, "other judge") if task.judging.other_judge else None


def _same_perturbation(compared: Comparison, force: bool) -> None:
    """Raise UsageError where only one of the runs is perturbed, or each in another way."""
    before, after = (run.describe()["perturbation"] or "none" for run in (compared.before, compared.after))
    if before != after and not force:
        problem = f"a gate between different questions: perturbation {before} before, {after} after"
        hint = "check runs under the same --perturb (`vlmbench compare` shows what it costs); --force checks anyway"
        raise UsageError(problem, hint=hint)


def _same_thinking(compared: Comparison, force: bool) -> None:
    """Raise UsageError where the model thought in one of the runs alone."""
    told = [str(d) for task in compared.tasks for d in task.differing if d.what == run_differences.THOUGHTS]
    if told and not force:
        hint = "check a model that thinks against a baseline in which it thinks; --force checks anyway"
        raise UsageError(f"a gate between different ways to answer: {told[0]}", hint=hint)


def _all_there(compared: Comparison, tasks: Sequence[str]) -> None:
    """A task of the baseline that the run did not do must not pass unseen."""
    missing = [key for key in compared.before.tasks if key not in {task.before.key for task in compared.tasks}]
    if missing:
        problem = f"the run has no {', '.join(missing)}, which the baseline has"
        raise UsageError(
            problem, hint=f"run it too, or name what to check: --tasks {','.join(t.key for t in compared.tasks)}"
        )


def keep(report: Report) -> None:
    """Leave the gate's result in the run's folder, for the pages of reports; where that cannot be written, nothing.

    A task that an earlier check tested and this one did not keeps its outcome, in `by_task`.
    """
    from contextlib import suppress

    folder = report.comparison.after.path
    if folder.is_dir():
        earlier: Mapping[str, Any] = {}
        with suppress(StoreError):
            earlier = (read_check(folder) or {}).get("by_task") or {}
        content = report.to_json()
        with suppress(OSError):
            write_atomically(folder / CHECK, to_json({**content, "by_task": {**earlier, **report.by_task}}))


class InconclusiveError(AssertionError):
    """The gate is inconclusive: there are too few items. Catch it to skip instead of failing."""


def assert_no_regression(
    run: Path | str,
    baseline: Path | str,
    max_drop: float | str | Mapping[str, float | str] = "1%",
    *,
    min_detectable_drop: float | str | Mapping[str, float | str] | None = None,
    tasks: Sequence[str] = (),
    **rules: Any,
) -> Report:
    """`vlmbench check` for tests: raises AssertionError, with the gate's table, when a run is worse than its baseline.

    Drops are in the metric's own unit (`1.0`), in percent of its range (`"1%"`), or by task and part.
    Where the gate is inconclusive it raises InconclusiveError, which is an AssertionError too. `rules` are the other
    fields of GateRules: alpha, power, metric, min_coverage, max_status, must_hold. Raises UsageError and StoreError for
    bad input.
    """
    refuse_old_names(rules)
    drops = given_amounts(max_drop, "max_drop"), given_amounts(min_detectable_drop, "min_detectable_drop")
    report = check(Path(run), Path(baseline), GateRules(*drops, **rules), tasks=tasks)
    if report.outcome is Outcome.PASS:
        return report
    table = load_object("vlmbench.reports.text.gate:text")(report)
    raise (AssertionError if report.outcome is Outcome.FAIL else InconclusiveError)(f"\n{table}")
