"""VQAv2 and OK-VQA: official layouts, words, figures, answer and upload files, and what can be wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.short_answer.human_layouts import vqa_rows, write_json, write_vqa
from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample, Status
from vlmbench.data.files import Folder, missing_images
from vlmbench.scoring.score import score_responses, summarise
from vlmbench.tasks.short_answer.okvqa import OKVQA
from vlmbench.tasks.short_answer.vqav2 import VQAV2

Rows = list[dict[str, Any]]
SHORT = "\nAnswer the question using a single word or phrase."
OKVQA_NAMES = ("OpenEnded_mscoco_val2014_questions.json", "mscoco_val2014_annotations.json")


def samples(root: Path, split: str = "val") -> Sequence[Sample]:
    return VQAV2.samples(Folder(root), split)


def figures(found: Sequence[Sample], texts: Mapping[str, str], protocol: str = "official") -> dict[str, float]:
    scored = score_responses(VQAV2, protocol, [(s, Response(texts[s.id])) for s in found])
    return {metric.name: metric.value() for metric in VQAV2.summarise(scored, protocol)}


def test_reading(tmp_path: Path) -> None:
    found = samples(write_vqa(tmp_path, data_subtype="val2014"))
    assert [s.id for s in found] == ["100000", "100001", "100002", "100003"]
    assert found[0].target[0] == "red" and len(found[0].target) == 10
    assert dict(found[1].tags) == {"answer_type": "yes/no", "question_type": "what color"}
    assert found[0].cluster == found[1].cluster != found[2].cluster
    assert found[0].images[0].name == "COCO_val2014_000000000100.jpg" and not missing_images(found)
    assert found[0].images[0].load() == b"a picture"


@pytest.mark.parametrize("folder", ["", "vqav2"])
def test_other_names(tmp_path: Path, folder: str) -> None:
    """Plain names, in the folder of the task: pictures of whichever part are found."""
    write_vqa(tmp_path / folder, names=("questions.json", "annotations.json"))
    (tmp_path / folder / "val2014").rename(tmp_path / folder / "train2014")
    for path in (tmp_path / folder / "train2014").iterdir():
        path.rename(path.with_name(path.name.replace("val", "train")))
    assert not missing_images(samples(tmp_path))


def test_a_withheld_split(tmp_path: Path) -> None:
    questions, _ = vqa_rows()
    head = {"data_subtype": "test-dev2015", "questions": questions}
    write_json(tmp_path / "v2_OpenEnded_mscoco_test-dev2015_questions.json", head)
    found = samples(tmp_path, "test-dev")
    assert found[0].target is None and found[0].images[0].name.startswith("COCO_test2015_")
    choice = choose_task("vqav2:test-dev@llava")
    assert VQAV2.build_request(found[0], "llava").prompt == found[0].question + SHORT
    scored = score_responses(VQAV2, "llava", [(s, Response("red")) for s in found])
    assert {score.status for _, score in scored} == {Status.UNLABELED}
    entry = summarise(choice, scored)
    assert entry["coverage"] == 1.0 and entry["statuses"] == {"unlabeled": 4}
    assert entry["accuracy"]["value"] is None and "EvalAI 830" in entry["accuracy"]["note"]


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"vqav2's question file of val is not there(.|\n)*vlmbench data status vqav2"):
        samples(tmp_path)
    write_vqa(tmp_path)
    (tmp_path / "v2_mscoco_val2014_annotations.json").unlink()
    with pytest.raises(DataError, match="annotation file of val is not there"):
        samples(tmp_path)


def test_broken_files(tmp_path: Path) -> None:
    cases: list[tuple[Callable[[Rows, Rows], object], str]] = [
        (lambda q, n: q[1].pop("question"), "questions, item 2, field 'question': the field is missing"),
        (lambda q, n: q[1].update(image_id="x"), "questions, item 2, field 'image_id': a whole number"),
        (lambda q, n: q[1].update(question_id=100_000), "is there twice: also at questions, item 1"),
        (lambda q, n: n.pop(), "1 questions have no annotation: 100003"),
        (lambda q, n: q.pop(), "1 annotations have no question: 100003"),
        (lambda q, n: n[0].update(answers=[]), "annotations, item 1, field 'answers': there are no answers"),
        (lambda q, n: n[0].update(answers=[{"answer": 3}]), "annotations, item 1, field 'answers': a list of answers"),
        (lambda q, n: n[0].pop("answer_type"), "annotations, item 1, field 'answer_type': the field is missing"),
        (lambda q, n: q.clear(), "the list 'questions' is empty"),
        (lambda q, n: q.append(3), "questions, item 5: an object was expected"),  # type: ignore[arg-type]
    ]
    for number, (change, told) in enumerate(cases):
        questions, notes = json.loads(json.dumps(vqa_rows()))
        change(questions, notes)
        with pytest.raises(DataError) as caught:
            samples(write_vqa(tmp_path / str(number), questions, notes))
        assert told in str(caught.value)
    path = write_json(tmp_path / "v2_OpenEnded_mscoco_val2014_questions.json", [1, 2])
    with pytest.raises(DataError, match="an object with a list 'questions' was expected"):
        samples(path.parent)


def test_words(tmp_path: Path) -> None:
    sample = samples(write_vqa(tmp_path))[0]
    asked = {name: VQAV2.build_request(sample, name) for name in VQAV2.protocols}
    question = sample.question
    assert {name: request.prompt for name, request in asked.items()} == {
        "official": question,
        **dict.fromkeys(("llava", "tinyllava", "lmms_eval", "vlmevalkit"), question + SHORT),
        "lavis": f"Question: {question} Short answer:",
        "qwen_vl": f"{question} Answer:",
    }
    tokens = {name: request.generation.max_new_tokens for name, request in asked.items()}
    assert (tokens["llava"], tokens["lmms_eval"], tokens["lavis"], tokens["qwen_vl"]) == (128, 16, 10, 10)
    assert asked["lavis"].generation.num_beams == 5


def test_words_of_okvqa(tmp_path: Path) -> None:
    sample = OKVQA.samples(Folder(write_vqa(tmp_path, names=OKVQA_NAMES)), "val")[0]
    prompts = {name: OKVQA.build_request(sample, name).prompt for name in OKVQA.protocols}
    instruction = f"[vqa] Based on the image, respond to this question with a short answer: {sample.question}"
    assert prompts["minigpt_v2"] == prompts["tinygpt_v"] == instruction
    assert prompts["lmms_eval"] == (
        sample.question + "\nWhen the provided information is insufficient, respond with 'Unanswerable'." + SHORT
    )
    assert OKVQA.build_request(sample, "lmms_eval").generation.stop == ("ASSISTANT:",)


def test_question_types_of_okvqa(tmp_path: Path) -> None:
    questions, notes = vqa_rows()
    notes = [{**note, "question_type": "eight"} for note in notes]
    root = write_vqa(tmp_path, questions, notes, OKVQA_NAMES, question_types={"eight": "Plants and Animals"})
    found = OKVQA.samples(Folder(root), "val")
    assert {s.tags["question_type"] for s in found} == {"Plants and Animals"}
    scored = score_responses(OKVQA, "official", [(s, Response("red")) for s in found])
    assert [m.name for m in OKVQA.summarise(scored, "official")] == ["accuracy", "question_type_Plants_and_Animals"]


def test_figures(tmp_path: Path) -> None:
    found = samples(write_vqa(tmp_path))
    values = figures(found, {"100000": "red", "100001": "Dark red", "100002": "dark-red", "100003": "blue"})
    assert values == pytest.approx(
        {
            "accuracy": 70,
            "answer_type_other": 95,
            "answer_type_yes_no": 45,
            "question_type_what_color": 70,
        }
    )


# ----------------------------------------------------------------------------------------- answer and upload files


def test_answer_files(tmp_path: Path) -> None:
    found = samples(write_vqa(tmp_path))
    right = {s.id: f"answer {s.id}" for s in found}
    official: Rows = [{"question_id": int(key), "answer": text} for key, text in right.items()]
    llava = [{"question_id": int(key), "prompt": "?", "text": text} for key, text in right.items()]
    own = [{"id": key, "text": text} for key, text in right.items()]
    for good in (official, llava[::-1], own):
        assert VQAV2.read_predictions(write_json(tmp_path / "a.json", good), found) == right
    wrong: list[tuple[list[dict[str, Any]], str]] = [
        (official[1:], "1 of 4 questions have no answer: 100000"),
        ([*official, {"question_id": 7, "answer": ""}], "1 id answers no question of this split: 7"),
        ([*official, official[0]], "'100000' is answered twice"),
        ([*official[1:], {"question_id": 100_000}], "'question_id' with 'answer'"),
        ([*official[1:], {"question_id": 100_000, "answer": None}], "field 'answer': the field is null"),
    ]
    for rows, told in wrong:
        with pytest.raises(PredictionsError) as caught:
            VQAV2.read_predictions(write_json(tmp_path / "a.json", rows), found)
        assert told in str(caught.value)


@pytest.mark.parametrize("protocol", VQAV2.protocols)
def test_upload_files_score_the_same(tmp_path: Path, protocol: str) -> None:
    """What is uploaded, scored by the official rules, is what LLaVA's protocol says before; others by their own."""
    found = samples(write_vqa(tmp_path))
    texts = dict(zip((s.id for s in found), ("Red.", " dark red\n", "The red's", "two, reds?"), strict=True))
    path = tmp_path / "upload.json"
    VQAV2.export(texts, found, protocol, path)
    rows = json.loads(path.read_text("utf-8"))
    assert [row["question_id"] for row in rows] == [100_000, 100_001, 100_002, 100_003]
    reader = "official" if "llava" in protocol else protocol
    assert figures(found, VQAV2.read_predictions(path, found), reader) == figures(found, texts, protocol)


def test_uploads_of_test_dev_answer_all_of_test(tmp_path: Path) -> None:
    """The server takes all of test2015; what is not test-dev's is answered with nothing, and skipped on reading."""
    questions, _ = vqa_rows()
    for subset, rows in (("test-dev2015", questions[:2]), ("test2015", questions)):
        write_json(tmp_path / f"v2_OpenEnded_mscoco_{subset}_questions.json", {"questions": rows})
    found, path = samples(tmp_path, "test-dev"), tmp_path / "up.json"
    VQAV2.export({s.id: "Red?" for s in found}, found, "llava", path)
    answers = {row["question_id"]: row["answer"] for row in json.loads(path.read_text("utf-8"))}
    assert answers == {100_000: "red", 100_001: "red", 100_002: "", 100_003: ""}
    assert VQAV2.read_predictions(path, found) == {"100000": "red", "100001": "red"}


def test_missing_answers_are_not_uploaded(tmp_path: Path) -> None:
    found = samples(write_vqa(tmp_path))
    with pytest.raises(PredictionsError, match="3 of 4 questions have no answer: 100001"):
        VQAV2.export({"100000": "Red?"}, found, "official", tmp_path / "a.json")


def test_real_files(shared: Path) -> None:
    """Real questions and photographs, without the official header."""
    for root in (shared / "real" / "vqav2", shared / "real"):
        found = samples(root)
        assert found and not missing_images(found) and all(len(s.target) == 10 for s in found)
