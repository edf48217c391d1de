"""CharXiv: files, the hub's table, answers graded together, official answer and score files, bad rows."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.judge_server import Judging
from tests.support.judge_toys import FAST
from vlmbench.base.errors import DataError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Status
from vlmbench.data.files import Folder, Hub
from vlmbench.scoring.judge import open_judge
from vlmbench.tasks.judged.charxiv import CHARXIV


def official(root: Path, charts: int = 7, **changes: Any) -> Folder:
    """Charts with a question each and four descriptive ones."""
    rows = {
        str(n): {"figure_id": n, "query": f"Which {n}?", "answer": "1.5", "inst_category": 4, "qa_source": 2}
        for n in range(charts)
    }
    looks = {
        str(n): {"figure_id": n, "num_subplots": 3, "subplot_loc": [1, 2], "qids": [1, 4, 18, 19],
                 "answers": ["a", "b", "1 by 3", "3"], **changes}
        for n in range(charts)
    }  # fmt: skip
    papers = {str(n): {"figure_id": n, "category": "cs", "year": "21"} for n in range(charts)}
    for name, table in (("reasoning", rows), ("descriptive", looks), ("image_metadata", papers)):
        (root / f"{name}_val.json").write_text(json.dumps(table), "utf-8")
    return Folder(root)


def test_questions(tmp_path: Path) -> None:
    first = CHARXIV.samples(official(tmp_path), "reasoning_val")[0]
    assert first.tags == {
        "answer_type": "Number-in-General", "source": "GPT-Inspired", "subject": "cs", "year": "2021", "subplots": "2-4"
    }  # fmt: skip
    assert "a number with 1 decimal places" in CHARXIV.build_request(first, "official").prompt
    title, _, layout, _ = CHARXIV.samples(Folder(tmp_path), "descriptive_val")[:4]
    assert title.question.startswith("For the subplot at row 1 and column 2, what is its title?")
    assert layout.question.startswith("What is the layout") and layout.tags["category"] == "Pattern Recognition"


def test_copy_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets.disable_progress_bars()
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "PNG")
    row: dict[str, Any] = {
        "image": {"bytes": file.getvalue(), "path": None}, "category": "cs", "year": "20", "num_subplots": 1,
        "figure_path": "images/2004.10956.jpg", "subplot_row": 0.0, "subplot_col": 0.0, "subplot_loc": None,
        "reasoning_q": "Which?", "reasoning_a": "b", "reasoning_a_type": 1, "reasoning_q_source": 3,
    }  # fmt: skip
    row |= {f"descriptive_q{n}": n for n in (1, 2, 3, 4)} | {f"descriptive_a{n}": f"a{n}" for n in (1, 2, 3, 4)}
    path = tmp_path / "princeton-nlp/CharXiv/data/validation-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    datasets.Dataset.from_list([row]).cast_column("image", datasets.Image(decode=False)).to_parquet(str(path))
    (one,) = CHARXIV.samples(Hub(tmp_path), "reasoning_val")
    assert (one.id, one.target, one.tags["answer_type"]) == ("2004.10956", "b", "Text-in-Chart")
    looks = CHARXIV.samples(Hub(tmp_path), "descriptive_val")
    assert [sample.target for sample in looks] == ["a1", "a2", "a3", "a4"]
    assert looks[0].question.startswith("For the current plot, what is its title?")


def test_descriptions_of_one_template_are_graded_together(tmp_path: Path) -> None:
    """Seven charts: five and two answers for each of four templates, whatever order they come in."""
    choice = choose_task("charxiv:descriptive_val")
    samples = choice.task.samples(official(tmp_path), "descriptive_val")

    numbers = range(1, 6)
    grades = {f"extract_answer_T{n}": "x" for n in numbers} | {f"score_T{n}": n % 2 for n in numbers}
    answers = {sample.id: Response(f"answer {sample.id}") for sample in samples}
    with Judging(answer=lambda _: json.dumps(grades)) as server:
        spec = f"openai:gpt-4-0613,base_url={server.url},{FAST}"
        with open_judge(spec, tmp_path / "cache", runs=2) as judge:
            assert judge.estimate((choice, sample, None) for sample in samples).requests == 16
            for sample in reversed(samples):
                judge.submit(choice, sample, answers[sample.id])
            judge.finish()
            scores = {sample.id: judge.score(choice, sample, answers[sample.id]) for sample in samples}
            assert judge.facts()["replies"] == 16
            again = judge.estimate((choice, sample, answers[sample.id]) for sample in samples)
            assert (again.requests, again.cached) == (16, 16)
    assert all(body["response_format"] == {"type": "json_object"} and body["seed"] == 42 for body in server.bodies)
    assert all(score.status is Status.OK and len(score.verdicts) == 2 for score in scores.values())
    assert [scores[f"{n}_0"].value for n in range(7)] == [1, 0, 1, 0, 1, 1, 0]


def test_a_batch_without_a_reply_fails_as_a_whole(tmp_path: Path) -> None:
    choice = choose_task("charxiv:descriptive_val")
    samples = choice.task.samples(official(tmp_path, charts=2), "descriptive_val")
    with (
        Judging(answer=lambda _: "") as server,
        open_judge(f"openai:t,base_url={server.url},{FAST}", tmp_path / "cache") as judge,
    ):
        for sample in samples:
            judge.submit(choice, sample, Response("something"))
        judge.finish()
        scores = [judge.score(choice, sample, Response("something")) for sample in samples]
    assert {score.status for score in scores} == {Status.JUDGE_FAILED} and scores[0].value is None


def test_official_answers_and_scores(tmp_path: Path) -> None:
    samples = CHARXIV.samples(official(tmp_path), "reasoning_val")
    answers = {sample.id: f"answer {sample.id}" for sample in samples}
    path = tmp_path / "gen-m-reasoning_val.json"
    CHARXIV.export(answers, samples, "official", path)
    assert CHARXIV.read_predictions(path, samples) == answers
    assert json.loads(path.read_text("utf-8"))["3"] == {
        "figure_id": 3, "inst_category": 4, "raw_question": "Which 3?", "response": "answer 3"
    }  # fmt: skip
    assert CHARXIV.read_verdicts(path, samples, "official") is None
    graded = {sample.id: {"figure_id": sample.id, "extracted_answer": "x", "score": -1} for sample in samples}
    graded["0"]["score"] = 1
    (tmp_path / "scores.json").write_text(json.dumps(graded), "utf-8")
    verdicts = CHARXIV.read_verdicts(tmp_path / "scores.json", samples, "official")
    assert verdicts is not None
    assert (verdicts["0"][0].value, verdicts["1"][0].value, verdicts["1"][0].unread) == (1, 0, True)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"qids": [1, 2, 3, 20]}, "20 is no template"),
        ({"answers": ["a"]}, "1 answers to 4 questions"),
        ({"subplot_loc": 3}, "a row and a column, or words"),
    ],
)
def test_bad_rows(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        CHARXIV.samples(official(tmp_path, **changes), "descriptive_val")
