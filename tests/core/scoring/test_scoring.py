"""From answers to an entry of scores.json: statuses, coverage, undefined figures, speed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tasks.layouts import big_gqa, write_pope
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample, Score, Status
from vlmbench.data.files import Folder
from vlmbench.runs.storage.run_files import to_json
from vlmbench.scoring.score import score_response, score_responses, summarise

pytestmark = pytest.mark.slow

POPE = choose_task("pope")
FIELDS = {"coverage", "statuses", "headline", "protocol", "split", "version"}


def pope(root: Path) -> Sequence[Sample]:
    return POPE.task.samples(Folder(write_pope(root)), "coco")


def test_an_entry_of_scores(tmp_path: Path) -> None:
    found = pope(tmp_path)
    entry = summarise(POPE, score_responses(POPE.task, "official", [(s, Response("Yes")) for s in found]))
    assert set(entry) > FIELDS and entry["headline"] == "mean_f1" and entry["coverage"] == 1.0
    assert entry["statuses"] == {"ok": 36} and entry["version"] == 1 and entry["split"] == "coco"
    assert set(entry["accuracy"]) == {"value", "low", "high", "n"}
    assert entry["accuracy"]["value"] == 50 and entry["accuracy"]["n"] == 36
    assert entry["random_f1"]["breakdown"] == "split (f1)" and entry["random_f1"]["label"] == "random"
    assert entry["random_f1"]["n"] == 12
    assert json.loads(to_json(entry)) == entry


def test_undefined_is_null_with_a_note(tmp_path: Path) -> None:
    entry = summarise(POPE, score_responses(POPE.task, "official", [(s, Response("no")) for s in pope(tmp_path)]))
    for name in ("precision", "f1", "mean_f1"):
        assert (entry[name]["value"], entry[name]["low"], entry[name]["high"]) == (None, None, None)
        assert "ZeroDivisionError" in entry[name]["note"]
    assert entry["accuracy"]["value"] == 50 and "note" not in entry["accuracy"]


def test_failures_are_counted_and_not_scored(tmp_path: Path) -> None:
    found = pope(tmp_path)
    responses = [Response("Yes")] * 30 + [Response(finish="error", error="no image")] * 6
    scored = score_responses(POPE.task, "official", zip(found, responses, strict=True))
    assert scored[-1][1] == Score(None, Status.ERROR, note="no image")
    entry = summarise(POPE, scored)
    assert entry["coverage"] == pytest.approx(30 / 36) and entry["statuses"] == {"ok": 30, "error": 6}
    assert entry["accuracy"]["n"] == 30


def test_nothing_scored(tmp_path: Path) -> None:
    scored = [(s, Score(None, Status.ERROR)) for s in pope(tmp_path)]
    entry = summarise(POPE, scored)
    assert entry["coverage"] == 0 and entry["mean_f1"]["value"] is None and entry["mean_f1"]["n"] == 0
    assert summarise(POPE, [])["coverage"] == 0


class Silent:
    """A task whose reader finds nothing."""

    def score(self, sample: Sample, response: Response, protocol: str) -> Score:
        return Score(None, Status.UNPARSED, parsed_answer="")


def test_an_answer_cut_off_before_it_could_be_read(tmp_path: Path) -> None:
    sample = pope(tmp_path)[0]
    cut = Response("Let me think", finish="length")
    assert score_response(Silent(), "x", sample, cut).status is Status.TRUNCATED  # type: ignore[arg-type]
    assert score_response(Silent(), "x", sample, replace(cut, finish="stop")).status is Status.UNPARSED  # type: ignore[arg-type]
    assert score_response(POPE.task, "official", sample, cut).status is Status.OK  # POPE's rule reads anything


def test_a_whole_gqa_is_read_and_scored(tmp_path: Path) -> None:
    """Reading questions and answers, scoring, and every interval: 12,578 questions."""
    root, predictions = big_gqa(tmp_path)
    choice = choose_task("gqa")
    found = choice.task.samples(Folder(root), choice.split)
    texts = choice.task.read_predictions(predictions, found)
    entry = summarise(
        choice, score_responses(choice.task, choice.protocol, [(s, Response(texts[s.id])) for s in found])
    )
    assert entry["accuracy"]["n"] == 12_578 and 55 < entry["accuracy"]["value"] < 65
    assert entry["distribution"]["low"] is not None


def test_scoring_needs_no_heavy_library(tmp_path: Path) -> None:
    found = pope(tmp_path)
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps([{"id": s.id, "text": "Yes"} for s in found]))
    code = (
        "import sys\nfrom vlmbench.cli.main import main\n"
        f"code = main(['score', 'pope', '--predictions', {str(answers)!r}, '--data', {str(tmp_path)!r}, '--json'])\n"
        "heavy = {'torch', 'transformers', 'datasets', 'pandas', 'openai'} & set(sys.modules)\n"
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pope"]["accuracy"]["value"] == 50
