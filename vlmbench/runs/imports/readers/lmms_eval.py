"""lmms-eval's results and samples: versions 0.2 to 0.7.

`target` is the word "answer" where the task's own file names a column that is not there: the right answers are then
not in the file. 0.7 writes `filtered_resps` as a text and drops `doc`; before, both are lists and `doc` has the row. An
answer that begins with one of ERRORS is no answer. POPE's five metrics hold the same object each; MMBench's hold no
score: the answers are scored by our protocol lmms_eval, whose rules are the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vlmbench.runs.imports.readers import harness
from vlmbench.runs.imports.readers.files import File, as_list, as_mapping, number, without_secrets, words
from vlmbench.runs.imports.readers.harness import STDERRS, Output, first_text
from vlmbench.runs.imports.readers.nouns import STDERR, Figure, PeerRow, PeerRun, PeerTask, each

PEER = "lmms-eval"
ERRORS = ("[LMMS_EVAL_REQUEST_FAILED", "[LMMS_EVAL_BUDGET_EXCEEDED")
NO_TARGET = "answer"
"""What stands as the target where the task names a column that is not there."""
POPE = {
    "pope_accuracy": "accuracy", "pope_precision": "precision", "pope_recall": "recall", "pope_f1_score": "f1",
    "pope_yes_ratio": "yes_ratio_of_targets",
}  # fmt: skip
MME = {"mme_perception_score": "perception", "mme_cognition_score": "cognition"}
_OPTION = re.compile(r"^\(?([A-J])[.):]\s+(.+?)\s*$")
_CONTEXT = re.compile(r"\AContext: (.*?)\n", re.DOTALL)


def read(files: Sequence[File]) -> list[PeerRun]:
    """The runs among some files."""
    runs = each(PEER, _run, harness.outputs(files, _is_mine), harness.name_of)
    return runs + each(PEER, _old, [file for file in files if _logs(file)], lambda file: file.path.name)


def _is_mine(results: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    configs = as_mapping(results.get("configs")).values()
    told = "lmms_eval_version" in results or any(
        "doc_to_visual" in one or "lmms_eval_specific_kwargs" in one for one in configs if isinstance(one, dict)
    )
    return told or (bool(row) and "input" in row) or (not results and "gen_args_0" not in words(row.get("arguments")))


def _run(output: Output) -> PeerRun:
    folder = output.files[0].parent.name
    tasks = [_task(output, name, file) for name, file in output.samples.items()]
    results, version = output.results, words(output.results.get("lmms_eval_version"))
    config = as_mapping(results.get("config"))
    return PeerRun(
        PEER,
        version.partition("@")[0] if version and "unknown" not in version else _form(output),
        harness.model_of(results, folder),
        tasks,
        output.files,
        without_secrets({name: config.get(name) for name in ("model", "batch_size", "gen_kwargs", "limit")}),
        output.notes + ([] if results else ["there is no results file: nothing that the peer states can be compared"]),
        words(results.get("date")),
        "" if tasks else "no file of samples lies beside the results (lmms-eval writes it with --log_samples)",
        stated=harness.without_rows(output, tasks),
    )


def _form(output: Output) -> str:
    """Which versions write rows like these, where the files do not tell the version."""
    row = next((file.first_row for file in output.samples.values()), {})
    if not row:
        return ""
    return "0.7 by its form" if isinstance(row.get("filtered_resps"), str) else "0.6 or earlier by its form"


def _task(output: Output, name: str, file: File) -> PeerTask:
    found = harness.read_rows(file, lambda row: row["doc_id"])
    metrics = harness.metric_names(output, name, found.rows)
    rule, names = _rule(metrics, found.rows)
    without = all(row["target"] == NO_TARGET for row in found.rows)
    rows = [_row(row, names, rule, without=without) for row in found.rows]
    rows = harness.with_unique_ids(rows, [harness.own_id(as_mapping(row.get("doc"))) for row in found.rows])
    notes = found.notes + harness.filled_up(rows, output.effective(name), (row["doc_id"] for row in found.rows), file)
    if any(len(as_list(row.get("resps"))) > 1 for row in found.rows):
        notes.append("several answers to a question: the first is kept, the scores are the peer's over all of them")
    stated = [(key, value) for key, value in output.stated(name).items() if number(value) is not None]
    kinds = _kinds(rows, rule, as_mapping(as_mapping(output.results.get("higher_is_better")).get(name)), names)
    headline = next((names[metric] for metric in metrics if any(names[metric] in row.scores for row in rows)), "score")
    figures = [_figure(base, filtered, value, names, rule, kinds) for (base, filtered), value in stated]
    lacks = ["images", *(["right answers"] if all(row.target is None for row in rows) else [])]
    return PeerTask(name, headline, rows, rule, figures, notes, kinds=kinds, lacks=lacks, files=[file.path])


def _rule(metrics: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> tuple[str, dict[str, str]]:
    """The rule, and the name under which each metric is kept."""
    for rule, table in (("yes_no_lmms_eval", POPE), ("pairs", MME)):
        if metrics and any(name in table for name in metrics):
            return rule, {**{name: name for name in metrics}, **table}
    return "mean", {name: name for name in metrics}


def _row(row: Mapping[str, Any], names: Mapping[str, str], rule: str, *, without: bool) -> PeerRow:
    doc = as_mapping(row.get("doc"))
    details: dict[str, Any] = next((dict(v) for name in names if isinstance(v := row.get(name), dict)), {})
    answer = first_text(row["resps"]) if row.get("resps") else first_text(row.get("filtered_resps"))
    failed = answer if answer.startswith(ERRORS) else ""
    scores = {kept: score for name, kept in names.items() if (score := harness.score_of(row.get(name))) is not None}
    about = {**{key: doc[key] for key in ("category", "question_id", "image_id") if key in doc}, **details}
    answers = harness.texts(doc.get("answers"))
    prompt = words(row.get("input"))
    options = _options(doc, details, prompt)
    target: Any = None if without else row["target"]
    images = tuple(words(one).rpartition("/")[2] for one in as_list(row.get("input_media")))
    category = words(about.get("category"))
    pair = words(about.get("question_id"))
    key = words(row["doc_id"])
    paired = rule == "pairs"
    cluster = pair if paired or "ground_truth" in details else ""
    return PeerRow(
        key,
        "" if failed else answer,
        words(doc.get("question") or details.get("question")),
        prompt,
        tuple(answers) if answers else target,
        options,
        scores,
        failed,
        parsed=words(details.get("prediction") or details.get("parsed_pred")) or first_text(row.get("filtered_resps")),
        tags={"category": category} if category else {},
        cluster=cluster or (images[0] if images else "") or words(about.get("image_id")) or key,
        images=(pair,) if paired else images,
        fields={"subtask": category} if paired else {},
        extra={**about, "hint": _hint(doc, prompt), "submission": as_mapping(row.get("submission"))},
    )


def _hint(doc: Mapping[str, Any], prompt: str) -> str:
    match = _CONTEXT.match(prompt)
    return words(doc.get("hint")) or (match[1] if match else "")


def _options(doc: Mapping[str, Any], details: Mapping[str, Any], prompt: str) -> tuple[str, ...]:
    """The options of a question: in its row, in the score's details, or read from the prompt."""
    listed = as_list(doc.get("choices")) or as_list(doc.get("options"))
    if listed:
        return tuple(map(words, listed))
    lettered = {letter: words(details[letter]) for letter in "ABCDEFGHIJ" if letter in details}
    if lettered:
        return tuple(text for text in lettered.values() if text not in ("", "nan"))
    if "\nB" not in prompt and "\n(B" not in prompt:
        return ()
    found = [match for line in prompt.splitlines() if (match := _OPTION.match(line))]
    in_order = all(match[1] == "ABCDEFGHIJ"[place] for place, match in enumerate(found))
    return tuple(match[2] for match in found) if len(found) > 1 and in_order else ()


def _kinds(rows: Sequence[PeerRow], rule: str, better: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    """By metric: `plain` where scores leave 0..1, `less` where the peer says that less is better."""
    if rule != "mean":
        return {}
    found = {}
    for name, kept in names.items():
        values = [row.scores[kept] for row in rows if kept in row.scores]
        kind = ["plain"] if any(not 0 <= value <= 1 for value in values) else []
        kind += ["less"] if better.get(name) is False else []
        if kind:
            found[kept] = ",".join(kind)
    return found


def _figure(
    name: str, filtered: str, value: Any, names: Mapping[str, str], rule: str, kinds: Mapping[str, str]
) -> Figure:
    suffix = next((end for end in STDERRS[::-1] if name.endswith(end)), "")
    base = name.removesuffix(suffix)
    kept, shown = names.get(base, ""), f"{name},{filtered}"
    if suffix:
        first = {"yes_no_lmms_eval": "accuracy"}.get(rule, kept)
        return Figure(shown, number(value), "" if "clustered" in suffix else first, kind=STDERR)
    if base == "gpt_eval_score":
        return Figure(shown, number(value), "circular_accuracy", of_ours=True)
    scale = 1.0 if rule == "pairs" or "plain" in kinds.get(kept, "") else 0.01
    return Figure(shown, number(value), kept, scale)


# --------------------------------------------------------------------------------------------------- before version 0.3


def _logs(file: File) -> bool:
    """Whether a file is a task's log of an early version: one JSON object with all rows in `logs`."""
    if file.is_zip or b'"logs"' not in file.head:
        return False
    logs = as_list(file.top.get("logs"))
    return bool(logs) and all("doc_id" in as_mapping(row) and "target" in as_mapping(row) for row in logs[:3])


def _old(file: File) -> PeerRun:
    logs, args = as_list(file.top["logs"]), as_mapping(file.top.get("args"))
    config = as_mapping(file.top.get("model_configs"))
    name = words(config.get("task")) or file.stem
    metrics = list(dict.fromkeys(key for row in logs for key in as_mapping(row) if key not in harness.KNOWN))
    rule, names = _rule(metrics, logs)
    without = all(as_mapping(row).get("target") == NO_TARGET for row in logs)
    rows = [_row({"filtered_resps": "", **as_mapping(row)}, names, rule, without=without) for row in logs]
    kinds = _kinds(rows, rule, {}, names)
    headline = next((names[metric] for metric in metrics if any(names[metric] in row.scores for row in rows)), "score")
    task = PeerTask(name, headline, rows, rule, kinds=kinds, lacks=("images",))
    model = harness.model_of({"config": args}, file.path.parent.name)
    return PeerRun(PEER, "", model, [replace(task, rows=rows)], [file.path])
