"""Models with something taken out of them: the right things, the same numbers otherwise, an ordinary checkpoint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.models import tiny, tiny_minigpt
from vlmbench.base import registry
from vlmbench.base.errors import ModelError, TrainingError, UnknownNameError
from vlmbench.base.samples import Conversation
from vlmbench.base.trainable import Prunable, Trainable
from vlmbench.models.zoo import figures
from vlmbench.training.pruning.prune import prune
from vlmbench.training.recipe.pruning import Pruning, Ratios
from vlmbench.training.recipes.prune import prune as recipe

KINDS = ("siglip", "clip", "grouped", *tiny_minigpt.KINDS)


def model(kind: str, folder: Path) -> Any:
    """A toy of each system, and of each kind of attention."""
    if kind in tiny_minigpt.KINDS:
        return tiny_minigpt.build(folder, kind)
    text = {"num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 3}
    told = {
        "siglip": tiny.config(),
        "clip": tiny.config("llama", "clip_vision_model"),
        "grouped": tiny.config("qwen2", text=text),
    }[kind]
    system = tiny.build(folder, told)
    tiny_minigpt.spread(system.network)
    return system


def losses(made: Trainable) -> Iterator[Tensor]:
    """Two batches, rows of unlike lengths: the shorter one is padded."""
    long, short = (("What is there?", "a red square and the yes"),), (("Is it?", "yes"),)
    for seed in range(2):
        shown = [Conversation(turns, tiny.picture(seed)) for turns in (long, short)]
        yield made.loss(made.collate(shown, ""))


def logits(made: Any) -> tuple[Tensor, Tensor]:
    """What tower and connector make of an image, and the language model of some embeddings."""
    side = made.config["vision_config"]["image_size"]
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        seen = made.network.image_features(torch.randn(1, 3, side, side, generator=draw))
        row = torch.randn(1, 9, 32, generator=draw)
        return seen, made.network.language_model(inputs_embeds=row, use_cache=False).logits


@pytest.mark.parametrize("kind", KINDS)
def test_a_smaller_model_gives_what_the_whole_one_gives_without_these_heads(kind: str, tmp_path: Path) -> None:
    """Taking out is the same as setting to 0 what heads and neurons write: bit for bit but for the order of sums."""
    whole, again = (model(kind, tmp_path / name) for name in ("whole", "again"))
    ratios = Ratios(heads=0.5, neurons=0.5)
    small, record = prune(whole, Pruning(ratios, ratios), losses)
    assert isinstance(small, Prunable)
    again.merge_adapters()
    for part, blocks in again.blocks().items():
        kept_heads = record["parts"][part]["kept_heads"]
        for number, (block, rest) in enumerate(zip(blocks, small.blocks()[part], strict=True)):
            width = block.attention.weight.shape[1] // block.heads
            with torch.no_grad():
                for head in set(range(block.heads)) - set(kept_heads[number]):
                    block.attention.weight[:, head * width : (head + 1) * width] = 0
                columns = {tuple(column.tolist()) for column in rest.mlp.weight.T}
                for neuron, column in enumerate(block.mlp.weight.T.tolist()):
                    if tuple(column) not in columns:
                        block.mlp.weight[:, neuron] = 0
    for ours, theirs in zip(logits(small), logits(again), strict=True):
        assert (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()
    assert small.config["text_config"]["intermediate_size"] == 32


@pytest.mark.parametrize("kind", KINDS)
def test_a_pruned_checkpoint_is_an_ordinary_one(kind: str, tmp_path: Path) -> None:
    layers = 0.5 if kind in tiny_minigpt.KINDS else 0.0
    whole = model(kind, tmp_path)
    small, _ = prune(whole, Pruning(Ratios(heads=0.5, layers=layers), Ratios(heads=0.5, neurons=0.5)), losses)
    small.save(tmp_path / "small")
    system = small.config["model_type"]
    restored = registry.load_object(f"vlmbench.models.systems.{system}:restore")(
        tmp_path / "small", attention=whole.attention
    )
    for ours, theirs in zip(logits(restored), logits(small), strict=True):
        assert torch.equal(ours, theirs)
    counted = figures.of_config(small.config)
    assert counted["parameters"] == sum(p.numel() for p in small.module.parameters())
    small.module.train()
    assert next(losses(small)).requires_grad


def test_the_layer_that_changes_least_is_taken_out(tmp_path: Path) -> None:
    whole = model("grouped", tmp_path)
    blocks = whole.blocks()["language_model"]
    with torch.no_grad():
        blocks[1].attention.weight.mul_(1e-3)
        blocks[1].mlp.weight.mul_(1e-3)
    before = [block.mlp.weight.clone() for block in blocks]
    third = Pruning(language_model=Ratios(layers=1 / 3))
    for score in ("taylor", "magnitude"):
        small, record = prune(whole, replace(third, score=score), losses)
        assert isinstance(small, Prunable)
        assert record["parts"]["language_model"]["kept_layers"] == [0, 2]
        rest = small.blocks()["language_model"]
        assert torch.equal(rest[0].mlp.weight, before[0])
        assert torch.equal(rest[1].mlp.weight, before[2])
        assert small.config["text_config"]["num_hidden_layers"] == 2


def test_layers_of_the_tower_that_never_run_stay(tmp_path: Path) -> None:
    """The toy reads the second last layer of three: one of the two that run is taken out."""
    whole = model("siglip", tmp_path)
    assert [block.runs for block in whole.blocks()["vision_tower"]] == [True, True, False]
    small, record = prune(whole, Pruning(Ratios(layers=0.5)), losses)
    assert record["parts"]["vision_tower"]["kept_layers"][-1] == 2
    assert isinstance(small, Prunable)
    assert [block.runs for block in small.blocks()["vision_tower"]] == [True, False]


def test_the_head_that_the_loss_needs_is_kept(tmp_path: Path) -> None:
    """A head whose values are silent has no share in the loss, however large its writing weights are."""
    whole = model("siglip", tmp_path)
    block = whole.blocks()["language_model"][0]
    values = block.linears["self_attn.v_proj"]
    with torch.no_grad():
        values.weight[:16] = 0
        values.bias[:16] = 0
        block.attention.weight[:, :16] *= 10
    kept = {}
    for score in ("taylor", "magnitude"):
        _, record = prune(whole, Pruning(language_model=Ratios(heads=0.5), score=score), losses)
        kept[score] = record["parts"]["language_model"]["kept_heads"][0]
    assert kept == {"taylor": [1], "magnitude": [0]}


@pytest.mark.parametrize("settings", [{"weight_score": "wanda"}, {"weight_score": "magnitude"}, {"pattern": "2:4"}])
def test_half_of_the_weights_become_zero(settings: dict[str, Any], tmp_path: Path) -> None:
    whole = model("siglip", tmp_path)
    before = {name: value.clone() for name, value in whole.network.state_dict().items()}
    half = Ratios(weights=0.5)
    small, record = prune(whole, Pruning(half, half, **settings), losses)
    assert small.config == whole.config
    assert {part: told["zeros"] for part, told in record["parts"].items()} == {
        "vision_tower": 0.5,
        "language_model": 0.5,
    }
    for name, value in small.module.state_dict().items():
        assert torch.equal(value, before[name] * (value != 0)), name
    for block in (block for blocks in small.blocks().values() for block in blocks):  # type: ignore[attr-defined]
        for module in block.linears.values():
            kept = module.weight != 0
            groups = kept.view(len(kept), -1, 4).sum(2) if settings.get("pattern") else kept.sum(1)
            assert set(groups.flatten().tolist()) == {2 if settings.get("pattern") else kept.shape[1] // 2}


def test_padding_has_no_share_in_the_norms(tmp_path: Path) -> None:
    """The same rows, padded by a longer one of zero weight or not: Wanda keeps the same weights."""
    half = Pruning(language_model=Ratios(weights=0.5))

    def alone(made: Trainable) -> Iterator[Tensor]:
        for turns in ((("What is there?", "a red square and the yes"),), (("Is it?", "yes"),)):
            yield made.loss(made.collate([Conversation(turns, tiny.picture())], ""))

    def together(made: Trainable) -> Iterator[Tensor]:
        rows = [(("What is there?", "a red square and the yes"),), (("Is it?", "yes"),)]
        yield made.loss(made.collate([Conversation(turns, tiny.picture()) for turns in rows], ""))

    masks = []
    for batches in (alone, together):
        whole = model("siglip", tmp_path)
        whole.tune({"language_model": "full"}, checkpointing=True)
        whole.network.eval()
        small, _ = prune(whole, half, batches)
        masks.append(torch.cat([(p == 0).flatten() for p in small.module.parameters()]))
    assert (masks[0] != masks[1]).float().mean() < 1e-3


@pytest.mark.parametrize(
    ("pruning", "said"),
    [
        ({"language_model": Ratios(heads=0.3)}, r"language_model\.heads=0\.3 of 2 is 0\.6, no whole number"),
        ({"vision_tower": Ratios(layers=0.4)}, r"vision_tower\.layers=0\.4 of 2 is 0\.8"),
        ({"language_model": Ratios(neurons=0.9)}, r"language_model\.neurons=0\.9 of 64 leaves none"),
    ],
)
def test_ratios_that_are_not_possible(pruning: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=said):
        prune(model("siglip", tmp_path), Pruning(**pruning), losses)


@pytest.mark.parametrize("share", [1.0, -0.1, 1.5])
def test_all_layers_cannot_be_taken_out(share: float) -> None:
    with pytest.raises(TrainingError, match=r"layers is .*at least 0 and below 1"):
        Ratios(layers=share)


def test_contradictory_settings() -> None:
    with pytest.raises(UnknownNameError, match=r"pruning\.score"):
        Pruning(score="luck")
    with pytest.raises(TrainingError, match="pattern '4:2' is none"):
        Pruning(Ratios(weights=0.5), pattern="4:2")
    with pytest.raises(
        TrainingError, match=r"pattern '2:4' sets 0\.5 of the weights to 0, vision_tower\.weights is 0\.25"
    ):
        Pruning(Ratios(weights=0.25), pattern="2:4")
    with pytest.raises(TrainingError, match="pattern '2:4' without weights"):
        Pruning(pattern="2:4")
    with pytest.raises(TrainingError, match="contradicts muon"):
        replace(recipe(), pruning=Pruning(Ratios(weights=0.5)), stages=(replace(recipe().stages[0], muon=0.02),))


def test_ratios_in_words() -> None:
    told = Pruning().with_ratios("0.25")
    assert told.vision_tower == told.language_model == Ratios(heads=0.25, neurons=0.25)
    told = Pruning().with_ratios("language_model.heads=0.5,layers=0.25")
    assert (told.vision_tower, told.language_model) == (Ratios(layers=0.25), Ratios(heads=0.5, layers=0.25))
    for wrong in ("x", "heads=x", "eyes=0.5", "connector.heads=0.5"):
        with pytest.raises(TrainingError, match="--ratio"):
            Pruning().with_ratios(wrong)


def test_models_that_cannot_be_pruned(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="echo cannot be trained here"):
        recipe("echo")
    with pytest.raises(TrainingError, match="no trained minigpt4"):
        recipe("minigpt4")
    stable = tiny.build(tmp_path, tiny.config("stablelm", text={"num_key_value_heads": 2}))
    with pytest.raises(ModelError, match="stablelm cannot have fewer heads"):
        prune(stable, Pruning(language_model=Ratios(heads=0.5)), losses)
    small, _ = prune(stable, Pruning(language_model=Ratios(neurons=0.5, layers=0.5)), losses)
    assert small.config["text_config"]["num_hidden_layers"] == 1


def test_pruned_weights_under_the_config_of_before(tmp_path: Path) -> None:
    whole = model("siglip", tmp_path)
    whole.save(tmp_path / "whole")
    for ratios in (Ratios(heads=0.5), Ratios(neurons=0.5), Ratios(layers=0.5)):
        small, _ = prune(whole, Pruning(language_model=ratios), losses)
        small.save(tmp_path / "small")
        (tmp_path / "small" / "config.json").write_text(
            (tmp_path / "whole" / "config.json").read_text("utf-8"), "utf-8"
        )
        with pytest.raises(ModelError, match=r"as before and after pruning: take the config\.json of these weights"):
            registry.load_object("vlmbench.models.systems.tinyllava:restore")(tmp_path / "small")


def test_a_towers_heads_and_width_must_fit(tmp_path: Path) -> None:
    small, _ = prune(model("siglip", tmp_path), Pruning(Ratios(heads=0.5)), losses)
    small.save(tmp_path / "small")
    told = json.loads((tmp_path / "small" / "config.json").read_text("utf-8"))
    told["vision_config"]["head_dim"] = 7
    (tmp_path / "small" / "config.json").write_text(json.dumps(told), "utf-8")
    with pytest.raises(ModelError, match="1 heads of width 7 do not go into a hidden_size of 24"):
        registry.load_object("vlmbench.models.systems.tinyllava:restore")(tmp_path / "small")
