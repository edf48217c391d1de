"""MiniGPT-4's two stages at full size, as the paper and as the code has them.

Sources: arXiv 2304.10592; MiniGPT-4 train_configs/minigpt4*_stage{1,2}_*.yaml@d94738a. They differ in the length of
stage 2: 400 steps in the paper, 5 x 200 in the code. Shared here: what the whole MiniGPT family does.
"""

from __future__ import annotations

from typing import Any

from ..recipe.recipe import Pool, Recipe, Stage
from ..recipe.schedule import WarmupCosine

PAPER, CODE = "arXiv 2304.10592", "MiniGPT-4@d94738a"
LAION = Pool("laion", "webdataset", "laion/laion_dataset/{00000..10488}.tar", ratio=115)
CC_SBU = Pool("cc_sbu", "webdataset", "cc_sbu/cc_sbu_dataset/{00000..01255}.tar", ratio=14)
ALIGN = Pool("cc_sbu_align", "cc_sbu_align", "cc_sbu_align")


def rates(peak: float, last: float, warmup: int, epochs: int, steps: int = 1000, start: float = 1e-6) -> WarmupCosine:
    """Learning rates in the family's own names."""
    return WarmupCosine(peak, last, start, warmup, epochs, steps)


def family_stage(name: str, learning_rates: WarmupCosine, **settings: Any) -> Stage:
    """What all stages of the family share: AdamW with weight decay 0.05, no clipping, fp16 with a scaler, seed 42."""
    usual = {
        "train": (),
        "feeds": (),
        "steps": learning_rates.steps,
        "lr": 0.0,
        "rates": learning_rates,
        "weight_decay": 0.05,
        "decay_tables": True,
        "clip": 0.0,
        "tuning": {"connector": "projector"},
    }
    return Stage(name=name, **{**usual, **settings})


def family_recipe(name: str, about: str, system: str, variant: str, *stages: Stage) -> Recipe:
    """A recipe of the family; it starts from a folder with the published parts."""
    return Recipe(
        name=name,
        about=about,
        stages=stages,
        start=f"checkpoints/{system}-untrained",
        precision="float16",
        seed=42,
        save_every=1000,
        build=f"vlmbench.models.systems.{system}:build",
        restore=f"vlmbench.models.systems.{system}:restore",
        variant=variant,
    )


def _first(source: str) -> Stage:
    """The projector on web captions, without a prompt: 64 rows on each of 4 devices."""
    return family_stage(
        "1",
        rates(1e-4, 8e-5, 5000, 4, 5000),
        pools=(LAION, CC_SBU),
        batch=256,
        per_device=64,
        template="caption",
        text_tokens=20,
        source=source,
    )


def _second(source: str, epochs: int, lesson: str) -> Stage:
    """The projector on some 3,500 detailed descriptions, 12 rows per step."""
    return family_stage(
        "2",
        rates(3e-5, 1e-5, 200, epochs, 200),
        pools=(ALIGN,),
        batch=12,
        per_device=12,
        template=lesson,
        text_tokens=100,
        source=source,
    )


def _recipe(name: str, about: str, variant: str, source: str, epochs: int, lesson: str = "describe") -> Recipe:
    stages = (_first(source), _second(source, epochs, lesson))
    return family_recipe(name, about, "minigpt4", f"minigpt4:{variant}", *stages)


def paper() -> Recipe:
    """Vicuna-13B, 400 steps of stage 2."""
    return _recipe("minigpt4-paper", "MiniGPT-4 with Vicuna-13B, stage 2 of 400 steps", "vicuna-13b", PAPER, 2)


def code() -> Recipe:
    """Vicuna-13B, 1,000 steps of stage 2."""
    return _recipe("minigpt4-code", "MiniGPT-4 with Vicuna-13B, stage 2 of 5 x 200 steps", "vicuna-13b", CODE, 5)


def code_7b() -> Recipe:
    """Vicuna-7B."""
    return _recipe("minigpt4-7b-code", "MiniGPT-4 with Vicuna-7B, stage 2 of 5 x 200 steps", "vicuna-7b", CODE, 5)


def llama2() -> Recipe:
    """Llama-2, without a Q-Former; it has no paper."""
    about = "MiniGPT-4 with Llama-2-7B, four visual tokens in one"
    return _recipe("minigpt4-llama2-code", about, "llama2-7b", CODE, 5, "describe_llama2")
