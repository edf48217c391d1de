"""Options that were renamed before the first release: the old name is refused with the new one, and is no alias."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from vlmbench.base.errors import UsageError

RENAMED: Mapping[str, str] = {
    "ablate": "perturb",
    "exact": "recheck_ties",
    "batch": "batch_size",
    "must_find": "min_detectable_drop",
}


def as_flag(name: str) -> str:
    """`batch_size` as the command line spells it: `--batch-size`."""
    return f"--{name.replace('_', '-')}"


def refuse_old_names(names: Iterable[str], spelling: Callable[[str], str] = str) -> None:
    """Raise UsageError for an option's old name. `spelling` turns a keyword into what the user writes."""
    for name in names:
        if name in RENAMED:
            old, new = spelling(name), spelling(RENAMED[name])
            raise UsageError(f"{old} is now called {new}", hint=f"write {new}: it takes the same values")
