"""`vlmbench compress-study`: what number types, quantization, pruning and students cost, against bytes, FLOPs, time."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes, terminal
from vlmbench.compare.compression import fronts, study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model, and in which forms."""
    add = parser.add_argument
    add("model", metavar="NAME[:CHECKPOINT]", help="see `vlmbench models`")
    add("--tasks", required=True, metavar="NAME,...", help="benchmarks that each form answers: see `vlmbench tasks`")
    add(
        "--formats",
        default=",".join(study.FORMATS),
        metavar="NAME,...",
        help=f"number types and quantizations, the one to compare with first (default {','.join(study.FORMATS)})",
    )
    add("--ratio", action="append", default=[], metavar="SHARE|KIND=SHARE,...", help="a pruning level; can be repeated")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value of the pruning recipe")
    add(
        "--also", action="append", default=[], metavar="MODEL", help="another model, such as a student; can be repeated"
    )
    add("--visual-tokens", metavar="N,...", help="numbers or shares of visual tokens that are kept")
    add("--limit", type=int, metavar="N", help="at most N questions per task")
    add("--data", metavar="sample|hub|DIR", help="where the benchmarks' data are")
    add("--threads", type=int, metavar="N", help="processor threads")
    add("--repeats", type=int, default=5, metavar="N", help="measurements of the latency (default 5)")
    add("--output", type=Path, metavar="DIR", help="where everything goes (default: runs/compress-MODEL)")
    add("--json", action="store_true", help="print JSON on stdout, and nothing else")


def run(args: argparse.Namespace) -> int:
    """Run what is not there yet, and print the table."""
    if args.repeats < 1:
        raise UsageError(f"--repeats {args.repeats} measures nothing", hint="give a number above 0")
    pairs = [text.partition("=") for text in args.set]
    if wrong := next((text for text, pair in zip(args.set, pairs, strict=True) if not pair[1]), None):
        raise UsageError(f"cannot read --set {wrong!r}", hint="write --set key=value")
    plan = study.Plan(
        args.model,
        args.tasks,
        formats=_listed(args.formats),
        ratios=args.ratio,
        settings={key: value for key, _, value in pairs},
        also=args.also,
        visual_tokens=_listed(args.visual_tokens or ""),
        limit=args.limit,
        data=args.data,
        threads=args.threads,
        repeats=args.repeats,
    )
    output = args.output or Path("runs") / f"compress-{args.model.replace(':', '-').replace('/', '-')}"
    found = study.run(plan, output)
    if args.json:
        terminal.result(json.dumps(found, indent=2))
        return exit_codes.OK
    head, rows = fronts.columns(found)
    print("\n".join(terminal.aligned([head, *rows], range(1, len(head)))))
    print(f"study: {output}")
    return exit_codes.OK


def _listed(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
