r"""The table as LaTeX: tabulars with the rules of booktabs, values with their intervals, footnotes with protocols.

Names of models, tasks and sources are other people's text: each character that LaTeX would act on is escaped, so that
none can end a cell, start a command or comment out a line.
"""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench.base.process.terminal import clean
from vlmbench.base.version import __version__

from ..runs import level_words
from ..text.exports import tex
from ..text.table import coverage, number
from .table import Cell, Head, Line, PaperTable

MOST_COLUMNS = {"pm": 8, "interval": 6, "value": 12}
"""Of a tabular that fits a page; more columns go into further ones below it, with the models again."""
FEW, MISSING = r"\dag", r"\ddag"
"""Marks of a score with too few questions, and of one with unanswered questions."""


def latex(table: PaperTable) -> str:
    """The table environment."""
    most = MOST_COLUMNS[table.options.style]
    parts = [table.heads[at : at + most] for at in range(0, len(table.heads), most)]
    marks = {head.key: str(at + 1) for at, head in enumerate(table.heads)}
    return "\n".join(
        [
            f"% Written by vlmbench {__version__} (vlmbench report --paper). Needs \\usepackage{{booktabs}};",
            "% names in other scripts than Latin need XeLaTeX or LuaLaTeX.",
            r"\begin{table*}[t]",
            r"\centering",
            r"\small",
            rf"\caption{{{_caption(table)}}}",
            r"\label{tab:vlmbench}",
            *("\n\n\\medskip\n".join(_tabular(table, part, marks) for part in parts).split("\n")),
            "",
            r"\medskip",
            r"\begin{minipage}{\linewidth}\footnotesize\raggedright",
            *_footnotes(table, marks),
            r"\end{minipage}",
            r"\end{table*}",
            "",
        ]
    )


def _tabular(table: PaperTable, heads: Sequence[Head], marks: dict[str, str]) -> str:
    ours = [line for line in table.lines if not line.source]
    papers = [line for line in table.lines if line.source and line.cells.keys() & {head.key for head in heads}]
    names = [rf"{text(head.name)}\textsuperscript{{{marks[head.key]}}}" for head in heads]
    metrics = [rf"{{\scriptsize {text(head.metric)}}}" for head in heads]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{l{'r' * len(heads)}}}",
            r"\toprule",
            _row(["Model", *names]),
            _row(["", *metrics]),
            r"\midrule",
            *(_row([text(line.label), *_cells(table, line, heads)]) for line in ours),
            *([r"\midrule"] if papers else []),
            *(_row([_paper_label(table, line), *_cells(table, line, heads)]) for line in papers),
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cells(table: PaperTable, line: Line, heads: Sequence[Head]) -> list[str]:
    return [_cell(table, line.cells[head.key]) if head.key in line.cells else "--" for head in heads]


def _cell(table: PaperTable, cell: Cell) -> str:
    bar, digits = cell.bar, table.options.digits
    if bar.value is None:
        return "--"
    value = _number(bar.value, digits)
    value = rf"\textbf{{{value}}}" if cell.bold else value
    marks = "".join(mark for mark, on in ((FEW, cell.few), (MISSING, cell.coverage < 1)) if on)
    value += f"$^{{{marks}}}$" if marks else ""
    if bar.low is None or bar.high is None or table.options.style == "value":
        return value
    if table.options.style == "interval":
        return rf"{value} {{\scriptsize [{_number(bar.low, digits)}, {_number(bar.high, digits)}]}}"
    return rf"{value} {{\scriptsize $\pm$ {number(max(bar.value - bar.low, bar.high - bar.value), digits)}}}"


def _number(value: float, digits: int) -> str:
    return number(value, digits).replace("-", "$-$")


def _paper_label(table: PaperTable, line: Line) -> str:
    papers = [one for one in table.lines if one.source]
    return rf"{text(line.label)}\textsuperscript{{{_letter(papers.index(line))}}}"


def _letter(at: int) -> str:
    """a, b, ..., z, aa, ab, ..."""
    return (_letter(at // 26 - 1) if at >= 26 else "") + "abcdefghijklmnopqrstuvwxyz"[at % 26]


def _caption(table: PaperTable) -> str:
    level = level_words(table.levels).replace(" %", r"\,\%")
    shown = {
        "pm": rf"$\pm$: the longer arm of the {level} interval, clustered by image. ",
        "interval": rf"Brackets: {level} intervals, clustered by image. ",
        "value": "",
    }
    marks = ""
    cells = [cell for line in table.lines for cell in line.cells.values()]
    if any(cell.few for cell in cells):
        marks += rf" $^{{{FEW}}}$: too few questions to tell."
    if any(cell.coverage < 1 for cell in cells):
        marks += rf" $^{{{MISSING}}}$: some questions have no answer (see below)."
    bold = r"Bold: best of a column, or not told apart from it (paired tests, Holm-corrected over its pairs, 5\,\%)."
    sample = " Scores on the samples that ship with vlmbench, not on the benchmarks." if table.embedded else ""
    return f"{shown[table.options.style]}{bold}{marks}{sample}"


def _footnotes(table: PaperTable, marks: dict[str, str]) -> list[str]:
    lines = [rf"\textsuperscript{{{marks[head.key]}}}~{text(head.key)}: {text(head.note)}." for head in table.heads]
    for line in (line for line in table.lines if not line.source):
        lacking = [
            f"{coverage(cell.coverage)} of {head.key}"
            for head in table.heads
            if (cell := line.cells.get(head.key)) is not None and cell.coverage < 1
        ]
        if lacking:
            lines.append(rf"$^{{{MISSING}}}$~{text(line.label)} answered {text(', '.join(lacking))}.")
    papers = [line for line in table.lines if line.source]
    lines += [rf"\textsuperscript{{{_letter(at)}}}~Published: {text(one.source)}." for at, one in enumerate(papers)]
    return lines


def text(words: str) -> str:
    """Other people's text on one line, of which LaTeX acts on nothing, ligatures of dashes included."""
    line = " ".join(clean(words).split())
    return tex(line).replace("--", "-{}-")
