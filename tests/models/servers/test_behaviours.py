"""Whatever a server does, an answer is the right text or a status: for the model adapter and for every judged protocol.

Nothing is ever a `yes`, a zero or a grade because there was nothing; calls are bounded; ends say the hint.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.server_behaviours import BEHAVIOURS, NONE, RIGHT, STOP, Behaving
from vlmbench.base import registry
from vlmbench.base.errors import ModelError
from vlmbench.base.samples import Request, Response, Sample, Status
from vlmbench.data.files import Folder
from vlmbench.models.servers import openai
from vlmbench.scoring import score as scoring
from vlmbench.scoring.judge import open_judge

JUDGED = tuple(
    f"{task}@{protocol}"
    for task in ("mmvet", "llava_bench", "mmbench")
    for protocol, rules in registry.tasks.get(task).protocols.items()
    if rules.judge is not None
)
GRADES = {"mmvet": "0.5", "llava_bench": "8 6", "mmbench": "B"}
FAST = {"attempts": 3, "backoff": 0.001, "deadline": 20.0, "timeout": 10.0, "rpm": 1e6}
OPTIONS = ",".join(f"{name}={value}" for name, value in FAST.items())


def grade_for(prompt: str) -> str:
    """What a judge should say to a prompt of one of the protocols."""
    kind = "llava_bench" if "Assistant 2" in prompt else "mmbench" if "There are several options" in prompt else "mmvet"
    return GRADES[kind]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def server() -> Iterator[Behaving]:
    with Behaving() as made:
        yield made


@pytest.fixture(scope="module")
def judging() -> Iterator[Behaving]:
    with Behaving(right=grade_for) as made:
        yield made


@cache
def sample(task: str) -> Sample:
    """The first question of a task's embedded sample."""
    found: Sample = registry.tasks.get(task).samples(Folder.sample(task), registry.tasks.get(task).splits[0])[0]
    return found


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_a_models_answer(server: Behaving, name: str) -> None:
    """Right, or a status under protocols that count anything as an answer: POPE's official reader says `yes` to ""."""
    behaviour = BEHAVIOURS[name]
    model = openai.load(name, base_url=server.url, **FAST)  # type: ignore[arg-type]
    requests = [Request(str(number), f"Is there a dog? {number}") for number in range(4)]
    ends = behaviour.of_model or behaviour.ends
    try:
        found = {request.sample_id: response for request, response in model.answer([requests])}
    except ModelError as error:
        assert ends == STOP and behaviour.told in str(error)
        return
    assert ends != STOP and set(found) == {"0", "1", "2", "3"}
    for response in found.values():
        if ends == RIGHT:
            assert response.text == "yes" and response.finish in ("stop", "length") and not response.error
            assert 0 < response.prompt_tokens < 1000 and 0 < response.new_tokens < 1000
            continue
        if response.finish == "error":
            assert behaviour.told in response.error
        for task in ("pope", "gqa", "vqav2", "mme", "scienceqa"):
            choice = registry.choose_task(task)
            score = scoring.score_response(choice.task, choice.protocol, sample(task), response)
            assert score.status in (Status.ERROR, Status.TRUNCATED) and score.value is None, (task, response)
    assert server.asked(name) <= behaviour.most


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_a_judges_reply(judging: Behaving, name: str, tmp_path: Path) -> None:
    """The grade, or judge_failed with the reason: under the official rules too, which make 0 or -1 of any text."""
    behaviour = BEHAVIOURS[name]
    choices = [registry.choose_task(spec) for spec in JUDGED]
    answer = Response("Something that no rule can read, hence for the judge.")
    before = sum(judging.calls.values())
    try:
        with open_judge(f"openai:{name},base_url={judging.url},{OPTIONS}", tmp_path) as judge:
            for choice in choices:
                judge.submit(choice, sample(choice.task.name), answer)
            judge.finish()
            scores = {choice.key: judge.score(choice, sample(choice.task.name), answer) for choice in choices}
    except ModelError as error:
        assert behaviour.ends == STOP and behaviour.told in str(error)
        return
    assert behaviour.ends != STOP
    for key, score in scores.items():
        if behaviour.ends == NONE:
            assert score.status is Status.JUDGE_FAILED and score.value is None, (key, score)
            assert behaviour.told in score.note, (key, score)
            continue
        blank_first = name == "blanks around" and key not in ("mmbench@official_judge",)
        if not blank_first:  # the official readers take no blank before a grade: that is their rule
            assert score.status is Status.OK and not score.verdicts[0].unread, (key, score)
            right = {"mmvet": 0.5, "llava_bench": 6.0}.get(key.partition("@")[0])
            assert right is None or score.value == right, (key, score)
    assert sum(judging.calls.values()) - before <= 8 * 6 * behaviour.most


def test_every_judged_protocol_is_here() -> None:
    assert len(JUDGED) >= 8 and len(BEHAVIOURS) >= 80
