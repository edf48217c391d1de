"""VSR, IconQA, Hateful Memes, ScienceQA and MME: layouts, prompts, statuses, answer files and what can be wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from vlmbench.base.errors import DataError, PredictionsError, UsageError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import ChoiceScore, Response, Sample, Status
from vlmbench.base.task import Exports
from vlmbench.data.files import Folder, missing_images
from vlmbench.scoring.score import score_responses

NAMES = ("vsr", "iconqa", "hateful_memes", "scienceqa", "mme")
COUNTS = {
    "vsr": 56,
    "vsr:random": 56,
    "vsr:zeroshot_dev": 8,
    "vsr:random_dev": 8,
    "iconqa": 24,
    "iconqa:val": 6,
    "iconqa:choose_txt_val": 2,
    "iconqa:choose_img_test": 8,
    "hateful_memes": 20,
    "hateful_memes:test_seen": 12,
    "hateful_memes:dev_unseen": 20,
    "hateful_memes:test_unseen": 16,
    "scienceqa": 26,
    "scienceqa:test": 34,
    "scienceqa:val_image": 4,
    "mme": 56,
}


def of(spec: str) -> tuple[Any, Sequence[Sample]]:
    """A task and its embedded samples."""
    choice = choose_task(spec)
    return choice.task, choice.task.samples(Folder.sample(choice.task.name), choice.split)


def figures(spec: str, texts: Mapping[str, str], samples: Sequence[Sample]) -> dict[str, float]:
    """Metric values of answers."""
    choice = choose_task(spec)
    scored = score_responses(choice.task, choice.protocol, [(s, Response(texts[s.id])) for s in samples])
    assert all(score.status is Status.OK for _, score in scored)
    return {metric.name: metric.value() for metric in choice.task.summarise(scored, choice.protocol)}


def dumped(path: Path, content: object) -> Path:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), "utf-8")
    return path


@pytest.mark.parametrize(("spec", "count"), COUNTS.items())
def test_embedded_samples(spec: str, count: int) -> None:
    _, samples = of(spec)
    assert len(samples) == count and not missing_images(samples)
    assert len({sample.id for sample in samples}) == count
    for sample in samples:
        assert all(picture.load() for picture in sample.images)


RIGHT: Mapping[str, Callable[[Sample], str]] = {
    "vsr": lambda sample: {"true": "1", "false": "0"}[sample.target],
    "iconqa": lambda sample: str(sample.target),
    "hateful_memes": lambda sample: {"yes": "0.75", "no": "0.25"}[sample.target],
    "scienceqa": lambda sample: f"The answer is {sample.target}.",
    "mme": lambda sample: f"{sample.target.title()}, it is.",
}


@pytest.mark.parametrize("name", NAMES)
def test_right_answers_score_full_marks_and_export_reads_back(name: str, tmp_path: Path) -> None:
    task, samples = of(name)
    texts = {sample.id: RIGHT[name](sample) for sample in samples}
    values = figures(name, texts, samples)
    headline = task.protocols["official"].headline
    assert values[headline] == {"mme": 2000.0}.get(name, 100.0)
    assert isinstance(choose_task(name).task, Exports)
    for suffix in task.formats.values():
        path = tmp_path / f"answers{suffix}"
        task.export(texts, samples, "official", path)
        assert figures(name, task.read_predictions(path, samples), samples) == values
    own = tmp_path / "own.jsonl"
    own.write_text("".join(json.dumps({"id": key, "text": text}) + "\n" for key, text in reversed(texts.items())))
    assert task.read_predictions(own, samples) == texts


@pytest.mark.parametrize("name", NAMES)
def test_wrong_answer_files(name: str, tmp_path: Path) -> None:
    task, samples = of(name)
    rows: list[dict[str, Any]] = [{"id": sample.id, "text": "yes"} for sample in samples]
    cases = [
        (rows[1:], "1 of "),
        ([*rows, {"id": "nowhere", "text": "yes"}], "1 id answers no question of this split: nowhere"),
        ([*rows, rows[0]], "is answered twice: at item 1 and at item"),
        ([*rows[:-1], {"id": rows[-1]["id"]}], "needed: "),
        ([*rows[:-1], {"id": rows[-1]["id"], "text": None}], "field 'text': the field is null"),
        ([*rows[:-1], {"id": rows[-1]["id"], "text": 7}], "field 'text': text was expected"),
    ]
    for content, told in cases:
        with pytest.raises(PredictionsError) as caught:
            task.read_predictions(dumped(tmp_path / "answers.json", content), samples)
        assert told in str(caught.value)
    for broken in ("", "[", "\x00", '{"results": {"1": [2]}}', '{"results": 7}', "[1]", "null", "[]"):
        (tmp_path / "answers.json").write_text(broken)
        with pytest.raises(PredictionsError):
            task.read_predictions(tmp_path / "answers.json", samples)
    with pytest.raises(PredictionsError, match="no such file or folder"):
        task.read_predictions(tmp_path / "absent", samples)


# ------------------------------------------------------------------------------------------------------------- VSR


def test_vsr_prompts_and_ranks() -> None:
    task, samples = of("vsr")
    caption = samples[0].question
    asked = {name: task.build_request(samples[0], name) for name in task.protocols}
    statement = f"Based on the image, is this statement true or false? {caption}"
    assert asked["official"].prompt == statement and asked["minigpt_v2"].prompt == f"[vqa] {statement}"
    assert asked["vlmevalkit"].prompt == caption
    assert asked["prismatic"].prompt == (
        f'\nBased on the image, is this statement "True" or "False"? {caption}\n'
        'Respond with "True" or "False" directly.'
    )
    assert {name for name, request in asked.items() if request.choices == ("True", "False")} == {
        "official",
        "prismatic",
    }
    ranked = [
        (sample, Response(choices=(ChoiceScore("True", -1.0 - at, 1), ChoiceScore("False", -2.0 - at, 1))))
        for at, sample in enumerate(samples)
    ]
    scored = score_responses(task, "prismatic", ranked)
    values = {metric.name: metric.value() for metric in task.summarise(scored, "prismatic")}
    assert values["accuracy"] == pytest.approx(100 * sum(s.target == "true" for s in samples) / len(samples))
    assert values["auroc"] == pytest.approx(50) and scored[0][1].parsed_answer.startswith("true 0.73")
    assert task.score(samples[0], Response("perhaps"), "official").status is Status.UNPARSED
    assert task.score(samples[0], Response("perhaps"), "minigpt_v2").value == 0


def test_vsr_files(tmp_path: Path) -> None:
    task, samples = of("vsr")
    path = tmp_path / "preds.txt"
    path.write_text("1\n" * (len(samples) - 1))
    with pytest.raises(PredictionsError, match="55 answers, and 56 statements"):
        task.read_predictions(path, samples)
    path.write_text("1\n" * (len(samples) - 1) + "2\n")
    with pytest.raises(PredictionsError, match="line 56: 0 or 1 was expected, not '2'"):
        task.read_predictions(path, samples)
    rows = [{"pred": "True", "gt": sample.target} for sample in samples]
    assert set(task.read_predictions(dumped(tmp_path / "r.json", rows), samples).values()) == {"True"}
    rows[1]["gt"] = "true" if rows[1]["gt"] == "false" else "false"
    with pytest.raises(PredictionsError, match=r"item 2: the row says that '(true|false)' is right, statement 2"):
        task.read_predictions(dumped(tmp_path / "r.json", rows), samples)
    row = {"image": "1.jpg", "caption": "?", "label": 2, "relation": "on"}
    (tmp_path / "zeroshot").mkdir()
    (tmp_path / "zeroshot" / "test.jsonl").write_text(json.dumps(row))
    with pytest.raises(DataError, match="line 1, field 'label': 0 or 1 was expected, not 2"):
        task.samples(Folder(tmp_path), "zeroshot")


# ---------------------------------------------------------------------------------------------------------- IconQA


def test_iconqa_protocols() -> None:
    task, samples = of("iconqa")
    kinds = {sample.tags["kind"]: sample for sample in samples}
    text, shown, blank = (kinds[kind] for kind in ("choose_txt", "choose_img", "fill_in_blank"))
    assert task.build_request(text, "minigpt_v2").choices == text.choices
    assert task.build_request(text, "tinygpt_v").prompt.startswith("[vqa] Based on the image, respond")
    with pytest.raises(UsageError, match="iconqa:choose_txt_val@minigpt_v2"):
        task.build_request(shown, "minigpt_v2")
    assert len(task.build_request(shown, "official").images) == 1 < len(task.build_request(shown, "lmms_eval").images)
    assert task.build_request(shown, "official").images[0].load()[:4] == b"\x89PNG"
    assert task.score(blank, Response(f"{blank.target} "), "official").value == 0  # exactly
    long, short = ChoiceScore(text.choices[0], -3.0, 4), ChoiceScore(text.choices[1], -1.0, 1)
    assert task.score(text, Response(choices=(long, short)), "minigpt_v2").parsed_answer == "B"
    assert task.score(text, Response(choices=(long, short)), "tinygpt_v").parsed_answer == "A"
    assert task.score(blank, Response(f" {blank.target}\n"), "lmms_eval").value == 1


def test_iconqa_commas_and_broken_files(tmp_path: Path) -> None:
    """lmms-eval's options come out of one column parted at commas, so letters move."""
    task, _ = of("iconqa")
    choices = ["1,000", "2", "3"]
    problem = {"question": "Which?", "choices": choices, "answer": 1, "ques_type": "choose_txt", "grade": "prek"}
    dumped(tmp_path / "problems.json", {"7": problem})
    dumped(tmp_path / "pid_splits.json", {"choose_txt_test": ["7"]})
    (one,) = task.samples(Folder(tmp_path), "choose_txt_test")
    assert "A. 1\nB. 000\nC. 2\nD. 3\n" in task.build_request(one, "lmms_eval").prompt
    assert task.score(one, Response("C"), "lmms_eval").value == 1 and one.target == "B"
    for change, told in (
        ({"answer": 3}, "field 'answer': 3 is not the place of one of 3 options"),
        ({"answer": "B"}, "field 'answer'"),
        ({"choices": ["1"]}, "field 'choices': 1 options"),
        ({"ques_type": "guess"}, "field 'ques_type'"),
        ({"question": None}, "field 'question'"),
    ):
        dumped(tmp_path / "problems.json", {"7": {**problem, **change}})
        with pytest.raises(DataError, match="key 7") as caught:
            task.samples(Folder(tmp_path), "choose_txt_test")
        assert told in str(caught.value)


# --------------------------------------------------------------------------------------------------- Hateful Memes


def test_hateful_memes_protocols(tmp_path: Path) -> None:
    task, samples = of("hateful_memes")
    asked = task.build_request(samples[0], "minigpt_v2").prompt
    text = samples[0].question
    assert asked == f"This is an image writting '{text}'. Is this image hateful? Answer yes or no. Answer:"
    assert (
        task.build_request(samples[0], "official").choices == ("yes", "no")
        and not task.build_request(samples[0], "tinygpt_v").choices
    )
    assert {name: p.headline for name, p in task.protocols.items()} == {
        "official": "auroc", "minigpt_v2": "accuracy", "tinygpt_v": "accuracy",
    }  # fmt: skip
    likely = Response(choices=(ChoiceScore("yes", math.log(0.8), 1), ChoiceScore("no", math.log(0.2), 1)))
    assert float(task.score(samples[0], likely, "official").parsed_answer) == pytest.approx(0.8)
    assert task.score(samples[0], Response("yes"), "official").status is Status.UNPARSED
    assert task.score(samples[0], Response("I cannot say"), "minigpt_v2").value == 0
    row = {"id": 3, "img": "img/00003.png", "text": "?"}
    (tmp_path / "test.jsonl").write_text(json.dumps(row))  # as phase 1 of the challenge released it
    (blind,) = task.samples(Folder(tmp_path), "test_seen")
    assert task.score(blind, likely, "official").status is Status.UNLABELED
    (tmp_path / "test.jsonl").write_text(json.dumps({**row, "label": 2}))
    with pytest.raises(DataError, match="line 1, field 'label': 0 or 1"):
        task.samples(Folder(tmp_path), "test_seen")


def test_hateful_memes_files(tmp_path: Path) -> None:
    task, samples = of("hateful_memes")
    texts = {sample.id: ("yes", "No", 'he said "yes",\nand left', "")[at % 4] for at, sample in enumerate(samples)}
    for protocol in ("minigpt_v2", "tinygpt_v"):
        spec = f"hateful_memes@{protocol}"
        for suffix in task.formats.values():
            path = tmp_path / f"{protocol}{suffix}"
            task.export(texts, samples, protocol, path)
            again = task.read_predictions(path, samples)
            assert figures(spec, again, samples) == figures(spec, texts, samples), suffix
    path = tmp_path / "answers.csv"
    lines = [f"{sample.id},0.5,1" for sample in samples]
    path.write_text("\n".join(["id,proba,label", *lines]))
    assert set(task.read_predictions(path, samples).values()) == {"0.5 1"}  # the label is the decision
    path.write_text("\n".join(["id,proba,label", *lines[1:], f"{samples[0].id},maybe,1"]))
    with pytest.raises(PredictionsError, match="line 21, field 'proba': a number was expected"):
        task.read_predictions(path, samples)
    rows = [{"pred": 1, "gt": int(sample.target == "yes")} for sample in samples]
    rows[0]["pred"] = "unsure"  # type: ignore[assignment]
    texts = task.read_predictions(dumped(tmp_path / "r.json", rows), samples)
    assert [texts[sample.id] for sample in samples[:2]] == ["unsure", "yes"]


# ------------------------------------------------------------------------------------------------------- ScienceQA


def test_scienceqa_prompts(tmp_path: Path) -> None:
    task, samples = of("scienceqa:test")
    hinted = next(sample for sample in samples if sample.extra["hint"] and sample.images)
    hint, question = hinted.extra["hint"], hinted.question
    lines = "\n".join(f"{letter}. {option}" for letter, option in zip("ABCDE", hinted.choices, strict=False))
    direct = f"Context: {hint}\n{question}\n{lines}\nAnswer with the option's letter from the given choices directly."
    assert {task.build_request(hinted, name).prompt for name in ("llava", "tinyllava", "lmms_eval")} == {direct}
    assert task.build_request(hinted, "official").prompt.startswith(
        f"Question: {question}\nContext: {hint}\nOptions: (A) "
    )
    assert task.build_request(hinted, "vlmevalkit").prompt.startswith(
        f"Hint: {hint}\nQuestion: {question}\nOptions:\nA. "
    )
    assert task.build_request(hinted, "qwen_vl").choices == tuple("ABCDE"[: len(hinted.choices)])
    bare = next(sample for sample in samples if not sample.images)
    assert (
        not task.build_request(bare, "llava").images and "Context: N/A" in task.build_request(bare, "official").prompt
    )


def test_scienceqa_llava_question_file(tmp_path: Path) -> None:
    """The same questions from LLaVA's file: same prompts, same answers."""
    task, samples = of("scienceqa:test")
    rows: list[dict[str, Any]] = []
    for one in samples:
        text = task.build_request(one, "llava").prompt.removesuffix(
            "\nAnswer with the option's letter from the given choices directly."
        )
        asked = "<image>\n" + text if one.images else text
        turns = [{"from": "human", "value": asked}, {"from": "gpt", "value": one.target}]
        picture = {"image": one.images[0].name} if one.images else {}
        rows.append({"id": one.id, "conversations": turns, **picture})
    dumped(tmp_path / "llava_test_CQM-A.json", rows)
    again = task.samples(Folder(tmp_path), "test")
    assert [(s.id, s.choices, s.target) for s in again] == [(s.id, s.choices, s.target) for s in samples]
    assert [task.build_request(s, "llava").prompt for s in again] == [
        task.build_request(s, "llava").prompt for s in samples
    ]
    assert len(task.samples(Folder(tmp_path), "image")) == COUNTS["scienceqa"]


def test_scienceqa_whole_answers_serve_the_image_subset(tmp_path: Path) -> None:
    task, every = of("scienceqa:test")
    _, pictured = of("scienceqa")
    path = dumped(tmp_path / "r.json", {"results": {sample.id: "ABCDE".index(sample.target) for sample in every}})
    assert figures("scienceqa", task.read_predictions(path, pictured), pictured)["accuracy"] == 100
    values = figures("scienceqa:test", task.read_predictions(path, every), every)
    assert values["image_accuracy"] == values["subject_language"] == values["context_no_context"] == 100
    with pytest.raises(PredictionsError, match="questions have no answer"):
        task.read_predictions(dumped(tmp_path / "r.json", {"results": {"1": 0}}), every)


# ------------------------------------------------------------------------------------------------------------- MME


def test_mme_prompts_and_pairs() -> None:
    task, samples = of("mme")
    assert samples[0].id == "existence/0001.jpg#1" and samples[1].cluster == samples[0].cluster
    assert task.build_request(samples[0], "official").prompt.endswith("? Please answer yes or no.")
    asked = samples[0].question.removesuffix(" Please answer yes or no.")
    short = f"{asked}\nAnswer the question using a single word or phrase."
    assert {task.build_request(samples[0], name).prompt for name in ("llava", "tinyllava", "lmms_eval")} == {short}
    from dataclasses import replace

    wide = replace(samples[0], question=f"{asked}  Please answer yes or no.")
    assert task.build_request(wide, "llava").prompt == short and task.build_request(
        wide, "lmms_eval"
    ).prompt.startswith(f"{asked} \n")
    values = figures("mme", {sample.id: "yes" for sample in samples}, samples)
    assert (values["perception"], values["cognition"], values["total"]) == (500, 200, 700)
    assert (values["OCR"], values["OCR_acc"], values["OCR_acc_plus"]) == (50, 50, 0)
    half = [sample for sample in samples if sample.id.endswith("#1")]
    assert math.isnan(figures("mme", {sample.id: "yes" for sample in half}, half)["perception"])  # no pair, no acc+


def test_mme_llava_rows_and_broken_folders(tmp_path: Path) -> None:
    task, samples = of("mme")
    rows = [
        {"question_id": s.cluster, "prompt": task.build_request(s, "llava").prompt, "text": s.target, "answer_id": "x"}
        for s in samples
    ]
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert task.read_predictions(path, samples) == {sample.id: sample.target for sample in samples}
    rows[0]["prompt"] = "Is there a whale?"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(PredictionsError, match=r"existence/0001\.jpg: Is there a whale"):
        task.read_predictions(path, samples)
    (tmp_path / "existence").mkdir()
    with pytest.raises(DataError, match="no folder of count, position"):
        task.samples(Folder(tmp_path), "test")
    with pytest.raises(DataError, match="ask the authors"):
        task.samples(Folder(tmp_path / "existence"), "test")
    task.export({s.id: "yes\tor\nno" for s in samples}, samples, "official", tmp_path / "results")
    lines = (tmp_path / "results" / "OCR.txt").read_text().splitlines()
    assert len(lines) == 4 and lines[0].endswith("\tYes\tyes or no")
    (tmp_path / "results" / "OCR.txt").write_text("\n".join([*lines[:3], lines[3].replace("\tNo\t", "\tYes\t")]))
    with pytest.raises(PredictionsError, match="line 4: the row says that 'Yes' is right"):
        task.read_predictions(tmp_path / "results", samples)
