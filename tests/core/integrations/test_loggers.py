"""Scores to trackers and model cards, offline: what each keeps, and what happens where one fails."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest
import yaml

import vlmbench
from vlmbench.api import Result
from vlmbench.base.errors import StoreError, UnknownNameError, UsageError
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.integrations.loggers import parse, trackers
from vlmbench.integrations.loggers.sending import without_secrets
from vlmbench.integrations.loggers.sent_run import SentRun

KEY = "c" * 40


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Result]:
    """A finished run of two tasks, one of them with a protocol in its key."""
    folder = tmp_path_factory.mktemp("runs") / "yes"
    yield vlmbench.evaluate("echo,text=yes", "pope@llava,vsr", limit=30, output=folder)


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is sent anywhere, and nothing is read from the user's own settings."""
    settings = {
        "WANDB_MODE": "offline",
        "WANDB_SILENT": "true",
        "WANDB_DIR": str(tmp_path),
        "WANDB_API_KEY": KEY,
        "MLFLOW_TRACKING_URI": (tmp_path / "mlruns").as_uri(),
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield
    if "wandb" in sys.modules:
        sys.modules["wandb"].teardown()  # it reads its settings once per process


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["wandb"], ["wandb"]),
        (["wandb:project=x,name=y,tensorboard"], ["wandb:project=x,name=y", "tensorboard"]),
        (["hub-card=a/README.md:name=me", "mlflow:project=x"], ["hub-card=a/README.md:name=me", "mlflow:project=x"]),
        ([" wandb , tensorboard:dir=a/b "], ["wandb", "tensorboard:dir=a/b"]),
        ([], []),
    ],
)
def test_the_words(texts: list[str], expected: list[str]) -> None:
    assert [str(target) for target in parse(texts)] == expected


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("wandbb", UnknownNameError, "no service of --log-to named 'wandbb'"),
        ("project=x", UnknownNameError, "no service of --log-to named 'project'"),
        ("wandb:projct=x", UnknownNameError, "no option of --log-to wandb named 'projct'"),
        ("wandb:api_key=" + KEY, UnknownNameError, "no option of --log-to wandb named 'api_key'"),
        ("mlflow:uri=http://host", UnknownNameError, "no option of --log-to mlflow named 'uri'"),
        ("wandb:project", UsageError, "project has no value"),
        ("wandb=x", UsageError, "cannot read 'wandb=x'"),
        ("hub-card", UsageError, "which card"),
        ("wandb,tensorboard,wandb:name=x", UsageError, "names wandb twice"),
    ],
)
def test_words_that_mean_nothing(text: str, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told) as raised:
        parse([text])
    assert KEY not in str(raised.value)


def test_a_library_that_is_not_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is asked, with the command that installs it."""
    monkeypatch.setattr("vlmbench.base.process.extras.find_spec", lambda module: None)
    words = ["run", "--model", "echo", "--tasks", "pope", "--log-to", "wandb:project=x"]
    assert cli.main(words) == exit_codes.USER_MUST_CHANGE
    told = capsys.readouterr().err
    assert "--log-to wandb needs wandb, which is not installed" in told and "pip install 'wandb" in told
    assert not list(Path().iterdir())


def test_what_is_sent(result: Result) -> None:
    sent = SentRun(result.folder, result.manifest, result.summary)
    entry = result.summary["pope@llava"]["accuracy"]
    assert sent.numbers["vlmbench/pope@llava_accuracy"] == entry["value"]
    assert sent.numbers["vlmbench/pope@llava_accuracy_low"] == entry["low"]
    assert sent.numbers["vlmbench/vsr_coverage"] == 1.0 and sent.numbers["vlmbench/vsr_asked"] == 1.0
    assert sent.numbers["vlmbench/vsr_status_ok"] == sent.numbers["vlmbench/vsr_questions"] == 30
    assert sent.config["model"] == "echo,text=yes" and sent.config["limit"] == 30 and sent.config["fingerprint"]
    breakdowns = [row for row in sent.rows if row[6] == "category: Topological"]
    assert len(breakdowns) == 1 and breakdowns[0][:2] == ["vsr", "category_Topological"]
    half = {"task": {**result.summary["vsr"], "statuses": {"ok": 20, "error": 4, "not_asked": 6}}}
    assert SentRun(result.folder, {}, half).numbers["vlmbench/task_asked"] == pytest.approx(0.8)


@pytest.mark.slow
def test_wandb(result: Result, tmp_path: Path) -> None:
    """The file that it keeps offline, read back."""
    result.log_to("wandb:project=mine,name=first")
    folders = list((tmp_path / "wandb").glob("offline-run-*"))
    assert len(folders) == 1
    history, files, config = wandb_file(folders[0])
    assert history["vlmbench/vsr_accuracy"] == result.summary["vsr"]["accuracy"]["value"]
    assert history["vlmbench/vsr_accuracy_low"] == result.summary["vsr"]["accuracy"]["low"]
    assert history["vlmbench/scores/nrows"] == len(SentRun(result.folder, {}, result.summary).rows)
    assert {"run.json", "scores.json"} <= files and config["model"] == "echo,text=yes"
    assert not [path for path in folders[0].rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def wandb_file(folder: Path) -> tuple[dict[str, Any], set[str], dict[str, Any]]:
    """The last values, the names of an artifact's files, and the config in a run that was kept offline."""
    import wandb
    from wandb.proto.wandb_internal_pb2 import Record

    wandb.teardown()  # its service writes the rest
    history: dict[str, Any] = {}
    files: set[str] = set()
    config: dict[str, Any] = {}
    for raw in records(next(folder.glob("*.wandb")).read_bytes()):
        record = Record()
        record.ParseFromString(raw)
        for item in record.history.item:
            history[item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
        config |= {one.key: json.loads(one.value_json) for one in record.run.config.update}
        files |= {entry.path for entry in record.artifact.manifest.contents}
    return history, files, config


def records(content: bytes) -> Iterator[bytes]:
    """The records of a LevelDB log behind W&B's header of 7 bytes: blocks of 32 KiB, records in parts."""
    place, parts = 7, b""
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:  # no room for another part's header: the rest of the block is empty
            place += 32768 - place % 32768
            continue
        length, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""


@pytest.mark.slow
def test_wandb_joins_the_run_of_a_training(result: Result, tmp_path: Path) -> None:
    import wandb

    run = cast("Any", wandb.init(project="training"))
    result.log_to("wandb", step=7)
    assert id(wandb.run) == id(run), "it is not ended"
    run.log({"loss": 1.0})
    run.finish()
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 1
    history = wandb_file(next((tmp_path / "wandb").glob("offline-run-*")))[0]
    assert history["vlmbench/step"] == 7 and history["loss"] == 1.0


@pytest.mark.slow
def test_mlflow(result: Result) -> None:
    import mlflow

    result.log_to("mlflow:project=mine,name=first")
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("mine")
    (run,) = client.search_runs([experiment.experiment_id])
    entry = result.summary["pope@llava"]["accuracy"]
    assert run.info.run_name == "first" and run.info.status == "FINISHED"
    assert run.data.metrics["vlmbench/pope_llava_accuracy"] == entry["value"]
    assert run.data.metrics["vlmbench/pope_llava_accuracy_high"] == entry["high"]
    assert run.data.params["model"] == "echo,text=yes"
    assert {one.path for one in client.list_artifacts(run.info.run_id, "vlmbench")} == {
        "vlmbench/run.json",
        "vlmbench/scores.json",
    }
    assert mlflow.active_run() is None


def test_tensorboard(result: Result, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for step in (10, 20):
        result.log_to(f"tensorboard:dir={tmp_path / 'tb'}", step=step, name="mine")
    read = EventAccumulator(str(tmp_path / "tb" / "mine"))
    read.Reload()
    points = read.Scalars("vlmbench/vsr_accuracy")
    assert [point.step for point in points] == [10, 20]
    assert points[0].value == pytest.approx(result.summary["vsr"]["accuracy"]["value"])
    (text,) = read.Tensors("vlmbench/scores/text_summary")[:1]
    assert b"| vsr | accuracy |" in text.tensor_proto.string_val[0]


class StandIn(ModuleType):
    """Trackio as its documentation has it: init(project, name, config), a run with log(metrics, step), finish()."""

    def __init__(self) -> None:
        super().__init__("trackio")
        self.__spec__ = pytest.__spec__
        self.started: dict[str, Any] = {}
        self.lines: list[tuple[dict[str, Any], int | None]] = []
        self.ended = False

    def init(self, project: str, name: str | None = None, *, config: Any = None, embed: bool = True) -> StandIn:
        self.started = {"project": project, "name": name, "config": config}
        return self

    def log(self, metrics: dict[str, Any], step: int | None = None) -> None:
        self.lines.append((metrics, step))

    def finish(self) -> None:
        self.ended = True

    @staticmethod
    def Table(dataframe: Any) -> Any:  # noqa: N802  # its name there
        return dataframe


def test_trackio(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    library = StandIn()
    monkeypatch.setitem(sys.modules, "trackio", library)
    result.log_to("trackio:project=mine", step=3)
    assert (library.started["project"], library.started["name"], library.ended) == ("mine", "yes", True)
    ((line, step),) = library.lines
    assert step == 3 and line["vlmbench/vsr_accuracy"] == result.summary["vsr"]["accuracy"]["value"]
    assert list(line["vlmbench/scores"].columns)[:3] == ["task", "metric", "value"]


CARD = """---
license: mit  # a comment
model-index:
- name: mine
  results:
  - task:
      type: text-generation
    dataset:
      name: IFEval
      type: ifeval
    metrics:
    - type: accuracy
      value: 12.5
      unknown: kept
    source:
      name: Somebody's leaderboard
      url: https://example.org
  - task: {type: image-text-to-text}
    dataset: {type: vlmbench/vsr-sample, config: vsr, split: zeroshot, name: VSR}
    metrics: [{type: accuracy, value: 1.0}]
    source: {name: vlmbench, url: 'https://github.com/vlmbench/vlmbench'}
- name: other
  results: []
---
# Mine

Text with --- in it and ünï\n"""


def test_a_model_card(result: Result, tmp_path: Path) -> None:
    from huggingface_hub import ModelCard

    path = tmp_path / "README.md"
    path.write_text(CARD, "utf-8")
    for _ in range(2):
        result.log_to(f"hub-card={path}:name=mine")
    text = path.read_text("utf-8")
    assert text.endswith(CARD.rpartition("---\n")[2]) and "ünï" in text
    before, after = (yaml.safe_load(one.split("---\n")[1]) for one in (CARD, text))
    assert after["license"] == "mit" and [one["name"] for one in after["model-index"]] == ["mine", "other"]
    results = after["model-index"][0]["results"]
    assert results[0] == before["model-index"][0]["results"][0], "another's result stays as it is"
    assert [one["dataset"]["config"] for one in results[1:]] == ["pope@llava", "vsr"], "ours is replaced, not doubled"
    vsr, entry = results[2], result.summary["vsr"]["accuracy"]
    assert vsr["metrics"][0]["value"] == entry["value"] and vsr["metrics"][0]["args"]["low"] == entry["low"]
    assert vsr["metrics"][0]["args"]["limit"] == 30
    assert "embedded sample" in vsr["dataset"]["name"] and vsr["dataset"]["type"].endswith("-sample")
    read = ModelCard.load(path).data.eval_results
    assert read is not None and {one.dataset_config for one in read} >= {"vsr", "pope@llava"}


def test_a_card_that_is_not_there_yet(result: Result, tmp_path: Path) -> None:
    result.log_to(f"hub-card={tmp_path / 'model'}")
    text = (tmp_path / "model" / "README.md").read_text("utf-8")
    assert yaml.safe_load(text.split("---\n")[1])["model-index"][0]["name"] == "echo,text=yes"


@pytest.mark.parametrize("text", ["---\nmodel-index: 3\n---\n", "---\n- a\n---\n", "---\na: [\n---\n"])
def test_a_broken_card_is_left_alone(
    text: str, result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "README.md"
    path.write_text(text)
    result.log_to(f"hub-card={path}")
    assert path.read_text() == text and list(tmp_path.glob(".vlmbench*")) == []
    assert "nothing more is sent to hub-card: StoreError" in capsys.readouterr().err


def test_a_service_that_fails_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(*_: Any) -> Any:
        raise ConnectionError(f"no route to https://me:secret@host, key {KEY}")

    monkeypatch.setattr(trackers, "TRACKERS", {**trackers.TRACKERS, "wandb": unreachable})
    monkeypatch.setattr("vlmbench.integrations.loggers.sending.TRACKERS", trackers.TRACKERS)
    words = ["run", "--model", "echo,text=yes", "--tasks", "pope", "--limit", "6", "--output", "run", "--json"]
    assert cli.main([*words, "--log-to", "wandb", "--log-to", f"tensorboard,hub-card={tmp_path}"]) == exit_codes.OK
    shown = capsys.readouterr()
    assert json.loads(shown.out)["pope"]["coverage"] == 1.0
    assert shown.err.count("nothing more is sent to wandb: ConnectionError") == 1
    assert "secret" not in shown.err and KEY not in shown.err and "***@host" in shown.err
    assert list(Path("run/tensorboard").iterdir()) and (tmp_path / "README.md").is_file()


def test_no_secrets() -> None:
    assert without_secrets(f"https://a:b@c/d {KEY}") == "https://***@c/d ***"


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        Result(tmp_path, {}).log_to("tensorboard")
