"""POPE: official layouts, prompts, statuses, answer files and everything that can be wrong with them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.layouts import KINDS, pope_rows, write_lines, write_pope
from vlmbench.base.errors import DataError, ImageError, PredictionsError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample
from vlmbench.data.files import Folder, missing_images
from vlmbench.scoring.score import score_responses
from vlmbench.stats.intervals import intervals

POPE = choose_task("pope").task
SHORT = "\nAnswer the question using a single word or phrase."


def samples(root: Path, split: str = "coco") -> Sequence[Sample]:
    return POPE.samples(Folder(root), split)


@pytest.mark.parametrize("folder", ["coco", ".", "output/coco", "pope/coco"])
@pytest.mark.parametrize("pictures", ["val2014", "images", "."])
def test_layouts(tmp_path: Path, folder: str, pictures: str) -> None:
    found = samples(write_pope(tmp_path, folder, pictures=pictures))
    assert len(found) == 36 and found[0].id == "random/1" and found[-1].id == "adversarial/12"
    assert [sample.tags["split"] for sample in found[::12]] == list(KINDS)
    assert found[1].target == "no" and found[1].cluster == "COCO_val2014_000000000000.jpg"
    assert found[0].images[0].load() == b"a picture" and not missing_images(found)


def test_other_versions(tmp_path: Path) -> None:
    write_pope(tmp_path, "output/seem/aokvqa", "aokvqa")
    write_pope(tmp_path, ".", "gqa", pictures="images")
    assert len(samples(tmp_path, "aokvqa")) == len(samples(tmp_path, "gqa")) == 36
    with pytest.raises(DataError, match=r"no question files of split coco here, but of aokvqa, gqa\n.*pope:aokvqa"):
        samples(tmp_path)


def test_pictures_beside_the_folder(tmp_path: Path) -> None:
    write_pope(tmp_path, "coco", pictures=None)
    found = samples(tmp_path)
    assert missing_images(found) == ["COCO_val2014_000000000000.jpg", "COCO_val2014_000000000001.jpg"]
    with pytest.raises(ImageError, match=r"no image COCO_val2014_000000000000\.jpg"):
        found[0].images[0].load()
    (tmp_path / "val2014").mkdir()
    (tmp_path / "val2014" / "COCO_val2014_000000000000.jpg").write_bytes(b"x")
    assert missing_images(found) == ["COCO_val2014_000000000001.jpg"]


def test_old_random_file_is_shorter(tmp_path: Path) -> None:
    write_pope(tmp_path)
    write_lines(tmp_path / "coco/coco_pope_random.json", pope_rows("random")[:9])
    found = samples(tmp_path)
    assert [sum(s.tags["split"] == kind for s in found) for kind in KINDS] == [9, 12, 12]


def broken(tmp_path: Path, change: Callable[[list[dict[str, Any]]], object]) -> str:
    """The message for a popular file that was changed."""
    write_pope(tmp_path)
    rows = pope_rows("popular")
    change(rows)
    path = write_lines(tmp_path / "coco/coco_pope_popular.json", rows)
    with pytest.raises(DataError) as caught:
        samples(tmp_path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_broken_question_files(tmp_path: Path) -> None:
    cases: list[tuple[Callable[[list[dict[str, Any]]], object], str]] = [
        (lambda rows: rows[2].pop("text"), "line 3, field 'text': the field is missing"),
        (lambda rows: rows[2].update(text=7), "line 3, field 'text': text was expected, not 7"),
        (lambda rows: rows[2].update(label="maybe"), "line 3, field 'label': yes or no was expected"),
        (lambda rows: rows[2].update(question_id=1), "line 3, field 'question_id': '1' is there twice: also at line 1"),
        (lambda rows: rows[2].update(image="../../secret.jpg"), "line 3, field 'image'"),
        (lambda rows: rows.clear(), "the file is empty"),
    ]
    for number, (change, told) in enumerate(cases):
        assert told in broken(tmp_path / str(number), change)


def test_missing_and_cut_question_files(tmp_path: Path) -> None:
    write_pope(tmp_path)
    path = tmp_path / "coco/coco_pope_popular.json"
    content = path.read_text()
    path.write_text(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"popular\.json, line \d+, column \d+: broken JSON.*cut off"):
        samples(tmp_path)
    path.unlink()
    with pytest.raises(
        DataError, match=r"POPE's popular question file is not there(.|\n)*missing: coco/coco_pope_popular"
    ):
        samples(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        samples(tmp_path / "nowhere")


def test_prompts(tmp_path: Path) -> None:
    sample = samples(write_pope(tmp_path))[0]
    prompts = {name: POPE.build_request(sample, name).prompt.removeprefix(sample.question) for name in POPE.protocols}
    bare = {"official": "", "vlmevalkit": ""}
    assert prompts == bare | dict.fromkeys(("llava", "tinyllava", "lmms_eval"), SHORT)
    request = POPE.build_request(sample, "llava")
    assert request.generation.max_new_tokens == 128 and request.images == sample.images
    assert {name: p.headline for name, p in POPE.protocols.items()} == {
        "official": "mean_f1", "llava": "mean_f1", "tinyllava": "mean_accuracy", "lmms_eval": "f1", "vlmevalkit": "f1",
    }  # fmt: skip


def figures(found: Sequence[Sample], texts: Sequence[str], protocol: str = "official") -> dict[str, float]:
    scored = score_responses(POPE, protocol, [(s, Response(t)) for s, t in zip(found, texts, strict=True)])
    return {metric.name: metric.value() for metric in POPE.summarise(scored, protocol)}


def test_figures(tmp_path: Path) -> None:
    found = samples(write_pope(tmp_path))
    right = figures(found, [s.target for s in found])
    assert right["accuracy"] == right["f1"] == right["mean_f1"] == right["popular_f1"] == 100
    always = figures(found, ["yes"] * 36)
    assert (always["accuracy"], always["recall"], always["yes_ratio"]) == (50, 100, 100)
    assert always["mean_accuracy"] == 50 and always["mean_f1"] == pytest.approx(200 / 3)
    never = figures(found, ["no"] * 36)
    assert math.isnan(never["f1"]) and math.isnan(never["precision"]) and never["recall"] == 0
    assert never["accuracy"] == 50 and never["yes_ratio"] == 0
    assert figures(found, ["no"] * 36, "lmms_eval")["f1"] == 0
    assert figures(found, [""] * 36)["yes_ratio"] == 100  # an empty answer is an answer, and not a no
    assert figures(found, [""] * 36, "lmms_eval")["yes_ratio_of_targets"] == 50


@pytest.mark.parametrize("protocol", list(POPE.protocols))
def test_all_right_is_no_certainty(tmp_path: Path, protocol: str) -> None:
    found = samples(write_pope(tmp_path))
    scored = score_responses(POPE, protocol, [(sample, Response(sample.target)) for sample in found])
    metrics = [metric for metric in POPE.summarise(scored, protocol) if metric.name != "yes_ratio_of_targets"]
    for estimate in intervals(metrics):
        assert estimate.low is not None and estimate.high is not None and estimate.low < estimate.high


def test_means_over_the_splits_that_are_there(tmp_path: Path) -> None:
    found = samples(write_pope(tmp_path))[:12]
    metrics = POPE.summarise(score_responses(POPE, "official", [(s, Response("Yes")) for s in found]), "official")
    mean = next(metric for metric in metrics if metric.name == "mean_f1")
    assert mean.note == "mean over random only"


# ---------------------------------------------------------------------------------------------------- answer files


def official_rows(kind: str, answer: str = "yes") -> list[dict[str, Any]]:
    return [{"question": row["text"], "answer": answer} for row in pope_rows(kind)]


def test_official_answers_a_file_a_split(tmp_path: Path) -> None:
    found = samples(write_pope(tmp_path / "data"))
    for kind in KINDS:
        rows = [{"question": row["text"], "answer": f"{kind} {row['question_id']}"} for row in pope_rows(kind)]
        write_lines(tmp_path / f"answers/model_{kind}.json", rows)
    texts = POPE.read_predictions(tmp_path / "answers", found)
    assert texts == {s.id: s.id.replace("/", " ") for s in found}


def test_official_answers_in_one_file_in_any_order_of_splits(tmp_path: Path) -> None:
    found = samples(write_pope(tmp_path / "data"))
    rows = [row for kind in ("adversarial", "random", "popular") for row in official_rows(kind, kind)]
    texts = POPE.read_predictions(write_lines(tmp_path / "answers.jsonl", rows), found)
    assert all(text == key.partition("/")[0] for key, text in texts.items())


def test_a_shifted_line_is_an_error(tmp_path: Path) -> None:
    found = samples(write_pope(tmp_path / "data"))
    for kind in KINDS:
        write_lines(tmp_path / f"answers/{kind}.jsonl", official_rows(kind))
    path = tmp_path / "answers/popular.jsonl"
    rows = official_rows("popular")
    write_lines(path, rows[:4] + rows[5:])
    with pytest.raises(
        PredictionsError, match=r"line 5: the row asks 'Is there a popular train .*question popular/5 is"
    ):
        POPE.read_predictions(tmp_path / "answers", found)
    write_lines(path, rows[:-1])
    with pytest.raises(PredictionsError, match="the answers end before question popular/12"):
        POPE.read_predictions(tmp_path / "answers", found)
    write_lines(path, [*rows, rows[0]])
    with pytest.raises(PredictionsError, match="1 answers too many, from line 13 on"):
        POPE.read_predictions(tmp_path / "answers", found)
    path.unlink()
    with pytest.raises(PredictionsError, match=r"12 of 36 questions have no answer: popular/1, .* and 7 more"):
        POPE.read_predictions(tmp_path / "answers", found)


def llava_rows() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """LLaVA's question file and answers: question_id is unique over all categories."""
    questions: list[dict[str, Any]] = []
    given: list[dict[str, Any]] = []
    for kind in ("adversarial", "popular", "random"):
        for row in pope_rows(kind):
            number, prompt = len(questions), row["text"] + SHORT
            questions.append({"question_id": number, "image": row["image"], "text": prompt, "category": kind})
            answer = {"question_id": number, "prompt": prompt, "text": f"{kind}/{row['question_id']}", "answer_id": "x"}
            given.append(answer | {"model_id": "m", "metadata": {}})
    return questions, given


@pytest.mark.parametrize("with_questions", [True, False])
def test_llava_answers(tmp_path: Path, with_questions: bool) -> None:
    found = samples(write_pope(tmp_path / "data"))
    questions, given = llava_rows()
    if with_questions:
        write_lines(tmp_path / "llava_pope_test.jsonl", questions)
        given.reverse()  # joined by key: the order does not matter
    path = write_lines(tmp_path / "answers/model.jsonl", given)
    assert POPE.read_predictions(path, found) == {s.id: s.id for s in found}


def test_llava_answers_of_other_questions(tmp_path: Path) -> None:
    write_pope(tmp_path / "data")
    write_lines(tmp_path / "data/coco/coco_pope_random.json", pope_rows("random")[:9])  # as the old random file
    found = samples(tmp_path / "data")
    questions, given = llava_rows()
    write_lines(tmp_path / "llava_pope_test.jsonl", questions)
    path = write_lines(tmp_path / "answers.jsonl", given)
    with pytest.raises(PredictionsError, match="3 ids answer no question of this split: question_id 33"):
        POPE.read_predictions(path, found)


def test_own_rows_and_numbered_rows(tmp_path: Path) -> None:
    found = samples(write_pope(tmp_path / "data"))
    own = write_lines(tmp_path / "own.json", [{"id": s.id, "text": s.id} for s in reversed(found)], array=True)
    assert POPE.read_predictions(own, found) == {s.id: s.id for s in found}
    rows = [
        {
            "question_id": r["question_id"],
            "category": kind,
            "question": r["text"],
            "answer": f"{kind}/{r['question_id']}",
        }
        for kind in KINDS
        for r in pope_rows(kind)
    ]
    assert POPE.read_predictions(write_lines(tmp_path / "n.jsonl", rows), found) == {s.id: s.id for s in found}
    rows[1]["question"] = "Is there a whale in the image?"
    with pytest.raises(PredictionsError, match="line 2: the row asks 'Is there a whale"):
        POPE.read_predictions(write_lines(tmp_path / "n.jsonl", rows), found)


def test_wrong_answer_files(tmp_path: Path) -> None:
    found = samples(write_pope(tmp_path / "data"))
    rows: list[dict[str, Any]] = [{"id": s.id, "text": "yes"} for s in found]
    cases = [
        (rows[1:], "1 of 36 questions have no answer: random/1"),
        ([*rows, {"id": "random/99", "text": "yes"}], "1 id answers no question of this split: random/99"),
        ([*rows, rows[0]], "'random/1' is answered twice: at item 1 and at item 37"),
        ([*rows[:-1], {"id": rows[-1]["id"]}], "needed: 'id' with 'text'"),
        ([*rows[:-1], {"id": rows[-1]["id"], "text": None}], "field 'text': the field is null"),
        ([*rows[:-1], {"id": rows[-1]["id"], "text": ["yes"]}], "field 'text': text was expected"),
    ]
    for content, told in cases:
        path = write_lines(tmp_path / "answers.json", content, array=True)
        with pytest.raises(PredictionsError) as caught:
            POPE.read_predictions(path, found)
        assert told in str(caught.value)
    path.write_text(json.dumps(rows)[:-9])
    with pytest.raises(PredictionsError, match="broken JSON"):
        POPE.read_predictions(path, found)
    with pytest.raises(PredictionsError, match="no such file or folder"):
        POPE.read_predictions(tmp_path / "absent", found)


def test_real_files(shared: Path) -> None:
    """Official files with real photographs, of both versions."""
    root = shared / "real" / "pope"
    for split, count in (("coco", 54), ("aokvqa", 270)):
        found = samples(root, split)
        assert len(found) == count and not missing_images(found)
    assert [s.id for s in samples(root / "aokvqa", "aokvqa")] == [s.id for s in samples(root, "aokvqa")]
    with pytest.raises(DataError, match="pope:aokvqa"):
        samples(root / "aokvqa")
    assert len(samples(shared / "real")) == 54


def test_embedded_sample() -> None:
    found = POPE.samples(Folder.sample("pope"), "coco")
    assert len(found) >= 1080 and len({s.cluster for s in found}) >= 60 and not missing_images(found)
