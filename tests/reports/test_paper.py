"""The table and the figure of a paper: what stands in them, and that no text of others acts in LaTeX."""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.reports.drawn_board import Drawn, write
from tests.reports.fabricate import HOSTILE, fabricate
from vlmbench.base.errors import UnknownNameError, UsageError
from vlmbench.base.process import exit_codes
from vlmbench.cli.main import main

boards: Any = import_module("vlmbench.reports.board.board")
figure: Any = import_module("vlmbench.reports.paper.figure")
gaps: Any = import_module("vlmbench.reports.board.gaps")
latex: Any = import_module("vlmbench.reports.paper.latex")
papers: Any = import_module("vlmbench.reports.paper.table")
paper: Any = import_module("vlmbench.reports.paper.write")
runs: Any = import_module("vlmbench.reports.runs")

SUITE = ["pope@llava", "gqa@llava", "textvqa@llava", "scienceqa@llava", "mme@llava", "mmbench:dev_en@llava"]
TOKEN = re.compile(r"\\([A-Za-z]+\*?|.)|([{}&%$^_#~])|(\n)")
DOCUMENT = r"""\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs}\begin{document}%s\end{document}"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three models on the six benchmarks of a suite; one lacks some of them."""
    folder = tmp_path_factory.mktemp("paper")
    made = [Drawn("Good-7B", 0.9, SUITE), Drawn("poor_1B", 0.1, SUITE), Drawn("short", 0.5, SUITE[:2])]
    return [write(folder / f"r{at}", one, 100) for at, one in enumerate(made)]


def cells(text: str) -> list[list[str]]:
    """The rows of all tabulars, by the cells that LaTeX would make."""
    found = []
    for body in re.findall(r"\\begin\{tabular\}\{l(r+)\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        for line in body[1].strip().splitlines():
            if not re.fullmatch(r"\\(top|mid|bottom)rule", line):
                assert line.endswith(r" \\"), line
                row = re.split(r"(?<!\\)&", line[:-3])
                assert len(row) == len(body[0]) + 1, line
                found.append([cell.strip() for cell in row])
    return found


def acting(text: str) -> set[str]:
    """Every command and special character that LaTeX would act on; braces, math and environments must be closed."""
    depth, math, stack, seen = 0, False, [], set()
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    for match in TOKEN.finditer("\n".join(lines)):
        command, special, _ = match.groups()
        if command and command.isalpha() | command.endswith("*"):
            seen.add(f"\\{command}")
        if special:
            seen.add(special)
        depth += {"{": 1, "}": -1}.get(special or "", 0)
        math ^= special == "$"
        assert depth >= 0
    for kind, name in re.findall(r"\\(begin|end)\{([a-z*]+)\}", text):
        if kind == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert depth == 0 and not math and not stack
    return seen


KNOWN = {"{", "}", "&", "$", "^", "~", *(f"\\{name}" for name in (
    "begin", "end", "centering", "small", "caption", "label", "pm", "toprule", "midrule", "bottomrule", "textbf",
    "scriptsize", "textsuperscript", "medskip", "linewidth", "footnotesize", "raggedright", "dag", "ddag",
    "textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar", "textasciigrave",
))}  # fmt: skip
"""What the table is made of."""


def compiled(text: str, folder: Path) -> None:
    """By the engine that is installed, if one is."""
    engine = next((name for name in ("tectonic", "pdflatex", "lualatex", "xelatex") if shutil.which(name)), None)
    if engine:
        (folder / "t.tex").write_text(DOCUMENT % text, encoding="utf-8")
        words = [] if engine == "tectonic" else ["-interaction=nonstopmode", "-halt-on-error"]
        done = subprocess.run([engine, *words, "t.tex"], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:]


def test_a_table_as_papers_print_it(drawn: list[Path], tmp_path: Path) -> None:
    written = paper.write(drawn, tmp_path / "paper")
    assert [path.name for path in written] == ["table.tex", "table.csv", "figure.pdf", "figure.svg"]
    text = written[0].read_text()
    assert acting(text) <= KNOWN
    head, metrics, *rows = cells(text)
    assert [re.sub(r"\\textsuperscript\{\d+\}", "", name) for name in head] == [
        "Model", "POPE", "GQA", "TextVQA", "ScienceQA", "MME", "MMBench", "Avg."]  # fmt: skip
    assert metrics[1] == r"{\scriptsize mean f1}" and metrics[-1] == r"{\scriptsize mobilevlm6}"
    assert [row[0] for row in rows] == ["Good-7B", r"poor\_1B", "short"], "best first"
    assert rows[2][3:] == ["--"] * 5, "what was not run, and an average that lacks members"
    form = re.compile(r"(\\textbf\{)?\d+\.\d\}?(\$\^\{\\d?dag\}\$)? \{\\scriptsize \$\\pm\$ \d+\.\d\}")
    assert all(form.fullmatch(cell) for row in rows[:2] for cell in row[1:]), rows
    assert rows[0][1].startswith(r"\textbf{") and not rows[1][1].startswith(r"\textbf{")
    assert r"pope@llava: protocol llava, split coco, n = 1,080" in text
    assert r"$^{\dag}$: too few questions to tell" in text and r"95\,\%" in text
    compiled(text, tmp_path)


def test_values_are_those_of_the_runs(drawn: list[Path], tmp_path: Path) -> None:
    """To the last digit in the CSV, and rounded in the table."""
    paper.write(drawn, tmp_path / "paper", papers.PaperOptions(tasks="gqa", digits=2, style="interval"))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "paper" / "table.csv").read_text())))
    (run, *_) = runs.load(drawn[:1])
    bar = next(task for task in run.tasks if task.key == "gqa@llava").best
    assert float(rows[0]["value"]) == bar.value and rows[0]["bold"] == "yes"
    _, _, first, *_ = cells((tmp_path / "paper" / "table.tex").read_text())
    assert first[1] == rf"\textbf{{{bar.value:.2f}}} {{\scriptsize [{bar.low:.2f}, {bar.high:.2f}]}}"


def test_tasks_come_in_the_order_that_is_asked_for(drawn: list[Path], tmp_path: Path) -> None:
    paper.write(drawn, tmp_path, papers.PaperOptions(tasks="textvqa,pope", style="value", order="name"))
    head, _, *rows = cells((tmp_path / "table.tex").read_text())
    assert [name.split("\\")[0] for name in head] == ["Model", "TextVQA", "POPE"]
    assert [row[0] for row in rows] == ["Good-7B", r"poor\_1B", "short"] and "pm" not in rows[0][1]
    given = papers.PaperOptions(tasks="pope", order="given", style="value")
    paper.write([drawn[2], drawn[0]], tmp_path, given)
    assert [row[0] for row in cells((tmp_path / "table.tex").read_text())[2:]] == ["short", "Good-7B"]


def test_many_tasks_are_several_tabulars(drawn: list[Path], tmp_path: Path) -> None:
    """Each with its models; a page has room for so many columns."""
    paper.write(drawn, tmp_path, papers.PaperOptions(style="interval"))
    text = (tmp_path / "table.tex").read_text()
    assert text.count(r"\begin{tabular}") == 2 and acting(text) <= KNOWN
    assert [row[0] for row in cells(text)].count("Good-7B") == 2


def test_published_figures_are_rows_with_their_source(drawn: list[Path], tmp_path: Path) -> None:
    """Those that can be compared: the same benchmark, split, protocol and metric."""
    paper.write(drawn, tmp_path, papers.PaperOptions(tasks="gqa", published=True))
    text = (tmp_path / "table.tex").read_text()
    row = next(row for row in cells(text) if row[0].startswith("LLaVA-1.5-7B\\text"))
    assert row[1] == "62.0" and "Published: LLaVA docs/MODEL\\_ZOO.md" in text
    paper.write(drawn, tmp_path, papers.PaperOptions(tasks="gqa"))
    assert "LLaVA-1.5-7B" not in (tmp_path / "table.tex").read_text()


def test_text_of_others_acts_on_nothing(tmp_path: Path) -> None:
    """Names, judges, splits and sources that mean harm, a command among them, are printed."""
    evil = r"\input{/etc/passwd} \\ & % $x^2$ #1 ~_{} --- ?` " + HOSTILE[0] + HOSTILE[5]
    run = fabricate(tmp_path / "a", name=evil, data=evil, images=4, training=False, pictures=False)
    other = fabricate(tmp_path / "b", name="plain", images=4, training=False, pictures=False)
    for path in (run / "scores.json", run / "run.json"):
        path.write_text(path.read_text().replace('"standard"', '"\\\\write18{x} & %"').replace('"official"', '"a_b$"'))
    paper.write([run, other], tmp_path / "paper")
    text = (tmp_path / "paper" / "table.tex").read_text()
    assert acting(text) <= KNOWN
    assert r"\textbackslash{}input\{/etc/passwd\}" in text and r"\input" not in text.replace("textbackslash{}input", "")
    assert "---" not in text.replace("{---}", ""), "no ligature of others' dashes"
    assert len(cells(text)) == 4
    assert "<script" not in (tmp_path / "paper" / "figure.svg").read_text()
    compiled(text, tmp_path)


def test_the_figure_is_the_same_each_time(drawn: list[Path], tmp_path: Path) -> None:
    """No date and no random id in it; a dollar sign starts no formula; a name in another script does not stop it."""
    (tmp_path / "odd").mkdir()
    one = write(tmp_path / "odd" / "r", Drawn("$\\frac{1}{0}$ \u4e2d\u6587 \u0645", 0.5, SUITE[:2]), 60)
    first, second = (paper.write([*drawn, one], tmp_path / name) for name in ("first", "second"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    svg = first[3].read_text()
    assert "frac" in svg and svg.count("POPE") >= 1 and first[2].read_bytes().startswith(b"%PDF")


def test_without_matplotlib_there_is_a_table(
    drawn: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(figure, "available", lambda: False)
    assert main(["report", *map(str, drawn), "--paper", str(tmp_path / "p")]) == exit_codes.OK
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["table.csv", "table.tex"]
    assert "no figure: matplotlib is not installed (pip install 'matplotlib" in capsys.readouterr().out


def test_the_command_writes_no_site_beside_it(
    drawn: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless its folder is named too."""
    monkeypatch.chdir(tmp_path)
    words = ["report", *map(str, drawn), "--paper", "p", "--tasks", "pope", "--digits", "0"]
    assert main(words) == exit_codes.OK and [path.name for path in tmp_path.iterdir()] == ["p"]
    assert "paper: p/table.tex" in capsys.readouterr().out
    assert main([*words, "--output", "site"]) == exit_codes.OK and (tmp_path / "site" / "index.html").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tasks", "pope"], "--tasks is an option of --paper"),
        (["--paper", "p", "--tasks", "vsr"], "no run has a task 'vsr'"),
        (["--paper", "p", "--tasks", "suite:amber"], "no suite suite:amber on the board"),
        (["--paper", "p", "--style", "pn"], "did you mean pm?"),
        (["--paper", "p", "--digits", "9"], "--digits takes 0 to 4"),
    ],
)
def test_what_cannot_be_done_says_so(
    drawn: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", *map(str, drawn), *words]) == exit_codes.USER_MUST_CHANGE
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_small_table_to_the_letter() -> None:
    """The whole text of two models on one benchmark."""
    bars = [runs.Bar("accuracy", 81.25, 79.0, 83.1, 900), runs.Bar("accuracy", 60.0, None, None, 9)]
    lines = [papers.Line("A_1", {"t": papers.Cell(bars[0], bold=True)}),
             papers.Line("B", {"t": papers.Cell(bars[1], few=True, coverage=0.9)})]  # fmt: skip
    table = papers.PaperTable([papers.Head("t", "T", "accuracy", "n = 900")], lines, [0.95], False)
    text = latex.latex(table)
    assert (
        text.split("\\label{tab:vlmbench}\n")[1]
        == r"""\begin{tabular}{lr}
\toprule
Model & T\textsuperscript{1} \\
 & {\scriptsize accuracy} \\
\midrule
A\_1 & \textbf{81.2} {\scriptsize $\pm$ 2.2} \\
B & 60.0$^{\dag\ddag}$ \\
\bottomrule
\end{tabular}

\medskip
\begin{minipage}{\linewidth}\footnotesize\raggedright
\textsuperscript{1}~t: n = 900.
$^{\ddag}$~B answered 90.0 \% of t.
\end{minipage}
\end{table*}
"""
    )


def test_options_are_checked() -> None:
    with pytest.raises(UnknownNameError):
        papers.PaperOptions(order="best")
    with pytest.raises(UsageError):
        papers.PaperOptions(digits=-1)
