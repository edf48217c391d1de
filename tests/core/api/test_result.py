"""What a notebook shows of a run, a comparison and questions; the tables behind it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

import vlmbench
from vlmbench.api import Result
from vlmbench.base.errors import StoreError, UnknownNameError

ROOT = Path(__file__).parents[3]
EVIL = '<script>alert(1)</script>"&'


class Page(HTMLParser):
    """The tags and the text of a fragment."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.images: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.images += [value or "" for name, value in attrs if name == "src"]

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Result, Result]]:
    folder = tmp_path_factory.mktemp("runs")
    yes = vlmbench.evaluate("echo,text=yes", "pope,vsr", limit=30, output=folder / "yes")
    no = vlmbench.evaluate("echo,text=no", "pope,vsr", limit=30, output=folder / "no")
    yield yes, no


def test_the_line_and_the_table(runs: tuple[Result, Result]) -> None:
    yes, _ = runs
    best = yes.summary["pope"]["mean_f1"]
    assert repr(yes).startswith(f"Result(echo: pope {best['value']:.1f} [{best['low']:.1f}, {best['high']:.1f}], vsr ")
    table = yes.table()
    assert list(table.index) == ["pope", "vsr"]
    assert table.loc["pope", "value"] == best["value"] and table.loc["pope", "n"] == best["n"]
    page = Page(yes._repr_html_())
    assert page.tags.count("tr") == 3 and "mean_f1" in page.text and "not comparable with papers" in page.text


def test_a_result_of_a_folder(runs: tuple[Result, Result], tmp_path: Path) -> None:
    assert repr(Result.load(str(runs[0].folder))) == repr(runs[0])
    with pytest.raises(StoreError):
        Result.load(tmp_path)


def test_it_stands_without_its_folder(runs: tuple[Result, Result], tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(runs[0].folder, copy)
    result = Result(copy, runs[0].summary)
    shutil.rmtree(copy)
    assert "pope 66.7" in repr(result)


def test_questions_with_their_images(runs: tuple[Result, Result]) -> None:
    yes, _ = runs
    pope = yes.records[yes.records["task"] == "pope"]
    wrong = yes.samples(task="pope", wrong=True)
    assert list(wrong.frame["sample_id"]) == list(pope[pope["value"] < 1]["sample_id"])
    assert len(wrong) + len(yes.samples(task="pope", wrong=False)) == len(pope) == 30
    assert len(yes.samples(status="error")) == 0
    page = Page(wrong._repr_html_())
    assert page.tags.count("img") == 12 and all(image.startswith("data:image/jpeg;base64,") for image in page.images)
    assert f"{len(wrong) - 12} more" in page.text and "no\n" in page.text
    assert len(wrong[12:]) == len(wrong) - 12
    assert "no such question" in yes.samples(status="error")._repr_html_()
    with pytest.raises(UnknownNameError, match="task of this run"):
        yes.samples(task="mme")
    with pytest.raises(UnknownNameError, match="status"):
        yes.samples(status="wrong")


def test_a_comparison(runs: tuple[Result, Result]) -> None:
    yes, no = runs
    found = yes.compare(no, metric="accuracy")
    table = found.table()
    assert list(table.index) == ["pope", "vsr"]
    row = table.loc["pope"]
    assert row["metric"] == "accuracy" and row["after"] - row["before"] == pytest.approx(row["difference"])
    assert repr(found).startswith("Compared(pope: accuracy ") and "before echo" in str(found)
    assert Page(found._repr_html_()).tags.count("tr") == 3
    assert repr(yes.compare(no.folder)) == repr(yes.compare(no))


def test_the_report(runs: tuple[Result, Result], tmp_path: Path) -> None:
    page = runs[0].report(runs[1], output=tmp_path / "site")
    assert page == tmp_path / "site" / "index.html" and page.is_file()
    assert runs[1].report().parent == runs[1].folder / "report"


def test_text_of_others_is_escaped(tmp_path: Path) -> None:
    """A model's answers are text, not tags."""
    result = vlmbench.evaluate(lambda images, question: EVIL, "gqa", limit=2, output=tmp_path / "run")
    for html in (result.samples()._repr_html_(), result._repr_html_()):
        assert "script" not in Page(html).tags and "<script" not in html
    assert EVIL in Page(result.samples()._repr_html_()).text


def test_the_public_names() -> None:
    assert dir(vlmbench) == sorted(vlmbench.__all__)
    for name in dir(vlmbench):
        assert getattr(vlmbench, name) is not None


def test_the_example_notebook_runs(tmp_path: Path) -> None:
    """Its cells, one after the other, without IPython: what a cell ends with is its HTML or its repr."""
    notebook = json.loads((ROOT / "examples" / "notebook.ipynb").read_text("utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 5 and not any(cell.get("outputs") for cell in notebook["cells"])
    script = tmp_path / "notebook.py"
    script.write_text("\n\n".join(cells))
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
