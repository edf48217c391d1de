"""`vlmbench train`: train a recipe, or one of its stages."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vlmbench import cli, registry
from vlmbench.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which recipe, and what to change of it."""
    add = parser.add_argument
    add("recipe", nargs="?", metavar="RECIPE", help="see --list")
    add("--list", action="store_true", help="list the recipes and their stages")
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a value of the recipe; may be given often",
    )
    add(
        "--output",
        type=Path,
        metavar="DIR",
        help="where checkpoints and the final model go (default: runs/train-RECIPE)",
    )
    add("--threads", type=int, metavar="N", help="processor threads")


def run(args: argparse.Namespace) -> int:
    """Train from the last checkpoint on, or from the start. Ctrl-C leaves a checkpoint to go on from."""
    if args.list:
        for name in registry.recipes.names():
            print(registry.recipes.get(name)().describe())
        return cli.OK
    if args.recipe is None:
        raise UsageError("no recipe named", cure=f"there are: {', '.join(registry.recipes.names())}")
    changes = dict(_pair(text) for text in args.set)
    recipe = registry.recipes.get(args.recipe)().replace(changes)
    output = args.output or Path("runs") / f"train-{args.recipe}"
    train = registry.load_object("vlmbench.training.loop:train")
    train(recipe, output, threads=args.threads, progress=sys.stderr.isatty())
    print(f"trained: {output}")
    return cli.OK


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"cannot read --set {text!r}", cure="write --set key=value")
    return key, value
