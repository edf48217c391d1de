"""The readers of official files that benchmarks share, and the samples that are drawn for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import png
from vlmbench.base.errors import DataError, ImageError
from vlmbench.base.samples import Response, Sample, Status
from vlmbench.base.task import DataFile, Size
from vlmbench.data.files import Folder, Hub, QuestionFiles
from vlmbench.data.tables.columns import Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import ImageTable, columns, table
from vlmbench.data.tables.row_files import RowFiles
from vlmbench.families import prompts
from vlmbench.families.multiple_choice import ChoiceRules, MultipleChoice
from vlmbench.parsing import options as readers
from vlmbench.scenes.scene import SAMPLE_SEEDS, TRAIN_SEEDS, sample_seeds
from vlmbench.tasks.catalog import TASKS
from vlmbench.tasks.samples import by_family

LISTED = Columns(id="id", options="choices", tags={"kind": "type"})
FILES: Mapping[str, QuestionFiles] = {
    "tsv": ImageTable({"val": table("a.tsv")}, columns(tags={"kind": "type"})),
    "rotated": ImageTable({"val": table("a.tsv")}, columns(tags={"kind": "type"}), rotated=True),
    "hub": HubDataset(("us/a",), {"val": "test"}, LISTED),
    "hub, letters": HubDataset(("us/a",), {"val": "test"}, replace(LISTED, options=("A", "B", "C", "D"))),
    "jsonl": RowFiles({"val": [DataFile("a.jsonl", "questions")]}, replace(LISTED, answer_is="index")),
    "json": RowFiles({"val": [DataFile("a.json", "questions")]}, replace(LISTED, answer_is="text")),
    "keyed": RowFiles({"val": [DataFile("a.json", "questions")]}, LISTED, keyed_by="question"),
    "csv": RowFiles({"val": [DataFile("a.csv", "questions")]}, replace(LISTED, options=("A", "B", "C", "D"))),
}


def task(files: QuestionFiles) -> MultipleChoice:
    """A benchmark with these files."""
    return MultipleChoice(
        name="stars",
        title="Stars",
        sizes={"val": Size(24)},
        rules={"official": ChoiceRules("here", prompts.llava, readers.exact_letter)},
        files=files,
        breakdowns=("kind",),
    )


@pytest.mark.parametrize("kind", FILES)
def test_a_drawn_sample_comes_back_from_its_files(kind: str, tmp_path: Path) -> None:
    benchmark = task(FILES[kind])
    by_family.build(benchmark, tmp_path, 6)
    samples = benchmark.samples(Folder(tmp_path), "val")
    assert len(samples) == (6 if kind != "rotated" else sum(len(sample.choices) for sample in samples[:6]))
    for sample in samples:
        (image,) = sample.images
        assert image.load().startswith(b"\xff\xd8") and sample.choices and sample.tags["kind"]
        assert benchmark.score(sample, Response(str(sample.target)), "official").value == 1.0
        assert benchmark.build_request(sample, "official").prompt.startswith(sample.question)


def test_a_hub_dataset_from_its_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image per row or a list of them, and rows that share one by its name."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    image = {"bytes": png((1, 2, 3)), "path": None}
    rows = [
        {"question": "1?", "choices": ["x", "y"], "answer": 1, "image": image, "more": [image, image], "scan": "s"},
        {"question": "2?", "choices": ["x", "y", "z"], "answer": None, "image": None, "more": [], "scan": "s"},
    ]
    path = tmp_path / "us" / "a" / "data" / "test-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    plain = datasets.Image(decode=False)
    data = datasets.Dataset.from_list(rows).cast_column("image", plain).cast_column("more", [plain])
    data.to_parquet(str(path))
    listed = Columns(options="choices", answer_is="index")
    several = HubDataset(("gone/a", "us/a"), {"val": "test"}, listed, images=("image", "more"))
    first, second = several.samples(Hub(tmp_path), "val", "stars")
    assert (first.id, first.target, second.target, second.images) == ("1", "B", None, ())
    assert [ref.name for ref in first.images] == ["1/1", "1/2", "1/3"]
    assert {ref.load() for ref in first.images} == {png((1, 2, 3))}
    shared = replace(several, images=("image",), image_id="scan").samples(Hub(tmp_path), "val", "stars")
    assert [[ref.name for ref in sample.images] for sample in shared] == [["s"], ["s"]]
    with pytest.raises(DataError, match=r"no column 'hoices'(.|\n)*is it 'choices'"):
        replace(several, columns=replace(listed, options="hoices")).samples(Hub(tmp_path), "val", "stars")
    with pytest.raises(DataError, match="the hub has stars's split val only, not train"):
        several.samples(Hub(tmp_path), "train", "stars")
    assert several.required_files("val")[0].path == "gone/a/data/test-*.parquet"
    assert replace(several, splits={"val": "sub/test"}).required_files("val")[0].path == "gone/a/sub/test-*.parquet"


GOOD = {"id": "1", "question": "?", "choices": ["x", "y"], "answer": "B", "image": "a.png"}
BROKEN: Sequence[tuple[dict[str, Any], str]] = [
    ({"answer": "C"}, "field 'answer': 'C' is none of A, B"),
    ({"answer": ["B"]}, "field 'answer': a text or a number was expected"),
    ({"choices": ["x"]}, "field 'choices': 1 options; two or more are needed"),
    ({"choices": "x"}, "field 'choices': a list was expected"),
    ({"image": "../a.png"}, "field 'image': '../a.png' is not the name of an image inside the data folder"),
    ({"image": ["a.png", 3]}, "field 'image': a list of texts was expected"),
    ({"question": None}, "field 'question': the field is null"),
    ({"id": "0"}, "line 2, field 'id': '0' is there twice: also at line 1"),
    ({"hint": "\ud83d"}, "field 'hint': character 1 is U+D83D"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN, ids=[message[:30] for _, message in BROKEN])
def test_broken_rows_are_refused_by_file_line_and_field(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in (GOOD | {"id": "0"}, GOOD | change)), "utf-8")
    files = RowFiles({"val": [DataFile("a.jsonl", "questions")]}, LISTED)
    with pytest.raises(DataError) as error:
        files.samples(Folder(tmp_path), "val", "stars")
    assert message in str(error.value) and f"{path}, line 2" in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": None, "label": "B"}, "no column 'answer'"),
        ({"image": None, "picture": "a.png"}, "no column 'image' for the images"),
    ],
)
def test_a_column_under_another_name_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    row = {name: value for name, value in (GOOD | change).items() if value is not None}
    (tmp_path / "a.jsonl").write_text(json.dumps(row), "utf-8")
    with pytest.raises(DataError, match=message):
        RowFiles({"val": [DataFile("a.jsonl", "questions")]}, LISTED).samples(Folder(tmp_path), "val", "stars")


def test_a_folder_of_hub_rows_without_their_images_is_refused(tmp_path: Path) -> None:
    files = HubDataset(("us/a",), {"val": "test"}, LISTED)
    (tmp_path / "val.jsonl").write_text(json.dumps(GOOD | {"imgae": "a.png"} | {"image": None}).replace("image", "img"))
    with pytest.raises(DataError, match="no column 'image' for the images"):
        files.samples(Folder(tmp_path), "val", "stars")
    with pytest.raises(DataError, match=r"rows of test is not there(.|\n)*--data hub"):
        files.samples(Folder(tmp_path), "test", "stars")


def read_one(tmp_path: Path, row: dict[str, Any], columns: Columns) -> Sample:
    """The sample of one JSON row."""
    (tmp_path / "a.jsonl").write_text(json.dumps(row), "utf-8")
    files = RowFiles({"val": [DataFile("a.jsonl", "questions")]}, columns)
    (sample,) = files.samples(Folder(tmp_path), "val", "stars")
    return sample


@pytest.mark.parametrize(("how", "answer", "target"), [
    ("letter", " B ", "B"), ("letter", "", None), ("letter", "nan", None), ("index", "1", "B"), ("index", 0, "A"),
    ("index", None, None), ("text", "nan", "B"), ("text", "x", "A"),
])  # fmt: skip
def test_how_an_answer_names_its_option(how: str, answer: object, target: str | None, tmp_path: Path) -> None:
    row = GOOD | {"choices": ["x", "nan"], "answer": answer}
    sample = read_one(tmp_path, row, replace(LISTED, answer_is=how))
    assert sample.target == target
    if target is None:
        score = task(FILES["jsonl"]).score(sample, Response("A"), "official")
        assert (score.status, score.parsed_answer) == (Status.UNLABELED, "A")


@pytest.mark.parametrize(("how", "answer"), [("index", 2), ("index", -1), ("index", "B"), ("text", "z"), ("text", "X")])
def test_an_answer_that_names_no_option(how: str, answer: object, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="field 'answer'"):
        read_one(tmp_path, GOOD | {"answer": answer}, replace(LISTED, answer_is=how))


def test_questions_without_options(tmp_path: Path) -> None:
    open_ended = Columns(id="id", extra={}, cluster="scan")
    row = {"id": 1, "question": "?", "answer": ["one", "1"], "image": ["a.png", "b.png"], "scan": 7}
    sample = read_one(tmp_path, row, open_ended)
    assert (sample.target, sample.choices, sample.cluster, len(sample.images)) == (("one", "1"), (), "7", 2)
    assert read_one(tmp_path, row | {"answer": 12}, open_ended).target == "12"
    number = replace(open_ended, target=lambda row, column: row.integer(column))
    assert read_one(tmp_path, row | {"answer": 12}, number).target == 12


def test_where_a_table_is_looked_for(tmp_path: Path) -> None:
    files = ImageTable({"val": table("a.tsv", "https://x.org/y"), "test": table("b.tsv")})
    with pytest.raises(DataError, match=r"stars's table of val is not there: no a\.tsv(.|\n)*data fetch stars"):
        files.samples(Folder(tmp_path), "val", "stars")
    with pytest.raises(DataError, match="data status stars"):
        files.samples(Folder(tmp_path), "test", "stars")
    (tmp_path / "b.tsv").write_text("index\tquestion\timage\tA\tB\tanswer\n1\t?\tAAAA\tx\ty\tB\n")
    with pytest.raises(DataError, match="there is a file of test: name it, stars:test"):
        files.samples(Folder(tmp_path), "val", "stars")
    with pytest.raises(DataError, match="no copy on the hub"):
        files.samples(Hub(), "val", "stars")
    (sample,) = files.samples(Folder(tmp_path), "test", "stars")
    assert sample.choices == ("x", "y") and sample.images[0].load() == b"\0\0\0"
    assert files.required_files("val")[0].url == "https://x.org/y/a.tsv"
    (tmp_path / "b.tsv").write_text("index\tquestion\timage\tA\tB\tanswer\n1\t?\t" + "é" * 99 + "\tx\ty\tB\n")
    with pytest.raises(ImageError, match=r"line 2, field 'image': not base64"):
        files.samples(Folder(tmp_path), "test", "stars")[0].images[0].load()


def test_samples_and_training_have_seeds_of_their_own() -> None:
    blocks = [sample_seeds(name) for name in {*TASKS, *SAMPLE_SEEDS, "mmstar", "ai2d"}]
    assert not any(set(one) & set(other) for one, other in combinations(blocks, 2))
    assert all(block.stop <= TRAIN_SEEDS.start for block in blocks)
