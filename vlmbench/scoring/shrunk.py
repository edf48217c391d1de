"""The bars of breakdowns, shrunk towards their mean: what stands beside the raw ones where it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vlmbench.stats.clustered.shrinkage import LEAST

if TYPE_CHECKING:
    from vlmbench.base.metric import Metric
    from vlmbench.stats.clustered.kinds import Share

FIELD = "shrunk"
"""What scores.json calls it, in the entry of a bar."""
MEANING = "drawn towards the mean of the breakdown; intervals hold on average over its bars, not for each bar"
"""What has to be said wherever they are shown."""
ALONE, NO_SHARES, ONE_IMAGE = f"fewer than {LEAST} bars", "no shares of right answers", "one image"


def of_metrics(metrics: Sequence[Metric], level: float) -> dict[str, dict[str, float | str]]:
    """By bar's name `{value, low, high}`; `{reason}` for all bars of a breakdown that cannot be shrunk.

    Bars without a value are left out. Sources and formulas: vlmbench.stats.clustered.shrinkage.
    """
    breakdowns: dict[str, list[Metric]] = {}
    for metric in metrics:
        if metric.breakdown and metric.value() == metric.value():
            breakdowns.setdefault(metric.breakdown, []).append(metric)
    found: dict[str, dict[str, float | str]] = {}
    for bars in breakdowns.values():
        found |= _of_breakdown(bars, level)
    return found


def added(entry: Mapping[str, Any], shrunk: Mapping[str, Mapping[str, float | str]]) -> dict[str, Any]:
    """A task's entry of scores.json with what `of_metrics` found of its bars."""
    return {name: {**part, FIELD: dict(shrunk[name])} if name in shrunk else part for name, part in entry.items()}


def _of_breakdown(bars: Sequence[Metric], level: float) -> dict[str, dict[str, float | str]]:
    from vlmbench.stats.clustered import kinds, shrinkage
    from vlmbench.stats.clustered.between_runs import with_runs

    shares = [share for bar in bars if (share := kinds.share_of(bar)) is not None]
    images = {name for bar in bars for name in bar.clusters}
    checks = ((len(bars) < LEAST, ALONE), (len(shares) < len(bars), NO_SHARES), (len(images) < 2, ONE_IMAGE))
    if reason := next((reason for failed, reason in checks if failed), ""):
        return {bar.name: {"reason": reason} for bar in bars}
    answered = _answered(bars, shares)
    found: dict[str, dict[str, float | str]] = {}
    for place, ends in enumerate(zip(*shrinkage.shrunk(answered, level), strict=True)):
        value, low, high = (shares[place].value(float(end)) for end in ends)
        low, high = with_runs(bars[place], value, (low, high), level)
        found[bars[place].name] = {"value": value, "low": low, "high": high}
    return found


def _answered(bars: Sequence[Metric], shares: Sequence[Share]) -> Any:
    import numpy as np

    from vlmbench.stats.clustered.resampling import codes_in
    from vlmbench.stats.clustered.shrinkage import Answered

    places = {name: at for at, name in enumerate(sorted({name for bar in bars for name in bar.clusters}))}
    rows: list[tuple[Any, ...]] = []
    for place, (bar, share) in enumerate(zip(bars, shares, strict=True)):
        codes = codes_in(bar.clusters, places)
        images = np.unique(codes[share.asked > 0])
        right, asked = share.by_cluster(codes, len(places))
        rows.append((np.full(len(images), place), images, right, asked))
    return Answered(*(np.concatenate(column) for column in zip(*rows, strict=True)))
