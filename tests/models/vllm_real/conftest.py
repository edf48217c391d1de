"""vLLM itself, or no tests: a skip where it is not installed. Its checkpoints, made once."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from tests.models.vllm_real.checkpoints import CHECKPOINTS, make

os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders by name."""
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed: make vllm-test")
    made = {}
    for name in CHECKPOINTS:
        made[name] = tmp_path_factory.mktemp(name)
        make(made[name], name)
    return made
