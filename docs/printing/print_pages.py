"""Writes what is generated from the code: pages of docs/, and the list that `vlmbench tasks` prints.

`python -m docs.printing.print_pages` (`make docs`).
tests/house/test_docs.py fails if a page is out of date.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from docs.printing import benchmark_pages, perturbation_pages, robustness_pages, suite_pages
from docs.printing.markdown import cell, table
from vlmbench.base import registry
from vlmbench.cli import main as cli
from vlmbench.cli.verbs import tasks

DOCS = Path(__file__).resolve().parents[1]
PRINTED = "<!-- Printed by docs/printing/print_pages.py (`make docs`): change the code, not this page. -->"


def option_rows(parser: argparse.ArgumentParser) -> Iterator[str]:
    """A table row for each argument of a verb, except --help."""
    for action in parser._actions:
        if "--help" in action.option_strings:
            continue
        values = action.metavar or ("|".join(map(str, action.choices)) if action.choices else "")
        if isinstance(values, tuple):
            values = " ".join(values)
        if not values and action.nargs != 0:
            values = action.dest.upper()
        words = ", ".join(action.option_strings)
        word = f"{words} {values}".strip() if words else str(values)
        needed = " **Required.**" if action.required and action.option_strings else ""
        yield f"| `{cell(word)}` | {cell((action.help or '').replace('%%', '%'))}{needed} |"


def commands() -> str:
    """docs/evaluate/commands.md: every verb with its options."""
    lines = ["# Commands", "", PRINTED, "", "```console", "$ vlmbench --help", cli.overview(), "```", *COMPLETION]
    for verb, text in cli.VERBS.items():
        lines += ["", f"## vlmbench {verb}", "", f"{text[0].upper()}{text[1:]}.", ""]
        lines += ["| argument | what it does |", "|---|---|", *option_rows(cli.parser(verb))]
    return "\n".join(lines) + "\n"


COMPLETION = """
<!-- test:
eval "$(vlmbench completion bash)"
vlmbench completion zsh
vlmbench completion fish
-->
The Tab key completes verbs, options, and the names of tasks, splits, protocols, models and recipes, with a line in your
shell's start-up file:

| shell | line | file |
|---|---|---|
| bash | `eval "$(vlmbench completion bash)"` | `~/.bashrc` |
| zsh | `eval "$(vlmbench completion zsh)"` | `~/.zshrc`, below `compinit` |
| fish | `vlmbench completion fish \\| source` | `~/.config/fish/config.fish` |
""".rstrip().splitlines()


def benchmarks() -> str:
    """docs/benchmarks.md: the list of all benchmarks."""
    lines = ["# Benchmarks and their protocols", "", PRINTED, ""]
    lines += ["Where papers and tools disagree on how to run a benchmark, each variant is a named protocol:"]
    lines += ["`--tasks NAME:SPLIT@PROTOCOL`. The first split and the first protocol are the default. Each benchmark's"]
    lines += ["page has its splits, prompts, answer parsing, metrics, and how to get the data.", ""]
    heads = ("benchmark", "what", "default split", "headline", "protocols")
    return "\n".join([*lines, *table(heads, map(benchmark_pages.row, registry.tasks.builtin)), *ANSWER_FILES]) + "\n"


ANSWER_FILES = """
## Answer files

`vlmbench score TASK --predictions PATH` reads the files named on each benchmark's page, and rows of an id and an
answer: JSON Lines, a JSON array, one object of answers by id, tables (`.csv`, `.tsv`) and spreadsheets (`.xlsx`). Which
column has the model's answer is decided once per file, from the names of all its columns:

- A column named for a prediction (`prediction`, `pred`, `response`, `output`, `model_answer`, `generated_text`, ...)
  takes precedence; an `answer` next to it is then the right answer. Two such columns that differ are refused.
  So are scores, percentages and marks of 0 and 1 under such a name if the right answers are words.
- `text` is the answer in LLaVA's lines (with a `prompt` next to it), and the question if it repeats the questions.
- `answer` is the model's if it is the only candidate or next to a column named for the right answer (`gt`,
  `annotation`, `label`, ...), and is refused next to columns that only rows of the dataset have.
- Question files, label files and annotations are recognised by their contents and refused, and so are answers that
  equal the questions. Answers that all equal the right answers are scored with a note; next to another column that
  could be a model's (`my_model`) they are refused.
- Files whose names start with a dot are ignored. Archives, a complete file next to its parts, and answers of two models
  (`model_id`) are refused.
""".splitlines()


def decisions() -> str:
    """docs/decisions/index.md: the titles of all decisions."""
    lines = ["# Decisions", "", PRINTED, ""]
    lines += ["Half a page for each design decision that is not obvious, with the rejected alternatives.", ""]
    for path in sorted((DOCS / "decisions").glob("[0-9]*.md")):
        number, _, title = path.read_text("utf-8").partition("\n")[0].removeprefix("# ").partition(": ")
        lines.append(f"- [{number}]({path.name}): {title}")
    return "\n".join(lines) + "\n"


def models() -> str:
    """docs/models/models.md: the published variants, counted."""
    from docs.printing import model_pages  # imports torch, which the other pages do not need

    return model_pages.models(PRINTED)


def training_ablations() -> str:
    """docs/training/training-ablations.md: results of the trained ablations."""
    from docs.printing import training_ablation_pages  # imports torch, too

    return training_ablation_pages.page(PRINTED)


PAGES: Mapping[str, Callable[[], str]] = {
    "evaluate/perturbations.md": partial(perturbation_pages.page, PRINTED),
    "evaluate/robustness.md": partial(robustness_pages.page, PRINTED),
    "evaluate/commands.md": commands,
    "evaluate/suites.md": partial(suite_pages.page, PRINTED),
    "benchmarks.md": benchmarks,
    "decisions/index.md": decisions,
    "models/models.md": models,
    "training/training-ablations.md": training_ablations,
    **{f"benchmarks/{name}.md": partial(benchmark_pages.page, name, PRINTED) for name in registry.tasks.builtin},
    "../tasks/listing.json": tasks.printed_listing,
}


def main() -> None:
    """Write every page."""
    for name, text in PAGES.items():
        (DOCS / name).parent.mkdir(exist_ok=True)
        (DOCS / name).write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
