"""lm-evaluation-harness' results and samples: versions 0.4.

Each question has one row per filter, and each filter is a scorer of its own. Log-likelihoods are texts; the answer of a
multiple-choice row is the likeliest choice, its target the place of the right one. Images are hashes. A group has no
file of samples: its rows are those of its tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.runs.imports.readers import harness
from vlmbench.runs.imports.readers.files import File, as_list, as_mapping, literal, number, without_secrets, words
from vlmbench.runs.imports.readers.harness import STDERRS, Output, first_text
from vlmbench.runs.imports.readers.nouns import STDERR, Figure, PeerRow, PeerRun, PeerTask, each

PEER = "lm-eval"
INVALID = "[invalid]"
"""What a filter writes that found nothing."""
HASH = 64
"""Digits of an image's sha256, which stands in its place."""


def read(files: Sequence[File]) -> list[PeerRun]:
    """The runs among some files."""
    return each(PEER, _run, harness.outputs(files, _is_mine), harness.name_of)


def _is_mine(results: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    configs = as_mapping(results.get("configs")).values()
    others = "lmms_eval_version" in results or any("doc_to_visual" in one for one in configs if isinstance(one, dict))
    if others or "input" in row:
        return False
    return bool(results) or _prompt(row) != "" or "gen_args_0" in as_mapping(row.get("arguments"))


def _run(output: Output) -> PeerRun:
    tasks = [task for name, file in output.samples.items() for task in _tasks(output, name, file)]
    tasks += _groups(output, tasks)
    results, folder = output.results, output.files[0].parent.name
    config = as_mapping(results.get("config"))
    facts = {name: config.get(name) for name in ("model", "model_dtype", "model_num_parameters", "batch_size", "limit")}
    return PeerRun(
        PEER,
        words(results.get("lm_eval_version")) or _form(output),
        harness.model_of(results, folder),
        tasks,
        output.files,
        without_secrets({**facts, "transformers": results.get("transformers_version")}),
        output.notes + ([] if results else ["there is no results file: nothing that the peer states can be compared"]),
        words(results.get("date")),
        "" if tasks else "no file of samples lies beside the results (lm-eval writes it with --log_samples)",
        stated=harness.without_rows(output, tasks),
    )


def _form(output: Output) -> str:
    """Which versions write rows like these, where the files do not tell the version."""
    row = next((file.first_row for file in output.samples.values()), {})
    return "" if not row else "0.4.4 or later by its form" if "filter" in row else "0.4.3 or earlier by its form"


def _tasks(output: Output, name: str, file: File) -> list[PeerTask]:
    """One per filter. Raises DataError where filters are of different questions."""
    found = harness.read_rows(file, lambda row: (row["doc_id"], words(row.get("filter") or "none")))
    by_filter: dict[str, list[Mapping[str, Any]]] = {}
    for row in found.rows:
        by_filter.setdefault(words(row.get("filter") or "none"), []).append(row)
    questions = {filtered: {row["doc_id"] for row in rows} for filtered, rows in by_filter.items()}
    asked = set().union(*questions.values())
    if short := [filtered for filtered, ids in questions.items() if ids != asked]:
        count = len(asked) - len(questions[short[0]])
        what = f"the filter {short[0]} lacks {count:,} of {len(asked):,} questions that another has"
        found.notes.append(f"{file.path.name}: {what}")
    told = {row["doc_id"]: row for row in found.rows}
    tasks = []
    for number_of_filter, (filtered, rows) in enumerate(by_filter.items()):
        lacking = [told[key] for key in told if key not in questions[filtered]]
        tasks.append(_task(output, name, file, filtered, rows, lacking, found.notes, rescored=number_of_filter == 0))
    return tasks


def _task(
    output: Output,
    name: str,
    file: File,
    filtered: str,
    rows: Sequence[Mapping[str, Any]],
    lacking: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
    *,
    rescored: bool,
) -> PeerTask:
    metrics = harness.metric_names(output, name, rows)
    told = [one for row in rows for one in as_list(row.get("metrics"))]
    metrics = [metric for metric in metrics if not told or metric in told]
    names = {metric: metric if filtered == "none" else f"{metric}.{filtered}" for metric in metrics}
    found = [_row(row, names) for row in rows]
    found += [replace(_row(row, {}), scores={}, error=harness.MISSING) for row in lacking]
    docs = [as_mapping(row.get("doc")) for row in (*rows, *lacking)]
    found = harness.with_unique_ids(found, [harness.own_id(doc) for doc in docs])
    ids = [row["doc_id"] for row in (*rows, *lacking)]
    more = harness.filled_up(found, output.effective(name), ids, file)
    better = as_mapping(as_mapping(output.results.get("higher_is_better")).get(name))
    kinds = {}
    for metric, kept in names.items():
        values = [row.scores[kept] for row in found if kept in row.scores]
        kind = ["plain"] if any(not 0 <= value <= 1 for value in values) else []
        if kind := kind + (["less"] if better.get(metric) is False else []):
            kinds[kept] = ",".join(kind)
    figures = [
        _figure(base, other, value, names, kinds)
        for (base, other), value in output.stated(name).items()
        if other == filtered and number(value) is not None
    ]
    headline = next((kept for kept in names.values() if any(kept in row.scores for row in found)), "score")
    return PeerTask(
        name,
        headline,
        found,
        "mean",
        figures,
        [*notes, *more],
        kinds=kinds,
        lacks=("images",),
        rescored=rescored,
        files=[file.path],
    )


def _figure(name: str, filtered: str, value: Any, names: Mapping[str, str], kinds: Mapping[str, str]) -> Figure:
    suffix = next((end for end in STDERRS[::-1] if name.endswith(end)), "")
    kept = names.get(name.removesuffix(suffix), "")
    if suffix:
        return Figure(f"{name},{filtered}", number(value), kept, kind=STDERR)
    return Figure(f"{name},{filtered}", number(value), kept, 1.0 if "plain" in kinds.get(kept, "") else 0.01)


def _row(row: Mapping[str, Any], names: Mapping[str, str]) -> PeerRow:
    doc = as_mapping(row.get("doc"))
    prompt = _prompt(row)
    options = _options(doc)
    ranked = _ranked(row)
    scores = {kept: score for name, kept in names.items() if (score := harness.score_of(row.get(name))) is not None}
    target, parsed, unread = literal(row["target"]), first_text(row.get("filtered_resps")), ""
    if ranked:
        best = max(range(len(ranked)), key=lambda place: ranked[place][1])
        parsed = ranked[best][0].strip()
        place = number(target)
        if place is not None and place == int(place) and 0 <= place < len(ranked):
            target = ranked[int(place)][0].strip()
        options = options or tuple(choice.strip() for choice, _ in ranked)
    elif parsed == INVALID:
        parsed, unread = "", "answer"
    images = tuple(
        value for name, value in doc.items() if name.startswith("image") and isinstance(value, str) and _is_hash(value)
    )
    return PeerRow(
        words(row["doc_id"]),
        parsed if ranked else first_text(row.get("resps")),
        words(doc.get("question") or doc.get("query")),
        prompt,
        target,
        options,
        scores,
        parsed=parsed,
        unread=unread,
        cluster=images[0] if images else words(row["doc_id"]),
        images=images,
        choice_scores=tuple(ranked),
        extra={**doc, "answers": harness.texts(doc.get("answers"))},
    )


def _is_hash(value: str) -> bool:
    return len(value) == HASH and all(letter in "0123456789abcdef" for letter in value)


def _prompt(row: Mapping[str, Any]) -> str:
    asked = row.get("arguments")
    if isinstance(asked, dict):
        return words(as_mapping(asked.get("gen_args_0")).get("arg_0"))
    first = as_list(asked)[0] if as_list(asked) else ""
    return words(first[0]) if isinstance(first, list) and first else ""


def _options(doc: Mapping[str, Any]) -> tuple[str, ...]:
    listed = literal(doc.get("choices") or doc.get("options") or [])
    if isinstance(listed, dict):
        listed = listed.get("text")
    return tuple(map(words, as_list(listed)))


def _ranked(row: Mapping[str, Any]) -> list[tuple[str, float]]:
    """(choice, log-likelihood) of a row whose choices were ranked; empty for one that was generated."""
    pairs = [one for one in as_list(row.get("filtered_resps")) if isinstance(one, list) and len(one) == 2]
    values = [number(one[0]) for one in pairs]
    asked = row.get("arguments")
    if isinstance(asked, dict):
        choices = [as_mapping(one).get("arg_1") for one in asked.values()]
    else:
        choices = [one[1] for one in as_list(asked) if isinstance(one, list) and len(one) > 1]
    if len(pairs) < 2 or len(choices) < len(pairs) or not all(isinstance(one, str) for one in choices):
        return []
    ranked = zip(choices, values, strict=False)
    return [(words(choice), value) for choice, value in ranked if value is not None]


def _groups(output: Output, tasks: Sequence[PeerTask]) -> list[PeerTask]:
    """The groups whose tasks all have rows: their rows together."""
    subtasks = as_mapping(output.results.get("group_subtasks"))
    found = []
    for group in as_mapping(output.results.get("groups")):
        names = _leaves(group, subtasks)
        parts = [task for task in tasks if task.dataset in names]
        if not parts or {part.dataset for part in parts} != names:
            continue
        for scorer in dict.fromkeys(part.scorer for part in parts):
            whole = [part for part in parts if part.scorer == scorer]
            if {part.dataset for part in whole} == names:
                found.append(_group(output, group, scorer, whole))
    return found


def _leaves(group: str, subtasks: Mapping[str, Any], depth: int = 0) -> set[str]:
    """The tasks below a group. Raises DataError for groups that hold each other."""
    if depth > 20:
        raise DataError(f"the group {group} holds itself", hint="the results file is damaged")
    below = as_list(subtasks.get(group))
    return set().union(*(_leaves(words(one), subtasks, depth + 1) for one in below)) if below else {group}


def _group(output: Output, group: str, scorer: str, parts: Sequence[PeerTask]) -> PeerTask:
    rows = [
        replace(
            row,
            id=f"{part.dataset}/{row.id}",
            tags={"subtask": part.dataset},
            fields={"bars": {"subtask": [part.dataset]}, "part": part.dataset},
        )
        for part in parts
        for row in part.rows
    ]
    metric, _, filtered = scorer.partition(".")
    entries = output.stated(group).items()
    figures = [
        _figure(base, other, value, {metric: scorer}, parts[0].kinds)
        for (base, other), value in entries
        if other == (filtered or "none") and number(value) is not None and base.partition("_stderr")[0] == metric
    ]
    figures = [replace(one, kind=f"pooled {STDERR}") if one.kind == STDERR else one for one in figures]
    notes = [note for part in parts for note in part.notes]
    return PeerTask(group, scorer, rows, "mean", figures, notes, kinds=parts[0].kinds, lacks=parts[0].lacks)
