"""The published variants weigh what their papers and codes say, to the digits given there."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

from vlmbench.base import registry
from vlmbench.base.process.extras import install_command
from vlmbench.models.engine import memory, quantize
from vlmbench.models.network.network import VisionLanguageModel
from vlmbench.models.parts.prompts import minigpt_templates, templates
from vlmbench.models.systems import tinyllava
from vlmbench.models.zoo import model_stats
from vlmbench.models.zoo.model_stats import PARTS, ModelStats, stats_of
from vlmbench.models.zoo.variants import ABSENT, VARIANTS

pytestmark = pytest.mark.slow

TOTALS = {
    "Sig-Phi": 3.217,
    "C-Phi": 3.092,
    "Sig-TL": 1.535,
    "C-TL": 1.410,
    "Sig-SLM": 2.079,
    "C-SLM": 1.954,
}
"""Billions, of TinyLLaVA's variants by tower and language model."""
CONNECTORS = {"Sig-Phi": 9.51, "C-Phi": 9.18, "Sig-TL": 6.56, "C-TL": 6.30, "Sig-SLM": 6.56, "C-SLM": 6.30}
TOWERS = {"C": 303.5, "Sig": 428.2}
EVA, QFORMER = 0.986, 0.105
SIGLIP = 1152, 4304
"""Width, and inner width of its MLP."""
SIGLIP_LAYER = 4 * SIGLIP[0] ** 2 + 2 * SIGLIP[0] * SIGLIP[1] + 4 * SIGLIP[0] + SIGLIP[1] + SIGLIP[0] + 4 * SIGLIP[0]
"""Attention, MLP, their biases, two norms."""


def billions(count: int, digits: int = 3) -> float:
    return round(count / 1e9, digits)


def millions(count: int, digits: int = 2) -> float:
    return round(count / 1e6, digits)


def learns(sheet: ModelStats, stage: str) -> float:
    """Millions that learn in a stage."""
    return millions(sum(sheet.stages[stage].values()))


def test_the_twelve_of_the_paper_are_there() -> None:
    recipes, towers, models = ("base", "share"), ("C", "Sig"), ("TL", "SLM", "Phi")
    wanted = {f"tinyllava:{r}-{t}-{m}" for r in recipes for t in towers for m in models}
    assert wanted <= set(VARIANTS)
    assert len(wanted) == 12


@pytest.mark.parametrize("recipe", ["base", "share", "factory"])
@pytest.mark.parametrize("pair", TOTALS)
def test_tinyllava(recipe: str, pair: str) -> None:
    sheet, tower = stats_of(f"tinyllava:{recipe}-{pair}"), pair.partition("-")[0]
    assert billions(sheet.total) == TOTALS[pair]
    assert millions(sheet.parts["connector"]) == CONNECTORS[pair]
    assert millions(sheet.parts["vision tower"], 1) == TOWERS[tower]
    assert learns(sheet, "pretrain") == CONNECTORS[pair]
    last = list(sheet.stages.values())[-1]
    assert last == {name: sheet.parts[name] for name in ("connector", "language model")}


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("tinyllava:base-C-Phi", 576),
        ("tinyllava:base-Sig-Phi", 729),
        ("tinyllava:factory-Sig-Phi", 728),
        ("tinyllava:factory-MoF-TL", 512),
        ("minigpt4:vicuna-7b", 32),
        ("minigpt4:llama2-7b", 64),
        ("minigptv2", 256),
        ("tinygptv:stage123", 32),
        ("tinygptv:stage4", 32),
    ],
)
def test_visual_tokens(name: str, tokens: int) -> None:
    assert stats_of(name).visual_tokens == tokens


def test_siglip_holds_a_head_that_no_answer_depends_on() -> None:
    """The tap is before the last layer: that layer, the norm behind it and the pooling head are never run."""
    width, inner = SIGLIP
    norm, head = 2 * width, width + 4 * width * width + 4 * width + 2 * width + 2 * width * inner + inner + width
    assert stats_of("tinyllava:base-Sig-Phi").never_run == SIGLIP_LAYER + norm + head


def test_the_share_recipe_trains_the_upper_tower_in_the_paper_alone() -> None:
    paper, factory = stats_of("tinyllava:share-Sig-Phi"), stats_of("tinyllava:factory-share-Sig-Phi")
    assert paper.stages["share-pretrain"]["vision tower"] == (27 - 12) * SIGLIP_LAYER
    assert "vision tower" not in factory.stages["share-pretrain"]


def test_factory_lora() -> None:
    width, inner, rank, layers = 2560, 10240, 128, 32
    adapters = layers * rank * (4 * 2 * width + 2 * (width + inner))
    sheet = stats_of("tinyllava:factory-lora-Sig-Phi")
    assert sheet.stages["finetune-lora"] == {"connector": sheet.parts["connector"], "adapters": adapters}
    assert sheet.parts.get("adapters") is None  # the published weights are merged


@pytest.mark.parametrize(
    ("name", "learnt", "total"),
    [("minigpt4:vicuna-13b", 3.94, 14.1), ("minigpt4:vicuna-7b", 3.15, 7.83), ("minigpt4:llama2-7b", 23.07, 7.75)],
)
def test_minigpt4(name: str, learnt: float, total: float) -> None:
    sheet = stats_of(name)
    assert [learns(sheet, stage) for stage in ("1", "2")] == [learnt, learnt]
    assert billions(sheet.total, 1 if total > 10 else 2) == total
    assert billions(sheet.parts["vision tower"]) == EVA
    assert billions(sheet.parts.get("Q-Former", 0)) == (0 if name.endswith("llama2-7b") else QFORMER)


def test_minigptv2() -> None:
    sheet = stats_of("minigptv2")
    assert [round(learns(sheet, stage), 1) for stage in ("1", "2", "3")] == [56.6] * 3
    assert {part: millions(count) for part, count in sheet.stages["3"].items()} == {
        "connector": 23.07,
        "adapters": 33.55,
    }
    assert billions(sheet.total, 2) == 7.78


@pytest.mark.parametrize(("name", "stages"), [("stage123", ("1-code", "2", "3")), ("stage4", ("4",))])
def test_tinygptv(name: str, stages: tuple[str, ...]) -> None:
    sheet = stats_of(f"tinygptv:{name}")
    assert billions(sheet.total - sheet.parts["adapters"], 2) == (3.88 if name == "stage123" else 3.89)
    assert billions(sheet.parts["vision tower"]) == (EVA if name == "stage123" else 0.987)
    assert billions(sheet.parts["Q-Former"]) == QFORMER
    assert billions(sheet.parts["language model"], 2) == 2.78
    assert billions(sheet.parts["connector"]) == 0.014
    for stage in stages:
        found = sheet.stages[stage]
        assert {part: millions(count) for part, count in found.items()} == {
            "connector": 13.64,
            "language model": 0.17,
            "adapters": 31.46,
        }
        assert learns(sheet, stage) == 45.27


def test_tinygptv_without_adapters_in_stage_1_of_the_paper() -> None:
    found = stats_of("tinygptv:stage123").stages["1-paper"]
    assert found.keys() == {"connector", "language model"}


def test_memory_of_the_published_claims() -> None:
    """TinyLLaVA-3.1B in half precision 6.4 GB; TinyGPT-V with an int8 language model about 5.2 GB."""
    assert round(stats_of("tinyllava:share-Sig-Phi").memory["bfloat16"] / 1e9, 1) == 6.4
    assert abs(stats_of("tinygptv:stage123").memory["int8"] / 1e9 - 5.2) < 0.1


TINY: Mapping[str, Any] = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2}


@pytest.mark.parametrize("mode", ["bfloat16", "int8", "int4"])
def test_memory_is_what_a_loaded_model_holds(mode: str) -> None:
    if mode != "bfloat16":
        pytest.importorskip("torchao", reason=f"torchao is not installed here: {install_command('quantize')}")
    config = copy.deepcopy(dict(VARIANTS["tinyllava:base-Sig-TL"].config))
    config["text_config"] |= {**TINY, "num_key_value_heads": 1, "vocab_size": 100}
    config["vision_config"] |= {**TINY, "image_size": 28}
    told = model_stats.memory(model_stats.build(config))[mode]
    network = VisionLanguageModel(tinyllava.blueprint(config)).to(torch.bfloat16)
    if mode != "bfloat16":
        quantize.quantize(network.language_model, mode, torch.device("cpu"))
    assert memory.stored_bytes(network) - table_bytes(network) == told


def table_bytes(network: nn.Module) -> int:
    """Bytes of what follows from the config: rotary tables, position numbers."""
    return sum(getattr(part, name).nbytes for part in network.modules() for name in part._non_persistent_buffers_set)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_whole(name: str) -> None:
    variant = VARIANTS[name]
    assert variant.name == name
    assert variant.system in registry.MODELS
    assert variant.config["model_type"] == variant.system
    assert variant.source
    assert variant.stages
    template = str(variant.config.get("conv_version") or variant.config["template"])
    (templates.find if variant.system == "tinyllava" else minigpt_templates.find_prompt_format)(template)
    assert len({stage.name for stage in variant.stages}) == len(variant.stages)


def test_names_are_not_in_both_tables() -> None:
    assert not VARIANTS.keys() & ABSENT.keys()


def test_every_sheet_adds_up() -> None:
    sheet = stats_of("minigptv2")
    assert set(sheet.parts) <= set(PARTS)
    assert sheet.total == sum(p.numel() for p in model_stats.build(VARIANTS["minigptv2"].config).parameters())
