"""Shares of several categories that borrow from each other: the bars of a breakdown, shrunk towards their mean.

A bar of 15 questions says little by itself, but bars of one benchmark are rarely far apart. Their true shares are taken
for draws from a beta distribution with mean mu and variance phi mu (1 - mu), so that an estimate lies between the bar's
own share and mu: nearer to mu the fewer questions it has and the less bars differ (the beta-binomial model of Tak,
Kelly & Morris, Journal of Statistical Software 78(5), 2017). An interval with estimates of mu and phi in their place is
too narrow (Morris, Journal of the American Statistical Association 78, 1983), so both are integrated out, as is the
correlation rho of answers about one image, which is the same in all bars (see shares.py). Their priors: mu and rho are
uniform; phi's density is proportional to 1 - phi: nearly the uniform one of a variance (Stein's harmonic prior: Morris
& Tang, Statistical Science 26, 2011), but less where bars would be all right or all wrong.

What an interval promises: of the bars of a breakdown, 95 % are in theirs on average. A single bar that is truly far
from the others is drawn towards them and may be outside more often; its raw interval holds for that bar.

Images may have questions of several bars. What they have in common moves all bars at once and with them their mean, so
shrinking does not see it. By how much images widen the interval of the share over all bars, compared with images that
differ from bar to bar, is added to the distance of each end, in squares (MOVER: Zou & Donner, Statistics in Medicine
27, 2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vlmbench.stats.clustered.shares import DOMINATED, LONGEST, clustered, middles, part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LEAST = 4
"""Bars below which it is not known well enough how much they differ."""
SHARES, CORRELATIONS = 300, 10
"""Cells of p (evenly spaced on the arcsine scale) and of rho (on the scale of its root)."""
MEANS, SPREADS = 20, 12
"""Cells of mu and phi, likewise."""
DEPTH = 12.0
"""Log likelihood below the highest at which the finer grid of mu and phi ends."""


@dataclass(frozen=True)
class Answered:
    """Answers about one image that count for one bar: a row for each such pair."""

    bar: NDArray[np.intp]
    """(rows,) from 0; every bar has a row."""
    image: NDArray[np.intp]
    """(rows,) from 0."""
    right: Floats
    """(rows,) right answers; may be fractions (soft scores)."""
    asked: Floats
    """(rows,) questions, more than 0."""

    def by_bar(self, values: Floats) -> Floats:
        """(bars,) sums of (rows,) values."""
        import numpy as np

        return np.bincount(self.bar, weights=values).astype(np.float64)

    def by_image(self, values: Floats) -> Floats:
        """(images,) sums of (rows,) values, of those that have a row."""
        import numpy as np

        return np.bincount(self.image, weights=values)[np.bincount(self.image) > 0].astype(np.float64)


def shrunk(answered: Answered, level: float) -> tuple[Floats, Floats, Floats]:
    """(bars,) shares, low and high ends. Raises ValueError for fewer than LEAST bars, or where all are of one image."""
    import numpy as np

    asked = answered.by_bar(answered.asked)
    if len(asked) < LEAST or len(answered.by_image(answered.asked)) < 2:
        raise ValueError("too few bars or images to shrink")
    edges = np.linspace(0.0, 1.0, SHARES + 1)
    p = np.sin(np.pi / 4 * (edges[1:] + edges[:-1])) ** 2
    density = _posteriors(_likelihood(answered, p), p)
    value = density @ p
    low, high = (_quantiles(density, edges, tail) for tail in ((1 - level) / 2, (1 + level) / 2))
    share = answered.by_bar(answered.right) / asked
    low, high = np.where(share <= 0, 0.0, low), np.where(share >= 1, 1.0, high)
    below, above = _in_common(answered, level)
    low, high = value - np.hypot(value - low, below), value + np.hypot(high - value, above)
    return value, np.maximum(low, 0.0), np.minimum(high, 1.0)


def _likelihood(answered: Answered, p: Floats) -> Floats:
    """(bars, rho, p), each bar's highest 1. With one question per image there is one rho."""
    import numpy as np

    right, wrong = answered.right, answered.asked - answered.right
    if answered.asked.max() <= 1:
        log = np.outer(answered.by_bar(right), np.log(p)) + np.outer(answered.by_bar(wrong), np.log1p(-p))
        surface = log[:, None, :]
    else:
        rho = ((np.arange(CORRELATIONS) + 0.5) / CORRELATIONS) ** 2
        size = ((1 - rho) / rho)[:, None]
        surface = _rising(answered, right, p * size) + _rising(answered, wrong, (1 - p) * size)
        surface = _moved(surface - _rising(answered, answered.asked, size), answered, rho, p)
    return np.asarray(np.exp(surface - surface.max(axis=(1, 2), keepdims=True)))


def _rising(answered: Answered, counts: Floats, start: Floats) -> Floats:
    """(bars, *start) sums over the rows of each bar of log gamma(start + count) - log gamma(start)."""
    import numpy as np
    from scipy.special import gammaln

    bars = int(answered.bar.max()) + 1
    if counts.max() <= LONGEST and not np.any(counts % 1):
        steps = np.arange(max(1, int(counts.max())), dtype=np.float64)
        many = np.stack([np.bincount(answered.bar, weights=counts > step, minlength=bars) for step in steps], axis=1)
        terms = np.log(start + steps[:, None, None])
    else:
        known, codes = np.unique(np.round(counts, 2), return_inverse=True)
        places = answered.bar * len(known) + codes.reshape(-1)
        many = np.bincount(places, minlength=bars * len(known)).reshape(bars, -1).astype(np.float64)
        terms = gammaln(start + known[:, None, None]) - gammaln(start)
    return np.asarray(np.tensordot(many, terms, axes=1))


def _moved(surface: Floats, answered: Answered, rho: Floats, p: Floats) -> Floats:
    """The likelihood moved to each bar's share over all its questions, and widened to its variance."""
    import numpy as np

    asked, square = answered.by_bar(answered.asked), answered.by_bar(answered.asked**2)
    share, size = answered.by_bar(answered.right) / asked, asked / (1 + np.outer(rho, square / asked - 1))
    weights = 1 / (1 + np.outer(rho, answered.asked - 1))
    told, right = (
        np.stack([answered.by_bar(row * values) for row in weights]) for values in (answered.asked, answered.right)
    )
    more = (size * share - right).T[:, :, None] * np.log(p)
    more = more + (size * (1 - share) - (told - right)).T[:, :, None] * np.log1p(-p)
    moved = surface + np.where((asked**2 / square < DOMINATED)[:, None, None], 0.0, more)
    # What the images say about rho stays as it was.
    return np.asarray(moved + _mass(surface, p) - _mass(moved, p))


def _mass(surface: Floats, p: Floats) -> Floats:
    """(bars, rho, 1) log of the integral over p."""
    import numpy as np

    top = surface.max(axis=2, keepdims=True)
    return np.asarray(top + np.log((np.exp(surface - top) * np.sqrt(p * (1 - p))).sum(axis=2, keepdims=True)))


def _posteriors(likelihood: Floats, p: Floats) -> Floats:
    """(bars, p) what each bar's share may be, adding up to 1."""
    import numpy as np

    ends = (np.zeros(1), np.ones(1))
    u, w = ends, ends
    for finest in (False, True):
        prior, weight = _prior(middles(*u, MEANS)[0], middles(*w, SPREADS)[0], p)
        each = likelihood @ prior.T  # (bars, rho, mu and phi)
        v = (np.arange(each.shape[1]) + 0.5)[:, None]  # d rho = 2 v dv
        with np.errstate(divide="ignore"):
            chance = np.log(each).sum(axis=0) + np.log(weight) + np.log(v)
        chance -= chance.max()
        if not finest:
            seen = (chance.max(axis=0) > -DEPTH).reshape(MEANS, SPREADS)
            u, w = part(*u, seen.any(axis=1)[None, :]), part(*w, seen.any(axis=0)[None, :])
    chance = np.exp(chance)
    mixed = (chance / chance.sum() / np.maximum(each, 1e-300)) @ prior
    density = (likelihood * mixed).sum(axis=1)
    return np.asarray(density / density.sum(axis=1, keepdims=True))


def _prior(u: Floats, w: Floats, p: Floats) -> tuple[Floats, Floats]:
    """(mu and phi, p) masses of beta distributions, and (mu and phi,) how much they count.

    mu = sin^2(pi u / 2) and phi = w^2; a cell's width in them is part of how much it counts.
    """
    import numpy as np

    mu, phi = (
        side.ravel() for side in np.meshgrid(np.sin(np.pi / 2 * u) ** 2, np.clip(w**2, 1e-4, 1 - 1e-4), indexing="ij")
    )
    first, second = mu * (1 - phi) / phi, (1 - mu) * (1 - phi) / phi
    log = np.outer(first - 0.5, np.log(p)) + np.outer(second - 0.5, np.log1p(-p)) + np.log(np.pi / len(p))
    # The density may have a pole at either end, whose mass the middle of the cell misses.
    edge = float(np.sin(np.pi / 2 / len(p)) ** 2)
    log[:, 0], log[:, -1] = (side * np.log(edge) - np.log(side) for side in (first, second))
    masses = np.exp(log - log.max(axis=1, keepdims=True))
    masses /= masses.sum(axis=1, keepdims=True)
    return masses, np.sqrt(mu * (1 - mu) * phi) * (1 - phi)


def _quantiles(density: Floats, edges: Floats, tail: float) -> Floats:
    """(bars,) shares below which `tail` of the mass lies."""
    import numpy as np

    below = np.cumsum(density, axis=1)
    at = np.minimum((below < tail).sum(axis=1), below.shape[1] - 1)
    rows = np.arange(len(below))
    before = np.where(at > 0, below[rows, at - 1], 0.0)
    reached = np.clip((tail - before) / np.maximum(below[rows, at] - before, 1e-300), 0.0, 1.0)
    return np.asarray(np.sin(np.pi / 2 * (edges[at] + reached * np.diff(edges)[at])) ** 2)


def _in_common(answered: Answered, level: float) -> tuple[float, float]:
    """How far what images have in common moves all bars, downwards and upwards."""
    right, asked = answered.by_image(answered.right), answered.by_image(answered.asked)
    if len(asked) == len(answered.asked):
        return 0.0, 0.0
    share = float(right.sum() / asked.sum())
    reach = []
    for x, m in ((right, asked), (answered.right, answered.asked)):
        low, high = clustered(x[None, :], m, level)
        reach.append((share - float(low[0]), float(high[0]) - share))
    below, above = (max(0.0, whole**2 - apart**2) ** 0.5 for whole, apart in zip(*reach, strict=True))
    return below, above
