"""Plug-ins: loaded once, refused with the file's name, pinned in the run."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from vlmbench.base import registry
from vlmbench.base.errors import PluginError, UnknownNameError, UsageError
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.plugins import loading
from vlmbench.runs.storage.run_files import read_manifest

pytestmark = pytest.mark.usefixtures("forgotten")

MODEL = """
import vlmbench

@vlmbench.model({name!r})
def answer(images, question):
    return {text!r}
"""
TASK = """
from pathlib import Path
import vlmbench

vlmbench.add_task(vlmbench.TableTask({name!r}, Path(__file__).with_name("rows.csv")))
"""


def model(folder: Path, name: str = "says", text: str = "yes", file: str = "says.py") -> Path:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(MODEL.format(name=name, text=text), encoding="utf-8")
    return path


def task(folder: Path, name: str = "rows", more: str = "") -> Path:
    (folder / "rows.csv").write_text("image,question,answer\n,One?,yes\n,Two?,no\n", encoding="utf-8")
    path = folder / "rows.py"
    path.write_text(TASK.format(name=name) + more, encoding="utf-8")
    return path


def refused(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(["models", "--plugins", str(path)]) == exit_codes.USER_MUST_CHANGE
    return capsys.readouterr().err


def test_loaded_once(tmp_path: Path) -> None:
    path = model(tmp_path)
    assert loading.load(str(path)) == loading.load(f"{path}, {path}")[:1]
    assert "says" in registry.models.names()
    loading.unload()
    assert "says" not in registry.models.names()


def test_a_changed_file_is_loaded_anew(tmp_path: Path) -> None:
    first = loading.load(str(model(tmp_path)))[0]
    second = loading.load(str(model(tmp_path, name="other")))[0]
    assert first.hash != second.hash and first.module not in sys.modules
    assert "says" not in registry.models.names() and "other" in registry.models.names()
    assert not list(tmp_path.rglob("*.pyc"))


def test_a_folder_is_all_its_files_but_tests(tmp_path: Path) -> None:
    model(tmp_path, "one", file="one.py"), model(tmp_path, "two", file="two.py")
    for name in ("test_one.py", "_private.py"):
        (tmp_path / name).write_text("raise SystemExit('not to be run')")
    assert [plugin.path.name for plugin in loading.load(str(tmp_path))] == ["one.py", "two.py"]


def test_a_package_has_relative_imports_and_one_hash(tmp_path: Path) -> None:
    package = tmp_path / "pack"
    model(package, file="inner.py")
    (package / "__init__.py").write_text("from . import inner")
    before = loading.load(str(package))[0]
    assert before.names == (("model", "says"),)
    model(package, text="no", file="inner.py")
    assert loading.load(str(package))[0].hash != before.hash


def test_the_environment_names_plugins_and_a_settings_file_may_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model(tmp_path), task(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VLMBENCH_PLUGINS", "says.py")
    assert cli.main(["models"]) == exit_codes.OK and "says" in capsys.readouterr().out
    (tmp_path / "vlmbench.toml").write_text('plugins = "rows.py"')
    assert cli.main(["tasks"]) == exit_codes.USER_MUST_CHANGE
    assert "plug-ins are code, and a settings file runs none" in capsys.readouterr().err
    assert "rows" not in registry.tasks.names()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import no_such_module", "it cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        ("def broken(:", "it cannot be imported: SyntaxError"),
        ("1 / 0", "it cannot be imported: ZeroDivisionError"),
        ("raise SystemExit(3)", "it cannot be imported: SystemExit: 3"),
        ("x = 1", "it registers no task, no model and no suite"),
        (MODEL.format(name="echo", text=""), "model 'echo' is registered twice: vlmbench itself has it"),
        (MODEL.format(name="a", text="") * 2, "model 'a' is registered twice: it was added before"),
        ("import vlmbench\nvlmbench.add_task(object())", "object is no task: it has no name, title"),
        ("import vlmbench\nvlmbench.model('x')(lambda image: '')", "cannot be called as (images, question)"),
    ],
)
def test_what_is_refused(source: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.py"
    path.write_text(source)
    known = registry.models.names()
    error = refused(path, capsys)
    assert told in error and str(path) in error and "Traceback" not in error
    assert registry.models.names() == known
    model(tmp_path, "a", file="bad.py")  # mended
    assert loading.load(str(path))


def test_paths_that_are_no_plugin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such file or folder" in refused(tmp_path / "absent.py", capsys)
    (tmp_path / "empty").mkdir()
    assert "there is no plug-in" in refused(tmp_path / "empty", capsys)


def test_two_plugins_with_one_name(tmp_path: Path) -> None:
    one, two = model(tmp_path / "a"), model(tmp_path / "b", text="no")
    with pytest.raises(PluginError, match="registered twice"):
        loading.load(f"{one},{two}")
    assert registry.models.get("says")


def test_an_unknown_name_says_how_plugins_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tasks", "sings"]) == exit_codes.USER_MUST_CHANGE
    assert "--plugins FILE|DIR" in capsys.readouterr().err


def test_a_task_keeps_its_name(tmp_path: Path) -> None:
    path = task(tmp_path, more="import vlmbench.base.registry as r\nr.tasks.add('alias', r.tasks.get('rows'))")
    loading.load(str(path))
    with pytest.raises(PluginError, match="'alias' calls itself 'rows'"):
        registry.choose_task("alias")


# --------------------------------------------------------------------------------------------------- pinned in a run


def run(folder: Path, *words: str) -> int:
    named = f"{folder / 'rows.py'},{folder / 'says.py'}"
    return cli.main(["run", "--plugins", named, "--tasks", "rows", "--model", "says", *words])


def test_a_run_keeps_the_hashes_and_goes_on_with_the_same_plugin_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = task(tmp_path), tmp_path / "run"
    model(tmp_path)
    assert run(tmp_path, "--output", str(output)) == exit_codes.OK
    manifest = read_manifest(output)
    assert manifest["asked"]["plugins"] == {p.path.name: p.hash for p in loading._loaded.values()}
    assert manifest["tasks"]["rows"]["plugin"] == {"rows.py": loading.source_hash(source)}
    assert run(tmp_path, "--output", str(output)) == exit_codes.OK
    assert "2 of 2 answers were taken from the run so far" in capsys.readouterr().out
    task(tmp_path, more="# changed\n")
    assert run(tmp_path, "--output", str(output)) == exit_codes.USER_MUST_CHANGE
    told = capsys.readouterr().err
    assert "the folder holds another run: plugins was {'rows.py'" in told and "another --output" in told


def test_a_changed_task_makes_runs_incomparable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model(tmp_path)
    for name in ("before", "after"):
        task(tmp_path, more=f"# {name}\n")
        assert run(tmp_path, "--output", str(tmp_path / name)) == exit_codes.OK
    words = ["compare", "--plugins", str(tmp_path / "rows.py"), str(tmp_path / "before"), str(tmp_path / "after")]
    assert cli.main(words) == exit_codes.USER_MUST_CHANGE
    assert "plug-in" in capsys.readouterr().err
    assert cli.main([*words, "--force"]) == exit_codes.OK


def test_a_plugin_that_the_run_does_not_use_is_not_in_it(tmp_path: Path) -> None:
    path, output = model(tmp_path), tmp_path / "run"
    words = ["run", "--plugins", str(path), "--tasks", "pope", "--model", "echo,text=yes", "--limit", "3"]
    assert cli.main([*words, "--output", str(output)]) == exit_codes.OK
    assert "plugins" not in read_manifest(output)["asked"] and "plugin" not in read_manifest(output)["tasks"]["pope"]


def test_score_takes_plugins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, answers, output = task(tmp_path), tmp_path / "answers.jsonl", tmp_path / "run"
    answers.write_text('{"id": "1", "text": "Yes."}\n{"id": "2", "text": "Yes."}\n')
    words = ["score", "rows", "--plugins", str(source), "--predictions", str(answers), "--output", str(output)]
    assert cli.main([*words, "--json"]) == exit_codes.OK
    assert json.loads(capsys.readouterr().out)["rows"]["accuracy"]["value"] == 50.0
    assert read_manifest(output)["asked"]["plugins"] == {"rows.py": loading.source_hash(source)}


def test_data_status_looks_where_the_task_brings_its_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["data", "status", "rows", "--plugins", str(task(tmp_path)), "--data"]
    (tmp_path / "other").mkdir()
    assert cli.main([*words, str(tmp_path / "other")]) == exit_codes.OK
    assert f"rows:all  complete  in {tmp_path}\n" in capsys.readouterr().out


def test_a_run_whose_plugin_is_not_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task(tmp_path), model(tmp_path)
    assert run(tmp_path, "--output", str(tmp_path / "run")) == exit_codes.OK
    loading.unload()
    assert cli.main(["compare", str(tmp_path / "run"), str(tmp_path / "run")]) == exit_codes.USER_MUST_CHANGE
    assert "no task named 'rows'" in capsys.readouterr().err
    assert cli.main(["report", str(tmp_path / "run"), "--output", str(tmp_path / "site")]) == exit_codes.OK


# ----------------------------------------------------------------------------------------------------- entry points


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes an installed package: its code and its entry points; registries that have not looked for them yet."""
    site = tmp_path / "site"

    def make(code: str, points: str) -> Path:
        (site / "signs_package").mkdir(parents=True)
        (site / "signs_package" / "__init__.py").write_text(code)
        info = site / "signs_package-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: signs-package\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(points)
        return site / "signs_package"

    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(registry, "tasks", registry.Registry("task", registry.tasks.builtin, "vlmbench.tasks"))
    monkeypatch.setattr(registry, "models", registry.Registry("model", registry.MODELS, "vlmbench.models"))
    yield make
    sys.modules.pop("signs_package", None)


CODE = """
import vlmbench
def load(checkpoint, *, text="yes"):
    return vlmbench.FunctionModel("packed", lambda images, question: text, version="1")
"""


def test_a_packages_model(package: Any, tmp_path: Path) -> None:
    place = package(CODE, "[vlmbench.models]\npacked = signs_package:load\n")
    assert "packed" in registry.models.names()
    words = ["run", "--tasks", "pope", "--model", "packed,text=no", "--limit", "3", "--output", str(tmp_path / "run")]
    assert cli.main(words) == exit_codes.OK
    assert read_manifest(tmp_path / "run")["asked"]["plugins"] == {"signs-package 1.2": loading.source_hash(place)}


class _Point(NamedTuple):
    """An entry point as the backport `importlib_metadata` has it, once some library imported that: of another class."""

    name: str
    value: str
    group: str
    dist: Any = None

    def load(self) -> str:
        return "loaded"


@pytest.mark.usefixtures("package")
def test_entry_points_of_another_class(monkeypatch: pytest.MonkeyPatch) -> None:
    point = _Point("packed", "signs_package:load", "vlmbench.models")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point] * (group == point.group))
    assert registry.models.names()[-1] == "packed"
    found: Any = registry.models.entry_point("packed")
    assert found is point
    assert registry.models.get("packed") == "loaded"


def test_a_package_that_cannot_be_imported(package: Any) -> None:
    package("import no_such_module", "[vlmbench.models]\npacked = signs_package:load\n")
    with pytest.raises(PluginError, match=r"signs-package 1\.2: its entry point packed = signs_package:load cannot"):
        registry.models.get("packed")


def test_a_package_that_takes_a_known_name(package: Any) -> None:
    package(CODE, "[vlmbench.tasks]\npope = signs_package:load\n")
    for _ in range(2):
        with pytest.raises(UsageError, match=r"signs-package 1\.2: task 'pope' is registered twice: vlmbench itself"):
            registry.tasks.names()
    assert registry.tasks.get("pope").name == "pope"
    with pytest.raises(UsageError):  # a name that is not built in is looked for in packages
        registry.tasks.get("unknown")


def test_a_file_that_takes_a_packages_name(package: Any, tmp_path: Path) -> None:
    package(CODE, "[vlmbench.models]\nsays = signs_package:load\n")
    with pytest.raises(PluginError, match=r"registered twice: signs-package 1\.2 has it"):
        loading.load(str(model(tmp_path)))


def test_a_temporarily_registered_name() -> None:
    with registry.models.temporarily_registered("temporary", object()):
        assert "temporary" in registry.models.names()
    with pytest.raises(UnknownNameError):
        registry.models.get("temporary")
