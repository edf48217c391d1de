"""Judges that see a sample's images and another model's answer: what is sent, kept and counted, and a whole run."""

from __future__ import annotations

import base64
import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import vlmbench
from tests.support.judge_server import Judging
from tests.support.judge_toys import FAST, Numbers
from tests.support.toys import gone, keep, png
from vlmbench import FunctionModel
from vlmbench.base.errors import UsageError
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import ImageRef, JudgeRequest, Request, Response, Sample, Status, Verdict
from vlmbench.chat.cache import reply_key
from vlmbench.chat.pricing import IMAGE_TOKENS, size_of, tokens_of
from vlmbench.scoring.judge import Judge, open_judge
from vlmbench.scoring.local_judge import LocalJudge

RED, BLUE = (ImageRef(name, partial(keep, png(colour))) for name, colour in (("r", (200, 0, 0)), ("b", (0, 0, 200))))


@dataclass
class Arena(Numbers):
    """Which of two answers about a picture is better; the other one is a model's that the data come with."""

    name: str = "arena"
    unreadable: bool = False

    def samples(self, data: Any, split: str) -> Sequence[Sample]:
        made = []
        for n in range(self.count):
            picture = ImageRef(f"{n}.png", partial(keep, png((n, 0, 90))))
            if self.unreadable and n == 0:
                picture = ImageRef("0.png", partial(gone, "0.png"))
            other = {"other_answer": f"rival {n}"}
            made.append(Sample(str(n), f"What is {n}?", (picture,), str(n), cluster=str(n), extra=other))
        return made

    def build_request(self, sample: Sample, protocol: str) -> Request:
        return replace(super().build_request(sample, protocol), images=() if self.unreadable else sample.images)

    def grade(self, sample: Sample, response: Response, protocol: str) -> Generator[JudgeRequest, str, Verdict]:
        answers = f" A: {sample.extra['other_answer']} ", f"B: {response.text}"
        shown: tuple[str | ImageRef, ...]
        shown = "Question: ", sample.question, " Picture: ", *sample.images, *answers
        reply = yield JudgeRequest((("system", "Be fair."), ("user", shown)), 3)
        return Verdict(float(reply)) if reply else Verdict(None, Status.JUDGE_FAILED, note="no number")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def server() -> Iterator[Judging]:
    with Judging(answer=lambda prompt: "1" if prompt.endswith(("B: 1", "B: 2")) else "0") as made:
        yield made


def spec(server: Judging, more: str = "") -> str:
    return f"openai:tiny,base_url={server.url},{FAST}{more}"


def judged(judge: Judge, task: Arena) -> dict[str, Any]:
    choice = TaskChoice(task, "test", "official")
    samples = task.samples(None, "test")
    for sample in samples:
        judge.submit(choice, sample, Response(sample.target))
    judge.finish()
    return {sample.id: judge.score(choice, sample, Response(sample.target)) for sample in samples}


def test_a_run_judged_by_what_the_judge_sees(server: Judging, tmp_path: Path) -> None:
    """Answers, verdicts, scores and the run's folder; a second run takes every verdict from the cache."""

    def number(images: Any, question: str) -> str:
        return question.removeprefix("What is ").rstrip("?")

    model = FunctionModel("counts", number)
    for name, calls in (("one", 4), ("two", 4)):
        vlmbench.evaluate(model, [Arena(4)], data=tmp_path, output=tmp_path / name, judge=spec(server))
        scores = json.loads((tmp_path / name / "scores.json").read_text("utf-8"))["arena"]
        assert scores["total"]["value"] == pytest.approx(50)
        assert scores["coverage"] == 1 and len(server.bodies) == calls
    rows = pq.read_table(tmp_path / "two" / "judgements.parquet").to_pylist()
    assert {row["sample_id"]: row["replies"] for row in rows} == {"0": ["0"], "1": ["1"], "2": ["1"], "3": ["0"]}
    by_question = {body["messages"][1]["content"][1]["text"]: body for body in server.bodies}
    for n in range(4):
        head, asked = by_question[f"What is {n}?"]["messages"]
        assert head == {"role": "system", "content": "Be fair."}
        kinds = [part["type"] for part in asked["content"]]
        assert kinds == ["text", "text", "text", "image_url", "text", "text"]
        head, _, data = asked["content"][3]["image_url"]["url"].partition(",")
        assert (head, base64.b64decode(data)) == ("data:image/png;base64", png((n, 0, 90)))
        assert [part["text"] for part in asked["content"][4:]] == [f" A: rival {n} ", f"B: {n}"]


def test_images_count_by_their_bytes_in_the_key() -> None:
    """Keys of texts stay those of earlier versions; the key is not the name's, and places and order count."""
    text = JudgeRequest((("user", "grade 1"),), 3)
    assert reply_key("a", text, 0, 0) == "731a0df87f9cb569058a0cac4200dcaf"
    asked: list[tuple[str | ImageRef, ...]] = [
        ("See ", RED, BLUE), ("See ", BLUE, RED), (RED, "See ", BLUE), ("See ", RED), ("See ",),
        ("See ", replace(RED, load=partial(keep, png((9, 9, 9)))), BLUE),
    ]  # fmt: skip
    keys = [reply_key("a", JudgeRequest((("user", parts),), 3), 0, 0) for parts in asked]
    assert len({reply_key("a", text, 0, 0), *keys}) == 7
    renamed = JudgeRequest((("user", ("See ", replace(RED, name="other"), BLUE)),), 3)
    assert reply_key("a", renamed, 0, 0) == keys[0]


def test_estimates_count_images(server: Judging, tmp_path: Path) -> None:
    request = JudgeRequest((("user", ("See ", RED, BLUE, " well")),), 3)
    assert size_of(request) == tokens_of("See ") + tokens_of(" well") + 2 * IMAGE_TOKENS
    task = Arena(3)
    choice = TaskChoice(task, "test", "official")
    items: list[Any] = [(choice, sample, Response("1")) for sample in task.samples(None, "test")]
    with open_judge(spec(server), tmp_path) as judge:
        before = judge.estimate(items)
        assert before.requests == 3 and before.cached == 0 and before.tokens > 3 * IMAGE_TOKENS
        for _, sample, response in items:
            judge.submit(choice, sample, response)
        judge.finish()
        assert judge.estimate(items).cached == 3


def test_an_image_that_cannot_be_read_fails_its_verdict_alone(server: Judging, tmp_path: Path) -> None:
    with open_judge(spec(server), tmp_path) as judge:
        scores = judged(judge, Arena(3, unreadable=True))
        task = Arena(1, unreadable=True)
        [lost] = task.samples(None, "test")
        assert judge.estimate([(TaskChoice(task, "test", "official"), lost, Response("1"))]).cached == 0
    assert scores["0"].status is Status.JUDGE_FAILED and "the picture is not there" in scores["0"].note
    assert [scores[name].value for name in "12"] == [1, 1] and len(server.bodies) == 2


def test_how_a_judge_sees_is_an_option(server: Judging, tmp_path: Path) -> None:
    with open_judge(spec(server, ",detail=low,max_side=64"), tmp_path) as judge:
        judged(judge, Arena(1))
        assert judge.facts()["identity"].endswith("detail=low max_side=64")
    shown = server.bodies[-1]["messages"][1]["content"][3]["image_url"]
    assert shown["detail"] == "low"
    with pytest.raises(UsageError, match="no detail 'fine'"):
        open_judge(spec(server, ",detail=fine"), tmp_path)


def test_a_local_judge_sees_images_in_their_places(tmp_path: Path) -> None:
    seen: list[tuple[str, list[Any]]] = []

    def look(images: list[Any], question: str) -> str:
        seen.append((question, [image.getpixel((0, 0)) for image in images]))
        return "1"

    judge = Judge(LocalJudge("looks", FunctionModel("looks", look, version="1")), tmp_path)
    with judge:
        scores = judged(judge, Arena(3))
    assert [score.value for score in scores.values()] == [1, 1, 1]
    told = "Be fair.\n\nQuestion: What is {n}? Picture: <image 1> A: rival {n} B: {n}"
    assert sorted(seen) == [(told.format(n=n), [(n, 0, 90)]) for n in range(3)]
    assert json.dumps(judge.facts()["replies"]) == "3"
