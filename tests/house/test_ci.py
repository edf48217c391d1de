"""action.yml and the workflows of docs/evaluate/ci.md do what they say: their shell steps run here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.gate_runs import ran, script, truths, wrong
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
GOOD = script("pope", 0.05)


def action() -> dict[str, Any]:
    """action.yml."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    return content


def documented() -> list[dict[Any, Any]]:
    """The YAML blocks of docs/evaluate/ci.md: the action's workflow, the one by hand, GitLab's."""
    blocks = re.findall(
        r"^```yaml\n(.*?)^```", (ROOT / "docs" / "evaluate" / "ci.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return [yaml.safe_load(block) for block in blocks]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Baselines in the whole and in small, and scripts of a model that is better, worse, or hard to tell."""
    folder = tmp_path_factory.mktemp("ci")
    ids = list(truths("pope"))
    scripts = {
        "good": truths("pope"),
        "worse": {**GOOD, **{key: wrong(GOOD[key]) for key in ids[: len(ids) // 3 : 6]}},
        "unclear": {**GOOD, **{key: wrong(truth) for key, truth in list(truths("pope").items())[::40]}},
    }
    for name, answers in scripts.items():
        (folder / f"{name}.json").write_text(json.dumps(dict(answers)))
    for name, words in (("whole", ()), ("small", ("--limit", "90"))):
        run = ran(folder / name, GOOD, *words)
        assert cli.main(["baseline", str(run), "--output", str(folder / f"{name}.baseline.json")]) == exit_codes.OK
    return folder


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """A runner's environment: `vlmbench` on the path, and a python whose pip only writes down what it is asked."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    python, log = f'exec "{sys.executable}"', tmp_path / "pip"
    shims = {
        "vlmbench": f'#!/bin/sh\n{python} -m vlmbench.cli.main "$@"\n',
        "python": f'#!/bin/sh\n[ "$2" = pip ] && echo "$@" >> "{log}" && exit 0\n{python} "$@"\n',
    }
    for name, text in shims.items():
        (bin_folder / name).write_text(text)
        (bin_folder / name).chmod(0o755)
    files = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **files, "PATH": path, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}


def filled(text: str, inputs: Mapping[str, str]) -> str:
    """Expressions put in as a runner does; other ones than inputs and the action's folder are not known here."""
    known = {**{f"inputs.{name}": value for name, value in inputs.items()}, "github.action_path": str(ROOT)}
    return EXPRESSION.sub(lambda found: known[found[1]], text)


def shell(command: str, env: Mapping[str, str], where: Path) -> subprocess.CompletedProcess[str]:
    """A step as GitHub's runners start it."""
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command]
    return subprocess.run(words, env=dict(env), cwd=where, capture_output=True, text=True, check=False)


def run_action(machine: Mapping[str, str], where: Path, **given: str) -> int:
    """Every shell step of the action in order; the first exit code that is not 0. The report comes in any case."""
    inputs = {name: str(one.get("default", "")) for name, one in action()["inputs"].items()}
    inputs |= {name.replace("_", "-"): value for name, value in given.items()}
    code = 0
    for step in action()["runs"]["steps"]:
        if "run" in step and (code == 0 or "cancelled()" in step.get("if", "")):
            env = {**machine, **{name: filled(value, inputs) for name, value in step["env"].items()}}
            assert not EXPRESSION.search(step["run"]), "inputs reach the shell through the environment alone"
            ended = shell(step["run"], env, where).returncode
            code = code or ended
    return code


CASES = [("good", "whole", "", exit_codes.OK, "pass"), ("worse", "whole", "", exit_codes.BAD_RESULT, "fail"),
         ("unclear", "small", "--limit 90", exit_codes.INCONCLUSIVE, "unknown"),
         ("good", "missing", "", exit_codes.USER_MUST_CHANGE, "error")]  # fmt: skip


@pytest.mark.parametrize(("model", "baseline", "args", "code", "outcome"), CASES)
def test_the_action(
    model: str, baseline: str, args: str, code: int, outcome: str, made: Path, machine: dict[str, str], tmp_path: Path
) -> None:
    given = {"model": f"echo:{made / model}.json", "tasks": "pope", "run_args": args}
    given["baseline"] = str(made / f"{baseline}.baseline.json")
    assert run_action(machine, tmp_path, **given) == code
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == f"outcome={outcome}\n"
    assert f"{ROOT}/constraints.txt {ROOT}" in (tmp_path / "pip").read_text()
    assert (tmp_path / "vlmbench-out" / "report" / "index.html").is_file()
    if outcome != "error":
        assert "### vlmbench: " in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()
        assert (tmp_path / "vlmbench-out" / "junit.xml").is_file() and (
            tmp_path / "vlmbench-out" / "summary.md"
        ).is_file()
    if outcome == "unknown":
        assert run_action(machine, tmp_path, **given, when_unknown="pass") == exit_codes.OK


def test_a_model_that_cannot_be_had_stops_the_action(made: Path, machine: dict[str, str], tmp_path: Path) -> None:
    given = {"model": "no_such_model", "tasks": "pope", "baseline": str(made / "whole.baseline.json")}
    assert run_action(machine, tmp_path, **given) == exit_codes.USER_MUST_CHANGE
    assert not (tmp_path / "GITHUB_OUTPUT").exists()


def test_the_documented_workflow_names_inputs_the_action_has() -> None:
    steps = documented()[0]["jobs"]["gate"]["steps"]
    used = next(step["with"] for step in steps if step.get("uses", "").startswith("vlmbench/vlmbench@"))
    inputs = action()["inputs"]
    assert set(used) <= set(inputs)
    assert {name for name, one in inputs.items() if one.get("required")} <= set(used)


def test_third_party_steps_are_pinned_to_a_version() -> None:
    steps = [step for step in action()["runs"]["steps"] if "uses" in step]
    for workflow in documented()[:2]:
        steps += [step for step in workflow["jobs"]["gate"]["steps"] if "uses" in step]
    assert all(re.search(r"@(v\d+|main)$", step["uses"]) for step in steps)


@pytest.mark.parametrize(("model", "code"), [("good", exit_codes.OK), ("worse", exit_codes.BAD_RESULT)])
def test_the_workflow_by_hand(model: str, code: int, made: Path, machine: dict[str, str], tmp_path: Path) -> None:
    job = documented()[1]["jobs"]["gate"]
    env = {**machine, **job["env"], "MODEL": f"echo:{made / model}.json"}
    env["BASELINE"] = str(made / "whole.baseline.json")
    codes = [shell(step["run"], env, tmp_path).returncode for step in job["steps"] if "run" in step]
    assert codes == [0, code, 0]
    assert (tmp_path / "out" / "junit.xml").is_file()
    assert "### vlmbench: " in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()


def test_gitlabs_script(made: Path, machine: dict[str, str], tmp_path: Path) -> None:
    job = documented()[2]["gate"]
    env = {**machine, **job["variables"], "MODEL": f"echo:{made / 'worse'}.json"}
    env["BASELINE"] = str(made / "whole.baseline.json")
    codes = [shell(line, env, tmp_path).returncode for line in (*job["script"], *job["after_script"])]
    assert codes == [0, exit_codes.BAD_RESULT, 0]
    assert (tmp_path / job["artifacts"]["reports"]["junit"]).is_file()
    assert job["allow_failure"]["exit_codes"] == exit_codes.INCONCLUSIVE
