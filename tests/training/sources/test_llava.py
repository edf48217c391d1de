"""Dialogues in LLaVA's format: what is read, what is refused, and how much memory a large file takes."""

from __future__ import annotations

import json
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tests.training.sources.official import opened, picture, says, write
from vlmbench.base.errors import DataError, UnknownNameError
from vlmbench.training.sources import open_rows


def mixed(folder: Path) -> list[dict[str, Any]]:
    """Rows as LLaVA-1.5's mixture has them."""
    picture(folder, "coco/train2017/1.jpg")
    picture(folder, "gqa/images/2.jpg")
    return [
        {"id": "1", "image": "coco/train2017/1.jpg", "conversations": says("<image>\nWhat is it?", "A cat.")},
        {"id": 2, "image": "gqa/images/2.jpg", "conversations": says("Is it red?\n<image>", "Yes", "Why?", "Paint é")},
        {"id": "3", "conversations": says("Say hello", "Hello there you")},
        {"id": "4", "conversations": [{"from": "gpt", "value": "Hm"}, *says("Now?", "Now")]},
    ]


def test_rows_of_every_sort(tmp_path: Path) -> None:
    rows = opened("llava", write(tmp_path / "rows.json", mixed(tmp_path)), tmp_path)
    assert len(rows) == 4
    assert [rows.has_image(at) for at in range(4)] == [True, True, False, False]
    assert [rows.length(at) for at in range(4)] == [6, 8, 5, 3]
    assert rows.entry(1).turns == (("Is it red?\n<image>", "Yes"), ("Why?", "Paint é"))
    assert rows.entry(3).turns == (("Now?", "Now"),)  # what is said before the first question is passed over
    first = rows.row(0)
    assert first.image is not None
    assert first.image.size == (200, 100)
    assert (first.id, rows.row(1).id, rows.row(2).image) == ("1", "2", None)
    assert dict(rows.bad) == {}


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_letters_beyond_ascii_and_rows_across_windows(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vlmbench.training.sources.files import jsonfile

    monkeypatch.setattr(jsonfile, "WINDOW", 64)
    monkeypatch.setattr(jsonfile, "LONGEST", 4096)
    content: list[dict[str, Any]] = [
        {"id": str(n), "conversations": says(f"多少 {n} \u0085x\u00a0?", f'"{{[é]}}\\ {"y" * n}')} for n in range(40)
    ]
    path = tmp_path / f"rows.{suffix}"
    if suffix == "json":
        path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    else:
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in content), encoding="utf-8")
    rows = opened("llava", path)
    assert len(rows) == 40
    for at in range(40):
        asked, answered = rows.entry(at).turns[0]
        assert [asked, answered] == [message["value"] for message in content[at]["conversations"]]
        assert rows.length(at) == len(asked.split()) + len(answered.split())


BAD: dict[str, tuple[Any, str]] = {
    "missing image": ({"image": "no.jpg", "conversations": says("a", "b")}, "no image no.jpg"),
    "image outside the folder": ({"image": "../x.jpg", "conversations": says("a", "b")}, "../x.jpg"),
    "no turns": ({"conversations": []}, "no question"),
    "open question": ({"conversations": says("a", "b", "c")}, "no answer"),
    "empty turn": ({"conversations": says("a", " ")}, "answer 1 is empty"),
    "odd role": ({"conversations": [*says("a"), {"from": "human", "value": "b"}]}, "by 'human', not by 'gpt'"),
    "odd field": ({"conversation": says("a", "b")}, "conversations"),
    "tag without an image": ({"conversations": says("<image>\na", "b")}, "no image"),
    "several tags": (
        {"image": "coco/train2017/1.jpg", "conversations": says("<image> a", "b", "<image> c", "d")},
        "2 questions",
    ),
}


@pytest.mark.parametrize("reason", BAD)
def test_bad_rows_are_counted_and_named(tmp_path: Path, reason: str) -> None:
    row, says_why = BAD[reason]
    path = write(tmp_path / "rows.json", [*mixed(tmp_path)[:2], {"id": "x", **row}, *mixed(tmp_path)[2:]])
    rows = opened("llava", path, tmp_path, max_bad=0.2)
    assert len(rows) == 4
    assert dict(rows.bad) == {reason: 1}
    assert rows.named[0].startswith("item 3: ")
    assert says_why in rows.named[0]
    with pytest.raises(DataError, match=rf"1 of 5 rows are bad, more than 1.00%: 1 {reason}"):
        open_rows("llava", path, tmp_path)


def test_reading_goes_on_behind_a_broken_row(tmp_path: Path) -> None:
    good = [json.dumps(row) for row in mixed(tmp_path)]
    broken = good[1].replace('"image":', '"image')
    path = tmp_path / "rows.json"
    path.write_text("[" + ", ".join([good[0], broken, good[2], good[3]]) + "]", encoding="utf-8")
    rows = opened("llava", path, tmp_path, max_bad=0.3)
    assert [rows.entry(at).id for at in range(len(rows))] == ["1", "3", "4"]
    assert dict(rows.bad) == {"broken JSON": 1}
    assert "item 2" in rows.named[0]
    path.write_text("[" + ", ".join(good)[:-30], encoding="utf-8")
    rows = opened("llava", path, tmp_path, max_bad=0.5)
    assert len(rows) == 3
    assert set(rows.bad) == {"broken JSON"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("7", "neither"),
        ('{"a": 1}', "array of rows"),
        ("[]", "there is no row"),
        ("[{}]", "1 odd field"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "rows.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=why):
        open_rows("llava", tmp_path / "rows.json")


def test_names_that_are_none(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", mixed(tmp_path))
    with pytest.raises(DataError, match="no such file"):
        open_rows("llava", tmp_path / "no.json")
    with pytest.raises(DataError, match="no such folder of images"):
        open_rows("llava", path, tmp_path / "no")
    with pytest.raises(UnknownNameError, match="llava"):
        open_rows("lava", path)
    with pytest.raises(UnknownNameError, match="form"):
        open_rows("llava", path, tmp_path, form="llava")
    with pytest.raises(UnknownNameError, match="minigptv2"):
        open_rows("textcaps_caption", path, tmp_path, form="minigpt")


def test_a_damaged_picture_is_stood_in_for_and_counted(tmp_path: Path) -> None:
    content = mixed(tmp_path)
    path = write(tmp_path / "rows.json", content)
    (tmp_path / "coco/train2017/1.jpg").write_bytes(b"no image")
    rows = opened("llava", path, tmp_path, max_bad=0.3)
    assert [rows.row(0).id, rows.row(0).id, rows.row(1).id] == ["2", "2", "2"]
    assert dict(rows.bad) == {"damaged image": 1}
    with pytest.raises(DataError, match="1 damaged image"):
        opened("llava", path, tmp_path).row(0)


def test_rows_travel_to_other_processes(tmp_path: Path) -> None:
    rows = opened("llava", write(tmp_path / "rows.json", mixed(tmp_path)), tmp_path)
    copy = pickle.loads(pickle.dumps(rows))
    assert [copy.entry(at) for at in range(4)] == [rows.entry(at) for at in range(4)]


@pytest.mark.slow
def test_a_large_file_is_not_held(tmp_path: Path) -> None:
    """20,000 rows of 1 kB: 20 MB as text, more as objects; their places take 0.6 MB."""
    row = json.dumps({"id": "1", "conversations": says("why " * 100, "so " * 200)})
    path = tmp_path / "rows.json"
    path.write_text("[" + ",\n".join([row] * 20_000) + "]", encoding="utf-8")
    tracemalloc.start()
    rows = opened("llava", path)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(rows) == 20_000
    assert kept < 6 << 20  # a window of the file, and 32 bytes a row
    assert peak < 24 << 20
