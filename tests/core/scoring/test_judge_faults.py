"""A judge behind a bad connection: every verdict is right or marked as failed, and none is paid for twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.judge_server import FAULTS, Body, FaultProxy, Judging
from tests.support.judge_toys import FAST, chosen, judge_all
from vlmbench.base.errors import ModelError
from vlmbench.base.samples import Status
from vlmbench.scoring.conversations import GIVE_UP_AFTER
from vlmbench.scoring.judge import open_judge

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]


def start(url: str, cache: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "tests.support.judge_toys", url, str(cache)]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def kept(cache: Path) -> int:
    """Whole lines in the cache."""
    return sum(path.read_bytes().count(b"\n") for path in cache.rglob("*.jsonl"))


def check_scores(scores: dict[str, Any], lost: set[str]) -> None:
    """Right, or failed where nothing ever gets through."""
    failed = {key for key, (status, _) in scores.items() if status == "judge_failed"}
    assert lost <= failed and len(failed - lost) < 10  # six faults in a row happen by chance
    for key, (status, value) in scores.items():
        assert (status == "ok" and value == int(key) % 11 / 10) or (status == "judge_failed" and value is None), key


def test_a_thousand_gradings_and_a_kill(tmp_path: Path) -> None:
    """Killed in the middle and run again: nothing is graded twice but what was in flight."""
    lost = {str(n) for n in range(1000) if n % 97 == 5}
    with Judging() as server, FaultProxy(server, lost=lambda number: number % 97 == 5) as proxy:
        with start(proxy.url, tmp_path) as process:
            while process.poll() is None and kept(tmp_path) < 400:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        before = kept(tmp_path)
        assert 400 <= before < 950, "it was not killed in the middle"
        delivered = sum(proxy.delivered.values())
        assert delivered - before <= 32
        with start(proxy.url, tmp_path) as process:
            scores, facts = json.loads(process.communicate()[0])
        assert facts["cached"] >= before and facts["replies"] + facts["cached"] + facts["failed"] == 1000
        again = [number for number, count in proxy.delivered.items() if count > 1]
        assert len(again) <= delivered - before, "a verdict that was kept was paid for again"
        assert set(proxy.played) == set(FAULTS)
    check_scores(scores, lost)
    assert sum(status == "ok" for status, _ in scores.values()) == len([n for n in proxy.delivered])


def test_a_rerun_costs_nothing(tmp_path: Path) -> None:
    with Judging() as server:
        spec = f"openai:tiny,base_url={server.url},{FAST},price_in=30,price_out=60"
        with open_judge(spec, tmp_path, runs=2) as judge:
            first = judge_all(judge, chosen(20))
            assert judge.facts()["usd"] == pytest.approx(40 * (20 * 30 + 3 * 60) / 1e6)
        assert set(server.graded.values()) == {2}  # once a run
        with open_judge(spec, tmp_path, runs=2) as judge:
            estimate = judge.estimate([])
            assert judge_all(judge, chosen(20)) == first
            assert judge.facts()["usd"] == 0 and judge.facts()["cached"] == 40 and estimate.requests == 0
        assert set(server.graded.values()) == {2}
        with open_judge(spec.replace("openai:tiny", "openai:other"), tmp_path) as judge:
            judge_all(judge, chosen(20))
        assert set(server.graded.values()) == {3}, "another judge has its own verdicts"


def status_of(code: int, body: str = '{"error": {"message": "no", "code": "x"}}') -> Any:
    """A server that answers everything with one status."""

    def answer(prompt: str) -> Body:
        return code, {"content-type": "application/json"}, body.encode()

    return answer


@pytest.mark.parametrize(
    ("code", "body", "told"),
    [
        (401, '{"error": {"message": "Incorrect API key provided: sk-secret"}}', "MY_KEY right?"),
        (404, '{"error": {"message": "no such model"}}', "check the model's name"),
        (429, '{"error": {"message": "pay", "code": "insufficient_quota"}}', "no credit left"),
    ],
)
def test_what_no_retry_mends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, body: str, told: str) -> None:
    """The first such answer ends the judging, with the hint and without the key."""
    monkeypatch.setenv("MY_KEY", "sk-secret")
    with Judging(status=status_of(code, body)) as server:
        spec = f"openai:tiny,base_url={server.url},{FAST},key_env=MY_KEY"
        with open_judge(spec, tmp_path) as judge, pytest.raises(ModelError) as caught:
            judge_all(judge, chosen(5))
        assert told in str(caught.value) and "sk-secret" not in str(caught.value)
        assert server.keys == {"Bearer sk-secret"} and len(server.bodies) <= 5


def test_a_refused_ask_fails_alone(tmp_path: Path) -> None:
    """HTTP 400 is about one ask: no second try, the others go on."""

    def answer(prompt: str) -> Body | None:
        return (400, {}, b"{}") if prompt == "grade 3" else None

    with Judging(status=answer) as server, open_judge(f"openai:t,base_url={server.url},{FAST}", tmp_path) as judge:
        scores = judge_all(judge, chosen(6))
    assert [key for key, score in scores.items() if score.status is Status.JUDGE_FAILED] == ["3"]
    assert "HTTP 400" in scores["3"].note and "(1 attempt)" in scores["3"].note and len(server.bodies) == 6


def test_a_server_that_answers_nothing(tmp_path: Path) -> None:
    """After a row of failures the rest is not asked; all is judge_failed, and the run can end."""
    options = "rpm=60000,attempts=2,backoff=0.01,in_flight=8"
    with (
        Judging(status=status_of(500)) as server,
        open_judge(f"openai:t,base_url={server.url},{options}", tmp_path) as judge,
    ):
        scores = judge_all(judge, chosen(100))
        facts = judge.facts()
    assert {score.status for score in scores.values()} == {Status.JUDGE_FAILED}
    assert "given up after" in facts["stopped"] and facts["calls"] <= 2 * (GIVE_UP_AFTER + 8)


def test_a_server_that_was_never_there(tmp_path: Path) -> None:
    """It is missed before anything is judged, with the hint."""
    with pytest.raises(ModelError, match=r"Connection refused[^$]*see whether the server runs"):
        open_judge("openai:t,base_url=http://127.0.0.1:9/v1,attempts=2,backoff=0.01", tmp_path)


def test_a_server_that_goes_away(tmp_path: Path) -> None:
    """The command ends with the hint, however few asks are left."""
    with Judging() as server:
        judge = open_judge(f"openai:t,base_url={server.url},attempts=2,backoff=0.01", tmp_path)
        judge_all(judge, chosen(5))
    judge.next_run()
    with judge, pytest.raises(ModelError, match="the answers so far are kept"):
        judge_all(judge, chosen(8))
