"""AMBER's discriminative part: its layouts and splits, figures by hand, and what can be wrong with its files."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import png
from vlmbench.base.errors import DataError
from vlmbench.base.samples import Response
from vlmbench.data.files import Folder, Hub
from vlmbench.tasks.yes_no.amber_d import AMBER_D as TASK

PICTURE = png((10, 20, 30))
TYPES = ("hallucination", "attribute-state", "attribute-number", "attribute-action", "relation")
QUERIES = [{"id": 1005 + n, "image": f"AMBER_{n // 3}.jpg", "query": f"Is it {n}?"} for n in range(10)]
TRUTH: list[dict[str, Any]] = [
    {"id": 1005 + n, "type": f"discriminative-{TYPES[n % 5]}", "truth": ("yes", "no")[n % 2]} for n in range(10)
]
TRUTH[9]["type"] = "relation"


def write(folder: Path, truth: Sequence[object] = TRUTH, queries: Sequence[object] = QUERIES) -> Folder:
    for name, rows in (("query/query_discriminative.json", queries), ("annotations.json", truth)):
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(rows), "utf-8")
    (folder / "image").mkdir(exist_ok=True)
    for number in range(4):
        (folder / "image" / f"AMBER_{number}.jpg").write_bytes(PICTURE)
    return Folder(folder)


def test_the_official_files_and_their_dimensions(tmp_path: Path) -> None:
    data = write(tmp_path)
    samples = TASK.samples(data, "all")
    assert [s.target for s in samples] == ["yes", "no"] * 5 and samples[3].cluster == "AMBER_1.jpg"
    assert samples[0].images[0].load() == PICTURE
    counts = {split: len(TASK.samples(data, split)) for split in TASK.splits}
    assert counts == {"all": 10, "existence": 2, "attribute": 6, "relation": 2}


def test_an_answer_file_about_all_of_amber(tmp_path: Path) -> None:
    samples = TASK.samples(write(tmp_path, [*TRUTH, {"id": 1, "type": "generative"}]), "all")
    rows = [{"id": query["id"], "response": "Yes"} for query in QUERIES]
    (tmp_path / "answers.json").write_text(json.dumps([{"id": 1, "response": "A dog."}, *rows]), "utf-8")
    assert TASK.read_predictions(tmp_path / "answers.json", samples) == dict.fromkeys([s.id for s in samples], "Yes")


def test_the_table(tmp_path: Path) -> None:
    cell = base64.b64encode(PICTURE).decode()
    rows = [f"{n}\tIs it?\tNo\t{t['type']}\t{cell}" for n, t in enumerate(TRUTH)]
    head = "index\tquestion\tanswer\tcategory\timage"
    (tmp_path / "AMBER.tsv").write_text("\n".join([head, *rows]) + "\n", "utf-8")
    samples = TASK.samples(Folder(tmp_path), "attribute")
    assert [s.target for s in samples] == ["no"] * 6 and samples[0].images[0].load() == PICTURE
    (tmp_path / "AMBER.tsv").write_text("\n".join([head.replace("category", "kind"), *rows]) + "\n", "utf-8")
    with pytest.raises(DataError, match="no column 'category'"):
        TASK.samples(Folder(tmp_path), "all")
    with pytest.raises(DataError, match="cannot load default, split query_discriminative_existence"):
        TASK.samples(Hub(tmp_path), "all")


def values(folder: Path, protocol: str, *texts: str) -> dict[str, float]:
    samples = TASK.samples(write(folder), "all")
    scored = [(s, TASK.score(s, Response(text), protocol)) for s, text in zip(samples, texts, strict=True)]
    return {metric.name: metric.value() for metric in TASK.summarise(scored, protocol)}


def test_no_is_the_positive_answer(tmp_path: Path) -> None:
    """Three of five no's found, one yes taken for a no; "No." is neither, and wrong."""
    found = values(tmp_path, "official", *["Yes", "No"] * 3, "No", "No.", "Yes", "Yes")
    assert round(found["accuracy"], 1) == 70 and round(found["precision"], 1) == 75 and round(found["recall"], 1) == 60
    assert found["f1"] == pytest.approx(100 * 2 * 0.75 * 0.6 / (0.75 + 0.6 + 0.0001))
    assert found["existence_accuracy"] == pytest.approx(100 * 2 / 2.001)


def test_vlmevalkit_reads_words_and_averages_dimensions(tmp_path: Path) -> None:
    found = values(tmp_path, "vlmevalkit", *["yes.", "No!"] * 4, "maybe", "no, yes")
    three = [found[f"{name}_accuracy"] for name in ("existence", "attribute", "relation")]
    assert three == pytest.approx([100, 100 * 5 / 6, 50]) and found["mean_accuracy"] == pytest.approx(sum(three) / 3)
    assert found["accuracy"] == 80


BROKEN = [
    ({"truth": "perhaps"}, "field 'truth': yes or no was expected, not 'perhaps'"),
    ({"id": 1}, "question 1005 has no annotation"),
    ({"type": None}, "field 'type': the field is null"),
    ({"id": 1006}, "'1006' is there twice"),
]


@pytest.mark.parametrize(("change", "message"), BROKEN)
def test_broken_annotations(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        TASK.samples(write(tmp_path, [TRUTH[0] | change, *TRUTH[1:]]), "all")
    assert message in str(error.value)


def test_missing_files(tmp_path: Path) -> None:
    data = write(tmp_path)
    (tmp_path / "data/annotations.json").unlink()
    with pytest.raises(DataError, match=r"AMBER's annotations is not there(.|\n)*data fetch amber_d"):
        TASK.samples(data, "all")
