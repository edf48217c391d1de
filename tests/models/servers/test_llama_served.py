"""The openai adapter against a real llama.cpp server with tiny LLaVAs: killed, resumed, too long, ranked, exchanged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from tests.support.llama_server import CONTEXT, MODEL, Serving, make_model, serving
from tests.support.toys import png_of
from vlmbench.base.errors import ModelError
from vlmbench.base.process import exit_codes
from vlmbench.base.samples import Generation, ImageRef, Request, Response
from vlmbench.cli import main as cli
from vlmbench.models.servers import openai
from vlmbench.runs.storage.reload import load

pytestmark = pytest.mark.slow

QUESTIONS = ("Is it red?", "Is it blue?", "Is it round, or not?")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two models of the same shapes."""
    pytest.importorskip("gguf")
    place = tmp_path_factory.mktemp("llama")
    return [make_model(place / name, seed) for seed, name in enumerate("ab")]


@pytest.fixture(scope="module")
def server(folders: list[Path]) -> Iterator[Serving]:
    with serving(folders[0].parent / "log") as made:
        made.start(folders[0])
        yield made


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))


def requests() -> list[list[Request]]:
    """Three questions about each of three pictures."""
    pictures = [Image.new("RGB", (28, 28), (200 - 90 * n, 20 + 90 * n, 60)) for n in range(3)]
    named = [ImageRef(str(n), partial(bytes, png_of(picture))) for n, picture in enumerate(pictures)]
    how = Generation(5, ("h",))
    return [[Request(f"{p.name} {q}", q, (p,), generation=how) for q in QUESTIONS] for p in named]


def answers(model: openai.OpenAIChat, groups: list[list[Request]]) -> dict[str, Response]:
    return {request.sample_id: response for request, response in model.answer(groups)}


def test_it_sees_and_its_answers_are_kept(server: Serving) -> None:
    """Answers differ by picture, are trimmed and cut at stop texts; a second time nothing is asked."""
    model = openai.load("any-name", base_url=server.url)
    found = answers(model, requests())
    assert len({response.text for response in found.values()}) > 2 and model.facts["replies"] == 9
    for response in found.values():
        assert response.text == response.text.strip() and "h" not in response.text and not response.error
        assert 0 < response.new_tokens <= 5 and response.prompt_tokens > 4
    again = openai.load("any-name", base_url=server.url)
    assert answers(again, requests()) == found and again.facts["calls"] == 0


def test_choices_are_ranked(server: Serving) -> None:
    """By the server's log-probabilities: of two opposites the likelier is the one it says."""
    groups = [[replace(one, choices=("yes", "no")) for one in group] for group in requests()]
    spoken = [[replace(one, generation=Generation(1)) for one in group] for group in requests()]
    ranked, said = (answers(openai.load("m", base_url=server.url), each) for each in (groups, spoken))
    compared = 0
    for name, response in ranked.items():
        assert not response.error and [score.choice for score in response.choices] == ["yes", "no"]
        if said[name].text in ("yes", "no"):
            best = max(response.choices, key=lambda score: score.logprob)
            assert best.choice == said[name].text and best.logprob <= 0
            compared += 1
    assert compared > 2


def test_a_question_that_is_too_long_fails_alone(server: Serving) -> None:
    """With the server's words, after one call."""
    long = Request("long", "word " * CONTEXT)
    model = openai.load("m", base_url=server.url, cache=False)
    found = answers(model, [[long, requests()[0][0]]])
    assert "context" in found["long"].error and "(1 attempt)" in found["long"].error
    assert found["0 Is it red?"].finish != "error" and model.facts["calls"] == 2


def test_two_models_under_one_name(server: Serving, folders: list[Path]) -> None:
    """Same name, port and shapes, and even the same path: the files tell them apart, and no reply is mixed up."""
    first = openai.load("m", base_url=server.url)
    ours = answers(first, requests())
    place = folders[0].parent / "exchanged"
    place.mkdir(exist_ok=True)
    marks, texts = [], []
    for folder in folders:
        for file in folder.iterdir():
            (place / file.name).write_bytes(file.read_bytes())
        server.start(place)
        model = openai.load("m", base_url=server.url)
        texts.append({name: response.text for name, response in answers(model, requests()).items()})
        assert model.facts["cached"] == 0
        marks.append(model.fingerprint)
    server.start(folders[0])
    back = openai.load("m", base_url=server.url)
    assert answers(back, requests()) == ours and back.facts["calls"] == 0 and back.fingerprint == first.fingerprint
    assert len({first.fingerprint, *marks}) == 3
    assert texts[0] == {name: response.text for name, response in ours.items()} and texts[1] != texts[0]
    assert (folders[1] / MODEL).stat().st_size == (folders[0] / MODEL).stat().st_size


def test_a_run_whose_server_is_killed_goes_on(
    server: Serving, folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command ends with the hint and keeps its answers; again, with the server back, it asks the rest alone."""
    model = f"openai:m,base_url={server.url},in_flight=2,backoff=0.01,attempts=3"
    words = ["run", "--model", model, "--tasks", "pope", "--limit", "60", "--output", str(tmp_path / "run")]
    asked = openai.OpenAIChat.answer

    def killed(self: openai.OpenAIChat, groups: object) -> Iterator[tuple[Request, Response]]:
        for count, item in enumerate(asked(self, groups)):  # type: ignore[arg-type]
            yield item
            if count == 7:
                server.stop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openai.OpenAIChat, "answer", killed)
        assert cli.main(words) == exit_codes.USER_MUST_CHANGE
    told = capsys.readouterr().err
    assert "no server: connection" in told and "the answers so far are kept" in told
    with pytest.raises(ModelError, match="see whether the server runs"):
        _ = openai.load("m", base_url=server.url).fingerprint
    server.start(folders[0])
    assert cli.main(words) == exit_codes.OK
    assert "answers were taken from the run so far" in capsys.readouterr().out
    calm = [*words[:-1], str(tmp_path / "calm")]
    calm[2] += ",cache=false"
    assert cli.main(calm) == exit_codes.OK
    assert said_in(tmp_path / "run") == said_in(tmp_path / "calm")


def said_in(folder: Path) -> dict[str, str]:
    """The answers of a run by sample."""
    return {item.sample.id: item.text for task in load(folder).tasks.values() for item in task.items}
