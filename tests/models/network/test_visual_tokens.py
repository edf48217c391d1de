"""Tokens of images that are dropped when answering: the right ones, in all engines, keyed, and none where all stay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.models import tiny, tiny_minigpt
from tests.models.engine.test_engine import ask, check_equal, questions
from vlmbench.base.errors import ModelError
from vlmbench.models.network import visual_tokens
from vlmbench.models.network.visual_tokens import TokenPruning, attention_received, kept_of
from vlmbench.models.systems import tinyllava
from vlmbench.models.systems.tinyllava import TinyLLaVA

KINDS = ("siglip", "clip", *tiny_minigpt.KINDS)


def system(kind: str, folder: Path) -> Any:
    """A toy whose answers depend on its images."""
    if kind in tiny_minigpt.KINDS:
        return tiny_minigpt.build(folder, kind)
    made = tiny.build(folder, tiny.config("phi", "clip_vision_model" if kind == "clip" else "siglip_vision_model"))
    made.network.language_model.set_attn_implementation("sdpa")
    tiny_minigpt.spread(made.network)
    return made


def image(made: Any, number: int = 0) -> Tensor:
    """One image's pixels."""
    return made.pixels(tiny.picture(number))[None]  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", KINDS)
def test_kept_tokens_are_some_of_all_in_their_order(kind: str, tmp_path: Path) -> None:
    made = system(kind, tmp_path)
    with torch.no_grad():
        whole = made.network.image_features(image(made))[0]
        made.keep_visual_tokens("2")
        kept = made.network.image_features(image(made))[0]
    places = [int((whole == row).all(dim=1).nonzero()[0]) for row in kept]
    assert len(places) == 2 == made.visual_tokens
    assert places == sorted(places)
    by = "norm" if "qformer" in made.network.blueprint.connector else "attention"
    assert made.settings["kept_tokens"] == f"2 of {len(whole)} by {by}"


@pytest.mark.parametrize(("kind", "tower_layers"), [("siglip", 2), ("clip", 2), ("minigpt4", 2)])
def test_scores_are_the_attention_of_the_last_layer_that_runs(kind: str, tower_layers: int, tmp_path: Path) -> None:
    """transformers' own eager attention gives the weights."""
    made = system(kind, tmp_path)
    tower, inner = made.network.vision_tower, made.network.vision_tower._vision_tower
    attention = inner.vision_model.encoder.layers[tower_layers - 1].self_attn
    attention.config._attn_implementation = "eager"
    found: list[Tensor] = []
    attention.register_forward_hook(lambda _, __, output: found.append(output[1]))
    with torch.no_grad():
        features, scores = attention_received(tower, image(made))
    assert len(found) == 1
    weights = found[0].mean(dim=1)[0]  # (tokens, tokens)
    expected = weights[0] if inner.class_token else weights.mean(dim=0)
    dropped = int(tower.selection == "patch")
    assert torch.allclose(scores[0], expected[dropped:], atol=1e-6)
    assert scores.shape == features.shape[:2]


def test_the_most_attended_patches_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: of four scores the two highest; equal ones go by their order; of merged patches the mean counts."""
    made = system("clip", tmp_path)
    whole = made.network.vision_tower(image(made))
    for scores, places in (([0.1, 0.4, 0.2, 0.3], [1, 3]), ([0.2, 0.1, 0.2, 0.2], [0, 2])):
        fixed = lambda tower, pixels, scores=scores: (tower(pixels), torch.tensor([scores]))  # noqa: E731
        monkeypatch.setattr(visual_tokens, "attention_received", fixed)
        kept = TokenPruning(made.network, 2).features(made.network, image(made))
        assert torch.equal(kept, made.network.connector(whole)[:, places])


def test_of_merged_patches_the_mean_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One patch that stands out is not enough against four that are all attended to."""
    made = system("minigptv2", tmp_path)
    scores = torch.tensor([[0.7, 0, 0, 0, *([0.1] * 4), *([0.3] * 4), *([0.2] * 4)]])
    monkeypatch.setattr(visual_tokens, "attention_received", lambda tower, pixels: (tower(pixels), scores))
    with torch.no_grad():
        whole = made.network.connector(made.network.vision_tower(image(made)))
        kept = TokenPruning(made.network, 2).features(made.network, image(made))
    assert torch.equal(kept, whole[:, [2, 3]])


@pytest.mark.parametrize("kind", ["siglip", "minigpt4", "tinygptv"])
def test_all_engines_answer_alike(kind: str, tmp_path: Path) -> None:
    answers = []
    for options in (
        {"kind": "simple"},
        {"kind": "shared"},
        {"kind": "shared", "batch": 8},
        {"kind": "shared", "batch": 1},
    ):
        made = system(kind, tmp_path)
        if getattr(made.network.blueprint, "lora", None):
            made.merge_adapters()
        made.keep_visual_tokens("2")
        answers.append(ask(made, questions(3, 4), **options))
    for other in answers[1:]:
        check_equal(answers[0], other)
    whole = ask(system(kind, tmp_path), questions(3, 4), kind="simple")
    assert whole.texts != answers[0].texts, "it does not matter which tokens there are"


def test_all_tokens_are_no_setting_and_change_no_bit(tmp_path: Path) -> None:
    saved = system("clip", tmp_path / "files")
    saved.save(tmp_path / "model")
    plain = tinyllava.load(str(tmp_path / "model"))
    found: Sequence[Any] = [
        tinyllava.load(str(tmp_path / "model"), visual_tokens=text) for text in ("1.0", "4", "0.5", "2")
    ]
    assert found[0].settings == found[1].settings == plain.settings
    assert found[2].settings == found[3].settings != plain.settings
    assert [model.facts["visual_tokens"] for model in (plain, *found)] == [4, 4, 4, 2, 2]
    pixels = image(saved)
    with torch.no_grad():
        features = [model.system.network.image_features(pixels) for model in (plain, *found)]
    assert torch.equal(features[0], features[1])
    assert torch.equal(features[0], features[2])
    assert torch.equal(features[3], features[4])


@pytest.mark.parametrize(
    ("text", "said"),
    [("0", "leaves 0 of 4"), ("5", "leaves 5 of 4"), ("1.5", "leaves 6 of 4"), ("x", "no number"), ("0.01", "0 of 4")],
)
def test_numbers_that_are_not_possible(text: str, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        kept_of(text, 4)
    assert (kept_of("1", 4), kept_of("1.0", 4), kept_of("0.5", 4)) == (1, 4, 2)


def test_a_tower_whose_attention_is_not_read(tmp_path: Path) -> None:
    dino = {"model_type": "dinov2", "hidden_size": 24, "mlp_ratio": 2, "num_hidden_layers": 3, "num_attention_heads": 2}
    told = tiny.config(vision_config={**dino, "image_size": 28, "patch_size": 14})
    made: TinyLLaVA = tiny.build(tmp_path, told)
    with pytest.raises(ModelError, match="attention of a DINOv2 tower"):
        made.keep_visual_tokens("2")
