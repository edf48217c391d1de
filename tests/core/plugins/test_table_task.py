"""A task from a table: what it reads, accepts and refuses."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.toys import png
from vlmbench import TableTask, evaluate
from vlmbench.base.errors import DataError
from vlmbench.base.samples import Response, Sample, Status
from vlmbench.data import notes
from vlmbench.data.files import Folder, Hub
from vlmbench.parsing.text_match import same_words


def samples(task: TableTask) -> list[Sample]:
    assert task.bundled_data_dir is not None
    return list(task.samples(Folder(task.bundled_data_dir), "all"))


def written(folder: Path, name: str, text: str) -> TableTask:
    """A task; one of a table without an `image` column says so."""
    (folder / name).write_text(text, encoding="utf-8")
    first = "image" if "image" in text else None
    return TableTask("mine", folder / name, columns=(first, "question", "answer"))


def test_a_csv_file(tmp_path: Path) -> None:
    task = written(tmp_path, "a.csv", 'id,image,question,answer\nx,a.png,"One, or\n two?",1\ny,,Three?, drei \n')
    one, two = samples(task)
    assert (one.id, one.question, one.target, one.images[0].name) == ("x", "One, or\n two?", ["1"], "a.png")
    assert (two.id, two.target, two.images) == ("y", [" drei "], ())
    assert one.cluster == "a.png" and two.cluster == "y"


def test_json_lines_with_lists(tmp_path: Path) -> None:
    rows = '{"image": ["a.png", "b.png"], "question": "?", "answer": ["one", "1"]}\n{"question": "?", "answer": 2}\n'
    one, two = samples(written(tmp_path, "a.jsonl", rows))
    assert [picture.name for picture in one.images] == ["a.png", "b.png"] and one.target == ["one", "1"]
    assert (two.id, two.target) == ("2", ["2"])


def test_a_whole_number_is_right_in_both_forms(tmp_path: Path) -> None:
    rows = '{"image": "a.png", "question": "?", "answer": 5.0}\n{"image": "a.png", "question": "?", "answer": 2.5}\n'
    task = written(tmp_path, "a.jsonl", rows)
    five, half = samples(task)
    assert [task.score(five, Response(text), "official").value for text in ("5", "5.0", "6")] == [1, 1, 0]
    assert half.target == ["2.5"]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "image,question\na.png,?\n", "field 'answer': the field is missing"),
        ("a.csv", "image,question,answer\na.png,?,\n", "field 'answer': the answer is empty"),
        ("a.csv", "id,question,answer\n1,?,a\n1,?,b\n", "'1' is there twice"),
        ("a.csv", "image,question,answer\n../a.png,?,a\n", "not the name of an image inside the data folder"),
        ("a.jsonl", '{"question": "?", "answer": []}', "the list is empty"),
        ("a.jsonl", '{"question": "?", "answer": [1]}', "a list of texts was expected"),
        ("a.jsonl", '{"image": "a.png", "question": "?", "answer": "a", "answer": "b"}', "'answer' is there twice"),
        ("a.jsonl", '{"question": "?", "answer": null}', "the field is null\n  text is needed in every row"),
        ("a.csv", "image,question,answer\na.png,?,1,5\n", "a cell that holds the separator itself needs quotes"),
        ("a.jsonl", '{"question": "?", "answer": true}', "text was expected, not True"),
        ("a.jsonl", '{"question": "\\ud83d", "answer": "a"}', "line 1, field 'question': character 1 is U+D83D, half"),
        ("a.jsonl", '{"question": "?", "answer": ["a", "x\\udc00"]}', "character 2 is U+DC00, half of a surrogate"),
    ],
)
def test_what_is_refused(name: str, text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        samples(written(tmp_path, name, text))
    assert told in str(error.value) and str(tmp_path / name) in str(error.value)


def test_where_it_is_looked_for(tmp_path: Path) -> None:
    task = written(tmp_path, "a.csv", "question,answer\n?,a\n")
    with pytest.raises(DataError, match="not on the hub"):
        task.samples(Hub(), "all")
    (tmp_path / "other" / "mine").mkdir(parents=True)
    (tmp_path / "other" / "mine" / "a.csv").write_text("question,answer\nanother?,a\n")
    assert task.samples(Folder(tmp_path / "other"), "all")[0].question == "another?"
    with pytest.raises(DataError, match="the table of mine is not there"):
        TableTask("mine", "b.csv").samples(Folder(tmp_path), "all")


@pytest.mark.parametrize(
    ("text", "answer", "same"),
    [
        ("  The Stop. ", "the stop", True),
        ("«стоп»!", "СТОП", True),
        ("caf\u0065\u0301", "caf\u00e9", True),
        ("STRASSE", "Straße", True),
        ("止まれ。", "止まれ", True),
        ("٤", "4", False),
        ("stop it", "stop", False),
        ("", "...", False),
        ("...", "...", True),
    ],
)
def test_same_words(text: str, answer: str, same: bool) -> None:
    assert same_words(text, answer) is same


NUMBERS = [
    "5",
    "-5",
    ".5",
    "-.5",
    "5%",
    "-5%",
    "+5",
    "#5",
    "$5",
    "-$5",
    "€5",
    "5°",
    "15",
    "5.5",
    "1,5",
    "5\u2033",
    "5+",
]
WORDS = ["c", "c#", "c++", ".net", "net", "o", "o-", "o+", "a*", "a", "@home", "home", "r&", "/home", "-v", "v", "#c"]


@given(
    core=st.sampled_from(NUMBERS + WORDS),
    other=st.sampled_from(NUMBERS + WORDS),
    around=st.sampled_from(["{}", "{}.", " {} ", "“{}”", '"{}".', "({})", "**{}**", "« {} »!", "{},", "[{}];", "'{}'"]),
    minus=st.sampled_from("-\u2212\u2013\uff0d"),
    upper=st.booleans(),
)
def test_marks_that_mean_something_are_compared(core: str, other: str, around: str, minus: str, upper: bool) -> None:
    """What surrounds an answer is passed over; two answers that differ in a sign, point or symbol stay different."""
    written = around.format(core.replace("-", minus) if core[-1] != "-" and core[1:2] != "v" else core)
    assert same_words(written.upper() if upper else written, core)
    assert same_words(written, other) is (core == other)


def test_a_long_run_of_marks_takes_no_time() -> None:
    begin = time.perf_counter()
    assert same_words("yes" + "!" * 100_000, "yes") and not same_words("#" * 100_000 + "5", "5")
    assert time.perf_counter() - begin < 5


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "picture,question,answer\na.png,?,a\n", "is it 'picture'?"),
        ("a.csv", "Image,question,answer\na.png,?,a\n", "is it 'Image'?"),
        ("a.tsv", "imgae\tquestion\tanswer\na.png\t?\ta\n", "is it 'imgae'?"),
        ("a.csv", "id,question,answer\n1,?,a\n", "no column 'image' for the images"),
        ("a.jsonl", '{"image_path": "a.png", "question": "?", "answer": "a"}', "is it 'image_path'?"),
        (
            "a.jsonl",
            '{"image": "a.png", "question": "?", "answer": "a"}\n{"imag": "b.png", "question": "?", "answer": "a"}',
            "line 2, field 'image': the field is missing, and there is 'imag'",
        ),
        (
            "a.jsonl",
            '{"image": "a.png", "question": "?", "answer": "a"}\n{"foto": "b.png", "question": "?", "answer": "a"}',
            "line 2, field 'image': the field is missing, and there is 'foto'",
        ),
    ],
)
def test_a_missing_picture_column_is_refused(name: str, text: str, told: str, tmp_path: Path) -> None:
    """A table whose pictures are under another name would be asked without them."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as error:
        samples(TableTask("mine", tmp_path / name))
    assert told in str(error.value) and str(tmp_path / name) in str(error.value)
    without = TableTask("mine", tmp_path / name, columns=(None, "question", "answer"))
    assert not any(sample.images for sample in samples(without))


@pytest.mark.parametrize("text", ["image,question,answer\n,?,a\n", "image,question,answer\na.png,?,a\n,?,b\n"])
def test_an_empty_picture_column_is_told(text: str, tmp_path: Path) -> None:
    task = written(tmp_path, "a.csv", text)
    told = notes.notes(task, "all", samples(task), "folder")
    assert told == ([] if "png" in text else ["no question has an image: the image column is empty in all rows"])
    without = TableTask("mine", tmp_path / "a.csv", columns=(None, "question", "answer"))
    assert not notes.notes(without, "all", samples(without), "folder")


def rating(text: str, answer: str) -> float | None:
    """A rule of one's own."""
    return None if text == "?" else len(answer) / 4


def test_scores(tmp_path: Path) -> None:
    task = written(tmp_path, "a.jsonl", '{"question": "?", "answer": ["one", "1"]}')
    sample = samples(task)[0]
    assert task.score(sample, Response("1."), "official").value == 1.0
    task = TableTask("mine", tmp_path / "a.jsonl", correct=rating)
    assert task.score(sample, Response("x"), "official").value == 0.75
    assert task.score(sample, Response("?"), "official").status is Status.UNPARSED


def test_breakdowns_and_clusters(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(png((len(name), 2, 3)))
    (tmp_path / "a.csv").write_text("image,question,answer,kind\na.png,1?,yes,x\na.png,2?,yes,y\nb.png,3?,no,y\n")
    result = evaluate("echo,text=yes", TableTask("mine", tmp_path / "a.csv", breakdowns=["kind"]))
    values = result.scores.set_index("metric")["value"]
    assert values["kind_x"] == 100.0 and values["kind_y"] == 50.0 and values["accuracy"] == pytest.approx(200 / 3)
    assert list(result.records["cluster"]) == ["a.png", "a.png", "b.png"]
