"""Problems in one object by id (problems.json) and lists of ids by split (pid_splits.json): ScienceQA, IconQA.

Source: lupantech/ScienceQA data/scienceqa@2cbf8318; lupantech/IconQA data@4b053f31.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vlmbench.base.errors import DataError
from vlmbench.data.files import Row, read_keyed, read_object


def problems_of(path: Path, field: str, splits: Path | None, names: Sequence[str]) -> Iterator[tuple[str, str, Row]]:
    """(list, id, row) of the problems in the lists `names` of a file `splits`, in their order.

    Without that file the problems whose own `split` is one of `names`. `field` is one that each problem has once.
    Raises DataError for an id that is listed twice or that has no problem.
    """
    rows = read_keyed(path, field)
    if splits is None:
        own = ((row.text("split"), pid, row) for pid, row in rows.items())
        yield from (problem for problem in own if problem[0] in names)
        return
    lists = read_object(splits)
    seen: dict[str, str] = {}
    for name in names:
        for pid in lists.keys(name):
            if pid in seen:
                raise lists.error(name, f"{pid!r} is there twice: also in {seen[pid]!r}", "remove one of them")
            seen[pid] = name
            if pid not in rows:
                raise DataError(f"{path.name} has no problem {pid!r}", where=str(splits), hint="get both files again")
            yield name, pid, rows[pid]
