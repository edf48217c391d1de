"""Runs with named variants, from the command to what reads their folders later."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import vlmbench
from tests.models.huggingface import tiny_hf
from tests.support import judge_toys, toys
from tests.support.gate_runs import changed
from tests.support.toys import ToyModel
from vlmbench.base import registry
from vlmbench.base.errors import DataError, UsageError
from vlmbench.base.process import exit_codes
from vlmbench.base.samples import Generation, Request
from vlmbench.cli import main as cli
from vlmbench.reports.runs import load as load_report
from vlmbench.runs.storage import reload
from vlmbench.runs.storage.layout import LOG
from vlmbench.runs.storage.run_files import read_manifest, read_scores

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
SAMPLED = ("--temperature", "0.9", "--samples", "3")
KEY = "pope@official+temperature=0.9+samples=3"


class Prompted(ToyModel):
    """One with a place for a system prompt."""

    supports_system_prompt = True


class ToyTask(toys.ToyTask):
    """One that needs no data but itself."""

    bundled_data_dir = Path(__file__).parent


def run(folder: Path, *words: str, model: str = "tinyllava", tasks: str = "pope", limit: int = 18) -> Path:
    """Run a command into a folder."""
    command = ["run", "--model", model, "--tasks", tasks, "--output", str(folder), "--limit", str(limit), *words]
    assert cli.main(command) == exit_codes.OK
    return folder


def rows(folder: Path) -> list[dict[str, Any]]:
    """The records, without what depends on the clock."""
    table = pq.read_table(folder / "records.parquet")
    clock = [name for name in ("seconds", "answer_sha256", "checksum") if name in table.column_names]
    found: list[dict[str, Any]] = table.drop_columns(clock).to_pylist()
    return found


def texts(folder: Path) -> dict[str, str]:
    return {row["sample_id"]: row["text"] for row in rows(folder)}


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with three answers to each of 54 questions about three images; only read."""
    return run(tmp_path_factory.mktemp("runs") / "sampled", *SAMPLED, limit=54)


@pytest.fixture(scope="module")
def hf_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_hf.checkpoint("llava", tmp_path_factory.mktemp("hf"))


# ------------------------------------------------------------------------------------------------------------- sampling


def model_of(kind: str, hf_folder: Path) -> tuple[str, list[str]]:
    """What --model takes, and the words that choose the engine."""
    return (f"hf:{hf_folder}", ["--max-new-tokens", "5"]) if kind == "hf" else ("tinyllava", ["--engine", kind])


@pytest.mark.parametrize("kind", ["shared", "simple", "hf"])
def test_the_same_seed_repeats_and_another_does_not(kind: str, tmp_path: Path, hf_folder: Path) -> None:
    model, words = model_of(kind, hf_folder)
    tasks = "pope@lmms_eval" if kind == "hf" else "pope"
    made = {
        name: run(tmp_path / name, *SAMPLED, *words, "--seed", seed, model=model, tasks=tasks, limit=6)
        for name, seed in (("first", "0"), ("again", "0"), ("other", "5"), ("another", "6"))
    }
    assert rows(made["first"]) == rows(made["again"])
    assert (made["first"] / "scores.json").read_bytes() == (made["again"] / "scores.json").read_bytes()
    found = [rows(made[name]) for name in ("first", "other", "another")]
    assert len({row["key"] for one in found for row in one}) == 3 * 18
    if kind == "hf":  # the shipped model is sure of most answers
        assert len({json.dumps(texts(made[name])) for name in made}) == 3


def test_another_seed_gives_other_answers_of_the_shipped_model(tmp_path: Path) -> None:
    words = ["--temperature", "2", "--min-coverage", "0"]
    hot = [run(tmp_path / seed, *words, "--seed", seed, tasks="mmvet", limit=60) for seed in ("0", "1")]
    first, second = map(texts, hot)
    assert len(first) < 60 and first.keys() == second.keys(), "all questions, so that the seed draws none"
    assert first != second


@pytest.mark.parametrize("kind", ["shared", "simple", "hf"])
def test_kill_and_resume_repeat_to_the_byte(kind: str, tmp_path: Path, hf_folder: Path) -> None:
    """kill -9 in the middle of writing an answer."""
    model, words = model_of(kind, hf_folder)
    tasks = "pope@lmms_eval" if kind == "hf" else "pope"
    calm = run(tmp_path / "calm", *SAMPLED, *words, model=model, tasks=tasks, limit=8)
    folder = tmp_path / "killed"
    command = ["run", "--model", model, "--tasks", tasks, "--output", str(folder), "--limit", "8", *SAMPLED, *words]
    point = [sys.executable, "-m", "tests.kills.kill_points", str(folder), "16", str(tmp_path / "points")]
    assert subprocess.run([*point, *command], cwd=ROOT, capture_output=True, check=False).returncode == -9
    before = len((folder / LOG).read_bytes().splitlines())
    assert 0 < before < 24
    assert cli.main(command) == exit_codes.OK
    assert rows(folder) == rows(calm)
    assert (folder / "scores.json").read_bytes() == (calm / "scores.json").read_bytes()


def test_a_plain_run_is_what_it_was(tmp_path: Path) -> None:
    """Keys do not depend on the seed where nothing is sampled, and nothing of variants is written."""
    words = ["--min-coverage", "0", "--seed"]
    one, two = (run(tmp_path / seed, *words, seed, tasks="mmvet", limit=60) for seed in ("0", "7"))
    assert rows(one) == rows(two)
    [entry], [scores] = read_manifest(one)["tasks"].values(), read_scores(one).values()
    assert "variant" not in entry
    assert not [name for name in scores if "@" in name]


# ------------------------------------------------------------------------------------------------- the run's own folder


def test_records_keep_all_answers_and_the_scores_average_them(sampled: Path) -> None:
    scores, records = read_scores(sampled), rows(sampled)
    assert list(scores) == [KEY]
    assert len(records) == 162 and len({row["sample_id"].partition("~")[0] for row in records}) == 54
    assert [row["sample_id"].rpartition("~")[2] for row in records[:3]][1:] == ["2", "3"]
    assert scores[KEY]["accuracy"]["value"] == pytest.approx(100 * sum(row["value"] for row in records) / 162)
    assert scores[KEY]["accuracy"]["n"] == 54
    assert scores[KEY]["pass@3"]["value"] >= scores[KEY]["majority@3"]["value"]
    entry = read_manifest(sampled)["tasks"][KEY]
    assert entry["variant"] == {"temperature": 0.9, "samples": 3}
    assert entry["samples"] == 54
    assert entry["generation"]["temperature"] == 0.9


def test_the_system_prompts_text_is_in_the_run_and_its_hash_in_the_key(tmp_path: Path) -> None:
    result = vlmbench.evaluate(Prompted(), ToyTask(), system="Be <b>brief</b>.", output=tmp_path / "run")
    digest = hashlib.sha256(b"Be <b>brief</b>.").hexdigest()[:8]
    assert list(result.summary) == [f"toy@official+system={digest}"]
    [entry] = read_manifest(tmp_path / "run")["tasks"].values()
    assert entry["variant"] == {"system": "Be <b>brief</b>."}


def test_scoring_again_gives_the_same(sampled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["score", str(sampled), "--output", str(tmp_path / "again"), "--json"]) == exit_codes.OK
    assert json.loads(capsys.readouterr().out) == read_scores(sampled)
    assert rows(tmp_path / "again") == rows(sampled)
    assert read_manifest(tmp_path / "again")["tasks"] == read_manifest(sampled)["tasks"]


def test_export_writes_the_draw_that_is_named(
    sampled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", str(sampled), "--output", str(tmp_path / "out.jsonl"), "--format"]
    form = next(name for name, suffix in registry.choose_task("pope").task.formats.items() if suffix == ".jsonl")  # type: ignore[attr-defined]
    assert cli.main([*words, form]) == exit_codes.USER_MUST_CHANGE
    assert "has 3 answers to each question\n  name one of them: --draw 1 to --draw 3" in capsys.readouterr().err
    assert cli.main([*words, form, "--draw", "4"]) == exit_codes.USER_MUST_CHANGE
    assert cli.main([*words, form, "--draw", "2"]) == exit_codes.OK
    written = [json.loads(line)["text"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert written == [row["text"] for row in rows(sampled) if row["sample_id"].endswith("~2")]


def test_export_of_a_variant_with_one_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run(tmp_path / "run", "--max-new-tokens", "2", limit=6)
    assert cli.main(["export", str(folder)]) == exit_codes.OK
    assert "pope@official+max_new_tokens=2: 6 answers" in capsys.readouterr().out
    assert cli.main(["export", str(folder), "--draw", "1"]) == exit_codes.USER_MUST_CHANGE
    assert "has one answer to each question" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------- compared with others


def test_compare_check_baseline_and_power(sampled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = run(tmp_path / "other", *SAMPLED, "--engine", "simple", limit=54)
    file = tmp_path / "baseline.json"
    assert cli.main(["baseline", str(sampled), "--output", str(file)]) == exit_codes.OK
    capsys.readouterr()
    assert {key: len(task.items) for key, task in reload.load(sampled).tasks.items()} == {KEY: 162}
    assert cli.main(["compare", str(file), str(other), "--json"]) == exit_codes.OK
    [task] = json.loads(capsys.readouterr().out)["tasks"]
    assert (task["key"], task["pairs"]) == (KEY, 162)
    names = [difference["name"] for difference in task["differences"]]
    assert {"accuracy", "pass@3", "majority@3"} <= set(names)
    words = ["check", str(other), "--baseline", str(file), "--max-drop", "60", "--min-detectable-drop", "90"]
    assert cli.main(words) == exit_codes.OK
    capsys.readouterr()
    assert cli.main(["power", KEY, "--run", str(sampled), "--json"]) == exit_codes.OK
    assert json.loads(capsys.readouterr().out)["questions"] == 54


def test_the_same_seed_is_the_same_model_for_a_gate(sampled: Path, tmp_path: Path) -> None:
    """Equal answers pass, as those of greedy decoding do; with another seed they would have to show it."""
    again = run(tmp_path / "again", *SAMPLED, limit=54)
    assert cli.main(["check", str(again), "--baseline", str(sampled)]) == exit_codes.OK
    changed(again, "run.json", lambda manifest: manifest["asked"].update(seed=1))  # type: ignore[attr-defined]
    assert cli.main(["check", str(again), "--baseline", str(sampled)]) == exit_codes.INCONCLUSIVE


@pytest.mark.parametrize("words", [[], ["--temperature", "0.8", "--samples", "3"], ["--temperature", "0.9"]])
def test_a_gate_between_variants_is_refused(
    words: list[str], sampled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = run(tmp_path / "other", *words, limit=54)
    for verb in (["check", str(other), "--baseline", str(sampled)], ["compare", str(sampled), str(other)]):
        assert cli.main(verb) == exit_codes.USER_MUST_CHANGE
        assert "variant: temperature=0.9+samples=3 before" in capsys.readouterr().err


def test_rows_of_variants_beside_the_papers(sampled: Path, tmp_path: Path) -> None:
    plain = run(tmp_path / "plain", limit=54)
    assert cli.main(["report", str(sampled), str(plain), "--output", str(tmp_path / "site")]) == exit_codes.OK
    [variant], [usual] = (run.tasks for run in load_report([sampled, plain]))
    assert (variant.key, variant.variant, usual.key, usual.variant) == (KEY, "temperature=0.9+samples=3", "pope", "")


def test_perturbations_of_a_variant(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", *SAMPLED, "--perturb", "blind,option-order", tasks="scienceqa@llava", limit=12)
    content = json.loads((folder / "perturbations.json").read_text())
    key = "scienceqa@llava+temperature=0.9+samples=3"
    for label in ("blind", "option-order"):
        stored = reload.load(folder / "perturbations" / label)
        assert list(stored.tasks) == [key] and len(stored.tasks[key].items) % 3 == 0
    assert key in json.dumps(content)
    assert cli.main(["score", str(folder / "perturbations" / "option-order")]) == exit_codes.OK


# --------------------------------------------------------------------------------------------------------------- Python


def coin(request: Request) -> str:
    """Heads or tails of a sampled answer."""
    return ("yes", "no")[hashlib.sha256(request.seed.encode()).digest()[0] % 2] if request.seed else "yes"


def test_evaluate_with_objects(tmp_path: Path) -> None:
    result = vlmbench.evaluate(ToyModel(coin), ToyTask(), temperature=0.7, samples=5, output=tmp_path / "run")
    [(key, entry)] = result.summary.items()
    assert key == "toy@official+temperature=0.7+samples=5"
    assert len(result.records) == 60
    by_question = result.records.assign(own=[name.partition("~")[0] for name in result.records["sample_id"]])
    assert entry["pass@5"]["value"] == pytest.approx(100 * by_question.groupby("own")["value"].max().mean())
    again = vlmbench.evaluate(ToyModel(coin), ToyTask(), temperature=0.7, samples=5)
    assert again.summary == result.summary
    other = vlmbench.evaluate(ToyModel(coin), ToyTask(), temperature=0.7, samples=5, seed=1)
    assert list(other.records["text"]) != list(result.records["text"])


@pytest.mark.parametrize("at", [1, 7, 35])
def test_an_interrupted_run_of_draws_resumes(tmp_path: Path, at: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        vlmbench.evaluate(ToyModel(coin, stop_after=at), ToyTask(), temperature=1, samples=3, output=tmp_path / "run")
    rest = ToyModel(coin)
    result = vlmbench.evaluate(rest, ToyTask(), temperature=1, samples=3, output=tmp_path / "run")
    assert len(rest.asked) == 36 - at
    calm = vlmbench.evaluate(ToyModel(coin), ToyTask(), temperature=1, samples=3)
    assert result.records.drop(columns="seconds").equals(calm.records.drop(columns="seconds"))


def test_draws_that_fail_are_missing(tmp_path: Path) -> None:
    task = ToyTask(missing=(1,))
    result = vlmbench.evaluate(ToyModel(coin), task, temperature=1, samples=3, output=tmp_path / "run")
    [entry] = result.summary.values()
    assert (entry["coverage"], entry["statuses"]) == (0.75, {"ok": 27, "error": 9})
    assert entry["accuracy"]["n"] == 9


def test_a_judge_grades_every_draw(tmp_path: Path, judged: None) -> None:
    """Its runs and its grades are kept by draw; without certain right answers there is no pass@N."""
    result = vlmbench.evaluate(
        ToyModel(lambda request: f"{request.sample_id}{request.draw}"),
        "numbers",
        temperature=0.7,
        samples=3,
        judge="echo,text=0.5",
        judge_runs=2,
        data=str(tmp_path),
        output=tmp_path / "run",
    )
    [(key, entry)] = result.summary.items()
    assert key == "numbers@official+temperature=0.7+samples=3"
    assert entry["statuses"] == {"ok": 30}
    assert entry["judge"]["verdicts"] == 60
    assert not [name for name in entry if "@" in name]
    verdicts = pq.read_table(tmp_path / "run" / "judgements.parquet").to_pylist()
    assert len({row["sample_id"] for row in verdicts}) == 30
    words = ["score", str(tmp_path / "run"), "--judge", "echo,text=1.0", "--output", str(tmp_path / "again")]
    assert cli.main(words) == exit_codes.OK
    assert read_scores(tmp_path / "again")[key]["total"]["value"] == pytest.approx(2 * entry["total"]["value"])


@pytest.fixture
def judged() -> Iterator[None]:
    with registry.tasks.temporarily_registered("numbers", judge_toys.Numbers()):
        yield


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("image,question,answer\na.png,Is it?,yes\na.png,Was it?,no\n")
    (tmp_path / "a.png").write_bytes(toys.png((1, 2, 3)))
    task = vlmbench.TableTask("mine", tmp_path / "mine.csv")
    result = vlmbench.evaluate(ToyModel(coin), task, temperature=0.7, samples=4)
    [(key, entry)] = result.summary.items()
    assert key.endswith("+temperature=0.7+samples=4") and len(result.records) == 8
    assert entry["pass@4"]["n"] == entry["majority@4"]["n"] == 2


# ------------------------------------------------------------------------------------------------------------ bad input


def test_beams_do_not_sample() -> None:
    task = ToyTask()
    task.protocols = {"official": replace(task.protocols["official"], generation=Generation(8, num_beams=5))}
    with pytest.raises(UsageError, match="searches with beams"):
        vlmbench.evaluate("no such model", task, temperature=0.7)


@pytest.mark.parametrize(
    ("tasks", "words", "message"),
    [
        ("pope", ["--samples", "2"], "--samples 2 at temperature 0"),
        ("pope", ["--samples", "2", "--temperature", "0"], "--samples 2 at temperature 0"),
        ("pope", ["--top-p", "0.5"], "--top-p without a temperature"),
        ("pope+samples=2", [], "--samples 2 at temperature 0"),
        ("pope+system=12345678", [], "has to be given as text"),
        ("pope+system=12345678", ["--system", "Be brief."], "has to be given as text"),
        ("pope+temperature=0.5", ["--temperature", "0.7"], "temperature is set twice"),
    ],
)
def test_contradictions_end_before_the_model_is_loaded(
    tasks: str, words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(options: object) -> None:
        raise AssertionError("the model is loaded")

    monkeypatch.setattr("vlmbench.runs.opening.load_model", load)
    assert cli.main(["run", "--model", "echo", "--tasks", tasks, *words]) == exit_codes.USER_MUST_CHANGE
    assert message in capsys.readouterr().err


def test_the_hash_of_the_same_system_prompt_may_stand_in_the_task() -> None:
    digest = hashlib.sha256(b"Be brief.").hexdigest()[:8]
    result = vlmbench.evaluate(Prompted(), [ToyTask()], system="Be brief.")
    assert list(result.summary) == [f"toy@official+system={digest}"]
    result = vlmbench.evaluate("echo,text=yes", f"pope+system={digest}", system="Be brief.", limit=3)
    assert list(result.summary) == [f"pope@official+system={digest}"]


def test_an_answer_file_holds_one_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["score", KEY, "--predictions", str(tmp_path)]) == exit_codes.USER_MUST_CHANGE
    assert "an answer file holds one answer to each question" in capsys.readouterr().err


def test_own_ids_that_end_like_draws() -> None:
    class Tilde(ToyTask):
        def samples(self, data: Any, split: str) -> Any:
            return [replace(sample, id=f"{sample.id}~2") for sample in super().samples(data, split)]

    with pytest.raises(DataError, match="ends as that of a further answer"):
        vlmbench.evaluate(ToyModel(), Tilde(), temperature=1, samples=2)
    assert vlmbench.evaluate(ToyModel(), Tilde(), temperature=1).coverage == 1
