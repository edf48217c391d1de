"""`vlmbench new task|model NAME`: a starting file with its test, which passes as it is written."""

from __future__ import annotations

import argparse
import re
from importlib import resources
from pathlib import Path

from vlmbench.base import registry
from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes

NAME = re.compile(r"[a-z][a-z0-9_]*")
COLOURS = {"red": (200, 30, 30), "green": (30, 160, 30), "blue": (30, 30, 200)}
"""The images that a new task asks about."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What, how it is called, and where it goes."""
    parser.add_argument("kind", choices=("task", "model"), help="what to write")
    parser.add_argument("name", metavar="NAME", help="its name: lower-case letters, digits and _")
    parser.add_argument("--output", type=Path, metavar="DIR", help="a new folder for the files (default: NAME)")


def run(args: argparse.Namespace) -> int:
    """Write the files and say how to use them."""
    known = {"task": registry.tasks, "model": registry.models}[args.kind]
    if not NAME.fullmatch(args.name):
        raise UsageError(f"{args.name!r} cannot be a {args.kind}'s name", hint="small letters, digits and _")
    if args.name in known.names():
        raise UsageError(f"there is a {args.kind} named {args.name} already", hint="take another name")
    folder = args.output or Path(args.name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError("there is something already", where=str(folder), hint="name a new folder: --output DIR")
    try:
        write(args.kind, args.name, folder)
    except OSError as error:
        raise UsageError(f"cannot write: {error.strerror}", where=str(folder), hint="name another --output") from None
    other = "--model tinyllava --tasks" if args.kind == "task" else "--tasks pope --model"
    print(f"written: {', '.join(sorted(path.name for path in folder.iterdir()))} in {folder}")
    print(f"  pytest {folder}\n  vlmbench run --plugins {folder} {other} {args.name}")
    return exit_codes.OK


def write(kind: str, name: str, folder: Path) -> None:
    """The plug-in and its test; a task's table and images too."""
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in ("my_{}.py", "test_my_{}.py"):
        source = resources.files("vlmbench.plugins.templates").joinpath(pattern.format(kind)).read_text("utf-8")
        target = folder / pattern.format(kind).replace(f"my_{kind}", name)
        target.write_text(source.replace(f"my_{kind}", name), encoding="utf-8")
    if kind == "task":
        _write_questions(folder, name)


def _write_questions(folder: Path, name: str) -> None:
    from PIL import Image

    (folder / "images").mkdir()
    lines = ["image,question,answer,kind"]
    for colour, levels in COLOURS.items():
        Image.new("RGB", (64, 64), levels).save(folder / "images" / f"{colour}.png")
        lines.append(f"images/{colour}.png,What colour is the image?,{colour},colour")
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
