"""Metrics over resampled clusters: the bootstrap's weights and draws.

One resample is a vector of cluster counts, B of them are a matrix, and all resampled values come from one product:

    weights (B x C) @ cluster sums (C x k) -> (B x k) -> combine -> (B,)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vlmbench.base.metric import Floats, Metric

    Counts = NDArray[np.uint16]

BLOCK = 1 << 22
"""Cells of a weight or result matrix held at once: 32 MiB of float64."""


def cluster_codes(clusters: Sequence[str]) -> tuple[NDArray[np.intp], int]:
    """Each item's cluster as a number in the order of names (not of rows), and how many clusters there are."""
    place = {name: index for index, name in enumerate(sorted(set(clusters)))}
    return codes_in(clusters, place), len(place)


def codes_in(clusters: Sequence[str], place: Mapping[str, int]) -> NDArray[np.intp]:
    """Each item's cluster as its number in `place`."""
    import numpy as np

    return np.fromiter((place[name] for name in clusters), dtype=np.intp, count=len(clusters))


def cluster_sums(items: Floats, codes: NDArray[np.intp], count: int) -> Floats:
    """(C, k): what each cluster adds to the k sums."""
    import numpy as np

    sums = np.zeros((count, items.shape[1]))
    if items.shape[1] <= 16:  # bincount is much faster than add.at, but works column by column
        for column in range(items.shape[1]):
            sums[:, column] = np.bincount(codes, weights=items[:, column], minlength=count)
    else:
        np.add.at(sums, codes, items)
    return sums


def resampled(metric: Metric, codes: NDArray[np.intp], count: int, resamples: int, seed: int) -> Floats:
    """(resamples,) values of the metric over resampled clusters 0..count, of which `codes` are the items' own."""
    import numpy as np

    sums = None if metric.of_weights else cluster_sums(metric.items, codes, count)
    rows = max(1, BLOCK // (max(count, len(metric.items)) if sums is None else max(sums.shape)))
    values: list[Floats] = []
    for block in _weights(count, resamples, seed):
        for start in range(0, len(block), rows):
            drawn = block[start : start + rows].astype(np.float64)
            weighted = drawn[:, codes] if sums is None else drawn @ sums
            values.append(np.asarray(metric.combine(weighted), dtype=np.float64))
    return np.concatenate(values)


def _weights(count: int, resamples: int, seed: int) -> Iterator[Counts]:
    """Blocks of rows of the weight matrix: how often each resample drew each cluster.

    A row is one multinomial draw of C out of C. Small matrices are kept, as other metrics have the same clusters.
    """
    if count * resamples <= BLOCK:
        yield _kept_weights(count, resamples, seed)
    else:
        yield from _draw_weights(count, resamples, seed)


@lru_cache(maxsize=64)
def _kept_weights(count: int, resamples: int, seed: int) -> Counts:
    import numpy as np

    weights = np.concatenate(list(_draw_weights(count, resamples, seed)))
    weights.setflags(write=False)
    return weights


def _draw_weights(count: int, resamples: int, seed: int) -> Iterator[Counts]:
    import numpy as np

    generator = np.random.default_rng([seed, count])
    rows = max(1, (BLOCK // 4) // count)
    for start in range(0, resamples, rows):
        height = min(rows, resamples - start)
        drawn = generator.integers(0, count, size=(height, count), dtype=np.int64)
        drawn += np.arange(height, dtype=np.int64)[:, None] * count  # each row counts in bins of its own
        yield np.bincount(drawn.ravel(), minlength=height * count).reshape(height, count).astype(np.uint16)
