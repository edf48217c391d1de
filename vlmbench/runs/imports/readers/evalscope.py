"""evalscope's reviews, predictions and reports.

A file of reviews is one subset of one benchmark; its lines are in the order of completion, and an index is unique in
its subset alone. Scores in reports have four digits. Figures of yes and no are means over the subsets, weighted by
their sizes. A metric that could not be computed is 0.0 in the report, and only the reviews name the error.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.runs.imports.readers.evalscope_reports import figures, is_report, metric_name, subsets
from vlmbench.runs.imports.readers.files import File, as_list, as_mapping, json_lines, number, without_secrets, words
from vlmbench.runs.imports.readers.nouns import PeerRow, PeerRun, PeerTask, each

PEER = "evalscope"
SCHEMA = 2
"""The form of reports that is known."""
YES_NO_FIGURES = {"accuracy", "precision", "recall", "f1", "yes_ratio"}
_OPTION = re.compile(r"^\(?([A-J])[.):]\s*(.+?)\s*$")
_FIRST = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)


@dataclass
class _Benchmark:
    """The reviews of one benchmark and model, by subset."""

    subsets: dict[str, list[tuple[int, Mapping[str, Any]]]] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    predictions: dict[str, Mapping[tuple[str, str], Mapping[str, Any]]] = field(default_factory=dict)


def read(files: Sequence[File]) -> list[PeerRun]:
    """The runs among some files: one per folder and model."""
    reports = [file for file in files if is_report(file)]
    runs: dict[tuple[str, str], dict[str, _Benchmark]] = {}
    for file in files:
        if not _is_review(file):
            continue
        lines = json_lines(file.path)
        model = _model(lines.rows[0][1], file)
        own = [report for report in reports if _near(report, file) and _report_model(report, model)]
        dataset, subset = _names(file, lines.rows, own)
        benchmark = runs.setdefault((str(_work(file)), model), {}).setdefault(dataset, _Benchmark())
        if subset in benchmark.subsets:
            what = f"two files of reviews of {dataset}, subset {subset}: {benchmark.files[-1].path.name}"
            raise DataError(what, where=str(file.path), hint="import the runs one by one, each in a folder of its own")
        benchmark.subsets[subset] = [*lines.rows]
        benchmark.files.append(file)
        benchmark.notes += lines.notes
    for file in files:
        if _is_prediction(file):
            _add_predictions(file, runs)
    return each(
        PEER,
        lambda one: _run(Path(one[0][0]), one[0][1], one[1], reports, files),
        runs.items(),
        lambda one: one[0][1],
    )


def _is_review(file: File) -> bool:
    row = file.first_row
    scored = "sample_score" in row or any("review" in as_mapping(one) for one in as_list(row.get("choices")))
    return scored and ("index" in row or "sample_id" in as_mapping(row.get("sample_score")))


def _is_prediction(file: File) -> bool:
    return "model_output" in file.first_row and "index" in file.first_row and "sample_score" not in file.first_row


def _work(file: File) -> Path:
    """The folder of the whole run: WORK/reviews/MODEL/FILE."""
    parent = file.path.parent
    return parent.parent.parent if parent.parent.name in ("reviews", "predictions", "reports") else parent


def _near(report: File, review: File) -> bool:
    return report.path.is_relative_to(_work(review))


def _report_model(report: File, model: str) -> bool:
    return words(report.top.get("model_name")) in ("", model)


def _model(row: Mapping[str, Any], file: File) -> str:
    said = [words(as_mapping(one).get("model")) for one in as_list(row.get("messages"))]
    return next((one for one in reversed(said) if one), "") or words(row.get("model")) or file.path.parent.name


def _names(file: File, rows: Sequence[tuple[int, Mapping[str, Any]]], reports: Sequence[File]) -> tuple[str, str]:
    """(benchmark, subset): by the reports, else by the name."""
    known = sorted((words(report.top["dataset_name"]) for report in reports), key=len, reverse=True)
    for dataset in known:
        if file.stem.startswith(f"{dataset}_"):
            return dataset, file.stem.removeprefix(f"{dataset}_")
    category = {words(as_mapping(_score(row)[1].get("sample_metadata")).get("category")) for _, row in rows}
    fitting = [
        (words(report.top["dataset_name"]), subset)
        for report in reports
        for subset, count in subsets(report).items()
        if count == len({_key(row) for _, row in rows}) and category <= {subset, ""} and _fits(report, rows[0][1])
    ]
    if len(set(fitting)) == 1:
        return fitting[0]
    dataset, underscore, subset = file.stem.rpartition("_")
    return (dataset, subset) if underscore else (file.stem, "default")


def _fits(report: File, row: Mapping[str, Any]) -> bool:
    """Whether a review has scores that a report could be made of."""
    names = {words(name).lower() for name in as_mapping(_score(row)[0].get("value"))}
    told = {metric_name(as_mapping(one))[0].lower() for one in as_list(report.top.get("metrics"))}
    return any(one[:3] == other[:3] for one in names for other in told)


def _add_predictions(file: File, runs: Mapping[tuple[str, str], dict[str, _Benchmark]]) -> None:
    """Keep what the model gave under the reviews of the same file name: failed requests, and answers not reviewed."""
    rows = {_key(row): row for _, row in json_lines(file.path).rows}
    model = words(file.first_row.get("model"))
    for (folder, name), benchmarks in runs.items():
        if folder != str(_work(file)) or (model and model != name):
            continue
        for benchmark in benchmarks.values():
            for subset, review in zip(benchmark.subsets, benchmark.files, strict=True):
                if review.path.name == file.path.name:
                    benchmark.predictions[subset] = rows


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    score = as_mapping(row.get("sample_score"))
    return words(row.get("index", score.get("sample_id"))), words(score.get("generation_index") or 0)


def _run(
    folder: Path, model: str, found: Mapping[str, _Benchmark], reports: Sequence[File], files: Sequence[File]
) -> PeerRun:
    mine = [one for one in reports if one.path.is_relative_to(folder) and _report_model(one, model)]
    tasks = []
    newer = [
        words(one.top.get("schema_version")) for one in mine if (number(one.top.get("schema_version")) or 0) > SCHEMA
    ]
    notes = [f"reports of schema {newer[0]}: this importer knows {SCHEMA}, so fields may be missed"] if newer else []
    for dataset, benchmark in found.items():
        report = next((one for one in mine if words(one.top["dataset_name"]) == dataset), None)
        tasks.append(_task(dataset, benchmark, report))
    unread = [one.top for one in mine if words(one.top["dataset_name"]) not in found]
    stated = [
        replace(figure, name=f"{top['dataset_name']}: {figure.name}")
        for top in unread
        for metric in as_list(top.get("metrics"))
        for figure in figures(as_mapping(metric), (), {}, False)
    ]
    version, facts = _config(folder, files)
    read_files = [file.path for benchmark in found.values() for file in benchmark.files]
    every = [*read_files, *(one.path for one in mine)]
    return PeerRun(PEER, version, model, tasks, every, facts, notes, _started(folder), stated=stated)


def _started(folder: Path) -> str:
    return folder.name if re.fullmatch(r"\d{8}_\d{6}", folder.name) else ""


def _config(folder: Path, files: Sequence[File]) -> tuple[str, dict[str, str | int | float | bool]]:
    """The version and how answers were generated, of configs/*.yaml."""
    import yaml

    for file in files:
        if file.path.suffix in (".yaml", ".yml") and file.path.is_relative_to(folder) and b"eval_type" in file.head:
            try:
                told = as_mapping(yaml.safe_load(file.path.read_text("utf-8", errors="replace")[: 1 << 22]))
            except (yaml.YAMLError, RecursionError):
                continue
            return words(told.get("evalscope_version")), without_secrets(as_mapping(told.get("generation_config")))
    return "", {}


# ---------------------------------------------------------------------------------------------------------------- rows


def _task(dataset: str, benchmark: _Benchmark, report: File | None) -> PeerTask:
    notes = list(benchmark.notes)
    found: list[PeerRow] = []
    failed: dict[str, str] = {}
    for subset, lines in benchmark.subsets.items():
        rows = _once(dataset, subset, lines, notes)
        predictions = benchmark.predictions.get(subset, {})
        several = any(key[1] != "0" for key in rows)
        found += [
            _row(subset, key, row, predictions.get(key, {}), failed, several=several) for key, row in rows.items()
        ]
        unreviewed = [key for key in predictions if key not in rows and (several or key[1] == "0")]
        found += [_row(subset, key, {}, predictions[key], failed, several=several) for key in unreviewed]
    found.sort(key=lambda row: (row.tags["subset"], row.id.rpartition("/")[2].zfill(9)))
    told = [as_mapping(one) for one in as_list(report.top.get("metrics"))] if report is not None else []
    names = {metric_name(one)[0] for one in told}
    yes_no = {"precision", "recall"} <= names or (not told and _says_yes_or_no(found))
    headline, rule = _headline(found, yes_no)
    for metric, error in failed.items():
        notes.append(f"{metric} failed, and stands as 0.0 in the report: {error}")
    stated = [figure for one in told for figure in figures(one, found, failed, yes_no)]
    return PeerTask(dataset, headline, found, rule, stated, notes, lacks=("images' names",), files=_paths(benchmark))


def _paths(benchmark: _Benchmark) -> list[Path]:
    return [file.path for file in benchmark.files]


def _once(
    dataset: str, subset: str, lines: Sequence[tuple[int, Mapping[str, Any]]], notes: list[str]
) -> dict[tuple[str, str], Mapping[str, Any]]:
    kept: dict[tuple[str, str], Mapping[str, Any]] = {}
    twice = 0
    for line, row in lines:
        key = _key(row)
        if key in kept and kept[key] != row:
            what = f"line {line}: question {key[0]} of {dataset}, {subset}, is there twice, with different content"
            raise DataError(what, hint="the file mixes two runs: import the files of each by themselves")
        twice += key in kept
        kept[key] = row
    if twice:
        notes.append(f"{subset}: {twice:,} reviews are there twice: read once")
    return kept


def _score(row: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """(the score, what is around it), of this form or of the one before version 1."""
    around = as_mapping(row.get("sample_score"))
    if around:
        return as_mapping(around.get("score")), around
    choice = as_mapping(next(iter(as_list(row.get("choices"))), {}))
    review = as_mapping(choice.get("review"))
    result = review.get("result")
    value = result if isinstance(result, dict) else {"score": result}
    said = words(as_mapping(choice.get("message")).get("content"))
    return {
        "value": value,
        "prediction": said,
        "extracted_prediction": review.get("pred"),
        "gold": review.get("gold"),
    }, {}


def _row(
    subset: str,
    key: tuple[str, str],
    row: Mapping[str, Any],
    prediction: Mapping[str, Any],
    failed: dict[str, str],
    *,
    several: bool,
) -> PeerRow:
    score, around = _score(row)
    errors = as_mapping(as_mapping(score.get("metadata")).get("metric_errors"))
    lost = {name: " ".join(words(error).replace("*", " ").split())[:200] for name, error in errors.items()}
    scores = {}
    for name, value in as_mapping(score.get("value")).items():
        broken = next((one for one in lost if name.lower().startswith(one.lower())), "")
        if broken:
            failed[broken] = lost[broken]
        elif (found := number(value)) is not None:
            scores[name] = found
    messages = as_list(row.get("messages")) or as_list(prediction.get("messages"))
    prompt, images = _asked(messages)
    output = as_mapping(prediction.get("model_output"))
    answer = words(score.get("prediction")) or _said(output)
    error = words(output.get("error"))
    status = words(score.get("status") or "success")
    unjudged = "" if status == "success" else f"the review's status is {status!r}"
    unjudged = unjudged or ("" if row or error else "there is an answer and no review of it")
    target = row.get("target", score.get("gold"))
    target = tuple(map(words, target)) if isinstance(target, list) and len(target) > 1 else target
    target = words(target[0]) if isinstance(target, list) and target else target
    index, generation = key
    about = as_mapping(around.get("sample_metadata")) or as_mapping(prediction.get("metadata"))
    options = _options(prompt)
    read = words(score.get("extracted_prediction"))
    return PeerRow(
        f"{subset}/{index}" + (f"~{int(generation) + 1}" if several and generation.isdecimal() else ""),
        answer,
        "",
        prompt,
        target,
        options,
        {} if unjudged else scores,
        error,
        unjudged,
        parsed=read,
        note=words(score.get("explanation"))[:500],
        tags={"subset": subset, "split": subset, "category": words(about.get("category")) or subset},
        cluster=images[0] if images else f"{subset}/{index}",
        images=images,
        fields={"bars": {"subset": [subset]}, "main": words(score.get("main_score_name"))},
        extra={name: value for name, value in about.items() if isinstance(value, str | int | float | bool)},
    )


def _asked(messages: Sequence[Any]) -> tuple[str, tuple[str, ...]]:
    """The words of the last question, and a name for each of its images: a hash of what it is."""
    for message in reversed(messages):
        told = as_mapping(message)
        if told.get("role") != "user":
            continue
        parts = told.get("content")
        if not isinstance(parts, list):
            return words(parts), ()
        text = "".join(words(as_mapping(part).get("text")) for part in parts if as_mapping(part).get("type") == "text")
        shown = [words(as_mapping(part).get("image")) for part in parts if as_mapping(part).get("type") == "image"]
        return text, tuple(f"image-{hashlib.sha256(one.encode()).hexdigest()[:16]}" for one in shown)
    return "", ()


def _said(output: Mapping[str, Any]) -> str:
    choice = as_mapping(next(iter(as_list(output.get("choices"))), {}))
    content = as_mapping(choice.get("message")).get("content")
    if isinstance(content, list):
        return "".join(words(as_mapping(part).get("text")) for part in content)
    return words(content)


def _options(prompt: str) -> tuple[str, ...]:
    found = [match for line in prompt.splitlines() if (match := _OPTION.match(line))]
    in_order = all(match[1] == "ABCDEFGHIJ"[place] for place, match in enumerate(found))
    return tuple(match[2] for match in found) if len(found) > 1 and in_order else ()


def _says_yes_or_no(rows: Sequence[PeerRow]) -> bool:
    return bool(rows) and all(words(row.target).lower() in ("yes", "no") for row in rows)


def _headline(rows: list[PeerRow], yes_no: bool) -> tuple[str, str]:
    """(metric, rule). Where figures of yes and no are stated, answers are read as evalscope reads them."""
    if not yes_no:
        names = dict.fromkeys(name for row in rows for name in row.scores)
        main = next((name for row in rows if (name := words(row.fields.get("main"))) in names), "")
        return main or next(iter(names), "score"), "mean"
    for place, row in enumerate(rows):
        match = _FIRST.match(row.parsed or row.answer)
        read = match[1].lower() if match else ""
        rows[place] = _read_as(row, read)
    return "accuracy", "yes_no_evalscope"


def _read_as(row: PeerRow, read: str) -> PeerRow:
    scores = {"accuracy": value} if (value := next(iter(row.scores.values()), None)) is not None else {}
    return replace(row, parsed=read, scores=scores, fields={}, unread="" if read or row.error else "yes or no")
