"""`vlmbench import` of small files in the peers' forms: what is cut, doubled, mixed, renamed, failed or foreign."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import orjson
import pytest

from tests.core.imports.made_files import (
    FAILED,
    evalscope,
    inspect_log,
    lines,
    lm_eval,
    lmms_eval,
    lmms_rows,
    right,
)
from vlmbench.base import registry
from vlmbench.base.errors import DataError, StoreError
from vlmbench.cli.main import main
from vlmbench.compare.compare import compare
from vlmbench.data.files import Folder, read_samples
from vlmbench.data.sheets import write_sheet
from vlmbench.runs.imports import peers, writer
from vlmbench.runs.imports.writer import Imported
from vlmbench.runs.storage import reload

GQA = "lmms-eval.gqa@exact_match"


def imported(path: Path) -> list[Imported]:
    """The runs of a path."""
    return [writer.imported(run) for run in peers.find(path)]


def notes(found: Imported, key: str) -> str:
    """What is noted beside a task's score."""
    return "\n".join(found.scores[key]["notes"])


# ---------------------------------------------------------------- runs as any other


def test_an_imported_run_is_compared_checked_and_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        lmms_eval(tmp_path / name, name)
    rows = lmms_rows()
    for row in rows[:6]:
        row |= {"filtered_resps": "nothing", "exact_match": 0.0}
    lines(tmp_path / "b" / "20260101_000000_samples_gqa.jsonl", rows)
    for name in ("a", "b"):
        assert main(["import", str(tmp_path / name), "--output", str(tmp_path / "runs" / name)]) == 0
    stored = reload.load(tmp_path / "runs" / "a")
    assert list(stored.tasks) == [GQA, "gqa@lmms_eval"]
    compared = compare(tmp_path / "runs" / "a", tmp_path / "runs" / "b")
    assert {task.key: len(task.lost) for task in compared.tasks} == {GQA: 4, "gqa@lmms_eval": 4}
    assert main(["check", str(tmp_path / "runs" / "a"), "--baseline", str(tmp_path / "runs" / "a")]) in (0, 3)
    assert main(["report", str(tmp_path / "runs" / "a"), "--output", str(tmp_path / "site")]) == 0
    assert main(["score", str(tmp_path / "runs" / "a")]) == 2
    assert "import it again" in capsys.readouterr().err


def test_no_key_reaches_the_run(tmp_path: Path) -> None:
    lmms_eval(tmp_path / "a")
    assert main(["import", str(tmp_path / "a"), "--output", str(tmp_path / "run")]) == 0
    assert b"sk-very-secret" not in b"".join(file.read_bytes() for file in (tmp_path / "run").iterdir())


def test_json_tells_every_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lmms_eval(tmp_path / "a")
    assert main(["import", str(tmp_path / "a"), "--output", str(tmp_path / "run"), "--json"]) == 0
    (told,) = orjson.loads(capsys.readouterr().out)
    (figure,) = told["tasks"][GQA]["figures"]
    assert figure["agrees"] is True
    assert figure["recomputed"] == pytest.approx(8 / 12, rel=1e-12)


def test_another_run_in_the_folder_is_refused(tmp_path: Path) -> None:
    lmms_eval(tmp_path / "a")
    lmms_eval(tmp_path / "b", "other")
    (first,), (second,) = imported(tmp_path / "a"), imported(tmp_path / "b")
    writer.write(first, tmp_path / "run")
    with pytest.raises(StoreError, match="another run"):
        writer.write(second, tmp_path / "run")


# ---------------------------------------------------------------- what files are like


def test_a_cut_file_lacks_questions_and_its_figure_differs(tmp_path: Path) -> None:
    samples = lmms_eval(tmp_path)
    content = samples.read_bytes()
    samples.write_bytes(content[:-20])
    (found,) = imported(tmp_path)
    assert found.scores[GQA]["statuses"] == {"ok": 11, "error": 1}
    assert found.scores["gqa@lmms_eval"]["statuses"] == {"ok": 11, "error": 1}
    assert "the file is cut: line 12" in notes(found, GQA)
    assert found.manifest["tasks"][GQA]["peer"]["figures"][0]["agrees"] is False


def test_a_line_that_is_broken_in_the_middle_is_an_error(tmp_path: Path) -> None:
    samples = lmms_eval(tmp_path)
    samples.write_text(samples.read_text("utf-8").replace('{"doc_id": 4', '{"doc_id" 4'), encoding="utf-8")
    with pytest.raises(DataError, match="line 5 is not JSON"):
        imported(tmp_path)


def test_rows_that_are_there_twice_count_once(tmp_path: Path) -> None:
    samples = lmms_eval(tmp_path)
    samples.write_bytes(samples.read_bytes() * 2)
    (found,) = imported(tmp_path)
    assert found.scores[GQA]["statuses"] == {"ok": 12}
    assert "12 rows are there twice" in notes(found, GQA)
    assert found.manifest["tasks"][GQA]["peer"]["figures"][0]["agrees"] is True


def test_two_runs_in_one_file_are_refused(tmp_path: Path) -> None:
    samples = lmms_eval(tmp_path)
    other = [{**row, "filtered_resps": "other"} for row in lmms_rows()]
    lines(samples, [*lmms_rows(), *other])
    with pytest.raises(DataError, match="different content"):
        imported(tmp_path)


def test_two_models_in_one_folder_are_two_runs(tmp_path: Path) -> None:
    lmms_eval(tmp_path, "one", stamp="20260101_000000")
    lmms_eval(tmp_path, "two", stamp="20260101_000001")
    assert sorted(found.run.model for found in imported(tmp_path)) == ["one", "two"]


def test_renamed_files_are_known_by_their_content(tmp_path: Path) -> None:
    samples = lmms_eval(tmp_path)
    samples.rename(tmp_path / "x.txt")
    (tmp_path / "20260101_000000_results.json").rename(tmp_path / "y")
    (found,) = imported(tmp_path)
    assert list(found.scores) == [GQA, "gqa@lmms_eval"]
    assert found.manifest["tasks"][GQA]["peer"]["figures"][0]["agrees"] is True


def test_rows_without_ids_are_numbered(tmp_path: Path) -> None:
    samples = lmms_eval(tmp_path)
    lines(samples, [{name: value for name, value in row.items() if name != "doc_id"} for row in lmms_rows()])
    (found,) = imported(tmp_path)
    assert found.scores[GQA]["statuses"] == {"ok": 12}
    assert "12 rows have no doc_id" in notes(found, GQA)


def test_a_request_that_failed_is_no_answer_and_no_zero(tmp_path: Path) -> None:
    rows = lmms_rows()
    rows[0] |= {"filtered_resps": FAILED, "exact_match": 0.0}
    samples = lmms_eval(tmp_path)
    lines(samples, rows)
    (found,) = imported(tmp_path)
    for key in (GQA, "gqa@lmms_eval"):
        assert found.scores[key]["statuses"] == {"ok": 11, "error": 1}
    assert found.scores[GQA]["exact_match"]["value"] == pytest.approx(100 * 8 / 11)
    assert found.manifest["tasks"][GQA]["peer"]["figures"][0]["recomputed"] == pytest.approx(8 / 12)
    assert "scored 1 of 12 failures like answers" in notes(found, GQA)


def test_a_score_that_is_not_a_number_is_no_score(tmp_path: Path) -> None:
    samples = lmms_eval(tmp_path)
    samples.write_text(samples.read_text("utf-8").replace('"exact_match": 0.0', '"exact_match": NaN'), encoding="utf-8")
    (found,) = imported(tmp_path)
    assert found.scores[GQA]["statuses"] == {"ok": 8, "unlabeled": 4}
    assert found.scores["gqa@lmms_eval"]["statuses"] == {"ok": 12}


def test_what_has_no_rows_stands_as_the_peer_states_it(tmp_path: Path) -> None:
    lmms_eval(tmp_path)
    results = tmp_path / "20260101_000000_results.json"
    told = json.loads(results.read_text("utf-8"))
    told["results"]["some_group"] = {"alias": "some_group", "acc,none": 0.25, "submission,none": None}
    results.write_text(json.dumps(told), encoding="utf-8")
    (found,) = imported(tmp_path)
    assert found.manifest["imported"]["figures"] == [
        {"name": "some_group: acc,none", "stated": 0.25, "recomputed": None, "basis": "as stated by the peer"}
    ]
    assert not any("some_group" in key for key in found.scores)


def test_results_without_samples_are_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lmms_eval(tmp_path / "a").unlink()
    assert main(["import", str(tmp_path / "a"), "--output", str(tmp_path / "run")]) == 1
    assert "--log_samples" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "content", ["", "{}", "[1, 2]", "\x00\x01", '{"results": {}}', "a,b\n1,2\n", '{"doc_id": 1}\n']
)
def test_foreign_files_are_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="none of 1 files"):
        imported(tmp_path)


def test_links_that_lead_outside_are_not_followed(tmp_path: Path) -> None:
    outside = lmms_eval(tmp_path / "outside")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / outside.name).symlink_to(outside)
    (inside / "folder").symlink_to(tmp_path / "outside")
    with pytest.raises(DataError, match="it holds no files"):
        imported(inside)


# ---------------------------------------------------------------------------------------------------------- other peers


def test_each_filter_of_lm_eval_is_a_scorer_of_its_own(tmp_path: Path) -> None:
    lm_eval(tmp_path)
    (found,) = imported(tmp_path)
    assert [
        entry["exact_match.strict" if "strict" in key else "exact_match.loose"]["n"]
        for key, entry in found.scores.items()
    ] == [6, 6]
    assert all(one["agrees"] for e in found.manifest["tasks"].values() for one in e["peer"]["figures"])
    strict = [r for r in found.records if r.task.endswith("strict")]
    assert [r.score.unread for r in strict].count("answer") == 1


def test_a_filter_that_lacks_rows_lacks_answers(tmp_path: Path) -> None:
    samples = lm_eval(tmp_path)
    rows = samples.read_text("utf-8").splitlines(keepends=True)
    samples.write_text("".join(rows[:-2]), encoding="utf-8")
    (found,) = imported(tmp_path)
    assert found.scores["lm-eval.asked@exact_match.loose"]["statuses"] == {"ok": 4, "error": 2}


def test_evalscopes_order_and_failed_reviews(tmp_path: Path) -> None:
    reviews = evalscope(tmp_path)
    rows = [json.loads(line) for line in reviews.read_text("utf-8").splitlines()]
    rows[0]["sample_score"]["score"]["status"] = "failed"
    lines(reviews, rows)
    (found,) = imported(tmp_path)
    (entry,) = [entry for key, entry in found.scores.items() if key.startswith("evalscope.")]
    assert entry["statuses"] == {"ok": 5, "judge_failed": 1}
    assert [record.sample.id for record in found.records[:6]] == [f"first/{index}" for index in range(6)]


def test_inspects_errors_have_no_score(tmp_path: Path) -> None:
    inspect_log(tmp_path / "renamed.zip")
    (found,) = imported(tmp_path)
    (key,) = found.scores
    assert found.scores[key]["statuses"] == {"ok": 3, "error": 1}
    assert found.manifest["tasks"][key]["peer"]["figures"][0]["recomputed"] == pytest.approx(2 / 3, rel=1e-12)


def test_a_method_that_nobody_unpacks_names_the_extra(tmp_path: Path) -> None:
    inspect_log(tmp_path / "log.eval", method=zipfile.ZIP_LZMA)
    with pytest.raises(DataError, match="packed with method 14") as caught:
        imported(tmp_path)
    assert "inspect-ai" in str(caught.value)


def test_an_archive_that_lies_about_sizes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inspect_log(tmp_path / "log.eval")
    monkeypatch.setattr("vlmbench.runs.imports.readers.inspect_archive.LARGEST", 100)
    with pytest.raises(DataError, match="too large"):
        imported(tmp_path)


def test_a_damaged_log_among_others_costs_only_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    whole = inspect_log(tmp_path / "in" / "a.eval").read_bytes()
    (tmp_path / "in" / "b.eval").write_bytes(whole[: len(whole) // 2])
    assert main(["import", str(tmp_path / "in"), "--output", str(tmp_path / "runs")]) == 1
    assert "b.eval: not a readable log" in capsys.readouterr().out
    assert len(list((tmp_path / "runs").iterdir())) == 1


KIT = ("index", "question", "answer", "split", "prediction")


def kit(folder: Path, predictions: list[str], name: str = "made_GQA_TestDev_Balanced.xlsx") -> None:
    """VLMEvalKit's predictions, without scores."""
    folder.mkdir(exist_ok=True)
    rows = [[str(index), f"Question {index}?", "yes", "testdev", said] for index, said in enumerate(predictions)]
    write_sheet(folder / name, KIT, rows)


def test_answers_that_pandas_takes_for_nothing_survive(tmp_path: Path) -> None:
    said = ["NA", "None", "nan", "null", "yes"]
    kit(tmp_path / "made", said)
    (found,) = imported(tmp_path)
    assert [record.response.text for record in found.records] == said
    assert list(found.scores) == ["gqa@vlmevalkit"]
    assert "wrote no score" in notes(found, "gqa@vlmevalkit")


def test_vlmevalkits_failed_requests_are_errors(tmp_path: Path) -> None:
    kit(tmp_path / "made", ["yes", "Failed to obtain answer via API.", "no"])
    (found,) = imported(tmp_path)
    assert found.scores["gqa@vlmevalkit"]["statuses"] == {"ok": 2, "error": 1}


def test_two_models_sheets_are_two_runs(tmp_path: Path) -> None:
    for model in ("one", "two"):
        kit(tmp_path / "all", ["yes", "no"], f"{model}_GQA_TestDev_Balanced.xlsx")
    assert sorted(found.run.model for found in imported(tmp_path)) == ["one", "two"]


def test_llavas_answers_without_their_questions_are_kept_unscored(tmp_path: Path) -> None:
    rows = [
        {"question_id": 1, "prompt": f"Question {n}?", "text": "yes", "answer_id": "a", "model_id": "llava"}
        for n in range(2)
    ]
    lines(tmp_path / "in" / "pope" / "answers" / "llava.jsonl", rows)
    (found,) = imported(tmp_path / "in")
    assert found.scores["llava.pope"]["statuses"] == {"unlabeled": 2}
    assert not found.has_scores
    assert len({record.sample.id for record in found.records}) == 2
    assert main(["import", str(tmp_path / "in"), "--output", str(tmp_path / "run")]) == 1


def test_answers_of_two_models_in_one_file_are_refused(tmp_path: Path) -> None:
    rows = [{"question_id": n, "prompt": "?", "text": "yes", "answer_id": "a", "model_id": f"m{n}"} for n in range(2)]
    lines(tmp_path / "pope" / "answers" / "both.jsonl", rows)
    with pytest.raises(DataError, match="2 models in one file"):
        imported(tmp_path)


def test_the_made_scores(tmp_path: Path) -> None:
    """The helper's answers are right where it says so."""
    assert [right(index) for index in range(4)] == [0.0, 1.0, 1.0, 0.0]


# ---------------------------------------------------------------- with the benchmark's own questions


def asked_in_order(folder: Path, *, last: str = "") -> list[str]:
    """Write lmms-eval's rows of the first questions of VQAv2's embedded sample, without answers; returns their ids."""
    choice = registry.choose_task("vqav2")
    samples = read_samples(choice.task, Folder.sample("vqav2"), choice.split)[:8]
    rows = [
        {
            "doc_id": number,
            "target": "answer",
            "filtered_resps": sample.target[0],
            "exact_match": 0.5,
            "input": f"{last if last and number == 7 else sample.question}\nAnswer the question using a single word.",
        }
        for number, sample in enumerate(samples)
    ]
    lines(folder / "20260101_000000_samples_vqav2_val.jsonl", rows)
    return [sample.id for sample in samples]


def test_rows_are_joined_with_the_benchmarks_own_questions(tmp_path: Path) -> None:
    ids = asked_in_order(tmp_path)
    (without,) = imported(tmp_path)
    assert list(without.scores) == ["lmms-eval.vqav2_val@exact_match"]
    (run,) = peers.find(tmp_path)
    found = writer.imported(run, data="sample")
    own = [record.sample for record in found.records if record.task == "vqav2@lmms_eval"]
    assert [sample.id for sample in own] == ids
    assert all(sample.images for sample in own)
    assert found.scores["vqav2@lmms_eval"]["statuses"] == {"ok": 8}


def test_a_question_that_differs_ends_the_join(tmp_path: Path) -> None:
    asked_in_order(tmp_path, last="What is not asked there?")
    (run,) = peers.find(tmp_path)
    found = writer.imported(run, data="sample")
    assert list(found.scores) == ["lmms-eval.vqav2_val@exact_match"]
    assert "not joined with --data" in notes(found, "lmms-eval.vqav2_val@exact_match")
