"""The readers of oracle folders, on folders like those of tests/golden but for one thing each; and what they refuse.

The folders are made from the smallest golden ones: values that no official code has, upper-case `<UNK>`, other paths.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.golden.kinds import FAMILIES, ORACLES, kinds
from tests.golden.oracles.reading import ABSENT, CHECKED, Check, Columns, Oracle, accuracy
from tests.golden.oracles.yes_no import vsr_files

pytestmark = pytest.mark.slow

Edit = Callable[[Any], None]


@pytest.fixture
def golden(shared: Path) -> Path:
    """The golden oracles."""
    return shared / "golden" / "oracles"


def edited(source: Path, target: Path, **edits: Edit) -> Path:
    """A copy of a golden folder with its cases or expected values changed in place."""
    shutil.copytree(source, target)
    for part, edit in edits.items():
        content = json.loads((source / f"{part}.json").read_text("utf-8"))
        edit(content)
        (target / f"{part}.json").write_text(json.dumps(content), "utf-8")
    return target


def compared(folder: Path, scratch: Path) -> tuple[int, Counter[str]]:
    """What all readers of a folder say of it: cases, and values that are absent."""
    told: Counter[str] = Counter()
    cases = 0

    def report(kind: str, value: Any) -> None:
        nonlocal cases
        if kind == CHECKED:
            cases += value
        else:
            assert kind == ABSENT
            told[value] += 1

    (kind,) = kinds(folder)
    for at, reader in enumerate(ORACLES[kind]):
        for variant in reader.variants:
            (own := scratch / f"{at} {variant}").mkdir(parents=True)
            reader(Oracle(folder, own, report, counting=variant == reader.variants[0]), variant)
    return cases, told


def column_of(expected: Any, column: str, value: Callable[[Any], Any]) -> None:
    """Change a column of every case."""
    for row in expected["per_case"]:
        row[column] = value(row[column])


def null_column(column: str) -> Edit:
    """A protocol without any official value."""

    def edit(expected: Any) -> None:
        column_of(expected, column, lambda _: None)
        for name in ("totals", "peer_totals"):
            expected[name] = {**expected.get(name, {}), column: None}

    return edit


NULL = {"pope": ("llava", "llava"), "vsr": ("tinygptv", "tinygpt_v"), "textvqa": ("vlmevalkit", "vlmevalkit")}
"""By folder: a column of expected values, and its protocol."""


@pytest.mark.parametrize("name", NULL)
def test_a_protocol_without_official_values_is_left_out_and_counted(golden: Path, tmp_path: Path, name: str) -> None:
    column, protocol = NULL[name]
    folder = edited(golden / name, tmp_path / name, expected=null_column(column))
    cases, absent = compared(folder, tmp_path / "scratch")
    rows = len(json.loads((folder / "expected.json").read_text("utf-8"))["per_case"])
    assert cases >= rows
    assert absent == {f"cases under {protocol}": rows, f"totals of {protocol}": 1}


def test_a_null_set_of_one_protocol_is_left_out_and_the_others_are_compared(golden: Path, tmp_path: Path) -> None:
    def null(expected: Any) -> None:
        next(iter(expected["sets"].values()))["lmms_eval"] = None

    def null_and_wrong(expected: Any) -> None:
        null(expected)
        table = next(iter(expected["sets"].values()))["llava_summarize"]
        label, row = next(iter(table.items()))
        table[label] = {**row, "relative": row["relative"] + 1} if isinstance(row, dict) else row + 1

    whole, _ = compared(golden / "llavaw", tmp_path / "whole")
    folder = edited(golden / "llavaw", tmp_path / "null" / "llavaw", expected=null)
    assert compared(folder, tmp_path / "scratch") == (whole, Counter({"sets under lmms_eval": 1}))
    folder = edited(golden / "llavaw", tmp_path / "wrong" / "llavaw", expected=null_and_wrong)
    with pytest.raises(AssertionError):
        compared(folder, tmp_path / "again")


@pytest.mark.parametrize("name", NULL)
def test_a_wrong_value_beside_null_ones_is_seen(golden: Path, tmp_path: Path, name: str) -> None:
    column, _ = NULL[name]

    def edit(expected: Any) -> None:
        null_column(column)(expected)
        row = expected["per_case"][7]
        other = next(key for key in row if key not in (column, "id", "idx", "question_id"))
        wrong: Mapping[object, object] = {"yes": "no", "no": "yes", "Yes": "No", "No": "Yes"}
        row[other] = wrong[row[other]] if isinstance(row[other], str) else 0.123

    folder = edited(golden / name, tmp_path / name, expected=edit)
    with pytest.raises(AssertionError, match="1 of"):
        compared(folder, tmp_path / "scratch")


@pytest.mark.parametrize("name", ["vqa", "okvqa"])
def test_the_unknown_token_in_capitals_is_read_as_the_official_codes_do(
    golden: Path, tmp_path: Path, name: str
) -> None:
    """All of them lower-case a text before they compare it, so that the official values are those of `<unk>`."""
    seen: list[str] = []

    def capitals(cases: Any) -> None:
        for case in cases:
            if "<unk>" in case["prediction"].lower():
                case["prediction"] = case["prediction"].lower().replace("<unk>", "<UNK>")
                seen.append(case["prediction"])

    folder = edited(golden / name, tmp_path / name, cases=capitals)
    assert len(seen) > 2
    cases, absent = compared(folder, tmp_path / "scratch")
    assert cases >= len(seen) and not absent


def test_a_new_benchmark_is_one_entry(golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = edited(golden / "vsr", tmp_path / "new_benchmark")
    assert kinds(folder) == []
    reader = Columns("vsr", vsr_files, {"minigpt_v2": "minigpt4"}, totals=accuracy(), cases="text_cases")
    monkeypatch.setitem(ORACLES, "new_benchmark", (reader,))
    assert compared(folder, tmp_path / "scratch") == (800, Counter())


def test_each_kind_has_one_reader_that_counts() -> None:
    assert sum(len(family.READERS) for family in FAMILIES) == len(ORACLES)
    for name, readers in ORACLES.items():
        labels = [(reader.name, variant) for reader in readers for variant in reader.variants]
        assert len(labels) == len(set(labels)), name
        assert not any(isinstance(reader, Check) and not reader.read.__doc__ for reader in readers), name
