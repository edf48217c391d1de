"""Damaged files of POPE, GQA and the benchmarks with choices: samples, or an error that names the file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vlmbench.base.errors import DataError, PredictionsError, VlmbenchError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample
from vlmbench.data.files import Folder
from vlmbench.scoring.score import score_response
from vlmbench.tasks.samples import build

SAMPLES = Path(build.__file__).parent
FILES = {
    "pope": "coco_pope_random.json",
    "gqa": "testdev_balanced_questions.json",
    "vsr": "data/splits/zeroshot/test.jsonl",
    "iconqa": "iconqa_data/problems.json",
    "iconqa:test": "iconqa_data/pid_splits.json",
    "iconqa:val": "iconqa_data/pid2skills.json",
    "hateful_memes": "dev_seen.jsonl",
    "scienceqa": "problems.json",
    "scienceqa:test": "pid_splits.json",
    "mme": "MME_Benchmark_release_version/OCR/0001.txt",
}
FUZZ = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 9), st.floats(), st.text(max_size=8), st.just([]), st.just({}),
    st.lists(st.one_of(st.text(max_size=3), st.integers(0, 3)), max_size=6),
)  # fmt: skip


def copied(spec: str, root: Path) -> tuple[Path, Folder]:
    """The embedded sample without its pictures, to be damaged; the file to damage first."""
    name = spec.partition(":")[0]
    target = root / name
    if not target.exists():
        shutil.copytree(SAMPLES / name, target, ignore=shutil.ignore_patterns("*.jpg", "*.png"))
    if name == "gqa":  # 900 long rows would be read for each example
        rows = json.loads((target / FILES[spec]).read_text("utf-8"))
        (target / FILES[spec]).write_text(json.dumps(dict(list(rows.items())[:20])), "utf-8")
    return target / FILES[spec], Folder(target)


def is_lines(text: str) -> bool:
    """Whether a file holds a row a line, whatever its suffix says."""
    first = text.partition("\n")[0]
    return first.startswith("{") and first.endswith("}") and text.count("\n") > 1


def loads(spec: str, data: Folder, path: Path) -> None:
    """The loader gives samples that can be asked, or an error that names a file below the folder."""
    choice = choose_task(spec)
    try:
        samples = choice.task.samples(data, choice.split)
        for sample in samples:
            for protocol in choice.task.protocols:
                build_request(choice.task, sample, protocol)
    except DataError as error:
        assert str(data.root) in str(error), error
        assert error.where


def build_request(task: Any, sample: Sample, protocol: str) -> None:
    """Ask, and score some text; a protocol may refuse a kind of question."""
    try:
        task.build_request(sample, protocol)
        score_response(task, protocol, sample, Response("B. yes\n"))
    except VlmbenchError as error:
        assert "iconqa:choose_txt_val" in str(error)


def damage(content: Any, at: int, field: int, change: Callable[[dict[str, Any], str], object]) -> None:
    """Change one field of one row of a file's content."""
    rows = content if isinstance(content, list) else list(content.values())
    if not rows or not isinstance(rows[at % len(rows)], dict):
        change(content, list(content)[at % len(content)])
        return
    row = rows[at % len(rows)]
    change(row, list(row)[field % len(row)])


@pytest.mark.parametrize("spec", [spec for spec in FILES if spec != "mme"])
def test_fields(spec: str, tmp_path: Path) -> None:
    """Any field missing, or of any other value."""
    path, data = copied(spec, tmp_path)
    original = path.read_text("utf-8")
    lines = is_lines(original)

    @FUZZ
    @given(at=st.integers(0, 99), field=st.integers(0, 99), value=VALUES, gone=st.booleans())
    def check(at: int, field: int, value: Any, gone: bool) -> None:
        content: Any = [json.loads(line) for line in original.splitlines()] if lines else json.loads(original)

        def change(row: dict[str, Any], name: str) -> None:
            row.pop(name) if gone else row.update({name: value})

        damage(content, at, field, change)
        text = "".join(json.dumps(row) + "\n" for row in content) if lines else json.dumps(content)
        path.write_text(text, "utf-8")
        loads(spec, data, path)

    check()


@pytest.mark.parametrize("spec", FILES)
def test_bytes(spec: str, tmp_path: Path) -> None:
    """Cut short, bytes put in, another encoding, nothing at all."""
    path, data = copied(spec, tmp_path)
    original = path.read_bytes()

    @FUZZ
    @given(at=st.integers(0, len(original)), put=st.binary(max_size=6), cut=st.booleans())
    def check(at: int, put: bytes, cut: bool) -> None:
        path.write_bytes(original[:at] + put + (b"" if cut else original[at:]))
        loads(spec, data, path)

    check()
    for content in (b"", b"[]", b"{}", b"null", b"[1]", b'{"1": 1}', original.decode("utf-8").encode("utf-16")):
        path.write_bytes(content)
        loads(spec, data, path)


ANSWERS = {
    "vsr": "answers.txt",
    "iconqa": "answers.json",
    "hateful_memes": "answers.csv",
    "scienceqa": "answers.json",
    "mme": "results",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_files(name: str, tmp_path: Path) -> None:
    """Answer files in the benchmarks' own formats, damaged anywhere: read, or refused with the file's name."""
    task: Any = choose_task(name).task
    samples = task.samples(Folder.sample(name), task.splits[0])
    texts = {sample.id: {"hateful_memes": "0.5", "vsr": "1"}.get(name, "yes") for sample in samples}
    path = tmp_path / ANSWERS[name]
    task.export(texts, samples, "official", path)
    file = path / "OCR.txt" if path.is_dir() else path
    original = file.read_bytes()

    @FUZZ
    @given(at=st.integers(0, len(original)), put=st.binary(max_size=6), cut=st.booleans())
    def check(at: int, put: bytes, cut: bool) -> None:
        file.write_bytes(original[:at] + put + (b"" if cut else original[at:]))
        try:
            found = task.read_predictions(path, samples)
        except PredictionsError as error:
            assert str(path) in str(error)
        else:
            assert set(found) == set(texts)

    check()
