"""The catalogue: a page for each benchmark, printed from the task itself and its embedded sample."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from docs.printing import benchmark_readings
from docs.printing.markdown import code, fence, joined, table
from vlmbench.base.errors import DataError, UsageError
from vlmbench.base.registry import tasks
from vlmbench.base.samples import Request, Sample
from vlmbench.base.task import DataFile, Exports, Size, Task
from vlmbench.data.files import Folder

FEW = 3
"""Files of a folder that are listed one by one; more are one row."""


def page(name: str, printed: str) -> str:
    """docs/benchmarks/NAME.md."""
    task: Task = tasks.get(name)
    samples = embedded(task, task.splits[0])
    parts = [
        [f"# {task.title.partition(':')[0]}", "", printed, ""],
        [f"{task.title}. Version {task.version} of its scores. [All benchmarks](../benchmarks.md)", ""],
        about(task),
        ["", "## Splits", "", f"`--tasks {name}:SPLIT@PROTOCOL`; the first split and protocol are the default.", ""],
        table(
            ("split", "questions", "pictures", "questions a picture", "right answers", "embedded sample", "note"),
            (split_row(task, split) for split in task.splits),
        ),
        ["", "## Protocols", ""],
        table(
            ("protocol", "headline", "generation", "rules read in", "note"),
            (
                (code(p.name), code(p.headline), generation(task, p.name), p.source, p.note)
                for p in task.protocols.values()
            ),
        ),
        ["", *prompts(task, samples)],
        benchmark_readings.readings(task, samples),
        judging(task),
        benchmark_readings.figures(task, samples),
        files(task),
        formats(task),
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def row(name: str) -> Sequence[str]:
    """The benchmark in the catalogue's list."""
    task: Task = tasks.get(name)
    first = next(iter(task.protocols.values()))
    size = task.sizes.get(task.splits[0])
    default = f"{code(task.splits[0])}: {sized(size)}" if size else code(task.splits[0])
    link = f"[{name}](benchmarks/{name}.md)"
    return link, task.title.partition(": ")[2], default, code(first.headline), joined(task.protocols)


def sized(size: Size) -> str:
    """A size in words."""
    images = "" if size.images is None else f", {size.images:,} pictures"
    return f"{size.questions:,} questions{images}{'' if size.answers else ', server'}"


def embedded(task: Task, split: str) -> Sequence[Sample]:
    """The samples of a split that come with the package; none where they do not."""
    try:
        return task.samples(Folder.sample(task.name), split)
    except DataError:
        return ()


def about(task: Task) -> list[str]:
    """What the task's module says about it, without the first line."""
    text = inspect.cleandoc(getattr(task, "about", "") or sys.modules[type(task).__module__].__doc__ or "")
    return text.partition("\n")[2].strip().splitlines() or [task.title]


def split_row(task: Task, split: str) -> tuple[str, ...]:
    """A split's size, and what of it is embedded."""
    found, size = embedded(task, split), task.sizes.get(split)
    pictures = len({picture.name for sample in found for picture in sample.images})
    have = f"{len(found):,} questions, {pictures} pictures" if found else ""
    if size is None:
        return code(split), "not known here", "", "", "", have, ""
    each = f"{size.questions / size.images:.1f}" if size.images else ""
    answers = "published" if size.answers else "with the server alone"
    return (
        code(split),
        f"{size.questions:,}",
        f"{size.images:,}" if size.images else "not known here",
        each,
        answers,
        have,
        size.note,
    )


def generation(task: Task, protocol: str) -> str:
    """How its answers are made."""
    how = task.protocols[protocol].generation
    words = [f"{how.max_new_tokens} new tokens at most"]
    words += [f"{how.num_beams} beams"] if how.num_beams > 1 else []
    words += [f"temperature {how.temperature}"] if how.temperature else []
    words += [f"stops at {', '.join(code(repr(stop)) for stop in how.stop)}"] if how.stop else []
    return "; ".join(words)


# ------------------------------------------------------------------------------------------------------------ words


def asked(task: Task, samples: Sequence[Sample], protocol: str) -> tuple[Sample, Request, str]:
    """The first question that a protocol takes, what it asks, and which it refuses."""
    taken, refused = [], []
    for sample in samples:
        try:
            taken.append((sample, task.build_request(sample, protocol)))
        except UsageError as error:
            refused.append(error)
    words = f"{len(refused)} of these {len(samples)} questions: {refused[0].what}; {refused[0].hint}" if refused else ""
    return *taken[0], words


def prompts(task: Task, samples: Sequence[Sample]) -> Iterator[str]:
    """Every protocol's words around one question; protocols with the same words together."""
    groups: dict[Hashable, list[tuple[str, Sample, Request, str]]] = {}
    for name in task.protocols:
        sample, request, refused = asked(task, samples, name)
        key = (sample.id, request.prompt, request.choices, len(request.images))
        groups.setdefault(key, []).append((name, sample, request, refused))
    yield from (
        "## Prompts",
        "",
        f"For a question of the embedded sample's split `{task.splits[0]}`. A model puts its own",
    )
    yield from ("chat template around them.", "")
    for group in groups.values():
        _, sample, request, _ = group[0]
        pictures = f" with {len(request.images)} pictures" if len(request.images) != 1 else ""
        yield f"{joined(name for name, *_ in group)}, question `{sample.id}`{pictures}:"
        yield from ("", *fence(request.prompt), "")
        if request.choices:
            yield from (f"Ranked by likelihood: {', '.join(code(choice) for choice in request.choices)}.", "")
        for name, _, _, refused in group:
            if refused:
                yield from (f"`{name}` refuses {refused}.", "")


def judging(task: Task) -> Iterator[str]:
    """Whom the papers had as judge, and what they asked it."""
    rules = {name: protocol.judge for name, protocol in task.protocols.items() if protocol.judge}
    if not rules:
        return
    yield from (
        "## Judge",
        "",
        "Who judged in the papers. Yours is named by `--judge`: [judging](../evaluate/judging.md).",
        "",
    )
    heads = ("protocol", "judge", "tokens at most", "temperature")
    yield from table(heads, ((code(name), r.model, str(r.max_tokens), str(r.temperature)) for name, r in rules.items()))
    templates: dict[str, list[str]] = {}
    for name, rule in rules.items():
        templates.setdefault(rule.template, []).append(name)
    for template, names in templates.items():
        yield from (
            "",
            f"The words around question and answer, {joined(names)} (all messages and languages one after the other):",
            "",
            *fence(template),
        )
    yield ""


# ------------------------------------------------------------------------------------------------------------ files


def files(task: Task) -> Iterator[str]:
    """What is official and wanted on disk, and where it comes from."""
    found: dict[tuple[str, str], list[DataFile]] = {}
    splits: dict[tuple[str, str], list[str]] = {}
    for split in task.splits:
        for wanted in task.required_files(split):
            key = (wanted.path, wanted.url)
            found.setdefault(key, []).append(wanted)
            splits.setdefault(key, []).append(split)
    folders: dict[Hashable, list[tuple[DataFile, list[str]]]] = {}
    for key, (wanted, *_) in found.items():
        path = PurePosixPath(wanted.path)
        group = (path.parent, path.suffix, wanted.url.rpartition("/")[0], wanted.licence, wanted.how, *splits[key])
        folders.setdefault(group, []).append((wanted, splits[key]))
    yield from ("## Data", "", f"`vlmbench data status {task.name}` tells what is there and what is missing,")
    fetched = any(wanted.url for wanted, *_ in found.values())
    yield f"`vlmbench data fetch {task.name}` {'gets what has an address' if fetched else 'can get none of it'}."
    yield ""
    heads = ("below the data folder", "what", "splits", "licence", "from")
    yield from table(heads, (line for group in folders.values() for line in file_rows(task, group)))
    yield ""


def file_rows(task: Task, group: Sequence[tuple[DataFile, list[str]]]) -> Iterator[tuple[str, ...]]:
    """A row a file; one for all of many files that lie together."""
    if len(group) > FEW:
        (first, splits), (last, _) = group[0], group[-1]
        source = f"<{first.url}> and so on" if first.url else first.how
        what = f"{len(group)} such: {first.what}"
        group = [(replace(first, path=f"{first.path}` to `{last.path}", what=what, url="", how=source), splits)]
    for wanted, splits in group:
        source = f"<{wanted.url}>" if wanted.url else wanted.how
        whose = "all" if splits == list(task.splits) else joined(splits)
        needed = " (optional)" if wanted.optional else ""
        yield f"`{wanted.path}`", wanted.what + needed, whose, wanted.licence, source


def formats(task: Task) -> Iterator[str]:
    """Answer files that can be read and written."""
    yield from ("## Answer files", "", f"`vlmbench score {task.name} --predictions PATH` reads:")
    known = getattr(task, "answer_files", None)
    yield from first_paragraph(known.reads if known else task.read_predictions.__doc__)
    if isinstance(task, Exports):
        forms = (f"{code(name)} ({code(suffix) if suffix else 'a folder'})" for name, suffix in task.formats.items())
        yield from ("", f"`vlmbench export RUN --format FORMAT` writes {', '.join(forms)}.")
        yield from first_paragraph(known.writes if known else task.export.__doc__)


def first_paragraph(text: str | None) -> Iterable[str]:
    """The first paragraph of a docstring."""
    return inspect.cleandoc(text or "").partition("\n\n")[0].splitlines()
