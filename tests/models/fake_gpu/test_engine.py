"""The own engine on a GPU that is not there: every path runs, devices and number types fit, the host seldom waits."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.models.engine.toy import noise, toy
from tests.models.fake_gpu.answers import texts
from tests.models.fake_gpu.device import GPU, FakeGpu, fake_gpu
from vlmbench.base.samples import Generation, Request
from vlmbench.models.engine import engine, shared_prefix
from vlmbench.models.engine.engine import Engine
from vlmbench.models.engine.together import Together
from vlmbench.models.parts import host

pytestmark = pytest.mark.slow
Groups = list[list[Request]]
TOKENS = 4
CPU, GENERATOR = torch.device("cpu"), torch.Generator
WORDS = ("a", "red", "tall")


def questions(images: int, each: int, **more: Any) -> Groups:
    """Questions of different lengths about different images."""
    generation = more.pop("generation", Generation(TOKENS))
    return [
        [
            Request(f"{number}-{at}", f"is it {word}?", (noise(number),), generation=generation, **more)
            for at, word in enumerate(WORDS[:each])
        ]
        for number in range(images)
    ]


def two_images(groups: Groups) -> Groups:
    """Each question with a second image."""
    return [[replace(request, images=(*request.images, noise(9))) for request in group] for group in groups]


def generated(**more: Any) -> Groups:
    """Two questions about each of two images, with these settings of generation."""
    return questions(2, 2, generation=Generation(TOKENS, **more))


@dataclass(frozen=True)
class Path:
    """A way through the engine."""

    groups: Callable[[], Groups]
    options: Any = None
    kind: str = "phi"
    attention: str = "sdpa"
    same: bool = True
    """Whether answers are those of a CPU: in half the numbers a GPU's order of operations rounds otherwise."""


CHOICES = ("yes", "no", "maybe so")
PATHS: dict[str, Path] = {
    "behind a shared prefix": Path(lambda: questions(1, 3)),
    "several images' answers together": Path(lambda: questions(4, 2)),
    "one question an image, together": Path(lambda: questions(4, 1), kind="llama"),
    "in small packs": Path(lambda: questions(2, 3), {"pack_tokens": 20}),
    "one by one": Path(lambda: questions(2, 2), {"kind": "simple"}),
    "ranked choices": Path(lambda: questions(2, 2, choices=CHOICES)),
    "ranked choices, one by one": Path(lambda: questions(1, 2, choices=CHOICES), {"kind": "simple"}),
    "several images": Path(lambda: two_images(questions(2, 2))),
    "no images": Path(lambda: [[replace(request, images=()) for request in questions(1, 3)[0]]]),
    "a thought before the answer": Path(lambda: generated(max_reasoning_tokens=4)),
    "drawn answers": Path(lambda: generated(temperature=0.7, top_p=0.9)),
    "answers of a least length": Path(lambda: generated(min_new_tokens=4)),
    "attention by plain products": Path(lambda: questions(2, 2), attention="eager"),
    "checked one by one": Path(lambda: questions(1, 2), {"exact": True, "fragile": 0.5}),
    "bfloat16": Path(lambda: questions(2, 2), {"dtype": "bfloat16"}, same=False),
    "float16": Path(lambda: questions(2, 2), {"dtype": "float16"}, same=False),
    "bfloat16, plain products": Path(
        lambda: questions(1, 2), {"dtype": "bfloat16"}, attention="eager", kind="llama", same=False
    ),
    "bfloat16, one by one": Path(lambda: questions(1, 2), {"dtype": "bfloat16", "kind": "simple"}, same=False),
    "int8": Path(lambda: questions(2, 2), {"quantize": "int8"}),
    "int8 and bfloat16": Path(lambda: questions(1, 2), {"quantize": "int8", "dtype": "bfloat16"}, same=False),
}


@pytest.fixture(autouse=True)
def no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """What asks CUDA itself, which is not there: for a device by its name, and for a generator of random numbers."""
    monkeypatch.setattr(engine, "resolve_device", torch.device)
    monkeypatch.setattr(torch, "Generator", lambda device: GENERATOR())


def opened(path: Path, device: torch.device) -> Engine:
    """An engine over a network of its own."""
    system = toy(path.kind, attention=path.attention)
    system.network = copy.deepcopy(system.network)
    return Engine(system, device=str(device), **{"batch": 8, "cache_memory": 10**7, **(path.options or {})})


@pytest.mark.parametrize("name", PATHS)
def test_every_path_runs_on_a_gpu(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the host waits at most once between two forwards of the language model: for the tokens of a step."""
    path = PATHS[name]
    monkeypatch.setattr(Together, "_tried", Together._joined)
    with fake_gpu() as gpu:
        model = opened(path, GPU)
        del gpu.waits[:]
        at = forwards(model, gpu)
        there = texts(model.answer(path.groups()))
    assert there == texts(opened(path, CPU).answer(path.groups())) or not path.same
    assert len(at) >= 2
    assert all(later - earlier <= 1 for earlier, later in pairwise([0, *at, len(gpu.waits)])), gpu.waits
    assert len(gpu.waits) >= (0 if path.groups()[0][0].choices == CHOICES else TOKENS - 1)


def forwards(model: Engine, gpu: FakeGpu) -> list[int]:
    """For each forward of the language model, how often the host had waited before: grows while questions are asked."""
    at: list[int] = []
    model.system.network.language_model.register_forward_pre_hook(lambda *_: at.append(len(gpu.waits)))
    return at


def host_mask(visible: Tensor, *_: Any) -> Tensor:
    return visible[:, None]


def stays(tensor: Tensor, device: torch.device) -> Tensor:
    return tensor


def waiting(tensor: Tensor, device: torch.device) -> Tensor:
    return tensor.to(device)


def column_by_column(*columns: Tensor) -> list[list[Any]]:
    return [column.cpu().tolist() for column in columns]


MUTANTS: dict[str, tuple[Any, str, Callable[..., Any], str]] = {
    "a mask on the host": (shared_prefix, "attention_mask", host_mask, "behind a shared prefix"),
    "tokens, positions and indices on the host": (host, "send", stays, "behind a shared prefix"),
    "tokens sent while the host waits": (host, "send", waiting, "behind a shared prefix"),
    "tokens, leads and logits read one after the other": (host, "read", column_by_column, "behind a shared prefix"),
    "the same, one by one": (host, "read", column_by_column, "one by one"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_fail(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    *change, name = MUTANTS[mutant]
    monkeypatch.setattr(*change)
    with pytest.raises(AssertionError):
        test_every_path_runs_on_a_gpu(name, monkeypatch)


@pytest.mark.parametrize("name", ["bfloat16", "bfloat16, one by one"])
def test_a_table_of_another_number_type_fails(name: str) -> None:
    """float32 embeddings beside weights of bfloat16."""
    with fake_gpu():
        model = opened(PATHS[name], GPU)
        model.system.network.language_model.get_input_embeddings().float()
        with pytest.raises(AssertionError, match="dtype"):
            texts(model.answer(PATHS[name].groups()))


def test_a_layer_left_on_the_host_fails() -> None:
    with fake_gpu():
        model = opened(PATHS["behind a shared prefix"], GPU)
        layer = model.system.network.language_model.model.layers[-1].mlp
        layer.load_state_dict({name: weight.cpu() for name, weight in layer.state_dict().items()}, assign=True)
        with pytest.raises(AssertionError, match="device"):
            texts(model.answer(PATHS["behind a shared prefix"].groups()))
