"""MiniGPT-v2: 448 px, four patches per token, Llama-2 with adapters."""

from __future__ import annotations

from functools import partial

from . import minigpt

load = partial(minigpt.load, "minigptv2")
restore = partial(minigpt.restore, "minigptv2")
build = minigpt.build
