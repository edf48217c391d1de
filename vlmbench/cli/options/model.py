"""How a model is named and set on the command line: the same words for every verb that asks one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import UsageError
from vlmbench.base.extras import install_command
from vlmbench.plugins import specs as loading

if TYPE_CHECKING:
    from vlmbench.base.model import Model

ENGINES, DTYPES, WIDTHS = ("shared", "batched", "simple"), ("float32", "bfloat16", "float16"), ("int8", "int4")
FLAGS = ("engine", "exact", "dtype", "quantize", "device", "threads", "batch", "attention", "trust_remote_code")
NEEDS: Mapping[str, tuple[str, str]] = {"quantize": ("torchao", install_command("quantize"))}
"""Settings that need a package that is not always installed: its module and the command that installs it."""


def add_model(parser: argparse.ArgumentParser) -> None:
    """Which model."""
    parser.add_argument("--model", required=True, metavar="NAME[:CHECKPOINT][,k=v]", help="see `vlmbench models`")


def add_settings(parser: argparse.ArgumentParser) -> None:
    """How it works."""
    add = parser.add_argument
    add(
        "--engine",
        choices=ENGINES,
        help="shared: work on each image once (default); simple: one by one; batched: hf alone",
    )
    add("--exact", action="store_true", help="ask answers that hang on a small margin again, one by one")
    add("--dtype", choices=DTYPES, help="number type of the weights (default: the model's choice)")
    add("--quantize", choices=WIDTHS, help="keep the language model's weights in 8 or 4 bits (default: as they are)")
    add("--device", help="cpu, cuda, cuda:1, ... (default: the model's choice)")
    add("--threads", type=int, metavar="N", help="processor threads")
    add("--batch", metavar="N|auto", help="hf: rows that go through the network at once (default: auto)")
    add("--attention", metavar="NAME", help="hf: sdpa, eager, flash_attention_2, ... (default: transformers' choice)")
    add("--trust-remote-code", action="store_true", help="hf: run Python code that comes with the checkpoint")


def tell(model: Model) -> None:
    """Say what asking a server took."""
    facts = model.facts
    if "calls" in facts:
        cost = f"{facts['usd']:.2f} USD" if "usd" in facts else "price not known"
        tokens = int(facts["prompt_tokens"]) + int(facts["completion_tokens"])
        replies = f"{facts['replies']:,} replies, {facts['cached']:,} from the cache"
        print(f"model {model.name}: {replies}; {tokens:,} tokens, {cost}", file=sys.stderr)


def load(args: argparse.Namespace) -> Model:
    """The model as the command sets it. Raises UsageError for a setting it does not have."""
    return loading.load_model(loading.parse_model(args.model), settings(args))


def settings(args: argparse.Namespace) -> dict[str, Any]:
    """The model's options as the command gives them, by name; None or False for those it does not.

    Raises UsageError for one whose package is missing, before a model is loaded: that takes seconds to minutes.
    """
    found = {name: getattr(args, name) for name in FLAGS}
    for name, (module, command) in NEEDS.items():
        if found[name] and find_spec(module) is None:
            raise UsageError(f"--{name} needs {module}, which is not installed", hint=command)
    return found
