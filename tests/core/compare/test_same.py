"""`vlmbench compare --same-within`: better, worse, the same, or could not tell; by corrected tests alone."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.gate_runs import ran, script, truths, wrong
from vlmbench.base.errors import UnknownNameError, UsageError
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.compare import compare
from vlmbench.compare.differences import Equivalence, MetricDifference, Verdict, corrected, difference
from vlmbench.stats.intervals import Estimate
from vlmbench.stats.metrics import LESS, NEITHER, TARGET, mean
from vlmbench.stats.paired import MCNEMAR, Paired
from vlmbench.stats.pairs import amounts
from vlmbench.stats.pairs.amounts import Amount

SETTINGS = {"resamples": 200, "seed": 0}


def row(lost: int, gained: int, count: int = 1000, better: str = "", target: float | None = None) -> MetricDifference:
    """So many of right answers lost, and as many of wrong ones gained as told."""
    names = [str(at) for at in range(count)]
    before = [1.0] * (count // 2) + [0.0] * (count - count // 2)
    after = [float(at >= lost) for at in range(count // 2)] + [float(at < gained) for at in range(count - count // 2)]
    one, other = (replace(mean("share", values, names), better=better, target=target) for values in (before, after))
    return difference(one, other, SETTINGS)


def test_the_four_verdicts() -> None:
    assert [row(*turned).verdict for turned in ((5, 40), (40, 5), (3, 3), (60, 80))] == [
        Verdict.BETTER, Verdict.WORSE, Verdict.SAME, Verdict.UNKNOWN,
    ]  # fmt: skip
    assert row(3, 3).verdict_words == "the same within 1"
    assert row(0, 7, 5000).verdict_words == "better, by less than 1"
    assert row(60, 80).verdict_words == "could not tell"


def test_what_is_better_is_the_metrics_own() -> None:
    assert row(40, 5, better=LESS).verdict is Verdict.BETTER
    assert row(40, 5, better=NEITHER).verdict is Verdict.DIFFERENT
    assert row(40, 5, better=TARGET, target=30.0).verdict is Verdict.BETTER
    assert row(40, 5, better=TARGET, target=60.0).verdict is Verdict.WORSE
    assert row(40, 5, better=TARGET, target=48.0).verdict is Verdict.DIFFERENT, "from one side of it to the other"


def test_both_families_are_corrected() -> None:
    rows = corrected([row(3, 3), row(13, 28), row(60, 80), row(4, 3)])
    alone = [row(13, 28).verdict, rows[1].verdict]
    assert alone == [Verdict.BETTER, Verdict.UNKNOWN], "p .03 among four is .1"
    for at, one in enumerate(rows):
        assert one.p_holm is not None and one.paired.p is not None and one.p_holm >= one.paired.p
        assert one.equivalence is not None and (one.equivalence.p_holm or 0) >= (one.equivalence.p or 0), at


def test_an_interval_alone_marks_nothing() -> None:
    """It leaves 0 out, and the test says p .08."""
    one = MetricDifference(
        "m", 50.0, 54.0, Paired(Estimate(4.0, 0.5, 7.5, 100), 0.08, MCNEMAR, 100, 100, 1.9), p_holm=0.08
    )
    assert one.verdict is Verdict.UNKNOWN
    assert replace(one, equivalence=Equivalence(1.0, None)).verdict is Verdict.UNKNOWN


def test_undefined_metrics_have_neither_test() -> None:
    nothing = mean("share", [], [])
    one = difference(nothing, nothing, SETTINGS)
    assert one.equivalence == Equivalence(1.0, None) and one.verdict is Verdict.UNKNOWN
    assert math.isnan(one.before) and corrected([one])[0].p_holm is None


def test_amounts() -> None:
    parsed = amounts.parse("2%, mme=20,pope= 1.5 %", "--x")
    assert parsed == {"": Amount(2, True), "mme": Amount(20), "pope": Amount(1.5, True)}
    assert amounts.of_task(parsed, "mme", Amount(1)).of(2000) == 20
    assert amounts.of_task(parsed, "gqa", Amount(1)).of(2000) == 40
    assert amounts.of_task(parsed, "pope:coco", Amount(1)).of(100) == 1.5
    assert (str(Amount(2, True)), str(Amount(2.5))) == ("2 %", "2.5")


@pytest.mark.parametrize(
    ("text", "words"),
    [("x", "cannot read 'x'"), ("-1", "no amount of 0 or more"), ("nan", "no amount"), ("inf%", "no amount"),
     ("101%", "more than the whole range"), ("1,2", "twice"), ("pope=", "cannot read"), ("0", "no data can show"),
     ("pope=0%", "no data can show")],
)  # fmt: skip
def test_what_is_no_margin(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        compare.read_margins(text, ["pope"])


def test_a_margin_of_another_task_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="gqa"):
        compare.read_margins("1%,gqa=2", ["pope"])
    assert compare.read_margins("", ["pope"]) == {}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of pope 50 questions have turned; gqa has the same answers."""
    folder = tmp_path_factory.mktemp("runs")
    good = {**script("pope", 0.05), **script("gqa", 0.1)}
    worse = {**good, **{key: wrong(good[key]) for key in list(truths("pope"))[:50]}}
    return ran(folder / "one", good, tasks="pope,gqa"), ran(folder / "two", worse, tasks="pope,gqa")


@pytest.mark.slow
def test_text_json_and_markdown_say_it(
    runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["compare", *map(str, runs), "--same-within", "10%", "--flips", "0"]
    capsys.readouterr()
    assert cli.main(command) == exit_codes.OK
    told = capsys.readouterr().out
    pope, gqa = (next(line for line in told.splitlines() if line.startswith(name)) for name in ("pope ", "gqa "))
    assert "  worse  " in pope and "  the same within 10  " in gqa
    assert "corrected over these 2 rows (Holm)" in told and " p  " not in told.splitlines()[3]
    assert cli.main([*command, "--json", "--output", str(tmp_path / "out")]) == exit_codes.OK
    tasks = json.loads(capsys.readouterr().out)["tasks"]
    assert [task["verdict"] for task in tasks] == ["worse", "the same"]
    assert tasks[1]["equivalence"]["margin"] == 10 and tasks[1]["equivalence"]["p_holm"] < 0.05
    for one in (*tasks[0]["differences"], *tasks[0]["breakdowns"]):
        assert one["p_holm"] >= one["paired"]["p"] and one["verdict"] in set(Verdict)
    words = (tmp_path / "out" / "compare.md").read_text("utf-8")
    assert "| worse |" in words and "| the same within 10 |" in words


@pytest.mark.slow
def test_sixty_images_do_not_show_one_percent(runs: tuple[Path, Path]) -> None:
    """Equal answers to 900 questions about 398 images show 1 %; to few images they would not."""
    gqa = compare.compare(*runs, tasks=["gqa"], same_within=1).tasks[0]
    clusters = gqa.best.paired.clusters
    assert gqa.best.equivalence is not None
    assert gqa.best.equivalence.p == pytest.approx(max(0.99**clusters, gqa.best.equivalence.p or 0))
    assert gqa.best.same is (0.99**clusters < 0.05)
