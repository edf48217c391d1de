"""`vlmbench tasks`: list the benchmarks, their splits and protocols."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from vlmbench.base import registry
from vlmbench.base.process import exit_codes, terminal
from vlmbench.base.task import Size, Task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which tasks, and in what form."""
    parser.add_argument("names", nargs="*", metavar="TASK", help="only these, with each protocol's rules")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the table, or the named tasks in full."""
    found: list[Task] = [registry.tasks.get(name) for name in args.names or registry.tasks.names()]
    if args.json:
        terminal.result(json.dumps({task.name: describe(task) for task in found}, indent=2))
    elif args.names:
        print("\n\n".join(in_full(task) for task in found))
    else:
        print("\n".join(line for task in found for line in in_short(task)))
        print(
            "\nNAME[:SPLIT][@PROTOCOL]: first split and protocol are the default. `vlmbench tasks NAME` tells more.\n"
            "q: questions of the official data, img: images, server: only the benchmark's server has the answers."
        )
    return exit_codes.OK


def describe(task: Task) -> dict[str, object]:
    """A task as JSON-like data."""
    protocols = {
        name: {
            "headline": p.headline,
            "source": p.source,
            "note": p.note,
            "max_new_tokens": p.generation.max_new_tokens,
        }
        for name, p in task.protocols.items()
    }
    sizes = {split: asdict(size) for split, size in task.sizes.items()}
    splits = list(task.splits)
    return {"title": task.title, "version": task.version, "splits": splits, "sizes": sizes, "protocols": protocols}


def sized(split: str, size: Size | None) -> str:
    """A split with its size: `testdev_balanced (12,578 q, 398 img)`; the bare name where that is not known."""
    if size is None:
        return split
    images = "" if size.images is None else f", {size.images:,} img"
    return f"{split} ({size.questions:,} q{images}{'' if size.answers else ', server'})"


def in_short(task: Task) -> list[str]:
    """Three lines a task."""
    return [
        f"{task.name:12} {task.title}",
        f"{'':12} splits: {', '.join(sized(split, task.sizes.get(split)) for split in task.splits)}",
        f"{'':12} protocols: {', '.join(f'{name} ({p.headline})' for name, p in task.protocols.items())}",
    ]


def in_full(task: Task) -> str:
    """A task with the source and peculiarities of each protocol."""
    lines = in_short(task)
    for name, protocol in task.protocols.items():
        lines += [f"\n  {task.name}@{name}", f"    headline: {protocol.headline}", f"    source: {protocol.source}"]
        lines += [f"    note: {protocol.note}"] if protocol.note else []
        lines += [f"    at most {protocol.generation.max_new_tokens} new tokens"]
    return "\n".join(lines)
