"""The MiniGPT family's prompts, learning rates and position embeddings, against the official functions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from vlmbench.models.checkpoints.minigpt.names import resized_positions
from vlmbench.models.parts.prompts.minigpt_templates import STYLES
from vlmbench.training.recipe.schedule import WarmupCosine

Counted = Callable[[Path, int], None]
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


def reads(folder: Path) -> bool:
    """Whether a folder holds these."""
    return (folder / "lr_schedules.json").is_file()


def test_prompts_are_the_official_ones(parity_folder: Path, counted: Counted) -> None:
    for file, names in CONVERSATIONS.items():
        theirs = json.loads((parity_folder / file).read_text("utf-8"))
        assert theirs.keys() == names.keys()
        for name, prompts in theirs.items():
            style = STYLES[names[name]]
            assert style.write([("hello", None)], image=True) == prompts[0]
            assert style.write([("hello", "hi there"), ("again", None)], image=True) == prompts[1]
            counted(parity_folder, 2)


def test_learning_rates_are_the_official_ones(parity_folder: Path, counted: Counted) -> None:
    for told in json.loads((parity_folder / "lr_schedules.json").read_text("utf-8")).values():
        named = told["args"]
        schedule = WarmupCosine(
            peak=named["init_lr"],
            last=named["min_lr"],
            start=named["warmup_start_lr"],
            warmup_steps=named["warmup_steps"],
            epochs=named["max_epoch"],
            steps_per_epoch=named["iters_per_epoch"],
        )
        for epoch, step, rate in told["epoch_step_lr"]:
            assert schedule.rate(epoch, step) == pytest.approx(rate, rel=1e-12)
            counted(parity_folder, 1)


def test_position_embeddings_grow_as_official(parity_folder: Path, counted: Counted) -> None:
    with np.load(parity_folder / "pos_embed.npz") as arrays:
        before, after = (torch.from_numpy(arrays[name]) for name in sorted(arrays.files, key=lambda n: arrays[n].size))
    ours = resized_positions(before, after.shape[1] - 1)
    assert ours.shape == after.shape
    assert float((ours - after).abs().max()) <= 1e-6
    counted(parity_folder, 1)
