"""MMMU: every layout of its files, its marks, open questions, and random guesses."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.support.toys import ToyModel, png
from vlmbench.base.errors import DataError, ModelError, PredictionsError
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Response, Sample, Score, Status, in_order
from vlmbench.data.files import Folder, Hub
from vlmbench.models.echo import Echo
from vlmbench.parsing import open_answers
from vlmbench.parsing.letters import mmmu as letters
from vlmbench.runs.execution import planning
from vlmbench.scoring.score import score_responses, summarise
from vlmbench.stats.figures.guesses import guess
from vlmbench.tasks.multiple_choice.several_images.disciplines import SUBJECTS
from vlmbench.tasks.multiple_choice.several_images.mmmu import IMAGES, MMMU

ROW = {"question": "What is in <image 1>?", "options": "['a cat', \"a dog's\", '<image 2>']", "answer": "B"}
OPEN = {"question": "<image 1> How many?", "options": "[]", "answer": "['4', 'four']"}


def cell(shade: int) -> dict[str, Any]:
    return {"bytes": png((shade, shade, shade)), "path": None}


def write_hub(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A parquet file of the hub's columns."""
    datasets = pytest.importorskip("datasets")
    path.parent.mkdir(parents=True, exist_ok=True)
    data = datasets.Dataset.from_list([{**dict.fromkeys(IMAGES), **row} for row in rows])
    for name in IMAGES:
        data = data.cast_column(name, datasets.Image(decode=False))
    data.to_parquet(str(path))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    return tmp_path


def rows_of(split: str, subject: str) -> list[dict[str, Any]]:
    rows = [{**ROW, "image_1": cell(1), "image_2": cell(2)}, {**OPEN, "image_1": cell(3)}]
    return [{"id": f"{split}_{subject}_{number}", **row} for number, row in enumerate(rows, 1)]


def test_a_configuration_per_subject_and_the_merged_copy(hub: Path) -> None:
    for subject in SUBJECTS:
        write_hub(hub / "a/MMMU/MMMU" / subject / "validation-00000-of-00001.parquet", rows_of("validation", subject))
    write_hub(
        hub / "b/lmms-lab/MMMU/data/validation-00000-of-00001.parquet",
        [row for subject in SUBJECTS for row in rows_of("validation", subject)],
    )
    one, merged = (MMMU.samples(Hub(hub / root), "val") for root in ("a", "b"))
    assert [sample.id for sample in one] == [sample.id for sample in merged] and len(one) == 60
    first, second = one[:2]
    assert first.choices == ("a cat", "a dog's", "<image 2>") and first.target == "B"
    assert first.tags == {"subject": "Accounting", "discipline": "Business"}
    assert [image.load() for image in first.images] == [png((1, 1, 1)), png((2, 2, 2))]
    assert second.choices == () and second.target == ("4", "four")
    assert len({image.name for sample in one for image in sample.images}) == 90
    (hub / "a/MMMU/MMMU/Sociology/validation-00000-of-00001.parquet").unlink()
    with pytest.raises(DataError, match="cannot load Sociology, split validation"):
        MMMU.samples(Hub(hub / "a"), "val")
    with pytest.raises(DataError, match="cannot load Accounting, split dev"):
        MMMU.samples(Hub(hub / "a"), "dev")


def write_table(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    header = ("index", "question", *"ABC", "answer", "category", "l2-category", "split", "image")
    lines = ["\t".join(header), *("\t".join(row.get(name, "") for name in header) for row in rows)]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def encoded(shade: int) -> str:
    return base64.b64encode(png((shade, shade, shade))).decode("ascii")


def test_the_table_of_vlmevalkit(tmp_path: Path) -> None:
    tags = {"category": "Art", "l2-category": "Art and Design"}
    several = {"question": ROW["question"], "A": "a cat", "B": "<image 2>", "answer": "B",
               "image": f"['{encoded(1)}', '{encoded(2)}']"}  # fmt: skip
    single = {"question": OPEN["question"], "answer": "four", "image": encoded(3)}
    rows = [{"index": "1", "split": "dev", **several}, {"index": "2", "split": "validation", **several},
            {"index": "3", "split": "validation", **single}]  # fmt: skip
    write_table(tmp_path / "MMMU_DEV_VAL.tsv", [{**tags, **row} for row in rows])
    choice, question = MMMU.samples(Folder(tmp_path), "val")
    assert [sample.id for sample in MMMU.samples(Folder(tmp_path), "dev")] == ["1"]
    assert [image.load() for image in choice.images] == [png((1, 1, 1)), png((2, 2, 2))]
    assert choice.choices == ("a cat", "<image 2>") and (question.choices, question.target) == ((), "four")
    request = MMMU.build_request(choice, "vlmevalkit")
    assert in_order(request.prompt, ["[1]", "[2]"], request.image_places)[:4] == [
        "Question: What is in ", "[1]", "?\nOptions:\nA. a cat\nB. ", "[2]",
    ]  # fmt: skip
    write_table(tmp_path / "MMMU_TEST.tsv", [{**row, "split": "test", "answer": ""} for row in rows])
    assert [sample.target for sample in MMMU.samples(Folder(tmp_path), "test")] == [None] * 3


def folder(path: Path, *rows: Mapping[str, Any], split: str = "val") -> Folder:
    """The hub's rows as JSON lines, and an image."""
    lines = [json.dumps({**dict.fromkeys(IMAGES), "id": f"validation_Art_{n}", **row}) for n, row in enumerate(rows, 1)]
    (path / f"{split}.jsonl").write_text("\n".join(lines), "utf-8")
    (path / "1.png").write_bytes(png((1, 1, 1)))
    return Folder(path)


SEEN = {**ROW, "image_1": "1.png", "image_2": "1.png"}


def test_prompts(tmp_path: Path) -> None:
    choice, question = MMMU.samples(folder(tmp_path, SEEN, {**OPEN, "image_1": "1.png"}), "val")
    official = MMMU.build_request(choice, "official")
    assert official.prompt == (
        "What is in <image 1>?\n(A) a cat\n(B) a dog's\n(C) <image 2>\n\n"
        "Answer with the option's letter from the given choices directly."
    )
    assert len(official.images) == 2 and not official.image_places
    assert MMMU.build_request(question, "official").prompt == (
        "<image 1> How many?\nAnswer the question using a single word or phrase."
    )
    assert "\n\nAnswer the question using" in MMMU.build_request(question, "lmms_eval").prompt
    assert MMMU.build_request(question, "vlmevalkit").prompt == "Question:  How many?\n"
    with pytest.raises(DataError, match=r"sample 'validation_Art_1': the text has <image 2>, and there is 1 image"):
        MMMU.build_request(replace(choice, images=choice.images[:1]), "official")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": "D"}, "'D' is none of A, B, C"),
        ({"options": "['a'"}, "field 'options': a list of texts, as Python writes it, was expected"),
        ({"options": "__import__('os').getcwd()"}, "field 'options': a list of texts, as Python writes it"),
        ({"options": "[" * 5000}, "field 'options': a list of texts, as Python writes it"),
        ({"options": "['a', 2]"}, "field 'options': a list of texts was expected, but it holds 2"),
        ({"options": "['a']"}, "field 'options': 1 options; two or more are needed"),
        ({"options": None}, "field 'options': the field is null"),
        ({"image_1": None}, "'image_1' is empty, and 'image_2' is not"),
    ],
)
def test_broken_rows(change: Mapping[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        MMMU.samples(folder(tmp_path, SEEN, {**SEEN, **change}), "val")
    assert message in str(error.value) and "line 2" in str(error.value)


def test_the_test_split_is_asked_and_exported(tmp_path: Path) -> None:
    data = folder(tmp_path, {**SEEN, "answer": "?"}, {**OPEN, "image_1": "1.png", "answer": "?"}, split="test")
    samples = MMMU.samples(data, "test")
    assert MMMU.score(samples[0], Response("(B)"), "official").status is Status.UNLABELED
    answers = {samples[0].id: "It is (B).", samples[1].id: "There are 4."}
    MMMU.export(answers, samples, "official", tmp_path / "out.json")
    written = {samples[0].id: "B", samples[1].id: "There are 4."}
    assert json.loads((tmp_path / "out.json").read_text("utf-8")) == written
    assert MMMU.read_predictions(tmp_path / "out.json", samples) == written
    (tmp_path / "cut.json").write_text(json.dumps({samples[0].id: "B"}), "utf-8")
    with pytest.raises(PredictionsError, match="1 of 2 questions have no answer"):
        MMMU.read_predictions(tmp_path / "cut.json", samples)


class OneImage(ToyModel):
    """A model without a place for a second image."""

    max_images: int | None = 1


@pytest.mark.parametrize("protocol", MMMU.protocols)
def test_a_model_that_takes_one_image_is_refused(protocol: str) -> None:
    choice = TaskChoice(MMMU, "val", protocol)
    data = {choice.key: Folder.sample("mmmu")}
    assert len(planning.plan([choice], data, Echo("A"), limit=None, seed=0).requests) == 24
    with pytest.raises(ModelError, match=r"takes at most 1 image per question, but .* of mmmu"):
        planning.plan([choice], data, OneImage(), limit=None, seed=0)


def test_an_answer_file_per_subject(tmp_path: Path) -> None:
    """As the official inference writes them, with the truth beside the response."""
    rows = [{**SEEN, "id": "validation_Art_1"}, {**SEEN, "id": "validation_Math_1"}]
    samples = MMMU.samples(folder(tmp_path, *rows), "val")
    for subject, text in (("Art", "(B)"), ("Math", "C")):
        row = {"id": f"validation_{subject}_1", "question_type": "multiple-choice", "answer": "B", "response": text}
        (tmp_path / "out" / subject).mkdir(parents=True)
        (tmp_path / "out" / subject / "output.json").write_text(json.dumps([row]), "utf-8")
    assert MMMU.read_predictions(tmp_path / "out", samples) == {"validation_Art_1": "(B)", "validation_Math_1": "C"}
    (tmp_path / "out" / "Math" / "output.json").unlink()
    with pytest.raises(PredictionsError, match="1 of 2 questions have no answer: validation_Math_1"):
        MMMU.read_predictions(tmp_path / "out", samples)


def question(number: int, options: int = 4) -> Sample:
    return Sample(f"validation_Art_{number}", "?", (), "A", tuple(f"thing {n}" for n in range(options)))


def test_guesses_follow_the_file_and_stand_beside_the_figure_without_them() -> None:
    samples = [question(number, 2 + number % 5) for number in range(200)]
    texts = ["A" if number % 4 == 0 else "hm" for number in range(200)]
    scored = score_responses(MMMU, "official", [(s, Response(t)) for s, t in zip(samples, texts, strict=True)])
    dice, right = Random(42), 0
    for sample, text in zip(samples, texts, strict=True):
        right += (text if text == "A" else dice.choice("ABCDEF"[: len(sample.choices)])) == "A"
    entry = summarise(TaskChoice(MMMU, "val", "official"), scored, resamples=100)
    assert entry["accuracy"]["value"] == right / 2 and entry["accuracy_without_guesses"]["value"] == 25
    assert entry["guessed"] == {**entry["guessed"], "value": 75, "better": "neither"}
    assert any("150 of 200 answers name no option: a random one counts" in note for note in entry["notes"])
    backwards = guess(scored[::-1])
    assert [s.value for _, s in backwards[::-1]] != [s.value for _, s in guess(scored)], "places are those of the list"
    placed = [(replace(sample, extra={"place": n}), score) for n, (sample, score) in enumerate(scored)]
    assert guess(placed[::-1])[::-1] == guess(placed), "or those of the file, whatever the list's order"
    kit = [(s, MMMU.score(s, Response(t), "vlmevalkit")) for s, t in zip(samples, texts, strict=True)]
    assert {metric.name for metric in MMMU.summarise(kit, "vlmevalkit")} == {"accuracy"}


def test_a_letter_that_was_read_takes_no_guess() -> None:
    scored = [(question(1), MMMU.score(question(1), Response(text), "official")) for text in ("B", "hm")]
    assert [score.value for _, score in scored] == [0, 0] and [s.unread for _, s in scored] == ["", "option"]
    failed = Score(None, Status.ERROR)
    assert [one for _, one in guess([(question(1), failed)])] == [failed]


OPTIONS = {"A": "a red car", "B": "no", "C": "the blue bus"}


@pytest.mark.parametrize(
    ("text", "official", "lmms", "pro"),
    [
        ("(A) or (C)", "C", "C", "C"),
        ("B.", "B", "B", "B"),
        ("The DNA is shown", "", "A", "A"),
        ("It must be the blue bus I think", "C", "C", "C"),
        ("the blue bus", "", "", ""),
        ("B. or C.)", "", "B", "B"),
        ("A first. Answer: B", "B", "B", "B"),
        ("(A) Answer: Because", "A", "A", "B"),
    ],
)
def test_letters(text: str, official: str, lmms: str, pro: str) -> None:
    assert (letters.official(text, OPTIONS), letters.lmms_eval(text, OPTIONS), letters.mmmu_pro(text, OPTIONS)) == (
        official, lmms, pro,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "right", "verdicts"),
    [
        ("The answer is 1,234.567", "1234.57", (True, False, False)),
        ("It is the left one", "left", (True, False, True)),
        ("c", "C", (True, False, False)),
        ("carbon", "C", (False, False, False)),
        ("about 3.0", "3", (True, False, True)),
        ("four", ("4", "four"), (True, False, False)),
    ],
)
def test_open_answers(text: str, right: open_answers.Right, verdicts: tuple[bool, bool, bool]) -> None:
    readers = (open_answers.official, open_answers.lmms_eval, open_answers.vlmevalkit)
    assert tuple(read(text, right)[1] for read in readers) == verdicts
