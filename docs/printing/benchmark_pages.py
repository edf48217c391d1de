"""The catalogue: one page per benchmark, printed from the task itself and its embedded sample."""

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
"""Files of a folder that are listed one by one; more than these share a row."""


def page(name: str, printed: str) -> str:
    """docs/benchmarks/NAME.md."""
    task: Task = tasks.get(name)
    samples = embedded(task, task.splits[0])
    parts = [
        [f"# {task.title.partition(':')[0]}", "", printed, ""],
        [f"{task.title}. Scoring version {task.version}. [All benchmarks](../benchmarks.md)", ""],
        about(task),
        ["", "## Splits", "", f"`--tasks {name}:SPLIT@PROTOCOL`; the first split and protocol are the default.", ""],
        table(
            ("split", "questions", "images", "questions per image", "right answers", "embedded sample", "note"),
            (split_row(task, split) for split in task.splits),
        ),
        ["", "## Protocols", ""],
        table(
            ("protocol", "headline", "generation", "source of its rules", "note"),
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
    """A split's size as text."""
    images = "" if size.images is None else f", {size.images:,} images"
    return f"{size.questions:,} questions{images}{'' if size.answers else ', scored by its server'}"


def embedded(task: Task, split: str) -> Sequence[Sample]:
    """The samples of a split that come with the package; none where they do not."""
    try:
        return task.samples(Folder.sample(task.name), split)
    except DataError:
        return ()


def about(task: Task) -> list[str]:
    """The docstring of the task's module, without its first line."""
    text = inspect.cleandoc(getattr(task, "about", "") or sys.modules[type(task).__module__].__doc__ or "")
    return text.partition("\n")[2].strip().replace("*", "\\*").splitlines() or [task.title]


def split_row(task: Task, split: str) -> tuple[str, ...]:
    """A split's size, and that of its embedded sample."""
    found, size = embedded(task, split), task.sizes.get(split)
    images = len({image.name for sample in found for image in sample.images})
    have = f"{len(found):,} questions, {images} images" if found else ""
    if size is None:
        return code(split), "unknown", "", "", "", have, ""
    each = f"{size.questions / size.images:.1f}" if size.images else ""
    answers = "published" if size.answers else "only on the server"
    return (
        code(split),
        f"{size.questions:,}",
        f"{size.images:,}" if size.images else "unknown",
        each,
        answers,
        have,
        size.note,
    )


def generation(task: Task, protocol: str) -> str:
    """How its answers are generated."""
    how = task.protocols[protocol].generation
    words = [f"at most {how.max_new_tokens} new tokens"]
    words += [f"{how.num_beams} beams"] if how.num_beams > 1 else []
    words += [f"temperature {how.temperature}"] if how.temperature else []
    words += [f"stops at {', '.join(code(repr(stop)) for stop in how.stop)}"] if how.stop else []
    return "; ".join(words)


# ------------------------------------------------------------------------------------------------------------ prompts


def first_request(task: Task, samples: Sequence[Sample], protocol: str) -> tuple[Sample, Request, str]:
    """The first question that a protocol accepts, its request, and a text about those that it refuses."""
    taken, refused = [], []
    for sample in samples:
        try:
            taken.append((sample, task.build_request(sample, protocol)))
        except UsageError as error:
            refused.append(error)
    words = f"{len(refused)} of these {len(samples)} questions: {refused[0].what}; {refused[0].hint}" if refused else ""
    return *taken[0], words


def prompts(task: Task, samples: Sequence[Sample]) -> Iterator[str]:
    """Every protocol's prompt for one question; protocols with the same prompt together."""
    groups: dict[Hashable, list[tuple[str, Sample, Request, str]]] = {}
    for name in task.protocols:
        sample, request, refused = first_request(task, samples, name)
        key = (sample.id, request.prompt, request.choices, len(request.images))
        groups.setdefault(key, []).append((name, sample, request, refused))
    yield from (
        "## Prompts",
        "",
        f"For a question of the embedded sample's split `{task.splits[0]}`. Models add their own chat template.",
        "",
    )
    for group in groups.values():
        _, sample, request, _ = group[0]
        images = f" with {len(request.images)} images" if len(request.images) != 1 else ""
        yield f"{joined(name for name, *_ in group)}, question `{sample.id}`{images}:"
        yield from ("", *fence(request.prompt), "")
        if request.choices:
            yield from (f"Ranked by likelihood: {', '.join(code(choice) for choice in request.choices)}.", "")
        for name, _, _, refused in group:
            if refused:
                yield from (f"`{name}` refuses {refused}.", "")


def judging(task: Task) -> Iterator[str]:
    """Which judge the papers used, and its prompt."""
    rules = {name: protocol.judge for name, protocol in task.protocols.items() if protocol.judge}
    if not rules:
        return
    yield from (
        "## Judge",
        "",
        "The judges of the papers. Choose yours with `--judge`: [judging](../evaluate/judging.md).",
        "",
    )
    heads = ("protocol", "judge", "maximum tokens", "temperature")
    yield from table(heads, ((code(name), r.model, str(r.max_tokens), str(r.temperature)) for name, r in rules.items()))
    templates: dict[str, list[str]] = {}
    for name, rule in rules.items():
        templates.setdefault(rule.template, []).append(name)
    for template, names in templates.items():
        yield from (
            "",
            f"The judge's prompt around question and answer, {joined(names)} (all messages and languages in sequence):",
            "",
            *fence(template),
        )
    yield ""


# ------------------------------------------------------------------------------------------------------------ files


def files(task: Task) -> Iterator[str]:
    """The official files that the task needs on disk, and where they come from."""
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
    yield from (
        "## Data",
        "",
        f"`vlmbench data status {task.name}` lists which files are present and which are missing;",
    )
    fetched = any(wanted.url for wanted, *_ in found.values())
    yield f"`vlmbench data fetch {task.name}` {'downloads those with a URL' if fetched else 'cannot download them'}."
    yield ""
    heads = ("path in the data folder", "contents", "splits", "license", "source")
    yield from table(heads, (line for group in folders.values() for line in file_rows(task, group)))
    yield ""


def file_rows(task: Task, group: Sequence[tuple[DataFile, list[str]]]) -> Iterator[tuple[str, ...]]:
    """One row per file; one for many files of the same folder."""
    if len(group) > FEW:
        (first, splits), (last, _) = group[0], group[-1]
        source = f"<{first.url}>, ..." if first.url else first.how
        what = f"{len(group)} files: {first.what}"
        group = [(replace(first, path=f"{first.path}` to `{last.path}", what=what, url="", how=source), splits)]
    for wanted, splits in group:
        source = f"<{wanted.url}>" if wanted.url else wanted.how
        whose = "all" if splits == list(task.splits) else joined(splits)
        needed = " (optional)" if wanted.optional else ""
        yield f"`{wanted.path}`", wanted.what + needed, whose, wanted.licence, source


def formats(task: Task) -> Iterator[str]:
    """The answer files that can be read and written."""
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
