"""Rows of files: what is read, and that every broken file is an error naming file, line and field."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from vlmbench.base.errors import DataError, ImageError
from vlmbench.base.samples import Sample
from vlmbench.data.files import (
    Folder,
    Row,
    missing_images,
    read_json,
    read_keyed,
    read_parquet,
    read_rows,
    read_table,
    unique,
)


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


ROWS = [{"id": 1, "text": "one"}, {"id": 2, "text": "zwölf\u2028Zeilen"}]


def test_json_lines_and_arrays_read_the_same(tmp_path: Path) -> None:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\r\n" for row in ROWS) + "\n"
    files = [
        write(tmp_path / "lines.json", lines),
        write(tmp_path / "bom.json", b"\xef\xbb\xbf" + lines.encode()),
        write(tmp_path / "array.json", json.dumps(ROWS, indent=4)),
        write(tmp_path / "one.jsonl", json.dumps(ROWS)),
    ]
    for file in files:
        assert [row.values for row in read_rows(file)] == ROWS
    assert read_rows(files[0])[1].where == f"{files[0]}, line 2"
    assert read_rows(files[2])[1].where == f"{files[2]}, item 2"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (b'{"id": 1}\n{"id": 2', "line 2, column 9: broken JSON"),
        (b'{"id": 1}\n{"id": 2', "is it cut off?"),
        (b'[{"id": 1},\n {"id": 2}', "line 2"),
        (b'{"id": 1}\n17\n', "line 2: an object was expected, not 17"),
        ('{"id": "ü"}'.encode("latin-1"), "line 1: not UTF-8 text"),
        ('{"id": 1}'.encode("utf-16"), "UTF-16"),
    ],
)
def test_broken_json_lines(tmp_path: Path, content: bytes, told: str) -> None:
    path = write(tmp_path / "rows.json", content)
    with pytest.raises(DataError) as caught:
        read_rows(path)
    assert told in str(caught.value) and str(path) in str(caught.value)


def test_nan_and_lone_surrogates_are_tolerated(tmp_path: Path) -> None:
    assert read_rows(write(tmp_path / "a.json", '{"x": NaN, "y": "\\ud800"}'))[0].values["y"] == "\ud800"


def test_absent_files(tmp_path: Path) -> None:
    for read in (read_rows, read_json, read_table, read_parquet, lambda p: read_keyed(p, "x")):
        with pytest.raises(DataError, match=r"absent\.json"):
            read(tmp_path / "absent.json")
    with pytest.raises(DataError, match="cannot read it"):
        read_rows(tmp_path)


def test_keyed_rows_refuse_a_doubled_key(tmp_path: Path) -> None:
    row = '{"imageId": "1", "question": "says \\"imageId\\" itself"}'
    fine = write(tmp_path / "fine.json", f'{{"7": {row}, "8": {row}}}')
    assert list(read_keyed(fine, "imageId")) == ["7", "8"]
    assert read_keyed(fine, "imageId")["8"].at == "key 8"
    with pytest.raises(DataError, match="the key '7' is there twice"):
        read_keyed(write(tmp_path / "twice.json", f'{{"7": {row}, "7": {row}}}'), "imageId")
    with pytest.raises(DataError, match="ids as keys"):
        read_keyed(write(tmp_path / "list.json", "[]"), "imageId")


def test_fields_are_typed(tmp_path: Path) -> None:
    row = Row(
        {"text": "a", "n": 3, "digits": "12", "flag": True, "list": [1], "in": {"x": 1}, "null": None},
        "f.json",
        "line 9",
    )
    assert (row.text("text"), row.integer("n"), row.integer("digits"), row.flag("flag")) == ("a", 3, 12, True)
    assert row.listing("list") == [1] and row.inner("in").integer("x") == 1
    assert (row.key("n"), row.key("text"), row.number("digits"), row.number("n")) == ("3", "a", 12.0, 3.0)
    assert row.text("null", None) is None and row.text("gone", "default") == "default"
    wrong = {
        "text": ("n", "text was expected, not 3"),
        "integer": ("flag", "a whole number was expected, not True"),
        "flag": ("n", "true or false was expected"),
        "listing": ("text", "a list was expected"),
        "texts": ("list", "a list of texts was expected, but it holds 1"),
        "inner": ("n", "an object was expected"),
        "key": ("flag", "text was expected"),
        "number": ("text", "a number was expected"),
    }
    for method, (field, told) in wrong.items():
        with pytest.raises(DataError) as caught:
            getattr(row, method)(field)
        assert told in str(caught.value) and f"f.json, line 9, field '{field}'" in str(caught.value)
    with pytest.raises(DataError, match="the field is missing"):
        row.text("question")
    with pytest.raises(DataError, match="the field is null"):
        row.text("null")


def test_doubled_ids_name_both_rows() -> None:
    rows = [("1", Row({}, "f", "line 1")), ("2", Row({}, "f", "line 2")), ("1", Row({}, "f", "line 3"))]
    with pytest.raises(DataError, match=r"f, line 3, field 'id': '1' is there twice: also at line 1"):
        unique(rows, "id")
    assert list(unique(rows[:2], "id")) == ["1", "2"]


def test_tables(tmp_path: Path) -> None:
    big = "x" * 300_000  # more than csv's usual field limit: pictures come as base64
    tsv = write(tmp_path / "a.tsv", f'index\tquestion\timage\n1\t"two\nlines"\t{big}\n2\tplain, with comma\u2028\tb\n')
    rows = read_table(tsv)
    assert [row.text("question") for row in rows] == ["two\nlines", "plain, with comma\u2028"]
    assert rows[0].text("image") == big and rows[1].at == "line 4"
    assert read_table(write(tmp_path / "a.csv", 'a,b\n1,"2,3"\n'))[0].values == {"a": "1", "b": "2,3"}
    for text, told in (
        ("a\tb\n1\n", "1 cells where the header has 2"),
        ("a\tb\n", "no rows"),
        ('a\n"x\n', "broken table"),
    ):
        with pytest.raises(DataError, match=told):
            read_table(write(tmp_path / "bad.tsv", text))


def test_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": ["x", "y"], "n": [1, 2]}), path)
    assert [row.values for row in read_parquet(path, ["n"])] == [{"n": 1}, {"n": 2}]
    assert read_parquet(path)[1].at == "row 2"
    with pytest.raises(DataError, match="m"):
        read_parquet(path, ["m"])
    with pytest.raises(DataError, match="not a readable parquet file"):
        read_parquet(write(tmp_path / "b.parquet", b"PAR1 cut"))


# -------------------------------------------------------------------------------------------------------- pictures

HERE = Row({}, "questions.json", "line 4")


def test_pictures_are_found_in_order_and_read_late(tmp_path: Path) -> None:
    (tmp_path / "val2014").mkdir()
    picture = Folder(tmp_path).image(HERE, "a.jpg", "val2014", ".")
    with pytest.raises(ImageError, match=r"no image a\.jpg"):
        picture.load()
    write(tmp_path / "a.jpg", b"low")
    assert picture.load() == b"low"
    write(tmp_path / "val2014" / "a.jpg", b"high")
    assert copy.deepcopy(picture).load() == b"high"


@pytest.mark.parametrize("name", ["../a.jpg", "x/../../a.jpg", "/etc/passwd", "..\\a.jpg", "C:/a.jpg", "", "a\0.jpg"])
def test_names_that_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"questions\.json, line 4, field 'image'"):
        Folder(tmp_path).image(HERE, name, "val2014")


def test_links_out_of_the_folder(tmp_path: Path) -> None:
    outside, data = tmp_path / "outside", tmp_path / "data"
    for folder in (outside, data / "images"):
        folder.mkdir(parents=True)
    secret = write(outside / "a.jpg", b"secret")
    (data / "images" / "a.jpg").symlink_to(secret)
    picture = Folder(data).image(HERE, "a.jpg", "images")
    with pytest.raises(ImageError, match="a link out of the data folder"):
        picture.load()
    assert missing_images([Sample("1", "", (picture,), "")]) == ["a.jpg"]
    (data / "val2014").symlink_to(outside)  # a whole picture folder kept elsewhere is the user's own doing
    assert Folder(data).image(HERE, "a.jpg", "val2014").load() == b"secret"


def test_missing_pictures_are_listed_once(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    write(tmp_path / "there.jpg", b"")
    samples = [
        Sample(str(i), "", (folder.image(HERE, name, "."),), "")
        for i, name in enumerate(["b.jpg", "there.jpg", "a.jpg", "b.jpg"])
    ]
    assert missing_images(samples) == ["b.jpg", "a.jpg"]


def test_embedded_samples_are_found() -> None:
    assert Folder.sample("pope").label == "sample"
    with pytest.raises(DataError, match="no embedded sample of nothing"):
        Folder.sample("nothing")


def test_a_folder_shared_by_tasks(tmp_path: Path) -> None:
    assert Folder(tmp_path, "x").within("pope") == Folder(tmp_path, "x")
    (tmp_path / "pope").mkdir()
    assert Folder(tmp_path, "x").within("pope") == Folder(tmp_path / "pope", "x")
    with pytest.raises(DataError, match=r"questions is not there: no a\.json \(nor at b\.json\)"):
        Folder(tmp_path).need("questions", "a.json", "b.json")
