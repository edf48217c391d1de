"""What goes wrong becomes a response that says so, and nothing else is lost. And `--recheck-ties`, which asks again."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.models.engine.test_engine import ask, both, check_equal, questions
from tests.models.engine.toy import END, noise, toy
from vlmbench.base.errors import ImageError, ModelError, UnknownNameError, UsageError
from vlmbench.base.samples import Generation, ImageRef, Request
from vlmbench.models.engine.engine import Engine
from vlmbench.models.engine.shared_prefix import SharedPrefix
from vlmbench.models.engine.simple import OneByOne


def absent() -> bytes:
    raise ImageError("the image is absent", where="gone.jpg", hint="fetch it")


def burst() -> bytes:
    raise OSError("the disk is on fire")


BAD = {
    "broken": (ImageRef("broken.png", partial(bytes, b"\x89PNG\r\n\x1a\nxx")), "broken.png"),
    "absent": (ImageRef("gone.jpg", absent), "the image is absent"),
    "burst": (ImageRef("burst.jpg", burst), "the disk is on fire"),
}


def test_a_bad_picture_costs_its_own_questions_only() -> None:
    group = questions(1, 6)[0]
    plain = ask(toy(), [group])
    bad = [Request(name, "what is it?", (picture,)) for name, (picture, _) in BAD.items()]
    two = Request("two", "which one?", (noise(1), noise(2)))
    for kind in ("shared", "simple"):
        system = toy()
        system.max_images = 1
        said = ask(system, [[bad[0], *group[:3], two, *bad[1:], *group[3:]]], kind=kind)
        for name, (_, reason) in BAD.items():
            assert said.responses[name].finish == "error"
            assert reason in said.responses[name].error
        assert "takes at most 1 image per question, not 2" in said.responses["two"].error
        assert {name: said.texts[name] for name in plain.texts} == plain.texts


def test_real_photographs_go_through_or_say_why(shared: Path) -> None:
    paths = sorted((shared / "real" / "photos").glob("pillow_*"))
    groups = [[Request(path.name, "what?", (ImageRef(path.name, path.read_bytes),))] for path in paths]
    said = ask(toy(), groups)
    assert len(said.responses) == len(paths)
    for name, response in said.responses.items():
        assert (response.finish == "error") == bool(response.error)
        assert not response.error or name in response.error


def test_an_exception_costs_its_group_only(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = questions(3, 4)
    plain = ask(toy(), groups)
    real = SharedPrefix.buckets

    def fail(self: SharedPrefix, jobs: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise ValueError("something broke\nin two lines")
        return real(self, jobs)

    calls: list[int] = []
    monkeypatch.setattr(SharedPrefix, "buckets", fail)
    engine = Engine(toy())
    said = {request.sample_id: response for request, response in engine.answer(groups)}
    failed = {name for name, response in said.items() if response.finish == "error"}
    assert failed == {request.sample_id for request in groups[1]}
    assert {said[name].error for name in failed} == {"ValueError: something broke"}
    assert all(said[name].text == plain.texts[name] for name in set(said) - failed)
    assert engine.facts["engine_failed"] == 4


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.OutOfMemoryError("CUDA"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
)
def test_out_of_memory_halves_the_pack(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = questions(2, 8)
    plain = ask(toy(), groups)
    real, fits = SharedPrefix.run, [128]

    def scarce(self: SharedPrefix, row: Tensor, *args: Any, **settings: Any) -> Any:
        if len(row) > fits[0]:
            raise error
        return real(self, row, *args, **settings)

    monkeypatch.setattr(SharedPrefix, "run", scarce)
    engine = Engine(toy(), pack_tokens=512)
    assert {request.sample_id: response.text for request, response in engine.answer(groups)} == plain.texts
    assert engine.facts["engine_memory_retries"] == 4
    fits[0] = 0
    said = ask(toy(), groups)
    assert {response.finish for response in said.responses.values()} == {"error"}


def test_interrupts_pass_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(SharedPrefix, "buckets", interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(Engine(toy()).answer(questions(1, 2)))


def test_groups_are_drawn_a_few_ahead_only() -> None:
    drawn: list[int] = []

    def source() -> Iterator[list[Request]]:
        for number, group in enumerate(questions(10, 2, tokens=1)):
            drawn.append(number)
            yield group

    answers = Engine(toy()).answer(source())
    next(answers)
    assert 1 <= len(drawn) <= 5


def test_duplicates_are_asked_once_and_files_read_once() -> None:
    reads: list[str] = []

    def read(name: str) -> bytes:
        reads.append(name)
        data: bytes = noise(5).load()
        return data

    asked = Generation(max_new_tokens=4)
    same = [Request(f"s{i}", "is it a cat?", (ImageRef("x.png", partial(read, "x")),), (), asked) for i in range(3)]
    longer = Request("longer", "is it a cat?", same[0].images, (), Generation(max_new_tokens=9))
    engine = Engine(toy())
    said = {request.sample_id: response for request, response in engine.answer([[*same, longer]])}
    assert engine.facts["engine_merged"] == 2
    assert len({said[f"s{i}"].text for i in range(3)}) == 1
    assert said["longer"].text.startswith(said["s0"].text)
    assert reads == ["x"]
    both(toy(), [[*same, longer]])


def test_exact_asks_fragile_answers_again() -> None:
    groups = questions(4, 12)
    simple = ask(toy(), groups, kind="simple")
    margins = sorted(response.margin or 0.0 for response in simple.responses.values())
    cut = margins[5]
    engine = Engine(toy(), exact=True, fragile=cut)
    said = {request.sample_id: response for request, response in engine.answer(groups)}
    assert {name: response.text for name, response in said.items()} == simple.texts
    again = sum(response.rerun for response in said.values())
    assert 3 <= again <= 7
    assert engine.facts["engine_rerun"] == again
    assert engine.facts["engine_changed"] == 0
    assert not any(response.rerun for response in ask(toy(), groups, exact=True, fragile=0.0).responses.values())


def test_exact_mends_what_the_packed_path_got_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.models.engine.test_engine import late_prefill
    from vlmbench.models.engine import packing

    groups = questions(2, 12)
    simple = ask(toy(), groups, kind="simple")
    monkeypatch.setattr(packing, "restart", late_prefill)
    engine = Engine(toy(), exact=True)
    said = {request.sample_id: response.text for request, response in engine.answer(groups)}
    assert said == simple.texts, "the self-check saw that the packed path is far off and asked everything again"
    assert int(engine.facts["engine_changed"]) > 0


def test_exact_measures_its_margin() -> None:
    engine = Engine(toy(), exact=True)
    list(engine.answer(questions(1, 2)))
    difference = engine.facts["engine_self_check_difference"]
    assert isinstance(difference, float)
    assert 0 < difference < 1e-4
    assert engine.facts["engine_fragile_margin"] == max(1e-4, 4 * difference)
    assert engine.settings == {"engine": "shared", "dtype": "float32", "exact": True, "device": engine.device.type}


def test_bfloat16_with_exact_equals_one_by_one() -> None:
    groups = questions(3, 10)
    try:
        simple = ask(toy(), groups, kind="simple", dtype="bfloat16")
        engine = Engine(toy(), dtype="bfloat16", exact=True)
        said = {request.sample_id: response for request, response in engine.answer(groups)}
        assert all(response.finish != "error" for response in said.values())
        changed = sum(said[name].text != text for name, text in simple.texts.items())
        assert changed <= 1
        assert any(response.rerun for response in said.values())
    finally:
        from tests.models.engine.toy import network

        network.cache_clear()


def test_sampling_is_seeded_and_beams_run() -> None:
    image = noise(1)
    warm, beams = Generation(8, (), 1.5, 0.9), Generation(8, (), 0.0, 1.0, 3)
    group = [Request(f"{i}", f"{'abcdef'[i // 4]}?", (image,), (), warm if i % 2 else beams) for i in range(8)]
    one, other = ask(toy(), [group]), ask(toy(), [group[::-1]], kind="simple")
    assert one.texts == other.texts
    assert all(response.finish in ("stop", "length") for response in one.responses.values())
    assert all(response.margin is None for response in one.responses.values())
    assert one.texts["1"] != one.texts["3"], "the same question, sampled twice"
    assert one.texts["0"] == one.texts["2"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"kind": "sharde"}, UnknownNameError),
        ({"dtype": "fp32"}, UnknownNameError),
        ({"pack_tokens": 0}, UsageError),
        ({"device": "nowhere"}, ModelError),
        ({"device": "meta:x"}, ModelError),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Engine(toy(), **options)


def test_networks_that_cannot_share_are_refused() -> None:
    from tests.models.engine.toy import network

    system = toy()
    config = system.network.language_model.config
    try:
        config.layer_types = ["sliding_attention", "full_attention"]
        with pytest.raises(ModelError, match="sliding_attention") as caught:
            Engine(system)
        assert "--engine simple" in str(caught.value)
        Engine(system, kind="simple")
    finally:
        network.cache_clear()


def test_the_toys_end_tokens_are_never_letters() -> None:
    assert toy().decode(sorted(END)) == ""


def test_one_pixel_goes_through() -> None:
    out = io.BytesIO()
    Image.new("L", (1, 1)).save(out, "PNG")
    picture = ImageRef("one.png", partial(bytes, out.getvalue()))
    both(toy(), [[Request("0", "what?", (picture,), (), Generation(3)), Request("1", "why?", (picture,))]])


def test_packed_and_alone_agree_on_the_engines_own_jobs() -> None:
    """The two engines below the facade, without grouping."""
    system = toy("llama")
    engine = Engine(system)
    jobs = [engine._job(request) for request in questions(1, 5)[0]]
    features = list(system.network.image_features(torch.randn(1, 3, 28, 28)))
    packed = SharedPrefix(system).answer(features, jobs, 512)
    assert [o.text for o in packed] == [OneByOne(system).answer(features, job).text for job in jobs]
    check_equal(ask(system, questions(1, 5)), ask(system, questions(1, 5), kind="simple"))
