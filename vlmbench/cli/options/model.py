"""The options that name a model and set how it computes: the same for every verb that asks one."""

from __future__ import annotations

import argparse
from dataclasses import fields

from vlmbench.cli.options import Group
from vlmbench.runs.options import DTYPES, ENGINES, LINEAR, WIDTHS, ModelOptions


def add_model(parser: Group, *, required: bool = True) -> None:
    """Which model."""
    parser.add_argument("--model", required=required, metavar="NAME[:CHECKPOINT][,k=v]", help="see `vlmbench models`")


def add_settings(parser: Group) -> None:
    """How it computes."""
    add = parser.add_argument
    add(
        "--engine",
        choices=ENGINES,
        help="shared: encode each image once (default); simple: one question at a time; batched: hf only",
    )
    add("--recheck-ties", action="store_true", help="recompute answers whose best two tokens nearly tie, one by one")
    add("--dtype", choices=DTYPES, help="number type of the weights (default: the model's choice)")
    add(
        "--quantize",
        choices=WIDTHS,
        help="quantize the language model's weights to 8 or 4 bits; int8-dynamic: its inputs too, on a CPU with VNNI",
    )
    add(
        "--linear", choices=LINEAR, help="Linear layers on a CPU by torch's own library (default), oneDNN or the faster"
    )
    add("--device", help="cpu, cuda, cuda:1, ... (default: the model's choice)")
    add("--threads", type=int, metavar="N", help="processor threads")
    add("--batch-size", metavar="N|auto", help="answers decoded together; hf: rows per batch, too (default: auto)")
    add("--attention", metavar="NAME", help="sdpa, or matmul for bfloat16 on a CPU; hf: eager, ... too (default: sdpa)")
    add("--trust-remote-code", action="store_true", help="hf: run Python code that comes with the checkpoint")


def options(args: argparse.Namespace) -> ModelOptions:
    """The model as the command names and sets it."""
    return ModelOptions(args.model, **{item.name: getattr(args, item.name) for item in fields(ModelOptions)[1:]})
