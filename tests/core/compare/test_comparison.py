"""Two runs, paired sample by sample; what makes them incomparable is named with both values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import binomtest

from tests.support.gate_runs import changed, ran, script, truths, wrong
from tests.support.toys import ToyModel, ToyTask
from vlmbench.base import registry
from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.compare import compare
from vlmbench.runs.execution import planning, runner
from vlmbench.runs.storage.store import RunStore

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A better and a worse run of pope and gqa; the second has other prompts' hash and everything else alike."""
    folder = tmp_path_factory.mktemp("runs")
    good = {**script("pope", 0.05), **script("gqa", 0.1)}
    worse = {**good, **{key: wrong(good[key]) for key in list(truths("pope"))[:50]}}
    return ran(folder / "one", good, tasks="pope,gqa"), ran(folder / "two", worse, tasks="pope,gqa")


def test_what_the_comparison_says(runs: tuple[Path, Path]) -> None:
    found = compare.compare(*runs)
    pope, gqa = found.tasks
    assert (pope.key, pope.headline, pope.best.name) == ("pope", "mean_f1", "mean_f1")
    turned = len(pope.gained) + len(pope.lost)
    assert turned == 120  # the same question about the same picture, in two of the splits, has one answer
    assert pope.agreement == pytest.approx(1 - turned / 1080)
    assert pope.best.before == json.loads((runs[0] / "scores.json").read_text())["pope"]["mean_f1"]["value"]
    assert pope.best.after == json.loads((runs[1] / "scores.json").read_text())["pope"]["mean_f1"]["value"]
    assert pope.best.paired.difference.value == pope.best.after - pope.best.before < 0
    assert {bar.label for bar in pope.breakdowns} == {"random", "popular", "adversarial"}
    assert (gqa.agreement, gqa.best.paired.p, gqa.gained, gqa.lost) == (1.0, 1.0, [], [])
    assert pope.p_holm == pytest.approx(2 * (pope.best.paired.p or 0))
    assert not pope.differs and not pope.only_before and not found.left_out


def test_a_flip_has_all_that_people_want_to_see(runs: tuple[Path, Path]) -> None:
    flip = compare.compare(*runs, tasks=["pope"]).tasks[0].lost[0]
    assert flip.question.startswith("Is there a") and flip.images[0].endswith(".jpg") and flip.image_hashes
    assert flip.before.parsed_answer == flip.target == flip.before.text
    assert (flip.before.value, flip.after.value, flip.after.parsed_answer) == (1.0, 0.0, wrong(flip.target))


def test_p_of_one_item_a_cluster_is_mcnemars(tmp_path: Path) -> None:
    good = script("iconqa", 0.0)
    flipped = {key: "Z" if number < 9 else text for number, (key, text) in enumerate(good.items())}
    one, two = ran(tmp_path / "one", good, tasks="iconqa"), ran(tmp_path / "two", flipped, tasks="iconqa")
    found = compare.compare(one, two).tasks[0]
    assert found.best.paired.method == "mcnemar exact"
    assert found.best.paired.p == pytest.approx(binomtest(0, 9).pvalue)


def test_failures_are_neither_lost_nor_gained(tmp_path: Path) -> None:
    task = ToyTask(pictures=6)
    registry.tasks._extra["toy"] = task
    try:
        for name, missing in (("one", ()), ("two", (0, 1))):
            choice = registry.TaskChoice(ToyTask(pictures=6, missing=missing), "test", "official")
            plan = planning.plan([choice], {"toy": _Label()}, ToyModel(), limit=None, seed=0)  # type: ignore[dict-item]
            content = {"asked": {}, "identity": name, "finished": None, "tasks": plan.tasks, "model": {}}
            with RunStore.open(tmp_path / name, content) as store:
                runner.execute(plan, ToyModel(), store)
        with pytest.raises(UsageError, match=r"toy: images: \w+ before, \w+ after"):
            compare.compare(tmp_path / "one", tmp_path / "two")
        found = compare.compare(tmp_path / "one", tmp_path / "two", force=True).tasks[0]
        assert (len(found.ids), found.only_before, found.only_after) == (12, 6, 0)
        assert not found.lost and not found.gained
    finally:
        registry.tasks._extra.pop("toy")


class _Label:
    label = "toy data"


CHANGES: dict[str, tuple[Any, str]] = {
    "split": (lambda run: run["tasks"]["pope"].update(split="aokvqa"), "split: coco before, aokvqa after"),
    "protocol": (lambda run: run["tasks"]["pope"].update(protocol="llava"), "protocol: official before, llava after"),
    "version": (lambda run: run["tasks"]["pope"].update(version=9), "version: 1 before, 9 after"),
    "questions": (lambda run: run["tasks"]["pope"]["hashes"].update(samples="feed"), "questions: 1,080 (hash "),
    "pictures": (lambda run: run["tasks"]["pope"]["hashes"].update(images="feed"), "before, feed after"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_other_data_or_rules_are_refused_with_both_values(
    name: str, runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, words = CHANGES[name]
    other = copied(runs[1], tmp_path / "other")
    changed(other, "run.json", change)
    command = ["compare", str(runs[0]), str(other), "--tasks", "pope"]
    assert cli.main(command) == exit_codes.USER_MUST_CHANGE
    told = capsys.readouterr().err
    assert words in told and "--force" in told
    assert cli.main([*command, "--force"]) == exit_codes.OK
    assert words in capsys.readouterr().out


WARNINGS: dict[str, tuple[Any, str]] = {
    "prompts": (lambda run: run["tasks"]["pope"]["hashes"].update(prompts="feed"), "after"),
    "generation": (
        lambda run: run["tasks"]["pope"]["generation"].update(temperature=0.7),
        "generation: temperature 0.0 before, temperature 0.7 after",
    ),
    "perturbation": (lambda run: run["asked"].update(perturb="blind"), "perturbation: none before, blind after"),
    "judge": (
        lambda run: run["tasks"]["pope"].update(judge={"model": "gpt-5"}),
        "judge: none before, model gpt-5 after",
    ),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_what_may_be_compared_is_told(
    name: str, runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, words = WARNINGS[name]
    other = copied(runs[1], tmp_path / "other")
    changed(other, "run.json", change)
    assert cli.main(["compare", str(runs[0]), str(other), "--tasks", "pope"]) == exit_codes.OK
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("differs in pope"))
    assert f"pope: {name}" in line and words in line


def copied(folder: Path, target: Path) -> Path:
    """A run's folder again, without its thumbnails."""
    target.mkdir()
    for path in folder.iterdir():
        if path.is_file():
            (target / path.name).write_bytes(path.read_bytes())
    return target


def test_a_perturbed_run_is_compared(tmp_path: Path) -> None:
    one = ran(tmp_path / "one", script("pope", 0.1), "--limit", "60")
    two = ran(tmp_path / "two", script("pope", 0.2), "--limit", "60", "--perturb", "blind") / "perturbations" / "blind"
    assert compare.compare(one, two).tasks[0].differs == ["perturbation: none before, blind after"]


def test_fewer_questions_are_other_data(runs: tuple[Path, Path], tmp_path: Path) -> None:
    few = ran(tmp_path / "few", script("pope", 0.1), "--limit", "60")
    with pytest.raises(UsageError, match=r"questions: 1,080 \(hash \w+\) before, 60 \(hash \w+\) after"):
        compare.compare(runs[0], few, tasks=["pope"])
    assert len(compare.compare(runs[0], few, tasks=["pope"], force=True).tasks[0].ids) == 60


def test_protocols_are_told_apart_by_their_keys(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = ran(tmp_path / "llava", script("pope", 0.1), tasks="pope@llava")
    with pytest.raises(UsageError, match="protocol: official before, llava after"):
        compare.compare(runs[0], other, tasks=["pope"])


def test_nothing_in_common(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = ran(tmp_path / "vsr", {}, tasks="vsr", code=exit_codes.OK)
    with pytest.raises(UsageError, match="no task in common: pope, gqa before, vsr after"):
        compare.compare(runs[0], other)


def test_a_metric_that_is_not_there_is_named_with_those_that_are(runs: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="no metric 'bleu' in both runs") as caught:
        compare.compare(*runs, tasks=["pope"], metric="bleu")
    assert "mean_f1" in caught.value.hint


def test_files_and_json(runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["compare", *map(str, runs), "--output", str(tmp_path / "out"), "--json"]
    assert cli.main(command) == exit_codes.OK
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "out" / "compare.json").read_text())
    task = told["tasks"][0]
    assert {"mean_f1", "accuracy", "f1"} <= {one["name"] for one in task["differences"]}
    assert len(task["lost"]) + len(task["gained"]) == 120
    assert (tmp_path / "out" / "compare.txt").read_text().count("score 1") >= 120


def test_hostile_words_stay_on_their_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "yes\x1b[31m\nFAKE LINE\u202e"
    first = next(key for key, truth in truths("pope").items() if truth == "yes")
    one = ran(tmp_path / "one", script("pope", 0.0), "--limit", "40")
    ids = pq.read_table(one / "records.parquet")["sample_id"].to_pylist()
    two = ran(tmp_path / "two", {key: f"no {nasty}" for key in truths("pope")}, "--limit", "40")
    assert first and ids
    table = pq.read_table(two / "records.parquet")
    names = pa.array([f"<b>{nasty}" for _ in ids])
    pq.write_table(table.set_column(table.column_names.index("question"), "question", names), two / "records.parquet")
    capsys.readouterr()
    assert cli.main(["compare", str(one), str(two), "--flips", "40"]) == exit_codes.OK
    told = capsys.readouterr().out
    assert "\x1b" not in told and "\u202e" not in told and "\nFAKE" not in told


def test_judged_runs_carry_the_judges_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    judges = {"one": "echo,text=0.5", "two": "echo,text=0.7"}
    one, two = (
        ran(tmp_path / name, {}, "--judge", judge, "--judge-runs", "2", tasks="mmvet") for name, judge in judges.items()
    )
    task = compare.compare(one, two).tasks[0]
    assert [line.partition(":")[0] for line in task.differs] == ["judge"]
    assert task.best.paired.difference.value == pytest.approx(20.0)
    assert all(metric.run_values for metric in task.after.metrics(task.ids) if metric.name == task.headline)
