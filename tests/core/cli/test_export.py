"""`vlmbench export`: a run's answers, written and read back to the same scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Sample
from vlmbench.cli.main import main
from vlmbench.data.files import Folder
from vlmbench.families.multiple_choice import texts
from vlmbench.parsing.boxes import from_size

pytestmark = pytest.mark.slow

ODD = ("Yes", "no, it is not", "A", "B", "The answer is B.", "left", "red", "Red.", "{<10><10><60><60>}", "", "=1+1")


def right(sample: Sample, protocol: str) -> str:
    """The right answer; of a box in hundredths for MiniGPT-4's protocol, in shares of the picture for others."""
    if isinstance(sample.target, str):
        return sample.target
    sides = [side / 96 for side in from_size(sample.target["bbox"])]
    return "{" + "".join(f"<{round(100 * side)}>" for side in sides) + "}" if protocol == "minigpt_v2" else str(sides)


def run(root: Path, spec: str) -> tuple[Path, dict[str, Any]]:
    """A finished run with answers of all sorts, and its scores."""
    choice = choose_task(spec)
    samples = choice.task.samples(Folder.sample(choice.task.name), choice.split)
    script = {
        sample.id: ODD[n % len(ODD)] if n % 3 else right(sample, choice.protocol) for n, sample in enumerate(samples)
    }
    (root / "script.json").write_text(json.dumps(script))
    folder = root / "run"
    assert main(["run", "--model", f"echo:{root / 'script.json'}", "--tasks", spec, "--output", str(folder)]) == 0
    return folder, json.loads((folder / "scores.json").read_text())[choice.key]


def scores(capsys: pytest.CaptureFixture[str], spec: str, path: Path) -> Mapping[str, Any]:
    """What `vlmbench score` makes of an exported file."""
    capsys.readouterr()
    assert main(["score", spec, "--predictions", str(path), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found[choose_task(spec).key]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("spec", "form", "again"),
    [
        ("pope", "official", "pope"),
        ("pope@llava", "llava", "pope@llava"),
        ("pope@lmms_eval", "official", "pope@lmms_eval"),
        ("gqa", "official", "gqa"),
        ("gqa@llava", "official", "gqa"),  # the file for eval.py holds converted answers
        ("gqa@llava", "llava", "gqa@llava"),
        ("gqa@lmms_eval", "official", "gqa@lmms_eval"),
        ("mmbench", "xlsx", "mmbench"),
        ("mmbench:dev_cn@llava", "tsv", "mmbench:dev_cn@llava"),
        ("refcoco", "minigpt4", "refcoco"),
        ("refcoco:refcocog_val@vlmevalkit", "minigpt4", "refcoco:refcocog_val@vlmevalkit"),
    ],
)
def test_there_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str], spec: str, form: str, again: str) -> None:
    folder, before = run(tmp_path, spec)
    capsys.readouterr()
    assert main(["export", str(folder), "--format", form]) == 0
    told = capsys.readouterr()
    path = Path(told.out.strip().rpartition(": ")[2])
    assert path.exists() and path.parent == folder / "export" and not told.err
    after = scores(capsys, again, path)
    assert before["statuses"] == after["statuses"]
    common = [name for name, entry in before.items() if isinstance(entry, dict) and "value" in entry]
    assert {name: after[name]["value"] for name in common} == {name: before[name]["value"] for name in common}
    assert 0 < before[before["headline"]]["value"] < 100


@pytest.mark.parametrize(
    "spec",
    [
        "aokvqa",
        "vstar@ranked",
        "seedbench",
        "sugarcrepe",
        "iconqa:choose_txt_test@minigpt_v2",
        "iconqa:choose_txt_test@tinygpt_v",
    ],
)
@pytest.mark.parametrize("of", ["right", "first"])
def test_ranked_texts_there_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str], spec: str, of: str) -> None:
    """Every file holds the option that was ranked first, in a form that the same protocol reads."""
    choice = choose_task(spec)
    rules = choice.task.rules[choice.protocol]  # type: ignore[attr-defined]
    assert rules.choices is texts
    samples = choice.task.samples(Folder.sample(choice.task.name), choice.split)
    script = {one.id: one.choices[0] if of == "first" else one.choices["ABCDE".index(one.target)] for one in samples}
    (tmp_path / "script.json").write_text(json.dumps(script))
    model, folder = f"echo:{tmp_path / 'script.json'}", tmp_path / "run"
    assert main(["run", "--model", model, "--tasks", spec, "--output", str(folder)]) == 0
    before = json.loads((folder / "scores.json").read_text())[choice.key]
    value = before[before["headline"]]["value"]
    assert value == 100 if of == "right" else value < 100
    formats = choice.task.formats  # type: ignore[attr-defined]
    for form in formats:
        capsys.readouterr()
        assert main(["export", str(folder), "--format", form]) == 0
        after = scores(capsys, spec, Path(capsys.readouterr().out.strip().rpartition(": ")[2]))
        assert after[before["headline"]]["value"] == value and after["answers"]["unread"] == 0
    if "json" in formats:  # the leaderboard's object has the text, not the letter
        written = json.loads((folder / "export" / f"{choice.key}.json").read_text())
        assert {key: one["multiple_choice"] for key, one in written.items()} == script


def test_output_and_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, _ = run(tmp_path, "mmbench")
    assert main(["export", str(folder), "--output", str(tmp_path / "there" / "a.tsv")]) == 0
    assert (tmp_path / "there" / "a.tsv").read_text().startswith('"index"\t"question"')
    for words, told in (
        (["--format", "xls"], "no format of this task named 'xls'\n  did you mean xlsx?"),
        (
            ["--format", "tsv", "--output", "a.xlsx"],
            "not end in .tsv\n  the formats are: xlsx (.xlsx), tsv (.tsv)",
        ),
        (["--output", "a.json"], "--output a.json does not end in .xlsx"),
        (["--task", "mmbensh"], "no task of this run named 'mmbensh'\n  did you mean mmbench?"),
        (["--data", "nowhere"], "no folder nowhere"),
    ):
        capsys.readouterr()
        assert main(["export", str(folder), *words]) == 2
        assert told in capsys.readouterr().err


def test_several_tasks_and_a_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    words = ["run", "--model", "echo,text=yes", "--tasks", "pope,gqa", "--limit", "6", "--output", str(folder)]
    assert main(words) == 0
    capsys.readouterr()
    assert main(["export", str(folder)]) == 2
    assert "the run has 2 tasks\n  name one: --task pope or gqa" in capsys.readouterr().err
    assert main(["export", str(folder), "--task", "gqa"]) == 0
    told = capsys.readouterr()
    assert (
        "the run asked 6 of 900 questions" in told.err
        and len(json.loads((folder / "export/gqa.json").read_text())) == 6
    )


def test_what_cannot_be_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tmp_path)]) == 2
    assert "no run.json here" in capsys.readouterr().err
    folder, _ = run(tmp_path, "refcoco")
    manifest = json.loads((folder / "run.json").read_text())
    manifest["tasks"]["refcoco"]["hashes"]["samples"] = "other"
    (folder / "run.json").write_text(json.dumps(manifest))
    assert main(["export", str(folder)]) == 2
    assert "the run asked other questions" in capsys.readouterr().err
    (folder / "scores.json").unlink()
    assert main(["export", str(folder)]) == 2
    assert "no scores.json here" in capsys.readouterr().err


def test_answers_that_are_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder, _ = run(tmp_path, "refcoco")
    table = pq.read_table(folder / "records.parquet")
    finishes = ["error", *table["finish"].to_pylist()[1:]]
    index = table.column_names.index("finish")
    pq.write_table(table.set_column(index, "finish", pa.array(finishes)), folder / "records.parquet")
    assert main(["export", str(folder)]) == 2
    assert "1 of 285 questions have no answer: COCO_train2014_" in capsys.readouterr().err


def test_another_llava_question_file_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, _ = run(tmp_path, "pope@llava")
    (tmp_path / "llava_pope_test.jsonl").write_text('{"question_id": 1}\n')
    assert main(["export", str(folder), "--output", str(tmp_path / "a.jsonl")]) == 2
    assert "there is another question file" in capsys.readouterr().err
    assert (tmp_path / "llava_pope_test.jsonl").read_text() == '{"question_id": 1}\n'
