"""Result files of the lm-eval family: a results file, and a file of samples per task. lmms-eval grew out of lm-eval.

Files of one run share a time in their names; where names were changed, they are paired by what they hold.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.runs.imports.readers.files import (
    File,
    Lines,
    arguments,
    as_list,
    as_mapping,
    doubled,
    json_lines,
    number,
    words,
)
from vlmbench.runs.imports.readers.nouns import Figure, PeerRow, PeerTask

_STAMP = re.compile(r"\d{8}_\d{4,6}|\d{4}-\d\d-\d\dT\d\d[-:]\d\d[-:]\d\d(?:\.\d+)?")
_TASK = re.compile(r"samples_(.+)$")
ID = "doc_id"
SAMPLE_KEYS = ("target",)
STDERRS = ("_stderr", "_stderr_clt", "_stderr_clustered")
KNOWN = frozenset(
    {
        "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash",
        "prompt_hash", "target_hash", "input", "input_media", "token_counts", "task", "alias", "repeats",
        "schema_version",
    }
)  # fmt: skip
"""Keys of a row that are no metric."""
MISSING = "the file has no row for this question"


@dataclass
class Output:
    """The files of one run."""

    results: Mapping[str, Any] = field(default_factory=dict)
    """The results file; empty where there is none."""
    file: File | None = None
    """It."""
    samples: dict[str, File] = field(default_factory=dict)
    """By task."""
    notes: list[str] = field(default_factory=list)

    @property
    def files(self) -> list[Path]:
        """All of them."""
        return [one.path for one in (*([self.file] if self.file else ()), *self.samples.values())]

    def config(self, task: str) -> Mapping[str, Any]:
        """How a task is made, as the results tell."""
        return as_mapping(as_mapping(self.results.get("configs")).get(task))

    def stated(self, task: str) -> dict[tuple[str, str], Any]:
        """(metric, filter) to what the results state, stderrs too, in their order."""
        entry = as_mapping(as_mapping(self.results.get("results")).get(task))
        entry = {**as_mapping(as_mapping(self.results.get("groups")).get(task)), **entry}
        return {
            (name, filtered): value
            for key, value in entry.items()
            for name, comma, filtered in [key.partition(",")]
            if comma
        }

    def effective(self, task: str) -> int | None:
        """How many questions the run asked, as the results tell."""
        told = as_mapping(as_mapping(self.results.get("n-samples")).get(task)).get("effective")
        return told if isinstance(told, int) and not isinstance(told, bool) else None


def is_results(file: File) -> bool:
    """Whether a file is a results file of the family."""
    if file.is_zip or not file.head.lstrip().startswith(b"{"):
        return False
    return isinstance(file.top.get("results"), dict) and ("configs" in file.top or "config" in file.top)


def is_samples(file: File) -> bool:
    """Whether a file holds rows of samples."""
    row = file.first_row
    return all(key in row for key in SAMPLE_KEYS) and ("filtered_resps" in row or "resps" in row)


def outputs(files: Sequence[File], mine: Callable[[Mapping[str, Any], Mapping[str, Any]], bool]) -> list[Output]:
    """The runs among some files. `mine` tells a peer's own by a results file and the first row of a samples file."""
    results = [file for file in files if is_results(file)]
    samples = [file for file in files if is_samples(file)]
    found: dict[tuple[str, str], Output] = {}
    for file in results:
        found[str(file.path), ""] = Output(file.top, file)
    for file in samples:
        beside = [one for one in results if one.path.parent == file.path.parent]
        same = [one for one in beside if _stamp(one) and _stamp(one) == _stamp(file)]
        match = same or [one for one in beside if len(beside) == 1 or _fits(one, file)]
        if len(match) == 1:
            output = found[str(match[0].path), ""]
        else:
            output = found.setdefault((str(file.path.parent), _stamp(file)), Output())
        name = _task_name(file, output)
        if name in output.samples:
            other = output.samples[name]
            if other.path.read_bytes() == file.path.read_bytes():
                output.notes.append(f"{file.path.name} is a copy of {other.path.name}: read once")
                continue
            what = f"two files of samples of {name}, and nothing tells which run each is of: {other.path.name}"
            hint = "put the files of each run into a folder of its own"
            raise DataError(what, where=str(file.path), hint=hint)
        output.samples[name] = file
    return [
        output
        for output in found.values()
        if mine(output.results, next((file.first_row for file in output.samples.values()), {}))
    ]


def _stamp(file: File) -> str:
    match = _STAMP.search(file.path.name)
    return match[0] if match else ""


def _fits(results: File, samples: File) -> bool:
    """Whether a results file tells of a task like that of the samples."""
    name = _named_task(samples)
    return name in as_mapping(results.top.get("results")) if name else bool(_alike(Output(results.top), samples))


def _named_task(file: File) -> str:
    match = _TASK.search(_STAMP.sub("", file.stem).strip("_"))
    return match[1].strip("_") if match else ""


def _task_name(file: File, output: Output) -> str:
    """The task of a file of samples: its name says it, unless the results know better."""
    name = _named_task(file)
    if name and (not output.results or _has_metrics(output, name, file)):
        return name
    alike = [task for task in _alike(output, file) if task not in output.samples]
    if len(alike) == 1:
        return alike[0]
    if len(alike) > 1 and not name:
        what = f"its name does not tell its task, and its rows could be of {' or '.join(alike[:4])}"
        raise DataError(what, where=str(file.path), hint="give it back its name: ..._samples_TASK.jsonl")
    return name or file.stem


def _has_metrics(output: Output, task: str, file: File) -> bool:
    names = [name for name, _ in output.stated(task) if not name.endswith(STDERRS)]
    return any(name in file.first_row for name in names)


def _alike(output: Output, file: File) -> list[str]:
    """The tasks whose metrics and number of questions are those of a file of samples."""
    groups = as_mapping(output.results.get("group_subtasks"))  # a group has no samples of its own
    own = [task for task in as_mapping(output.results.get("results")) if not groups.get(task)]
    tasks = [task for task in own if _has_metrics(output, task, file)]
    if len(tasks) < 2:
        return tasks
    count = len({row.get("doc_id") for _, row in json_lines(file.path).rows})
    counted = [task for task in tasks if output.effective(task) in (None, count)]
    asked = words(file.first_row.get("input"))
    by_words = [task for task in counted if _asks_like(output.config(task), asked)]
    return by_words if len(by_words) == 1 else counted


def _asks_like(config: Mapping[str, Any], asked: str) -> bool:
    told = as_mapping(config.get("lmms_eval_specific_kwargs"))
    after = words(told.get("post_prompt") or as_mapping(told.get("default")).get("post_prompt"))
    return bool(after.strip()) and asked.endswith(after.strip())


# ---------------------------------------------------------------------------------------------------------------- rows


@dataclass
class TaskRows:
    """The rows of a file of samples, each question once per filter."""

    rows: list[Mapping[str, Any]]
    notes: list[str]


def read_rows(file: File, key: Callable[[Mapping[str, Any]], Any]) -> TaskRows:
    """Rows without those that are there twice. Raises DataError where two different rows have one key."""
    lines = json_lines(file.path)
    notes = [*lines.notes, *_numbered(lines, file)]
    kept: dict[Any, tuple[int, Mapping[str, Any]]] = {}
    twice = 0
    for line, row in lines.rows:
        if missing := [name for name in SAMPLE_KEYS if name not in row]:
            what = f"line {line} has no {missing[0]!r}: it is of another file"
            raise DataError(what, where=str(file.path), hint="the file mixes rows of several kinds: take it apart")
        own = key(row)
        if own in kept:
            if kept[own][1] != row:
                what = f"lines {kept[own][0]} and {line} are both of question {own}, with different content"
                hint = "the file mixes two runs: import the files of each by themselves"
                raise DataError(what, where=str(file.path), hint=hint)
            twice += 1
            continue
        kept[own] = (line, row)
    if twice:
        notes.append(f"{file.path.name}: {twice:,} rows are there twice: read once")
    return TaskRows([row for _, row in kept.values()], notes)


def _numbered(lines: Lines, file: File) -> list[str]:
    """Give rows without an id their number in the file, of each filter by itself; returns what to note."""
    counts: Counter[str] = Counter()
    lacking = 0
    for _, row in lines.rows:
        filtered = words(row.get("filter"))
        if row.get(ID) is None:
            row[ID] = counts[filtered]
            lacking += 1
        counts[filtered] += 1
    return [f"{file.path.name}: {lacking:,} rows have no {ID}: numbered in the file's order"] if lacking else []


def metric_names(output: Output, task: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The metrics that rows have values of, in the order of the results; all other keys where there are none."""
    told = list(dict.fromkeys(name for name, _ in output.stated(task) if not name.endswith(STDERRS)))
    own = list(dict.fromkeys(name for row in rows for name in row if name not in KNOWN))
    return [*(name for name in told if name in own), *(name for name in own if name not in told)]


def score_of(value: Any) -> float | None:
    """A metric's value of one row: a number, or an object with a score."""
    if isinstance(value, dict):
        value = value.get("score")
    return None if isinstance(value, str) else number(value)


def filled_up(rows: list[PeerRow], asked: int | None, doc_ids: Iterable[Any], file: File) -> list[str]:
    """Add a row without an answer for every question that the run asked and the file lacks; returns what to note.

    Raises DataError for more rows than the run asked.
    """
    seen = {one for one in doc_ids if isinstance(one, int)}
    if asked is None or asked == len(rows):
        return []
    if asked < len(rows):
        what = f"{len(rows):,} questions, and the results tell of {asked:,}"
        raise DataError(what, where=str(file.path), hint="the file mixes runs, or the results are of another one")
    lacking = asked - len(rows)
    gaps = [number for number in range(max(asked, max(seen, default=-1) + 1)) if number not in seen]
    names = [str(gap) for gap in gaps] if len(gaps) == lacking else [f"missing-{n + 1}" for n in range(lacking)]
    taken = {row.id for row in rows}
    rows += [PeerRow(f"missing-{name}" if name in taken else name, error=MISSING) for name in names]
    return [f"{file.path.name}: {lacking:,} of {asked:,} questions have no row: counted as errors"]


def with_unique_ids(rows: list[PeerRow], own: Sequence[str]) -> list[PeerRow]:
    """Rows under ids of the benchmark (`own`), where each has one and no two are the same; else as they are."""
    return rows if "" in own or doubled(own) else [replace(row, id=key) for row, key in zip(rows, own, strict=True)]


def first_text(value: Any) -> str:
    """The text inside nested lists, as `resps` and `filtered_resps` have it."""
    for _ in range(4):
        if not isinstance(value, list):
            break
        value = value[0] if value else ""
    return words(value)


def model_of(results: Mapping[str, Any], folder: str) -> str:
    """The model as the results name it, or as its options tell; else the folder."""
    config = as_mapping(results.get("config"))
    given = arguments(config.get("model_args"))
    named = next((given[key] for key in ("model_version", "pretrained", "model", "model_name") if given.get(key)), "")
    found = words(results.get("model_name")) or named or words(config.get("model")) or folder
    return found.rstrip("/").rpartition("/")[2] if found.startswith("/") else found  # a path tells of a machine


def without_rows(output: Output, tasks: Sequence[PeerTask]) -> list[Figure]:
    """What the results state of tasks and groups that have no rows."""
    read = {task.dataset for task in tasks}
    named = {**as_mapping(output.results.get("results")), **as_mapping(output.results.get("groups"))}
    return [
        Figure(f"{task}: {metric},{filtered}", number(value))
        for task in named
        if task not in read
        for (metric, filtered), value in output.stated(task).items()
        if number(value) is not None
    ]


def name_of(output: Output) -> str:
    """What a run is called in messages."""
    return model_of(output.results, output.files[0].parent.name)


def own_id(doc: Mapping[str, Any]) -> str:
    """The id that the benchmark itself gives a row; empty for none."""
    return next(
        (words(doc[key]) for key in ("question_id", "id", "qid", "index", "pid") if doc.get(key) is not None), ""
    )


def texts(values: Any) -> list[str]:
    """Answers of people, as lists of texts or of objects with an answer."""
    return [words(one.get("answer")) if isinstance(one, dict) else words(one) for one in as_list(values)]
