"""`--verify-backend`: backends that are wrong in one thing each are refused, over every task of the run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests.models.huggingface import tiny_hf
from vlmbench.cli import main as cli

pytestmark = pytest.mark.slow

TASKS = "pope,hateful_memes"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_hf.checkpoint("llava", tmp_path_factory.mktemp("llava"))


def no_first_token(folder: Path) -> None:
    told = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    told["post_processor"] = None
    (folder / "tokenizer.json").write_text(json.dumps(told), "utf-8")


def answers_as_lists(folder: Path) -> None:
    template = (folder / "chat_template.jinja").read_text("utf-8")
    printed = template.replace("{{ c['text'] }}", "{{ c['text'] if m['role'] == 'user' else [c['text']] }}")
    assert printed != template
    (folder / "chat_template.jinja").write_text(printed, "utf-8")


def other_weights(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    norm = next(name for name in tensors if name.endswith("model.norm.weight"))
    tensors[norm] = -tensors[norm]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def louder_weights(folder: Path) -> None:
    """The same answers, other log-probabilities: no text tells them apart."""
    tensors = load_file(folder / "model.safetensors")
    norm = next(name for name in tensors if name.endswith("model.norm.weight"))
    tensors[norm] = tensors[norm] * 3
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def another_template(folder: Path) -> None:
    template = (folder / "chat_template.jinja").read_text("utf-8")
    (folder / "chat_template.jinja").write_text("You see pictures. " + template, "utf-8")


WRONG: dict[str, tuple[Callable[[Path], None], str, set[str]]] = {
    "no <s>": (no_first_token, "a prompt of", {"pope", "hateful_memes"}),
    "answers as lists": (answers_as_lists, "tokens, reference", {"hateful_memes"}),
    "other weights": (other_weights, "different", {"hateful_memes"}),
    "louder weights": (louder_weights, "a margin of|at -", {"hateful_memes"}),
    "another template": (another_template, "a prompt of", {"pope", "hateful_memes"}),
}


def run(folder: Path, against: Path, output: Path) -> int:
    words = ["--tasks", TASKS, "--limit", "12", "--engine", "simple", "--output", str(output)]
    return cli.main(
        ["run", "--model", f"hf:{folder}", *words, "--verify-backend", "6", "--verify-against", f"hf:{against}"]
    )


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_backend_is_refused(
    original: Path, tmp_path: Path, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change, why, tasks = WRONG[wrong]
    copy = Path(shutil.copytree(original, tmp_path / "copy"))
    change(copy)
    assert run(copy, original, tmp_path / "run") == 2
    told = capsys.readouterr().err
    assert any(word in told for word in why.split("|")), told
    # Free answers of a random network hang on a hair, so that other weights may count as close there.
    assert tasks <= {task for task in ("pope", "hateful_memes") if f"different: {task}" in told}
    assert not (tmp_path / "run").exists()


def test_the_right_one_is_not(original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(original, original, tmp_path / "run") == 0
    assert "6 of 6 answers equal" in capsys.readouterr().err
