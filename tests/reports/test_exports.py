"""Tables as files: every format holds every row, and hostile names stay in their cells."""

from __future__ import annotations

import csv
import io
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.reports.fabricate import fabricate

exports: Any = import_module("vlmbench.reports.text.exports")
build: Any = import_module("vlmbench.reports.site.build")

EVIL = exports.Table(
    "t",
    "a\nb",
    ["=cmd|' /C calc'!A0", "a|b", "n"],
    [["</td><script>x</script>", "=1+1", 1234], ["\\input{x} $x$ 50% a_b", "-", None], ["\u202eevil", "+x", 12.345]],
)


def test_each_table_in_each_format(run_folder: Path, tmp_path: Path) -> None:
    other = fabricate(tmp_path / "other", name="other", skill=0.5)
    folder = build.write([run_folder, other], tmp_path / "out").parent / "exports"
    for name in ("leaderboard", "metrics", "published"):
        assert {path.suffix for path in folder.glob(f"{name}.*")} == {".md", ".csv", ".tex", ".json"}
    rows = list(csv.DictReader(io.StringIO((folder / "leaderboard.csv").read_text("utf-8"))))
    assert [(row["task"], row["run"]) for row in rows] == [
        ("pope", "tinyllava"), ("pope", "other"), ("gqa", "tinyllava"), ("gqa", "other"),
    ]  # fmt: skip
    assert float(rows[0]["low"]) < float(rows[0]["value"]) < float(rows[0]["high"])
    found = json.loads((folder / "leaderboard.json").read_text("utf-8"))["rows"]
    assert found[0]["value"] == pytest.approx(float(rows[0]["value"])) and found[0]["parameters"] == 2_613_248
    assert (folder / "leaderboard.md").read_text("utf-8").count("\n| ") == 2 + 4
    assert (folder / "leaderboard.tex").read_text("utf-8").count(r"\\") == 1 + 4
    assert len(list(folder.glob("run-*.md"))) == 2


@pytest.mark.parametrize(("share", "shown"), [(0.953, "95.3 %"), (0.9999, "99.9 %"), (1.0, "100 %"), (0.0, "0.0 %")])
def test_coverage_is_percent_and_never_rounded_up_to_all(share: float, shown: str) -> None:
    table = exports.Table("t", "t", ["coverage"], [[exports.Share(share)]])
    assert f"| {shown} |" in exports.markdown(table)
    assert shown.replace("%", r"\%") in exports.latex(table)
    assert exports.comma_separated(table).splitlines()[1] == repr(share)
    assert json.loads(exports.json(table))["rows"] == [{"coverage": share}]


def test_csv_holds_no_formula() -> None:
    head, *rows = csv.reader(io.StringIO(exports.comma_separated(EVIL)))
    assert head[0].startswith("'=") and [row[1] for row in rows] == ["'=1+1", "-", "'+x"]
    assert [row[2] for row in rows] == ["1234", "", "12.345"]


def test_markdown_and_latex_keep_their_cells() -> None:
    markdown = exports.markdown(EVIL)
    assert "<script" not in markdown and "\u202e" not in markdown
    assert all(line.replace("\\|", "").count("|") == 4 for line in markdown.splitlines()[2:])
    latex = exports.latex(EVIL)
    assert r"\textbackslash{}input\{x\} \$x\$ 50\% a\_b & - & - \\" in latex
    assert r"\begin{tabular}{llr}" in latex and "1,234" in latex and "12.3" in latex
    assert latex.startswith("% a b\n")
