"""Groups of questions that count only as a whole: a group is right where all its questions are.

Groupings may overlap: a question of HallusionBench is in the group of its figure and in that of its text. So a group's
cluster, what is resampled as one for intervals, must hold all groups that share a question with it: the set of figures
and texts that belong together. `all_right` refuses a group whose questions are in several clusters.

A group of which a question has no score is left out: what is missing would else decide nothing, and lift the figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from vlmbench.base.samples import Score
from vlmbench.stats.metrics import LESS, Metric, mean

Holds = Callable[[Iterable[float]], bool]


@dataclass(frozen=True)
class Member:
    """A scored question as a member of one group."""

    group: str
    size: int
    """How many questions the group has."""
    cluster: str
    score: Score


def all_right(name: str, members: Sequence[Member], *, breakdown: str = "", label: str = "") -> Metric:
    """The share of groups in which every question is right, 0-100. Its note says how many groups are left out.

    Raises ValueError where a group is in several clusters.
    """
    return _share(name, members, all, breakdown, label)


def all_wrong(name: str, members: Sequence[Member], *, breakdown: str = "", label: str = "") -> Metric:
    """The share of groups in which no question is right, 0-100; as `all_right` else."""
    return replace(_share(name, members, _none, breakdown, label), better=LESS)


def _none(values: Iterable[float]) -> bool:
    return not any(values)


def _share(name: str, members: Sequence[Member], holds: Holds, breakdown: str, label: str) -> Metric:
    clusters: dict[str, str] = {}
    for member in members:
        if clusters.setdefault(member.group, member.cluster) != member.cluster:
            raise ValueError(f"the questions of group {member.group} are in several clusters: no interval would hold")
    values, left_out = group_values(members, holds)
    metric = mean(name, list(values.values()), [clusters[key] for key in values], breakdown=breakdown, label=label)
    note = f"{left_out} group{'s' if left_out > 1 else ''} left out: a question has no score" if left_out else ""
    return replace(metric, note=note)


def group_values(members: Sequence[Member], holds: Holds = all) -> tuple[Mapping[str, float], int]:
    """(1 or 0 for each group of which all questions have a score, how many groups have not).

    A group is 1 where `holds` is true of its questions' values.

    Where a judge ran several times, the mean over the runs that graded the whole group.
    """
    rows: dict[str, list[Score]] = {}
    sizes: dict[str, int] = {}
    for member in members:
        rows.setdefault(member.group, []).append(member.score)
        sizes[member.group] = member.size
    found = {group: _value(scores, sizes[group], holds) for group, scores in rows.items()}
    whole = {group: value for group, value in found.items() if value is not None}
    return whole, len(rows) - len(whole)


def _value(scores: Sequence[Score], size: int, holds: Holds) -> float | None:
    """What a group is worth; None where that is not known."""
    hits: list[float] = []
    for run in range(max(1, *(len(score.verdicts) for score in scores))):
        values = [value for score in scores if (value := _of_run(score, run)) is not None]
        if len(values) == size:
            hits.append(float(holds(values)))
    return sum(hits) / len(hits) if hits else None


def _of_run(score: Score, run: int) -> float | None:
    """A question's value by one run of the judge; by rule it is the same in all of them."""
    if not score.verdicts:
        return score.value
    return score.verdicts[run].value if run < len(score.verdicts) else None
