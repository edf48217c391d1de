"""What is wrong with a command is told before torch is imported; nothing waits for a network that is not there."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vlmbench.base import registry
from vlmbench.base.errors import DataError, ModelError, StoreError, UsageError
from vlmbench.base.process import devices, extras, hub_network
from vlmbench.cli import main as cli
from vlmbench.data.hub import Hub
from vlmbench.plugins import loader_options, specs
from vlmbench.runs.storage.store import refuse_unwritable

ROOT = Path(__file__).parents[4]
EARLY = {
    "--taks": (["--taks", "pope"], "did you mean --tasks"),
    "a limit": (["--limit", "x"], "argument --limit: a number of questions"),
    "a task": (["--tasks", "popee"], "did you mean pope"),
    "a model": (["--model", "tinylava"], "did you mean tinyllava"),
    "an option": (["--model", "tinyllava,engin=simple"], "did you mean engine"),
    "a flag": (["--model", "echo", "--dtype", "bfloat16"], "model echo has no --dtype"),
    "a checkpoint": (["--model", "tinyllava:/no/such"], "/no/such: no such folder"),
    "a folder": (["--model", "hf:/no/such"], "/no/such: no such folder"),
    "a device": (["--device", "gpu"], "no device 'gpu'"),
    "data": (["--data", "empty"], "empty: POPE's random question file is not there"),
    "an output": (["--output", "file/run"], "file/run: cannot write: Not a directory"),
}
"""A word of `vlmbench run --model tinyllava --tasks pope` and what is said of it."""


@pytest.mark.parametrize("wrong", EARLY)
def test_errors_need_no_torch(wrong: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    words, message = EARLY[wrong]
    code = (
        "import sys\n"
        "from vlmbench.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        "sys.exit(f'torch was imported: {code}' if 'torch' in sys.modules else code)\n"
    )
    command = [sys.executable, "-c", code, "run", "--model", "tinyllava", "--tasks", "pope", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr and "usage:" not in done.stderr
    assert not (tmp_path / "runs").exists()


def test_the_line_on_what_is_loading(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--model", "echo,text=yes", "--tasks", "pope", "--limit", "2", "--output", str(tmp_path / "run")]
    assert cli.main(words) == 0
    assert capsys.readouterr().err.startswith("loading echo,text=yes\n")


# ------------------------------------------------------------------------------------------- options without importing


@pytest.mark.parametrize("name", registry.MODELS)
def test_a_loaders_options_are_read_from_its_source(name: str) -> None:
    """The source and the function itself say the same, and so do their defaults."""
    import inspect

    loader = registry.models.get(name)
    known = loader_options.of_loader(registry.MODELS[name])
    assert known is not None and list(known) == specs.keyword_options(loader)
    for option, shown in known.items():
        default = inspect.signature(loader).parameters[option].default
        assert shown == (str(default).lower() if isinstance(default, bool) else str(default))


@pytest.mark.parametrize("name", ["echo", "hf", "openai"])
def test_models_that_are_not_loaded_tell_their_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", name]) == 0
    told = capsys.readouterr().out
    assert f"options: --model {name}[:CHECKPOINT],OPTION=VALUE,..." in told
    for option in loader_options.of_loader(registry.MODELS[name]) or {}:
        assert f"{option}=" in told


@pytest.mark.parametrize("path", ["no.such.module:load", "vlmbench.base.registry:load", "math:sqrt"])
def test_loaders_whose_source_does_not_tell(path: str) -> None:
    assert loader_options.of_loader(path) is None


# -------------------------------------------------------------------------------------------------- devices and extras


@pytest.mark.parametrize(
    ("version", "built"),
    [
        ("cuda: Optional[str] = None\nhip: Optional[str] = None\n", ()),
        ("cuda = '12.8'\nhip = None\n", ("cuda 12.8",)),
        ("cuda: Optional[str] = None\nhip: Optional[str] = '6.2.1'\n", ("hip 6.2.1",)),
        ("debug = False\n", None),
    ],
)
def test_what_torch_was_built_for(version: str, built: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "version.py").write_text(version)
    spec = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr(devices, "find_spec", lambda name: spec)
    assert devices.builds() == built
    assert (devices.problem("cuda:1") is not None) == (built == ())


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "", "cpu:0:1"])
def test_no_devices(device: str) -> None:
    found = devices.problem(device)
    assert found is not None and found[0] == f"no device {device!r}"


def test_missing_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"--quantize needs torchao.*\n.*torchao>="):
        specs.check(specs.parse_model("tinyllava"), {"quantize": "int4"})
    with pytest.raises(UsageError, match=r"model vllm needs vllm.*\n.*base_url"):
        specs.check(specs.parse_model("vllm:name"), {})
    specs.check(specs.parse_model("vllm:name,base_url=http://localhost:1/v1"), {})
    specs.check(specs.parse_model("tinyllava"), {"quantize": "int8-dynamic"})


def test_outputs_that_cannot_be_written(tmp_path: Path) -> None:
    refuse_unwritable(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        refuse_unwritable(tmp_path / "file" / "run")


# -------------------------------------------------------------------------------------------------- the hub, and no net


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Every connection is refused as without a network; yields what was tried."""
    tried: list[Any] = []

    def refuse(address: Any, *args: Any) -> None:
        tried.append(address)
        raise socket.gaierror(-2, "Name or service not known")

    for name in ("HF_HUB_OFFLINE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(hub_network, "getproxies", dict)
    monkeypatch.setattr(socket, "create_connection", refuse)
    for name in hub_network.SWITCHES:
        if name in sys.modules:
            monkeypatch.setattr(sys.modules[name], "HF_HUB_OFFLINE", False)
    hub_network.unreachable.cache_clear()
    yield tried
    hub_network.unreachable.cache_clear()
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


def test_a_model_of_the_hub_without_a_network(no_network: list[Any]) -> None:
    with pytest.raises(ModelError) as error:
        specs.check(specs.parse_model("hf:no/such-model"), {})
    assert "not in the hub's cache, and huggingface.co cannot be reached: Name or service not known" in str(error.value)
    assert "hf download no/such-model --local-dir FOLDER" in str(error.value)
    with pytest.raises(ModelError):
        specs.check(specs.parse_model("hf:no/other"), {})
    assert no_network == [("huggingface.co", 443)]


def test_data_of_the_hub_without_a_network(no_network: list[Any]) -> None:
    pytest.importorskip("datasets")
    with pytest.raises(DataError, match=r"split test: not in the hub's cache, and huggingface\.co cannot"):
        Hub().table(["lmms-lab/POPE"], "default", "test", ["question"])
    assert no_network == [("huggingface.co", 443)]


def test_nothing_is_tried_behind_a_proxy_or_offline(no_network: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_network, "getproxies", lambda: {"https": "http://proxy:1"})
    assert hub_network.unreachable() == ""
    hub_network.unreachable.cache_clear()
    monkeypatch.setattr(hub_network, "getproxies", dict)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub_network.unreachable() == ""
    assert no_network == []


def test_another_endpoint(no_network: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.example:8080")
    assert "mirror.example cannot be reached" in hub_network.unreachable()
    assert no_network == [("mirror.example", 8080)]
