"""The openai adapter against a server with eyes on loopback: the shipped model's own answers, through HTTP."""

from __future__ import annotations

import gc
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from tests.support.judge_server import FaultProxy, Judging
from tests.support.toys import gone
from tests.support.vision_server import Seeing, number_of
from vlmbench.base import registry
from vlmbench.base.errors import ModelError, UsageError
from vlmbench.base.samples import Generation, ImageRef, Request, Response
from vlmbench.data.files import Folder
from vlmbench.models.servers import openai
from vlmbench.models.systems import tinyllava
from vlmbench.runs.execution import planning

pytestmark = pytest.mark.slow

FAST = {"timeout": 20.0, "attempts": 7, "backoff": 0.01, "in_flight": 4}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def server() -> Iterator[Seeing]:
    with Seeing() as made:
        yield made


def pope() -> list[list[Request]]:
    """Two hundred questions of POPE's embedded sample, by picture."""
    choice = registry.choose_task("pope")
    model = tinyllava.load(None, threads=1)
    plan = planning.plan([choice], {"pope": Folder.sample("pope")}, model, limit=200, seed=0)
    return [[item.request for item in group] for group in planning.group_by_images(plan.requests)]


def answers(model: object, groups: Sequence[Sequence[Request]]) -> dict[str, Response]:
    return {request.sample_id: response for request, response in model.answer(groups)}  # type: ignore[attr-defined]


def square(
    colour: tuple[int, int, int], size: tuple[int, int] = (32, 32), kind: str = "PNG", **options: object
) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind, **options)
    return out.getvalue()


def about(data: bytes, prompt: str, name: str = "a", **more: object) -> Request:
    return replace(Request(name, prompt, (ImageRef(name, partial(bytes, data)),)), **more)  # type: ignore[arg-type]


def test_answers_are_those_of_the_model_behind_the_server(server: Seeing) -> None:
    """Texts, ends and token counts; many at once; a second time from the cache, in another process's stead."""
    groups, ours = pope(), tinyllava.load(None, threads=1)
    model = openai.load("tiny", base_url=server.url, in_flight=8)
    found, expected = answers(model, groups), answers(ours, groups)
    assert {k: (r.text, r.finish, r.prompt_tokens, r.new_tokens) for k, r in found.items()} == {
        k: (r.text, r.finish, r.prompt_tokens, r.new_tokens) for k, r in expected.items()
    }
    assert 2 <= server.most_open <= 8 and set(server.asked.values()) == {1}
    assert model.facts["replies"] == model.facts["calls"] == len(found) and model.facts["served_model"] == "tiny-1"
    again = openai.load("tiny", base_url=server.url)
    assert answers(again, groups) == found and again.facts["cached"] == len(found) and again.facts["calls"] == 0
    assert set(server.asked.values()) == {1}


def test_questions_about_one_picture_go_out_in_a_row(server: Seeing) -> None:
    """And each begins with its picture, which is what a server's prefix cache needs."""
    before = len(server.bodies)
    groups = [[about(square((g, 0, 0)), f"What is {q}?", f"{g}") for q in range(5)] for g in range(6)]
    answers(openai.load("tiny", base_url=server.url, in_flight=1, cache=False), groups)
    parts = [body["messages"][0]["content"] for body in server.bodies[before:]]
    assert all([part["type"] for part in one] == ["image_url", "text"] for one in parts)
    urls = [one[0]["image_url"]["url"] for one in parts]
    assert len(set(urls)) == 6 and sum(a != b for a, b in pairwise(urls)) == 5


def test_a_dialogue_goes_as_turns(server: Seeing) -> None:
    asked = about(square((200, 0, 0)), "And where?", history=(("What colour is it?", "red"), ("Sure?", "yes")))
    model = openai.load("tiny", base_url=server.url)
    assert answers(model, [[asked]])["a"].text == answers(tinyllava.load(None, threads=1), [[asked]])["a"].text
    roles = [message["role"] for message in server.bodies[-1]["messages"]]
    assert roles == ["user", "assistant", "user", "assistant", "user"]
    assert [type(message["content"]) for message in server.bodies[-1]["messages"]] == [list, str, str, str, str]


def test_choices_are_ranked_by_the_first_token(server: Seeing) -> None:
    """Yes and no are one token each to this model: what it says of them itself."""
    asked = [replace(request, choices=("yes", "no")) for group in pope()[:4] for request in group]
    found = answers(openai.load("tiny", base_url=server.url), [asked])
    expected = answers(tinyllava.load(None, threads=1), [asked])
    for name, response in found.items():
        assert [score.choice for score in response.choices] == ["yes", "no"] and not response.text
        for one, other in zip(response.choices, expected[name].choices, strict=True):
            assert (one.tokens, other.tokens) == (1, 1) and one.logprob == pytest.approx(other.logprob, abs=1e-3)


def test_a_server_without_log_probabilities() -> None:
    """Each such question fails with the reason; saying so beforehand refuses the protocol."""
    asked = about(square((0, 0, 9)), "Is it blue?", choices=("yes", "no"))
    with Seeing(offers_logprobs=False) as server:
        response = answers(openai.load("tiny", base_url=server.url), [[asked]])["a"]
    assert response.finish == "error" and "tells no log-probabilities" in response.error
    assert not openai.load("tiny", base_url=server.url, top_logprobs=0).supports_logprobs


def test_what_cannot_be_asked_is_an_error_of_its_own(server: Seeing) -> None:
    good = about(square((0, 9, 0)), "Is it green?", "good")
    bad = Request("bad", "Is it?", (ImageRef("gone.png", partial(gone, "gone.png")),))
    beams = about(square((0, 9, 0)), "Is it?", "beams", generation=Generation(num_beams=3))
    found = answers(openai.load("tiny", base_url=server.url), [[bad], [good, beams]])
    assert found["good"].finish == "stop" and found["bad"].finish == found["beams"].finish == "error"
    assert "not there" in found["bad"].error and "3 beams" in found["beams"].error


def test_faults_never_become_answers(server: Seeing) -> None:
    """Many calls are spoilt in every way there is, and some questions never get through."""
    groups = pope()
    expected = answers(tinyllava.load(None, threads=1), groups)
    with FaultProxy(server, share=0.4, hang=0.1, about=number_of) as proxy:
        proxy.lost = lambda number: number % 7 == 0
        model = openai.load("tiny", base_url=proxy.url, **FAST)  # type: ignore[arg-type]
        found = answers(model, groups)
        assert len(proxy.played) > 5
        failed = {name for name, response in found.items() if response.finish == "error"}
        assert set(found) == set(expected) and 0 < len(failed) < len(found) / 2
        assert all(found[name].text == expected[name].text for name in found if name not in failed)
        assert all("attempts)" in found[name].error for name in failed)
        assert model.facts["failed"] == len(failed)
        delivered = dict(proxy.delivered)
        proxy.lost, proxy.share = (lambda number: False), 0.0
        again = openai.load("tiny", base_url=proxy.url, **FAST)  # type: ignore[arg-type]
        assert {n: r.text for n, r in answers(again, groups).items()} == {n: r.text for n, r in expected.items()}
        assert again.facts["calls"] == len(failed) and again.facts["cached"] == len(found) - len(failed)
        assert all(proxy.delivered[number] == 1 for number in delivered), "an answer was paid for again"


def test_a_reply_without_content_is_no_answer(server: Seeing) -> None:
    with FaultProxy(server, share=1.0, about=number_of, faults=["null"]) as proxy:
        model = openai.load("tiny", base_url=proxy.url, **FAST)  # type: ignore[arg-type]
        response = answers(model, [[about(square((1, 2, 3)), "What?")]])["a"]
    assert response.finish == "error" and response.error == "the server gave no answer: no content"


def test_no_answer_in_time() -> None:
    with Seeing(latency=5.0) as server:
        model = openai.load("tiny", base_url=server.url, timeout=0.2, attempts=2, backoff=0.01)
        response = answers(model, [[about(square((1, 2, 3)), "What?")]])["a"]
    assert response.error == "no answer within 0.2 s (2 attempts)"


def test_a_server_that_was_never_there_ends_the_run() -> None:
    model = openai.load("t", base_url="http://127.0.0.1:9/v1", attempts=2, backoff=0.01, in_flight=8)
    with pytest.raises(ModelError, match=r"Connection refused[^$]*see whether the server runs"):
        answers(model, [[about(square((0, 0, 0)), "What?")]])


def test_a_server_that_goes_away_ends_the_run() -> None:
    """With the hint, however few questions are left; not before all attempts of one question found nobody."""
    with Judging() as server:
        model = openai.load("t", base_url=server.url, attempts=3, backoff=0.01, in_flight=2)
        assert answers(model, [[Request("1", "grade 1")]])["1"].text == "0.1"
    with pytest.raises(ModelError, match="the answers so far are kept") as caught:
        answers(model, [[Request(str(n), f"grade {n}") for n in range(4)]])
    assert "no server: connection: ConnectError" in str(caught.value) and 3 <= int(model.facts["calls"]) <= 7


def test_a_server_that_answers_nothing_ends_the_run() -> None:
    fault = json.dumps({"error": {"message": "CUDA out of memory"}}).encode()
    with Judging(status=lambda prompt: (500, {}, fault)) as server:
        model = openai.load("t", base_url=server.url, attempts=2, backoff=0.01, in_flight=8)
        groups = [[about(square((0, 0, 0)), f"{n}?", str(n)) for n in range(100)]]
        with pytest.raises(ModelError, match="25 questions in a row without an answer; the last: HTTP 500: CUDA"):
            answers(model, groups)
    assert int(model.facts["calls"]) <= 2 * (openai.GIVE_UP_AFTER + 8)


def test_calls_that_are_given_up_leave_nothing_behind() -> None:
    """A connection that was begun and not started would be a coroutine that nobody awaited: a warning, so an error."""
    groups = [[about(square((0, 0, 0)), f"{n}?", str(n)) for n in range(60)]]
    with Judging() as server:
        models = [openai.load("t", base_url=server.url, attempts=2, backoff=0.0001, in_flight=16) for _ in range(10)]
        assert len({model.fingerprint for model in models}) == 1
    for model in models:
        with pytest.raises(ModelError, match="the answers so far are kept"):
            answers(model, groups)
        gc.collect()


def test_the_budget_is_kept(server: Seeing) -> None:
    """The rest fails without a call; a larger budget goes on from there."""
    groups = pope()
    prices = {"base_url": server.url, "price_in": 1e4, "price_out": 1e4, "in_flight": 4}
    model = openai.load("dear", budget=20.0, **prices)  # type: ignore[arg-type]
    found = answers(model, groups)
    bought = sum(response.finish != "error" for response in found.values())
    assert float(model.facts["usd"]) <= 20.0 and 2 < bought < len(found)
    assert {r.error for r in found.values() if r.error} == {"the budget is spent: a larger one resumes from here"}
    more = openai.load("dear", budget=1000.0, **prices)  # type: ignore[arg-type]
    answers(more, groups)
    assert more.facts["cached"] == bought and more.facts["calls"] == len(found) - bought
    with pytest.raises(UsageError, match="price_in="):
        openai.load("unheard-of", base_url=server.url, budget=1.0)


def test_what_is_sent(server: Seeing) -> None:
    """Stops and lengths always, `detail` and sampling where they are set."""
    asked = about(square((5, 5, 5)), "Say something.", generation=Generation(7, ("###",)))
    answers(openai.load("tiny", base_url=server.url, detail="low", cache=False), [[asked]])
    body = server.bodies[-1]
    assert (body["max_tokens"], body["stop"], body["temperature"]) == (7, ["###"], 0.0) and "top_p" not in body
    assert body["messages"][0]["content"][0]["image_url"]["detail"] == "low"
    form = openai.RequestFormat(length="max_completion_tokens", temperature=False)
    assert set(form.body(asked, ["data:"])) == {"messages", "stop", "max_completion_tokens"}


def test_drawn_answers_are_drawn_for_each_sample(server: Seeing) -> None:
    drawn = Generation(4, temperature=0.7, top_p=0.9)
    asked = [about(square((7, 7, 7)), "Say.", name, generation=drawn) for name in ("a", "b", "a")]
    model = openai.load("tiny", base_url=server.url, in_flight=1)
    assert len(list(model.answer([asked]))) == 3
    assert (model.facts["calls"], model.facts["cached"]) == (2, 1)


def test_a_sampled_answer_sends_its_seed(server: Seeing) -> None:
    """One for each question, draw and seed of the run; a greedy request is what it was."""
    sampled = about(square((7, 7, 8)), "Say.", generation=Generation(4, temperature=0.7))
    form = openai.RequestFormat()
    others = [sampled, replace(sampled, draw=1), replace(sampled, run_seed=1), replace(sampled, sample_id="other")]
    seeds = [form.body(request, ["data:"])["seed"] for request in others]
    assert len(set(seeds)) == 4 and all(0 <= seed < 2**31 for seed in seeds)
    assert form.body(sampled, ["data:"])["seed"] == seeds[0]
    greedy = form.body(replace(sampled, generation=Generation(4), draw=1, run_seed=1), ["data:"])
    assert "seed" not in greedy and greedy == form.body(replace(sampled, generation=Generation(4)), ["data:"])


def test_equal_questions_under_way_share_a_reply() -> None:
    """Of two tasks, say: the run knows them as two."""
    with Seeing(latency=0.2) as server:
        model = openai.load("tiny", base_url=server.url)
        found = answers(model, [[about(square((9, 9, 0)), "What?", name) for name in ("a", "b", "c")]])
    assert found["a"] == found["b"] == found["c"] and found["a"].text
    assert (model.facts["calls"], model.facts["cached"]) == (1, 2)


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("", {}, "which model of the server"),
        ("m", {"detail": "best"}, "no detail 'best'"),
        ("m", {"length_field": "n"}, "no length_field 'n'"),
        ("m", {"top_logprobs": 50}, "out of range"),
        ("m", {"base_url": "http://me:secret@host/v1"}, "must hold no key"),
        ("m", {"in_flight": 0}, "in_flight must be above 0"),
        ("m", {"base_url": "http://host/v1#secret"}, "must hold no key"),
        ("m", {"base_url": "http://host/v1#"}, "must hold no key"),
        ("m", {"base_url": "http://host:port/v1"}, "is no address"),
        ("m", {"key_env": "sk-secret"}, "names no environment variable"),
        ("m", {"key_env": "AIzasecret"}, "names no environment variable"),
        ("m", {"budget": float("nan")}, "budget must be"),
        ("m", {"budget": -1.0}, "budget must be"),
        ("m", {"budget": float("inf")}, "budget must be"),
        ("m", {"price_in": float("nan")}, "price_in must be a finite number"),
        ("m", {"price_out": -5.0}, "price_out must not be negative"),
        ("m", {"rpm": float("inf")}, "rpm must be a finite number"),
        ("m", {"backoff": -1.0}, "backoff must not be negative"),
        ("m", {"tpm": -1.0}, "tpm must not be negative"),
        ("m", {"deadline": float("nan")}, "deadline must be a finite number"),
        ("m", {"cache": "maybe"}, "no cache 'maybe'"),
        ("m", {"base_url": "http://127.0.0.1:1/v1", "key_env": "NO_SUCH"}, "NO_SUCH is not set"),
    ],
)
def test_words_that_name_no_model(name: str, options: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        openai.load(name, **{"base_url": "http://127.0.0.1:1/v1", **options})  # type: ignore[arg-type]
    assert told in str(caught.value) and "secret" not in str(caught.value)


def test_no_key_goes_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI's key goes to OpenAI only."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-precious")
    with Judging() as server:
        list(openai.load("t", base_url=server.url).answer([[Request("1", "grade 1")]]))
    assert server.keys == {"Bearer none"}
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UsageError, match="OPENAI_API_KEY is not set"):
        openai.load("gpt-4o-mini")
