"""Benchmarks whose questions stand in groups, and count as wholes: pairs, figures, questions on several images.

A sample names its groups in `Sample.extra`, one entry per kind of group; `sized` adds how many questions each has, as
`groups`. Figures: vlmbench.stats.figures.question_groups, with the sample's cluster, in which all its groups must lie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from vlmbench.base.samples import Sample
from vlmbench.families.base import Scored
from vlmbench.stats.figures.question_groups import Member, all_right
from vlmbench.stats.metrics import Metric


def sized(samples: Sequence[Sample], kinds: Sequence[str]) -> list[Sample]:
    """Samples that know how many questions are in each of their groups; an empty name is no group."""
    counts = {kind: Counter(sample.extra[kind] for sample in samples) for kind in kinds}
    return [
        replace(s, extra={**s.extra, "groups": {kind: counts[kind][s.extra[kind]] for kind in kinds if s.extra[kind]}})
        for s in samples
    ]


def whole_groups(name: str, scored: Scored, kind: str, *, breakdown: str = "", label: str = "") -> Metric:
    """The share of the groups of one kind in which all questions are right."""
    return all_right(name, members(scored, kind), breakdown=breakdown, label=label)


def members(scored: Scored, kind: str) -> list[Member]:
    """The questions that have a group of one kind."""
    return [
        Member(sample.extra[kind], sample.extra["groups"][kind], sample.cluster, score)
        for sample, score in scored
        if sample.extra[kind]
    ]
