"""`vlmbench check`: every exit code, every file it writes, floors, and the helper for pytest."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import vlmbench
from tests.support.gate_runs import changed, ran, script, truths, worse, wrong
from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes
from vlmbench.base.registry import load_object
from vlmbench.cli import main as cli

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
GOOD = {**script("pope", 0.05), **script("gqa", 0.05)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One run and others: the same again, a little noise, a clear fall of pope, a fall on few questions."""
    folder = tmp_path_factory.mktemp("runs")
    ids = list(truths("pope"))
    fallen = {**GOOD, **{key: wrong(GOOD[key]) for key in ids[: len(ids) // 3 : 6]}}
    noise = {**GOOD, (last := list(truths("gqa"))[-1]): wrong(GOOD[last])}
    made = {"before": GOOD, "same": GOOD, "noise": noise, "fallen": fallen}
    found = {name: ran(folder / name, answers, tasks="pope,gqa") for name, answers in made.items()}
    few = ran(folder / "which", GOOD, "--limit", "90")
    asked = pq.read_table(few / "records.parquet")["sample_id"].to_pylist()[:60:30]
    for name, answers in (("few", GOOD), ("few later", {**GOOD, **{key: wrong(GOOD[key]) for key in asked}})):
        found[name] = ran(folder / name.replace(" ", "_"), answers, "--limit", "90", tasks="pope")
    return found


@pytest.fixture(autouse=True)
def no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def check(run: Path, baseline: Path, *words: str) -> int:
    return cli.main(["check", str(run), "--baseline", str(baseline), *words])


SURE = ["--min-detectable-drop", "10"]
"""Equal answers on the embedded sample's pictures exclude a drop of 10, not the usual one of 2."""
EXITS = [
    ("same", "before", SURE, exit_codes.OK),
    ("same", "before", [], exit_codes.INCONCLUSIVE),
    ("noise", "before", ["--tasks", "gqa"], exit_codes.OK),
    ("fallen", "before", [], exit_codes.BAD_RESULT),
    ("fallen", "before", ["--tasks", "gqa", *SURE], exit_codes.OK),
    ("fallen", "before", ["--max-drop", "1.0,pope=60", "--min-detectable-drop", "gqa=10"], exit_codes.OK),
    ("fallen", "before", ["--max-drop", "60", "--metric", "accuracy"], exit_codes.OK),
    ("few later", "few", [], exit_codes.INCONCLUSIVE),
    ("few", "few", [], exit_codes.INCONCLUSIVE),
    ("few", "few", ["--min-detectable-drop", "50"], exit_codes.OK),
    ("few", "before", ["--tasks", "pope"], exit_codes.USER_MUST_CHANGE),
    ("few", "before", [], exit_codes.USER_MUST_CHANGE),
    ("same", "before", ["--tasks", "vsr"], exit_codes.USER_MUST_CHANGE),
    ("same", "before", ["--alpha", "2"], exit_codes.USER_MUST_CHANGE),
    ("same", "before", ["--max-drop", "-1"], exit_codes.USER_MUST_CHANGE),
    ("same", "before", ["--max-drop", "much"], exit_codes.USER_MUST_CHANGE),
    ("same", "before", ["--min-detectable-drop", "0.5"], exit_codes.USER_MUST_CHANGE),
    ("same", "before", ["--metric", "bleu"], exit_codes.USER_MUST_CHANGE),
    ("same", "before", ["--min-coverage", "7"], exit_codes.USER_MUST_CHANGE),
    ("same", "before", ["--max-status", "wrong=1"], exit_codes.USER_MUST_CHANGE),
]


@pytest.mark.parametrize(("run", "baseline", "words", "code"), EXITS, ids=[" ".join([r, *w]) for r, _, w, _ in EXITS])
def test_exit_codes(
    run: str, baseline: str, words: list[str], code: int, runs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(runs[run], runs[baseline], *words) == code
    told = capsys.readouterr()
    assert told.err.startswith("vlmbench: ") if code == exit_codes.USER_MUST_CHANGE else not told.err


def test_what_it_says_when_it_could_not_tell(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert check(runs["few later"], runs["few"]) == exit_codes.INCONCLUSIVE
    told = capsys.readouterr().out
    assert "pope: could not tell: fell by" in told and "these 90 items can show a drop of" in told
    assert (
        check(runs["few later"], runs["few"], "--min-detectable-drop", "9", "--max-drop", "3")
        == exit_codes.INCONCLUSIVE
    )
    assert "would be needed (the split has 9,000)" in capsys.readouterr().out


def test_a_task_of_the_baseline_cannot_go_missing(runs: dict[str, Path], tmp_path: Path) -> None:
    only = ran(tmp_path / "only", GOOD, tasks="pope")
    assert check(only, runs["before"]) == exit_codes.USER_MUST_CHANGE
    assert check(only, runs["before"], "--tasks", "pope", *SURE) == exit_codes.OK


def test_a_baseline_file_serves_as_its_run_does(runs: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    assert cli.main(["baseline", str(runs["before"]), "--output", str(file)]) == exit_codes.OK
    results = []
    for baseline in (runs["before"], file):
        assert check(runs["fallen"], baseline, "--json", str(tmp_path / "out.json")) == exit_codes.BAD_RESULT
        results.append(json.loads((tmp_path / "out.json").read_text()))
    assert results[0]["tasks"] == results[1]["tasks"]
    assert check(runs["same"], file, *SURE) == exit_codes.OK


def test_floors(runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = worse(runs["before"], tmp_path / "holes", {3: "error", 4: "truncated", 9: "truncated"})
    base = runs["before"]
    assert check(run, base) == exit_codes.BAD_RESULT
    told = capsys.readouterr().out
    assert "pope: FAIL: 99.7 % of the samples have a score, 100 % must (ok 1,077, error 1, truncated 2)" in told
    assert "3 samples that had a score before have none now and count as wrong" in told
    low = ("--min-coverage", "0.99", *SURE)
    assert check(run, base, *low) == exit_codes.OK
    assert check(run, base, *low, "--max-status", "error=0") == exit_codes.BAD_RESULT
    assert "1 of 1,080 samples ended as error; allowed: 0" in capsys.readouterr().out
    assert check(run, base, *low, "--max-status", "error=1,truncated=1%") == exit_codes.OK
    assert check(run, base, *low, "--max-status", "truncated=0.1%") == exit_codes.BAD_RESULT


# --------------------------------------------------------------------------------------------------------------- files

CHILDREN = {"testsuites": {"testsuite"}, "testsuite": {"testcase", "system-out"},
            "testcase": {"failure", "skipped"}}  # fmt: skip
NEEDED = {"testsuites": set[str](), "testsuite": {"name", "tests"}, "testcase": {"name", "classname"}}
KNOWN = {
    "testsuites": {"name", "time", "tests", "failures", "disabled", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname"},
    "testcase": {"name", "time", "classname", "group"},
    "failure": {"type", "message"},
    "skipped": {"type", "message"},
    "system-out": set[str](),
}
"""What Jenkins' junit-10.xsd lets stand where: the narrowest of the readers."""


def valid(element: ElementTree.Element) -> bool:
    """Whether an element and all below it are what the readers know."""
    tag = element.tag
    fits = set(element.attrib) <= KNOWN[tag] and NEEDED.get(tag, set()) <= set(element.attrib)
    return fits and all(one.tag in CHILDREN.get(tag, set()) and valid(one) for one in element)


def junit(path: Path) -> ElementTree.Element:
    """A JUnit file, checked."""
    root = ElementTree.parse(path).getroot()
    assert valid(root)
    suite = root[0]
    cases = suite.findall("testcase")
    assert suite.get("tests") == str(len(cases))
    assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
    assert suite.get("skipped") == str(len(suite.findall("testcase/skipped")))
    return suite


def test_junit(runs: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "deep" / "junit.xml"
    check(runs["fallen"], runs["before"], "--junit", str(file))
    suite = junit(file)
    names = [case.get("name") for case in suite.findall("testcase")]
    assert names[:2] == ["pope mean_f1", "gqa accuracy"]
    assert "pope adversarial_accuracy" in names and all(str(name).startswith("pope ") for name in names[2:])
    failure = suite.find("testcase/failure")
    assert failure is not None and failure.text is not None
    assert "by more than the allowed 1" in failure.attrib["message"] and "(scene_0000" in failure.text
    check(runs["few later"], runs["few"], "--junit", str(file))
    skipped = junit(file).find("testcase/skipped")
    assert skipped is not None and skipped.attrib["message"].startswith("could not tell: ")
    check(runs["same"], runs["before"], "--junit", str(file))
    assert junit(file).get("failures") == "0"


def test_hostile_words_in_every_file(runs: dict[str, Path], tmp_path: Path) -> None:
    nasty = "</failure><script>alert(1)</script>\x00\x1b[2J | `x` [a](javascript:b) @everyone ]]> \ud83d\n# head\ufffe"
    run = tmp_path / "nasty"
    run.mkdir()
    for path in runs["fallen"].iterdir():
        if path.is_file():
            (run / path.name).write_bytes(path.read_bytes())
    table = pq.read_table(run / "records.parquet")
    words = pa.array([nasty.encode("utf-8", "replace").decode()] * len(table))
    for name in ("question", "text"):
        table = table.set_column(table.column_names.index(name), name, words)
    pq.write_table(table, run / "records.parquet")
    changed(run, "run.json", lambda content: content["model"].update(name=nasty[:40]))  # type: ignore[attr-defined]
    files = ("--junit", str(tmp_path / "j.xml"), "--markdown", str(tmp_path / "s.md"))
    assert check(run, runs["before"], *files) == exit_codes.BAD_RESULT
    junit(tmp_path / "j.xml")
    summary = (tmp_path / "s.md").read_text()
    assert "<script" not in summary and "](java" not in summary and "@everyone" not in summary
    assert not [line for line in summary.splitlines() if line.startswith("# ")]


def test_the_summary_goes_to_the_step(runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = tmp_path / "step.md"
    step.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    check(runs["fallen"], runs["before"], "--markdown", str(tmp_path / "own.md"))
    assert step.read_text() == "before\n" + (tmp_path / "own.md").read_text()
    assert "### vlmbench: ❌ **fail**" in step.read_text() and "| pope | mean\\_f1 |" not in step.read_text()


def test_json(runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(runs["fallen"], runs["before"], "--json", *SURE) == exit_codes.BAD_RESULT
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((runs["fallen"] / "check.json").read_text())
    assert (told["outcome"], [task["outcome"] for task in told["tasks"]]) == ("fail", ["fail", "pass"])
    assert {"before", "after", "difference", "p", "p_holm", "detectable", "lower", "upper"} <= set(told["tasks"][0])


def test_a_file_that_cannot_be_written(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert (
        check(runs["same"], runs["before"], "--junit", str(tmp_path / "file" / "j.xml")) == exit_codes.USER_MUST_CHANGE
    )
    assert "cannot write" in capsys.readouterr().err


# -------------------------------------------------------------------------------------------------------------- Python


def test_assert_no_regression(runs: dict[str, Path]) -> None:
    report = vlmbench.assert_no_regression(runs["same"], runs["before"], min_detectable_drop=10)
    assert report.outcome == "pass"
    with pytest.raises(AssertionError, match=r"pope: FAIL: fell by .* by more than the allowed 1") as caught:
        vlmbench.assert_no_regression(str(runs["fallen"]), str(runs["before"]))
    assert not isinstance(caught.value, vlmbench.InconclusiveError) and "mean_f1" in str(caught.value)
    vlmbench.assert_no_regression(runs["fallen"], runs["before"], {"pope": 60.0}, min_detectable_drop={"gqa": 10})
    with pytest.raises(vlmbench.InconclusiveError):
        vlmbench.assert_no_regression(runs["few later"], runs["few"])
    with pytest.raises(UsageError):
        vlmbench.assert_no_regression(runs["same"], runs["before"], tasks=["vsr"])


def test_importing_stays_light() -> None:
    code = (
        "import sys, vlmbench\n"
        "sys.exit([m for m in ('numpy', 'orjson', 'vlmbench.compare.gates.gate') if m in sys.modules] or 0)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    with pytest.raises(AttributeError, match="no attribute 'assert_nothing'"):
        _ = vlmbench.assert_nothing


def test_a_gate_needs_no_heavy_library(runs: dict[str, Path]) -> None:
    """Pandas is pyarrow's affair: it loads it, where it is, for tables with lists."""
    code = (
        "import sys\nfrom vlmbench.cli.main import main\ncode = main(sys.argv[1:])\n"
        "sys.exit(sorted({'torch', 'transformers', 'datasets', 'openai'} & set(sys.modules)) or code)"
    )
    command = [sys.executable, "-c", code, "check", str(runs["same"]), "--baseline", str(runs["before"]), *SURE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_reports_are_loaded_by_name() -> None:
    assert callable(load_object("vlmbench.reports.text.gate:text")) and callable(
        load_object("vlmbench.reports.text.junit:junit")
    )
