"""People's labels beside a judge's grades, in words for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vlmbench.base.process.terminal import aligned
from vlmbench.compare.labels.estimates import Labelled
from vlmbench.stats.judges.prediction_powered import FEWEST, Estimated

from ..runs import level_words


def text(found: Sequence[Labelled], level: float) -> str:
    """A table per task, and what it says."""
    return "\n\n".join("\n".join(_of_task(one, level)) for one in found)


def _of_task(one: Labelled, level: float) -> Iterator[str]:
    yield f"{one.task}: {one.metric}, {one.labels} answers graded by people (scale {one.scale})"
    if one.found is None:
        yield f"  fewer than {FEWEST} images have labels: no estimate"
        return
    rows = [("", "value", level_words([level]))]
    rows.append(("judge, all answers", f"{one.judge:.1f}" if one.factor != 1 else f"{one.judge:.2f}", "-"))
    for name, estimate in (
        ("judge and labels together", one.found.value),
        ("labels alone", one.found.people),
        ("judge less people (bias)", one.found.bias),
    ):
        rows.append((name, *_numbers(estimate.scaled(one.factor), one.factor)))
    yield from (f"  {line}" for line in aligned(rows, (1,)))
    kappa, alpha = ("-" if value is None else f"{round(value, 2) + 0:.2f}" for value in (one.kappa, one.alpha))
    yield f"  agreement of judge and people: weighted kappa {kappa}, Krippendorff's alpha {alpha}"
    more = one.found.needed
    yield (
        "  no number of labels would halve the width: the judge's own grades vary as much"
        if more is None
        else f"  {more:,} labels more would halve the width"
    )


def _numbers(estimate: Estimated, factor: float) -> tuple[str, str]:
    places = 1 if factor != 1 else 2
    return f"{estimate.value:.{places}f}", f"[{estimate.low:.{places}f}, {estimate.high:.{places}f}]"
