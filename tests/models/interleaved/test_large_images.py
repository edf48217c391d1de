"""Images of 2,500 pixels a side: how many wait, decoded or prepared, at once. Counts pixels, not bytes or time."""

from __future__ import annotations

import functools
import io
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.models.huggingface import tiny_hf
from tests.models.huggingface.tiny_families import FAMILIES
from tests.support import vllm_stand_in
from tests.support.judge_server import Judging
from vlmbench.base.samples import Generation, ImageRef, Request, Response
from vlmbench.data.images import decoding
from vlmbench.models.huggingface.batching import PIXELS
from vlmbench.models.huggingface.engine import AHEAD, HfEngine
from vlmbench.models.huggingface.plain import Question
from vlmbench.models.huggingface.system import HfSystem
from vlmbench.models.servers import openai, vllm

pytestmark = pytest.mark.slow

EDGE = 2500
LARGE = EDGE * EDGE
ASKED = 14
"""Questions, each about an image of its own."""


@functools.cache
def encoded() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (EDGE, EDGE), (200, 90, 30)).save(out, "PNG", compress_level=1)
    return out.getvalue()


def large(number: int) -> ImageRef:
    """A file of its own: what stands behind the picture's end is not read."""
    return ImageRef(f"large-{number}.png", partial(bytes, encoded() + bytes([number])))


def groups(each: int = 1) -> list[list[Request]]:
    images = [tuple(large(number * each + at) for at in range(each)) for number in range(ASKED // each)]
    return [
        [Request(str(number), "what?", shown, (), Generation(max_new_tokens=1))] for number, shown in enumerate(images)
    ]


class Held:
    """How many pixels exist, and how many did at most."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self._lock = threading.RLock()

    def add(self, pixels: int) -> None:
        with self._lock:
            self.now += pixels
            self.most = max(self.most, self.now)

    def watch(self, thing: Any, pixels: int) -> None:
        self.add(pixels)
        weakref.finalize(thing, self.add, -pixels)

    def decode(self, data: bytes, name: str, real: Any = decoding.decode) -> Image.Image:
        image: Image.Image = real(data, name)
        self.watch(image, image.width * image.height)
        return image


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Held:
    held = Held()
    monkeypatch.setattr(decoding, "decode", held.decode)
    return held


class Waiting(HfEngine):
    """Answers without the network, which has no room for such images here."""

    def _timed(self, questions: Sequence[Question], *, packed: bool = False) -> Iterator[tuple[Request, Response]]:
        yield from [(request, Response("x")) for question in questions for request in question.requests]


@pytest.mark.parametrize("each", [1, 3])
def test_hf_holds_few(decoded: Held, monkeypatch: pytest.MonkeyPatch, each: int) -> None:
    """Tensors: what waits for a batch, what is ahead of it, and one group in each thread; a batch could take 64."""
    model, processor = tiny_hf.build(FAMILIES["qwen2_5_vl"])
    processor.image_processor.size = {"shortest_edge": 28 * 28, "longest_edge": 16 * 2**20}
    system = HfSystem(model, processor)
    tensors, real = Held(), system.question

    def question(request: Request, images: Any) -> Question:
        made = real(request, images)
        tensors.watch(made, made.pixels)
        return made

    monkeypatch.setattr(system, "question", question)
    said = list(Waiting(system, kind="batched", batch="64").answer(groups(each)))
    assert len(said) == ASKED // each and all(not response.error for _, response in said)
    [[first], *_] = groups(each)
    one = system.question(first, [_open(image) for image in first.images])
    assert one.pixels > 2 * each * LARGE * 0.98, "as large as the processor is given them, twice over time"
    assert tensors.most <= PIXELS + AHEAD + 3 * one.pixels
    assert decoded.most <= AHEAD + 3 * each * LARGE


def _open(image: ImageRef) -> Image.Image:
    return Image.open(io.BytesIO(image.load())).convert("RGB")


def test_vllm_is_given_few_at_once(decoded: Held, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Though 256 questions make a batch; each is answered once."""
    script = vllm_stand_in.Script()
    monkeypatch.setitem(sys.modules, "vllm", vllm_stand_in.module(script))
    model = vllm.load(str(tiny_hf.checkpoint("llava", tmp_path)))
    said = list(model.answer(groups()))
    assert sorted(int(request.sample_id) for request, _ in said) == list(range(ASKED))
    assert all(not response.error for _, response in said)
    assert [len(call) for call in script.calls] == [11, 3] and 10 * LARGE < vllm.PIXELS <= 11 * LARGE
    assert decoded.most <= vllm.PIXELS + 3 * LARGE


def test_a_chat_server_gets_few_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the characters of their data URLs; one question alone always goes out."""
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path))
    with Judging(answer=lambda prompt: "yes", latency=0.05) as server:
        for held, most in ((1, 1), (3 * 4 * len(encoded()) // 3, 4)):
            monkeypatch.setattr(openai, "HELD", held)
            model = openai.load("tiny", base_url=server.url, in_flight=8, cache=False)
            opened = Held()
            real = model.format.body

            def body(request: Request, urls: Sequence[str], real: Any = real, opened: Held = opened) -> Any:
                opened.add(1)
                return real(request, urls)

            object.__setattr__(model.format, "body", body)
            for _, response in model.answer(groups()):
                assert response.text == "yes"
                opened.add(-1)
            assert 1 <= opened.most <= most
