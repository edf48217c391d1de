"""MiniGPT-v2's three stages at full size. The code has the third alone; the others are as the paper and others tell.

Sources: arXiv 2310.09478; MiniGPT-4 train_configs/minigptv2_finetune.yaml@d94738a. Paper and code differ in the length
of stage 3: 35,000 steps and 50 x 1,000. The length of stage 1 is told as 400,000 and as 40,000 steps.
"""

from __future__ import annotations

from dataclasses import replace

from ..recipe.recipe import Pool, Recipe, Stage
from .minigpt4 import family_recipe, family_stage, rates

PAPER, CODE = "arXiv 2310.09478", "MiniGPT-4@d94738a"
TUNING = {"connector": "projector", "language_model": "lora"}

ROWS: tuple[tuple[str, str, int, float], ...] = (
    ("multitask_conversation", "multi_task_conversation.json", 2, 50),
    ("llava_conversation", "conversation_58k.json", 2, 30),
    ("unnatural_instruction", "filtered_unnatural_instruction.json", 1, 10),
    ("refvg", "visual_genome", 6, 40),
    ("llava_detail", "detail_23k.json", 4, 20),
    ("llava_reason", "complex_reasoning_77k.json", 4, 80),
    ("flickr_grounded_caption", "groundedcaption.json", 2, 80),
    ("flickr_CaptionToPhrase", "captiontobbox.json", 2, 80),
    ("flickr_ObjectToPhrase", "phrasetobbox.json", 2, 80),
    ("coco_caption", "coco_karpathy_train.json", 6, 10),
    ("textcaps_caption", "TextCaps_0.1_train.json", 6, 30),
    ("refcoco", "refcoco", 6, 25),
    ("refcocop", "refcoco+", 6, 25),
    ("refcocog", "refcocog", 6, 25),
    ("invrefcoco", "refcoco", 6, 10),
    ("invrefcocop", "refcoco+", 6, 10),
    ("invrefcocog", "refcocog", 6, 10),
    ("coco_vqa", "vqa_train.json", 6, 15),
    ("ok_vqa", "okvqa_train.json", 6, 8),
    ("aok_vqa", "aokvqa_v1p0_train.json", 6, 12),
    ("gqa", "train_balanced_questions.json", 6, 50),
    ("ocrvqa", "dataset.json", 6, 30),
)
"""Kind, file or folder, rows per device, ratio: the code's stage 3. Its list names no LAION, so nothing is streamed."""
IMAGE_FOLDERS = {"gqa": "gqa/images", "ocrvqa": "ocrvqa/images", "textcaps_caption": "textcaps/images", "refvg": ""} | {
    **dict.fromkeys(("flickr_grounded_caption", "flickr_CaptionToPhrase", "flickr_ObjectToPhrase"), "flickr30k/images"),
    "unnatural_instruction": "",
}
"""Folders of images that are not COCO's."""
POOLS = tuple(
    Pool(kind, kind, path, IMAGE_FOLDERS.get(kind, "coco/train2014"), ratio, rows) for kind, path, rows, ratio in ROWS
)
_LATE = ("multitask", "llava", "unnatural", "flickr")
FINE = tuple(pool for pool in POOLS if pool.name.partition("_")[0] not in _LATE)
"""The data sets of stage 2: those with fine annotations."""
WEAK = (
    Pool("laion", "webdataset", "laion/laion_dataset/{00000..10488}.tar", ratio=115, rows=12),
    Pool("cc_sbu", "webdataset", "cc_sbu/cc_sbu_dataset/{00000..01255}.tar", ratio=14, rows=12),
)
"""The weak half of stage 1 (GRIT-20M was never listed in code); its shares in the mixture are not published."""


def _stage(
    name: str, peak: float, last: float, epochs: int, pools: tuple[Pool, ...], devices: int, source: str
) -> Stage:
    return family_stage(
        name,
        rates(peak, last, 1000, epochs),
        pools=pools,
        accumulate=devices,
        tuning=TUNING,
        checkpointing=True,
        text_tokens=100,
        source=source,
    )


def _third(epochs: int, source: str) -> Stage:
    return _stage("3", 1e-5, 1e-6, epochs, POOLS, 4, source)


def paper() -> Recipe:
    """All three stages; batches of 96, 64 and 24 rows on 8, 4 and 4 devices."""
    first = tuple(replace(pool, rows=12) for pool in (*WEAK, *FINE))
    second = tuple(replace(pool, rows=16) for pool in FINE)
    return family_recipe(
        "minigptv2-paper",
        "MiniGPT-v2, all three stages (learning rates of 1 and 2 as others tell them)",
        "minigptv2",
        "minigptv2",
        _stage("1", 1e-4, 8e-5, 400, first, 8, f"{PAPER}: 400,000 steps, elsewhere 40,000; no code was published"),
        _stage("2", 1e-5, 1e-6, 50, second, 4, f"{PAPER}; no code was published"),
        _third(35, PAPER),
    )


def code() -> Recipe:
    """Stage 3 alone, 50 x 1,000 steps; it starts from a checkpoint of stage 2."""
    about = "MiniGPT-v2's stage 3 of 50 x 1,000 steps"
    return family_recipe("minigptv2-code", about, "minigptv2", "minigptv2", _third(50, CODE))
