"""Official checkpoints that are damaged, foreign, hostile or incomplete: the error names the file and the hint."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.models.checkpoints.official import EDGES, VIT, WIDTH, Official, make
from tests.models.checkpoints.test_damaged import Evil
from vlmbench.base.errors import ModelError, UsageError, VlmbenchError
from vlmbench.models.checkpoints import native as own
from vlmbench.models.checkpoints.checkpoint import SourceFiles
from vlmbench.models.systems import convert, minigpt

Harm = Callable[[Official], None]


@pytest.fixture
def files(tmp_path: Path) -> Official:
    return make(tmp_path / "official", "minigpt4")


def edit(part: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Harm:
    """Change the tensors of a file."""

    def apply(files: Official) -> None:
        file: Path = getattr(files, part)
        found = torch.load(file, weights_only=True)
        torch.save({**found, "model": change(found["model"])} if "model" in found else change(found), file)

    return apply


def raw(part: str, change: Callable[[bytes], bytes]) -> Harm:
    """Change the bytes of a file."""

    def apply(files: Official) -> None:
        file: Path = getattr(files, part)
        file.write_bytes(change(file.read_bytes()))

    return apply


def language(change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Harm:
    """Change the tensors of the language model."""

    def apply(files: Official) -> None:
        file = files.llm / "model.safetensors"
        save_file(change(load_file(file)), file)

    return apply


def cut_language(files: Official) -> None:
    """Half a file."""
    file = files.llm / "model.safetensors"
    file.write_bytes(file.read_bytes()[:500])


def config(**words: Any) -> Harm:
    """Change the language model's config."""

    def apply(files: Official) -> None:
        told = json.loads((files.llm / "config.json").read_text("utf-8"))
        (files.llm / "config.json").write_text(json.dumps({**told, **words}), "utf-8")

    return apply


def without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda state: {other: tensor for other, tensor in state.items() if other != name}


def turned(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda state: {**state, name: state[name].T.contiguous()}


def hostile(part: str) -> Harm:
    """A file that would run something."""

    def apply(files: Official) -> None:
        file: Path = getattr(files, part)
        torch.save({"model": {"a": torch.ones(1)}, "config": Evil()}, file)

    return apply


def swapped(one: str, other: str) -> Harm:
    """One file in the place of another."""

    def apply(files: Official) -> None:
        source: Path = getattr(files, other)
        getattr(files, one).write_bytes(source.read_bytes())

    return apply


DENSE = "Qformer.bert.encoder.layer.1.output_query.dense.weight"
DAMAGE: dict[str, tuple[Harm, str, str]] = {
    "no projector": (edit("pth", without("llama_proj.weight")), "trained.pth", "no llama_proj.weight"),
    "no bias": (edit("pth", without("llama_proj.bias")), "trained.pth", "1 missing: llama_proj.bias"),
    "turned projector": (
        edit("pth", turned("llama_proj.weight")),
        "trained.pth",
        r"1 of another shape: llama_proj.weight \[128, 32\] instead of \[32, 128\]",
    ),
    "unknown key": (edit("pth", lambda s: {**s, "head.x": torch.ones(1)}), "trained.pth", "1 tensors .*: head.x"),
    "unknown layer": (
        edit("pth", lambda s: {**s, "llama_model.model.extra": torch.ones(1)}),
        "trained.pth",
        "1 unexpected: llama_model.model.extra",
    ),
    "truncated": (raw("pth", lambda old: old[: len(old) // 2]), "trained.pth", "damaged weights"),
    "a page in its place": (raw("pth", lambda _: b"<html>404</html>"), "trained.pth", "damaged|no checkpoint"),
    "code inside": (hostile("pth"), "trained.pth", "holds objects of code beside tensors .*print"),
    "no table": (lambda f: torch.save([1], f.pth), "trained.pth", "not a table"),
    "no tensors": (lambda f: torch.save({"model": {"a": 1}}, f.pth), "trained.pth", "no table of tensors"),
    "tower without a block's half": (
        edit("vit", without("blocks.1.attn.v_bias")),
        "tower.pth",
        "1 missing: visual_encoder.blocks.1.attn.v_bias",
    ),
    "tower without a weight": (
        edit("vit", without("blocks.0.norm1.bias")),
        "tower.pth",
        "1 missing: visual_encoder.blocks.0.norm1.bias",
    ),
    "tower of another width": (
        edit("vit", lambda s: {**s, "blocks.1.mlp.fc2.bias": torch.ones(VIT + 1)}),
        "tower.pth",
        r"1 of another shape: visual_encoder.blocks.1.mlp.fc2.bias \[177\] instead of \[176\]",
    ),
    "another tower": (edit("vit", lambda s: {**s, "visual.conv1.weight": torch.ones(1)}), "tower.pth", "visual.conv1"),
    "positions of no square": (
        edit("vit", lambda s: {**s, "pos_embed": s["pos_embed"][:, :4]}),
        "tower.pth",
        "3 patches cannot be drawn out",
    ),
    "truncated tower": (raw("vit", lambda old: old[:-2000]), "tower.pth", "damaged weights"),
    "code in the tower": (hostile("vit"), "tower.pth", "holds objects of code"),
    "Q-Former without a weight": (edit("qformer", without(DENSE)), "q.pth", f"1 missing: {DENSE}"),
    "Q-Former without queries": (edit("qformer", without("query_tokens")), "q.pth", "1 missing: query_tokens"),
    "Q-Former without ln_vision": (edit("qformer", without("ln_vision.bias")), "q.pth", "1 missing: ln_vision.bias"),
    "the tower for the Q-Former": (swapped("qformer", "vit"), "q.pth", "tensors unexpected"),
    "the Q-Former for the tower": (swapped("vit", "qformer"), "tower.pth", "tensors unexpected"),
    "the checkpoint for the tower": (swapped("vit", "pth"), "tower.pth", "tensors unexpected"),
    "language model without a layer's weight": (
        language(without("model.layers.1.mlp.up_proj.weight")),
        "language",
        "1 missing: llama_model.model.layers.1.mlp.up_proj.weight",
    ),
    "language model with more layers": (config(num_hidden_layers=1), "language", r"\d+ unexpected: llama_model"),
    "language model of another width": (
        config(hidden_size=2 * WIDTH),
        "",
        r"llama_proj.weight \[32, 128\] instead of \[64, 128\]",
    ),
    "language model of another family": (
        config(model_type="phi"),
        "language",
        "of type 'phi'; MiniGPT-4 has .* 'llama'",
    ),
    "no config": (lambda f: (f.llm / "config.json").unlink(), "language", "no config.json"),
    "no weights": (lambda f: (f.llm / "model.safetensors").unlink(), "language", "no weights"),
    "truncated language model": (cut_language, "model.safetensors", "damaged weights"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_told(name: str, files: Official, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    harm, where, said = DAMAGE[name]
    harm(files)
    with pytest.raises(ModelError, match=said) as at_once:
        minigpt.load("minigpt4", str(files.pth), **files.options())
    assert where in at_once.value.where
    assert at_once.value.hint
    told = SourceFiles(files.vit, files.qformer, files.llm, image_size=EDGES[files.kind])
    with pytest.raises(ModelError, match=said):
        convert.convert(files.pth, tmp_path / "ours", to="", source_files=told, overwrite=False)
    assert "ran" not in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["official"]  # and nothing half-written


@pytest.mark.parametrize(
    ("kind", "option", "said"),
    [
        ("minigpt4", "vit", "eva_vit_g.pth"),
        ("minigpt4", "qformer", "blip2_pretrained_flant5xxl.pth"),
        ("minigpt4", "llm", "Vision-CAIR/vicuna"),
        ("minigpt4-llama2", "llm", "meta-llama/Llama-2-7b-chat-hf"),
        ("minigptv2", "llm", "meta-llama/Llama-2-7b-chat-hf"),
        ("tinygptv", "qformer", "blip2_pretrained_flant5xxl.pth"),
        ("tinygptv", "llm", "llizhx/TinyGPT-V"),
    ],
)
def test_a_missing_ingredient_is_named(kind: str, option: str, said: str, tmp_path: Path) -> None:
    files = make(tmp_path, kind)
    options = {name: value for name, value in files.options().items() if name != option}
    with pytest.raises(ModelError, match="what was trained alone") as error:
        minigpt.load(files.system, str(files.pth), **options)
    assert said in str(error.value)
    assert f",{option}=PATH" in error.value.hint
    assert f"--{option} PATH" in error.value.hint
    assert "huggingface.co" in error.value.hint or "https://storage.googleapis.com/" in error.value.hint


def test_an_ingredient_too_many_is_refused(tmp_path: Path) -> None:
    files, other = make(tmp_path / "one", "minigpt4-llama2"), make(tmp_path / "two", "minigpt4")
    with pytest.raises(ModelError, match="has no Q-Former"):
        minigpt.load("minigpt4", str(files.pth), **files.options(qformer=str(other.qformer)))


@pytest.mark.parametrize(
    ("kind", "asked"), [("minigptv2", "minigpt4"), ("tinygptv", "minigptv2"), ("minigpt4", "tinygptv")]
)
def test_another_system_is_refused(kind: str, asked: str, tmp_path: Path) -> None:
    files = make(tmp_path, kind)
    with pytest.raises(ModelError, match=r"holds what .* trains") as error:
        minigpt.load(asked, str(files.pth), **files.options())
    assert files.system in error.value.hint


def test_a_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        minigpt.load("minigptv2", str(tmp_path / "x.pth"))


def test_a_folder_wants_no_ingredients(files: Official, tmp_path: Path) -> None:
    told = SourceFiles(files.vit, files.qformer, files.llm, image_size=28)
    convert.convert(files.pth, tmp_path / "ours", to="", source_files=told, overwrite=False)
    with pytest.raises(ModelError, match="vit, image_size: only an official"):
        minigpt.load("minigpt4", str(tmp_path / "ours"), vit=str(files.vit), image_size=28)


def test_our_folder_is_checked_before_it_is_written(files: Official, tmp_path: Path) -> None:
    told = SourceFiles(files.vit, files.qformer, files.llm, image_size=28)
    convert.convert(files.pth, tmp_path / "ours", to="", source_files=told, overwrite=False)
    weights = tmp_path / "ours" / "model.safetensors"
    whole = load_file(weights)
    for change, said in (
        (without("connector._connector.query_tokens"), "1 missing: connector._connector.query_tokens"),
        (lambda state: {**state, "x": torch.ones(1)}, "1 unexpected: x"),
        (turned("connector._connector.projector.weight"), "1 of another shape"),
    ):
        save_file(change(whole), weights)
        with pytest.raises(ModelError, match=said):
            convert.convert(tmp_path / "ours", tmp_path / "back", to="", source_files=SourceFiles(), overwrite=False)
        assert not (tmp_path / "back").exists()


def test_what_was_there_stays_unless_told_otherwise(files: Official, tmp_path: Path) -> None:
    told = SourceFiles(files.vit, files.qformer, files.llm, image_size=28)

    def run(source: Path, target: Path, *, overwrite: bool = False, to: str = "") -> None:
        convert.convert(source, target, to=to, source_files=told, overwrite=overwrite)

    ours, other = tmp_path / "ours", tmp_path / "other"
    ours.mkdir()
    run(files.pth, ours)  # an empty folder may be written into
    with pytest.raises(UsageError, match="is there already"):
        run(files.pth, ours)
    (ours / "model.safetensors").write_bytes(b"old")
    run(files.pth, ours, overwrite=True)
    assert len(load_file(ours / "model.safetensors")) > 100
    other.mkdir()
    (other / "diary.txt").write_text("dear diary", "utf-8")
    with pytest.raises(UsageError, match="other things than a checkpoint"):
        run(files.pth, other, overwrite=True)
    with pytest.raises(UsageError, match="holds what is to be read"):
        run(ours, ours, overwrite=True)
    with pytest.raises(UsageError, match="holds what is to be read"):
        run(files.pth, files.folder, overwrite=True)
    with pytest.raises(VlmbenchError, match="no checkpoint format named 'pth'"):
        run(files.pth, tmp_path / "new", to="pth")
    with pytest.raises(UsageError, match="minigpt4 cannot be written as legacy"):
        run(files.pth, tmp_path / "new", to="legacy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["official", "other", "ours"]


def test_a_stop_halfway_leaves_nothing(files: Official, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = SourceFiles(files.vit, files.qformer, files.llm, image_size=28)
    convert.convert(files.pth, tmp_path / "ours", to="", source_files=told, overwrite=False)
    before = (tmp_path / "ours" / "model.safetensors").read_bytes()
    leftover = tmp_path / ".part-ours"
    leftover.mkdir()  # of a run that was killed
    (leftover / "model.safetensors").write_bytes(b"half")

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(own, "write_json", stopped)
        with pytest.raises(KeyboardInterrupt):
            convert.convert(files.pth, tmp_path / "ours", to="", source_files=told, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["official", "ours"]
    assert (tmp_path / "ours" / "model.safetensors").read_bytes() == before


def test_a_place_that_cannot_be_written(files: Official, tmp_path: Path) -> None:
    told = SourceFiles(files.vit, files.qformer, files.llm, image_size=28)
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(ModelError, match="cannot be written"):
        convert.convert(files.pth, tmp_path / "file" / "ours", to="", source_files=told, overwrite=False)
