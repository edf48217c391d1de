"""`vlmbench tasks`: list the benchmarks, their splits and protocols."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base import registry
from vlmbench.base.errors import VlmbenchError
from vlmbench.base.process import exit_codes, terminal
from vlmbench.base.samples import in_order
from vlmbench.base.settings import Settings

if TYPE_CHECKING:
    from vlmbench.base.task import Task

IMAGE = "<image>"
"""How an image is shown in a printed prompt."""

Description = dict[str, Any]
"""Of a task, JSON-like: title, version, splits, sizes by split, licences of its data, protocols by name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which tasks, and in what form."""
    parser.add_argument("names", nargs="*", metavar="TASK", help="only these, with each protocol's rules and prompt")
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the table, or the named tasks in full."""
    found = {name: described(name) for name in args.names or registry.tasks.names()}
    if args.json:
        terminal.result(json.dumps(found, indent=2))
    elif args.names:
        print("\n\n".join(in_full(name, task) for name, task in found.items()))
    else:
        print("\n".join(line for name, task in found.items() for line in in_short(name, task)))
        print(
            "\nNAME[:SPLIT][@PROTOCOL]: first split and protocol are the default. `vlmbench tasks NAME` tells more.\n"
            "q: questions of the official data, img: images, server: only the benchmark's server has the answers."
        )
    return exit_codes.OK


def described(name: str) -> Description:
    """What is told of a task: of a built-in one by the printed list, which imports no benchmark."""
    if name in registry.tasks.builtin and name in (known := listing()):
        return known[name]
    return describe(registry.tasks.get(name))


@cache
def listing() -> Mapping[str, Description]:
    """The printed list of the built-in tasks (`make docs`)."""
    path: Path = registry.load_object(registry.TASK_LISTING)
    content: Mapping[str, Description] = json.loads(path.read_bytes())
    return content


def printed_listing() -> str:
    """The content of that list."""
    found = {name: describe(registry.tasks.get(name)) for name in registry.tasks.builtin}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def describe(task: Task) -> Description:
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
    return {
        "title": task.title,
        "version": task.version,
        "splits": list(task.splits),
        "sizes": sizes,
        "licences": licences(task),
        "protocols": protocols,
    }


def licences(task: Task) -> list[str]:
    """The licences of the official files of all splits, each once."""
    files = [file for split in task.splits for file in task.required_files(split)]
    return list(dict.fromkeys(file.licence for file in files if file.licence))


def sized(split: str, size: Mapping[str, Any] | None) -> str:
    """A split with its size: `testdev_balanced (12,578 q, 398 img)`; the bare name where that is not known."""
    if size is None:
        return split
    images = "" if size["images"] is None else f", {size['images']:,} img"
    return f"{split} ({size['questions']:,} q{images}{'' if size['answers'] else ', server'})"


def in_short(name: str, task: Description) -> list[str]:
    """Three lines per task, or four."""
    splits = ", ".join(sized(split, task["sizes"].get(split)) for split in task["splits"])
    protocols = ", ".join(f"{protocol} ({rules['headline']})" for protocol, rules in task["protocols"].items())
    lines = [f"{name:12} {task['title']}", f"{'':12} splits: {splits}", f"{'':12} protocols: {protocols}"]
    return [*lines, *([f"{'':12} licence: {'; '.join(task['licences'])}"] if task["licences"] else [])]


def in_full(name: str, task: Description) -> str:
    """A task with the source and peculiarities of each protocol."""
    lines = in_short(name, task)
    for protocol, rules in task["protocols"].items():
        lines += [f"\n  {name}@{protocol}", f"    headline: {rules['headline']}", f"    source: {rules['source']}"]
        lines += [f"    note: {rules['note']}"] if rules["note"] else []
        lines += [f"    at most {rules['max_new_tokens']} new tokens"]
        lines += prompt_lines(name, protocol)
    return "\n".join(lines)


def prompt_lines(name: str, protocol: str) -> list[str]:
    """What a protocol asks of the first question of the embedded sample; the chat template is added by the model."""
    from vlmbench.data.files import read_samples
    from vlmbench.plugins.specs import open_data

    task = registry.tasks.get(name)
    choice = registry.TaskChoice(task, task.splits[0], protocol)
    try:
        request = choice.build_request(read_samples(task, open_data(choice, Settings()), choice.split)[0])
    except VlmbenchError as error:  # a plug-in's data are elsewhere, or the sample has another split
        return [f"    prompt: no sample to show it with ({terminal.clean(error.what):.200})"]
    images = [IMAGE for _ in request.images]
    first = [] if request.image_places else images
    parts = in_order(request.prompt, images, request.image_places) if request.image_places else [request.prompt]
    lines = [f"(system) {line}" for line in request.system.splitlines()] + first + "".join(parts).splitlines()
    ranked = [f"    ranked: {' | '.join(map(terminal.clean, request.choices))}"] if request.choices else []
    return ["    prompt:", *(f"      {terminal.clean(line)}" for line in lines), *ranked]
