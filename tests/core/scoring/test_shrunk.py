"""Shrunk bars: the model against random draws from it, what cannot be shrunk, and where it is shown."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import stats

from tests.reports.fabricate import fabricate
from tests.reports.written import data
from vlmbench.base import registry, settings
from vlmbench.cli.main import main
from vlmbench.data.files import read_samples
from vlmbench.plugins import specs
from vlmbench.scoring import shrunk
from vlmbench.stats.clustered.shrinkage import LEAST, Answered
from vlmbench.stats.clustered.shrinkage import shrunk as drawn_together
from vlmbench.stats.metrics import Metric, auroc, by_tag, mean, points

if TYPE_CHECKING:
    from numpy.typing import NDArray

RIGHT, ASKED = (9, 6, 14, 11, 3), (10, 10, 15, 20, 5)


def answered(right: Sequence[Sequence[float]], each: int = 1, *, common: bool = False) -> Answered:
    """Bars of images with `each` questions; `common`: the same images in all bars."""
    rows = [(bar, image, x) for bar, images in enumerate(right) for image, x in enumerate(images)]
    bar, place, x = (np.array(column) for column in zip(*rows, strict=True))
    image = place if common else np.arange(len(rows))
    return Answered(bar, image, x.astype(np.float64), np.full(len(rows), float(each)))


def singles(right: Sequence[int], asked: Sequence[int]) -> Answered:
    """One question per image."""
    return answered([[1.0] * x + [0.0] * (n - x) for x, n in zip(right, asked, strict=True)])


def draws(likelihood: Any, bars: int, count: int = 400_000) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(bars, 3) means and 95 % ends from draws of the prior, weighted by likelihood(shares, rho)."""
    rng = np.random.default_rng(0)
    mu, phi, rho = rng.random(count), rng.beta(1, 2, count), rng.random(count)
    size = (1 - phi) / phi
    true = np.clip(rng.beta((mu * size)[:, None], ((1 - mu) * size)[:, None], (count, bars)), 1e-12, 1 - 1e-12)
    weight = likelihood(true, rho[:, None]).prod(axis=1)
    weight /= weight.sum()
    ends = []
    for column in true.T:
        order = np.argsort(column)
        ends.append(column[order][np.searchsorted(np.cumsum(weight[order]), [0.025, 0.975])])
    return weight @ true, np.array(ends)


def test_it_is_the_posterior_of_the_model_with_single_questions() -> None:
    value, low, high = drawn_together(singles(RIGHT, ASKED), 0.95)
    expected, ends = draws(lambda true, rho: stats.binom.pmf(RIGHT, ASKED, true), len(RIGHT))
    assert value == pytest.approx(expected, abs=0.01)
    assert np.stack([low, high], axis=1) == pytest.approx(ends, abs=0.02)


def test_it_is_the_posterior_of_the_model_with_images() -> None:
    right = ((5, 4, 5), (1, 3, 0), (5, 5, 2), (4, 2, 5))

    def likelihood(true: Any, rho: Any) -> Any:
        size = (1 - rho) / rho
        each = [
            stats.betabinom.pmf([images[at] for images in right], 5, true * size, (1 - true) * size) for at in range(3)
        ]
        return np.prod(each, axis=0)

    value, low, high = drawn_together(answered(right, 5), 0.95)
    expected, ends = draws(likelihood, len(right), 100_000)
    assert value == pytest.approx(expected, abs=0.015)
    assert np.stack([low, high], axis=1) == pytest.approx(ends, abs=0.04)


def test_small_bars_move_and_large_ones_stay() -> None:
    raw = np.array(RIGHT) / ASKED
    value, low, high = drawn_together(singles(RIGHT, ASKED), 0.95)
    centre = sum(RIGHT) / sum(ASKED)
    assert (np.abs(value - centre) < np.abs(raw - centre)).all() and (low < value).all() and (value < high).all()
    large = drawn_together(singles([200 * x for x in RIGHT], [200 * n for n in ASKED]), 0.95)[0]
    assert large == pytest.approx(raw, abs=0.01)
    moved = drawn_together(singles(RIGHT[::-1], ASKED[::-1]), 0.95)[0]
    assert moved[::-1] == pytest.approx(value)


def test_what_images_have_in_common_is_not_shrunk_away() -> None:
    """Ten images of which three are wrong in every bar: with other images in each bar the same answers tell more."""
    right = [[1.0] * 7 + [0.0] * 3] * 6
    apart, together = (drawn_together(answered(right, common=common), 0.95) for common in (False, True))
    assert together[0] == pytest.approx(apart[0])
    assert (together[2] - together[1] > 1.3 * (apart[2] - apart[1])).all()


def test_all_right_reaches_the_end() -> None:
    _, low, high = drawn_together(singles((10, 10, 10, 10, 0), (10,) * 5), 0.95)
    assert high[:4] == pytest.approx(1) and low[4] == 0 and (low[:4] > 0.3).all()


def bars(values: Sequence[float], labels: int, images: int = 40) -> list[Metric]:
    names = [str(place % labels) for place in range(len(values))]
    return by_tag("kind", values, names, [f"image {place % images}" for place in range(len(values))])


VALUES = [float(place % 3 > 0) for place in range(200)]


def test_what_cannot_be_shrunk_says_why() -> None:
    for metrics, reason in (
        (bars(VALUES, LEAST - 1), shrunk.ALONE),
        (bars(VALUES, 5, images=1), shrunk.ONE_IMAGE),
        (
            [replace(auroc(f"a{at}", [True, False], [0.2, 0.1], ["a", "b"]), breakdown="kind") for at in range(4)],
            shrunk.NO_SHARES,
        ),
    ):
        found = shrunk.of_metrics(metrics, 0.95)
        assert list(found) == [metric.name for metric in metrics]
        assert all(one == {"reason": reason} for one in found.values())
    assert shrunk.of_metrics([mean("accuracy", VALUES, ["a"] * 200)], 0.95) == {}, "no breakdown"


def test_values_are_in_the_metrics_own_unit_and_undefined_bars_are_left_out() -> None:
    rates = shrunk.of_metrics(bars(VALUES, 5), 0.95)
    whole = [
        replace(points(one.name, one.items[:, 0].tolist(), one.clusters, 20.0), breakdown="kind")
        for one in bars(VALUES, 5)
    ]
    found = shrunk.of_metrics(whole, 0.95)
    assert all(found[name][end] == pytest.approx(float(rates[name][end]) / 5) for name in rates for end in rates[name])
    empty = replace(bars(VALUES, 5)[0], name="none", items=np.zeros((0, 2)), clusters=[])
    assert shrunk.of_metrics([*bars(VALUES, 5), empty], 0.95) == rates


def test_a_judges_runs_widen_them() -> None:
    plain = shrunk.of_metrics(bars(VALUES, 5), 0.95)
    judged = shrunk.of_metrics([replace(one, run_values=(60.0, 64.0, 71.0)) for one in bars(VALUES, 5)], 0.95)
    for name, one in plain.items():
        other = judged[name]
        assert other["value"] == one["value"] and other["low"] < one["low"] and other["high"] > one["high"]  # type: ignore[operator]


def test_raw_values_stay_and_shrunk_ones_are_labelled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    choice = registry.choose_task("gqa")
    samples = read_samples(choice.task, specs.open_data(choice, settings.load({})), choice.split)
    answers, run, again, site = (str(tmp_path / name) for name in ("answers.jsonl", "run", "again", "site"))
    rows = [{"id": one.id, "answer": one.target if at % 4 else "moon"} for at, one in enumerate(samples)]
    Path(answers).write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["score", "gqa", "--predictions", answers, "--min-coverage", "0"]
    assert main([*words, "--output", run, "--json"]) == 0
    raw = json.loads(capsys.readouterr().out)["gqa"]
    assert main([*words, "--shrink"]) == 0
    assert shrunk.MEANING in capsys.readouterr().out
    assert main(["score", run, "--shrink", "--output", again]) == 0
    printed = capsys.readouterr().out
    assert "shrunk 95 % interval" in printed and shrunk.MEANING in printed
    found = json.loads((tmp_path / "again/scores.json").read_text())["gqa"]
    drawn = {name: part.pop("shrunk") for name, part in found.items() if isinstance(part, dict) and "breakdown" in part}
    assert found == raw, "raw values are as before"
    assert any("value" in one for one in drawn.values())
    assert main(["report", run, "--shrink", "--output", site]) == 0
    exported = {row["metric"]: row for row in csv.DictReader((tmp_path / "site/exports/metrics.csv").open())}
    for name, one in drawn.items():
        assert exported[name]["why not shrunk"] == one.get("reason", "")
        assert float(exported[name]["shrunk low"] or 0) == pytest.approx(one.get("low", 0))
    assert shrunk.MEANING in (tmp_path / "site/exports/metrics.md").read_text()
    page = tmp_path / "site/index.html"
    details = data(page, next(path.stem for path in (tmp_path / "site/data").glob("run-*.js")))
    shown = [bar for one in details["tasks"]["gqa"]["breakdowns"] for bar in one["bars"]]
    assert all(bar["shrunk"] == pytest.approx(drawn[bar["name"]]) for bar in shown) and len(shown) == len(drawn)
    assert main(["report", run, "--output", site]) == 0
    assert "shrunk" not in (tmp_path / "site/exports/metrics.csv").read_text(), "nobody asked"


def test_a_run_whose_records_do_not_fit_is_shown_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = fabricate(tmp_path / "run")  # its scores are not those of the task's own metrics
    assert main(["report", str(run), "--shrink", "--output", str(tmp_path)]) == 0
    assert "its bars are not shrunk" in caplog.text
    rows = list(csv.DictReader((tmp_path / "exports/metrics.csv").open()))
    assert {row["why not shrunk"] for row in rows if row["breakdown"]} == {"the records cannot be read"}
