"""How far two graders agree: Cohen's kappa with quadratic weights, and Krippendorff's alpha."""

from __future__ import annotations

import math
from collections.abc import Sequence


def weighted_kappa(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Cohen's kappa with weights by the square of the difference (Psychological Bulletin 70, 1968).

    1 is agreement, 0 chance, below 0 less than chance. For grades of two values it is the plain kappa. None where both
    graders always say the same one thing.
    """
    import numpy as np

    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    seen = float(np.mean((one - other) ** 2))
    chance = float(np.mean((one[:, None] - other[None, :]) ** 2))
    return 1 - seen / chance if chance > 0 else None


def krippendorff_alpha(rows: Sequence[Sequence[float | None]]) -> float | None:
    """For grades on an interval scale; one row per answer, a grade per grader. None where it is undefined."""
    import krippendorff
    import numpy as np

    grades = np.array(rows, dtype=np.float64).reshape(len(rows), -1).T
    finite = grades[np.isfinite(grades)]
    if len(grades) < 2 or len(np.unique(finite)) < 2:
        return None
    alpha = float(krippendorff.alpha(reliability_data=grades, level_of_measurement="interval"))
    return alpha if math.isfinite(alpha) else None
