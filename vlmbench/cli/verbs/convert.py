"""`vlmbench convert`: a checkpoint from one format into another, official files into our folders and back."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base import registry
from vlmbench.base.process import exit_codes

if TYPE_CHECKING:
    from collections.abc import Mapping

CONVERT, SOURCE_FILES = (
    "vlmbench.models.systems.convert:convert",
    "vlmbench.models.checkpoints.checkpoint:SourceFiles",
)
SYSTEMS = ("tinyllava", "tinygptv", "minigpt4", "minigptv2")
SHOWN = 8
"""How many unused names of a file are shown."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """From where, to where, in which format, and what the checkpoint needs beside."""
    add = parser.add_argument
    add("source", type=Path, metavar="SRC", help="a .pth, or a checkpoint's folder in any format")
    add("target", type=Path, metavar="DST", help="folder to write; a .pth to write only that")
    add("--to", default="", metavar="FORM", help="format to write (default: official to ours, ours to official)")
    add("--system", default="", choices=SYSTEMS, help="the system: an error if it is another one")
    add("--vit", type=Path, metavar="FILE", help="eva_vit_g.pth; TinyLLaVA's mm_projector.bin: the tower's folder")
    add("--qformer", type=Path, metavar="FILE", help="blip2_pretrained_flant5xxl.pth")
    add("--llm", type=Path, metavar="DIR", help="the language model's folder, in transformers' layout")
    add("--template", default="", metavar="NAME", help="prompt template (default: the published one)")
    add("--image-size", type=int, default=0, metavar="PX", help="image size in pixels (default: the published one)")
    add("--overwrite", action="store_true", help="replace an existing checkpoint at DST")


def run(args: argparse.Namespace) -> int:
    """Convert, and tell what was read."""
    convert, source_files = registry.load_object(CONVERT), registry.load_object(SOURCE_FILES)
    given = source_files(
        vit=args.vit,
        qformer=args.qformer,
        llm=args.llm,
        system=args.system,
        template=args.template,
        image_size=args.image_size,
    )
    report = convert(args.source, args.target, to=args.to, source_files=given, overwrite=args.overwrite)
    print(_table(report), file=sys.stderr)
    print(args.target)
    return exit_codes.OK


def _table(report: Any) -> str:
    lines = [f"{report.system}: {report.before} to {report.after}"]
    width = max(len(file) for file in report.files)
    lines += [f"  {file:{width}}  {size / 2**20:12,.1f} MiB" for file, size in report.files.items()]
    lines.append(f"  {report.tensors:,} tensors, {report.parameters:,} parameters")
    return "\n".join([*lines, *_unused(report.unused)])


def _unused(unused: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Names that are known and of no use, by file."""
    lines = []
    for file, names in unused.items():
        shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        lines.append(f"  not used of {file}: {shown}")
    return lines
