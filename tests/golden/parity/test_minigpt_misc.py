"""The MiniGPT family's prompts, learning rates and position embeddings, against the official functions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.golden.parity.arrays import batch, per_sample
from vlmbench.models.checkpoints.minigpt.names import resized_positions
from vlmbench.models.parts.prompts.minigpt_templates import PROMPT_FORMATS
from vlmbench.training.recipe.schedule import WarmupCosine

Counted = Callable[[Path, int], None]
KINDS = ("minigpt misc",)
CONVERSATIONS = {
    "conv_prompts_minigpt4_repo.json": {
        "CONV_VISION_Vicuna0": "vicuna0",
        "CONV_VISION_LLama2": "llama2",
        "CONV_VISION_minigptv2": "minigptv2",
    },
    "conv_prompts_tinygptv_repo.json": {
        "CONV_VISION_Vicuna0": "vicuna0",
        "CONV_VISION_LLama2": "vicuna0",
        "CONV_VISION_minigptv2": "tinygptv",
    },
}


def test_prompts_are_the_official_ones(parity_folder: Path, counted: Counted) -> None:
    for file, names in CONVERSATIONS.items():
        theirs = json.loads((parity_folder / file).read_text("utf-8"))
        assert theirs.keys() == names.keys()
        for name, prompts in theirs.items():
            style = PROMPT_FORMATS[names[name]]
            assert style.write([("hello", None)], image=True) == prompts[0]
            assert style.write([("hello", "hi there"), ("again", None)], image=True) == prompts[1]
            counted(parity_folder, 2)


def test_learning_rates_are_the_official_ones(parity_folder: Path, counted: Counted) -> None:
    for entry in json.loads((parity_folder / "lr_schedules.json").read_text("utf-8")).values():
        named = entry["args"]
        schedule = WarmupCosine(
            peak=named["init_lr"],
            last=named["min_lr"],
            start=named["warmup_start_lr"],
            warmup_steps=named["warmup_steps"],
            epochs=named["max_epoch"],
            steps_per_epoch=named["iters_per_epoch"],
        )
        for epoch, step, rate in entry["epoch_step_lr"]:
            assert schedule.rate(epoch, step) == pytest.approx(rate, rel=1e-12)
            counted(parity_folder, 1)


def test_position_embeddings_grow_as_official(parity_folder: Path, counted: Counted) -> None:
    with np.load(parity_folder / "pos_embed.npz") as stored:
        before, after = (batch(name, stored[name]) for name in sorted(stored.files, key=lambda n: stored[n].size))
    ours = torch.cat([resized_positions(one[None], after.shape[1] - 1) for one in before])
    found = [*per_sample("position embeddings", ours, after)]
    assert all(difference.found <= 1e-6 for difference in found)
    counted(parity_folder, len(found))
