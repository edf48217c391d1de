"""TinyGPT-V's four stages at full size, as the paper and as the code has them.

Sources: arXiv 2312.16862v2; TinyGPT-V train_configs/tinygptv_stage{1,2,3,4}.yaml@83f6189. Paper: stage 1 trains no
adapters and lasts 17 x 1,000 steps; stage 4 reads captions of COCO and OCR-VQA too. Code: adapters from the start, one
epoch of 5,000 steps, to be run 17 times by hand; both data sets are commented out. Both let the learning rate of stage
4 rise, from 1e-5 to 8e-5.
"""

from __future__ import annotations

from dataclasses import replace

from ..recipe.recipe import Pool, Recipe, Stage
from .minigpt4 import ALIGN, CC_SBU, LAION, family_recipe, family_stage, rates
from .minigptv2 import POOLS

PAPER, CODE = "arXiv 2312.16862", "TinyGPT-V@83f6189"
NORMS = {"connector": "projector", "language_model": "norms"}
ALL = {"connector": "projector", "language_model": "lora+norms"}
BATCHES = {"llava_detail": 2, "llava_reason": 2, "multitask_conversation": 1, "llava_conversation": 1} | {
    "unnatural_instruction": 1,
    **dict.fromkeys(("flickr_grounded_caption", "flickr_CaptionToPhrase", "flickr_ObjectToPhrase"), 1),
}
"""Rows of a step in stage 4, where they are not 3."""
LARGER = {"vision_config": {"image_size": 448}, "template": "tinygptv"}
"""Stage 4 looks at 448 pixels and answers in its own style."""


def _captions(name: str, tuning: dict[str, str], lengths: tuple[int, int, int], source: str) -> Stage:
    """Stages 1 and 2: web captions, 64 rows per step."""
    warmup, epochs, steps = lengths
    return family_stage(
        name,
        rates(1e-4, 8e-5, warmup, epochs, steps),
        pools=(LAION, CC_SBU),
        batch=64,
        per_device=64,
        template="caption",
        tuning=tuning,
        text_tokens=20,
        source=source,
    )


def _describe(source: str) -> Stage:
    """Stage 3: detailed descriptions, 6 rows per step."""
    return family_stage(
        "3",
        rates(3e-5, 1e-5, 200, 5, 200),
        pools=(ALIGN,),
        batch=6,
        per_device=6,
        template="describe",
        tuning=ALL,
        text_tokens=100,
        source=source,
    )


def _many(source: str, left_out: tuple[str, ...] = ()) -> Stage:
    """Stage 4: the data sets of MiniGPT-v2's stage 3."""
    pools: tuple[Pool, ...] = tuple(
        replace(pool, rows=BATCHES.get(pool.name, 3)) for pool in POOLS if pool.name not in left_out
    )
    return family_stage(
        "4",
        rates(1e-5, 8e-5, 1000, 50),
        pools=pools,
        tuning=ALL,
        config=LARGER,
        template="instruct_tinygptv",
        checkpointing=True,
        text_tokens=100,
        source=source,
    )


def paper() -> Recipe:
    """As the paper tells it."""
    return family_recipe(
        "tinygptv-paper",
        "TinyGPT-V as the paper tells it: adapters from stage 2 on",
        "tinygptv",
        "tinygptv:stage123",
        _captions("1", NORMS, (1000, 17, 1000), PAPER),
        _captions("2", ALL, (5000, 4, 5000), PAPER),
        _describe(PAPER),
        _many(PAPER),
    )


def code() -> Recipe:
    """As the configs have it, stage 1 once; the README has it run 17 times."""
    return family_recipe(
        "tinygptv-code",
        "TinyGPT-V as the code has it: adapters from the start",
        "tinygptv",
        "tinygptv:stage123",
        _captions("1", ALL, (1000, 1, 5000), CODE),
        _captions("2", ALL, (5000, 4, 5000), CODE),
        _describe(CODE),
        _many(CODE, ("coco_caption", "ocrvqa")),
    )
