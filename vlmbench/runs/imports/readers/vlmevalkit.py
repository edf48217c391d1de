"""VLMEvalKit's result sheets: predictions, and beside them what a scorer or a judge made of each.

The kit's failed requests are answers there that begin with FAILED, and it scores them as wrong. The judge in a sheet's
name is the one that was asked for: where it could not be reached the kit matches exactly, and only the log of each
answer tells so. status.json says "done" of an evaluation that failed. Its .pkl files are not read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from vlmbench.data.reading import read_whole
from vlmbench.runs.imports.readers import kit_sheets
from vlmbench.runs.imports.readers.files import LARGEST_JSON, File, as_mapping, literal, number, table, words
from vlmbench.runs.imports.readers.kit_sheets import CHOICE, JUDGED, VQA, YES_NO, Cells, Dataset
from vlmbench.runs.imports.readers.nouns import COUNT, Figure, PeerRow, PeerRun, PeerTask, broken, each

PEER = "vlmevalkit"
FAILED = "Failed to obtain answer"
NO_JUDGE = "no GPT-based answer matching"
"""What the log of an answer says where no judge was asked."""
JUDGE_FAILED = ("All 5 retries failed", "Failed to obtain answer")
SILENT, UNKNOWN = "none (", "nothing in the sheet shows whether it ran"
"""How what is told of a judge begins that did not run, and what it says where that cannot be known."""
LETTERS = "ABCDEFGHIJ"
ABBREVIATIONS = {
    "coarse_perception": "CP", "finegrained_perception (instance-level)": "FP-S", "logic_reasoning": "LR",
    "finegrained_perception (cross-instance)": "FP-C", "relation_reasoning": "RR", "attribute_reasoning": "AR",
}  # fmt: skip
SCORES = {YES_NO: "score", VQA: "eval_score", CHOICE: "hit", JUDGED: "score"}
"""By kind of sheet, the column with the score."""


def read(files: Sequence[File]) -> list[PeerRun]:
    """The runs among some files: one per model and folder."""
    sheets, damaged = kit_sheets.sheets(files)
    found = kit_sheets.datasets(sheets, files)
    told = kit_sheets.statuses(files)
    groups: dict[tuple[str, str], list[Dataset]] = {}
    for one in found:
        groups.setdefault((str(one.folder), one.model), []).append(one)
    runs = each(PEER, lambda one: _run(one[0][1], one[1], told), groups.items(), lambda one: one[0][1])
    return runs + [broken(PEER, file.path.name, error) for file, error in damaged]


def _run(model: str, group: Sequence[Dataset], told: Mapping[Any, Mapping[str, Any]]) -> PeerRun:
    status = as_mapping(told.get(group[0].folder))
    tasks = [_task(one, as_mapping(as_mapping(status.get("datasets")).get(one.name))) for one in group]
    if silent := next((task.judge for task in tasks if task.judge.startswith(SILENT)), ""):
        tasks = [replace(task, judge=silent) if UNKNOWN in task.judge else task for task in tasks]
    files = [one.predictions.file.path for one in group]
    files += [one.scored.file.path for one in group if one.scored is not None]
    files += [file.path for one in group for file in one.summaries]
    return PeerRun(
        PEER,
        "",
        model,
        tasks,
        list(dict.fromkeys(files)),
        started=words(status.get("eval_id")).removeprefix("T"),
        notes=list(dict.fromkeys(note for one in group for note in one.notes)),
        unsure=not status and all(one.scored is None for one in group),
    )


def _task(one: Dataset, status: Mapping[str, Any]) -> PeerTask:
    kind = one.scored.kind if one.scored is not None else ""
    sheet = one.scored or one.predictions
    rows, rule, headline = _rows(one, sheet.rows, kind)
    answers = [_row(cells, "") for cells in one.predictions.rows] if kind == CHOICE else []
    if len(answers) == len(rows):
        answers = []
    notes = [f"{name}: {text}" for name, text in ((one.name, words(status.get("error_message"))),) if text]
    if words(status.get("status")) not in ("", "done"):
        notes.append(f"its status is {status['status']!r}")
    if "error_message" in status and status.get("error_message") is not None and one.scored is None:
        notes.append("its evaluation failed: there are answers, and no scores")
    judge, more = _judge(one, sheet.rows, words(status.get("judge_model")))
    return PeerTask(
        one.name,
        headline,
        rows,
        rule,
        _figures(one, kind, rule, rows, as_mapping(status.get("metrics"))),
        [*notes, *more],
        judge=judge,
        kinds={headline: "plain"} if kind == JUDGED and any(s > 1 for r in rows for s in r.scores.values()) else {},
        lacks=("images", "prompts"),
        answers=answers,
        files=[sheet.file.path for sheet in (one.predictions, one.scored) if sheet is not None],
    )


def _judge(one: Dataset, rows: Sequence[Cells], told: str) -> tuple[str, list[str]]:
    """The judge as the files tell it, and that it never ran, where the logs show that."""
    named = one.judge or told
    logs = [words(row.get("log")) for row in rows]
    unasked = sum(NO_JUDGE in log for log in logs)
    if named and named != "exact_matching" and unasked:
        line = f"the judge {named} is named, and the log says exact matching: it was not asked"
        return f"{SILENT}{named} was named and did not run)", [f"{line} ({unasked:,} answers no rule could read)"]
    if named and named != "exact_matching" and one.scored is not None and one.scored.kind in (YES_NO, CHOICE):
        return f"{named}, where no rule can read an answer; {UNKNOWN}", []
    return named, []


# ---------------------------------------------------------------------------------------------------------------- rows


def _rows(one: Dataset, cells: Sequence[Cells], kind: str) -> tuple[list[PeerRow], str, str]:
    """(rows, rule, headline)."""
    name = one.name.lower()
    rows = [_row(row, kind) for row in cells]
    if name == "mme" and kind in (YES_NO, ""):
        return [_pair(row) for row in rows], "pairs", "perception"
    if name == "pope" and kind in (YES_NO, ""):
        return [part for row in rows for part in _by_kind(row)], "yes_no_vlmevalkit", "f1"
    if name == "hallusionbench" and kind == YES_NO:
        return [_grouped(row) for row in rows], "hallusion", "aAcc"
    if name.startswith("mmvet"):
        return [_capable(row) for row in rows], "mean", "score"
    splits = {words(row.get("split")) for row in cells}
    return [_barred(row, several=len(splits) > 1) for row in rows], "mean", SCORES.get(kind, "score")


def _row(cells: Cells, kind: str) -> PeerRow:
    answer = words(cells.get("prediction"))
    failed = answer if answer.startswith(FAILED) else ""
    score = number(cells.get(SCORES[kind])) if kind else None
    log = words(cells.get("log"))
    unjudged = log if kind == JUDGED and log.startswith(JUDGE_FAILED) else ""
    target = literal(cells.get("answers", cells.get("answer")))
    options = tuple(words(cells[letter]) for letter in LETTERS if cells.get(letter) not in (None, "", "nan"))
    read = words(cells.get("extracted", cells.get("eval_pred")))
    tags = {name: words(cells[name]) for name in ("category", "l2-category", "split") if cells.get(name) is not None}
    image = words(cells.get("image_path"))
    key = words(cells.get("index"))
    return PeerRow(
        key,
        "" if failed else answer,
        words(cells.get("question")),
        "",
        tuple(map(words, target)) if isinstance(target, list) else target,
        options,
        {} if score is None else {SCORES[kind]: score},
        failed,
        unjudged,
        parsed=read,
        unread="yes or no" if read == "Unknown" else "",
        note=log[:200],
        tags=tags,
        cluster=image or words(cells.get("g_index")) or key,
        images=(image,) if image else (),
        extra={**cells},
    )


def _pair(row: PeerRow) -> PeerRow:
    subtask = row.tags.get("category", "")
    question = row.question
    return replace(row, fields={"subtask": subtask}, tags={"category": subtask}, question=question)


def _by_kind(row: PeerRow) -> list[PeerRow]:
    """A row of POPE once for each kind that it is a question of: the kit counts it so."""
    kinds = [kind.strip() for kind in row.tags.get("category", "").split(",") if kind.strip()]
    if not kinds:
        return [row]
    return [
        replace(row, id=f"{kind}/{row.id}", tags={"category": kind, "split": kind}, fields={"split": kind})
        for kind in kinds
    ]


def _grouped(row: PeerRow) -> PeerRow:
    parts = row.id.split("_")
    minor = row.tags.get("l2-category", "")
    place, figure, question = (*parts[3:6], "", "", "")[:3]
    bars = {name: [row.tags[name]] for name in ("category", "l2-category") if row.tags.get(name)}
    fields = {"figure": f"{minor}_{place}_{figure}", "question": f"{minor}_{place}_{question}", "bars": bars}
    return replace(row, fields=fields, cluster=f"{minor}_{place}")


def _capable(row: PeerRow) -> PeerRow:
    """MM-Vet's capabilities, and their combinations. An answer with one alone counts twice under it, as in the kit."""
    names = [name.strip() for name in row.tags.get("category", "").split(",") if name.strip()]
    bars = {"capability": names if len(names) > 1 else names * 2, "combination": ["_".join(names)]}
    return replace(row, fields={"bars": bars}, unread="")


def _barred(row: PeerRow, *, several: bool) -> PeerRow:
    """Bars by split and category; with several splits, categories of each by themselves."""
    split = row.tags.get("split", "")
    before = f"{split}|" if several else ""
    bars = {name: [f"{before}{row.tags[name]}"] for name in ("category", "l2-category") if row.tags.get(name)}
    return replace(row, fields={"bars": {**bars, **({"split": [split]} if split else {})}})


# ------------------------------------------------------------------------------------------------------------- figures


def _figures(one: Dataset, kind: str, rule: str, rows: Sequence[PeerRow], metrics: Mapping[str, Any]) -> list[Figure]:
    """What the kit's tables state; where there are none, its status file."""
    found: list[Figure] = []
    for name, stated in metrics.items() if not one.summaries else ():
        if (value := number(stated)) is not None:
            label, bar, column = name.removeprefix("split=").rpartition("|")
            found.append(_figure(f"status.json: {name}", label if bar else "", column, value, kind, rule, rows))
    for file in one.summaries:
        name = file.stem.removeprefix(f"{one.predictions.file.stem}_")
        for line in table(read_whole(file.path, LARGEST_JSON), file.path, ","):
            label = next((words(line[column]) for column in ("split", "Category", "Split") if column in line), "")
            for column, cell in line.items():
                value = number(cell)
                if value is not None and column not in ("split", "Category", "Split", ""):
                    shown = f"{name}: {label} {column}".replace("  ", " ")
                    found.append(_figure(shown, label, column, value, kind, rule, rows))
    return found


def _figure(name: str, label: str, column: str, value: float, kind: str, rule: str, rows: Sequence[PeerRow]) -> Figure:
    if not any(row.scores for row in rows):
        whole = {"", "Overall"} & {label, column} and label in ("", "none", "Overall") and column == "Overall"
        return Figure(name, value, "accuracy" if whole else "", of_ours=bool(whole))
    metric, scale, what = FINDERS.get(rule, _of_means)(label, column, kind, rows)
    return Figure(name, value, metric, scale, what)


Found = tuple[str, float, str]
"""Metric, scale, kind of figure."""


def _of_pope(label: str, column: str, kind: str, rows: Sequence[PeerRow]) -> Found:
    metric = {"Overall": "f1", "acc": "accuracy"}.get(column, column)
    return metric if label in ("", "Overall") else f"{label}_{metric}", 1.0, ""


def _of_mme(label: str, column: str, kind: str, rows: Sequence[PeerRow]) -> Found:
    return {"reasoning": "cognition"}.get(column, column), 1.0, ""


def _of_hallusion(label: str, column: str, kind: str, rows: Sequence[PeerRow]) -> Found:
    return column if label in ("", "Overall") else f"{label}_{column}", 1.0, ""


def _of_means(label: str, column: str, kind: str, rows: Sequence[PeerRow]) -> Found:
    """A mean: of all, or of a bar, whose label is in the row or in the column. Choices are 0-1, other scores 0-100."""
    headline = SCORES.get(kind, "score")
    scale = 0.01 if kind == CHOICE else 1.0
    bars = [(name, one) for row in rows for name, labels in row.fields.get("bars", {}).items() for one in labels]
    known = dict.fromkeys(bars)
    if kind == JUDGED:
        bar = _bar(label, known, ("capability", "combination"))
        metric = headline if label in ("", "Overall") else bar
        return metric, 1.0, COUNT if column == "tot" else ""
    splits = {one for name, one in known if name == "split"}
    if label in ("", "none", "Overall") or label in splits:
        inside = f"{label}|" if len(splits) > 1 else ""
        if column == "Overall":
            return (f"split_{label}" if inside else headline), scale, ""
        longer = {short: name for name, short in ABBREVIATIONS.items()}.get(column, column)
        return _bar(f"{inside}{longer}", known, ("category", "l2-category", "split")), scale, ""
    return "", scale, ""


def _bar(label: str, known: Mapping[tuple[str, str], None], names: Sequence[str]) -> str:
    return next((f"{name}_{label}" for name in names if (name, label) in known), "")


FINDERS: Mapping[str, Callable[[str, str, str, Sequence[PeerRow]], Found]] = {
    "yes_no_vlmevalkit": _of_pope,
    "pairs": _of_mme,
    "hallusion": _of_hallusion,
}
"""By rule: which metric a cell of the kit's tables is; else a mean."""
