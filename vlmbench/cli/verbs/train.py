"""`vlmbench train`: train a recipe, or one of its stages, with a teacher or without; an ablation; or print the plan."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from vlmbench.base import registry
from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes

PRUNE = "prune"
PRUNE_OPTIONS = ("model", "ratio", "recover")
"""The recipe that starts from a model, and its options."""
DISTILL = "distill"
"""In the place of a recipe: --student names it, and --teacher a model that it learns from."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which recipe, and what to change of it."""
    add = parser.add_argument
    add("recipe", nargs="?", metavar="RECIPE[:STAGE]", help="see --list; `distill` takes --teacher and --student")
    add("--teacher", default="", metavar="MODEL", help="distill: the model to learn from, as for run --model")
    add("--student", default="", metavar="RECIPE[:STAGE]", help="distill: the recipe that learns from it")
    add("--list", action="store_true", help="list the recipes and their stages")
    add("--dry-run", action="store_true", help="print the plan: trained parts, tokens, memory, FLOPs, hours on a GPU")
    add("--gpu", default="a100", metavar="NAME", help="the plan's GPU: a100 (default), h100, 3090, 4090")
    add("--devices", type=int, default=1, metavar="N", help="the plan's number of GPUs (default 1)")
    add("--smoke", action="store_true", help="the same recipe at toy size on synthetic scenes, a few steps per stage")
    add("--start", default="", metavar="DIR", help="the initial model, if a single stage is trained")
    add("--model", metavar="NAME[:FOLDER]", help="for prune: the trained model that something is taken out of")
    add(
        "--ratio",
        metavar="SHARE|KIND=SHARE,...",
        help="for prune: what is taken out: a share of heads and neurons, or heads=, neurons=, layers=, weights= "
        "(of one part: language_model.heads=0.25)",
    )
    add("--recover", metavar="RECIPE[:STAGE]", help="for prune: the stage that it trains on afterwards")
    add("--seeds", type=int, metavar="N", help="for an ablation: runs per variant (default 3)")
    add(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a value of the recipe; can be repeated",
    )
    add(
        "--output",
        type=Path,
        metavar="DIR",
        help="where checkpoints and the final model go (default: runs/train-RECIPE)",
    )
    add("--threads", type=int, metavar="N", help="processor threads")
    add("--keep-stages", action="store_true", help="keep the weights with which each stage begins, in DIR/stages")
    add(
        "--check-digits",
        type=Path,
        metavar="DIR",
        help="train the first 200 steps of each stage again, and compare their losses with those of the training there",
    )


def run(args: argparse.Namespace) -> int:
    """Train from the last checkpoint on, or from the start. Ctrl-C leaves a checkpoint to go on from."""
    if args.list:
        for name in registry.recipes.names():
            print(registry.recipes.get(name)().describe())
        for name, path in registry.ABLATIONS.items():
            print(registry.load_object(path)().describe(name))
        print(registry.load_object(f"{registry.DISTIL}:ABOUT"))
        return exit_codes.OK
    if args.recipe is None:
        names = ", ".join([*registry.recipes.names(), *registry.ABLATIONS, DISTILL])
        raise UsageError("no recipe named", hint=f"there are: {names}")
    if args.recipe in registry.ABLATIONS:
        return _ablation(args)
    _check_distill(args)
    recipe = _recipe(args)
    if args.dry_run:
        lines = registry.load_object("vlmbench.training.recipe.plan:describe")(recipe, args.gpu, args.devices)
        print("\n".join([*lines, *registry.load_object(f"{registry.DISTIL}:describe")(recipe)]))
        return exit_codes.OK
    if args.check_digits is not None:
        return _check_digits(recipe, args)
    name = f"{args.recipe}-{args.student}" if args.student else args.recipe
    output = args.output or Path("runs") / f"train-{name.replace(':', '-')}{'-smoke' if args.smoke else ''}"
    train = registry.load_object("vlmbench.training.loop.loop:train")
    train(recipe, output, threads=args.threads, progress=sys.stderr.isatty(), keep_stages=args.keep_stages)
    print(f"trained: {output}")
    return exit_codes.OK


def _check_digits(recipe: Any, args: argparse.Namespace) -> int:
    """A line per stage; exit code 1 where one differs or could not be checked."""
    if args.output is not None:
        raise UsageError("--check-digits trains in a temporary folder", hint="leave --output out")
    check = registry.load_object("vlmbench.training.checks.digits:check")
    good = True
    for found in check(recipe, args.check_digits, threads=args.threads):
        print(found, flush=True)
        good = good and not found.problem
    return exit_codes.OK if good else exit_codes.BAD_RESULT


def _recipe(args: argparse.Namespace) -> Any:
    """The recipe as asked for. Raises UsageError or TrainingError for what is not there or contradicts itself."""
    name, _, stage = (args.student or args.recipe).partition(":")
    recipe = _pruning(args) if name == PRUNE else registry.recipes.get(name)()
    if name != PRUNE and (given := [word for word in PRUNE_OPTIONS if getattr(args, word)]):
        raise UsageError(f"--{given[0]} is of the recipe {PRUNE}", hint=f"vlmbench train {PRUNE} --{given[0]} ...")
    if args.smoke:
        recipe = registry.load_object("vlmbench.training.recipes.smoke:smoke")(recipe)
    if stage:
        recipe = recipe.only(stage, args.start)
    elif args.start:
        recipe = recipe.started_from(args.start)
    if args.teacher:
        recipe = registry.load_object(f"{registry.DISTIL}:distilled")(recipe, args.teacher)
    return recipe.replace(dict(_pair(text) for text in args.set))


def _pruning(args: argparse.Namespace) -> Any:
    """The recipe that prunes a named model. Raises UsageError or TrainingError for a model that cannot be."""
    system, _, folder = (args.model or "tinyllava").partition(":")
    made = registry.recipes.get(PRUNE)
    recipe = made(system, folder, args.recover or "") if args.model or args.recover else made()
    if args.ratio:
        recipe = replace(recipe, pruning=recipe.pruning.with_ratios(args.ratio))
    return recipe


def _check_distill(args: argparse.Namespace) -> None:
    """Raise UsageError where `distill` and its options do not go together."""
    given = bool(args.teacher), bool(args.student)
    if args.recipe == DISTILL and not all(given):
        example = "vlmbench train distill --teacher tinyllava --student tinygptv-nano"
        raise UsageError("distill needs --teacher and --student", hint=f"for example {example}")
    if args.recipe != DISTILL and any(given):
        raise UsageError("--teacher and --student are of `vlmbench train distill`", hint="leave them out")


def _ablation(args: argparse.Namespace) -> int:
    """All variants of an ablation with several seeds each, then its table and plot."""
    ablation = registry.load_object(registry.ABLATIONS[args.recipe])()
    if args.start or args.smoke or args.keep_stages or args.check_digits:
        what = "--start, --smoke, --keep-stages and --check-digits are of single recipes"
        raise UsageError(what, hint="leave them out; --set changes all variants")
    output = args.output or Path("runs") / args.recipe
    run_all = registry.load_object("vlmbench.training.loop.ablation:run")
    changes = dict(_pair(text) for text in args.set)
    told = {"seeds": args.seeds or ablation.seeds, "changes": changes, "threads": args.threads}
    if args.dry_run:
        print("\n".join(ablation.steps(told["seeds"])))
        return exit_codes.OK
    table = run_all(ablation, output, progress=sys.stderr.isatty(), **told)
    print(table)
    print(f"ablation: {output}")
    return exit_codes.OK


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"cannot read --set {text!r}", hint="write --set key=value")
    return key, value
