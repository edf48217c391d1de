"""`make golden GOLDEN=DIR` = `pytest tests/golden --golden DIR`: what the official code returned, against ours.

DIR is a tree of golden folders, a part of one, or one folder (tests/golden/folders.py). Folders that no test reads are
listed; where no case was checked, the run fails and says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pytest

from tests.golden.folders import golden_folders, labels
from tests.golden.kinds import ORACLES, kinds
from tests.golden.oracles.reading import CHECKED, Oracle, Reader
from tests.golden.report import Report

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Found:
    """The golden folders of a session, each with its name in the summary and its kinds."""

    root: Path
    labels: Mapping[Path, str]
    kinds: Mapping[Path, list[str]]


FOUND = pytest.StashKey[Found]()


def find(config: pytest.Config) -> Found:
    """The golden folders in use."""
    if FOUND not in config.stash:
        root = Path(config.getoption("--golden") or ROOT.parent / "shared" / "golden")
        folders = labels(golden_folders(root), root)
        config.stash[FOUND] = Found(root, folders, {folder: kinds(folder) for folder in folders})
    return config.stash[FOUND]


def pytest_configure(config: pytest.Config) -> None:
    """The process that prints a summary adds up what the tests report; tests/conftest.py calls this too."""
    if not hasattr(config, "workerinput") and not config.pluginmanager.has_plugin("golden"):
        asked = config.getoption("--golden") is not None
        found = find(config)
        unread = [found.labels[folder] for folder, fitting in found.kinds.items() if not fitting]
        config.pluginmanager.register(Report(found.root, found.labels.values(), unread, asked), "golden")


def parity_cases(metafunc: pytest.Metafunc, found: Found) -> None:
    """`parity_folder` is each folder of a kind in the test module's `KINDS`."""
    read = [folder for folder, fitting in found.kinds.items() if {*fitting} & {*metafunc.module.KINDS}]
    names = [found.labels[folder] for folder in read] or ["none"]
    metafunc.parametrize("parity_folder", read or [None], ids=names, scope="session")


def oracle_cases(metafunc: pytest.Metafunc, found: Found) -> None:
    """`comparison` is each reader of each oracle folder, under each of its variants; None without the folder."""
    cases: dict[str, tuple[Path | None, Reader, str]] = {}
    for kind, readers in ORACLES.items():
        here: list[Path | None] = [folder for folder, fitting in found.kinds.items() if kind in fitting]
        for folder, reader in product(here or [None], readers):
            for variant in reader.variants:
                label = found.labels[folder] if folder else kind
                cases["-".join(filter(None, (label, reader.name, variant)))] = folder, reader, variant
    metafunc.parametrize("comparison", cases.values(), ids=cases.keys())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per golden folder and reader."""
    for fixture, cases in (("parity_folder", parity_cases), ("comparison", oracle_cases)):
        if fixture in metafunc.fixturenames:
            cases(metafunc, find(metafunc.config))


def kind_absent(item: pytest.Item) -> str:
    """`parity` or `oracle` for a test of a kind of folder that is not there; "" for others."""
    params: dict[str, object] = getattr(getattr(item, "callspec", None), "params", {})
    if "parity_folder" in params and params["parity_folder"] is None:
        return "parity"
    comparison = params.get("comparison")
    return "oracle" if isinstance(comparison, tuple) and comparison[0] is None else ""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of kinds of folders that are not there are left out where others are, and skip where none is.

    In the shared folder every benchmark's oracle has to be there: its tests skip, which VLMBENCH_REQUIRE fails.
    """
    found, asked = find(config), config.getoption("--golden") is not None
    idle = {item: absent for item in items if (absent := kind_absent(item))}
    left_out = {item for item, absent in idle.items() if found.labels and (absent == "parity" or asked)}
    config.hook.pytest_deselected(items=[*left_out])
    items[:] = [item for item in items if item not in left_out]
    for item in idle.keys() - left_out:
        item.add_marker(pytest.mark.skip(reason=f"no golden data of this kind under {found.root}"))


@pytest.fixture
def counted(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Callable[[Path, int], None]:
    """Tests of parity folders say here how many cases of a folder they checked."""
    names = find(request.config).labels
    return lambda folder, cases: record_property(CHECKED, [names[folder], cases])


@pytest.fixture
def oracle(
    request: pytest.FixtureRequest,
    comparison: tuple[Path, Reader, str],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> Oracle:
    """The oracle folder of a comparison; what is counted goes into the test's report."""
    folder, reader, variant = comparison
    label = find(request.config).labels[folder]
    return Oracle(
        folder,
        tmp_path,
        lambda kind, value: record_property(kind, [label, value]),
        counting=variant == reader.variants[0],
    )
