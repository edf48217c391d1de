"""How rows of answer files find their questions, as official converters do, and numbers that stand for answers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.layouts import write_lines
from vlmbench.base.errors import DataError, PredictionsError
from vlmbench.base.registry import TaskChoice, choose_task
from vlmbench.base.samples import Response, Sample, Status
from vlmbench.base.task import Exports
from vlmbench.cli import main as cli
from vlmbench.data.answers.predictions import ReadsByProtocol
from vlmbench.data.files import Folder
from vlmbench.scoring.score import score_responses

Row = dict[str, Any]


def of(spec: str) -> tuple[TaskChoice, Sequence[Sample]]:
    choice = choose_task(spec)
    return choice, choice.task.samples(Folder.sample(choice.task.name), choice.split)


def texts_of(spec: str, path: Path) -> dict[str, str]:
    """Answers as `vlmbench score` reads them: by the protocol where that matters."""
    choice, samples = of(spec)
    if isinstance(choice.task, ReadsByProtocol):
        return dict(choice.task.read_protocol_predictions(path, samples, choice.protocol))
    return dict(choice.task.read_predictions(path, samples))


def figures(spec: str, texts: dict[str, str]) -> dict[str, float]:
    choice, samples = of(spec)
    scored = score_responses(choice.task, choice.protocol, [(s, Response(texts[s.id])) for s in samples])
    good = [pair for pair in scored if pair[1].status is Status.OK]
    return {one.name: one.value() for one in choice.task.summarise(good, choice.protocol)}


def write_json(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), "utf-8")
    return path


# ------------------------------------------------------------------------------------------------------------- ids


@pytest.mark.parametrize("place", ["beside", "above", "two above", "data"])
def test_vizwiz_row_numbers_through_llavas_question_file(place: str, tmp_path: Path) -> None:
    _, samples = of("vizwiz")
    task = choose_task("vizwiz").task
    prompts = {s.id: task.build_request(s, "llava").prompt for s in samples}
    questions = [
        {"question_id": n, "image": s.id, "text": prompts[s.id], "category": "default"} for n, s in enumerate(samples)
    ]
    rows = [
        {"question_id": n, "prompt": prompts[s.id], "text": s.id, "answer_id": "x", "model_id": "m", "metadata": {}}
        for n, s in enumerate(samples)
    ]
    path = write_lines(tmp_path / "vizwiz/answers/llava_val/model.jsonl", reversed(rows))
    with pytest.raises(PredictionsError, match=r"row numbers .* question file"):
        task.read_predictions(path, samples)
    if place == "data":
        root = tmp_path / "data"
        write_json(root / "val.json", json.loads((Folder.sample("vizwiz").root / "val.json").read_text("utf-8")))
        samples = task.samples(Folder(root), "val")
        write_lines(root / "llava_val.jsonl", questions)
    else:
        above = {"beside": path.parent, "above": path.parent.parent, "two above": tmp_path / "vizwiz"}[place]
        write_lines(above / "llava_val.jsonl", questions)
    assert task.read_predictions(path, samples) == {s.id: s.id for s in samples}
    other = [{**row, "prompt": "Is it the row before?"} if row["question_id"] == 3 else row for row in rows]
    with pytest.raises(PredictionsError, match=r"line 4: the row asks .*, but .*llava_val\.jsonl, line 4 is"):
        task.read_predictions(write_lines(path, other), samples)


def test_two_question_files_that_differ_are_refused(tmp_path: Path) -> None:
    _, samples = of("vizwiz")
    task = choose_task("vizwiz").task
    rows = [{"question_id": n, "text": "x"} for n, _ in enumerate(samples)]
    path = write_lines(tmp_path / "answers/model.jsonl", rows)
    for name, order in (("llava_val", samples), ("llava_test", list(reversed(samples)))):
        questions = [{"question_id": n, "image": s.id, "text": s.question} for n, s in enumerate(order)]
        write_lines(tmp_path / f"{name}.jsonl", questions)
    with pytest.raises(PredictionsError, match=r"two question files fit .*llava_test\.jsonl and .*llava_val\.jsonl"):
        task.read_predictions(path, samples)


def test_mme_ids_by_their_first_and_last_part(tmp_path: Path) -> None:
    choice, samples = of("mme@llava")
    rows = []
    for one in samples:
        subtask, _, name = one.cluster.partition("/")
        middle = "/images" if subtask in ("artwork", "celebrity", "landmark", "posters", "scene") else ""
        prompt = choice.task.build_request(one, "llava").prompt
        rows.append({"question_id": f"{subtask}{middle}/{name}", "prompt": prompt, "text": one.id, "model_id": "m"})
    assert texts_of("mme@llava", write_lines(tmp_path / "a.jsonl", rows)) == {s.id: s.id for s in samples}


def test_a_whole_mmvet_file_serves_the_subset(tmp_path: Path) -> None:
    _, every = of("mmvet:test")
    _, part = of("mmvet:bard_set")
    assert len(part) < len(every)
    path = write_json(tmp_path / "results.json", {s.id: s.id for s in every})
    assert texts_of("mmvet:bard_set", path) == {s.id: s.id for s in part}
    grades = {s.id: {"model": ["j"], "content": ["x"], "score": [1.0]} for s in every}
    task: Any = choose_task("mmvet").task
    assert set(task.read_verdicts(write_json(tmp_path / "g.json", grades), part, "official")) == {s.id for s in part}
    with pytest.raises(PredictionsError, match="1 id answers no question of this split: v1_9999"):
        texts_of("mmvet:bard_set", write_json(path, {s.id: "x" for s in every} | {"v1_9999": "x"}))


@pytest.mark.parametrize("kind", ["random", "popular", "adversarial"])
def test_one_kind_of_pope(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    choice, samples = of(f"pope:coco_{kind}")
    assert {s.tags["split"] for s in samples} == {kind}
    path = write_lines(tmp_path / "a.jsonl", [{"question": s.question, "answer": "yes"} for s in samples])
    values = figures(choice.key, texts_of(choice.key, path))
    assert values["accuracy"] == pytest.approx(50) and values["f1"] == pytest.approx(200 / 3)
    assert cli.main(["score", "pope", "--predictions", str(path)]) == 2
    assert f"vlmbench score pope:coco_{kind} --predictions" in capsys.readouterr().err
    root = tmp_path / "data"
    file = f"coco/coco_pope_{kind}.json"
    (root / "coco").mkdir(parents=True)
    (root / file).write_bytes((Folder.sample("pope").root / f"coco_pope_{kind}.json").read_bytes())
    with pytest.raises(DataError, match=f"one kind by itself: pope:coco_{kind}"):
        choice.task.samples(Folder(root), "coco")
    assert len(choice.task.samples(Folder(root), f"coco_{kind}")) == len(samples)


def test_words_that_a_protocol_of_vsr_never_counts_right_are_unread() -> None:
    """`yes` where true and false are compared, `true` where yes and no are: a note beside the 0.0."""
    task: Any = choose_task("vsr").task
    _, samples = of("vsr")
    for protocol in task.protocols:
        for text in ("true", "false", "yes", "no", "maybe so", ""):
            scores = [task.score(sample, Response(text), protocol) for sample in samples]
            right = any(score.value for score in scores)
            unparsed = all(score.status is Status.UNPARSED for score in scores)
            assert right or unparsed or all(score.unread for score in scores), (protocol, text)
            assert not right or not any(score.unread for score in scores), (protocol, text)


@pytest.mark.parametrize("kind", ["random", "popular", "adversarial"])
def test_one_kind_of_pope_out_of_answers_to_all(kind: str, tmp_path: Path) -> None:
    """As LLaVA's script takes the rows of a category: from a folder, from ids, from categories, from question files."""
    choice, samples = of(f"pope:coco_{kind}")
    _, every = of("pope")
    said = {s.id: ("yes", "no", "maybe")[at % 3] for at, s in enumerate(every)}
    wanted = {s.id: said[s.id] for s in samples}
    for one in ("random", "popular", "adversarial"):
        rows = [{"question": s.question, "answer": said[s.id]} for s in every if s.tags["split"] == one]
        write_lines(tmp_path / "folder" / f"coco_pope_{one}.jsonl", rows)
    assert texts_of(choice.key, tmp_path / "folder") == wanted
    by_id = [{"id": s.id, "text": said[s.id]} for s in every]
    assert texts_of(choice.key, write_lines(tmp_path / "ids.jsonl", by_id)) == wanted
    split = [{"question_id": s.id.partition("/")[2], "category": s.tags["split"], "text": said[s.id]} for s in every]
    assert texts_of(choice.key, write_lines(tmp_path / "split.jsonl", split)) == wanted
    task: Any = choice.task
    task.export(said, every, "llava", tmp_path / "llava" / "answers.jsonl")
    assert texts_of(choice.key, tmp_path / "llava" / "answers.jsonl") == wanted
    (tmp_path / "folder" / f"coco_pope_{kind}.jsonl").unlink()
    with pytest.raises(PredictionsError, match="questions have no answer"):
        texts_of(choice.key, tmp_path / "folder")


def test_reviews_of_two_models_are_refused(tmp_path: Path) -> None:
    _, samples = of("llava_bench")
    task: Any = choose_task("llava_bench").task
    for run in ("a", "b"):
        rows = [{"question_id": s.id, "answer2_id": f"m{s.id}", "content": "8 6", "tuple": [8, 6]} for s in samples]
        write_lines(tmp_path / f"reviews/{run}.jsonl", rows)
    (tmp_path / "reviews" / "._a.jsonl").write_bytes(b"\x00\x05\xff")
    assert len(task.read_verdicts(tmp_path / "reviews", samples, "official")[samples[0].id]) == 2
    rows[7]["answer2_id"] = "another model's"
    write_lines(tmp_path / "reviews/b.jsonl", rows)
    with pytest.raises(PredictionsError, match=r"b\.jsonl, line 8: it reviews another answer .*a\.jsonl, line 8"):
        task.read_verdicts(tmp_path / "reviews", samples, "official")
    with pytest.raises(PredictionsError, match=r"line 3: the grades are 85 and 90, and the scale is 1 to 10"):
        scaled = [{**row, "content": "85 90"} if n == 2 else row for n, row in enumerate(rows)]
        task.read_verdicts(write_lines(tmp_path / "one.jsonl", scaled), samples, "official")
    for lost in ("content", "question_id"):
        broken = [{k: v for k, v in row.items() if n != 5 or k != lost} for n, row in enumerate(rows)]
        with pytest.raises(PredictionsError, match=f"line 6, field '{lost}': the field is missing"):
            task.read_verdicts(write_lines(tmp_path / "one.jsonl", broken), samples, "official")


# --------------------------------------------------------------------------------------------------------- numbers

NO_SHARES = (87.5, 12.5, 1.0001, -0.2, -3.4, math.nan, math.inf, "7%", "high")


def _proba(value: object, samples: Sequence[Sample], path: Path) -> Path:
    return write_lines(path, [{"id": s.id, "proba": value if n == 4 else 0.5} for n, s in enumerate(samples)])


def _proba_table(value: object, samples: Sequence[Sample], path: Path) -> Path:
    lines = [f"{s.id},{value if n == 3 else 0.5},1" for n, s in enumerate(samples)]
    path.write_text("\n".join(["id,proba,label", *lines]), "utf-8")
    return path


def _answerable(value: object, samples: Sequence[Sample], path: Path) -> Path:
    return write_lines(path, [{"image": s.id, "answerable": value if n == 4 else 0.5} for n, s in enumerate(samples)])


def _text(value: object, samples: Sequence[Sample], path: Path) -> Path:
    return write_lines(path, [{"id": s.id, "text": str(value) if n == 4 else "0.5"} for n, s in enumerate(samples)])


SHARES: tuple[tuple[str, str, Callable[[object, Sequence[Sample], Path], Path]], ...] = (
    ("hateful_memes", "a.jsonl", _proba),
    ("hateful_memes", "a.csv", _proba_table),
    ("hateful_memes", "b.jsonl", _text),
    ("vizwiz@unanswerability", "a.jsonl", _answerable),
)


@pytest.mark.parametrize(("spec", "name", "make"), SHARES)
def test_a_probability_is_a_number_from_0_to_1(spec: str, name: str, make: Any, tmp_path: Path) -> None:
    _, samples = of(spec)
    for value in NO_SHARES:
        path = make(value, samples, tmp_path / name)
        if make is _text and not str(value).lstrip("-").replace(".", "").isdecimal():
            continue  # words: unread, by a status
        with pytest.raises(PredictionsError, match=r"line 5"):
            texts_of(spec, path)
    for value in (0, 1, 0.25, 1.0, 5e-324):
        texts_of(spec, make(value, samples, tmp_path / name))


def test_a_share_out_of_range_behind_a_word_is_unread() -> None:
    (vsr, (first, *_)), (memes, (meme, *_)) = of("vsr"), of("hateful_memes")
    for text in ("true 1.7", "true 9.5", "false -0.1"):
        assert vsr.task.score(first, Response(text), "official").status is Status.UNPARSED
    for text in ("1.7", "-0.1", "87.5 1", "0.4 2", "nan"):
        assert memes.task.score(meme, Response(text), "official").status is Status.UNPARSED


def test_the_label_decides_the_accuracy_of_hateful_memes_and_proba_the_area(tmp_path: Path) -> None:
    _, samples = of("hateful_memes")
    lines = [f"{s.id},{0.4 if s.target == 'yes' else 0.1},{int(s.target == 'yes')}" for s in samples]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["ID, Proba ,label", *lines]), "utf-8")
    values = figures("hateful_memes", texts_of("hateful_memes", path))
    assert values["auroc"] == values["accuracy"] == values["f1"] == 100
    words = texts_of("hateful_memes@minigpt_v2", path)
    assert figures("hateful_memes@minigpt_v2", words)["accuracy"] == 100
    choice, _ = of("hateful_memes")
    assert isinstance(choice.task, Exports)
    choice.task.export(texts_of("hateful_memes", path), samples, "official", tmp_path / "b.csv")
    assert figures("hateful_memes", texts_of("hateful_memes", tmp_path / "b.csv")) == values
    rows = [{"id": s.id, "img": "1.png", "label": int(s.target != "yes"), "text": s.question} for s in samples]
    joined = [row | {"proba": 0.9 if s.target == "yes" else 0.1} for row, s in zip(rows, samples, strict=True)]
    values = figures("hateful_memes", texts_of("hateful_memes", write_lines(tmp_path / "rows.jsonl", joined)))
    assert values["auroc"] == values["accuracy"] == 100  # neither the meme's words nor the dataset's label are read
    with pytest.raises(PredictionsError, match="this protocol reads words"):
        texts_of("hateful_memes@tinygpt_v", tmp_path / "rows.jsonl")
    with pytest.raises(PredictionsError, match="annotations or labels"):
        texts_of("hateful_memes", write_lines(tmp_path / "only.jsonl", rows))
    rows[2] |= {"proba": 0.5}
    with pytest.raises(PredictionsError, match="line 1: the row has no 'proba'"):
        texts_of("hateful_memes", write_lines(tmp_path / "one.jsonl", rows))
    path.write_text("\n".join(["id,proba,label", *(line[:-1] + "2" for line in lines)]), "utf-8")
    with pytest.raises(PredictionsError, match="line 2, field 'label': 0 or 1 was expected, not 2"):
        texts_of("hateful_memes", path)


def test_answerable_ranks_and_never_answers(tmp_path: Path) -> None:
    choice, samples = of("vizwiz@unanswerability")
    sure = {s.id: 0.9 if s.extra["answerable"] else 0.1 for s in samples}
    both = [{"image": s.id, "answer": "unanswerable", "answerable": sure[s.id]} for s in samples]
    alone = [{"image": s.id, "answerable": sure[s.id]} for s in samples]
    for rows in (both, alone):
        texts = texts_of(choice.key, write_json(tmp_path / "a.json", rows))
        assert figures(choice.key, texts)["average_precision"] == 100
    for name in choice.task.protocols:
        if name == choice.protocol:
            continue
        words = texts_of(f"vizwiz@{name}", write_json(tmp_path / "a.json", both))
        assert set(words.values()) == {"unanswerable"}
        with pytest.raises(PredictionsError, match="a file of task 2"):
            texts_of(f"vizwiz@{name}", write_json(tmp_path / "a.json", alone))
    truth = Folder.sample("vizwiz").root / "val.json"
    for name in choice.task.protocols:
        with pytest.raises(PredictionsError, match="annotations or labels"):
            texts_of(f"vizwiz@{name}", truth)
    rows = [dict(row) | {"prediction": "zzz"} for row in json.loads(truth.read_text("utf-8"))]
    assert set(texts_of(choice.key, write_json(tmp_path / "joined.json", rows)).values()) == {"zzz"}
    del both[3]["answerable"]
    with pytest.raises(PredictionsError, match="item 4: the row has no 'answerable'"):
        texts_of(choice.key, write_json(tmp_path / "a.json", both))


# ---------------------------------------------------------------------------------------------------------- export


@pytest.mark.parametrize("protocol", list(choose_task("vsr").task.protocols))
def test_vsr_reads_its_own_preds(protocol: str, tmp_path: Path) -> None:
    spec = f"vsr@{protocol}"
    choice, samples = of(spec)
    words = ("1", "0") if protocol in ("official", "prismatic") else ("yes", "no") if protocol == "vlmevalkit" else ()
    true, false = words or ("true", "false")
    texts = {s.id: true if n % 3 else false for n, s in enumerate(samples)}
    assert isinstance(choice.task, Exports)
    choice.task.export(texts, samples, protocol, tmp_path / "preds.txt")
    again = texts_of(spec, tmp_path / "preds.txt")
    assert figures(spec, again)["accuracy"] == figures(spec, texts)["accuracy"]


@pytest.mark.parametrize(("spec", "suffix"), [("vsr", ".txt"), ("hateful_memes@minigpt_v2", ".csv")])
def test_an_export_that_loses_unread_answers_says_so(
    spec: str, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, samples = of(spec)
    rows = [
        {"id": s.id, "text": "no idea" if n < 3 else "true" if spec == "vsr" else "yes"} for n, s in enumerate(samples)
    ]
    path, folder = write_lines(tmp_path / "a.jsonl", rows), tmp_path / "run"
    told = ["score", spec, "--predictions", str(path), "--output", str(folder), "--min-coverage", "0"]
    assert cli.main(told) == 0
    capsys.readouterr()
    assert cli.main(["export", str(folder), "--output", str(tmp_path / f"out{suffix}")]) == 0
    assert (
        f"3 of {len(samples)} answers: an answer from which nothing was read is written as 0" in capsys.readouterr().err
    )
