"""The openai adapter against a server that is not ours: `transformers serve` with a tiny random LLaVA."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.judge_server import FaultProxy, Judging
from tests.support.transformers_server import QUESTIONS, WORDS, asked, directly, make_llava, serving
from tests.support.vision_server import number_of
from vlmbench.models.servers import openai

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    folder = tmp_path_factory.mktemp("llava")
    make_llava(folder)
    with serving(folder) as port:
        yield folder, port


def test_answers_through_a_real_server_and_faults(
    served: tuple[Path, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each picture gets its own answer, the one the model gives without a server; a second time nothing is asked."""
    folder, port = served
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path))
    groups = [[asked(number, question) for question in QUESTIONS] for number in range(3)]
    upstream = Judging()
    upstream.port = port
    with FaultProxy(upstream, hang=0.1, about=number_of) as proxy:
        options = {"base_url": proxy.url, "attempts": 40, "backoff": 0.01, "in_flight": 4}
        for calls in (True, False):
            model = openai.load(str(folder), **options)
            found = {request.sample_id: response for request, response in model.answer(groups)}
            assert bool(model.facts["calls"]) == calls
    expected = directly(folder)
    assert {name: response.text for name, response in found.items()} == expected and len(set(expected.values())) > 3
    assert all(response.prompt_tokens > 16 and response.new_tokens <= WORDS for response in found.values())
    assert sum(proxy.played.values()) > 1 and set(proxy.delivered.values()) == {1}


def test_what_it_does_not_offer_is_told(served: tuple[Path, int]) -> None:
    """It has no log-probabilities and passes over the wish: each question that ranks fails with that reason."""
    folder, port = served
    model = openai.load(str(folder), base_url=f"http://127.0.0.1:{port}/v1", cache=False)
    [(_, response)] = model.answer([[replace(asked(0, "Is it?"), choices=("yes", "no"))]])
    assert response.finish == "error" and response.error.startswith("the server tells no log-probabilities")
