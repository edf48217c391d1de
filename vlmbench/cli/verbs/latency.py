"""`vlmbench latency`: how long a model takes to its first token and for each further one, and in which of its parts."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes, terminal
from vlmbench.cli.options import model as model_options
from vlmbench.runs import latency

if TYPE_CHECKING:
    from vlmbench.runs.latency import Latency


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model, and what is varied."""
    add = parser.add_argument
    add("model", metavar="NAME[:CHECKPOINT][,k=v]", help="see `vlmbench models`")
    add("--words", metavar="N,N", help=f"words of the question (default {_listed(latency.PROMPTS)})")
    add("--pixels", metavar="N,N", help=f"a side of the image (default {_listed(latency.SIDES)})")
    add("--answers", metavar="N,N", help=f"questions at a time (default {_listed(latency.BATCHES)})")
    add("--tokens", type=int, default=16, metavar="N", help="tokens behind the first one (default 16)")
    add("--repeats", type=int, default=5, metavar="N", help="measurements of each, after one that warms up (default 5)")
    model_options.add_settings(parser)
    add(
        "--output",
        type=Path,
        metavar="RUN",
        help="write latency.json beside a finished run of the same weights, for the model's page of its report",
    )
    add("--json", action="store_true", help="print JSON on stdout, and nothing else")


def run(args: argparse.Namespace) -> int:
    """Measure each setting, and print a table."""
    from vlmbench.runs.opening import load_model

    for name in ("tokens", "repeats"):
        if not 1 <= getattr(args, name) <= 1000:
            raise UsageError(f"--{name} {getattr(args, name)} is out of range", hint="give a number from 1 to 1000")
    varied = latency.settings(
        _numbers(args.words, "--words", latency.PROMPTS),
        _numbers(args.pixels, "--pixels", latency.SIDES),
        _numbers(args.answers, "--answers", latency.BATCHES),
    )
    model = load_model(model_options.options(args))
    if args.output is not None:
        latency.check_run(args.output, model.fingerprint)
    found: list[Latency] = []
    for setting in varied:
        seen = sum(2 * (args.repeats + 1) * earlier.setting.answers for earlier in found)
        found.append(latency.measure(model, setting, tokens=args.tokens, repeats=args.repeats, first_image=seen))
    report = _report(args, model, found)
    if args.output is not None:
        latency.store(report, args.output)
    if args.json:
        terminal.result(json.dumps(report, indent=2))
    else:
        print(_text(model.name, found))
    return exit_codes.OK


def _listed(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))


def _numbers(text: str | None, option: str, usual: Sequence[int]) -> list[int]:
    """Numbers with commas between them. Raises UsageError for anything else."""
    if text is None:
        return list(usual)
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"{option} {text} is no list of numbers", hint=f"for instance {option} 8,32") from None


def _report(args: argparse.Namespace, model: Any, found: Sequence[Latency]) -> dict[str, Any]:
    return {
        "model": model.name,
        "fingerprint": model.fingerprint,
        "settings": dict(model.settings),
        "tokens": args.tokens,
        "repeats": args.repeats,
        "latency": [one.to_dict() for one in found],
    }


COLUMNS = ("words", "pixels", "answers", "prompt tokens", "first token, ms", "(range)", "tower", "connector", "prefill",
           "rest", "CPU, ms", "per token, ms", "decoding")  # fmt: skip


def _text(name: str, found: Sequence[Latency]) -> str:
    """Times in milliseconds, shares in percent."""
    rows = [COLUMNS, *map(_row, found)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(COLUMNS))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    head = f"{name}: one of words, pixels and answers is varied at a time; shares in % of the first token's time"
    return "\n".join((head, *lines))


def _row(one: Latency) -> tuple[str, ...]:
    low, high = one.first_range
    names = ("vision_tower", "connector", "language_model", "rest")
    shares = [f"{100 * one.parts[name] / one.first:.0f}" if one.parts and one.first else "-" for name in names]
    decoding = "-" if one.decoding is None else f"{100 * one.decoding:.0f}"
    return (
        *map(str, (one.setting.words, one.setting.pixels, one.setting.answers, one.prompt_tokens or "-")),
        f"{1000 * one.first:.1f}",
        f"{1000 * low:.1f}-{1000 * high:.1f}",
        *shares,
        f"{1000 * one.cpu:.1f}",
        f"{1000 * one.per_token:.2f}",
        decoding,
    )
