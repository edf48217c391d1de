"""The gate sees parts: a category that collapses, F1 bought with accuracy, what must hold, drops in percent."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.gate_runs import ran, truths, wrong
from vlmbench.base.errors import UnknownNameError
from vlmbench.base.metric import LESS, MORE, TARGET
from vlmbench.base.process import exit_codes
from vlmbench.base.registry import load_object
from vlmbench.cli import main as cli
from vlmbench.compare.gates import parts
from vlmbench.compare.gates.rules import GateRules, Scale, names_known
from vlmbench.stats.metrics import Metric, mean
from vlmbench.stats.noninferiority import gatekept
from vlmbench.stats.paired import holm
from vlmbench.stats.pairs.amounts import Amount

KINDS = ("random", "popular", "adversarial")
SURE = ("--min-detectable-drop", "20")
"""For what few items must decide."""
Answers = dict[str, str]


def question(kind: str, number: int) -> tuple[str, str]:
    """(image, right answer): three of the six questions of a kind about an image are yes."""
    return f"COCO_val2014_{(number - 1) // 6:012d}.jpg", "yes" if number % 2 else "no"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Question files of POPE's shape: 200 images, six questions of each kind about each, no two of them the same."""
    folder = tmp_path_factory.mktemp("pope")
    for kind in KINDS:
        lines = []
        for number in range(1, 1201):
            image, label = question(kind, number)
            text = f"Is there a {kind} thing {number} in the image?"
            lines.append(json.dumps({"question_id": number, "image": image, "text": text, "label": label}))
        (folder / f"coco_pope_{kind}.json").write_text("\n".join(lines) + "\n")
    return folder


TRUTHS = {f"{kind}/{number}": question(kind, number)[1] for kind in KINDS for number in range(1, 1201)}


def answers(change: Callable[[str, int, str], bool] = lambda kind, number, said: False) -> Answers:
    """One answer in eight is wrong; `change` of (kind, number, answer) turns it."""
    rng, found = random.Random(0), {}
    for key, truth in TRUTHS.items():
        kind, _, number = key.partition("/")
        said = wrong(truth) if rng.random() < 0.125 else truth
        found[key] = wrong(said) if change(kind, int(number), said) else said
    return found


@pytest.fixture(scope="module")
def scored(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Answers], Path]:
    """A run of some answers, scored on the command line."""
    folder = tmp_path_factory.mktemp("runs")

    def score(name: str, given: Answers) -> Path:
        file = folder / f"{name}.jsonl"
        file.write_text("".join(json.dumps({"id": key, "text": text}) + "\n" for key, text in given.items()))
        command = ["score", "pope", "--predictions", str(file), "--data", str(data), "--output", str(folder / name)]
        assert cli.main(command) == exit_codes.OK
        return folder / name

    return score


Score = Callable[[str, Answers], Path]


@pytest.fixture(scope="module")
def base(scored: Score) -> Path:
    return scored("base", answers())


@pytest.fixture(scope="module")
def collapsed(scored: Score) -> Path:
    """Of the adversarial questions one right answer in fifteen is lost; of the others wrong ones are mended."""

    def change(kind: str, number: int, said: str) -> bool:
        right = said == question(kind, number)[1]
        return right and number % 15 == 0 if kind == "adversarial" else not right and number % 4 == 0

    return scored("collapsed", answers(change))


@pytest.fixture(scope="module")
def noise(scored: Score) -> Path:
    """A little noise: 34 answers of 3,600 turn."""
    return scored("noise", answers(lambda kind, number, said: number % 109 == 0))


def check(run: Path, baseline: Path, *words: str) -> int:
    return cli.main(["check", str(run), "--baseline", str(baseline), *words])


def result(run: Path) -> dict[str, list[dict[str, object]]]:
    """What the last check left in the run's folder."""
    found: dict[str, list[dict[str, object]]] = json.loads((run / "check.json").read_text())
    return found


def failing(run: Path) -> set[object]:
    """The parts that the last check failed."""
    return {part["metric"] for part in result(run)["parts"] if part["outcome"] == "fail"}


# ------------------------------------------------------------------------------------------------ ways out of the gate


def test_a_category_that_collapses_fails_though_the_total_stays(
    base: Path, collapsed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Way 2 of the audit, with every file."""
    files = ("--junit", str(tmp_path / "j.xml"), "--markdown", str(tmp_path / "s.md"))
    capsys.readouterr()
    assert check(collapsed, base, *files) == exit_codes.BAD_RESULT
    told = capsys.readouterr().out
    assert re.search(r"pope: FAIL: adversarial_accuracy: fell by 5\.\d, by more than the allowed 1 \(p ", told)
    assert " of its 11 parts fell by more than allowed: " in told and "random_accuracy" not in told
    assert "adversarial_accuracy" in failing(collapsed)
    assert not [name for name in failing(collapsed) if not str(name).startswith("adversarial")]
    (headline,) = result(collapsed)["tasks"]
    assert (headline["metric"], headline["outcome"], headline["kind"]) == ("mean_f1", "pass", "asked")
    red = ElementTree.parse(tmp_path / "j.xml").getroot().findall("testsuite/testcase[failure]")
    assert "pope adversarial_accuracy" in {case.get("name") for case in red}
    assert "| adversarial_accuracy |" in (tmp_path / "s.md").read_text()
    loaded = load_object("vlmbench.reports.runs:load")([collapsed])[0]
    (badge,) = load_object("vlmbench.reports.site.report_data:gate_data")(loaded.gate)["tasks"]
    assert badge["outcome"] == "fail" and "adversarial_accuracy: fell by 5." in badge["reason"]


def test_f1_bought_with_accuracy_fails_on_a_guard(base: Path, scored: Score) -> None:
    """Way 7 of the audit: a bias to yes that costs accuracy and leaves F1 where it was."""

    def change(kind: str, number: int, said: str) -> bool:
        return said == "no" and (number % 5 < 3 if question(kind, number)[1] == "yes" else number % 9 == 0)

    run = scored("biased", answers(change))
    assert check(run, base) == exit_codes.BAD_RESULT
    (headline,) = result(run)["tasks"]
    assert headline["outcome"] != "fail" and abs(float(headline["difference"]["value"])) < 1  # type: ignore[index]
    assert "yes_ratio" in failing(run)
    (guard,) = [part for part in result(run)["parts"] if part["metric"] == "yes_ratio"]
    assert "further from its target 50.0" in str(guard["reason"]) and guard["better"] == "target"


def test_parts_that_did_not_fall_decide_nothing(base: Path, noise: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Few answers turn: no bar is shown to have fallen, and none need be shown not to have."""
    capsys.readouterr()
    assert check(noise, base) == exit_codes.OK
    assert "pope: none of its 11 parts is shown to have fallen by more than allowed" in capsys.readouterr().out
    assert not failing(noise) and "unknown" in {part["outcome"] for part in result(noise)["parts"]}


def test_named_metrics_are_tested_alone(base: Path, collapsed: Path) -> None:
    assert check(collapsed, base, "--metric", "mean_f1") == exit_codes.OK
    assert result(collapsed)["parts"] == []


# ------------------------------------------------------------------------------------------------------ what must hold


@pytest.mark.parametrize(
    ("names", "held"),
    [
        ("adversarial_accuracy", {"adversarial_accuracy"}),
        ("pope:yes_ratio", {"yes_ratio"}),
        ("adversarial", {"adversarial_accuracy", "adversarial_f1", "adversarial_yes_ratio"}),
        ("adversarial_recall", {"adversarial_recall"}),
        ("yes_ratio,accuracy", {"yes_ratio", "accuracy"}),
    ],
)
def test_what_must_hold_is_decided_like_a_headline(names: str, held: set[str], base: Path, noise: Path) -> None:
    few = "--max-drop", "0.3"
    assert check(noise, base, "--must-hold", names, *few) == exit_codes.INCONCLUSIVE
    found = {test["metric"]: test for test in result(noise)["tasks"]}
    assert set(found) == {"mean_f1", *held}
    assert {found[name]["kind"] for name in held} == {"must hold"}
    assert not held & {part["metric"] for part in result(noise)["parts"]}
    assert check(noise, base, "--must-hold", names, *SURE, "--max-drop", "3") == exit_codes.OK


def test_what_must_hold_has_a_test_case(base: Path, collapsed: Path, tmp_path: Path) -> None:
    check(collapsed, base, "--must-hold", "popular_accuracy", "--junit", str(tmp_path / "j.xml"))
    cases = {case.get("name") for case in ElementTree.parse(tmp_path / "j.xml").getroot().iter("testcase")}
    assert "pope popular_accuracy" in cases and "pope random_accuracy" not in cases


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--must-hold", "adversaral"], "did you mean adversarial"),
        (["--must-hold", "nothing_like_it"], "--must-hold takes: accuracy, adversarial, "),
        (["--must-hold", "pope:bleu"], "no metric, bar or breakdown of pope named 'bleu'"),
        (["--must-hold", "accuracy,accuracy"], "names accuracy twice"),
        (["--max-drop", "1%,pope:adversaral=2"], "no part of pope named 'adversaral'"),
        (["--max-drop", "1%,popee:adversarial=2"], "no task of these runs named 'popee:adversarial'"),
        (["--max-drop", "200%"], "more than the whole range"),
    ],
)
def test_names_and_amounts_that_are_unknown(
    words: list[str], told: str, base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(base, base, *words) == exit_codes.USER_MUST_CHANGE
    assert told in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------- allowed drops


@pytest.mark.parametrize(
    ("drop", "code"),
    [
        ("2,pope:adversarial=40", exit_codes.OK),
        ("2%,pope:split=40%", exit_codes.OK),
        ("1,pope:adversarial_accuracy=40", exit_codes.BAD_RESULT),
        ("40", exit_codes.OK),
    ],
)
def test_the_allowed_drop_of_a_part(drop: str, code: int, base: Path, collapsed: Path) -> None:
    detectable = () if drop == "40" else SURE
    assert check(collapsed, base, "--max-drop", drop, *detectable) == code


SUM, SUBTASK = Scale(2000.0), Scale(200.0, ("OCR", "subtask"), 2000.0)
DROPS = [
    ({}, SUM, 20.0),
    ({}, SUBTASK, 2.0),
    ({"": Amount(3.0, percent=True)}, SUM, 60.0),
    ({"mme": 20.0}, SUM, 20.0),
    ({"mme": 20.0}, SUBTASK, 2.0),  # the same share of its own range
    ({"mme": 20.0, "mme:OCR": 7.0}, SUBTASK, 7.0),
    ({"mme": 20.0, "mme:subtask": Amount(5.0, percent=True)}, SUBTASK, 10.0),
    ({"": 1.0}, SUM, 1.0),
]


@pytest.mark.parametrize(("drops", "scale", "allowed"), DROPS)
def test_drops_in_the_own_unit_and_in_percent(drops: dict[str, Amount | float], scale: Scale, allowed: float) -> None:
    margins = GateRules(drops, {}).margins("mme@llava", 1, scale)
    assert margins.allowed == pytest.approx(allowed)
    assert margins.min_detectable_drop == pytest.approx(2 * allowed)


def test_a_key_with_colons_is_a_task() -> None:
    rules = GateRules({"pope:coco_random": 3.0, "suite:vlm6": 1.0, "pope:coco_random:yes_ratio": 2.0}, {})
    known = {"pope:coco_random": {"yes_ratio"}, "suite:vlm6": set[str]()}
    names_known(rules, known, known)
    with pytest.raises(UnknownNameError, match="no part of pope:coco_random named 'f2'"):
        names_known(GateRules({"pope:coco_random:f2": 2.0}, {}), known, known)


# ------------------------------------------------------------------------------------------------ what parts there are


def bar(name: str, breakdown: str = "", label: str = "", better: str = MORE, guard: bool | None = None) -> Metric:
    from dataclasses import replace

    plain = mean(name, [1.0, 0.0, 1.0], ["a", "b", "c"], breakdown=breakdown, label=label)
    return replace(plain, better=better, guard=guard)


def test_bars_and_declared_guards_are_parts() -> None:
    metrics = [
        bar("accuracy", guard=True), bar("f1"), bar("precision", guard=False), bar("distribution", better=LESS),
        bar("yes_ratio", better=TARGET, guard=True), bar("kind_a", "kind", "a"),
        bar("kind_b", "kind", "b", guard=False),
    ]  # fmt: skip
    found = {metric.name: (metric, metric) for metric in metrics}
    assert set(parts.parts(found, ["accuracy"])) == {"yes_ratio", "kind_a"}
    assert parts.held(["a", "kind", "precision"], {"t": found}) == {"t": ["kind_a", "precision"]}
    assert parts.names(found["kind_a"][0]) == ["kind_a", "a", "kind"]


def test_tasks_declare_their_guards(tmp_path: Path) -> None:
    from vlmbench.runs.storage import reload

    run = reload.load(ran(tmp_path / "mme", truths("mme"), tasks="mme"))
    task = run.tasks["mme"]
    metrics = task.metrics([item.sample.id for item in task.items])
    guards = [metric.name for metric in metrics if metric.is_part and not metric.breakdown]
    assert guards == ["cognition"]
    assert {metric.breakdown for metric in metrics if metric.is_part and metric.breakdown} == {"subtask"}


# -------------------------------------------------------------------------------------------------- corrected p-values


def test_two_families_by_hand() -> None:
    first, second = {"a": 0.02}, {"x": 0.001, "y": 0.04}
    found = gatekept(first, second, 0.9)
    assert found["a"] == pytest.approx(0.02 / 0.9)  # y is not rejected at that level
    assert found["x"] == pytest.approx(min(2 * 0.001 / 0.1, max(0.002, 0.02 / 0.9)))
    assert found["y"] == pytest.approx(max(0.04, 0.02 / 0.9))  # all of the first are rejected: the whole level
    assert gatekept(first, {}, 0.9) == holm(first)
    assert gatekept({}, second, 0.9) == holm(second)
    assert gatekept({"a": None}, second, 0.9) == {"a": None, **holm(second)}


def test_the_two_families_are_the_graph_they_stand_for() -> None:
    """Against the graph itself, rejected step by step at a grid of levels."""
    import numpy as np

    rng = np.random.default_rng(0)
    for _ in range(200):
        first = {f"a{n}": float(rng.random() ** 4) for n in range(rng.integers(1, 4))}
        second = {f"x{n}": float(rng.random() ** 4) for n in range(rng.integers(1, 5))}
        corrected = gatekept(first, second, 0.9)
        for level in (0.01, 0.05, 0.2, 0.5):
            rejected = {name for name, p in corrected.items() if p is not None and p <= level}
            assert rejected == by_steps(first, second, 0.9, level)


def by_steps(first: dict[str, float], second: dict[str, float], share: float, level: float) -> set[str]:
    """Reject one at a time; a rejected one's level goes to the rest of its family, the last one's to the other."""
    left, levels = [dict(first), dict(second)], [share * level, (1 - share) * level]
    while True:
        hit = next(
            ((at, name) for at in (0, 1) for name, p in left[at].items() if p <= levels[at] / len(left[at])), None
        )
        if hit is None:
            return {*first, *second} - {*left[0], *left[1]}
        del left[hit[0]][hit[1]]
        if not left[hit[0]]:
            levels[1 - hit[0]], levels[hit[0]] = level, 0.0
