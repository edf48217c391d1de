"""TinyLLaVA's base recipe at full size, as TinyLLaVA Factory's scripts have it (scripts/train/*.sh@53f12c7)."""

from __future__ import annotations

from ..recipe import Feed, Recipe, Stage


def base() -> Recipe:
    """Connector on 558k captions, then language model and connector on 665k conversations; the vision tower rests.

    Start from a folder that holds the published language model and vision tower under Factory's names, and say where
    LLaVA's two JSON files and their pictures are: `--set start=DIR --set stages.pretrain.data=FILE
    --set stages.pretrain.images=DIR`, and the same for `finetune`. Steps are for one epoch of the published files.
    """
    return Recipe(
        name="tinyllava-base",
        about="TinyLLaVA's base recipe at full size, on LLaVA-1.5's data",
        start="checkpoints/tinyllava-untrained",
        precision="bfloat16",
        stages=(
            Stage(
                name="pretrain",
                train=("connector",),
                feeds=(Feed("rows", rows=32, template="pretrain"),),
                accumulate=8,  # 256 rows a step, as 4 devices x 32 x 2
                steps=2180,
                lr=1e-3,
                warmup=0.03,
                clip=1.0,
                data="blip_laion_cc_sbu_558k.json",
                images="llava/llava_pretrain/images",
            ),
            Stage(
                name="finetune",
                train=("language_model", "connector"),
                feeds=(Feed("rows", rows=8),),
                accumulate=16,  # 128 rows a step, as 4 devices x 8 x 4
                steps=5197,
                lr=2e-5,
                warmup=0.03,
                clip=1.0,
                data="llava_v1_5_mix665k.json",
                images="llava/llava_finetune",
            ),
        ),
    )
