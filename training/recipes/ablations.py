"""The ablations of TinyGPT-V's paper (Tables 4 and 6) and of TinyLLaVA's, at nano size.

The papers' own sizes cannot be trained here. What is asked is whether the same choices matter in the same direction at
a thousandth of the size; the table puts the papers' figures beside ours and says nothing that it does not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..loop.ablation import Ablation, Variant
from ..recipe.recipe import Feed, Recipe, Stage
from . import nano, tinygptv_nano
from .tinygptv import ALL, NORMS

COLUMNS = ("1", "2", "3", "4")
PROJECTOR = "connector._connector.projector"


def _paper(*cells: str) -> dict[str, str]:
    return dict(zip(COLUMNS, cells, strict=True))


def tinygptv() -> Ablation:
    """TinyGPT-V without one of its additions. All start from the same tower, language model and Q-Former."""
    own = {name: tinygptv_nano.CONFIG[name] for name in ("attention_branch_norm", "lora")}
    own["text_config"] = {"qk_layernorm": True}
    rows: tuple[tuple[str, Mapping[str, Any], Mapping[str, Any], dict[str, str]], ...] = (
        ("full", own, ALL, _paper("2.620", "2.343", "1.125", "1.330")),
        ("without LoRA", _less(own, "lora"), NORMS, _paper("2.620", "-", "gradient vanished", "-")),
        (
            "input norms not trained",
            own,
            {**ALL, "asleep": ["input_layernorm"]},
            _paper("2.839", "2.555", "1.344", "gradient vanished"),
        ),
        ("without RMSNorm", _less(own, "attention_branch_norm"), ALL, _paper("2.747", "gradient vanished", "-", "-")),
        ("without QK-norm", _less(own, "text_config"), ALL, _paper("gradient vanished", "-", "-", "-")),
    )
    before = _without_additions()
    return Ablation(
        name="ablation-tinygptv",
        title="TinyGPT-V's ablation at nano size: end losses",
        variants=tuple(Variant(name, before, _four(config, tuning), printed) for name, config, tuning, printed in rows),
        stages=COLUMNS,
        tasks="pope,gqa",
        limit=LIMIT,
        source="arXiv 2312.16862v2, Tables 4 and 6, Phi-2",
        note="The paper trains in float16, where a loss can leave the range of numbers; ours trains in bfloat16, where "
        "it cannot. `-` in brackets: not run by the paper. Input LayerNorm is taken as not trained, not as left out.",
    )


def _less(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != name}


def _without_additions() -> Recipe:
    """What TinyGPT-V starts from: a tower that sees, a Q-Former that reads it, a language model without its norms."""
    whole = tinygptv_nano.nano()
    text = {**whole.config["text_config"], "qk_layernorm": False}
    config = {**_less(_less(whole.config, "attention_branch_norm"), "lora"), "text_config": text}
    look, _ = tinygptv_nano.parts()
    return replace(whole, name="tinygptv-nano-before", config=config, stages=(replace(look, steps=STEPS["look"]),))


STEPS: Mapping[str, int] = {"look": 800, "warm-up": 100, "pretrain": 100, "instruct": 40, "multi-task": 250}
"""Some two minutes for each variant and seed."""
LIMIT = 240
"""Questions asked of each task."""


def _four(config: Mapping[str, Any], tuning: Mapping[str, Any]) -> Recipe:
    short = Feed("short", rows=4, turns=12, weight=2.0)
    questions = tuple(replace(short, template=form) for form in tinygptv_nano.FORMS)
    stages = [
        replace(stage, name=name, steps=STEPS[stage.name], tuning=tuning)
        for name, stage in zip(COLUMNS, tinygptv_nano.four(), strict=True)
    ]
    stages[0] = replace(stages[0], config=config, anew=(PROJECTOR,))
    stages[3] = replace(stages[3], feeds=questions)
    return replace(tinygptv_nano.nano(), name="tinygptv-nano-stages", stages=tuple(stages))


SHORT: Mapping[str, int] = {"see": 1200, "list": 600, "answer": 600, "pretrain": 150, "finetune": 300}
"""Steps: some ten minutes for the parts, two for each variant and seed."""
QUESTIONS = Feed("short", rows=6, turns=12, weight=2.0)


def tinyllava() -> Ablation:
    """TinyLLaVA with another connector, language model, encoder or recipe."""
    stages = {
        stage.name: replace(stage, steps=SHORT[stage.name]) for stage in nano.nano().stages if stage.name in SHORT
    }
    # No signs: they take a tower longest, and neither task asks for them.
    stages["see"] = replace(stages["see"], feeds=(Feed("patches", rows=64, template="pretrain", signs=0),))
    lists = Feed("list", rows=12, template="pretrain", see="words")
    stages["answer"] = replace(stages["answer"], feeds=(replace(QUESTIONS, see="words"), lists))
    # Captions alone: words at each patch's place would be for connectors that keep one token per patch.
    stages["pretrain"] = replace(stages["pretrain"], feeds=(Feed("caption", rows=24, template="pretrain"),))
    stages["finetune"] = replace(stages["finetune"], feeds=(QUESTIONS,))

    def before(name: str, config: Mapping[str, Any], names: tuple[str, ...], parts: Mapping[str, str]) -> Recipe:
        printed = tuple(stages[stage] for stage in names)
        return replace(nano.nano(), name=name, stages=printed, config=config, parts=parts)

    usual = before("usual parts", nano.CONFIG, ("see", "list", "answer"), {})
    two = _changed("text_config", num_hidden_layers=2)
    small = before("two layers", two, ("list", "answer"), {"vision_tower": usual.name})
    clip = before("CLIP", _clip(), ("see",), {"language_model": usual.name})

    def variant(name: str, printed: str, config: Mapping[str, Any], *more: Stage, parts: Recipe = usual) -> Variant:
        first = replace(stages["pretrain"], anew=("connector",), config=config)
        run = replace(usual, name="tinyllava-nano-stages", stages=(first, *more, stages["finetune"]))
        return Variant(name, parts, run, {"gqa": printed})

    resampler = {"connector_type": "resampler", "num_queries": 16, "num_resampler_layers": 2}
    return Ablation(
        name="ablation-tinyllava",
        title="TinyLLaVA's ablation at nano size",
        variants=(
            variant("base: SigLIP, MLP, 4 layers", "61.3 base-Sig-Phi", {}),
            variant("connector: linear", "no figure", {"connector_type": "linear"}),
            variant("connector: resampler", "below the MLP (figure)", resampler),
            variant("recipe: share", "62.0 share-Sig-Phi", {}, _share(stages["finetune"])),
            variant("language model: 2 layers", "58.6 base-Sig-TL", {}, parts=small),
            variant("encoder: CLIP", "60.3 base-C-Phi", {}, parts=clip),
        ),
        stages=("pretrain", "finetune"),
        tasks="pope,gqa",
        limit=LIMIT,
        source="arXiv 2402.14289, Table A1 and figures, GQA at full size",
        note="`share` trains the tower's later layers, connector and language model on captions in between; it sees "
        "more rows than `base`, as in the paper.",
    )


def _share(finetune: Stage) -> Stage:
    """The paper's share-pretraining: the tower from its middle on, connector and language model, on captions."""
    return replace(
        finetune,
        name="share-pretrain",
        train=(),
        tuning={"vision_tower": "layers", "first_layer": 1, "connector": "full", "language_model": "full"},
        feeds=(Feed("caption", rows=16, template="pretrain"), Feed("describe", rows=8, turns=2)),
        steps=200,
    )


def _changed(part: str, **settings: Any) -> dict[str, Any]:
    return {**nano.CONFIG, part: {**nano.CONFIG[part], **settings}}


def _clip() -> dict[str, Any]:
    """CLIP's tower has a class token, which is dropped."""
    config = _changed("vision_config", model_type="clip_vision_model", projection_dim=128)
    return {**config, "vision_feature_select_strategy": "patch"}
