"""Broken data of the four VQA benchmarks: whatever stands in a file, it is read or refused with file and place."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.tasks.short_answer import human_layouts as layouts
from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response
from vlmbench.data.files import Folder

ANYTHING = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FILES: Mapping[str, tuple[str, ...]] = {
    "vqav2": ("v2_OpenEnded_mscoco_val2014_questions.json", "v2_mscoco_val2014_annotations.json"),
    "textvqa": ("TextVQA_0.5.1_val.json", "TextVQA_Rosetta_OCR_v0.2_val.json"),
    "vizwiz": ("val.json",),
}
WRITERS: Mapping[str, Callable[[Path], Path]] = {
    "vqav2": layouts.write_vqa,
    "textvqa": lambda root: layouts.write_textvqa(root, ocr={"00aa": ["A"], "00bb": []}),
    "vizwiz": layouts.write_vizwiz,
}


def places(content: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON document, the document itself first."""
    found = [here]
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in pairs:
        found += places(value, (*here, key))
    return found


def changed(content: Any, place: tuple[Any, ...], value: Any, gone: bool) -> Any:
    """The document with something else, or nothing, at one place."""
    if not place:
        return value
    made = json.loads(json.dumps(content))
    inner = made
    for key in place[:-1]:
        inner = inner[key]
    if gone:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    return made


def try_to_read(task: str, root: Path) -> None:
    """Read, ask and score every question; only errors that name the folder may come."""
    choice = choose_task(task)
    try:
        for sample in choice.task.samples(Folder(root), choice.split):
            choice.task.score(sample, Response("red"), choice.protocol)
            for protocol in choice.task.protocols:
                choice.task.build_request(sample, protocol)
    except DataError as error:
        assert str(root) in str(error) or "question" in str(error)


@pytest.mark.parametrize("task", FILES)
def test_anything_anywhere(tmp_path: Path, task: str) -> None:
    root = WRITERS[task](tmp_path)
    whole = {name: json.loads((root / name).read_text("utf-8")) for name in FILES[task]}

    @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
    @given(some.data())
    def check(data: some.DataObject) -> None:
        name = data.draw(some.sampled_from(FILES[task]))
        place = data.draw(some.sampled_from(places(whole[name])))
        content = changed(whole[name], place, data.draw(ANYTHING), data.draw(some.booleans()))
        (root / name).write_text(json.dumps(content), "utf-8")
        try:
            try_to_read(task, root)
        finally:
            (root / name).write_text(json.dumps(whole[name]), "utf-8")

    check()


@pytest.mark.parametrize("task", FILES)
@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe{", b"\xe4{}", b"[[", b"null", b"[]", b"{}", b'{"data": [NaN]}', b'{"data": []}', b"\0"]
)
def test_files_that_are_none(tmp_path: Path, task: str, content: bytes) -> None:
    root = WRITERS[task](tmp_path)
    for name in FILES[task]:
        kept = (root / name).read_bytes()
        (root / name).write_bytes(content)
        with pytest.raises(DataError) as caught:
            choose_task(task).task.samples(Folder(root), "val")
        assert name in str(caught.value) or "00aa" in str(caught.value)
        (root / name).write_bytes(kept)


@pytest.mark.parametrize("task", FILES)
def test_answer_files_of_anything(tmp_path: Path, task: str) -> None:
    choice = choose_task(task)
    samples = choice.task.samples(Folder(WRITERS[task](tmp_path)), "val")
    field = "image" if task == "vizwiz" else "question_id"
    good = [{field: sample.id, "answer": "red"} for sample in samples]
    path = tmp_path / "answers.json"

    @settings(max_examples=100)
    @given(some.sampled_from(places(good)), ANYTHING, some.booleans())
    def check(place: tuple[Any, ...], value: Any, gone: bool) -> None:
        path.write_text(json.dumps(changed(good, place, value, gone)), "utf-8")
        try:
            found = choice.task.read_predictions(path, samples)
        except PredictionsError as error:
            assert str(path) in str(error)
        else:
            assert set(found) == {sample.id for sample in samples}
            assert all(isinstance(text, str) for text in found.values())

    check()
