"""The table of built-in benchmarks: light, complete, sorted by family."""

from __future__ import annotations

import subprocess
import sys
from itertools import groupby

import pytest

from vlmbench.base.registry import tasks
from vlmbench.cli.verbs.tasks import licences
from vlmbench.tasks.catalog import TASKS


def test_names_lead_to_their_own_benchmark() -> None:
    assert {name: tasks.get(name).name for name in TASKS} == {name: name for name in TASKS}


def test_benchmarks_of_a_family_stand_together() -> None:
    families = [target.split(".")[2] for target in TASKS.values()]
    assert len([family for family, _ in groupby(families)]) == len(set(families))


def test_the_table_imports_no_benchmark() -> None:
    code = "import sys, vlmbench.tasks.catalog; print(*[name for name in sys.modules if '.tasks.' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["vlmbench.tasks.catalog"]


@pytest.mark.parametrize("name", TASKS)
def test_the_list_names_a_licence(name: str) -> None:
    """Of a benchmark's data, as `vlmbench tasks` tells it; "not stated" is one."""
    assert licences(tasks.get(name))
