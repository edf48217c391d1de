"""A run's folder alone gives its samples and scores again: every task's metrics say the same of them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from vlmbench.base import registry
from vlmbench.base.errors import StoreError, UsageError
from vlmbench.base.process import exit_codes
from vlmbench.base.samples import Sample
from vlmbench.cli import main as cli
from vlmbench.data.files import Folder
from vlmbench.runs.execution.record_columns import extra_text
from vlmbench.runs.storage import reload as stored
from vlmbench.runs.storage.reload import StoredRun

JUDGED = {
    "mmvet": "echo,text=0.5",
    "llava_bench": "echo,text=7 8",
    "mmhal": "echo,text=Rating: 4",
    "mathverse": "echo,text=1",
}
SCRIPTS = {"iconqa": "A", "mmbench": "B", "refcoco": "{<20><20><70><70>}", "gqa": "red", "vizwiz": "unanswerable"}


def protocols() -> list[str]:
    """Every task, with its first two protocols (IconQA's second ranks texts, which only some of its splits have)."""
    chosen = [
        (name, list(registry.tasks.get(name).protocols)[: 1 if name == "iconqa" else 2])
        for name in registry.tasks.builtin
    ]
    return [registry.choose_task(f"{name}@{protocol}").key for name, found in chosen for protocol in found]


@pytest.mark.parametrize("spec", protocols())
def test_metrics_of_the_rebuilt_run_are_those_of_its_scores(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    name = registry.choose_task(spec).task.name
    text = SCRIPTS.get(name, "yes")
    words = ["run", "--model", f"echo,text={text}", "--tasks", spec, "--output", str(tmp_path / "run")]
    words += ["--min-coverage", "0", "--json", *(["--judge", JUDGED[name]] if name in JUDGED else [])]
    assert cli.main(words) == exit_codes.OK
    run = stored.load(tmp_path / "run")  # checks every metric by itself
    task = run.tasks[spec]
    values = {metric.name: metric.value() for metric in task.metrics(list(task.answered))}
    told = json.loads((tmp_path / "run" / "scores.json").read_text())[spec]
    bars = {name: entry["value"] for name, entry in told.items() if isinstance(entry, dict) and "value" in entry}
    assert set(bars) - set(values) <= ({task.headline} if not values else set())
    assert {name: value for name, value in bars.items() if value is not None} == pytest.approx(
        {name: values[name] for name, value in bars.items() if value is not None}
    )


@pytest.mark.parametrize("name", registry.tasks.builtin)
def test_what_is_kept_of_every_sample_survives_json(name: str) -> None:
    choice = registry.choose_task(name)
    for split in choice.task.splits:
        try:
            samples = choice.task.samples(Folder.sample(name), split)
        except Exception as error:  # this split has no embedded sample
            assert "no" in str(error) or "embedded" in str(error)
            continue
        texts = [extra_text(sample.extra) for sample in samples]
        assert "null" not in texts
        assert texts == [extra_text(sample.extra) for sample in choice.task.samples(Folder.sample(name), split)]
        assert max(map(len, texts)) < 5000, "what tells of the whole split begins with an underscore"


def test_sets_are_sorted_and_names_of_the_split_left_out() -> None:
    assert extra_text({"b": frozenset({"y", "x"}), "a": (1, {"k": None}), "_all": object()}) == (
        '{"b":["x","y"],"a":[1,{"k":null}]}'
    )
    assert extra_text({"a": object()}) == "null"


def ran(folder: Path, *words: str) -> StoredRun:
    """A run of a scripted model over the embedded sample, loaded again."""
    assert cli.main(["run", "--model", "echo,text=yes", "--output", str(folder), "--json", *words]) == exit_codes.OK
    return stored.load(folder)


def test_runs_without_the_column_are_read_where_metrics_need_nothing_of_it(tmp_path: Path) -> None:
    ran(tmp_path / "run", "--tasks", "pope,gqa", "--limit", "40")
    path = tmp_path / "run" / "records.parquet"
    pq.write_table(pq.read_table(path).drop(["extra"]), path)
    assert set(stored.load(tmp_path / "run", ["pope"]).tasks) == {"pope"}
    with pytest.raises(StoreError, match="gqa: the records lack what its metrics read") as caught:
        stored.load(tmp_path / "run")
    assert "vlmbench score RUN" in caught.value.hint
    assert cli.main(["score", str(tmp_path / "run"), "--json"]) == exit_codes.OK
    assert set(stored.load(tmp_path / "run").tasks) == {"pope", "gqa"}


def test_records_that_do_not_give_the_scores_are_refused(tmp_path: Path) -> None:
    ran(tmp_path / "run", "--tasks", "pope", "--limit", "40")
    path = tmp_path / "run" / "scores.json"
    scores: dict[str, Any] = json.loads(path.read_text())
    scores["pope"]["mean_f1"]["value"] += 0.5
    path.write_text(json.dumps(scores))
    with pytest.raises(StoreError, match=r"records give mean_f1 .* scores say"):
        stored.load(tmp_path / "run")


def test_equal_runs_have_equal_records(tmp_path: Path) -> None:
    for name in ("one", "two"):
        ran(tmp_path / name, "--tasks", "gqa,mmvet", "--limit", "30", "--min-coverage", "0")
    one, two = (pq.read_table(tmp_path / name / "records.parquet").drop(["seconds"]) for name in ("one", "two"))
    assert one.equals(two)


def test_a_task_that_is_not_there_is_named(tmp_path: Path) -> None:
    ran(tmp_path / "run", "--tasks", "pope", "--limit", "20")
    with pytest.raises(UsageError, match=r"no task 'gqa'"):
        stored.load(tmp_path / "run", ["gqa"])


def test_every_field_of_a_sample_is_kept() -> None:
    kept = {"id", "question", "images", "target", "choices", "tags", "cluster", "extra"}
    assert {field.name for field in dataclasses.fields(Sample)} == kept
