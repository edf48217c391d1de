"""`vlmbench models`: list the models and their published variants; count a variant's parameters; look into a folder."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vlmbench.base import registry
from vlmbench.base.process import exit_codes, terminal

Sheet = Any
"""models/zoo/model_stats.py: Sheet."""
PARTS = ("vision tower", "Q-Former", "connector", "language model", "adapters")
HEAD = ("variant", "visual tokens", *PARTS, "total", "never run", "float32", "bfloat16", "int8", "int4", "template")
INDENT = " " * 13
PRUNING_RECORD = "pruning.json"
"""Beside the weights of a model that `vlmbench train prune` made (training/pruning/store.py)."""
LEFT = ("variant", "template", "stage", "trained")
"""Columns of words; the others are numbers, set flush right."""
NOTES = (
    "Tied weights count once.",
    "never run: layers of the tower after the one that is used, its final norm and pooling head; part of the total.",
    "float32 to int4: bytes of the weights when loaded to answer, with merged adapters; int8 and int4 apply to the "
    "Linear layers of the language model, while its embeddings, head, norms and biases and all other parts stay in "
    "bfloat16.",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which models, and in what form."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="MODEL[:VARIANT|:FOLDER]",
        help="count the parameters of its published variants, without weights, and list its options; or load a folder "
        "and print its facts",
    )
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the names, or what the named ones are."""
    from vlmbench.plugins import specs as loading

    if not args.names:
        if args.json:
            terminal.result(json.dumps(_listing(), indent=2))
        else:
            print("\n".join(_lines()))
        return exit_codes.OK
    told: dict[str, Any] = {}
    for spec in args.names:
        told[spec] = _published(spec) or _unloaded(spec) or _loaded(loading.parse_model(spec))
    if args.json:
        terminal.result(json.dumps({spec: _plain(facts) for spec, facts in told.items()}, indent=2))
    else:
        print("\n\n".join("\n".join([_shown(spec, facts), *_option_lines(spec)]) for spec, facts in told.items()))
    return exit_codes.OK


def _listing() -> dict[str, dict[str, Any]]:
    from vlmbench.plugins import variants as weights

    where = {name: registry.MODELS.get(name, "(plug-in)") for name in registry.models.names()}
    return {name: {"where": told, "variants": list(weights.variants(name))} for name, told in where.items()}


def _lines() -> list[str]:
    lines = []
    for name, facts in _listing().items():
        lines.append(f"{name:12} {facts['where']}")
        named = [variant for variant in facts["variants"] if variant != name]
        lines += textwrap.wrap(
            ", ".join(named), 120, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False
        )
    how = (
        "NAME:VARIANT is a published model. `vlmbench models NAME` and `vlmbench models NAME:VARIANT` tell what it is."
    )
    return [*lines, "", how]


def _published(spec: str) -> list[Sheet]:
    """The sheets of a variant, or of all of a system; none where there is neither. A folder goes before a variant."""
    from vlmbench.plugins import variants as weights

    _, _, named = spec.partition(":")
    if named and Path(named).expanduser().exists():
        return []
    found = [variant] if (variant := weights.find_variant(spec)) else [*weights.variants(spec).values()]
    count = registry.load_object(registry.SHEET) if found else None
    return [count(variant.name) for variant in found] if count else []


def _unloaded(name: str) -> dict[str, Any]:
    """What is told of a built-in model by its bare name, where there is nothing to count; empty for anything else."""
    if not (known := _defaults(name)):
        return {}
    return {"where": registry.MODELS[name], "options": dict(known)}


def _defaults(name: str) -> Mapping[str, str]:
    """The options of a built-in model's loader with their defaults, from its source."""
    from vlmbench.plugins.loader_options import of_loader

    return (of_loader(registry.MODELS[name]) or {}) if name in registry.models.builtin else {}


def _option_lines(spec: str) -> list[str]:
    """The options of a model that is named alone, as --model takes them."""
    words = ", ".join(f"{option}={value}" for option, value in _defaults(spec).items())
    if not words:
        return []
    head = f"options: --model {spec}[:CHECKPOINT],OPTION=VALUE,...; with their defaults (none: as the model says)"
    indented = textwrap.wrap(words, 118, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    return ["", head, *indented]


def _loaded(spec: Any) -> dict[str, Any]:
    from vlmbench.plugins import specs as loading

    model = loading.load_model(spec, {})
    facts = {"fingerprint": model.fingerprint, **model.settings, **model.facts}
    facts |= registry.load_object(registry.MODEL_FIGURES)(model) if spec.name in registry.models.builtin else {}
    record = Path(spec.checkpoint or "").expanduser() / PRUNING_RECORD
    return {**facts, "pruned": json.loads(record.read_text("utf-8"))} if record.is_file() else facts


def _plain(facts: list[Sheet] | dict[str, Any]) -> Any:
    if isinstance(facts, dict):
        return facts
    return [{**asdict(sheet), "total": sheet.total} for sheet in facts]


def _shown(spec: str, facts: list[Sheet] | dict[str, Any]) -> str:
    if isinstance(facts, dict):
        shown = {name: value for name, value in facts.items() if name not in ("options", "pruned")}
        lines = [spec, *(f"  {name:12} {value}" for name, value in shown.items())]
        return "\n".join([*lines, *_pruned(facts["pruned"])]) if "pruned" in facts else "\n".join(lines)
    if len(facts) == 1:
        return "\n".join([*in_full(facts[0]), "", *_notes()])
    head = tuple(name for name in HEAD if name != "float32")
    rows = [[cell for cell, name in zip(row(sheet), HEAD, strict=True) if name in head] for sheet in facts]
    stages = [[sheet.name, stage, count(sum(by.values()))] for sheet in facts for stage, by in sheet.stages.items()]
    table = _aligned(head, rows)
    return "\n".join([*table, "", *_aligned(("variant", "stage", "learns"), stages), "", *_notes()])


def _pruned(record: Mapping[str, Any]) -> list[str]:
    """What pruning took out, and the figures before and after it."""
    lines = ["  pruned"]
    for part, told in record["parts"].items():
        kept = [f"{told[kind][0]} of {told[kind][1]} {kind}" for kind in ("layers", "heads", "neurons") if kind in told]
        zeros = [f"{told['zeros']:.1%} of its weights are 0"] if "zeros" in told else []
        lines.append(f"    {part}: {', '.join([*kept, *zeros])}")
    rows = [("", "parameters", "FLOPs per question", *record["before"]["bytes"])]
    for name in ("before", "after"):
        told = record[name]
        sizes = [f"{held / 1e6:.2f} MB" for held in told["bytes"].values()]
        rows.append((name, count(told["parameters"]), f"{told['flops_per_question'] / 1e9:.3f} G", *sizes))
    return [*lines, *(f"    {line}" for line in terminal.aligned(rows, range(1, len(rows[0])), rule=False))]


def _notes() -> list[str]:
    return [line for note in NOTES for line in textwrap.wrap(note, 120)]


def count(number: int) -> str:
    """`3.217 B`, `45.27 M`; empty for nothing."""
    if not number:
        return ""
    return f"{number / 1e9:.3f} B" if number >= 1e9 else f"{number / 1e6:.2f} M"


def size(number: int) -> str:
    """Bytes as `6.43 GB` (10^9)."""
    return f"{number / 1e9:.2f} GB"


def row(sheet: Sheet) -> list[str]:
    """The cells under HEAD."""
    parts = [count(sheet.parts.get(part, 0)) for part in PARTS]
    sizes = [size(sheet.memory[kind]) for kind in ("float32", "bfloat16", "int8", "int4")]
    tokens = str(sheet.visual_tokens)
    return [sheet.name, tokens, *parts, count(sheet.total), count(sheet.never_run), *sizes, sheet.template]


def stage_text(learns: Mapping[str, int]) -> str:
    """`45.27 M: connector 13.64 M, language model 0.17 M, adapters 31.46 M`."""
    parts = ", ".join(f"{part} {count(learns[part])}" for part in PARTS if learns.get(part))
    return parts if len(learns) == 1 else f"{count(sum(learns.values()))}: {parts}"


def in_full(sheet: Sheet) -> list[str]:
    """A variant with everything known of it."""
    variant = registry.load_object(registry.VARIANTS)[sheet.name]
    weights = variant.weights
    lines = [sheet.name, f"  {'source':16} {sheet.source}"]
    lines += [f"  {'made of':16} {variant.made_of}"]
    lines += [f"  {'official weights':16} {weights.where if weights else 'none known'}"]
    for name, cell in zip(HEAD[1:], row(sheet)[1:], strict=True):
        if cell:
            lines.append(f"  {name:16} {cell:>10}")
    for stage in variant.stages:
        lines += [f"  stage {stage.name:10} {stage_text(sheet.stages[stage.name])}", f"  {'':16} {stage.source}"]
    return lines


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table for the terminal; columns without any entry are left out."""
    kept = [n for n in range(len(head)) if any(one[n] for one in rows)]
    cells = [[line[n] for n in kept] for line in (head, *rows)]
    return terminal.aligned(cells, [at for at, n in enumerate(kept) if head[n] not in LEFT])
