"""The judge from the caller's side: verdicts kept, money counted, spread and agreement, and the words that name it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.support.judge_server import Judging, grade
from tests.support.judge_toys import FAST, Numbers, chosen, judge_all, questions
from tests.support.toys import ToyModel
from vlmbench.base.errors import UsageError, VlmbenchError
from vlmbench.base.samples import JudgeRequest, Request, Response, Sample, Score, Status, Verdict
from vlmbench.base.task import Judged
from vlmbench.chat.cache import Reply, ReplyCache, reply_key
from vlmbench.data.files import Folder
from vlmbench.runs.execution import planning, runner
from vlmbench.runs.storage import manifest
from vlmbench.runs.storage.store import RunStore
from vlmbench.scoring import score as scoring
from vlmbench.scoring import verdicts as judge_verdicts
from vlmbench.scoring.judge import Judge, open_judge
from vlmbench.scoring.local_judge import LocalJudge


def test_a_task_is_judged_by_what_it_has() -> None:
    assert isinstance(Numbers(), Judged) and not isinstance(ToyModel(), Judged)


# ------------------------------------------------------------------------------------------------------- the cache


def test_cut_lines_are_passed_over(tmp_path: Path) -> None:
    """A kill in the middle of a write costs that reply, and the next one does not glue to it."""
    path = tmp_path / "judge.jsonl"
    cache = ReplyCache(path)
    cache.add("a", Reply("0.5"))
    cache.add("b", Reply("line\nbreak \u2028 é"))
    cache.close()
    path.write_bytes(path.read_bytes()[:-9])
    again = ReplyCache(path)
    assert list(again.replies) == ["a"]
    again.add("c", Reply("1.0", "m", 3, 4, 5))
    again.close()
    assert list(ReplyCache(path).replies.values()) == [Reply("0.5"), Reply("1.0", "m", 3, 4, 5)]


def test_lines_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """They know neither how a reply ended nor its first tokens; those that do come back as they were."""
    path = tmp_path / "judge.jsonl"
    reply = {"text": "0.5", "model": "m", "prompt_tokens": 3, "completion_tokens": 4, "attempts": 1}
    path.write_text(json.dumps({"key": "a", "reply": reply}) + "\n", "utf-8")
    cache = ReplyCache(path)
    cache.add("b", Reply("", first=(("yes", -0.5), (" no", -1.0)), finish="length", seconds=0.25))
    cache.close()
    assert ReplyCache(path).replies == {"a": Reply("0.5", "m", 3, 4, 1), "b": cache.replies["b"]}


def test_everything_that_decides_is_in_the_key() -> None:
    ask = JudgeRequest((("user", "grade 1"),), 3)
    others = [
        JudgeRequest((("user", "grade 2"),), 3),
        JudgeRequest((("system", "grade 1"),), 3),
        JudgeRequest(ask.messages, 4),
    ]
    others.append(JudgeRequest(ask.messages, 3, 0.5))
    keys = [reply_key("a", ask, 0, 0), reply_key("b", ask, 0, 0), reply_key("a", ask, 1, 0), reply_key("a", ask, 0, 1)]
    keys += [reply_key("a", other, 0, 0) for other in others]
    assert len(set(keys)) == len(keys) and reply_key("a", ask, 0, 0) == keys[0]


# --------------------------------------------------------------------------------------------- runs and agreement


def scored(*grades: Sequence[float | None]) -> list[tuple[Sample, Score]]:
    """Scores of questions 0, 1, ... with these grades by run."""
    found = []
    for number, runs in enumerate(grades):
        verdicts = [
            Verdict(g, Status.OK if g is not None else Status.JUDGE_FAILED, note="" if g else "x") for g in runs
        ]
        found.append((Sample(str(number), "", (), "", cluster=str(number)), judge_verdicts.combine(verdicts)))
    return found


def test_runs_are_averaged_and_their_spread_is_told() -> None:
    """Alpha by hand: 1 - (3 * (.1**2)) / (15 * mean pairwise distance), from Krippendorff's own formula."""
    found = scored((0.1, 0.2), (0.5, 0.6), (0.9, 1.0))
    entry = scoring.summarise(chosen(), found)
    assert entry["total"]["value"] == pytest.approx(55) and entry["coverage"] == 1
    judge = entry["judge"]
    assert judge["run_values"] == pytest.approx([50, 60]) and judge["std"] == pytest.approx(5)
    values = [0.1, 0.2, 0.5, 0.6, 0.9, 1.0]
    expected = sum((a - b) ** 2 for a in values for b in values) / (6 * 5)
    assert judge["krippendorff_alpha"] == pytest.approx(1 - 0.01 / expected)
    assert (judge["verdicts"], judge["failed"]) == (6, 0)
    assert "2 judge runs: 50.0, 60.0; std 5.0; Krippendorff's alpha 0.9" in judge_verdicts.agreement_line(judge)


def test_noise_of_single_grades_is_told_from_the_lean_of_runs() -> None:
    """The same shift of all grades is a lean; grades that change places are noise: per image 2 * .05^2, over 4^2."""
    choice = chosen()
    leaning, noisy = (
        judge_verdicts.metrics(choice.task, choice.protocol, scored(*grades))[0]
        for grades in (
            ((0.1, 0.2), (0.3, 0.4), (0.5, 0.6), (0.7, 0.8)),
            ((0.1, 0.2), (0.4, 0.3), (0.5, 0.6), (0.8, 0.7)),
        )
    )
    assert leaning.run_noise == pytest.approx(0) and leaning.run_values == pytest.approx((40, 50))
    assert noisy.run_noise == pytest.approx(100**2 * 4 * (2 * 0.05**2) / 4**2)
    assert noisy.run_values == pytest.approx((45, 45))


def test_agreement_that_is_undefined() -> None:
    assert judge_verdicts.agreement(scored((0.5, 0.5), (0.5, 0.5))) is None
    assert judge_verdicts.agreement(scored((0.5,), (0.1,))) is None
    nan = float("nan")
    assert judge_verdicts.summary(chosen(), scored((nan, 0.5)))["run_values"] == [None, 50]


def test_one_verdict_missing_leaves_the_sample_out() -> None:
    found = scored((0.0, 1.0), (1.0, None), (1.0, 1.0))
    entry = scoring.summarise(chosen(), found)
    assert entry["statuses"] == {"ok": 2, "judge_failed": 1} and entry["coverage"] == pytest.approx(2 / 3)
    assert entry["total"]["value"] == 75 and entry["judge"]["failed"] == 1 and entry["judge"]["verdicts"] == 5
    assert found[1][1].parsed_answer == "1, -" and found[1][1].value is None


def test_what_rules_read_needs_no_judge(tmp_path: Path) -> None:
    choice = chosen(3)
    samples = questions(choice)
    answers = {sample.id: Response("by rule" if sample.id == "1" else sample.target) for sample in samples}
    with Judging() as server, open_judge(f"openai:t,base_url={server.url},{FAST}", tmp_path, runs=2) as judge:
        for sample in samples:
            judge.submit(choice, sample, answers[sample.id])
        judge.submit(choice, Sample("9", "", (), "9"), Response(finish="error", error="no image"))
        judge.finish()
        found = [(sample, judge.score(choice, sample, answers[sample.id])) for sample in samples]
    assert sum(server.graded.values()) == 4
    entry = scoring.summarise(choice, found)
    assert entry["total"]["value"] == pytest.approx(100 * (0.0 + 1.0 + 0.2) / 3)
    assert entry["judge"]["run_values"] == pytest.approx([40, 40]) and entry["judge"]["verdicts"] == 4


# ----------------------------------------------------------------------------------------------------------- money


def test_the_budget_is_kept(tmp_path: Path) -> None:
    """Each call costs 23 dollars, which the first one teaches: it was thought to cost 13. What was bought is kept."""
    with Judging() as server:
        spec = f"openai:t,base_url={server.url},{FAST},price_in=1e6,price_out=1e6"
        with open_judge(spec, tmp_path, budget=230) as judge:
            scores = judge_all(judge, chosen(30))
            facts = judge.facts()
        assert facts["usd"] <= 230 and facts["stopped"] == "--judge-budget is spent"
        bought = [key for key, score in scores.items() if score.status is Status.OK]
        assert len(bought) == sum(server.graded.values()) == facts["replies"] == 10
        assert {score.note for score in scores.values() if score.value is None} == {"--judge-budget is spent"}
        with open_judge(spec, tmp_path, budget=1000) as judge:
            assert all(score.status is Status.OK for score in judge_all(judge, chosen(30)).values())
            assert judge.facts()["cached"] == len(bought)


def test_an_estimate_before_the_answers(tmp_path: Path) -> None:
    with Judging() as server:
        spec = f"openai:gpt-4-0613,base_url={server.url},{FAST}"
        choice = chosen(10)
        with open_judge(spec, tmp_path, runs=3) as judge:
            items = [(choice, sample, None) for sample in questions(choice)]
            before = judge.estimate(items)
            assert (
                before.requests == 30
                and before.cached == 0
                and before.usd == pytest.approx((30 * before.tokens + (60 - 30) * 30 * 3) / 1e6)
            )
            judge_all(judge, choice)
            known = [(choice, sample, Response(sample.target)) for sample in questions(choice)]
            after = judge.estimate(known)
            assert (after.requests, after.cached, after.usd) == (30, 30, 0)
            assert "30 of them in the cache" in str(after)


# ------------------------------------------------------------------------------------------------- naming a judge


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("openai:gpt-4-0613", "OPENAI_API_KEY is not set"),
        ("openai:m,key_env=NO_SUCH,base_url=http://127.0.0.1:1/v1", "NO_SUCH is not set"),
        ("openai", "write --judge openai:MODEL"),
        ("openai:m,colour=red", "no option of an API judge named 'colour'"),
        ("openai:m,rpm=fast", "rpm takes a number"),
        ("openai:m,rpm=0", "rpm must be above 0"),
        ("openai:m,price_in=nan", "price_in must be a finite number"),
        ("openai:m,price_out=-2", "price_out must not be negative"),
        ("openai:m,length_field=n", "no length_field 'n'"),
        ("openai:m,send_temperature=no", "send_temperature takes true or false"),
        ("openai:m,max_tokens=-1", "max_tokens must not be negative"),
        ("openai:m,base_url=http://host/v1#secret", "must hold no key"),
        ("openai:m,key_env=sk-secret", "names no environment variable"),
        ("openai:m,base_url=ftp://x", "base_url is no address"),
        ("openai:m,base_url=http://me:secret@host/v1", "must hold no key"),
        ("ekko", "did you mean echo?"),
    ],
)
def test_words_that_name_no_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, told: str) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(VlmbenchError) as caught:
        open_judge(spec, tmp_path)
    assert told in str(caught.value) and "secret" not in str(caught.value)


def test_a_budget_needs_a_price(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="price_in="):
        open_judge("openai:unheard-of,base_url=http://127.0.0.1:1/v1", tmp_path, budget=1)
    for budget in (float("nan"), -1.0, float("inf")):
        with pytest.raises(UsageError, match="--judge-budget must be"):
            open_judge("echo", tmp_path, budget=budget)
    with pytest.raises(UsageError, match="--judge-runs 0"):
        open_judge("echo", tmp_path, runs=0)


def test_options_of_a_judge_decide_what_is_sent(tmp_path: Path) -> None:
    """And a longer limit makes other replies: they have their own place in the cache."""
    with Judging() as server:
        spec = f"openai:t,base_url={server.url},{FAST}"
        more = ",length_field=max_completion_tokens,send_temperature=false,max_tokens=400"
        for words in (spec, spec + more, spec):
            with open_judge(words, tmp_path) as judge:
                judge_all(judge, chosen(1))
        bodies = [{name: body.get(name) for name in body if name != "messages"} for body in server.bodies]
    assert bodies == [
        {"model": "t", "temperature": 0.0, "max_tokens": 3},
        {"model": "t", "max_completion_tokens": 400},
    ]


def test_no_key_in_what_is_sent_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI's key goes to OpenAI only."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-precious")
    with Judging() as server, open_judge(f"openai:t,base_url={server.url},{FAST}", tmp_path) as judge:
        judge_all(judge, chosen(2))
        assert server.keys == {"Bearer none"}
        assert [(body["model"], body["max_tokens"], body["temperature"]) for body in server.bodies] == [
            ("t", 3, 0.0)
        ] * 2


# -------------------------------------------------------------------------------------------------- local judges


class Grader(ToyModel):
    """Grades as the server does; remembers how many it was asked at once."""

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        for group in groups:
            self.groups.append([request.prompt for request in group])
            if any(request.prompt == "grade 7" for request in group):
                raise RuntimeError("planted")
            for request in group:
                yield request, Response(grade(request.prompt), prompt_tokens=5, new_tokens=3)


def test_a_model_of_ours_judges_in_batches(tmp_path: Path) -> None:
    model = Grader()
    with Judge(LocalJudge("toy", model), tmp_path, runs=1) as judge:
        scores = judge_all(judge, chosen(100))
        assert judge.facts()["usd"] == 0
    assert [len(group) for group in model.groups] == [32, 32, 32, 4]
    failed = [key for key, score in scores.items() if score.status is not Status.OK]
    assert failed == [str(n) for n in range(32)] and "planted" in scores["0"].note
    assert all(score.value == int(key) % 11 / 10 for key, score in scores.items() if key not in failed)


# ------------------------------------------------------------------------------------------------------ whole runs


def test_judging_starts_while_answers_come(tmp_path: Path) -> None:
    """The tenth answer is given only after the first was graded; verdicts and their words are in the run's folder."""
    first = threading.Event()

    def told(prompt: str) -> str:
        first.set()
        return grade(prompt)

    def text(request: Request) -> str:
        assert request.sample_id != "9" or first.wait(10), "nothing was judged meanwhile"
        return request.sample_id

    choice, model, folder = chosen(10), ToyModel(text), tmp_path / "run"
    with Judging(answer=told) as server:
        spec = f"openai:t,base_url={server.url},{FAST}"
        for _ in range(2):
            with open_judge(spec, tmp_path, runs=2) as judge:
                data: dict[str, Any] = {choice.key: Folder(tmp_path, "toys")}
                plan = planning.plan([choice], data, model, limit=None, seed=0, judge=judge)
                content = manifest.build(request={}, model=model, tasks=plan.tasks, seed=0)
                with RunStore.open(folder, content) as store:
                    outcome = runner.execute(plan, model, store, judge=judge)
    assert sum(server.graded.values()) == 20 and len(model.asked) == 10
    assert outcome.scores["numbers"]["judge"]["runs"] == 2 and outcome.coverage == 1
    kept = json.loads((folder / "run.json").read_text())
    assert kept["judge"]["cached"] == 20 and kept["tasks"]["numbers"]["judge"]["prompt_hash"]
    rows = pq.read_table(folder / "judgements.parquet").to_pylist()
    assert len(rows) == 20 and rows[3] == {
        "task": "numbers", "sample_id": "1", "run": 1, "status": "ok", "value": 0.1, "values": [], "note": "",
        "replies": ["0.1"], "judge_model": "tiny-judge-1", "unread": False,
    }  # fmt: skip


def test_closing_breaks_off(tmp_path: Path) -> None:
    with Judging(latency=30) as server:
        start = time.monotonic()
        with open_judge(f"openai:t,base_url={server.url}", tmp_path) as judge:
            judge.submit(chosen(), Sample("1", "", (), "1"), Response("1"))
        assert time.monotonic() - start < 10
