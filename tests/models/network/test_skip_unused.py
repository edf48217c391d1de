"""The last layer's MLP is left out where nothing is predicted: losses and gradients must not notice."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.models import tiny
from vlmbench.base.samples import Conversation
from vlmbench.models.network import skip_unused as trim
from vlmbench.models.network.splice_images import build_layout, trained_tokens
from vlmbench.models.parts.language.model import FAMILIES
from vlmbench.models.systems.tinyllava import TinyLLaVA

PACKED = (
    Conversation((("<image>\nWhat is it?", "the table"), ("<image>\nWho?", "no")), tiny.picture(), independent=True),
    Conversation(
        (("<image>\nWhat is there?", "no"), ("<image>\nIs it?", "the table no")), tiny.picture(1), independent=True
    ),
)
"""Two questions about each image; the first token of an answer may be predicted by the last one of its prompt alone."""
ROWS = (
    Conversation((("<image>\nWhat is it?", "the table"),), tiny.picture()),
    Conversation((("What?\n<image>", "no"),), tiny.picture(1)),
)
LEARNS = {"connector": "full", "language_model": "full"}


def _model(kind: str, folder: Path) -> TinyLLaVA:
    return tiny.build(folder, tiny.config(kind, text={"num_key_value_heads": 2}))


def _gradients(model: TinyLLaVA, loss: Tensor) -> dict[str, Tensor]:
    model.module.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    return {name: one.grad.clone() for name, one in model.module.named_parameters() if one.grad is not None}


def _whole(model: TinyLLaVA, batch: dict[str, Tensor]) -> Tensor:
    """The same loss from all logits, which forward() gives."""
    row, source, target = trained_tokens(build_layout(batch, model.visual_tokens, 512))
    return functional.cross_entropy(model.network(batch)[row, source], target)


@pytest.mark.parametrize("kind", sorted(FAMILIES))
@pytest.mark.parametrize(("packed", "again"), [(False, False), (False, True), (True, False)])
def test_loss_and_gradients_are_those_of_the_whole_model(kind: str, packed: bool, again: bool, tmp_path: Path) -> None:
    """`again`: activations are computed again in the backward pass."""
    model = _model(kind, tmp_path)
    model.tune(LEARNS, checkpointing=again)
    model.module.train()
    batch = model.collate(PACKED if packed else ROWS, "phi" if packed and kind == "phi" else "pretrain")
    loss, whole = model.loss(batch), _whole(model, batch)
    assert loss.item() == pytest.approx(whole.item(), abs=1e-6)
    found, wanted = _gradients(model, loss), _gradients(model, whole)
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-6, rtol=1e-4, msg=name)


def test_the_last_mlp_sees_only_what_is_learnt(tmp_path: Path) -> None:
    model = _model("phi", tmp_path)
    seen: list[tuple[int, ...]] = []
    layers = model.network.language_model.base_model.layers
    for layer in layers:
        layer.mlp.fc1.register_forward_pre_hook(lambda _, given: seen.append(tuple(given[0].shape)))
    batch = model.collate(ROWS, "pretrain")
    model.loss(batch)
    places = len(trained_tokens(build_layout(batch, model.visual_tokens, 512))[2])
    assert [len(shape) for shape in seen] == [3, 2]
    assert seen[-1] == (places, 32)
    model.network(batch)
    assert [len(shape) for shape in seen[2:]] == [3, 3]


def test_of_packed_questions_too(tmp_path: Path) -> None:
    """The prefix's last MLP is read by nobody, the questions' where a token of an answer is predicted."""
    model = _model("phi", tmp_path)
    seen: list[tuple[int, ...]] = []
    model.network.language_model.base_model.layers[-1].mlp.fc1.register_forward_pre_hook(
        lambda _, given: seen.append(tuple(given[0].shape))
    )
    batch = model.collate(PACKED, "phi")
    model.loss(batch)
    places = len(trained_tokens(build_layout(batch, model.visual_tokens, 512))[2])
    assert seen == [(0, 32), (places, 32)]


def test_nothing_is_left_behind_when_the_run_fails(tmp_path: Path) -> None:
    model = _model("phi", tmp_path)
    place = torch.tensor([0])
    with pytest.raises(RuntimeError, match="halfway"), trim.last_mlp(model.network.language_model, place, place):
        raise RuntimeError("halfway")
    mlp = model.network.language_model.base_model.layers[-1].mlp
    assert not mlp._forward_hooks
    assert not mlp._forward_pre_hooks


def test_no_module_is_asked_to_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking takes a walk over all modules. Without gradients it is asked: pruning measures all places by it."""
    model = _model("phi", tmp_path)
    asked: list[object] = []

    def recomputes(module: object) -> bool:
        asked.append(module)
        return False

    monkeypatch.setattr(trim, "recomputes", recomputes)
    place = torch.tensor([0])
    with torch.inference_mode(), trim.last_mlp(model.network.language_model, place, place):
        pass
    assert not asked
    with torch.no_grad(), trim.last_mlp(model.network.language_model, place, place):
        pass
    assert len(asked) == 1
    with trim.last_mlp(model.network.language_model, place, place):
        pass
    assert len(asked) == 2
