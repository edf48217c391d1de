"""MiniGPT-4: Vicuna with a Q-Former, or Llama-2 without."""

from __future__ import annotations

from functools import partial

from . import minigpt

load = partial(minigpt.load, "minigpt4")
restore = partial(minigpt.restore, "minigpt4")
build = minigpt.build
