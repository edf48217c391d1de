"""MMVP: its layouts, both sets of right answers, pairs, its judge, and what can be wrong with its files."""

from __future__ import annotations

import base64
import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.toys import png
from vlmbench.base.errors import DataError
from vlmbench.base.samples import Response, Sample, Score, Status
from vlmbench.data.files import Folder, Hub
from vlmbench.tasks.multiple_choice.mmvp import EXCHANGED
from vlmbench.tasks.multiple_choice.mmvp import MMVP as TASK

PICTURE = png((10, 20, 30))
HEAD = ("lndex", "Question", "Options", "Correct Answer")
ROWS = [
    (1, "Is it open?", "(a) Open (b) Closed", "(a)"), (2, "Is it open?", "(a) Open (b) Closed", "(b)"),
    (99, "Long?", "(a) Yes (b) No", "(a)"), (100, "Long?", "(a) Yes (b) No", "(b)"),
]  # fmt: skip


def write(folder: Path, rows: Sequence[Sequence[object]] = ROWS, head: Sequence[str] = HEAD) -> Folder:
    folder.mkdir(exist_ok=True)
    with (folder / "Questions.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    (folder / "MMVP Images").mkdir(exist_ok=True)
    for row in rows:
        (folder / "MMVP Images" / f"{row[0]}.jpg").write_bytes(PICTURE)
    return Folder(folder)


def told(samples: Sequence[Sample]) -> list[tuple[str, str, tuple[str, ...], object, object]]:
    return [(s.id, s.question, s.choices, s.target, s.extra["pair"]) for s in samples]


def test_the_official_file_and_the_corrected_answers(tmp_path: Path) -> None:
    data = write(tmp_path)
    published, corrected = TASK.samples(data, "test"), TASK.samples(data, "corrected")
    assert told(published)[0] == ("1", "Is it open?", ("Open", "Closed"), "A", "1")
    assert [s.target for s in published] == ["A", "B", "A", "B"]
    assert [s.target for s in corrected] == ["A", "B", "B", "A"] and EXCHANGED[:2] == (99, 100)
    assert published[0].images[0].load() == PICTURE and published[2].cluster == "50"
    assert told(TASK.samples(write(tmp_path / "b", head=("Index", *HEAD[1:])), "test")) == told(published)


@pytest.mark.parametrize("first", [0, 1])
def test_the_table(first: int, tmp_path: Path) -> None:
    """Its pairs are two rows that follow one another, wherever its indices begin."""
    cell = base64.b64encode(PICTURE).decode()
    lines = ["index\tquestion\tA\tB\tanswer\timage"]
    lines += [f"{first + n}\tIs it {n // 2}?\tx\ty\t{'AB'[n % 2]}\t{cell}" for n in range(4)]
    (tmp_path / "MMVP.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    samples = TASK.samples(Folder(tmp_path), "test")
    assert [s.extra["pair"] for s in samples] == ["1", "1", "2", "2"] and samples[3].images[0].load() == PICTURE


def test_the_hub_has_the_corrected_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    rows = [dict(zip(("Index", *HEAD[1:]), row, strict=True)) for row in ROWS]
    shown = [{**row, "image": {"bytes": PICTURE, "path": None}} for row in rows]
    folder = tmp_path / "lmms-lab-eval" / "MMVP" / "data"
    folder.mkdir(parents=True)
    data = datasets.Dataset.from_list(shown).cast_column("image", datasets.Image(decode=False))
    data.to_parquet(str(folder / "train-00000-of-00001.parquet"))
    found = TASK.samples(Hub(tmp_path), "corrected")
    assert told(found) == told(TASK.samples(write(tmp_path / "csv"), "test"))
    assert found[1].images[0].load() == PICTURE
    with pytest.raises(DataError, match="MMVP/MMVP has its official files"):
        TASK.samples(Hub(tmp_path), "test")


def test_a_pair_counts_as_a_whole(tmp_path: Path) -> None:
    samples = TASK.samples(write(tmp_path), "test")
    values = {m.name: m.value() for m in TASK.summarise([(s, Score(float(s.id != "2"))) for s in samples], "official")}
    assert values == {"pair_accuracy": 50, "accuracy": 75}
    answered = [(s, TASK.score(s, Response("A"), "cambrian")) for s in samples]
    assert [m.value() for m in TASK.summarise(answered, "cambrian")] == [0, 50]
    assert [m.value() for m in TASK.summarise(answered[:1], "cambrian")][1] == 100  # half a pair has no pair accuracy


def test_the_judge_reads_every_answer_and_must_say_yes_alone(tmp_path: Path) -> None:
    sample = TASK.samples(write(tmp_path), "test")[1]
    assert TASK.score(sample, Response("B"), "official").status is Status.JUDGE_FAILED
    assert TASK.build_request(sample, "official").prompt == "Is it open? (a) Open (b) Closed"
    for reply, value, unread in (("Yes", 1, False), ("no", 0, False), ("Yes.", 0, True), ("yes\n", 0, True)):
        steps = TASK.grade(sample, Response("Closed"), "official")
        ask = next(steps)
        assert ask.messages[1][1] == (
            "Given the following question Is it open? (a) Open (b) Closed, the correct answer is (b). "
            "Does the following answer correctly answers the question, answer:Closed?"
        )
        with pytest.raises(StopIteration) as end:
            steps.send(reply)
        assert (end.value.value.value, end.value.value.unread) == (value, unread)


def test_an_option_that_is_the_others_letter(tmp_path: Path) -> None:
    """Cambrian-1 takes "b" for both; one of them is right."""
    rows = [(1, "Which?", "(a) B (b) C", "(a)"), (2, "Which?", "(a) B (b) C", "(b)")]
    for sample in TASK.samples(write(tmp_path, rows), "test"):
        score = TASK.score(sample, Response("The answer is (b)."), "cambrian")
        assert (score.value, score.parsed_answer, score.unread) == (1, "A or B", "")
        assert TASK.score(sample, Response("perhaps b"), "cambrian").unread == "option"


BROKEN = [
    ((2, "Is it open?", "Open, Closed", "(b)"), "field 'Options': (a) ... (b) ... was expected"),
    ((2, "Is it open?", "(a) Open (b) Closed", "(c)"), "field 'letter': 'C' is none of A, B"),
    ((1, "Is it open?", "(a) Open (b) Closed", "(b)"), "'1' is there twice"),
    ((2, "Is it shut?", "(a) Open (b) Closed", "(b)"), "question 2 is not that of the other image of its pair"),
    (("x", "Is it open?", "(a) Open (b) Closed", "(b)"), "field 'lndex': a whole number was expected, not 'x'"),
]


@pytest.mark.parametrize(("row", "message"), BROKEN)
def test_broken_rows(row: tuple[object, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        TASK.samples(write(tmp_path, [ROWS[0], row]), "test")
    assert message in str(error.value)


def test_a_foreign_file(tmp_path: Path) -> None:
    (tmp_path / "Questions.csv").write_text("id,question\n1,?\n", "utf-8")
    with pytest.raises(DataError, match="no column 'Question'"):
        TASK.samples(Folder(tmp_path), "test")
    with pytest.raises(DataError, match=r"no Questions\.csv"):
        TASK.samples(Folder(Path(__file__).parent), "test")
