"""The same checks everywhere: Makefile, pre-commit, .ci/run and the workflows call the same targets of the Makefile."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHECKS = ["lint", "types"]
"""What comes before all tests."""
COMMANDS = ["-m ruff check .", "-m ruff format --check .", "-m mypy"]
"""What these targets run."""
CALLERS = (".pre-commit-config.yaml", ".ci/run", ".github/workflows/test.yml", ".github/workflows/release.yml",
           ".github/workflows/vllm.yml")  # fmt: skip


def text(name: str) -> str:
    """A file of the project."""
    return (ROOT / name).read_text("utf-8")


def workflow(name: str) -> dict[str, Any]:
    """The jobs of a workflow."""
    jobs: dict[str, Any] = yaml.safe_load(text(f".github/workflows/{name}.yml"))["jobs"]
    return jobs


def make_calls(words: str) -> list[str]:
    """The Makefile's targets that a shell text calls, in order."""
    calls = re.findall(r"^\s*make (.*)", words, re.MULTILINE)
    return [word for call in calls for word in call.split() if re.fullmatch(r"[a-z][a-z-]*", word)]


def job_calls(job: dict[str, Any]) -> list[str]:
    """The targets that a job of a workflow calls, expressions filled in from its matrix."""
    matrix = job.get("strategy", {}).get("matrix", {})
    calls = "\n".join(step["run"] for step in job["steps"] if "run" in step)
    filled = [re.sub(r"\$\{\{ matrix\.stage \}\}", stage, calls) for stage in matrix.get("stage", [""])]
    return [target for one in filled for target in make_calls(one)]


def commands_of(target: str) -> list[str]:
    """What `make TARGET` would run, without the installation."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed here")
    words = ["make", "--dry-run", "--always-make", "--no-print-directory", target]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return re.findall(r"-m (?:ruff|mypy|pytest).*", done.stdout)


def test_make_runs_lint_types_and_tests_in_this_order() -> None:
    commands = commands_of("check")
    assert commands[:3] == COMMANDS
    assert commands[3:] == commands_of("test") and len(commands) == 4


def test_precommit_runs_the_checks() -> None:
    hooks = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    assert [hook["entry"] for hook in hooks[0]["hooks"]] == [f"make --silent {check}" for check in CHECKS]


def test_continuous_integration_runs_the_checks_then_all_tests() -> None:
    assert make_calls(text(".ci/run")) == [*CHECKS, "docs-site", "site-assets-check", "test"]


def test_the_workflow_runs_the_checks_first_then_every_stage() -> None:
    jobs = workflow("test")
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "checks": None, "site-assets": None, "unit": "checks", "stages": "unit",
    }  # fmt: skip
    assert job_calls(jobs["checks"]) == [*CHECKS, "docs-site"]
    assert job_calls(jobs["site-assets"]) == ["site-assets-check"]
    assert job_calls(jobs["unit"]) == ["test-unit"]
    assert [f"test-{stage}" for stage in later_stages()] == job_calls(jobs["stages"])


def later_stages() -> list[str]:
    """The folders of tests that are stages of their own."""
    found = re.search(r"^STAGES := (.*)$", text("Makefile"), re.MULTILINE)
    assert found is not None
    return found[1].split()


def test_the_stages_are_all_tests() -> None:
    """test-unit leaves out nothing but the folders that are stages of their own."""
    left_out = re.findall(r"--ignore=(\S+)", commands_of("test-unit")[0])
    assert left_out == [f"tests/{stage}" for stage in later_stages()]
    for stage in later_stages():
        assert (ROOT / "tests" / stage).is_dir()
        assert re.search(rf" tests/{stage}\b", commands_of(f"test-{stage}")[0])


def test_the_workflow_covers_every_supported_python() -> None:
    versions = workflow("test")["unit"]["strategy"]["matrix"]["python"]
    assert versions == ["3.11", "3.12", "3.13", "3.14"]
    assert f'requires-python = ">={versions[0]}"' in text("pyproject.toml")


@pytest.mark.parametrize("name", CALLERS)
def test_tools_are_called_by_make_alone(name: str) -> None:
    """No second place that names a tool's options or version."""
    assert not re.search(
        r"-m (ruff|mypy|pytest|build|twine)|^\s*(- run: )?(ruff|mypy|pytest|twine)\b", text(name), re.MULTILINE
    )


def test_a_release_is_built_checked_and_attached() -> None:
    job = workflow("release")["release"]
    assert job_calls(job) == ["dist"]
    steps = [step.get("run", "") for step in job["steps"]]
    assert "gh release upload" in steps[-1] and "dist/*.whl dist/*.tar.gz" in steps[-1]
    dry = subprocess.run(["make", "-n", "dist"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for part in ("-m build", "-m twine check --strict", "pip install", "vlmbench run"):
        assert part in dry


def test_vllm_is_tested_every_night_in_an_environment_of_its_own() -> None:
    assert job_calls(workflow("vllm")["vllm"]) == ["vllm-test"]
    [command] = commands_of("vllm-test")
    assert "tests/models/vllm_real" in command
    words = ["make", "--dry-run", "--always-make", "vllm-test", "VLLM_VENV=apart"]
    dry = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert 'environment.py "apart"' in dry and '"apart/bin/python" -m pytest' in dry
    assert ".venv/bin/python -m pip" not in dry.replace('"', "")


def test_every_tool_has_a_pinned_version() -> None:
    found = re.search(r"^TOOLS := (.*)$", text("Makefile"), re.MULTILINE)
    assert found is not None
    pinned = {
        line.partition("==")[0].replace("_", "-") for line in text("constraints.txt").splitlines() if "==" in line
    }
    assert set(found[1].split()) <= pinned
