"""Benchmarks of the families from outside: as a plug-in, and in the form of a built-in file."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.support.toys import write_stars
from vlmbench import TableProtocol, TableTask, evaluate
from vlmbench.base import registry
from vlmbench.base.process import exit_codes
from vlmbench.base.samples import Response, Status
from vlmbench.cli import main as cli
from vlmbench.data.files import Folder
from vlmbench.data.tables.image_table import ImageTable, columns, table
from vlmbench.runs.storage.run_files import read_scores

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "models" / "plugins.md").read_text("utf-8")
STARS = re.findall(r"^```python[^\n]*stars.py[^\n]*\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0]
PROTOCOLS = ("official", "lmms_eval", "vlmevalkit")

DIAGRAMS = '''"""Diagrams: science diagrams, a dataset as AI2D's (Kembhavi et al. 2016, arXiv 1603.07396)."""

import vlmbench
from vlmbench.base.task import Size
from vlmbench.parsing import options as readers
from vlmbench.families import prompts
from vlmbench.data.tables.columns import Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.families.multiple_choice import ChoiceRules, MultipleChoice

DIAGRAMS = MultipleChoice(
    name="diagrams",
    title="Diagrams: multiple choice about science diagrams",
    about=__doc__,
    sizes={"test": Size(3)},
    rules={
        "lmms_eval": ChoiceRules("lmms-eval", prompts.llava, readers.lmms_eval_opening_letter, tokens=16),
        "vlmevalkit": ChoiceRules("VLMEvalKit", prompts.vlmevalkit, readers.vlmevalkit_letter),
    },
    files=HubDataset(
        ("someone/diagrams",), {"test": "test"}, Columns(options="options", answer_is="index", tags={"topic": "topic"})
    ),
    breakdowns=("topic",),
)
vlmbench.add_task(DIAGRAMS)
'''
ROWS = [
    {"question": "Which?", "options": ["sun", "leaf", "root"], "answer": "1", "topic": "plants"},
    {"question": "Where?", "options": ["up", "down"], "answer": "0", "topic": "plants"},
    {"question": "What?", "options": ["a", "b", "c", "d", "e"], "answer": "4", "topic": "cells"},
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgotten: None) -> Path:
    """The plug-ins and the table, in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stars.py").write_text(STARS, "utf-8")
    (tmp_path / "diagrams.py").write_text(DIAGRAMS, "utf-8")
    write_stars(tmp_path / "stars.tsv")
    return tmp_path


def run(*words: str) -> dict[str, dict[str, float]]:
    """The values of a run's scores."""
    assert cli.main(["run", *words, "--output", "run"]) == exit_codes.OK
    scores = read_scores(Path("run"))
    return {
        key: {name: m["value"] for name, m in entry.items() if isinstance(m, dict) and "value" in m}
        for key, entry in scores.items()
    }


def test_a_table_with_three_protocols_is_short() -> None:
    assert len(STARS.splitlines()) <= 40
    assert len(DIAGRAMS.splitlines()) <= 30


def test_as_a_plug_in(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scores by protocol, breakdowns, export and predictions, data notes, perturbations: all from the family."""
    tasks = ",".join(f"stars@{protocol}" for protocol in PROTOCOLS)
    values = run("--plugins", "stars.py", "--model", "echo,text=A.", "--tasks", tasks)
    assert {key: entry["accuracy"] for key, entry in values.items()} == {
        "stars": 0.0, "stars@lmms_eval": 50.0, "stars@vlmevalkit": 50.0
    }  # fmt: skip
    assert (values["stars@vlmevalkit"]["axis_shape"], values["stars@vlmevalkit"]["axis_color"]) == (100.0, 0.0)
    assert "official" not in capsys.readouterr().err  # four questions, as the benchmark says
    words = ["--plugins", "stars.py", "run", "--task", "stars@vlmevalkit", "--output", "answers.jsonl"]
    assert cli.main(["export", *words]) == exit_codes.OK
    words = ["stars@vlmevalkit", "--plugins", "stars.py", "--predictions", "answers.jsonl", "--json"]
    capsys.readouterr()
    assert cli.main(["score", *words]) == exit_codes.OK
    entry = json.loads(capsys.readouterr().out)["stars@vlmevalkit"]
    assert entry["accuracy"]["value"] == 50.0 and entry["accuracy"]["low"] < 50.0 < entry["accuracy"]["high"]


def test_the_same_table_as_a_table_task(folder: Path) -> None:
    """Options, images inside the table, several protocols and splits without a family."""
    files = ImageTable({"val": table("stars.tsv"), "test": table("more.tsv")}, columns(tags={"axis": "l2_category"}))
    asked = TableProtocol("{question}\n{options}\nThe letter:")
    strict = TableProtocol(asked.prompt, lambda text, answer: text == answer, 4, "here", "the letter alone")
    task = TableTask("stars", files, protocols={"loose": asked, "strict": strict}, breakdowns=["axis"])
    assert (task.splits, list(task.protocols)) == (("val", "test"), ["loose", "strict"])
    assert task.protocols["strict"].generation.max_new_tokens == 4
    (first, *_) = samples = task.samples(Folder(folder), "val")
    assert task.build_request(first, "loose").prompt == "What is 1?\nA. star\nB. moon\nC. ring\nThe letter:"
    for protocol, value in (("loose", 50.0), ("strict", 0.0)):
        scored = [(sample, task.score(sample, Response("A."), protocol)) for sample in samples]
        metrics = {metric.name: metric.value() for metric in task.summarise(scored, protocol)}
        assert metrics["accuracy"] == value and metrics["axis_shape"] == 2 * value
    hidden = replace(first, target=None)
    assert task.score(hidden, Response("A"), "loose").status is Status.UNLABELED
    scores = evaluate("echo,text=B", TableTask("stars", files, bundled_data_dir=folder)).scores
    assert scores.set_index("metric")["value"]["accuracy"] == 50.0


def test_as_a_built_in_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same lines but the last, and one entry of the catalog."""
    (folder / "stars_built_in.py").write_text(STARS.replace("vlmbench.add_task(STARS)\n", ""), "utf-8")
    monkeypatch.syspath_prepend(str(folder))
    catalog = {**registry.tasks.builtin, "stars": "stars_built_in:STARS"}
    monkeypatch.setattr(registry, "tasks", registry.Registry("task", catalog, "none"))
    values = run("--model", "echo,text=B", "--tasks", "stars@vlmevalkit,stars")
    assert {entry["accuracy"] for entry in values.values()} == {50.0}


def test_hub_columns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of a dataset's files, or its rows as JSON lines: the same scores."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(folder / "cache"))
    datasets.disable_progress_bars()
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (1, 2, 3)).save(buffer, "PNG")
    path = folder / "copies" / "someone" / "diagrams" / "data" / "test-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    rows = [row | {"image": {"bytes": buffer.getvalue(), "path": None}} for row in ROWS]
    datasets.Dataset.from_list(rows).cast_column("image", datasets.Image(decode=False)).to_parquet(str(path))
    common = ("--plugins", "diagrams.py", "--model", "echo,text=B", "--tasks", "diagrams,diagrams@vlmevalkit")
    values = run(*common, "--data", "hub:copies")
    assert [round(entry["accuracy"]) for entry in values.values()] == [33, 33]
    assert values["diagrams"]["topic_plants"] == 50.0
    (folder / "rows").mkdir()
    (folder / "rows" / "a.png").write_bytes(buffer.getvalue())
    lines = "".join(json.dumps(row | {"image": "a.png"}) + "\n" for row in ROWS)
    (folder / "rows" / "test.jsonl").write_text(lines, "utf-8")
    (folder / "run").rename(folder / "first")
    assert run(*common, "--data", "rows") == values
