"""Sheets of answers for people to grade, what is wrong with filled ones, and the estimates from the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from vlmbench.base.errors import DataError, UsageError, VlmbenchError
from vlmbench.base.process import exit_codes
from vlmbench.cli.main import main
from vlmbench.compare.labels import matching, sheet
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


def page_of(path: Path) -> dict[str, Any]:
    """What a page carries."""
    content: dict[str, Any] = json.loads(path.read_text("utf-8").split('id="labels">')[1].split("</script>")[0])
    return content


def test_a_page_has_the_same_answers_as_the_sheet(run: Path, filled: Rows, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert main(["judge", "label", str(run), "--count", "12", "--html", str(path)]) == exit_codes.OK
    content = page_of(path)
    same = ("task", "sample_id", "answer_hash", "question", "target", "answer", "scale")
    assert [[row[name] for name in same] for row in filled] == [[i[name] for name in same] for i in content["items"]]
    assert {item["judge"] for item in content["items"]} == {None} and content["model"] == ""
    assert all(image["uri"].startswith("data:image/jpeg;base64,") for image in content["images"])
    assert main(["judge", "label", str(run), "--html", str(path)]) == exit_codes.USER_MUST_CHANGE  # it is there
    both = ["--html", str(tmp_path / "both.html"), "--output", str(tmp_path / "both.csv")]
    assert main(["judge", "label", str(run), "--count", "3", *both]) == exit_codes.OK
    assert len(rows_of(tmp_path / "both.csv")) == len(page_of(tmp_path / "both.html")["items"])


def test_images_without_their_data_are_the_runs_small_copies(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    copy = shutil.copytree(run, tmp_path / "copy")
    manifest = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps(manifest | {"data_folder": str(tmp_path / "gone")}))
    capsys.readouterr()
    words = ["judge", "label", str(copy), "--count", "3"]
    assert main([*words, "--html", str(tmp_path / "a.html")]) == exit_codes.OK
    assert "images are the run's own small copies, of 0 there is none" in capsys.readouterr().out
    shutil.rmtree(copy / "thumbs")
    assert main([*words, "--html", str(tmp_path / "b.html")]) == exit_codes.OK
    assert {image["uri"] for image in page_of(tmp_path / "b.html")["images"]} == {None}
    assert main([*words, "--html", str(tmp_path / "c.html"), "--data", "sample"]) == exit_codes.OK
    assert None not in {image["uri"] for image in page_of(tmp_path / "c.html")["images"]}
    assert main([*words, "--html", str(tmp_path / "d.html"), "--data", str(tmp_path)]) == exit_codes.USER_MUST_CHANGE


def test_images_that_are_too_many_for_a_page(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vlmbench.base.registry import load_object

    monkeypatch.setitem(load_object("vlmbench.reports.labelling.label_page:write").__globals__, "LARGEST", 2000)
    assert main(["judge", "label", str(run), "--html", str(tmp_path / "p.html")]) == exit_codes.USER_MUST_CHANGE
    assert "the images are too many for one page" in capsys.readouterr().err


def test_words_of_a_page_need_one(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", "label", str(run), "--reveal"]) == exit_codes.USER_MUST_CHANGE
    assert "add --html FILE" in capsys.readouterr().err


def test_labels_of_another_run_are_refused(run: Path, filled: Rows, tmp_path: Path) -> None:
    """Sheets of two runs put together: the other run's answers are known by their hash."""
    other = tmp_path / "other"
    words = ["run", "--model", "echo,text=blue", "--tasks", "mmvet", "--judge", "echo,text=0.5"]
    assert main([*words, "--output", str(other)]) == exit_codes.OK
    assert main(["judge", "label", str(other), "--count", "12", "--output", str(tmp_path / "o.csv")]) == exit_codes.OK
    mixed = [*filled[:6], *({**row, "grade": "1"} for row in rows_of(tmp_path / "o.csv")[6:])]
    with pytest.raises(VlmbenchError, match="the label is of another answer than the run's"):
        sheet.read(write(tmp_path / "mixed.csv", mixed), reload.load(run))


def test_json_lines(run: Path, filled: Rows, tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    lines = [json.dumps({**row, "grade": float(row["grade"])}) for row in filled]
    path.write_text("\n".join(lines) + "\n")
    assert sheet.read(path, reload.load(run)) == sheet.read(write(tmp_path / "l.csv", filled), reload.load(run))
    path.write_text(json.dumps({**filled[0], "grade": True}) + "\n")
    with pytest.raises(VlmbenchError, match="'True' is no number from 0 to 1"):
        sheet.read(path, reload.load(run))
    path.write_text('{"grade": 1}\n')
    with pytest.raises(VlmbenchError, match="task"):
        sheet.read(path, reload.load(run))


def test_a_sheet_finds_its_run(run: Path, filled: Rows, tmp_path: Path) -> None:
    other = tmp_path / "other"
    words = ["run", "--model", "echo,text=blue", "--tasks", "mmvet", "--judge", "echo,text=0.5"]
    assert main([*words, "--output", str(other)]) == exit_codes.OK
    path = write(tmp_path / "labels.csv", filled)
    found = matching.of_runs([path], [other, run])
    assert list(found) == [run] and found[run]["mmvet"].labels == len(filled)
    with pytest.raises(DataError, match="the labels are of none of the runs") as caught:
        matching.of_runs([path], [other])
    assert "the label is of another answer than the run's" in caught.value.hint
    with pytest.raises(UsageError, match="two files label mmvet of "):
        matching.of_runs([path, path], [run])
    words = ["report", str(other), "--labels", str(path), "--output", str(tmp_path / "site")]
    assert main(words) == exit_codes.USER_MUST_CHANGE
