"""The options of an evaluation, what builds them, and what a plain run imports."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import vlmbench
from vlmbench.api import GateOptions, VariantOptions
from vlmbench.base.errors import UsageError
from vlmbench.base.renamed_options import RENAMED, as_flag
from vlmbench.cli import main as cli
from vlmbench.cli.verbs import run
from vlmbench.perturbations import perturbations
from vlmbench.runs.options import ModelOptions, RunOptions
from vlmbench.runs.storage.earlier_names import canonical, update

ROOT = Path(__file__).resolve().parents[3]
ONLY_COMMAND = {"help", "json", "junit", "log_to", "markdown"}
ONLY_PYTHON = {"processor", "more"}
OTHER_ROOMS = ("compare", "perturbations", "chat", "scoring.judge", "scoring.api_judge", "scoring.local_judge",
               "scoring.verdicts", "scoring.conversations", "runs.workers", "runs.verification")  # fmt: skip
PLAIN = f"""
import sys
from vlmbench.cli.main import main
code = main(["run", "--model", "tinyllava", "--tasks", "pope", "--limit", "6", "--output", sys.argv[1]])
names = [name.removeprefix("vlmbench.") for name in sys.modules]
loaded = sorted(name for name in names if any(f"{{name}}.".startswith(f"{{room}}.") for room in {OTHER_ROOMS!r}))
sys.exit(f"loaded {{loaded}}" if loaded else code)
"""


def test_a_plain_run_imports_no_code_of_comparisons_perturbations_or_judges(tmp_path: Path) -> None:
    words = [sys.executable, "-c", PLAIN, str(tmp_path / "run")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_command_and_python_have_the_same_options() -> None:
    keywords = set(inspect.signature(vlmbench.evaluate).parameters) - ONLY_PYTHON
    keywords |= {*VariantOptions.__annotations__, *GateOptions.__annotations__}
    assert keywords == {action.dest for action in cli.parser("run")._actions} - ONLY_COMMAND


def test_the_command_and_python_build_the_same_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every option with a value of its own, so that none can stand in another's place."""
    values = {
        "data": "hub", "limit": 7, "output": str(tmp_path), "perturb": "blind", "seed": 3, "engine": "simple",
        "recheck_ties": True, "dtype": "bfloat16", "quantize": "int8", "linear": "auto", "device": "cpu", "threads": 2,
        "batch_size": 4, "attention": "eager", "trust_remote_code": True, "judge": "echo", "judge_runs": 5,
        "judge_budget": 1.5, "verify_backend": 6, "verify_against": "hf:x", "workers": 8, "ray": "auto",
        "worker_timeout": 9.5, "plugins": str(tmp_path / "mine.py"), "temperature": 0.7, "top_p": 0.9,
        "max_new_tokens": 11, "thinking_budget": 12, "system": "Be brief.", "shots": "2:val", "samples": 4,
    }  # fmt: skip
    built: list[RunOptions] = []
    monkeypatch.setattr("vlmbench.api.calling._evaluate", lambda options, *rest: built.append(options))
    vlmbench.evaluate("echo", "pope", **values)  # type: ignore[arg-type]
    words = ["--model", "echo", "--tasks", "pope"]
    for name, value in values.items():
        words += [as_flag(name)] if value is True else [as_flag(name), str(value)]
    command = run.options(cli.parser("run").parse_args(words))
    for item in fields(RunOptions):
        if item.name not in ("tasks", "ids"):  # Python's tasks are added with the task objects; ids stand for a limit
            assert getattr(built[0], item.name) == getattr(command, item.name), item.name
    vlmbench.evaluate("echo", "pope", ids=str(tmp_path))
    words = ["--model", "echo", "--tasks", "pope", "--ids", str(tmp_path)]
    assert built[1].ids == run.options(cli.parser("run").parse_args(words)).ids == tmp_path


@pytest.mark.parametrize("name", RENAMED)
def test_an_old_option_is_refused_with_its_new_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for word in ([as_flag(name), "1"], [f"{as_flag(name)}=1"]):
        assert cli.main(["run", "--model", "echo", "--tasks", "pope", *word]) == 2
        assert f"{as_flag(name)} is now called {as_flag(RENAMED[name])}" in capsys.readouterr().err


def test_old_names_inside_a_model_and_in_the_gate() -> None:
    with pytest.raises(UsageError, match="exact is now called recheck_ties"):
        vlmbench.evaluate("tinyllava,exact=true", "pope", limit=1)
    with pytest.raises(UsageError, match="must_find is now called min_detectable_drop"):
        vlmbench.assert_no_regression("run", "baseline", must_find=3)


def test_names_of_earlier_versions() -> None:
    stored = {"model": "hf:x,exact=true,batch=4,text=a=b", "ablate": "blind", "limit": 3}
    today = {"model": "hf:x,recheck_ties=true,batch_size=4,text=a=b", "perturb": "blind", "limit": 3}
    assert canonical(today) == stored == canonical(stored)
    update(stored)
    assert stored["perturb"] == "blind" and "ablate" not in stored


def test_numbers_of_numpy_are_plain_numbers() -> None:
    options = RunOptions(ModelOptions("echo", threads=np.int64(2)), "pope", limit=np.int32(5), seed=np.int64(1))  # type: ignore[arg-type]
    assert [type(value) for value in (options.limit, options.seed, options.model.threads)] == [int, int, int]


def test_the_help_names_every_perturbation() -> None:
    assert perturbations.names() == run.PERTURBATIONS.split(", ")


def test_json_is_what_scores_json_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Keyed by task and protocol, from `run` (with perturbations too) and from `score` of the run."""
    tasks = "pope,mmbench@llava"
    words = ["run", "--model", "echo,text=yes", "--tasks", tasks, "--limit", "6", "--output", str(tmp_path / "run")]
    for command in (words, [*words, "--perturb", "blind"], ["score", str(tmp_path / "run")]):
        assert cli.main([*command, "--json"]) == 0
        printed = json.loads(capsys.readouterr().out)
        assert printed == json.loads((tmp_path / "run" / "scores.json").read_bytes())
        assert list(printed) == tasks.split(",")
