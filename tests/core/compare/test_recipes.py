"""Several seeds of a recipe: `report --seeds-of`, `compare NAME=RUN,RUN NAME=RUN,RUN`, and what is refused."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest

from tests.support.gate_runs import changed, ran, script, truths, worse, wrong
from vlmbench.base.errors import StoreError, UsageError
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.compare.groups import recipes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Three seeds of a good recipe and three of a worse one: the same hard questions, and each seed's own mistakes."""
    folder = tmp_path_factory.mktemp("seeds")
    found: dict[str, list[Path]] = {}
    for name, share in (("good", 0.1), ("bad", 0.3)):
        hard = script("pope", share / 2, seed=5)
        for seed in (1, 2, 3):
            rng = random.Random(f"{name} {seed}")
            answers = {
                key: wrong(truths("pope")[key]) if rng.random() < share / 2 + seed / 200 else answer
                for key, answer in hard.items()
            }
            found.setdefault(name, []).append(ran(folder / f"{name}{seed}", answers))
    return found


def named(name: str, seeds: dict[str, list[Path]]) -> str:
    return f"{name}={','.join(map(str, seeds[name]))}"


def test_the_mean_over_seeds(seeds: dict[str, list[Path]]) -> None:
    (score,) = recipes.scored("good", seeds["good"]).scores
    own = [json.loads((run / "scores.json").read_text())["pope"]["mean_f1"] for run in seeds["good"]]
    assert score.parts.values == pytest.approx(tuple(one["value"] for one in own))
    assert score.estimate.value == pytest.approx(sum(score.parts.values) / 3)
    low, high = score.estimate.low, score.estimate.high
    assert low is not None and high is not None and low < min(score.parts.values) < score.estimate.value < high
    assert (score.metric, score.left_out, score.estimate.n) == ("mean_f1", 0, 1080)
    assert score.parts.within > 0 and score.parts.between > 0


def test_two_recipes(seeds: dict[str, list[Path]], capsys: pytest.CaptureFixture[str]) -> None:
    command = ["compare", named("good", seeds), named("bad", seeds), "--same-within", "2%"]
    capsys.readouterr()
    assert cli.main([*command, "--json"]) == exit_codes.OK
    told = json.loads(capsys.readouterr().out)
    (task,) = told["tasks"]
    assert (task["key"], task["verdict"], task["paired"]["method"]) == ("pope", "worse", "means over seeds, MOVER")
    assert task["p_holm"] < 0.01 and task["equivalence"]["margin"] == 2
    assert task["paired"]["difference"]["high"] < 0
    assert len(told["before"]["runs"]) == 3 and task["before_recipe"]["parts"]["count"] == 3
    assert cli.main(command) == exit_codes.OK
    words = capsys.readouterr().out
    assert "before good: 3 seeds, good1, good2, good3" in words and "  worse  " in words
    assert "standard errors: of the questions" in words
    same = recipes.compare(*(recipes.read(name, seeds["good"]) for name in ("one", "two"))).tasks[0]
    assert same.row.paired.difference.value == 0


def test_the_report_shows_it(seeds: dict[str, list[Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Runs of recipes need not be named again; the site's first page has them, and a table as files."""
    command = [
        "report",
        *map(str, seeds["bad"]),
        "--seeds-of",
        named("good", seeds),
        "--output",
        str(tmp_path / "site"),
    ]
    assert cli.main([*command, "--seeds-of", named("bad", seeds)]) == exit_codes.OK
    told = capsys.readouterr().out
    assert "good    pope  mean_f1" in told and "report: " in told
    rows = list(csv.DictReader((tmp_path / "site/exports/recipes.csv").open(encoding="utf-8")))
    assert [(row["recipe"], row["seeds"]) for row in rows] == [("good", "3"), ("bad", "3")]
    assert float(rows[0]["low"]) < float(rows[0]["mean"]) < float(rows[0]["high"])
    assert '"recipes":[{"name":"good"' in (tmp_path / "site/index.html").read_text("utf-8")


def test_failures_of_one_seed_are_left_out_of_all(seeds: dict[str, list[Path]], tmp_path: Path) -> None:
    broken = worse(seeds["good"][0], tmp_path / "broken", dict.fromkeys(range(7), "error"))
    (score,) = recipes.scored("good", [broken, *seeds["good"][1:]]).scores
    assert score.left_out == 7 and score.estimate.n == 1073


@pytest.mark.parametrize(
    ("words", "problem"),
    [("good", "no name and runs"), ("=a,b", "no name and runs"), ("x=", "no name and runs"), ("x= , ", "no name and")],
)
def test_what_is_no_recipe(words: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        recipes.parse(words)


def test_what_are_no_seeds_of_one_recipe(seeds: dict[str, list[Path]], tmp_path: Path) -> None:
    one, two, _ = seeds["good"]
    with pytest.raises(UsageError, match="good has one run"):
        recipes.read("good", [one])
    with pytest.raises(UsageError, match="good1 is named twice"):
        recipes.read("good", [one, two, one])
    with pytest.raises(StoreError, match="no such run"):
        recipes.read("good", [one, tmp_path / "nothing"])
    short = ran(tmp_path / "short", script("pope", 0.2), "--limit", "40")
    with pytest.raises(UsageError, match="good1 and short differ in pope: questions"):
        recipes.read("good", [one, short])
    again = worse(two, tmp_path / "again", {})
    with pytest.raises(UsageError, match="good2 and again are of the same weights"):
        recipes.read("good", [one, two, again])
    other = worse(two, tmp_path / "other", {})
    changed(other, "run.json", lambda run: run["tasks"]["pope"].update(protocol="llava"))  # type: ignore[index]
    changed(other, "run.json", lambda run: run["model"].update(fingerprint="feed"))  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="differ in pope: protocol: official before, llava after"):
        recipes.read("good", [one, two, other])


def test_a_recipe_and_a_run(seeds: dict[str, list[Path]], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", named("good", seeds), str(seeds["bad"][0])]) == exit_codes.USER_MUST_CHANGE
    assert "with a recipe alone" in capsys.readouterr().err
    twice = ["report", "--seeds-of", named("good", seeds), "--seeds-of", named("good", seeds)]
    assert cli.main(twice) == exit_codes.USER_MUST_CHANGE
    assert "names good twice" in capsys.readouterr().err
    assert cli.main(["report"]) == exit_codes.USER_MUST_CHANGE
