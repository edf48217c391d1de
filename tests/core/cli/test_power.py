"""`vlmbench power` from the command line: with assumptions, with one run, with two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.gate_runs import changed, script, truths, wrong
from tests.support.gate_runs import ran as gate_run
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """What `power --json` prints."""
    assert cli.main(["power", *words, "--json"]) == exit_codes.OK
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def ran(folder: Path, task: str, text: str) -> str:
    """A run of the scripted model."""
    words = ["run", "--model", f"echo,text={text}", "--tasks", task, "--output", str(folder)]
    assert cli.main(words) == exit_codes.OK
    return str(folder)


def test_assumptions_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """The embedded POPE: sizes, the design effect, and more questions than there are."""
    found = told(capsys, "pope")
    assert (found["questions"], found["images"], found["metric"]) == (1080, 60, "mean_f1")
    assert found["design_effect"] == pytest.approx(2.7) and found["discordance"] == pytest.approx(42)
    assert found["detectable"] == pytest.approx(9.5, abs=0.1) and not found["enough"]
    assert found["needed"]["questions"] == 18 * found["needed"]["images"] > 50_000
    wide = told(capsys, "pope", "--effect", "10")
    assert wide["enough"] and wide["needed"]["questions"] < 1080 and wide["power_at_effect"] > 0.8
    less = told(capsys, "gqa", "--limit", "540", "--discordance", "10", "--correlation", "0")
    assert (less["questions"], less["images"]) == (540, 36) and less["of"]["questions"] == 900
    assert less["error"] == pytest.approx(100 * (0.1 / 540) ** 0.5)


def test_an_effect_in_the_metrics_own_unit(capsys: pytest.CaptureFixture[str]) -> None:
    """MME's sum goes to 2,000: 1 % of it is 20, and 20 accuracy points are another question."""
    points, percent = told(capsys, "mme", "--effect", "20"), told(capsys, "mme", "--effect", "1%")
    assert (points["metric"], points["range"], points["effect"]) == ("perception", 2000, 20)
    assert points == percent
    assert points["error"] > 100 and points["needed"]["questions"] > 50_000, "20 pictures of 10 subtasks"
    third = told(capsys, "pope", "--discordance", "14")
    assert third["error"] == pytest.approx(told(capsys, "pope")["error"] / 3**0.5)
    judged = told(capsys, "mmvet")
    assert judged["metric"] == "total" and "the judge for constant" in judged["basis"]
    assert cli.main(["power", "llava_bench"]) == exit_codes.USER_MUST_CHANGE
    assert "name a run" in capsys.readouterr().err


@pytest.mark.slow
def test_from_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The variance of two gates, each of which left its check.json; older files have the interval alone."""
    good = {**script("pope", 0.05), **script("gqa", 0.1)}
    base = gate_run(tmp_path / "base", good, tasks="pope,gqa")
    later = []
    for number in (1, 2):
        turned = {**good, **{key: wrong(good[key]) for key in list(truths("pope"))[: 40 * number]}}
        later.append(str(gate_run(tmp_path / f"later{number}", turned, tasks="pope,gqa")))
        cli.main(["check", later[-1], "--baseline", str(base)])
    capsys.readouterr()
    both = told(capsys, "pope", "--checks", *later, "--effect", "2%")
    alone = [told(capsys, "pope", "--runs", str(base), run)["error"] for run in later]
    assert both["source"] == "checks" and both["effect"] == 2 and both["images"] == 60
    assert both["error"] == pytest.approx(((alone[0] ** 2 + alone[1] ** 2) / 2) ** 0.5, rel=0.05)
    changed(Path(later[0]), "check.json", lambda content: [test.pop("error") for test in content["tasks"]])  # type: ignore[attr-defined]
    old = told(capsys, "pope", "--checks", later[0])
    assert old["error"] == pytest.approx(alone[0], rel=0.2)
    for words, problem in (
        (["--checks", str(base)], "no check.json"),
        (["--checks", later[0], "--run", later[0]], "two sources"),
        (["--checks", later[0], "--accuracy", "50"], "measures what --accuracy"),
    ):
        assert cli.main(["power", "pope", *words]) == exit_codes.USER_MUST_CHANGE
        assert problem in capsys.readouterr().err
    assert cli.main(["power", "gqa", "--checks", later[0]]) == exit_codes.USER_MUST_CHANGE
    assert "no check tells how gqa's accuracy varies" in capsys.readouterr().err


def test_the_words(capsys: pytest.CaptureFixture[str]) -> None:
    """What is assumed is said, and the limit to give."""
    assert cli.main(["power", "pope", "--effect", "10"]) == exit_codes.OK
    text = capsys.readouterr().out
    assert "1,080 questions about 60 images" in text and "independent" in text and "--limit" in text
    assert cli.main(["power", "pope", "--limit", "1"]) == exit_codes.OK
    assert "no difference can be found" in capsys.readouterr().out


@pytest.mark.slow
def test_from_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One run gives its accuracy and correlation, two how they differ; a mean of shares its own error."""
    tasks = "gqa,vqav2,mme"
    yes, no = ran(tmp_path / "yes", tasks, "yes"), ran(tmp_path / "no", tasks, "no")
    capsys.readouterr()
    one = told(capsys, "gqa", "--run", yes)
    assert one["metric"] == "accuracy" and 0 < one["accuracy"] < 100 and one["detectable"] > 2 * one["error"]
    part = told(capsys, "vqav2", "--run", yes)
    assert part["error"] > 0 and "correlation" not in part
    two = told(capsys, "gqa", "--run", yes, "--run", no)
    assert "differ" in two["basis"] and two["error"] > 0
    same = ["power", "gqa", "--run", yes, "--run", yes]
    for words in (
        same,
        ["power", "mme", "--run", yes],
        ["power", "pope", "--run", yes],
    ):  # MME: each picture half right
        assert cli.main(words) == exit_codes.USER_MUST_CHANGE
    assert "no pope" in capsys.readouterr().err
    assert cli.main(["power", "gqa", "--run", yes, "--accuracy", "50"]) == exit_codes.USER_MUST_CHANGE
    assert cli.main(["power", "gqa", *(["--run", yes] * 3)]) == exit_codes.USER_MUST_CHANGE


@pytest.mark.parametrize(
    "words",
    [
        ["--effect", "0"],
        ["--effect", "x"],
        ["--effect", "gqa=1"],
        ["--power", "1.5"],
        ["--limit", "0"],
        ["--accuracy", "101"],
        ["--alpha", "0"],
    ],
)
def test_numbers_out_of_range(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """They are refused with the range."""
    assert cli.main(["power", "pope", *words]) == exit_codes.USER_MUST_CHANGE
    assert words[0].removeprefix("--") in capsys.readouterr().err
