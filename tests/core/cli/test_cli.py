"""The command line: near names, exit codes, clean stdout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.core.data.test_notes import NOT_COUNTED
from vlmbench.base import registry
from vlmbench.base.errors import UnknownNameError, UsageError
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.plugins.specs import ModelSpec, load_model, parse_model
from vlmbench.runs.storage.run_files import read_manifest


def run(*words: str) -> int:
    return cli.main(list(words))


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == exit_codes.OK
    out = capsys.readouterr().out
    assert all(f"\n  {verb} " in out for verb in cli.VERBS)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["runn"], "no verb named 'runn'\n  did you mean run?"),
        (["run", "--model", "tinylava", "--tasks", "pope"], "did you mean tinyllava"),
        (["run", "--model", "echo", "--tasks", "popee"], "did you mean pope"),
        (["run", "--model", "echo", "--tasks", "pope@lava"], "did you mean llava"),
        (["run", "--model", "echo", "--tasks", "gqa:vall"], "did you mean val"),
        (["run", "--model", "echo", "--tasks", ","], "no task named"),
        (["run", "--model", "echo", "--tasks", "pope,pope@official"], "named twice: pope"),
        (["run", "--model", "echo,txt=yes", "--tasks", "pope"], "did you mean text"),
        (["run", "--model", "echo,yes", "--tasks", "pope"], "write NAME[:CHECKPOINT][,key=value]"),
        (["run", "--model", "echo", "--tasks", "pope", "--dtype", "bfloat16"], "model echo has no --dtype"),
        (["run", "--model", "echo", "--tasks", "pope", "--limit", "0"], "leaves nothing to ask"),
        (["run", "--model", "echo", "--tasks", "pope", "--data", "/nowhere"], "no folder /nowhere"),
        (["run", "--model", "echo", "--tasks", "pope", "--data", "hub:/nowhere"], "no folder /nowhere"),
        (["run", "--model", "echo", "--tasks", "pope", "--data", "hub:."], "no test-*.parquet in lmms-lab/POPE"),
        (["run", "--model", "echo", "--tasks", "pope", "--perturb", "blnd"], "did you mean blind"),
        (["run", "--model", "echo:/nowhere.json", "--tasks", "pope"], "cannot read the script"),
        (["train", "nan0"], "did you mean nano"),
        (["train"], "no recipe named"),
    ],
)
def test_wrong_words_are_told_with_the_cure(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*words) == exit_codes.USER_MUST_CHANGE
    out, err = capsys.readouterr()
    assert told in err
    assert (out, "Traceback" in err) == ("", False)
    assert list(tmp_path.iterdir()) == []


def test_the_main_job_with_json_prints_the_scores_and_nothing_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["run", "--model", "echo,text=yes", "--tasks", "pope,gqa", "--output", str(tmp_path / "run"), "--json"]
    assert run(*words) == exit_codes.OK
    out = capsys.readouterr().out
    assert json.loads(out) == json.loads((tmp_path / "run" / "scores.json").read_text())
    scores = json.loads(out)
    assert list(scores) == ["pope", "gqa"]
    assert scores["pope"]["mean_accuracy"]["value"] == 50
    assert scores["pope"]["yes_ratio"]["value"] == 100
    assert scores["pope"]["coverage"] == 1
    assert scores["pope"]["accuracy"]["low"] < 50 < scores["pope"]["accuracy"]["high"]


def test_run_json_pins_what_was_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("run", "--model", "echo,text=no", "--tasks", "pope@llava", "--limit", "18", "--output", str(tmp_path / "run"))
    manifest = read_manifest(tmp_path / "run")
    task = manifest["tasks"]["pope@llava"]
    assert (task["protocol"], task["samples"], task["data"]) == ("llava", 18, "sample")
    assert set(task["hashes"]) == {"samples", "prompts", "images"}
    assert manifest["model"]["fingerprint"]
    assert {"python", "numpy"} <= set(manifest["packages"])
    assert {"processor", "cores", "memory_bytes"} <= set(manifest["hardware"])
    assert manifest["finished"]
    assert "sample" in capsys.readouterr().out


def test_a_run_into_another_runs_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--tasks", "pope", "--limit", "6", "--output", str(tmp_path / "run")]
    assert run(*words, "--model", "echo,text=no") == exit_codes.OK
    assert run(*words, "--model", "echo,text=yes") == exit_codes.USER_MUST_CHANGE
    assert "holds another run" in capsys.readouterr().err


def test_parse_model() -> None:
    assert parse_model("tinyllava") == ModelSpec("tinyllava")
    assert parse_model("tinyllava:/a/b,dtype=bfloat16,exact=true") == ModelSpec(
        "tinyllava", "/a/b", {"dtype": "bfloat16", "exact": "true"}
    )


def test_options_become_the_type_of_their_default(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    def load(checkpoint: str | None, *, threads: int = 0, exact: bool = False, dtype: str = "float32") -> object:
        seen.update(checkpoint=checkpoint, threads=threads, exact=exact, dtype=dtype)
        return object()

    monkeypatch.setattr(registry, "models", registry.Registry("model", {}, "none"))
    registry.models.add("m", load)
    load_model(ModelSpec("m", "c", {"threads": "2", "exact": "true"}), {"dtype": "bfloat16", "engine": None})
    assert seen == {"checkpoint": "c", "threads": 2, "exact": True, "dtype": "bfloat16"}
    with pytest.raises(UsageError, match="takes a number"):
        load_model(ModelSpec("m", None, {"threads": "two"}), {})
    with pytest.raises(UnknownNameError):
        load_model(ModelSpec("m", None, {"thread": "2"}), {})


def test_registering_a_name_twice_is_an_error() -> None:
    names = registry.Registry("task", {"pope": "a:b"}, "none")
    with pytest.raises(UsageError, match="registered twice"):
        names.add("pope", object())


def test_tasks_tell_splits_with_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("tasks") == exit_codes.OK
    out = capsys.readouterr().out
    assert "splits: testdev_balanced (12,578 q, 398 img), val_balanced (132,062 q), testdev, " in out
    assert "test-dev (107,394 q, server)" in out
    assert run("tasks", "pope", "vqav2", "--json") == exit_codes.OK
    found = json.loads(capsys.readouterr().out)
    assert found["vqav2"]["sizes"]["test"] == {"questions": 447_793, "images": 81_434, "answers": False, "note": ""}
    sizes = {name: size["questions"] for name, size in found["pope"]["sizes"].items()}
    assert (sizes["coco"], sizes["coco_adversarial"]) == (9_000, 3_000)


@pytest.mark.parametrize("name", registry.tasks.builtin)
def test_sizes_are_of_splits_there_are(name: str) -> None:
    task = registry.tasks.get(name)
    assert (task.splits[0] in task.sizes) != (name in NOT_COUNTED)
    assert set(task.sizes) <= set(task.splits)
    assert all(0 < (size.images or 1) <= size.questions for size in task.sizes.values())
