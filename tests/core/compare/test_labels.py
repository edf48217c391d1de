"""Sheets of answers for people to grade, what is wrong with filled ones, and the estimates from the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from vlmbench.base.errors import UsageError, VlmbenchError
from vlmbench.base.process import exit_codes
from vlmbench.cli.main import main
from vlmbench.compare.labels import sheet
from vlmbench.runs.storage import reload

Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judged run: every answer has half a point."""
    folder = tmp_path_factory.mktemp("judged") / "run"
    words = ["run", "--model", "echo,text=red", "--tasks", "mmvet", "--judge", "echo,text=0.5"]
    assert main([*words, "--output", str(folder)]) == exit_codes.OK
    return folder


def rows_of(path: Path) -> Rows:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: Rows) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, sheet.COLUMNS)
        table.writeheader()
        table.writerows(rows)
    return path


@pytest.fixture
def filled(run: Path, tmp_path: Path) -> Rows:
    assert main(["judge", "label", str(run), "--count", "12", "--output", str(tmp_path / "l.csv")]) == exit_codes.OK
    rows = rows_of(tmp_path / "l.csv")
    return [{**row, "grade": str((0, 1, 0.4)[number % 3])} for number, row in enumerate(rows)]


def test_a_draw_is_seeded_and_takes_whole_images(run: Path) -> None:
    (task,) = reload.load(run).tasks.values()
    drawn = sheet.draw(task, 12, 0)
    images = {item.sample.cluster for item in drawn}
    assert [item.sample.id for item in sheet.graded(task) if item.sample.cluster in images] == sorted(
        (item.sample.id for item in drawn), key=[item.sample.id for item in sheet.graded(task)].index
    )
    assert 12 <= len(drawn) <= 14 and drawn == sheet.draw(task, 12, 0)
    assert drawn != sheet.draw(task, 12, 1) and drawn == sheet.draw(task, 30, 0)[: len(drawn)]


def test_the_sheet_does_not_show_the_judges_grade(filled: Rows) -> None:
    assert set(filled[0]) == set(sheet.COLUMNS) and filled[0]["scale"] == "0 to 1"
    assert not any("0.5" in value for row in filled for name, value in row.items() if name not in ("grade", "scale"))


def test_cells_are_no_formulas(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ["run", "--model", "echo,text==1+1", "--tasks", "mmvet", "--limit", "3", "--judge", "echo,text=1"]
    assert main([*words, "--output", str(folder)]) == exit_codes.OK
    assert main(["judge", "label", str(folder), "--output", str(tmp_path / "l.csv")]) == exit_codes.OK
    assert {row["answer"] for row in rows_of(tmp_path / "l.csv")} == {"'=1+1"}


def test_estimates(run: Path, filled: Rows, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "labels.csv", [*filled[:-1], {**filled[-1], "grade": " "}])
    capsys.readouterr()
    assert main(["score", str(run), "--labels", str(path), "--json"]) == exit_codes.OK
    found = json.loads(capsys.readouterr().out)["mmvet"]
    people = sum(float(row["grade"]) for row in filled[:-1]) / len(filled[:-1])
    assert found["metric"] == "total" and found["judge"] == 50 and found["labels"] == len(filled) - 1
    assert found["people"]["value"] == pytest.approx(100 * people)
    assert found["bias"]["value"] == pytest.approx(50 - 100 * people)
    assert found["weight"] == 0 and found["value"]["value"] == pytest.approx(100 * people)
    assert main(["score", str(run), "--labels", str(path)]) == exit_codes.OK
    assert "judge and labels together" in capsys.readouterr().out


def test_few_labels_give_no_estimate(
    run: Path, filled: Rows, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "labels.csv", filled[:3])
    assert main(["score", str(run), "--labels", str(path)]) == exit_codes.OK
    assert "fewer than 7 images have labels: no estimate" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"task": "gqa"}, "'gqa' is no task of the run"),
        ({"sample_id": "v1_999"}, "'v1_999' is no graded answer of mmvet"),
        ({"answer_hash": "0" * 16}, "the label is of another answer"),
        ({"grade": "7"}, "'7' is no number from 0 to 1"),
        ({"grade": "good"}, "'good' is no number from 0 to 1"),
        ({"grade": "nan"}, "'nan' is no number from 0 to 1"),
    ],
)
def test_bad_labels(run: Path, filled: Rows, tmp_path: Path, change: dict[str, str], problem: str) -> None:
    path = write(tmp_path / "labels.csv", [filled[0], {**filled[1], **change}])
    with pytest.raises(VlmbenchError, match=problem):
        sheet.read(path, reload.load(run))


def test_doubled_and_empty_sheets(run: Path, filled: Rows, tmp_path: Path) -> None:
    stored = reload.load(run)
    with pytest.raises(VlmbenchError, match="is there twice"):
        sheet.read(write(tmp_path / "twice.csv", [filled[0], filled[0]]), stored)
    with pytest.raises(VlmbenchError, match="no row has a grade"):
        sheet.read(write(tmp_path / "empty.csv", [{**row, "grade": ""} for row in filled]), stored)


def test_words_that_do_not_go_together(run: Path, filled: Rows, tmp_path: Path) -> None:
    path = write(tmp_path / "labels.csv", filled)
    assert main(["score", "mmvet", "--labels", str(path)]) == exit_codes.USER_MUST_CHANGE
    assert main(["judge", "label", str(run), "--count", "0"]) == exit_codes.USER_MUST_CHANGE
    assert main(["judge", "label", str(run), "--output", str(path)]) == exit_codes.USER_MUST_CHANGE


def test_a_run_without_grades(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    main(["run", "--model", "echo,text=red", "--tasks", "mmvet", "--limit", "3", "--output", str(folder)])
    (task,) = reload.load(folder).tasks.values()
    with pytest.raises(UsageError, match="no answer has a grade"):
        sheet.scale_of(task)
