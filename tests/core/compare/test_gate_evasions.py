"""Ways in which a gate was once passed by a model that had become worse, each with the verdict it must get now."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest

from tests.support.gate_runs import changed, ran, script, truths, worse, wrong
from vlmbench.base.process import exit_codes
from vlmbench.base.registry import choose_task, load_object
from vlmbench.cli import main as cli
from vlmbench.data.files import Folder

pytestmark = pytest.mark.slow

BASE = script("pope", 0.1)
TRUTHS = truths("pope")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ran(tmp_path_factory.mktemp("evasions") / "base", BASE)


def check(run: Path, baseline: Path, *words: str) -> int:
    return cli.main(["check", str(run), "--baseline", str(baseline), *words])


def verdicts(run: Path) -> dict[str, dict[str, object]]:
    """What the last check said, by metric."""
    return {one["metric"]: one for one in json.loads((run / "check.json").read_text())["tasks"]}


def failing(base: Path, target: Path, ids: set[str]) -> Path:
    """A run that failed on some questions and answered the others as before."""
    rows = pq.read_table(base / "records.parquet")["sample_id"].to_pylist()
    return worse(base, target, {row: "error" for row, key in enumerate(rows) if key in ids})


def missed(run: Path) -> list[str]:
    """What a run has wrong: a question that comes twice is asked once."""
    table = pq.read_table(run / "records.parquet").to_pylist()
    return [row["sample_id"] for row in table if row["value"] == 0]


def test_a_collapse_to_one_answer_fails(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Way 1: F1 is undefined where everything is `no`; that is no reason not to tell."""
    run = ran(tmp_path / "no", dict.fromkeys(TRUTHS, "no"))
    capsys.readouterr()
    assert check(run, base) == exit_codes.BAD_RESULT
    told = capsys.readouterr().out
    assert "pope: FAIL: mean_f1 was " in told and "is undefined now" in told
    found = verdicts(run)
    assert {name: one["outcome"] for name, one in found.items()} == {"mean_f1": "fail", "accuracy": "fail"}
    assert float(str(found["accuracy"]["difference"]["value"])) < -30  # type: ignore[index]
    assert "note: pope: 1,080 of 1,080 answers are the same text: 'no'" in told


def test_the_junit_file_of_a_collapse_is_red(base: Path, tmp_path: Path) -> None:
    """Way 9."""
    run, file = ran(tmp_path / "no", dict.fromkeys(TRUTHS, "no")), tmp_path / "junit.xml"
    assert check(run, base, "--junit", str(file)) == exit_codes.BAD_RESULT
    suite = ElementTree.parse(file).getroot()[0]
    assert suite.get("skipped") == "0"
    red = {case.get("name") for case in suite.findall("testcase[failure]")}
    assert red >= {"pope mean_f1", "pope accuracy", "pope yes_ratio", "pope adversarial_accuracy"}
    failure = suite.find("testcase[@name='pope mean_f1']/failure")
    assert failure is not None and failure.text is not None and "after undefined" in failure.text


def test_what_was_undefined_before_cannot_be_told(base: Path, tmp_path: Path) -> None:
    broken = ran(tmp_path / "no", dict.fromkeys(TRUTHS, "no"))
    assert check(broken, broken) == exit_codes.INCONCLUSIVE
    assert check(base, broken) == exit_codes.INCONCLUSIVE
    assert {one["rule"] for one in verdicts(base).values()} >= {"was undefined"}


def test_less_yes_bias_is_no_regression_and_more_is(base: Path, tmp_path: Path) -> None:
    """Way 4: nearer to as many `yes` as there are is better, whether the ratio rises or falls."""
    biased = {key: "yes" if at % 2 == 0 else BASE[key] for at, key in enumerate(TRUTHS)}
    run = ran(tmp_path / "biased", biased)
    assert check(base, run, "--metric", "yes_ratio") != exit_codes.BAD_RESULT
    assert "nearer to its target 50.0" in str(verdicts(base)["yes_ratio"]["reason"])
    assert check(run, base, "--metric", "yes_ratio") == exit_codes.BAD_RESULT
    assert "further from its target 50.0, by more than the allowed 1" in str(verdicts(run)["yes_ratio"]["reason"])


def test_every_metric_can_be_asked_for(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noisy = ran(
        tmp_path / "noisy", {key: wrong(BASE[key]) if at % 4 == 0 else BASE[key] for at, key in enumerate(BASE)}
    )
    assert check(noisy, base, "--metric", "all") == exit_codes.BAD_RESULT
    named = set(verdicts(noisy))
    assert {"mean_f1", "accuracy", "precision", "recall", "yes_ratio"} <= named
    assert verdicts(noisy)["accuracy"]["outcome"] == "fail"


def test_a_metric_of_which_less_is_better(tmp_path: Path) -> None:
    """Way 4 again: GQA's distribution is a distance."""
    good = truths("gqa")
    constant = dict.fromkeys(good, next(iter(good.values())))
    near, far = ran(tmp_path / "near", good, tasks="gqa"), ran(tmp_path / "far", constant, tasks="gqa")
    words = ("--metric", "distribution", "--max-drop", "0", "--min-detectable-drop", "0.02")
    assert check(far, near, *words) == exit_codes.BAD_RESULT
    assert "worse: less is better" in str(verdicts(far)["distribution"]["reason"])
    assert check(near, far, *words) != exit_codes.BAD_RESULT
    assert "better: less is better" in str(verdicts(near)["distribution"]["reason"])


def test_a_metric_without_a_direction_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ran(tmp_path / "run", BASE, tasks="pope@lmms_eval")
    assert check(run, run, "--metric", "yes_ratio_of_targets") == exit_codes.USER_MUST_CHANGE
    assert "neither more nor less is better" in capsys.readouterr().err


@pytest.mark.parametrize("share", [0.35, 0.9])
def test_failing_on_what_would_be_wrong_lifts_nothing(base: Path, tmp_path: Path, share: float) -> None:
    """Way 5: the later model is worse by 5 %, and fails on a part of what it would have got wrong."""
    answers = {key: wrong(BASE[key]) if at % 20 == 0 and BASE[key] == TRUTHS[key] else BASE[key]
               for at, key in enumerate(BASE)}  # fmt: skip
    honest = ran(tmp_path / "honest", answers)
    lacking = missed(honest)
    run = failing(honest, tmp_path / "failing", set(lacking[: int(share * len(lacking))]))
    entry = json.loads((run / "scores.json").read_text())["pope"]
    whole = json.loads((honest / "scores.json").read_text())["pope"]["mean_f1"]["value"]
    assert entry["mean_f1"]["value"] > whole > entry["mean_f1"]["bounds"][0] - 1e-9
    assert check(run, base, "--min-coverage", "0.5") == exit_codes.BAD_RESULT
    found = verdicts(run)["mean_f1"]
    before = json.loads((base / "scores.json").read_text())["pope"]["mean_f1"]["value"]
    assert found["before"] == pytest.approx(before)  # the baseline keeps its questions
    assert float(str(found["after"])) == pytest.approx(whole)
    assert f"{int(share * len(lacking))} samples that had a score before" in str(found["reason"])


def test_what_failed_before_too_is_no_loss(base: Path, tmp_path: Path) -> None:
    first = failing(base, tmp_path / "first", set(missed(base)[:40]))
    again = failing(base, tmp_path / "again", set(missed(base)[:40]))
    assert check(again, first, "--min-coverage", "0.5", "--min-detectable-drop", "10") == exit_codes.OK
    assert verdicts(again)["mean_f1"]["failed"] == 0


def test_a_run_in_which_everything_failed_fails(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Way 6, with every file."""
    run = failing(base, tmp_path / "dead", set(TRUTHS))
    files = (
        "--junit",
        str(tmp_path / "j.xml"),
        "--markdown",
        str(tmp_path / "s.md"),
        "--json",
        str(tmp_path / "o.json"),
    )
    capsys.readouterr()
    assert check(run, base, *files) == exit_codes.BAD_RESULT
    told = capsys.readouterr().out
    assert "0.0 % of the samples have a score, 100 % must (error 1,080)" in told
    assert "mean_f1" in told and "FAIL" in told
    suite = ElementTree.parse(tmp_path / "j.xml").getroot()[0]
    assert int(suite.get("failures") or 0) >= 2
    assert "❌" in (tmp_path / "s.md").read_text()
    assert json.loads((tmp_path / "o.json").read_text())["outcome"] == "fail"
    assert check(run, base, "--min-coverage", "0") == exit_codes.BAD_RESULT


@pytest.mark.parametrize("name", ["mme", "mmbench", "iconqa"])
def test_everything_failed_is_a_fail_of_small_samples_too(name: str, tmp_path: Path) -> None:
    """Too few pictures for an interval, or nothing right before: that not one sample has a score needs no test."""
    before = ran(tmp_path / "before", truths(name), tasks=name)
    rows = len(pq.read_table(before / "records.parquet"))
    dead = worse(before, tmp_path / "dead", dict.fromkeys(range(rows), "error"), name)
    assert check(dead, before, "--min-coverage", "0", "--max-drop", "90") == exit_codes.BAD_RESULT
    assert all(str(one["reason"]).startswith("no sample has a score now") for one in verdicts(dead).values())


def test_against_a_baseline_in_which_everything_failed(base: Path, tmp_path: Path) -> None:
    dead = failing(base, tmp_path / "dead", set(TRUTHS))
    assert check(base, dead) == exit_codes.INCONCLUSIVE
    assert "no sample has a score in both runs" in str(verdicts(base)["mean_f1"]["reason"])
    assert check(dead, dead) == exit_codes.BAD_RESULT


def test_equal_answers_to_few_questions_prove_little(base: Path, tmp_path: Path) -> None:
    """Two scripted models with the same 18 answers about one picture."""
    answers = [ran(tmp_path / name, BASE, "--limit", "18") for name in ("one", "other")]
    assert check(answers[0], answers[1]) == exit_codes.INCONCLUSIVE
    found = verdicts(answers[0])["mean_f1"]
    assert found["rule"] == "few same answers"
    assert "every answer is the same, but on 1 images" in str(found["reason"])


@pytest.mark.parametrize("limit", [18, 360, 1080])
def test_equal_scores_in_other_words_prove_as_little(limit: int, tmp_path: Path) -> None:
    """`Yes.` for `yes`: no score moved, and that excludes no more than the same texts would."""
    words = {key: f"{said.capitalize()}." for key, said in BASE.items()}
    runs = [ran(tmp_path / name, said, "--limit", str(limit)) for name, said in (("one", BASE), ("other", words))]
    assert check(runs[1], runs[0], "--metric", "all") == exit_codes.INCONCLUSIVE
    assert {one["rule"] for one in verdicts(runs[1]).values()} == {"few same scores"}
    assert "every answer has the same score, but on " in str(verdicts(runs[1])["mean_f1"]["reason"])
    assert check(runs[1], runs[0], "--min-detectable-drop", "96") == exit_codes.OK  # one picture excludes a drop of 95


def test_the_same_model_asked_the_same_passes(base: Path, tmp_path: Path) -> None:
    """Weights that were hashed, the same settings and prompts, decoded greedily: equal answers had to come."""
    runs = [ran(tmp_path / name, BASE, "--limit", "18") for name in ("one", "other")]
    for run in runs:
        changed(run, "run.json", lambda c: c["model"].update(fingerprint="f", settings={"engine": "shared"}))  # type: ignore[attr-defined]
    assert check(runs[0], runs[1]) == exit_codes.OK
    assert verdicts(runs[0])["mean_f1"]["rule"] == "same model"
    changed(runs[1], "run.json", lambda c: c["model"].update(settings={"engine": "shared", "quantize": "int4"}))  # type: ignore[attr-defined]
    assert check(runs[0], runs[1]) == exit_codes.INCONCLUSIVE
    for run in runs:
        changed(run, "run.json", lambda c: c["model"].update(settings={"engine": "x", "server": "http://localhost"}))  # type: ignore[attr-defined]
    assert check(runs[0], runs[1]) == exit_codes.INCONCLUSIVE


def test_empty_answers_that_a_rule_reads_as_yes_are_told_of(base: Path, tmp_path: Path) -> None:
    """Way 8: official behaviour, so the score stays; the note stands beside it."""
    emptied = set(missed(base)[::2])
    run = ran(tmp_path / "empty", {key: "" if key in emptied else text for key, text in BASE.items()})
    notes = json.loads((run / "scores.json").read_text())["pope"]["notes"]
    assert any(note.endswith(" of 1,080 answers are empty") for note in notes)


def test_one_run_of_the_judge_is_said_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same answers graded again, once, by a judge that leans: beside the score, in compare and in check."""
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    ids = [sample.id for sample in choose_task("mmvet").task.samples(Folder.sample("mmvet"), "test")]
    answers = dict.fromkeys(ids, "a red square")
    runs = [ran(tmp_path / name, answers, "--judge", f"echo,text={grade}", tasks="mmvet")
            for name, grade in (("kind", "0.8"), ("strict", "0.5"))]  # fmt: skip
    notes = json.loads((runs[0] / "scores.json").read_text())["mmvet"]["notes"]
    assert any("graded by one run of the judge" in note for note in notes)
    capsys.readouterr()
    assert cli.main(["compare", str(runs[0]), str(runs[1])]) == exit_codes.OK
    told = capsys.readouterr().out
    assert "note: mmvet: graded by different judges, whose lean is in no interval" in told
    assert f"the judge graded {len(ids)} unchanged answers otherwise" in told
    assert "differs in mmvet: judge: " in told
    assert check(runs[1], runs[0], "--min-detectable-drop", "20") == exit_codes.OK  # unchanged answers keep their grade
    told = capsys.readouterr().out
    assert f"{len(ids)} of {len(ids)} graded answers did not change and keep the earlier grade" in told
    assert "differs in mmvet: judge: " in told and " every answer is the same\n" in told


def test_a_badge_belongs_to_the_task_that_was_checked(base: Path, tmp_path: Path) -> None:
    """A later check of another task leaves what was said of the first; what none checked has no badge."""
    answers = {**dict.fromkeys(TRUTHS, "yes"), **truths("gqa")}
    before = ran(tmp_path / "before", {**BASE, **truths("gqa")}, tasks="pope,gqa,vsr")
    run = ran(tmp_path / "run", answers, tasks="pope,gqa,vsr")
    assert check(run, before, "--tasks", "pope") == exit_codes.BAD_RESULT
    assert check(run, before, "--tasks", "gqa", "--min-detectable-drop", "10") == exit_codes.OK
    found = json.loads((run / "check.json").read_text())
    assert [one["key"] for one in found["tasks"]] == ["gqa"]
    assert {key: one["outcome"] for key, one in found["by_task"].items()} == {"pope": "fail", "gqa": "pass"}
    loaded = load_object("vlmbench.reports.runs:load")([run])[0]
    gate = load_object("vlmbench.reports.site.report_data:gate_data")(loaded.gate)
    assert {one["key"]: one["outcome"] for one in gate["tasks"]} == {"pope": "fail", "gqa": "pass"}
    assert check(run, before, "--tasks", "pope", "--max-drop", "90") == exit_codes.OK
    assert json.loads((run / "check.json").read_text())["by_task"]["pope"]["outcome"] == "pass"


def test_a_sum_over_a_part_of_the_subtasks_says_so(tmp_path: Path) -> None:
    run = ran(tmp_path / "mme", {}, "--limit", "12", tasks="mme")
    notes = json.loads((run / "scores.json").read_text())["mme"]["notes"]
    assert any(re.match(r"perception: a sum over \d of 10 subtasks, at most [\d,]+: without ", note) for note in notes)


def test_a_smaller_limit_is_another_set_of_questions_and_not_other_prompts(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ran(tmp_path / "small", BASE, "--limit", "90")
    assert cli.main(["compare", str(base), str(small)]) == exit_codes.USER_MUST_CHANGE
    told = capsys.readouterr().err
    assert "questions: 1,080" in told
    assert cli.main(["compare", str(base), str(small), "--force"]) == exit_codes.OK
    assert "prompts" not in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--max-drop", "--min-detectable-drop"])
def test_an_amount_of_a_task_that_the_runs_lack_is_refused(
    option: str, base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Way: `--max-drop 1,popee=3` held for nothing, without a word."""
    run = ran(tmp_path / "same", BASE)
    capsys.readouterr()
    assert check(run, base, option, "3,popee=4") == exit_codes.USER_MUST_CHANGE
    told = capsys.readouterr().err
    assert "no task of these runs named 'popee'" in told and "did you mean pope" in told and option in told
    assert check(run, base, option, "3,pope=4") != exit_codes.USER_MUST_CHANGE
