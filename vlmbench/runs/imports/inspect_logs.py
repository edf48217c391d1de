"""Inspect's logs: .eval archives and JSON, versions 0.3.

An archive's members may be packed with Zstandard, which Python's zipfile cannot unpack before 3.14: here they are
unpacked with pyarrow, within the sizes that the archive tells. Other methods are left to Inspect's own reader, where it
is installed. Samples of several epochs are one question: its score is that of the reducer. A sample with an error has
no score, and a log that failed has no results.
"""

from __future__ import annotations

import hashlib
import math
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.runs.imports.files import File, as_list, as_mapping, number, parsed, words
from vlmbench.runs.imports.nouns import STDERR, Figure, PeerRow, PeerRun, PeerTask

PEER = "inspect"
ZSTANDARD = 93
"""Zstandard's number among the methods of zip archives."""
HEADER, START = "header.json", "_journal/start.json"
SAMPLES = "samples/"
LARGEST, WHOLE = 512 << 20, 16 << 30
"""Bytes of one member, and of all, when unpacked."""
MEMBERS = 2_000_000
LETTERED: Mapping[str, float] = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""What Inspect's value_to_float makes of a scorer's letters: correct, incorrect, partial, no answer."""
SAID: Mapping[str, float] = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
AVERAGES = ("accuracy", "mean")
GROUPED = "all"
HINT = "pip install 'vlmbench-eval[inspect]' reads it, or `inspect log dump FILE > FILE.json`"


@dataclass
class _Log:
    """One log: its header, and its samples."""

    file: File
    header: Mapping[str, Any]
    samples: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def eval(self) -> Mapping[str, Any]:
        """What was evaluated."""
        return as_mapping(self.header.get("eval"))

    @property
    def key(self) -> tuple[str, str]:
        """The same in a log and in its dump."""
        return words(self.eval.get("run_id")), words(self.eval.get("task_id") or self.eval.get("eval_id"))


def read(files: Sequence[File]) -> list[PeerRun]:
    """The runs among some files: the logs of one model in one folder, a task each."""
    runs: list[list[_Log]] = []
    notes: dict[int, list[str]] = {}
    seen: dict[tuple[str, str], tuple[_Log, int]] = {}
    for log in sorted(_logs(files), key=lambda log: (not log.file.is_zip, str(log.file.path))):
        if log.key in seen and any(log.key):
            first, place = seen[log.key]
            if len(log.samples) > len(first.samples):
                first.samples = log.samples
            notes[place].append(f"{log.file.path.name} is the log {first.file.path.name} again: read once")
            continue
        place = _place(runs, log)
        if place == len(runs):
            runs.append([])
            notes[place] = []
        runs[place].append(log)
        seen[log.key] = (log, place)
    return [_run(logs, notes[place]) for place, logs in enumerate(runs)]


def _place(runs: Sequence[Sequence[_Log]], log: _Log) -> int:
    """The run that a log belongs to: that of its model and folder which has no such task yet; else a new one."""
    for place, logs in enumerate(runs):
        first = logs[0]
        same = first.file.path.parent == log.file.path.parent and _model(first) == _model(log)
        version = as_mapping(first.eval.get("packages")) == as_mapping(log.eval.get("packages"))
        if same and version and all(one.eval.get("task") != log.eval.get("task") for one in logs):
            return place
    return len(runs)


def _model(log: _Log) -> str:
    return words(log.eval.get("model")) or log.file.stem


def _logs(files: Sequence[File]) -> Iterator[_Log]:
    for file in files:
        if file.is_zip:
            if HEADER.encode() in file.head or START.encode() in file.head or file.path.suffix == ".eval":
                log = _archive(file)
                if log is not None:
                    yield log
        elif b'"eval"' in file.head and b'"status"' in file.head and isinstance(file.top.get("eval"), dict):
            if "task" in file.top["eval"] and "model" in file.top["eval"]:
                samples = [as_mapping(one) for one in as_list(file.top.get("samples"))]
                yield _Log(file, file.top, samples)


# ------------------------------------------------------------------------------------------------------------- archives


def _archive(file: File) -> _Log | None:
    try:
        with zipfile.ZipFile(file.path) as archive, file.path.open("rb") as raw:
            infos = {info.filename: info for info in archive.infolist()}
            if HEADER not in infos and START not in infos:
                return None
            _refuse_bomb(infos, file.path)
            header = as_mapping(parsed(_member(archive, raw, infos[HEADER if HEADER in infos else START], file.path)))
            if HEADER not in infos:  # it was never finished
                header = {"eval": header.get("eval"), "plan": header.get("plan"), "status": "started"}
            names = sorted(name for name in infos if name.startswith(SAMPLES) and name.endswith(".json"))
            samples = [as_mapping(parsed(_member(archive, raw, infos[name], file.path))) for name in names]
            return _Log(file, header, samples)
    except _UnknownMethodError as error:
        return _by_inspect(file, str(error))
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, KeyError, NotImplementedError) as error:
        what = f"not a readable log of Inspect: {type(error).__name__}: {error}"
        raise DataError(what[:400], where=str(file.path), hint="the file is cut or damaged: copy it again") from None


class _UnknownMethodError(Exception):
    """A member is packed with a method that neither zipfile nor we unpack."""


def _refuse_bomb(infos: Mapping[str, zipfile.ZipInfo], path: Path) -> None:
    total = sum(info.file_size for info in infos.values())
    largest = max((info.file_size for info in infos.values()), default=0)
    if len(infos) > MEMBERS or total > WHOLE or largest > LARGEST:
        what = f"{len(infos):,} members of {total / 2**20:,.0f} MiB, the largest of {largest / 2**20:,.0f} MiB"
        raise DataError(f"the log is too large: {what}", where=str(path), hint="is it a log of Inspect?")


def _member(archive: zipfile.ZipFile, raw: Any, info: zipfile.ZipInfo, path: Path) -> bytes:
    """The bytes of a member, not more than the archive tells."""
    if info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with archive.open(info) as member:
            content = member.read(info.file_size + 1)
        if len(content) > info.file_size:
            raise ValueError(f"{info.filename} is longer than the archive tells")
        return content
    if info.compress_type != ZSTANDARD:
        raise _UnknownMethodError(f"{info.filename} is packed with method {info.compress_type}")
    import pyarrow as pa

    raw.seek(info.header_offset)
    local = raw.read(30)
    if local[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile(f"{info.filename} is not where the archive tells")
    raw.seek(int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little"), 1)
    packed = raw.read(info.compress_size)
    if not info.file_size:
        return b""
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        content = stream.read(info.file_size + 1)
    if len(content) != info.file_size:
        raise ValueError(f"{info.filename} has another length than the archive tells")
    return bytes(content)


def _by_inspect(file: File, problem: str) -> _Log:
    """A log through Inspect's own reader. Raises DataError where it is not installed, or cannot read it either."""
    try:
        from inspect_ai.log import read_eval_log
    except ImportError:
        raise DataError(problem, where=str(file.path), hint=HINT) from None
    try:
        content = as_mapping(parsed(read_eval_log(str(file.path)).model_dump_json()))
    except Exception as error:  # whatever Inspect raises
        raise DataError(f"Inspect cannot read it: {error!s:.300}", where=str(file.path), hint="copy it again") from None
    return _Log(file, content, [as_mapping(one) for one in as_list(content.get("samples"))])


# ----------------------------------------------------------------------------------------------------------------- runs


def _run(logs: Sequence[_Log], notes: Sequence[str]) -> PeerRun:
    first = logs[0]
    tasks = [task for log in logs for task in _tasks(log)]
    failures = []
    for log in logs:
        status = words(log.header.get("status"))
        if status != "success":
            error = words(as_mapping(log.header.get("error")).get("message"))
            failures.append(f"{log.eval.get('task')}: status {status or 'unknown'}{': ' * bool(error)}{error[:300]}")
    config = as_mapping(first.eval.get("config"))
    facts = {name: value for name, value in config.items() if isinstance(value, int | float | str) and value != ""}
    return PeerRun(
        PEER,
        words(as_mapping(first.eval.get("packages")).get("inspect_ai")),
        _model(first),
        tasks,
        [log.file.path for log in logs],
        facts,
        notes,
        words(first.eval.get("created")),
        "; ".join(failures),
    )


def _tasks(log: _Log) -> list[PeerTask]:
    """One per score of the results; of a log without results, one per scorer that was to be asked."""
    results = [as_mapping(one) for one in as_list(as_mapping(log.header.get("results")).get("scores"))]
    dataset = words(log.eval.get("task_registry_name") or log.eval.get("task")).rpartition("/")[2] or log.file.stem
    notes = _notes(log, bool(results))
    if not results:
        results = _unscored(log)
    questions = _questions(log)
    return [
        _task(log, dataset, one, questions, notes, rescored=place == 0) for place, one in enumerate(results)
    ]


def _notes(log: _Log, scored: bool) -> list[str]:
    notes = []
    told = as_mapping(log.eval.get("dataset")).get("samples")
    count = len({words(one.get("id")) for one in log.samples})
    if isinstance(told, int) and count < told and words(log.header.get("status")) != "success":
        notes.append(f"the run ended after {count:,} of {told:,} questions: the others have no record")
    if not scored:
        status = words(log.header.get("status")) or "unknown"
        notes.append(f"the log has status {status} and no results: nothing that the peer states can be compared")
    return notes


def _unscored(log: _Log) -> list[Mapping[str, Any]]:
    """What the results would have been: a score per scorer, with the metrics that it was to have."""
    found: list[Mapping[str, Any]] = []
    for one in as_list(log.eval.get("scorers")):
        told = as_mapping(one)
        name, metrics = words(told.get("name")), told.get("metrics")
        parts = metrics.items() if isinstance(metrics, dict) else [(name, metrics)]
        for key, listed in parts:
            names = [words(as_mapping(metric).get("name")).rpartition("/")[2] for metric in as_list(listed)]
            found.append({"name": key, "scorer": name, "metrics": {metric: {} for metric in names or ["accuracy"]}})
    scorers = dict.fromkeys(name for sample in log.samples for name in as_mapping(sample.get("scores")))
    return found or [{"name": name, "scorer": name, "metrics": {"accuracy": {}}} for name in scorers or ("score",)]


def _questions(log: _Log) -> dict[str, list[Mapping[str, Any]]]:
    """Id to its samples, one per epoch. Raises DataError for an epoch that is there twice."""
    found: dict[str, dict[Any, Mapping[str, Any]]] = {}
    for sample in log.samples:
        key, epoch = words(sample.get("id")), sample.get("epoch", 1)
        epochs = found.setdefault(key, {})
        if epoch in epochs and epochs[epoch] != sample:
            what = f"sample {key!r:.80}, epoch {epoch}, is there twice, with different content"
            raise DataError(what, where=str(log.file.path), hint="the log is damaged")
        epochs[epoch] = sample
    return {key: list(epochs.values()) for key, epochs in found.items()}


def _task(
    log: _Log,
    dataset: str,
    result: Mapping[str, Any],
    questions: Mapping[str, Sequence[Mapping[str, Any]]],
    notes: Sequence[str],
    *,
    rescored: bool,
) -> PeerTask:
    name, scorer = words(result.get("name")), words(result.get("scorer") or result.get("name"))
    metrics = as_mapping(result.get("metrics"))
    group = next((key for one in metrics.values() if (key := _group_key(as_mapping(one)))), "")
    best = next((one for one in metrics if one in AVERAGES), GROUPED if GROUPED in metrics else next(iter(metrics), ""))
    scored = f"{name}.{best or 'score'}"
    reducer = words(result.get("reducer"))
    rows = [_row(key, samples, scorer, name, scored, group, reducer) for key, samples in questions.items()]
    epochs = max(map(len, questions.values()), default=1)
    more = [f"{epochs} epochs: a question's score is their {reducer or 'mean'}"] if epochs > 1 else []
    plain = any(not 0 <= value <= 1 for row in rows for value in row.scores.values())
    figures = [_figure(key, as_mapping(one), name, scored, best, group, plain=plain) for key, one in metrics.items()]
    grader = as_mapping(as_mapping(log.eval.get("model_roles")).get("grader"))
    graded = scorer.startswith("model_graded") or "grading" in as_mapping(_score_of(questions, scorer).get("metadata"))
    return PeerTask(
        dataset,
        scored,
        rows,
        "mean",
        [one for one in figures if one.stated is not None],
        [*notes, *more],
        judge=words(grader.get("model")) if graded else "",
        kinds={scored: "plain"} if plain else {},
        lacks=("images' names",),
        rescored=rescored,
    )


def _score_of(questions: Mapping[str, Sequence[Mapping[str, Any]]], scorer: str) -> Mapping[str, Any]:
    samples = (sample for several in questions.values() for sample in several)
    return next((as_mapping(found) for one in samples if (found := as_mapping(one.get("scores")).get(scorer))), {})


def _group_key(metric: Mapping[str, Any]) -> str:
    return words(as_mapping(metric.get("params")).get("group_key"))


def _figure(
    key: str, metric: Mapping[str, Any], name: str, scored: str, best: str, group: str, *, plain: bool
) -> Figure:
    stated, scale = number(metric.get("value")), 1.0 if plain else 0.01
    shown = f"{name}: {key}"
    inside = _group_key(metric)
    if key == STDERR and not as_mapping(metric.get("params")).get("cluster"):
        return Figure(shown, stated, scored, kind=STDERR)
    if inside and key != GROUPED:
        return Figure(shown, stated, f"group_{key}", scale)
    if inside and as_mapping(metric.get("params")).get("all") == "groups":
        return Figure(shown, stated)  # a mean of the groups' means
    return Figure(shown, stated, scored if key == best or key in AVERAGES else "", scale)


# ----------------------------------------------------------------------------------------------------------------- rows


def _row(
    key: str,
    samples: Sequence[Mapping[str, Any]],
    scorer: str,
    name: str,
    scored: str,
    group: str,
    reducer: str,
) -> PeerRow:
    first = next((one for one in samples if not one.get("error")), samples[0])
    errors = [as_mapping(one.get("error")).get("message") for one in samples if one.get("error")]
    scores = [as_mapping(as_mapping(one.get("scores")).get(scorer)) for one in samples if not one.get("error")]
    values = [value for one in scores if (value := _float(_part(one.get("value"), name))) is not None]
    score = scores[0] if scores else {}
    about = as_mapping(first.get("metadata"))
    label = words(about.get(group)) if group else ""
    question, images = _asked(first)
    target = first.get("target")
    error = words(errors[0]) or "the sample has an error" if errors and not values else ""
    unread = "answer" if _part(score.get("value"), name) == "N" else ""
    return PeerRow(
        key,
        _answer(first),
        question,
        _prompt(first),
        tuple(map(words, target)) if isinstance(target, list) else target,
        tuple(map(words, as_list(first.get("choices")))),
        {scored: _reduced(values, reducer)} if values else {},
        error,
        "" if error or values else "the scorer gave no score",
        parsed=words(score.get("answer")),
        unread=unread,
        note=words(score.get("explanation"))[:500],
        tags={"category": words(about["category"])} if isinstance(about.get("category"), str) else {},
        cluster=images[0] if images else key,
        images=images,
        fields={"bars": {"group": [label]}} if label else {},
        extra={one: value for one, value in about.items() if isinstance(value, str | int | float | bool)},
    )


def _part(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else value


def _float(value: Any) -> float | None:
    """As Inspect's value_to_float: letters, words and numbers; None for none of them."""
    if isinstance(value, str):
        if value in LETTERED:
            return LETTERED[value]
        if value.lower() in SAID:
            return SAID[value.lower()]
    return number(value)


def _reduced(values: Sequence[float], reducer: str) -> float:
    """Epochs to one score. Others than these are taken as the mean: figures that differ are named."""
    if reducer == "max":
        return max(values)
    if reducer == "median":
        return float(median(values))
    if reducer == "mode":
        return Counter(values).most_common(1)[0][0]
    if match := re.fullmatch(r"at_least_(\d+)", reducer):
        return float(sum(value >= 1 for value in values) >= int(match[1]))
    if match := re.fullmatch(r"pass_at_(\d+)", reducer):
        right, n, k = sum(value >= 1 for value in values), len(values), int(match[1])
        return 1.0 if n - right < k else 1.0 - math.prod(1.0 - k / one for one in range(n - right + 1, n + 1))
    return math.fsum(values) / len(values)


def _content(content: Any) -> str:
    """The text of a message, without thoughts and images."""
    if isinstance(content, list):
        parts = [as_mapping(one) for one in content]
        return "\n".join(words(one.get("text")) for one in parts if one.get("type") == "text")
    return words(content)


def _answer(sample: Mapping[str, Any]) -> str:
    output = as_mapping(sample.get("output"))
    choice = as_mapping(next(iter(as_list(output.get("choices"))), {}))
    return _content(as_mapping(choice.get("message")).get("content")) or words(output.get("completion"))


def _prompt(sample: Mapping[str, Any]) -> str:
    messages = [as_mapping(one) for one in as_list(sample.get("messages"))]
    return next((_content(one.get("content")) for one in messages if one.get("role") == "user"), "")


def _asked(sample: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """(question, a name for each image: its name in the metadata, that of the attachment, or a hash)."""
    asked = sample.get("input")
    messages = [as_mapping(one) for one in as_list(asked)]
    question = words(asked) if isinstance(asked, str) else ""
    question = question or next((_content(m.get("content")) for m in reversed(messages) if m.get("role") == "user"), "")
    images = []
    for message in as_list(sample.get("messages")) or messages:
        for part in as_list(as_mapping(message).get("content")):
            if as_mapping(part).get("type") == "image":
                shown = words(as_mapping(part).get("image"))
                name = shown.removeprefix("attachment://")
                images.append(name if len(name) <= 64 else f"image-{hashlib.sha256(name.encode()).hexdigest()[:16]}")
    return question.removeprefix("(Image)\n"), tuple(dict.fromkeys(images))
