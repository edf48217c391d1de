"""The interval of a share of right answers whose questions come in clusters: beta-binomial, correlation integrated out.

The clusters' difficulties follow a beta distribution with mean p and correlation rho (between two answers of one
cluster), so that x_c right answers of m_c are beta-binomial (Skellam, Journal of the Royal Statistical Society B 10,
1948). The likelihood is integrated over rho, all values of which count alike, and times a prior of p; the ends are
quantiles of what is left. Few clusters leave rho open, and an interval has to hold for every rho that they allow. With
one question per cluster rho vanishes, and the ends are quantiles of beta distributions, between Jeffreys' (no margin)
and Clopper & Pearson's (a margin of 1/2; Brown, Cai & DasGupta, Statistical Science 16, 2001).

What is printed is the share over all questions, in which a cluster counts by its size; the likelihood alone would weigh
clusters by what they tell. Where clusters differ in size, the likelihood for each rho is therefore that of n_eff =
n / (1 + (s - 1) rho) independent answers with this share, s = sum m_c^2 / n (Kish, Survey Sampling, 1965), or another
s where hard clusters have more questions by construction (F1). Where a few clusters have most of the questions, that
share is no approximately normal sum: the likelihood stays as it is, and the interval is only made to reach the share.

Clusters need not be beta-distributed. The more of them turned out the rarer way, the more their own variance counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MARGIN = 0.25
"""How far both priors of p lean outwards, in answers: 0 is Jeffreys' interval, 1/2 Clopper & Pearson's."""
SHARES, CORRELATIONS = 40, 16
"""Points of the grid of p (evenly spaced on the arcsine scale) and of rho (on the scale of its root)."""
DEPTH = 16.0
"""Log likelihood below the highest at which the grid ends."""
DOMINATED = 5.0
"""Effective number of clusters, n / s, below which a few of them have most of the questions."""
FEW = 20.0
"""Clusters that turned out the rarer way, up to which their variance is not believed by itself."""
LONGEST = 200
"""Answers of a cluster above which gamma functions are computed instead of sums of logarithms."""


def binomial(right: Floats, asked: Floats, level: float) -> tuple[Floats, Floats]:
    """(...,) ends of shares of independent answers: `right` of `asked`; neither needs to be a whole number."""
    import numpy as np
    from scipy.special import betaincinv

    tail, wrong = (1 - level) / 2, asked - right
    shift = 0.5 - MARGIN
    low = betaincinv(right + shift, wrong + 1 - shift, tail)
    high = betaincinv(right + 1 - shift, wrong + shift, 1 - tail)
    return np.where(right <= 0, 0.0, low), np.where(wrong <= 0, 1.0, high)


def clustered(
    right: Floats, asked: Floats, level: float, *, telling: bool = False, question: float = 1.0
) -> tuple[Floats, Floats]:
    """(runs,) ends of the share over all questions: (runs, C) right answers of (C,) questions per cluster.

    Right answers may be fractions (soft scores). `telling`: how many questions a cluster has depends on how hard it is.
    `question`: how many answers a question counts as. Those of one question have no correlation to be found out.
    """
    import numpy as np

    if float(asked.max()) <= question:
        return binomial(right.sum(axis=1), np.asarray(asked.sum()), level)
    grid = _Grid.whole(len(right))
    tallies = _Tallies.of(right, asked)
    for _ in range(6):
        surface = tallies.surface(grid)
        finer = grid.around(surface)
        if finer is None:
            break
        grid = finer
    if telling or (float(np.ptp(asked)) > 0 and float(asked.sum()) ** 2 / float(asked @ asked) >= DOMINATED):
        surface, grid = _around_share(surface, grid, right, asked, telling)
    tail = (1 - level) / 2
    low, high = _quantile(surface, grid, -MARGIN, tail), _quantile(surface, grid, MARGIN, 1 - tail)
    share = right.sum(axis=1) / asked.sum()
    low, high = np.minimum(low, share), np.maximum(high, share)
    trust, own = _own_spread(right, asked, share, level)
    low, high = (end + trust * (other - end) for end, other in zip((low, high), own, strict=True))
    return np.where(share <= 0, 0.0, low), np.where(share >= 1, 1.0, high)


def effective(right: Floats, asked: Floats) -> Floats:
    """(2, runs) effective numbers of clusters that are not all right, and of those that are not all wrong.

    Of clusters of sizes m that is (sum m)^2 / sum m^2 (Kish): one with half of all questions does not count as one.
    """
    import numpy as np

    sizes = np.stack([np.where(side, asked, 0.0) for side in (right < asked, right > 0)])
    return np.asarray(sizes.sum(axis=2) ** 2 / np.maximum((sizes * sizes).sum(axis=2), 1e-9))


def _own_spread(right: Floats, asked: Floats, share: Floats, level: float) -> tuple[Floats, tuple[Floats, Floats]]:
    """(runs,) how much the clusters' own variance counts, 1 - FEW / k with k effective clusters; (runs,) ends by it.

    Clusters need not be beta-distributed. These are the ends of as many independent answers as have the share's error.
    """
    import numpy as np

    count = len(asked)
    off = right - share[:, None] * asked
    variance = count / max(1, count - 1) * (off * off).sum(axis=1) / asked.sum() ** 2
    trust = np.where(variance > 0, np.maximum(0.0, 1 - FEW / np.maximum(effective(right, asked).min(axis=0), FEW)), 0.0)
    size = np.where(variance > 0, share * (1 - share) / np.maximum(variance, 1e-12), 1.0)
    return trust, binomial(share * size, size, level)


@dataclass(frozen=True)
class _Grid:
    """Cells of (p, rho), another range in each run: p = sin^2(pi u / 2), rho = v^2."""

    u: tuple[Floats, Floats]
    """(runs,) ends of u."""
    v: tuple[Floats, Floats]

    @staticmethod
    def whole(runs: int) -> _Grid:
        """All of both."""
        import numpy as np

        zeros, ones = np.zeros(runs), np.ones(runs)
        return _Grid((zeros, ones), (zeros, ones))

    def middles(self) -> tuple[Floats, Floats]:
        """(runs, SHARES) u and (runs, CORRELATIONS) v of the middles of cells."""
        return middles(*self.u, SHARES), middles(*self.v, CORRELATIONS)

    @property
    def p(self) -> Floats:
        """(runs, SHARES)."""
        import numpy as np

        return np.asarray(np.sin(np.pi / 2 * self.middles()[0]) ** 2)

    @property
    def rho(self) -> Floats:
        """(runs, CORRELATIONS)."""
        import numpy as np

        return np.asarray(np.clip(self.middles()[1] ** 2, 1e-6, 1 - 1e-6))

    def around(self, surface: Floats) -> _Grid | None:
        """The part of the grid that matters, a cell more on each side; None if it is most of this one in all runs."""
        import numpy as np

        seen = surface > surface.max(axis=(1, 2), keepdims=True) - DEPTH
        u = part(*self.u, seen.any(axis=2))
        v = part(*self.v, seen.any(axis=1))
        # Each run by itself, so that a run's interval does not depend on those computed with it.
        smaller = np.any(
            [(new[1] - new[0]) < 0.6 * (old[1] - old[0]) for new, old in ((u, self.u), (v, self.v))], axis=0
        )
        if not smaller.any():
            return None
        ends = [np.where(smaller, new, old) for new, old in zip((*u, *v), (*self.u, *self.v), strict=True)]
        return _Grid((ends[0], ends[1]), (ends[2], ends[3]))


def middles(low: Floats, high: Floats, cells: int) -> Floats:
    """(runs, cells) middles of as many cells of equal width between two ends."""
    import numpy as np

    return np.asarray(low[:, None] + (high - low)[:, None] * ((np.arange(cells) + 0.5) / cells))


def part(low: Floats, high: Floats, seen: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """(runs,) ends of the cells that are seen and one more, of (runs, cells)."""
    import numpy as np

    cells = seen.shape[1]
    first, last = seen.argmax(axis=1) - 1, cells - seen[:, ::-1].argmax(axis=1) + 1
    width = (high - low) / cells
    return low + width * np.maximum(first, 0), low + width * np.minimum(last, cells)


@dataclass(frozen=True)
class _Tallies:
    """The clusters of each run, as far as the likelihood sees them: how many have which counts."""

    values: tuple[Floats, Floats, Floats]
    """Distinct counts of right answers, of wrong ones, of questions."""
    clusters: tuple[Floats, Floats, Floats]
    """(runs, values): how many clusters have them; of whole counts that are not too large, how many exceed them."""
    whole: bool

    @staticmethod
    def of(right: Floats, asked: Floats) -> _Tallies:
        """Counted from (runs, C) and (C,)."""
        import numpy as np

        whole = bool(asked.max() <= LONGEST) and not bool(np.any(right % 1)) and not bool(np.any(asked % 1))
        values, clusters = [], []
        for counts in (right, asked - right, np.broadcast_to(asked, (1, len(asked)))):
            if whole:
                steps = np.arange(int(counts.max()))
                exceed = [(counts > step).sum(axis=1) for step in steps]
                values.append(steps.astype(np.float64))
                clusters.append(np.stack(exceed, axis=1).astype(np.float64) if exceed else np.zeros((len(counts), 0)))
            else:
                known, codes = np.unique(np.round(counts, 6), return_inverse=True)
                rows = np.arange(len(counts))[:, None] * len(known) + codes.reshape(counts.shape)
                tally = np.bincount(rows.ravel(), minlength=len(counts) * len(known))
                values.append(known)
                clusters.append(tally.reshape(len(counts), -1).astype(np.float64))
        return _Tallies((values[0], values[1], values[2]), (clusters[0], clusters[1], clusters[2]), whole)

    def surface(self, grid: _Grid) -> Floats:
        """(runs, SHARES, CORRELATIONS) log likelihood."""
        import numpy as np

        p, rho = grid.p[:, :, None], grid.rho[:, None, :]
        size = (1 - rho) / rho
        total = self._added(p * size, 0) + self._added((1 - p) * size, 1)
        return np.asarray(total - self._added(size, 2))

    def _added(self, start: Floats, place: int) -> Floats:
        """Sum over clusters of log gamma(start + count) - log gamma(start)."""
        import numpy as np
        from scipy.special import gammaln

        total = np.zeros_like(start)
        for value, clusters in zip(self.values[place], self.clusters[place].T, strict=True):
            many = clusters[:, None, None]
            total += many * (np.log(start + value) if self.whole else gammaln(start + value) - gammaln(start))
        return total


def _around_share(surface: Floats, grid: _Grid, right: Floats, asked: Floats, telling: bool) -> tuple[Floats, _Grid]:
    """The likelihood of as many independent answers as the clusters are worth, for each rho; and its grid."""
    import numpy as np

    share = (right.sum(axis=1) / asked.sum())[:, None]
    seen = _seen(right, asked, share) if telling else float(asked @ asked) / float(asked.sum())
    size = asked.sum() / (1 + (seen - 1) * grid.rho)
    # What the clusters say about rho stays as it was.
    mass = _mass(surface, grid)
    grid = _Grid(_Grid.whole(len(right)).u, grid.v)
    for _ in range(6):
        p = grid.p[:, :, None]
        moved = size[:, None, :] * (share[:, :, None] * np.log(p) + (1 - share[:, :, None]) * np.log1p(-p))
        moved = moved + mass - _mass(moved, grid)
        finer = grid.around(moved)
        if finer is None:
            break
        grid = _Grid(finer.u, grid.v)
    return np.asarray(moved), grid


def _seen(right: Floats, asked: Floats, share: Floats) -> Floats:
    """(runs, 1) the size of clusters as answers see it that are off the share: wrong ones by p, right ones by 1 - p.

    Without a link between size and difficulty that is s. F1's hard images have more questions that count, since false
    positives do and true negatives do not.
    """
    import numpy as np

    wrong = asked - right
    sizes = [(side @ asked / np.maximum(side.sum(axis=1), 1e-9))[:, None] for side in (wrong, right)]
    return np.asarray(np.maximum(1.0, share * sizes[0] + (1 - share) * sizes[1]))


def _mass(surface: Floats, grid: _Grid) -> Floats:
    """(runs, 1, CORRELATIONS) log of the sum over p."""
    import numpy as np

    top = surface.max(axis=1, keepdims=True)
    width = np.sin(np.pi * grid.middles()[0])[:, :, None]
    return np.asarray(top + np.log((np.exp(surface - top) * width).sum(axis=1, keepdims=True)))


def _quantile(surface: Floats, grid: _Grid, lean: float, tail: float) -> Floats:
    """(runs,) where the share `tail` of the posterior lies below, with the prior of p leaning by `lean` answers."""
    import numpy as np

    p, rho = grid.p, grid.rho
    of_p = (lean - 0.5) * np.log(p) - (lean + 0.5) * np.log1p(-p) + np.log(np.sin(np.pi * grid.middles()[0]))
    whole = surface + 0.5 * np.log(rho)[:, None, :]  # d rho = 2 v dv
    density = np.exp(whole - whole.max(axis=(1, 2), keepdims=True)).sum(axis=2)
    density *= np.exp(of_p - of_p.max(axis=1, keepdims=True))
    below = np.cumsum(density, axis=1)
    below /= below[:, -1:]
    at = (below < tail).sum(axis=1)
    rows = np.arange(len(below))
    before = np.where(at > 0, below[rows, at - 1], 0.0)
    part = (tail - before) / np.maximum(below[rows, at] - before, 1e-300)
    u = grid.u[0] + (grid.u[1] - grid.u[0]) / SHARES * (at + part)
    return np.asarray(np.sin(np.pi / 2 * u) ** 2)
