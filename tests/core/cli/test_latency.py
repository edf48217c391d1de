"""vlmbench latency: what is varied, and how times of answers become times of tokens, by a clock that stands still."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from vlmbench.base import registry
from vlmbench.base.errors import ModelError, UsageError
from vlmbench.base.samples import Request, Response
from vlmbench.cli.main import main
from vlmbench.data.images import decoding
from vlmbench.runs import latency
from vlmbench.runs.latency import Setting


class Clock:
    """A process that takes time only where it is told so."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.now / 2


class Timed:
    """Takes 3 s for an image, 1 s for its features, 0.5 s for each word, 0.25 s for each token but the first."""

    name, fingerprint, settings, facts = "timed", "t", {"a": 1}, {"device": "none"}
    broken = False

    def __init__(self, clock: Clock) -> None:
        self.clock, self.seen = clock, list[Request]()
        self.parts = dict.fromkeys(latency.PARTS, 0.0)
        self.calls = 0

    def _take(self, part: str, seconds: float) -> None:
        self.clock.now += seconds
        if part:
            self.parts[part] += seconds

    def read(self) -> dict[str, float]:
        found, self.parts = self.parts, dict.fromkeys(latency.PARTS, 0.0)
        return found

    @contextmanager
    def part_times(self) -> Iterator[Timed]:
        yield self

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        for (request,) in groups:
            self.seen.append(request)
            self.calls += 1
            words = len(request.prompt.split())
            self._take("vision_tower", 3.0)
            self._take("connector", 1.0)
            self._take("language_model", 0.5 * words)
            self._take("", 2.0)
            tokens = request.generation.max_new_tokens
            self._take("language_model", 0.25 * (tokens - 1))
            self._take("", 0.75 * (tokens - 1))
            finish = "error" if self.broken else "length"
            yield request, Response("x", finish=finish, error="too hot" if self.broken else "", prompt_tokens=words + 9)


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> Timed:
    clock = Clock()
    monkeypatch.setattr(latency, "time", clock)
    model = Timed(clock)
    monkeypatch.setitem(registry.models._extra, "timed", lambda checkpoint=None: model)
    return model


def test_times_by_part_and_token(timed: Timed) -> None:
    found = latency.measure(timed, Setting(words=4, pixels=40, answers=2), tokens=8, repeats=3)
    assert found.first == 2 * (3 + 1 + 0.5 * 4 + 2) == 16
    assert found.first_range == (16, 16)
    assert found.cpu == 8
    assert found.parts == {"vision_tower": 6, "connector": 2, "language_model": 4, "rest": 4}
    assert found.per_token == pytest.approx(2 * 1.0)
    assert found.decoding == pytest.approx(0.25)
    assert found.prompt_tokens == 13


def test_images_are_new_and_of_the_asked_size(timed: Timed) -> None:
    latency.measure(timed, Setting(words=1, pixels=40, answers=2), tokens=2, repeats=2)
    latency.measure(timed, Setting(words=1, pixels=40), tokens=2, repeats=1, first_image=12)
    files = [request.images[0].load() for request in timed.seen]
    assert len(files) == 2 * 3 * 2 + 2 * 2 == len(set(files))
    assert {decoding.decode(data, "x").size for data in files} == {(40, 40)}


def test_answers_have_the_asked_length(timed: Timed) -> None:
    latency.measure(timed, Setting(words=1, pixels=8), tokens=5, repeats=1)
    lengths = [(one.generation.min_new_tokens, one.generation.max_new_tokens) for one in timed.seen]
    assert lengths == [(1, 1), (6, 6)] * 2


def test_a_model_without_parts_has_times_alone(timed: Timed) -> None:
    class Plain:
        name, fingerprint, settings, facts = "plain", "p", dict[str, int](), dict[str, int]()

        def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
            return timed.answer(groups)

    found = latency.measure(Plain(), Setting(words=4, pixels=8), tokens=8, repeats=1)
    assert (found.first, found.per_token) == (8, 1.0)
    assert found.parts == {} and found.decoding is None


def test_a_failed_answer_is_told(timed: Timed) -> None:
    timed.broken = True
    with pytest.raises(ModelError, match="too hot"):
        latency.measure(timed, Setting(words=1, pixels=8), tokens=1, repeats=1)


def test_one_thing_is_varied_at_a_time() -> None:
    found = latency.settings((8, 32), (336,), (1, 4))
    assert found == [Setting(words=8), Setting(words=32), Setting(answers=4)]
    for wrong in ((0,), (-1,), (5000,)):
        with pytest.raises(UsageError, match="words cannot be measured"):
            latency.settings(wrong, (), ())


def test_the_verb_prints_a_table_and_json(timed: Timed, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["latency", "timed", "--words", "4", "--pixels", "8", "--answers", "1", "--tokens", "4", "--repeats", "1"]
    assert main(command) == 0
    table = capsys.readouterr().out.splitlines()
    # 4 words: 8 s to the first token, of which tower 3, connector 1, language model 2, rest 2; then 1 s for each.
    assert table[2].split()[:4] == ["4", "336", "1", "13"]
    assert table[2].split()[4:] == ["8000.0", "8000.0-8000.0", "38", "12", "25", "25", "4000.0", "1000.00", "25"]
    assert main([*command, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["fingerprint"] == "t" and len(report["latency"]) == 3
    assert report["latency"][0]["parts"]["rest"] == 2


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (["--words", "a"], "no list of numbers"),
        (["--tokens", "0"], "out of range"),
        (["--repeats", "0"], "out of range"),
        (["--answers", "0"], "cannot be measured"),
    ],
)
def test_numbers_out_of_range(option: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["latency", "echo", *option]) == 2
    assert says in capsys.readouterr().err


def test_times_go_beside_a_run_of_the_same_weights(
    timed: Timed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["run", "--model", "timed", "--tasks", "pope", "--limit", "2", "--output", str(tmp_path / "run")]
    assert main(run) in (0, 1)
    command = ["latency", "timed", "--words", "4", "--pixels", "8", "--answers", "1", "--repeats", "1"]
    assert main([*command, "--output", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    assert main(["report", str(tmp_path / "run"), "--output", str(tmp_path / "site")]) == 0
    (page,) = (tmp_path / "site" / "data").glob("run-*.js")
    assert '"per_token":1.0' in page.read_text("utf-8")
    timed.fingerprint = "other"
    assert main([*command, "--output", str(tmp_path / "run")]) == 2
    assert "of other weights" in capsys.readouterr().err
    timed.fingerprint = "t"
    shutil.copytree(tmp_path / "run", tmp_path / "damaged")
    (tmp_path / "damaged" / "latency.json").write_text('{"latency": [{}]}')
    assert main(["report", str(tmp_path / "damaged"), "--output", str(tmp_path / "site")]) == 2
    assert "measure again" in capsys.readouterr().err
