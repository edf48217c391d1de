"""Optional packages: what each extra of pyproject.toml installs, and the command that messages give for it.

The command names the packages themselves, not `vlmbench-eval[EXTRA]`: that is right for a checkout, a wheel and an
installation from git alike.
"""

from __future__ import annotations

from collections.abc import Mapping

EXTRAS: Mapping[str, str] = {
    "hf": "num2words>=0.5",
    "quantize": "torchao>=0.18",
    "ray": "ray>=2.49",
    "remote": "universal-pathlib>=0.3",
    "train": "webdataset>=0.2.100",
    "vllm": "vllm>=0.12",
}
"""Extra to its requirement, as in pyproject.toml (tests/house/test_install.py)."""


def install_command(extra: str) -> str:
    """The command that installs what an extra needs."""
    return f"pip install '{EXTRAS[extra]}'"
