"""LLaVA-style folders: `playground/data/eval` with a folder per benchmark, answers of several models in each.

An answer file has no right answers; the benchmark's own files beside it have them. Which benchmark it is of is found by
joining: the first whose questions the answers fit. LLaVA's scorers are our protocols `llava`, so their figures are
recomputed by these. Chunks and the file that they were merged into are read once. Files that LLaVA's converters write
for scorers and servers hold the same answers and are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmbench.base import registry
from vlmbench.base.errors import DataError, VlmbenchError
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Sample
from vlmbench.data.answers.predictions import ReadsByProtocol
from vlmbench.data.files import Folder, read_samples
from vlmbench.runs.imports.readers.files import File, as_mapping, json_lines, number, words
from vlmbench.runs.imports.readers.nouns import Figure, OurAnswers, PeerRow, PeerRun, PeerTask, each

PEER = "llava"
KEYS = ("question_id", "text")
SIGNS = ("answer_id", "model_id")
"""Of which an answer has one at least; question files have neither."""
ANSWERS = "answers"


@dataclass(frozen=True)
class _Benchmark:
    """One of our benchmarks, and where its files lie below LLaVA's folder of it."""

    task: str
    names: tuple[str, ...]
    """What the folder is called, usually: tried first."""
    below: tuple[str, ...] = ("",)


BENCHMARKS = (
    _Benchmark("pope@llava", ("pope",)),
    _Benchmark("gqa@llava", ("gqa",), ("data", "")),
    _Benchmark("textvqa@llava", ("textvqa",)),
    _Benchmark("mme@llava", ("mme",)),
    _Benchmark("scienceqa:test@llava", ("scienceqa", "sqa")),
    _Benchmark("mmbench:dev_20230712@llava", ("mmbench",)),
    _Benchmark("mmbench:dev_en@llava", ("mmbench",)),
    _Benchmark("mmbench:dev_cn@llava", ("mmbench_cn", "mmbench-cn")),
    _Benchmark("vizwiz@llava", ("vizwiz",)),
    _Benchmark("vqav2@llava", ("vqav2",)),
    _Benchmark("vqav2:test-dev@llava", ("vqav2",)),
    _Benchmark("mmvet", ("mm-vet", "mmvet")),
    _Benchmark("seedbench:all@llava", ("seed_bench", "seedbench")),
    _Benchmark("llava_bench", ("llava-bench-in-the-wild",)),
)


@dataclass
class _Answers:
    """The answer files of one benchmark's folder and one model."""

    folder: Path
    model: str
    files: list[File] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read(files: Sequence[File]) -> list[PeerRun]:
    """The runs among some files: one per model and folder of benchmarks."""
    groups: dict[tuple[str, str], _Answers] = {}
    for file in files:
        if not _is_answers(file):
            continue
        models = {words(row.get("model_id")) for _, row in json_lines(file.path).rows}
        if len(models) > 1:
            what = f"answers of {len(models)} models in one file: {', '.join(sorted(models)[:4])}"
            raise DataError(what, where=str(file.path), hint="part the file by its model_id")
        model = next(iter(models)) or file.stem
        folder = _folder(file)
        groups.setdefault((str(folder), model), _Answers(folder, model)).files.append(file)
    runs: dict[tuple[str, str], list[_Answers]] = {}
    for one in groups.values():
        runs.setdefault((str(one.folder.parent), one.model), []).append(one)
    return each(PEER, lambda one: _run(one[0][1], one[1]), runs.items(), lambda one: one[0][1])


def _is_answers(file: File) -> bool:
    row = file.first_row
    return all(key in row for key in KEYS) and any(key in row for key in SIGNS)


def _folder(file: File) -> Path:
    """The benchmark's folder: that of `answers`, else the file's own."""
    parents = [parent for parent in file.path.parents if parent.name == ANSWERS]
    return parents[0].parent if parents else file.path.parent


def _run(model: str, found: Sequence[_Answers]) -> PeerRun:
    ours, tasks, files, notes = [], [], [], []
    for one in found:
        path = _one_file(one)
        files += [file.path for file in one.files]
        fit = _fitting(one, path)
        if fit is None:
            tasks.append(_bare(one, path))
        else:
            choice, data = fit
            ours.append(OurAnswers(choice, one.folder.name, path, data, _figures(one, choice), tuple(one.notes)))
        notes += one.notes
    return PeerRun(PEER, "", model, tasks, files, notes=notes, ours=ours)


def _one_file(one: _Answers) -> Path:
    """The file with all answers: the only one, or that into which the others were merged; else their folder.

    Raises DataError where files hold different answers to one question.
    """
    if len(one.files) == 1:
        return one.files[0].path
    contents = {file.path: [_identity(row) for _, row in json_lines(file.path).rows] for file in one.files}
    largest = max(contents, key=lambda path: len(contents[path]))
    others = [row for path, rows in contents.items() if path != largest for row in rows]
    if set(others) <= set(contents[largest]):
        one.notes.append(f"{largest.parent.name}/{largest.name} holds the answers of its chunks too: read once")
        return largest
    questions = [row[:2] for rows in contents.values() for row in rows]
    if len(set(questions)) == len(questions) and len({path.parent for path in contents}) == 1:
        one.notes.append(f"{len(contents)} chunks are read together")
        return largest.parent
    names = ", ".join(path.name for path in contents)
    hint = "keep one of them, or give each its own model_id"
    raise DataError(f"several answer files of {one.model}: {names}", where=str(largest.parent), hint=hint)


def _identity(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return words(row.get("question_id")), words(row.get("prompt")), words(row.get("text"))


def _fitting(one: _Answers, path: Path) -> tuple[str, Path] | None:
    """The benchmark whose questions the answers fit, and its data; None where there is none, with a note why."""
    name = one.folder.name.lower()
    likely = [benchmark for benchmark in BENCHMARKS if name in benchmark.names]
    problem = ""
    for benchmark in (*likely, *(other for other in BENCHMARKS if other not in likely)):
        for below in benchmark.below:
            data = one.folder / below if below else one.folder
            try:
                answered(registry.choose_task(benchmark.task), path, data)
            except VlmbenchError as error:
                if benchmark in likely and not problem:
                    problem = error.what
                continue
            return benchmark.task, data
    reason = problem or "no benchmark's files lie beside them"
    one.notes.append(f"{one.folder.name}: the answers are not scored: {reason[:300]}")
    return None


def answered(choice: TaskChoice, path: Path, data: Path) -> tuple[Sequence[Sample], Mapping[str, str]]:
    """The questions in a folder, and the answers of a file to them. Raises VlmbenchError where they do not fit."""
    samples = read_samples(choice.task, Folder(data), choice.split)
    if isinstance(choice.task, ReadsByProtocol):
        return samples, choice.task.read_protocol_predictions(path, samples, choice.protocol)
    return samples, choice.task.read_predictions(path, samples)


def _bare(one: _Answers, path: Path) -> PeerTask:
    """Answers whose benchmark is not there: kept, without scores."""
    paths = [path] if path.is_file() else [file.path for file in one.files]
    rows: list[PeerRow] = []
    seen: dict[str, int] = {}
    for file in paths:
        for _, row in json_lines(file).rows:
            key = words(row.get("question_id"))
            seen[key] = seen.get(key, 0) + 1
            prompt = words(row.get("prompt"))
            own = key if seen[key] == 1 else f"{key}#{seen[key]}"
            rows.append(PeerRow(own, words(row.get("text")), "", prompt, cluster=key))
    lacks = ("images", "right answers", "scores")
    return PeerTask(one.folder.name, "score", rows, notes=one.notes, lacks=lacks, files=paths)


def _figures(one: _Answers, task: str) -> tuple[Figure, ...]:
    """What LLaVA's scorers left in files: of ScienceQA alone."""
    found = []
    for path in _results(one) if task.startswith("scienceqa") else ():
        try:
            told = as_mapping(json.loads(path.read_text("utf-8")))
        except (ValueError, OSError, RecursionError):
            continue
        if number(told.get("acc")) is not None and "results" in told:
            found.append(Figure(f"{path.name}: acc", number(told["acc"]), "accuracy", of_ours=True))
    return tuple(found)


def _results(one: _Answers) -> Iterator[Path]:
    for file in one.files:
        path = file.path.with_name(f"{file.stem}_result.json")
        if path.is_file():
            yield path
