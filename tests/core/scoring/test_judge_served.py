"""The judge against a server that is not ours: `transformers serve` with a tiny random model, and faults in front."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.judge_server import FaultProxy, Judging
from tests.support.judge_toys import chosen, judge_all
from tests.support.transformers_server import make_language_model, serving
from vlmbench.base.samples import Status
from vlmbench.scoring.judge import open_judge

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Name and port of a served model."""
    folder = tmp_path_factory.mktemp("tiny")
    make_language_model(folder)
    with serving(folder) as port:
        yield str(folder), port


def test_a_real_server_behind_faults(served: tuple[str, int], tmp_path: Path) -> None:
    """Every ask gets the model's own reply, cut at three tokens; a rerun asks nothing.

    What a random model says is no grade: each verdict is judge_failed, with both replies kept.
    """
    name, port = served
    upstream = Judging()
    upstream.port = port
    with FaultProxy(upstream, hang=0.1) as proxy:
        limits = "rpm=60000,timeout=60,deadline=90,attempts=40,backoff=0.01,in_flight=4"
        spec = f"openai:{name},base_url={proxy.url},{limits}"
        for calls in (True, False):
            with open_judge(spec, tmp_path) as judge:
                scores = judge_all(judge, chosen(20))
                facts = judge.facts()
            assert facts["replies"] == (40 if calls else 0) and facts["cached"] == (0 if calls else 40)
    verdicts = [score.verdicts[0] for score in scores.values()]
    assert {verdict.status for verdict in verdicts} == {Status.JUDGE_FAILED}
    assert {verdict.note for verdict in verdicts} == {"no number"} and all(len(v.replies) == 2 for v in verdicts)
    assert all(name in verdict.model for verdict in verdicts)
    assert sum(proxy.played.values()) > 3 and set(proxy.delivered.values()) == {2}


def test_it_tells_its_tokens(served: tuple[str, int], tmp_path: Path) -> None:
    name, port = served
    with open_judge(f"openai:{name},base_url=http://127.0.0.1:{port}/v1,timeout=60,deadline=90", tmp_path) as judge:
        judge_all(judge, chosen(2))
        facts = judge.facts()
    assert facts["completion_tokens"] <= 4 * 3 and 4 * 5 < facts["prompt_tokens"] < 4 * 40
