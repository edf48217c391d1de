"""Inspect's logs as runs: versions 0.3.

Samples of several epochs are one question: its score is that of the reducer. A sample with an error has
no score, and a log that failed has no results.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.runs.imports.readers.files import File, as_list, as_mapping, number, words
from vlmbench.runs.imports.readers.inspect_archive import Log, read_logs
from vlmbench.runs.imports.readers.nouns import STDERR, Figure, PeerRow, PeerRun, PeerTask, broken, each

PEER = "inspect"
LETTERED: Mapping[str, float] = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""What Inspect's value_to_float makes of a scorer's letters: correct, incorrect, partial, no answer."""
SAID: Mapping[str, float] = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
VERSION = 2
"""The form of logs that is known."""
AVERAGES = ("accuracy", "mean")
GROUPED = "all"


def read(files: Sequence[File]) -> list[PeerRun]:
    """The runs among some files: the logs of one model in one folder, a task each."""
    runs: list[list[Log]] = []
    notes: dict[int, list[str]] = {}
    seen: dict[tuple[str, str], tuple[Log, int]] = {}
    found = list(read_logs(files))
    logs = [one for one in found if isinstance(one, Log)]
    damaged = [broken(PEER, one[0].path.name, one[1]) for one in found if not isinstance(one, Log)]
    for log in sorted(logs, key=lambda log: (not log.file.is_zip, str(log.file.path))):
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
    places = range(len(runs))
    return (
        each(PEER, lambda place: _run(runs[place], notes[place]), places, lambda place: _model(runs[place][0]))
        + damaged
    )


def _place(runs: Sequence[Sequence[Log]], log: Log) -> int:
    """The run that a log belongs to: that of its model and folder which has no such task yet; else a new one."""
    for place, logs in enumerate(runs):
        first = logs[0]
        same = first.file.path.parent == log.file.path.parent and _model(first) == _model(log)
        version = as_mapping(first.eval.get("packages")) == as_mapping(log.eval.get("packages"))
        if same and version and all(one.eval.get("task") != log.eval.get("task") for one in logs):
            return place
    return len(runs)


def _model(log: Log) -> str:
    return words(log.eval.get("model")) or log.file.stem


# ----------------------------------------------------------------------------------------------------------------- runs


def _run(logs: Sequence[Log], notes: Sequence[str]) -> PeerRun:
    first = logs[0]
    tasks = [task for log in logs for task in _tasks(log)]
    failures = []
    for log in logs:
        status = words(log.header.get("status"))
        if status != "success":
            error = words(as_mapping(log.header.get("error")).get("message"))
            failures.append(f"{log.eval.get('task')}: status {status or 'unknown'}{': ' * bool(error)}{error[:300]}")
    versions = {number(log.header.get("version")) or 0 for log in logs}
    if max(versions) > VERSION:
        notes = [*notes, f"logs of version {max(versions):g}: this importer knows {VERSION}, so fields may be missed"]
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


def _tasks(log: Log) -> list[PeerTask]:
    """One per score of the results; of a log without results, one per scorer that was to be asked."""
    results = [as_mapping(one) for one in as_list(as_mapping(log.header.get("results")).get("scores"))]
    dataset = words(log.eval.get("task_registry_name") or log.eval.get("task")).rpartition("/")[2] or log.file.stem
    notes = _notes(log, bool(results))
    if not results:
        results = _unscored(log)
    questions = _questions(log)
    return [_task(log, dataset, one, questions, notes, rescored=place == 0) for place, one in enumerate(results)]


def _notes(log: Log, scored: bool) -> list[str]:
    notes = []
    told = as_mapping(log.eval.get("dataset")).get("samples")
    count = len({words(one.get("id")) for one in log.samples})
    if isinstance(told, int) and count < told and words(log.header.get("status")) != "success":
        notes.append(f"the run ended after {count:,} of {told:,} questions: the others have no record")
    if not scored:
        status = words(log.header.get("status")) or "unknown"
        notes.append(f"the log has status {status} and no results: nothing that the peer states can be compared")
    return notes


def _unscored(log: Log) -> list[Mapping[str, Any]]:
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


def _questions(log: Log) -> dict[str, list[Mapping[str, Any]]]:
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
    log: Log,
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
        files=[log.file.path],
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
