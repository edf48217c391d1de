"""How whole rows of questions end: flagged ones, a forbidden key, refusals without end, stop texts, ranking."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judge_server import JSON, Body, Judging
from vlmbench.base.errors import ModelError, UsageError
from vlmbench.base.samples import Generation, Request, Response
from vlmbench.chat.faults import ErrorBodyError, MalformedReplyError, meaning, words_of
from vlmbench.chat.reply import read_reply
from vlmbench.models.servers import openai
from vlmbench.models.servers.top_logprobs import rank

NAMES = """
    choices message content finish_reason usage logprobs top_logprobs token logprob error code detail delta text type
    refusal reasoning tool_calls model completion_tokens prompt_tokens
"""
FAST: dict[str, Any] = {"backoff": 0.001, "attempts": 3}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))


def error(status: int, message: str, **headers: str) -> Body:
    told = json.dumps({"error": {"message": message}}).encode()
    return status, {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}, told


def answers(server: Judging, count: int, **options: Any) -> tuple[dict[str, Response], openai.OpenAIChat]:
    model = openai.load("m", base_url=server.url, **{**FAST, **options})
    requests = [Request(str(n), f"grade {n}") for n in range(count)]
    return {request.sample_id: response for request, response in model.answer([requests])}, model


def test_a_flagged_question_fails_alone_each_time() -> None:
    """The first or the last, whatever the words, once something was answered; and the run comes to its end."""
    for words in ("Your input was flagged by moderation", "Forbidden"):
        answer = error(403, words)
        with Judging() as server:
            server.status = lambda prompt: answer if prompt.endswith(" 3") else None  # noqa: B023
            for _ in range(3):
                found, _ = answers(server, 40, in_flight=1)
                assert [name for name, one in found.items() if one.error] == ["3"] and words in found["3"].error
    with Judging(
        status=lambda prompt: error(403, "flagged by moderation") if prompt.endswith(" 0") else None
    ) as server:
        found, _ = answers(server, 5, in_flight=1)
        assert [name for name, one in found.items() if one.error] == ["0"]


def test_a_key_that_is_forbidden_everything_ends_the_run() -> None:
    with Judging(status=lambda prompt: error(403, "Forbidden")) as server:
        with pytest.raises(ModelError, match=r"Forbidden \(3 calls in a row\)[^$]*key_env=NAME"):
            answers(server, 40, in_flight=1)
        assert len(server.bodies) == 3
    with Judging(status=lambda prompt: error(403, "Forbidden") if not prompt.endswith(" 0") else None) as server:
        with pytest.raises(ModelError, match=r"Forbidden \(25 calls in a row\)"):
            answers(server, 40, in_flight=1)
        assert len(server.bodies) == 26


@pytest.mark.parametrize("pause", ["inf", "43200", "Fri, 01 Jan 2100 00:00:00 GMT"])
@pytest.mark.parametrize("in_flight", [1, 8])
def test_refusals_without_end(pause: str, in_flight: int) -> None:
    """One call for each that was open, none for the others; the command ends with the server's words and the hint."""
    with Judging(status=lambda prompt: error(429, "daily limit", retry_after=pause)) as server:
        with pytest.raises(ModelError, match=r"daily limit[^$]*asks to wait[^$]*the answers so far are kept"):
            answers(server, 300, in_flight=in_flight)
        assert len(server.bodies) <= in_flight


def test_what_goes_wrong_is_told_while_it_does(caplog: pytest.LogCaptureFixture) -> None:
    """The first words of a server that fails are on stderr at once, each once."""
    status = error(500, "CUDA out of memory")
    with Judging(status=lambda prompt: status) as server, caplog.at_level(logging.WARNING):
        answers(server, 4)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1 and "HTTP 500: CUDA out of memory; trying again" in told[0]


# ------------------------------------------------------------------------------------------------------ stop texts


def with_stops(server: Judging, **options: Any) -> tuple[Response, openai.OpenAIChat]:
    given: dict[str, Any] = {**FAST, **options}
    model = openai.load("m", base_url=server.url, **given)
    [(_, response)] = model.answer([[Request("1", "grade 1", generation=Generation(9, ("\n", "ASSISTANT:")))]])
    return response, model


@pytest.mark.parametrize("options", [{}, {"send_stop": False}])
def test_a_server_that_ignores_stop(options: Mapping[str, Any]) -> None:
    """Answers are cut here; `send_stop=false` leaves the field out."""
    with Judging(answer=lambda prompt: " blue\nASSISTANT: blue it is") as server:
        response, _ = with_stops(server, **options)
        assert (response.text, response.finish) == ("blue", "stop")
        assert server.bodies[-1].get("stop") == (None if options else ["\n", "ASSISTANT:"])


def test_a_server_that_refuses_stop_and_the_length_field() -> None:
    """Each is found out once, told in run.json, and not sent again."""
    unsupported = "Unsupported parameter: '{}' is not supported with this model."
    with Judging() as server:
        server.status = lambda prompt: next(
            (error(400, unsupported.format(name)) for name in ("max_tokens", "stop") if name in server.bodies[-1]), None
        )
        response, model = with_stops(server)
        assert response.text == "0.1" and [set(body) - {"messages", "model"} for body in server.bodies] == [
            {"max_tokens", "stop", "temperature"},
            {"max_completion_tokens", "stop", "temperature"},
            {"max_completion_tokens", "temperature"},
        ]
        assert model.facts["adapted"] == "max_tokens as max_completion_tokens, no stop"
        [(_, again)] = model.answer([[Request("2", "grade 2", generation=Generation(9, ("x",)))]])
        assert again.text == "0.2" and len(server.bodies) == 4


def test_a_server_that_refuses_a_seed() -> None:
    with Judging() as server:
        server.status = lambda prompt: error(400, "Unrecognized field: seed") if "seed" in server.bodies[-1] else None
        model = openai.load("tiny", base_url=server.url, cache=False)
        sampled = Generation(9, temperature=0.7)
        groups = [[Request(name, f"grade {name}", generation=sampled) for name in ("1", "2")]]
        assert {response.text for _, response in model.answer(groups)} == {"0.1", "0.2"}
        assert model.facts["adapted"] == "no seed"
        assert "temperature" in server.bodies[-1] and "seed" not in server.bodies[-1]


def test_a_limit_that_is_too_large_is_no_unknown_field() -> None:
    """It is told, not worked around: no request is shortened, and none goes out without its limit."""
    with Judging(
        status=lambda prompt: error(400, "max_tokens is too large: 4096. At most 1024 are supported")
    ) as server:
        response, model = with_stops(server)
        assert "too large" in response.error and len(server.bodies) == 1 and "adapted" not in model.facts


# ----------------------------------------------------------------------------------------------------- ranking, keys


def ranked(message: Mapping[str, Any], top: Any) -> Response:
    choice = {"message": message, "finish_reason": "length", "logprobs": {"content": [{"top_logprobs": top}]}}
    body = json.dumps({"choices": [choice]}).encode()
    with Judging(status=lambda prompt: (200, JSON, body)) as server:
        model = openai.load("m", base_url=server.url, **FAST)
        [(_, response)] = model.answer([[Request("1", "Is it?", choices=("yes", "no"))]])
        return response


TOP = [{"token": "yes", "logprob": -0.1}, {"token": " no", "logprob": -3.0}]


def test_log_probabilities_that_rank() -> None:
    """They need no text; rows that tell nothing are passed over."""
    for message in ({"content": "yes"}, {"content": None}, {"content": ""}):
        found = ranked(message, [*TOP, {"token": "x", "logprob": None}, 7, {"logprob": -9999.0}])
        assert [score.logprob for score in found.choices] == [-0.1, -3.0] and found.finish == "stop"


@pytest.mark.parametrize(
    ("message", "top", "told"),
    [
        ({"content": "yes", "reasoning_content": "hm"}, TOP, "belongs to the model's thoughts"),
        ({"content": "yes"}, [*TOP, {"token": "x", "logprob": math.nan}], "log-probabilities are none"),
        ({"content": "yes"}, [{"token": "yes", "logprob": 0.9}], "log-probabilities are none"),
        ({"content": "Yes"}, [{"token": "Yes", "logprob": -0.1}], "no choice is among"),
        ({"content": "yes"}, None, "tells no log-probabilities"),
        ({"content": "yes"}, [], "tells no log-probabilities"),
        ({"content": "yes"}, "all", "tells no log-probabilities"),
    ],
)
def test_log_probabilities_that_rank_nothing(message: Mapping[str, Any], top: Any, told: str) -> None:
    found = ranked(message, top)
    assert found.finish == "error" and told in found.error and not found.choices


def test_an_impossible_token_is_passed_over() -> None:
    scores = rank(("yes", "no"), [("yes", -0.5), ("no", -math.inf), ("x", -2.0)])
    assert [score.logprob for score in scores] == [-0.5, -2.0]


def test_keys_that_no_header_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret\u201d")
    with pytest.raises(UsageError, match="no HTTP header") as caught:
        openai.load("m", base_url="http://127.0.0.1:1/v1", key_env="MY_KEY")
    assert "secret" not in str(caught.value)


PARTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(set(NAMES.split()))), inner, max_size=5)
    ),
    max_leaves=25,
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(PARTS, st.booleans())
def test_any_body_is_a_reply_or_a_fault(body: Any, ranked: bool) -> None:
    """As a whole, as the only choice, as a message, as an event."""
    whole = json.dumps(body)
    forms = [whole, f'{{"choices": [{whole}]}}', f'{{"choices": [{{"message": {whole}}}]}}', f"data: {whole}\n"]
    for form in [*forms, f'data: {{"choices": [{whole}]}}\ndata: [DONE]\n', f'{{"error": {whole}}}']:
        try:
            reply = read_reply(form.encode(), 1, ["a"], ranked=ranked)
            assert isinstance(reply.text, str) and (reply.none or reply.finish in ("stop", "length"))
            assert 0 <= reply.prompt_tokens < 10**10 and 0 <= reply.completion_tokens < 10**10
        except MalformedReplyError:
            pass
        except ErrorBodyError as told:
            assert 400 <= told.status <= 599
            found = meaning(told.status, told.body, words_of(told.body), None)
            assert isinstance(found, str | MalformedReplyError)


def test_what_was_paid_for_in_vain_is_not_asked_twice() -> None:
    """Two tasks that ask the same, one after the other."""
    with Judging(answer=lambda prompt: None) as server:
        model = openai.load("m", base_url=server.url, **FAST)
        for _ in range(3):
            [(_, response)] = model.answer([[Request("1", "grade 1")]])
            assert response.error == "the server gave no answer: no content"
        assert len(server.bodies) == 1


def test_replies_kept_by_an_earlier_version_without_text_are_asked_for_again(tmp_path: Path) -> None:
    """They may have been replies that were none; those with text are taken."""
    from vlmbench.chat.cache import ReplyCache

    path = tmp_path / "old.jsonl"
    rows = [{"key": "a", "reply": {"text": ""}}, {"key": "b", "reply": {"text": "yes"}}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert list(ReplyCache(path).replies) == ["b"]
