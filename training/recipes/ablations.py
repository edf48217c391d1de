"""The ablations of TinyGPT-V's paper (Tables 4 and 6) and of TinyLLaVA's, at nano size.

The papers' own sizes cannot be trained here. What is asked is whether the same choices matter in the same direction at
a thousandth of the size; the table puts the papers' figures beside ours and says nothing that it does not show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..ablation import Ablation, Variant
from ..recipe import Feed, Recipe, Stage
from . import nano, tinygptv_ablated
from .tinygptv import ALL, NORMS

COLUMNS = ("1", "2", "3", "4")


def _paper(*cells: str) -> dict[str, str]:
    return dict(zip(COLUMNS, cells, strict=True))


def tinygptv() -> Ablation:
    """TinyGPT-V without one of its additions. All start from the same tower, language model and Q-Former."""
    own = tinygptv_ablated.OWN
    plain = {"text_config": {"qk_layernorm": False}}
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
        ("without QK-norm", {**own, **plain}, ALL, _paper("gradient vanished", "-", "-", "-")),
    )
    return Ablation(
        name="ablation-tinygptv",
        title="TinyGPT-V's ablation at nano size: end losses",
        base=tinygptv_ablated.before(),
        variants=tuple(
            Variant(name, _four(tinygptv_ablated.stages(config, tuning)), told) for name, config, tuning, told in rows
        ),
        stages=COLUMNS,
        tasks="pope,gqa",
        source="arXiv 2312.16862v2, Tables 4 and 6, Phi-2",
        note="The paper trains in float16, where a loss can leave the range of numbers; ours trains in bfloat16, where "
        "it cannot. `-` in brackets: not run by the paper. Input LayerNorm is taken as not trained, not as left out.",
    )


def _less(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != name}


def _four(stages: tuple[Stage, ...]) -> Recipe:
    return replace(tinygptv_ablated.before(), name="tinygptv-nano-stages", stages=stages, parts={})


SHORT: Mapping[str, int] = {"see": 1000, "list": 700, "answer": 1000, "pretrain": 200, "finetune": 600}
"""Steps: some seven minutes for what is shared, three for each variant."""


def tinyllava() -> Ablation:
    """TinyLLaVA with another connector, language model, encoder or recipe."""
    whole = nano.nano()
    stages = {stage.name: replace(stage, steps=SHORT[stage.name]) for stage in whole.stages if stage.name in SHORT}
    # Captions alone: words at each patch's place would be for connectors that keep a token a patch.
    stages["pretrain"] = replace(stages["pretrain"], feeds=(Feed("caption", rows=24, template="pretrain"),))
    before = replace(whole, name="tinyllava-nano-before", stages=tuple(stages[n] for n in ("see", "list", "answer")))
    after = (replace(stages["pretrain"], anew=("connector",)), stages["finetune"])

    def variant(name: str, told: str, config: Mapping[str, Any], *more: Stage) -> Variant:
        first, last = after
        run = (replace(first, config=config), *more, last)
        return Variant(name, replace(before, name="tinyllava-nano-stages", stages=run), {"gqa": told})

    def alone(name: str, told: str, config: Mapping[str, Any]) -> Variant:
        changed = replace(whole, name="tinyllava-nano-variant", stages=tuple(stages.values()), config=config)
        return Variant(name, changed, {"gqa": told}, alone=True)

    resampler = {"connector_type": "resampler", "num_queries": 16, "num_resampler_layers": 2}
    return Ablation(
        name="ablation-tinyllava",
        title="TinyLLaVA's ablation at nano size",
        base=before,
        variants=(
            variant("base: SigLIP, MLP, 4 layers", "61.3 base-Sig-Phi", {}),
            variant("connector: linear", "no figure", {"connector_type": "linear"}),
            variant("connector: resampler", "below the MLP (figure)", resampler),
            variant("recipe: share", "62.0 share-Sig-Phi", {}, _share(stages["finetune"])),
            alone("language model: 2 layers", "58.6 base-Sig-TL", _changed("text_config", num_hidden_layers=2)),
            alone("encoder: CLIP", "60.3 base-C-Phi", _clip()),
        ),
        stages=("pretrain", "finetune"),
        tasks="pope,gqa",
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
        steps=400,
    )


def _changed(part: str, **settings: Any) -> dict[str, Any]:
    return {**nano.CONFIG, part: {**nano.CONFIG[part], **settings}}


def _clip() -> dict[str, Any]:
    """CLIP's tower has a class token, which is dropped."""
    told = _changed("vision_config", model_type="clip_vision_model", projection_dim=128)
    return {**told, "vision_feature_select_strategy": "patch"}
