"""Answer files as authors of benchmarks publish them, in small: rows by key, a list without brackets, subfolders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.toys import png
from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.samples import Response, Sample
from vlmbench.data import sheets
from vlmbench.data.answers.nested_rows import files_in, keyed_rows, listed_rows
from vlmbench.data.answers.predictions import write_rows
from vlmbench.data.files import Folder
from vlmbench.data.rows import Row
from vlmbench.data.tables.columns import literal_texts
from vlmbench.data.tables.option_texts import mmstar
from vlmbench.tasks.multiple_choice.seedbench import SEEDBENCH
from vlmbench.tasks.multiple_choice.several_images.blink import BLINK
from vlmbench.tasks.multiple_choice.several_images.mmmu import MMMU
from vlmbench.tasks.multiple_choice.sugarcrepe import SUGARCREPE


def test_rows_by_key() -> None:
    rows = keyed_rows({"0": {"a": 1}, "accuracy": 0.5, "7": {"a": 2}}, Path("f.json"))
    assert [(key, row.values, row.where) for key, row in rows.items()] == [
        ("0", {"a": 1}, "f.json, key 0"), ("7", {"a": 2}, "f.json, key 7")
    ]  # fmt: skip
    assert keyed_rows({"0": {"a": 1}, "note": "x"}, Path("f.json")) == {}


@pytest.mark.parametrize(
    ("text", "count"),
    [('{"a": 1},\n{"a": 2}\n{"a": 3},\n', 3), ('{"a": 1}\n{"a": 2}\n', 0), ('[{"a": 1}, {"a": 2}]', 0), ("", 0)],
)
def test_lists_without_brackets(text: str, count: int, tmp_path: Path) -> None:
    """Lines without commas are JSON lines, which have a reader."""
    (tmp_path / "f.json").write_text(text, "utf-8")
    assert [row.values["a"] for row in listed_rows(tmp_path / "f.json")] == [1, 2, 3][:count]


@pytest.mark.parametrize("cut", ['{"a": 1},\n{"a', '{"a": 1},\n7', '{"a": 1},\n]'])
def test_a_cut_list_is_refused(cut: str, tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(cut, "utf-8")
    with pytest.raises(PredictionsError, match=r"f\.json, line 2: no JSON object"):
        listed_rows(tmp_path / "f.json")


def test_options_in_a_list_in_a_list() -> None:
    row = Row({"options": "[['red', 'blue']]"}, "f", "line 1")
    assert literal_texts(row, "options") == ["red", "blue"]
    with pytest.raises(DataError, match="a list of texts was expected"):
        literal_texts(Row({"options": "[['red'], ['blue']]"}, "f", "line 1"), "options")


def test_mmstar_options_without_a_heading() -> None:
    assert mmstar("Hint: a letter.\nQuestion: How many?\n(A) 5\n(B) 6") == (
        "Hint: a letter.\nQuestion: How many?", ("5", "6")
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------------- SEED-Bench


def seedbench(tmp_path: Path, *answers: tuple[str, str]) -> Path:
    """Two questions about images and one about a video, and an answer file with these."""
    options = {f"choice_{letter}": letter for letter in "abcd"}
    rows = [
        {**options, "question_id": key, "question": "?", "answer": "A", "data_type": kind, "data_id": f"{key}.png"}
        for key, kind in (("4", "image"), ("99", "image"), ("v1", "video"))
    ]
    questions = {"questions": [{**row, "question_type_id": 1} for row in rows]}
    (tmp_path / "SEED-Bench.json").write_text(json.dumps(questions), "utf-8")
    lines = [json.dumps({"question_id": key, "prediction": text, "gt_answer": "A"}) for key, text in answers]
    (tmp_path / "GPT-4V.json").write_text(",\n".join(lines) + ",\n", "utf-8")
    return tmp_path / "GPT-4V.json"


def test_seedbench_counts_the_first_of_two_answers(tmp_path: Path) -> None:
    path = seedbench(tmp_path, ("99", "B"), ("v1", "C"), ("4", "A"), ("99", "A"))
    images, every = (SEEDBENCH.samples(Folder(tmp_path), split) for split in ("image", "all"))
    assert SEEDBENCH.read_predictions(path, images) == {"4": "A", "99": "B"}
    assert SEEDBENCH.read_predictions(path, every) == {"4": "A", "99": "B", "v1": "C"}


@pytest.mark.parametrize("form", ["jsonl", "json", "tsv", "csv", "xlsx"])
def test_seedbench_counts_the_first_of_two_answers_in_every_form(form: str, tmp_path: Path) -> None:
    seedbench(tmp_path)
    samples = SEEDBENCH.samples(Folder(tmp_path), "image")
    rows = [("99", "B"), ("4", "A"), ("99", "A"), ("v1", "C")]
    path = tmp_path / f"answers.{form}"
    if form == "csv":
        path.write_text("index,prediction\n" + "".join(f"{key},{text}\n" for key, text in rows), "utf-8")
    elif form in ("tsv", "xlsx"):
        {"tsv": sheets.write_tsv, "xlsx": sheets.write_sheet}[form](path, ("index", "prediction"), rows)
    else:
        write_rows(path, ({"question_id": key, "prediction": text} for key, text in rows))
    assert SEEDBENCH.read_predictions(path, samples) == {"4": "A", "99": "B"}


def test_seedbench_refuses_more_doubled_answers_than_the_official_results_have(tmp_path: Path) -> None:
    seedbench(tmp_path)
    samples = SEEDBENCH.samples(Folder(tmp_path), "image")
    path = tmp_path / "answers.jsonl"
    write_rows(path, ({"question_id": str(n % 9), "prediction": "A"} for n in range(18)))
    with pytest.raises(PredictionsError, match=r"answered twice(.|\n)*9 questions have two answers; of up to 8"):
        SEEDBENCH.read_predictions(path, samples)


@pytest.mark.parametrize(
    ("answers", "message"),
    [([("4", "A"), ("v1", "A")], "1 of 2 questions have no answer: 99"),
     ([("4", "A"), ("99", "A"), ("5", "A")], "1 id answers no question of this split: 5")],
)  # fmt: skip
def test_seedbench_answers_to_other_questions(answers: list[tuple[str, str]], message: str, tmp_path: Path) -> None:
    path = seedbench(tmp_path, *answers)
    with pytest.raises(PredictionsError, match=message):
        SEEDBENCH.read_predictions(path, SEEDBENCH.samples(Folder(tmp_path), "image"))


# ---------------------------------------------------------------------------------------------------- SugarCrepe

CAPTIONS = {"caption": "2 red dogs. ", "negative_caption": "1 red dog."}


def sugarcrepe(tmp_path: Path, chosen: dict[str, Any], name: str = "gpt4v-swap_obj.json") -> Path:
    """Two questions, and what GPT-4V chose."""
    rows = {key: {**CAPTIONS, "filename": f"{key}.png"} for key in ("0", "7")}
    (tmp_path / "swap_obj.json").write_text(json.dumps(rows), "utf-8")
    (tmp_path / "val2017").mkdir()
    for key in rows:
        (tmp_path / "val2017" / f"{key}.png").write_bytes(png((int(key), 2, 3)))
    results = {
        key: {**CAPTIONS, "answer": {"free_form_answer": "(1)", "multiple_choice_answer": text}, "correct": True}
        for key, text in chosen.items()
    }
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / name).write_text(json.dumps({**results, "accuracy": 0.5}), "utf-8")
    return tmp_path / "answers"


@pytest.mark.parametrize("protocol", ["positive_first", "negative_first"])
def test_sugarcrepe_reads_what_was_chosen(protocol: str, tmp_path: Path) -> None:
    """A caption that begins with a number is that caption; the withdrawn question 108 is passed over."""
    path = sugarcrepe(tmp_path, {"0": "2 red dogs. ", "7": "", "108": "1 red dog."})
    samples = SUGARCREPE.samples(Folder(tmp_path), "swap_obj")
    found = SUGARCREPE.read_predictions(path, samples)
    assert found == {"swap_obj/0": "2 red dogs. ", "swap_obj/7": ""}
    scores = [SUGARCREPE.score(sample, Response(found[sample.id]), protocol) for sample in samples]
    assert [(score.value, score.unread) for score in scores] == [(1, ""), (0, "option")]
    wrong = SUGARCREPE.score(samples[0], Response("1 red dog."), protocol)
    assert wrong.value == 0


def test_sugarcrepe_needs_the_name_of_the_questions(tmp_path: Path) -> None:
    path = sugarcrepe(tmp_path, {"0": "2 red dogs. "}, name="gpt4v.json")
    with pytest.raises(PredictionsError, match="does not say which questions"):
        SUGARCREPE.read_predictions(path, SUGARCREPE.samples(Folder(tmp_path), "swap_obj"))


# ----------------------------------------------------------------------------------------------- MMMU and BLINK


def test_mmmu_reads_the_responses_in_its_subjects_folders(tmp_path: Path) -> None:
    """Not the letters beside them, which somebody has read."""
    ids = ("validation_Art_1", "validation_Music_1")
    samples = [Sample(key, "?", (), choices=("red", "blue"), target="B") for key in ids]
    for key in ids:
        folder = tmp_path / key.split("_")[1]
        folder.mkdir()
        row = {"id": key, "answer": "B", "all_choices": ["A", "B"], "response": f"of {key}"}
        (folder / "output.json").write_text(json.dumps([row]), "utf-8")
    (tmp_path / "total_val_output.json").write_text(json.dumps(dict.fromkeys(ids, "A")), "utf-8")
    assert MMMU.read_predictions(tmp_path, samples) == {key: f"of {key}" for key in ids}
    assert MMMU.read_predictions(tmp_path / "total_val_output.json", samples) == dict.fromkeys(ids, "A")
    assert [file.parent.name for file in files_in(tmp_path, ("Music", "Art", "Math"), "output.json")] == [
        "Music",
        "Art",
    ]


def blink_samples(count: int) -> list[Sample]:
    return [Sample(f"val_Jigsaw_{number}", "?", (), "C", ("red", "blue", "green")) for number in range(count)]


def test_blink_reads_whole_answers(tmp_path: Path) -> None:
    rows = [
        {"idx": sample.id, "answer": "(C)", "full_prediction": "It is (B).", "prediction": "(B)"}
        for sample in blink_samples(2)
    ]
    content = {"val": rows, "test": [{**rows[0], "idx": "test_Jigsaw_0"}]}
    (tmp_path / "Jigsaw.json").write_text(json.dumps(content), "utf-8")
    found = BLINK.read_predictions(tmp_path, blink_samples(2))
    assert found == {"val_Jigsaw_0": "It is (B).", "val_Jigsaw_1": "It is (B)."}
    assert BLINK.read_verdicts(tmp_path, blink_samples(2), "official") is None


@pytest.mark.parametrize(
    ("last", "values"),
    [("(C)", [1.0]), ("(B)", [0.0]), ("(C) Point C", [0.0]), ("(Z)", [0.0]), ("C", None), ("It is (C).", None)],
)
def test_blink_predictions_are_verdicts(last: str, values: list[float] | None, tmp_path: Path) -> None:
    samples = blink_samples(12)
    texts = {sample.id: "(C)" for sample in samples} | {samples[-1].id: last}
    (tmp_path / "model.json").write_text(json.dumps(texts), "utf-8")
    verdicts = BLINK.read_verdicts(tmp_path / "model.json", samples, "official")
    found = None if verdicts is None else [verdict.value for verdict in verdicts[samples[-1].id]]
    assert found == values


def test_blink_answers_with_more_words_are_no_verdicts(tmp_path: Path) -> None:
    """`(C) 3` is how models answer; a file of such answers is for the rule, and for a judge."""
    samples = blink_samples(12)
    (tmp_path / "model.json").write_text(json.dumps({sample.id: "(C) 3" for sample in samples}), "utf-8")
    assert BLINK.read_verdicts(tmp_path / "model.json", samples, "official") is None
