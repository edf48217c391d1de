"""Whole trainings with a teacher: golden losses, kills, what is asked once, and what is refused before it begins."""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.distil.golden_losses import GOLDEN, TAUGHT, toy
from tests.training.distil.rows import rows, student
from tests.training.loop.killing import start, steps, weights
from tests.training.test_twins import losses, twin
from vlmbench.base.errors import StoreError, TrainingError, UnknownNameError
from vlmbench.base.model import Vocabulary
from vlmbench.cli import main as cli
from vlmbench.training.distil import asking as asking_module
from vlmbench.training.distil.answer_file import AnswerFile
from vlmbench.training.distil.asking import Asking, keys_of
from vlmbench.training.distil.student import distilled
from vlmbench.training.distil.teacher import opened
from vlmbench.training.distil.teaching import FILE
from vlmbench.training.loop.loop import train
from vlmbench.training.loop.state import LOG
from vlmbench.training.recipe.recipe import Recipe
from vlmbench.training.recipe.teacher import Distil, taught
from vlmbench.training.recipes.nano import nano


def asked(folder: Path) -> list[int]:
    """How many questions each stage asked."""
    lines = map(json.loads, (folder / LOG).read_text(encoding="utf-8").splitlines())
    return [line["teacher"]["asked"] for line in lines if "teacher" in line]


def quick() -> Recipe:
    """One taught stage."""
    recipe = toy("tinyllava-base")
    return replace(recipe, stages=recipe.stages[1:])


@pytest.mark.slow
@pytest.mark.parametrize("name", TAUGHT)
def test_taught_toys_have_golden_losses(name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    train(toy(name), tmp_path)
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))[name]
    found = losses(tmp_path)
    assert found.keys() == golden.keys()
    for stage, told in golden.items():
        assert found[stage] == pytest.approx(told, abs=1e-3), stage
    plain = json.loads((GOLDEN.parents[1] / "twin_losses.json").read_text(encoding="utf-8"))[name]
    last = taught(toy(name).distil, toy(name).stages)[-1]
    assert found[last] != pytest.approx(plain[last], abs=1e-3), "the teacher changes the loss"


@pytest.mark.slow
def test_killed_it_ends_with_equal_weights(tmp_path: Path) -> None:
    """kill -9 while it learns, the same command again: the same weights, bit for bit, and nothing is asked twice."""
    words = ("--teacher", "tinygptv", "--student", "tinygptv-paper")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for at in (None, 3, 11, None):
        folder = whole if at is None and not whole.exists() else broken
        process = start(folder, *words, recipe="distill")
        while at is not None and process.poll() is None and steps(folder) < at:
            time.sleep(0.002)
        if at is not None:
            process.kill()
        _, said = process.communicate(timeout=300)
        assert at is not None or process.returncode == 0, said.decode()
    assert weights(broken) == weights(whole)
    assert losses(broken) == losses(whole)
    assert (broken / FILE).read_bytes() == (whole / FILE).read_bytes()


def test_killed_while_it_asks_it_goes_on_to_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a record is on the disk; what was whole is not asked again, and the file becomes the same, byte for byte."""
    monkeypatch.setattr(asking_module, "CHUNK", 3)
    settings, plain, written = Distil("tinyllava", top_k=4), os.pwrite, 0

    def dies(number: int, content: bytes, place: int) -> int:
        nonlocal written
        written += 1
        if written == 2:
            plain(number, content[: len(content) // 2], place)
            raise KeyboardInterrupt
        return plain(number, content, place)

    with opened(settings, toy_words()) as teacher:
        whole = AnswerFile(tmp_path / "whole", teacher.mark, write=True)
        Asking(teacher, whole, 0.0).ask(rows())
        whole.close()
        broken = AnswerFile(tmp_path / "broken", teacher.mark, write=True)
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(os, "pwrite", dies)
            Asking(teacher, broken, 0.0).ask(rows())
        broken.close()
        again = AnswerFile(tmp_path / "broken", teacher.mark, write=True)
        before, rest = len(again), Asking(teacher, again, 0.0)
        rest.ask(rows())
        again.close()
    everything = sum(len(keys_of(row)) for row in rows())
    assert 0 < before < everything and rest.asked == everything - before
    assert (tmp_path / "broken").read_bytes() == (tmp_path / "whole").read_bytes()


def toy_words() -> Vocabulary:
    """The toy student's vocabulary."""
    return student().vocabulary()


@pytest.mark.slow
def test_a_file_of_answers_serves_other_trainings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shared = str(tmp_path / "answers")
    recipe = quick().replace({"distil.cache": shared})
    train(recipe, tmp_path / "one")
    assert asked(tmp_path / "one") and asked(tmp_path / "one")[0] > 0
    train(recipe.replace({"distil.temperature": "7"}), tmp_path / "two")
    assert asked(tmp_path / "two") == [0], "the temperature is no part of what is kept"
    assert losses(tmp_path / "one") != losses(tmp_path / "two")
    longer = recipe.replace({"stages.finetune.repeat": "0"})
    train(longer, tmp_path / "three")
    assert asked(tmp_path / "three")[0] > 0
    with pytest.raises(StoreError, match="holds the answers of another teacher: top_k was 32, is 8"):
        train(recipe.replace({"distil.top_k": "8"}), tmp_path / "four")
    with pytest.raises(TrainingError, match=r"another recipe: distil\.weight was 0\.5, is 0\.7"):
        train(recipe.replace({"distil.weight": "0.7"}), tmp_path / "one")
    content = bytearray(Path(shared).read_bytes())
    content[len(content) // 3] ^= 1
    Path(shared).write_bytes(bytes(content))
    with pytest.raises(StoreError, match="damaged: the record at byte"):
        train(recipe, tmp_path / "five")
    assert not caplog.records or all(record.levelno < logging.ERROR for record in caplog.records)


@pytest.mark.slow
def test_templates_that_write_other_tokens_are_refused_at_once(tmp_path: Path) -> None:
    recipe = distilled(twin("minigptv2-code"), "tinyllava")
    with pytest.raises(TrainingError, match="write an answer's first token differently") as caught:
        train(recipe, tmp_path)
    assert "distil.kind=answers" in str(caught.value)


def test_which_stages_learn_from_the_teacher() -> None:
    stages = taught(Distil("x"), nano().stages)
    assert "finetune" in stages and not {"see", "list", "pretrain"} & set(stages)
    whole = distilled(nano(), "tinyllava")
    assert whole.tokenizer == "tinyllava" and distilled(nano(), "openai:some").tokenizer == ""
    assert "see" not in taught(whole.distil, whole.stages)
    one = whole.replace({"distil.stages": '["pretrain"]'})
    assert taught(one.distil, one.stages) == ("pretrain",)
    with pytest.raises(UnknownNameError, match="no stage of nano-distilled named 'pretrian'"):
        whole.replace({"distil.stages": '["pretrian"]'})
    with pytest.raises(TrainingError, match="nothing is asked about pictures there"):
        whole.replace({"distil.stages": '["see"]'})
    with pytest.raises(TrainingError, match="cache contradicts distil"):
        whole.replace({"cache": "features"})
    assert whole.to_json()["distil"]["teacher"] == "tinyllava"
    assert "distil" not in nano().to_json() and "repeat" not in nano().to_json()["stages"][0]


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "--list"]) == 0
    assert "distill --teacher MODEL --student RECIPE" in capsys.readouterr().out
    assert cli.main(["train", "distill", "--student", "nano"]) == 2
    assert "distill needs --teacher and --student" in capsys.readouterr().err
    assert cli.main(["train", "nano", "--teacher", "tinyllava"]) == 2
    assert "are of `vlmbench train distill`" in capsys.readouterr().err
    words = ["train", "distill", "--teacher", "tinyllava", "--student", "tinyllava-base", "--dry-run", "--gpu", "h100"]
    assert cli.main([*words, "--set", "distil.kind=answers"]) == 0
    plan = capsys.readouterr().out
    assert "finetune: teacher tinyllava (answers): every turn of 665,216 rows, asked once" in plan
    assert "on 1 x h100" in plan
