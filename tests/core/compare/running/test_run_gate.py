"""`vlmbench run --gate`: it stops when every verdict is certain, and what it left can be asked later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.core.compare.running.worlds import POPE, VSR, World, asked, content
from tests.support.gate_runs import changed, ran
from vlmbench.base.process import exit_codes
from vlmbench.base.samples import Request, Response
from vlmbench.cli import main as cli

pytestmark = pytest.mark.slow


def test_an_unchanged_model_passes_after_a_part_and_the_rest_can_be_asked(world: World) -> None:
    run = world.run("same", world.answers, "--gate", str(world.baseline))
    check, scores = content(run, "check.json"), content(run, "scores.json")
    told = {test["key"]: test for test in check["tasks"]}
    assert check["outcome"] == "pass"
    done = asked(run)
    for key, total in (("pope", POPE * 18), ("vsr", VSR)):
        assert told[key]["rule"] == f"decided early at {done[key]:,} of {total:,} questions"
        assert done[key] < 0.85 * total
        assert scores[key]["coverage"] == pytest.approx(done[key] / total)
        assert scores[key]["statuses"] == {"ok": done[key], "not_asked": total - done[key]}
        assert any("anytime-valid" in note for note in scores[key]["notes"])
    assert done["pope"] % 18 == 0  # whole images
    whole = world.run("same", world.answers)
    assert content(whole, "scores.json") == content(world.baseline, "scores.json")


def test_a_model_that_fell_fails_early_and_the_other_task_goes_on(world: World, tmp_path: Path) -> None:
    junit, markdown = tmp_path / "gate.xml", tmp_path / "gate.md"
    words = ("--gate", str(world.baseline), "--junit", str(junit), "--markdown", str(markdown))
    run = world.run("fallen", world.worse(pope=0.4), *words, code=exit_codes.BAD_RESULT)
    told = {test["key"]: test for test in content(run, "check.json")["tasks"]}
    assert (told["pope"]["outcome"], told["vsr"]["outcome"]) == ("fail", "pass")
    assert asked(run)["pope"] < 0.2 * POPE * 18
    cases = {case.get("name"): case for case in ElementTree.parse(junit).iter("testcase")}
    failure = cases["pope mean_f1"].find("failure")
    assert failure is not None and "decided early at" in failure.get("message", "")
    assert "decided early at" in markdown.read_text()


def test_the_interval_of_a_stopped_run_is_wider_than_that_of_a_run_limited_to_as_many(world: World) -> None:
    stopped = content(world.run("stopped", world.answers, "--gate", str(world.baseline)), "scores.json")["vsr"][
        "accuracy"
    ]
    limit = ("--limit", str(stopped["n"]))
    plain = content(world.run("limited", world.answers, *limit, tasks="vsr"), "scores.json")["vsr"]["accuracy"]
    assert stopped["high"] - stopped["low"] > 1.3 * (plain["high"] - plain["low"])


def test_a_drop_near_the_allowed_one_is_asked_in_full(world: World) -> None:
    """14 of 1,200 answers are lost, 1.2 points."""
    right = [key for key, said in world.answers["vsr"].items() if said == world.truth["vsr"][key]]
    lost = set(right[:: len(right) // 14][:14])
    other = {"True": "False", "False": "True"}
    answers = {"vsr": {key: other[said] if key in lost else said for key, said in world.answers["vsr"].items()}}
    words = ("--gate", str(world.baseline), "--max-drop", "1.0")
    run = world.run("edge", answers, *words, tasks="vsr", code=exit_codes.INCONCLUSIVE)
    assert asked(run) == {"vsr": VSR}
    assert content(run, "check.json")["settings"]["alpha"] == pytest.approx(0.04)


def test_errors_count_as_wrong(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model fails on a tenth of the questions, as many of those that it would have got right as of the others."""
    from vlmbench.models.echo import Echo

    answer = Echo.answer

    def failing(self: Echo, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        for request, response in answer(self, groups):
            failed = int(request.sample_id) % 10 == 0
            yield request, Response(finish="error", error="out of memory") if failed else response

    monkeypatch.setattr(Echo, "answer", failing)
    words = ("--gate", str(world.baseline), "--min-coverage", "0.5")
    run = world.run("failing", world.answers, *words, tasks="vsr", code=exit_codes.BAD_RESULT)
    (told,) = content(run, "check.json")["tasks"]
    assert told["outcome"] == "fail" and told["failed"] > 0 and "decided early" in told["rule"]
    assert content(run, "check.json")["floors"] == []
    assert asked(run)["vsr"] < VSR / 2


def stopped_after(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the model be interrupted after so many answers."""
    from vlmbench.models.echo import Echo

    answer = Echo.answer
    given = iter(range(count))

    def interrupted(self: Echo, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        for pair in answer(self, groups):
            if next(given, None) is None:
                raise KeyboardInterrupt
            yield pair

    monkeypatch.setattr(Echo, "answer", interrupted)


@pytest.mark.parametrize("after", [10, 300, 1000])
def test_a_run_that_is_interrupted_and_resumed_decides_the_same(
    world: World, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--gate", str(world.baseline))
    straight = world.run("straight", world.worse(pope=0.03), *words, code=exit_codes.BAD_RESULT)
    name = f"cut_{after}"
    with monkeypatch.context() as patched:
        stopped_after(after, patched)
        world.run(name, world.worse(pope=0.03), *words, code=exit_codes.INTERRUPTED)
    resumed = world.run(name, world.worse(pope=0.03), *words, code=exit_codes.BAD_RESULT)
    for file in ("check.json", "scores.json"):
        first, second = content(straight, file), content(resumed, file)
        for one in (first, second):
            one.pop("after", None)
        assert first == second
    assert content(straight, "run.json")["gate"] == content(resumed, "run.json")["gate"]


def test_what_a_run_without_a_gate_began_a_gated_one_takes_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers out of the seeded order count when their turn comes."""
    words = ("--gate", str(world.baseline))
    with monkeypatch.context() as patched:
        stopped_after(500, patched)
        world.run("begun", world.answers, tasks="vsr", code=exit_codes.INTERRUPTED)
    run = world.run("begun", world.answers, *words, tasks="vsr")
    straight = world.run("vsr_straight", world.answers, *words, tasks="vsr")
    rules = [content(folder, "check.json")["tasks"][0]["rule"] for folder in (run, straight)]
    assert rules[0] == rules[1]
    assert asked(run)["vsr"] > asked(straight)["vsr"]


BAD: list[tuple[list[str], str, str]] = [
    (["--gate", "nowhere.json"], "pope,vsr", "there is no such run or baseline"),
    (["--limit", "90"], "pope,vsr", "--limit: None before, 90 now"),
    ([], "pope@llava,vsr", "the baseline has no pope@llava"),
    (["--perturb", "blind"], "pope,vsr", "--perturb"),
    (["--alpha", "2"], "pope,vsr", "--alpha 2 is not between 0 and 1"),
    (["--max-drop", "1,gqa=3"], "pope,vsr", "--max-drop names tasks"),
    (["--metric", "bleu"], "pope,vsr", "no metric 'bleu'"),
    (["--max-drop", "3", "--min-detectable-drop", "2"], "pope,vsr", "must be detectable"),
    (["--system", "Be brief."], "pope,vsr", "the baseline has no pope@official+system"),
]


@pytest.mark.parametrize(("words", "tasks", "told"), BAD, ids=[told for _, _, told in BAD])
def test_bad_input_is_told_before_anything_is_asked(
    world: World, words: list[str], tasks: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from vlmbench.models.echo import Echo

    def never(self: Echo, groups: object) -> None:
        raise AssertionError("it was asked")

    monkeypatch.setattr(Echo, "answer", never)
    gate = [] if "--gate" in words else ["--gate", str(world.baseline)]
    world.run("bad", world.answers, *gate, *words, tasks=tasks, code=exit_codes.USER_MUST_CHANGE)
    assert told in capsys.readouterr().err


def test_a_baseline_of_another_version_or_that_stopped_itself_is_refused(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    other = world.run("older", world.answers, tasks="vsr")
    changed(other, "run.json", lambda run: run["tasks"]["vsr"].update(version=0))  # type: ignore[index]
    world.run("newer", world.answers, "--gate", str(other), tasks="vsr", code=exit_codes.USER_MUST_CHANGE)
    assert "version: 0 before" in capsys.readouterr().err
    world.run("more", world.answers, "--gate", str(other), tasks="pope,vsr", code=exit_codes.USER_MUST_CHANGE)
    assert "the baseline has no pope" in capsys.readouterr().err
    part = world.run("part", world.answers, "--gate", str(world.baseline), tasks="vsr")
    world.run("on_part", world.answers, "--gate", str(part), tasks="vsr", code=exit_codes.USER_MUST_CHANGE)
    assert "the baseline stopped early" in capsys.readouterr().err


def test_gate_options_without_a_gate_are_refused(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.run("bad", world.answers, "--max-drop", "3", code=exit_codes.USER_MUST_CHANGE)
    assert "--max-drop: for a gate alone" in capsys.readouterr().err


def test_what_cannot_stop_early_is_asked_in_full_and_says_why(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    before = ran(world.folder / "ocr_before", {}, "--model", "echo,text=yes", tasks="ocrbench,pope")
    after = ran(
        world.folder / "ocr_after", {}, "--model", "echo,text=yes", "--gate", str(before), tasks="ocrbench,pope",
        code=exit_codes.INCONCLUSIVE,
    )  # fmt: skip
    told = "ocrbench: asked in full: its score counts categories of different sizes together"
    assert told in capsys.readouterr().err
    assert content(after, "run.json")["gate"]["tasks"]["ocrbench"]["decided"] is False
    assert content(after, "scores.json")["ocrbench"]["coverage"] == 1


def test_a_plain_check_of_a_stopped_run_says_that_it_was_not_asked_everything(world: World, capsys: Any) -> None:
    run = world.run("unchecked", world.answers, "--gate", str(world.baseline), tasks="vsr")
    code = cli.main(["check", str(run), "--baseline", str(world.baseline), "--tasks", "vsr"])
    assert code == exit_codes.BAD_RESULT
    assert "not_asked" in capsys.readouterr().out
    file = world.folder / "stopped.json"
    assert cli.main(["baseline", str(run), "--output", str(file)]) == exit_codes.USER_MUST_CHANGE
    assert "no baseline" in capsys.readouterr().err and not file.exists()


def test_a_stopped_run_scored_again_is_the_same(world: World) -> None:
    run = world.run("again", world.answers, "--gate", str(world.baseline), tasks="vsr")
    before = content(run, "scores.json")
    assert cli.main(["score", str(run)]) in (exit_codes.OK, exit_codes.BAD_RESULT)
    assert content(run, "scores.json") == before
