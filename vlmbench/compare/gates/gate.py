"""The gate of `vlmbench check`: did a model get worse than a baseline, by more than is allowed?

The statistics of one test are in stats/noninferiority.py (docs/evaluate/gate.md). A gate makes one test per task (or
per metric, where several are named), corrects them together, and checks floors of coverage and status counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vlmbench.base.errors import StoreError, UnknownNameError, UsageError
from vlmbench.base.files import write_atomically
from vlmbench.base.registry import bare_name, load_object
from vlmbench.base.renamed_options import refuse_old_names
from vlmbench.base.samples import Status
from vlmbench.compare import anchors, compare, run_differences
from vlmbench.compare.compare import Comparison, TaskComparison
from vlmbench.compare.gates import planned as planning
from vlmbench.compare.gates.verdict import Verdict
from vlmbench.compare.suites import SuiteComparison, compared_suites
from vlmbench.runs.storage.layout import CHECK
from vlmbench.runs.storage.reload import StoredRun, StoredTask
from vlmbench.runs.storage.run_files import read_check, to_json
from vlmbench.stats import noninferiority, paired
from vlmbench.stats.noninferiority import Decision, Margins, Outcome, decide, one_sided
from vlmbench.stats.sequential.looks import EarlyDecision

FORMAT = 1
WHOLE = ("headline", "all")
"""Choices of metrics with which the averages of suites are tested too."""
RESAMPLES = 2_000
"""Enough for a standard error: it is all that a gate takes from them."""


@dataclass(frozen=True)
class GateRules:
    """What a gate asks for."""

    max_drop: Mapping[str, float]
    """By task key or bare name; "" for all others. In the metric's own unit."""
    min_detectable_drop: Mapping[str, float]
    """The drop that must not slip through, likewise; where it is missing, twice the allowed drop (1.0 for none)."""
    alpha: float = 0.05
    power: float = 0.8
    metric: str = "headline"
    min_coverage: float = 1.0
    max_status: Mapping[str, str] = field(default_factory=dict)
    """By status: how many samples may end so, as a number or a share (`5`, `1%`)."""
    max_total_drop: Mapping[str, float] = field(default_factory=dict)
    """The drop since the anchor that is acceptable, as `max_drop`; where it is missing, twice that (1.0 for none)."""

    def margins(self, key: str, tests: int, *, total: bool = False) -> Margins:
        """What holds for a task; in `total`, since its anchor."""
        allowed = _of(self.max_drop, key, 1.0)
        if total:
            allowed = _of(self.max_total_drop, key, 2 * allowed or 1.0)
            return Margins(allowed, 2 * allowed or 1.0, self.alpha, self.power, tests)
        min_detectable_drop = _of(self.min_detectable_drop, key, 2 * allowed or 1.0)
        if min_detectable_drop <= allowed:
            problem = f"{key}: a drop of {min_detectable_drop:g} must be detectable while one of {allowed:g} is allowed"
            raise UsageError(problem, hint="give --min-detectable-drop more than --max-drop")
        return Margins(allowed, min_detectable_drop, self.alpha, self.power, tests)


@dataclass(frozen=True)
class Floor:
    """A floor under a run that is broken."""

    key: str
    kind: str
    """`coverage`, or the status that came too often."""
    what: str


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

    @property
    def outcome(self) -> Outcome:
        """Fail where one test fails or a floor is broken; else inconclusive where one test is; else pass."""
        outcomes = {verdict.decision.outcome for verdict in self.verdicts}
        if self.floors or Outcome.FAIL in outcomes:
            return Outcome.FAIL
        return Outcome.UNKNOWN if Outcome.UNKNOWN in outcomes else Outcome.PASS

    @property
    def by_task(self) -> dict[str, dict[str, Any]]:
        """Outcome and reasons of each task: fail where one of its tests fails or one of its floors is broken."""
        result: dict[str, dict[str, Any]] = {}
        tested: list[TaskComparison | SuiteComparison] = [*self.comparison.tasks, *self.suites]
        for task in tested:
            outcomes = {verdict.decision.outcome for verdict in self.verdicts if verdict.task.key == task.key}
            reasons = [verdict.reason for verdict in self.verdicts if verdict.task.key == task.key]
            broken = [floor.what for floor in self.floors if floor.key == task.key]
            worst = next((verdict for verdict in (Outcome.FAIL, Outcome.UNKNOWN) if verdict in outcomes), Outcome.PASS)
            outcome = Outcome.FAIL if broken else worst
            result[task.key] = {"outcome": str(outcome), "reasons": [*broken, *reasons]}
        return result

    def to_json(self) -> dict[str, Any]:
        """For scripts, and what stays in the run's folder."""
        return {
            "format": FORMAT,
            "outcome": str(self.outcome),
            "before": self.comparison.before.describe(),
            "after": self.comparison.after.describe(),
            **({"anchors": [anchor.describe() for anchor in self.anchors]} if self.anchors else {}),
            "settings": asdict(self.rules),
            "floors": [asdict(floor) for floor in self.floors],
            "left_out": list(self.comparison.left_out),
            "tasks": [verdict.to_json() for verdict in self.verdicts],
            "by_task": self.by_task,
        }


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

    `early`: what was decided while the run went on (compare/early/), by task key, metric and anchor's name.

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
    names_known(rules, compared, [*(test.task.key for test in planned), *left_out])
    every = [(compared, test, "") for test in planned]
    earlier = anchors.against(compared, anchor, tasks, force)
    for one in earlier:
        found = compare.compare(
            one, compared.after, metric=rules.metric, bars=False, force=force, count_failures=True, **settings
        )
        every += [(found, test, anchors.words(one)) for test in _planned(found, rules, settings, force)[0]]
    margins = [rules.margins(test.task.key, len(every), total=bool(since)) for _, test, since in every]
    ps = {str(at): one_sided(test.paired, test.spread, margins[at].allowed) for at, (_, test, _) in enumerate(every)}
    known = [early.get((test.task.key, test.metric.name, since)) for _, test, since in every]
    ps |= {str(at): float(one.outcome is not Outcome.FAIL) for at, one in enumerate(known) if one is not None}
    corrected = paired.holm(ps)
    corrected |= {str(at): one.p_holm for at, one in enumerate(known) if one is not None}
    verdicts = []
    for at, (pair, test, since) in enumerate(every):
        decided: Decision | None = known[at]
        decided = (
            decided or _nothing_left(pair, test.task) or noninferiority.undefined(test.metric.before, test.metric.after)
        )
        decided = decided or _other_judge(test.task)
        if decided is None:
            decided = decide(test.paired, test.spread, corrected[str(at)], margins[at], same=test.same)
        verdicts.append(Verdict(test.task, test.metric, margins[at], decided, corrected[str(at)], test.paired, since))
    asked = [compared.after.tasks[task.key] for task in compared.tasks]
    floors = [floor for task in asked for floor in _floors(task, rules, early=bool(early))]
    return Report(compared, rules, verdicts, floors, averages, earlier)


def _planned(
    compared: Comparison, rules: GateRules, settings: dict[str, Any], force: bool
) -> tuple[list[planning.Test], list[SuiteComparison], list[str]]:
    """(what is tested between two runs, the suites whose averages are among it, those that cannot be tested)."""
    _same_perturbation(compared, force)
    _same_thinking(compared, force)
    planned = planning.tests(compared, rules.metric, settings)
    averages, left_out = compared_suites(compared, settings) if rules.metric in WHOLE else ([], [])
    return [*planned, *planning.suite_tests(compared, averages, planned)], averages, left_out


def names_known(rules: GateRules, compared: Comparison, tested: Sequence[str]) -> None:
    """Raise UnknownNameError for an amount of a task that neither of the runs has: it would hold for nothing."""
    keys = dict.fromkeys([*tested, *compared.before.tasks, *compared.after.tasks])
    known = [*keys, *dict.fromkeys(map(bare_name, keys))]
    given = (
        ("--max-drop", rules.max_drop),
        ("--min-detectable-drop", rules.min_detectable_drop),
        ("--max-total-drop", rules.max_total_drop),
    )
    for option, amounts in given:
        if unknown := next((name for name in amounts if name and name not in known), ""):
            raise UnknownNameError("task of these runs", unknown, known, f"{option} names tasks, by key or by name")


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


def sensible(rules: GateRules) -> None:
    """Raise UsageError for rules that contradict themselves."""
    for name, share in (("--alpha", rules.alpha), ("--power", rules.power)):
        if not 0 < share < 1:
            raise UsageError(f"{name} {share:g} is not between 0 and 1", hint="0.05 and 0.8 are usual")
    for option, drops in (("--max-drop", rules.max_drop), ("--max-total-drop", rules.max_total_drop)):
        if any(not drop >= 0 or math.isinf(drop) for drop in drops.values()):
            raise UsageError(f"{option} is below 0", hint="give the drop that is allowed, as a positive number")
    if not 0 <= rules.min_coverage <= 1:
        raise UsageError(f"--min-coverage {rules.min_coverage:g} is no share", hint="give a number from 0 to 1")


def _all_there(compared: Comparison, tasks: Sequence[str]) -> None:
    """A task of the baseline that the run did not do must not pass unseen."""
    missing = [key for key in compared.before.tasks if key not in {task.before.key for task in compared.tasks}]
    if missing:
        problem = f"the run has no {', '.join(missing)}, which the baseline has"
        raise UsageError(
            problem, hint=f"run it too, or name what to check: --tasks {','.join(t.key for t in compared.tasks)}"
        )


def _floors(task: StoredTask, rules: GateRules, *, early: bool) -> list[Floor]:
    """The floors that a task's run breaks; of a run that its gate ended (`early`), among the questions asked."""
    broken = []
    coverage = float(task.scores.get("coverage", 0.0))
    if early:
        asked = len(task.items) - _statuses(task).get(Status.NOT_ASKED, 0)
        coverage = round(coverage * len(task.items)) / max(1, asked)
    if coverage < rules.min_coverage:
        counts = ", ".join(f"{name} {count:,}" for name, count in _statuses(task).items())
        problem = f"{min(100 * coverage, 99.9):.1f} % of the samples have a score, {100 * rules.min_coverage:g} % must"
        broken.append(Floor(task.key, "coverage", f"{problem} ({counts})"))
    for name, limit in rules.max_status.items():
        count, total = _statuses(task).get(name, 0), len(task.items)
        share = limit.endswith("%")
        if count > (float(limit[:-1]) / 100 * total if share else float(limit)):
            broken.append(Floor(task.key, name, f"{count:,} of {total:,} samples ended as {name}; allowed: {limit}"))
    return broken


def _statuses(task: StoredTask) -> dict[str, int]:
    counts: dict[str, int] = dict.fromkeys(map(str, Status), 0)
    for item in task.items:
        counts[str(item.score.status)] += 1
    return {name: count for name, count in counts.items() if count}


def _of(values: Mapping[str, float], key: str, default: float) -> float:
    for name in (key, bare_name(key), ""):
        if name in values:
            return values[name]
    return default


def read_amounts(text: str, option: str) -> dict[str, float]:
    """`1.0`, or `1.0,mme=20`: by task, "" for all others. Raises UsageError."""
    amounts: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.rpartition("=")
        try:
            amounts[name.strip()] = float(value)
        except ValueError:
            raise UsageError(f"cannot read {part!r} in {option}", hint=f"write {option} 1.0,mme=20") from None
    return amounts


def read_limits(text: str) -> dict[str, str]:
    """`error=0,truncated=1%`: by status. Raises UsageError."""
    limits: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, limit = part.partition("=")
        if name not in set(Status) or not limit.removesuffix("%").replace(".", "", 1).isdigit():
            hint = f"write --max-status error=0,truncated=1%; statuses: {', '.join(Status)}"
            raise UsageError(f"cannot read {part!r} in --max-status", hint=hint)
        limits[name] = limit
    return limits


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
    max_drop: float | Mapping[str, float] = 1.0,
    *,
    min_detectable_drop: float | Mapping[str, float] | None = None,
    tasks: Sequence[str] = (),
    **rules: Any,
) -> Report:
    """`vlmbench check` for tests: raises AssertionError, with the gate's table, when a run is worse than its baseline.

    Where the gate is inconclusive it raises InconclusiveError, which is an AssertionError too. `rules` are the other
    fields of GateRules: alpha, power, metric, min_coverage, max_status. Raises UsageError and StoreError for bad input.
    """
    refuse_old_names(rules)
    report = check(
        Path(run), Path(baseline), GateRules(_amounts(max_drop), _amounts(min_detectable_drop), **rules), tasks=tasks
    )
    if report.outcome is Outcome.PASS:
        return report
    table = load_object("vlmbench.reports.text.gate:text")(report)
    raise (AssertionError if report.outcome is Outcome.FAIL else InconclusiveError)(f"\n{table}")


def _amounts(value: float | Mapping[str, float] | None) -> dict[str, float]:
    if isinstance(value, Mapping):
        return dict(value)
    return {} if value is None else {"": value}
