"""TinyGPT-V: Q-Former, two linear layers, Phi-2 with more norms and adapters."""

from __future__ import annotations

from functools import partial

from . import minigpt

load = partial(minigpt.load, "tinygptv")
restore = partial(minigpt.restore, "tinygptv")
build = minigpt.build
