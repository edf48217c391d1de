"""What texts say about installing works: the distribution is vlmbench-eval, an extra has one command everywhere."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from vlmbench.base.process.extras import EXTRAS, install_command

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
UNRELATED = re.compile(r"pip3? install (?:-\S+ )*[\"']?vlmbench(?!-eval)\b(?!/)")
"""Installs the program that is called vlmbench on the package index, which is not this one."""


def texts() -> list[Path]:
    """Every text that is part of the project, weights and images aside."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git repository: a source archive")
    kinds = {".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".cff", ".html", ".js", ""}
    return [path for name in listed.stdout.splitlines() if (path := ROOT / name).suffix in kinds and path.is_file()]


def test_no_text_installs_the_unrelated_program() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in texts()
        if path != Path(__file__)
        for match in UNRELATED.finditer(path.read_text("utf-8", "replace"))
    ]
    assert not found


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("pip install vlmbench", True),
        ("pip install 'vlmbench[ray]'", True),
        ("pip install -U vlmbench", True),
        ('pip install "vlmbench-eval[ray] @ git+https://github.com/vlmbench/vlmbench"', False),
        ("pip install -e .", False),
    ],
)
def test_the_rule_sees_what_it_should(text: str, wrong: bool) -> None:
    assert bool(UNRELATED.search(text)) == wrong


def test_extras_are_those_of_the_package() -> None:
    extras = {name: needs for name, needs in PROJECT["optional-dependencies"].items() if name not in ("docs", "test")}
    assert extras == {name: [requirement] for name, requirement in EXTRAS.items()}
    assert install_command("ray") == f"pip install '{EXTRAS['ray']}'"


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_page_names_every_extra(extra: str) -> None:
    page = (ROOT / "docs" / "install.md").read_text("utf-8")
    assert f"| `{extra}` | {re.split('[>=<]', EXTRAS[extra])[0]} |" in page


def test_requirements_in_docs_are_those_of_the_package() -> None:
    commands = {install_command(extra) for extra in EXTRAS}
    for path in texts():
        if path.suffix == ".md":
            for match in re.finditer(r"pip install '[^']*'", path.read_text("utf-8")):
                assert match[0] in commands, f"{path.relative_to(ROOT)}: {match[0]}"


def test_the_distribution_has_its_own_name() -> None:
    assert PROJECT["name"] == "vlmbench-eval"
    assert PROJECT["scripts"] == {"vlmbench": "vlmbench.cli.main:main"}
