"""The published figures: every row parses, names what exists, and lies where such figures lie."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from vlmbench.base import registry
from vlmbench.base.errors import DataError
from vlmbench.base.samples import Response, Score, Status, Verdict
from vlmbench.base.task import Judged, Task
from vlmbench.data.files import Folder
from vlmbench.reports.board.published import CERTAINTY, FILE, Published, comparable_figures, figures_of, read
from vlmbench.reports.runs import TaskResult
from vlmbench.scoring.score import score_response

FIGURES = read()
HIGHEST = {"perception": 2000.0, "cognition": 800.0}
"""Of metrics that are no rates."""
FIFTEEN = "gqa pope vqav2 okvqa textvqa vizwiz vsr iconqa hateful_memes scienceqa mme mmbench mmvet llava_bench refcoco"
LATER = ("subject_social", "subject_language", "context_no_context")
"""Bars that an embedded sample may lack, but the benchmark has."""


@cache
def metrics_of(name: str, protocol: str) -> frozenset[str]:
    """The names of a protocol's metrics on the task's embedded sample, answered (and judged) in some way."""
    task: Task = registry.tasks.get(name)
    judged = isinstance(task, Judged) and task.protocols[protocol].judge is not None
    scored = []
    for sample in task.samples(Folder.sample(name), task.splits[0]):
        score = score_response(task, protocol, sample, Response("A"))
        if judged:
            score = Score(0.5, verdicts=(Verdict(0.5, values=(8.0, 4.0)),))
        scored.append((sample, score))
    good = [(sample, score) for sample, score in scored if score.status is Status.OK]
    return frozenset(metric.name for metric in task.summarise(good, protocol)) if good else frozenset()


def has_sample(name: str) -> bool:
    try:
        Folder.sample(name)
    except DataError:
        return False
    return True


def test_every_benchmark_has_figures() -> None:
    assert {figure.benchmark for figure in FIGURES} == set(FIFTEEN.split())
    assert len(FIGURES) > 500
    doubled = Counter((f.model, f.benchmark, f.split, f.protocol, f.metric, f.source) for f in FIGURES)
    assert max(doubled.values()) == 1


@pytest.mark.parametrize("name", sorted({figure.benchmark for figure in FIGURES} & set(registry.tasks.names())))
def test_names_exist(name: str) -> None:
    task: Task = registry.tasks.get(name)
    rows = [figure for figure in FIGURES if figure.benchmark == name]
    assert {figure.split for figure in rows} <= {"", *task.splits}
    assert {figure.protocol for figure in rows} <= {"", *task.protocols}
    for figure in rows:
        if figure.comparable:
            assert figure.split and figure.protocol, figure
    if has_sample(name):
        headlines = {protocol.headline for protocol in task.protocols.values()}
        for figure in rows:
            known = metrics_of(name, figure.protocol or next(iter(task.protocols)))
            assert figure.metric in known | headlines | set(LATER), figure


def test_values_are_where_such_figures_lie() -> None:
    for figure in FIGURES:
        assert 1 < figure.value <= HIGHEST.get(figure.metric, 100.0), figure
        assert figure.certainty in CERTAINTY


def found(model: str, benchmark: str, metric: str) -> list[Published]:
    return [f for f in FIGURES if (f.model, f.benchmark, f.metric) == (model, benchmark, metric)]


def test_what_is_not_comparable_says_why() -> None:
    gqa = [f for f in FIGURES if f.model.startswith("TinyGPT-V") and f.benchmark == "gqa"]
    assert gqa and all("contain the right one" in f.why_not for f in gqa)
    assert all("AUROC" in f.why_not for f in FIGURES if f.benchmark == "hateful_memes" and f.protocol == "minigpt_v2")
    assert all(not f.comparable for f in FIGURES if f.benchmark == "hateful_memes" and f.metric == "auroc")
    (llava,) = found("LLaVA-1.5-13B", "pope", "mean_accuracy")
    assert llava.comparable and llava.value == 86.98
    assert all(not f.comparable for f in FIGURES if f.benchmark == "pope" and "TinyLLaVA paper" in f.source)


def test_beside() -> None:
    rows = comparable_figures(FIGURES, "pope", split="coco", protocol="tinyllava", metric="mean_accuracy")
    assert len(rows) == 14 and rows[0].value == 87.9 and rows[0].model == "TinyLLaVA-Factory-SigLIP-Phi-2-base&lora"
    rows = comparable_figures(FIGURES, "refcoco", split="refcoco_testA", protocol="minigpt_v2", metric="accuracy")
    assert [row.value for row in rows] == [91.65, 91.29]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (",78.5,", ",much,", "line 2, field 'value': a number was expected, not 'much'"),
        (",R,yes,", ",Q,yes,", "line 2, field 'certainty': 'Q' is none of"),
        (",R,yes,", ",R,perhaps,", "line 2, field 'comparable': yes or no"),
        (",R,yes,", ",R,no,", "line 2, field 'why_not': what is not comparable needs a reason"),
        ("LLaVA-1.5-7B,", ",", "line 2, field 'model': the id is empty"),
    ],
)
def test_broken_rows(tmp_path: Path, old: str, new: str, told: str) -> None:
    lines = FILE.read_text("utf-8").splitlines(keepends=True)[:2]
    path = tmp_path / "published.csv"
    path.write_text(lines[0] + lines[1].replace(old, new), "utf-8")
    with pytest.raises(DataError) as caught:
        read(path)
    assert told in str(caught.value)


def task(**changes: str) -> TaskResult:
    """A task's result as a report has it."""
    entry = {"name": "pope", "split": "coco", "protocol": "llava", "headline": "mean_f1", "data": "files"} | changes
    return TaskResult("pope@llava", entry, {})


def test_for_a_page() -> None:
    rows = figures_of(FIGURES, task())
    good = [row for row in rows if not row["why"]]
    assert rows[: len(good)] == good and good[0]["value"] == 86.7 and {row["metric"] for row in good} == {"mean_f1"}
    assert {row["protocol"] for row in good} == {"llava"}
    why = {row["why"] for row in rows[len(good) :]}
    assert "another metric than mean_f1" in why and any("mean F1 or the mean accuracy" in text for text in why)
    assert all(row["why"] for row in figures_of(FIGURES, task(data="sample")))
    variant = TaskResult("pope@llava+temperature=0.7", task().entry, {})
    why = {row["why"] for row in figures_of(FIGURES, variant)}
    assert "" not in why and "asked in another way than the protocol's: temperature=0.7" in why
    rows = figures_of(FIGURES, task(protocol="lmms_eval", headline="mean_f1"))
    assert "protocol llava, not lmms_eval" in {row["why"] for row in rows}
    assert not figures_of(FIGURES, task(split="aokvqa"))
