"""Pictures in the cells of tables: every form that data sets use is read, anything else is named for what it is."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import png
from vlmbench.base.errors import ImageError
from vlmbench.base.registry import choose_task
from vlmbench.data.files import Hub
from vlmbench.data.image_cells import holds_image, image_bytes

from .test_hub import pope_rows, quiet, write

__all__ = ["quiet"]
PNG = png((200, 30, 30))
TEXT = base64.b64encode(PNG).decode()
URL_SAFE = base64.urlsafe_b64encode(PNG).decode()

READ: dict[str, Any] = {
    "bytes": PNG,
    "struct": {"bytes": PNG, "path": None},
    "struct of base64": {"bytes": TEXT, "path": None},
    "list of one": [PNG],
    "list of one struct": [{"bytes": PNG, "path": "a.png"}],
    "base64": TEXT,
    "base64 wrapped": "\n".join(TEXT[at : at + 76] for at in range(0, len(TEXT), 76)) + "\n",
    "base64 wrapped by CR LF": "\r\n".join(TEXT[at : at + 64] for at in range(0, len(TEXT), 64)),
    "base64 without padding": TEXT.rstrip("="),
    "URL-safe base64": URL_SAFE,
    "data URI": f"data:image/png;base64,{TEXT}",
    "data URI with a charset": f"Data:image/png;charset=utf-8;base64,{TEXT}",
    "text of bytes": repr(base64.b64encode(PNG)),
    "path": "pictures/a.png",
    "struct with a path": {"bytes": None, "path": "pictures/a.png"},
}
NAMED: dict[str, tuple[Any, str]] = {
    "empty": (b"", "the image is empty"),
    "null": (None, "the cell is null"),
    "empty struct": ({"bytes": None, "path": None}, "neither bytes nor a path"),
    "other struct": ({"url": "x"}, "an object with url"),
    "empty text": (" ", "an empty text"),
    "several": ([PNG, PNG], "2 images in one cell"),
    "none of several": ([], "0 images in one cell"),
    "pixels": ([1, 2, 3, 4], "a list of 4 numbers"),
    "number": (7, "int, not an encoded image"),
    "address": ("https://example.org/a.png", "an address"),
    "absent file": ("pictures/b.png", "the name of a file that is not there"),
    "file outside": ("../a.png", "the name of a file that is not there"),
    "absolute file": ("/etc/passwd.png", "the name of a file that is not there"),
    "broken base64": (TEXT[:40] + "é" + TEXT[40:], "not base64: 'é' at character 41"),
    "cut base64": (TEXT.rstrip("=")[: len(TEXT) // 4 * 4 - 3], "not base64"),
}


def pictures(folder: Path) -> Path:
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "a.png").write_bytes(PNG)
    return folder


@pytest.mark.parametrize("form", READ)
def test_forms_that_are_read(form: str, tmp_path: Path) -> None:
    assert image_bytes(READ[form], "row 1", pictures(tmp_path)) == PNG


def test_an_opened_picture_is_read() -> None:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(PNG)) as opened, Image.open(io.BytesIO(image_bytes(opened, "row 1"))) as again:
        assert again.tobytes() == opened.tobytes()


@pytest.mark.parametrize("form", NAMED)
def test_forms_that_are_named(form: str, tmp_path: Path) -> None:
    cell, told = NAMED[form]
    with pytest.raises(ImageError, match="row 1") as error:
        image_bytes(cell, "row 1", pictures(tmp_path / "inside"))
    assert told in str(error.value)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("form", [form for form in READ if form != "struct of base64"])
def test_a_hub_copy_in_each_form(form: str, tmp_path: Path) -> None:
    """The library gives the cell back in the form in which it was stored."""
    rows = [{**row, "image": READ[form]} for row in pope_rows()]
    write(tmp_path / "lmms-lab/POPE/data/test-00000-of-00001.parquet", rows)
    pictures(tmp_path / "lmms-lab/POPE")
    samples = choose_task("pope").task.samples(Hub(tmp_path), "coco")
    assert len(samples) == 15 and samples[4].images[0].load() == PNG


@pytest.mark.usefixtures("quiet")
def test_a_list_of_decoding_pictures(tmp_path: Path) -> None:
    """A column of List(Image()): the library must not decode it."""
    import datasets

    path = tmp_path / "lmms-lab/POPE/data/test-0.parquet"
    path.parent.mkdir(parents=True)
    rows = [{**row, "image": [{"bytes": PNG, "path": None}]} for row in pope_rows()]
    data = datasets.Dataset.from_list(rows)
    data.cast_column("image", datasets.List(datasets.Image(decode=False))).to_parquet(str(path))
    assert choose_task("pope").task.samples(Hub(tmp_path), "coco")[0].images[0].load() == PNG


def test_which_rows_have_a_picture() -> None:
    pa = pytest.importorskip("pyarrow")
    struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    full, bare = {"bytes": b"x", "path": None}, {"bytes": None, "path": None}
    for values, kind in (
        ([full, bare, None, {"bytes": None, "path": "a.png"}], struct),
        ([b"x", b"", None, b"y"], pa.binary()),
        (["x", "", None, "y"], pa.large_string()),
        ([[full], [], None, [full]], pa.list_(struct)),
    ):
        column = pa.chunked_array([pa.array(values[:2], kind), pa.array(values[2:], kind)])
        assert holds_image(column) == [True, False, False, True]
    assert holds_image(pa.chunked_array([pa.nulls(2)])) == [False, False]
