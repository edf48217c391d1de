"""vlmbench.evaluate: the same run as the command's, for names, adapters, functions and model objects."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import vlmbench
from tests.support import toys
from tests.support.toys import ToyModel
from vlmbench.base import registry
from vlmbench.base.errors import ModelError, UnknownNameError, UsageError
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.runs.storage.run_files import read_manifest


@dataclass
class ToyTask(toys.ToyTask):
    """One that needs no data but itself."""

    bundled_data_dir: Path = Path(__file__).parent


ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Names that were lent are gone, and nothing is written to the working directory."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    known = registry.tasks.names(), registry.models.names()
    yield
    assert (registry.tasks.names(), registry.models.names()) == known
    assert not list((tmp_path / "here").iterdir())


def test_the_same_as_the_command(tmp_path: Path) -> None:
    result = vlmbench.evaluate("echo,text=yes", "pope,gqa", limit=36, seed=3, output=tmp_path / "api")
    words = ["run", "--model", "echo,text=yes", "--tasks", "pope,gqa", "--limit", "36", "--seed", "3"]
    assert cli.main([*words, "--output", str(tmp_path / "run")]) == exit_codes.OK
    for name in ("scores.json",):
        assert (tmp_path / "api" / name).read_bytes() == (tmp_path / "run" / name).read_bytes()
    pd.testing.assert_frame_equal(
        result.records.drop(columns="seconds"),
        pd.read_parquet(tmp_path / "run" / "records.parquet").drop(columns="seconds"),
    )
    one, two = (read_manifest(tmp_path / name) for name in ("api", "run"))
    assert one["asked"] == two["asked"] and one["identity"] == two["identity"]


def test_frames() -> None:
    result = vlmbench.evaluate("echo,text=yes", ["pope"], limit=90)
    assert list(result.scores.columns) == [
        "task", "metric", "value", "low", "high", "n", "breakdown", "label", "headline",
    ]  # fmt: skip
    headline = result.scores[result.scores["headline"]]
    assert list(headline["metric"]) == ["mean_f1"]
    assert (headline["low"] <= headline["value"]).all() and (headline["value"] <= headline["high"]).all()
    assert len(result.records) == 90 and result.coverage == 1.0
    assert result.summary["pope"]["coverage"] == 1.0


def test_a_temporary_folder_goes_with_the_result() -> None:
    result = vlmbench.evaluate("echo,text=yes", "pope", limit=3)
    folder, records = result.folder, result.records
    assert (folder / "run.json").is_file()
    del result
    gc.collect()
    assert not folder.exists() and len(records) == 3


def test_a_temporary_folder_goes_with_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    with pytest.raises(ModelError, match="fails on every group"):
        vlmbench.evaluate(ToyModel(raise_at=frozenset({f"{i}-0" for i in range(4)})), ToyTask(each=1))
    assert not list((tmp_path / "t").iterdir())


def test_objects(tmp_path: Path) -> None:
    result = vlmbench.evaluate(ToyModel(), [ToyTask(), "pope"], limit=9, output=tmp_path / "run")
    assert set(result.summary) == {"toy", "pope"}
    manifest = read_manifest(tmp_path / "run")
    assert (manifest["asked"]["model"], manifest["model"]["name"]) == ("toy", "toy")


def test_an_adapter_with_the_name_of_a_known_model() -> None:
    assert vlmbench.evaluate(ToyModel(name="echo"), "pope", limit=3).coverage == 1.0


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        vlmbench.evaluate(ToyModel(stop_after=5), ToyTask(), output=tmp_path / "run")
    again = ToyModel()
    assert vlmbench.evaluate(again, ToyTask(), output=tmp_path / "run").coverage == 1.0
    assert len(again.asked) == 12 - 5


def test_a_function_and_its_failures() -> None:
    def answer(images: Any, question: str) -> str:
        if "1" in question:
            raise ValueError("planted")
        return "yes"

    result = vlmbench.evaluate(answer, ToyTask())
    assert result.coverage == pytest.approx(8 / 12)
    failed = result.records[result.records["status"] == "error"]
    assert set(failed["note"]) == {"ValueError: planted"}


def test_an_answer_that_no_file_can_hold_is_an_error() -> None:
    def answer(images: Any, question: str) -> str:
        return "yes \ud800" if "1" in question else "yes"

    result = vlmbench.evaluate(answer, ToyTask())
    assert result.summary["toy"]["statuses"] == {"ok": 8, "error": 4}
    assert "half of a surrogate pair" in result.records["note"].max()


def test_a_model_object_with_its_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    seen: list[Any] = []

    def wrap(model: Any, processor: Any) -> ToyModel:
        seen.extend((model, processor))
        return ToyModel()

    monkeypatch.setattr(registry, "load_object", {registry.TRANSFORMERS: wrap}.__getitem__)
    module = torch.nn.Linear(1, 1)
    with pytest.raises(UsageError, match="Linear has no config"):
        vlmbench.api.adapter(module, "processor")
    module.config, module.generate = {}, print
    with pytest.raises(UsageError, match="DataParallel has no config") as wrapped:
        vlmbench.api.adapter(torch.nn.DataParallel(module), "processor")
    assert wrapped.value.hint == "give model.module"
    assert vlmbench.api.adapter(module, "processor").name == "toy" and seen == [module, "processor"]
    with pytest.raises(UsageError, match="Linear comes without its processor"):
        vlmbench.evaluate(module, ToyTask())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"limits": 3}, "no option of vlmbench.evaluate named 'limits'"),
        ({"json": True}, "no option of vlmbench.evaluate named 'json'"),
        ({"limit": "many"}, "--limit takes a whole number, not 'many'"),
        ({"engine": "fast"}, "--engine takes shared, batched, simple; not 'fast'"),
        ({"limit": 0}, "--limit 0 leaves nothing to ask"),
        ({"ablate": "blind"}, "ablate is now called perturb"),
        ({"exact": True}, "exact is now called recheck_ties"),
        ({"batch": 4}, "batch is now called batch_size"),
        ({"judge_runs": 2}, "--judge-runs needs a judge"),
        ({"verify_backend": 0}, "--verify-backend 0 compares nothing"),
        ({"workers": 0}, "--workers and --worker-timeout take numbers above 0"),
        ({"threads": -1}, "--threads takes a number above -1"),
        ({"seed": 1.5}, "--seed takes a whole number, not 1.5"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        vlmbench.evaluate("echo", "pope", **options)


def test_what_is_no_model_or_task() -> None:
    with pytest.raises(UsageError, match="int is no model"):
        vlmbench.evaluate(7, "pope")
    with pytest.raises(UsageError, match="int is no task"):
        vlmbench.evaluate("echo", [7])  # type: ignore[list-item]
    with pytest.raises(UnknownNameError, match="no task named 'popo'"):
        vlmbench.evaluate("echo", "popo")
    with pytest.raises(UsageError, match="registered twice"):
        vlmbench.evaluate("echo", ToyTask(name="pope"))


def test_the_public_names() -> None:
    for name in vlmbench.__all__:
        assert getattr(vlmbench, name)
    with pytest.raises(AttributeError):
        _ = vlmbench.evaluated


def test_importing_is_light() -> None:
    code = (
        "import sys, vlmbench; from vlmbench import evaluate; print({'pandas', 'torch', 'PIL.Image'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
