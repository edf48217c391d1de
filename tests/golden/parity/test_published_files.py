"""The official state of a parity folder, put into the files its authors publish, read by the converter: the same model.

Toy heads are narrower than the published 88 and 64, the only sizes that no tensor shows: they are set for the test.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.golden.parity.minigpt import Case, activations, generation
from vlmbench.models.checkpoints.checkpoint import SourceFiles
from vlmbench.models.checkpoints.minigpt import config as minigpt_config
from vlmbench.models.checkpoints.minigpt.names import BUFFER, official_to_ours
from vlmbench.models.systems import convert, minigpt

Counted = Callable[[Path, int], None]
KINDS = ("minigpt",)


def published(case: Case, folder: Path) -> tuple[Path, SourceFiles]:
    """Write eva_vit_g.pth, blip2_pretrained_flant5xxl.pth, the language model's folder and the .pth."""
    whole = load_file(case.folder / "model.safetensors")
    keys = case.info["official_checkpoint_keys"]
    assert sorted(keys) == sorted({*keys} & whole.keys())
    shutil.copytree(case.folder / "llm", folder / "llm")
    trained = {name: whole.pop(name) for name in keys}
    eva = {name.removeprefix("visual_encoder."): t for name, t in whole.items() if name.startswith("visual_encoder.")}
    blip2 = {name: t for name, t in whole.items() if name.startswith(("Qformer.", "query_tokens", "ln_vision."))}
    adapted = any("lora_A" in name for name in keys)
    before = "llama_model.base_model.model." if adapted else "llama_model."
    own = {name.removeprefix(before): t for name, t in whole.items() if name.startswith(before)}
    save_file(
        {name.replace("lm_head.0.", "lm_head."): t for name, t in own.items() if not name.endswith("inv_freq")},
        folder / "llm" / "model.safetensors",
    )
    queried = "query_tokens" in blip2
    # Without a Q-Former's file the official ln_vision is at its start; the parity model's was drawn, so it joins.
    trained |= {} if queried else blip2
    torch.save(eva, folder / "eva_vit_g.pth")
    torch.save({"model": blip2}, folder / "blip2.pth")
    saved = {"model": trained, "config": {"model": case.info["model_cfg"]}, "epoch": 0}
    torch.save(saved, folder / "trained.pth")
    style = str(case.config()["template"])
    edge = int(case.info["model_cfg"]["image_size"])
    qformer = folder / "blip2.pth" if queried else None
    return folder / "trained.pth", SourceFiles(
        folder / "eva_vit_g.pth", qformer, folder / "llm", template=style, image_size=edge
    )


def test_the_published_files_are_the_same_model(
    parity_folder: Path, tmp_path: Path, counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = Case.read(parity_folder)
    vit, bert = case.info["vit"], case.info["qformer"]
    monkeypatch.setattr(minigpt_config, "EVA_HEAD", vit["embed_dim"] // vit["num_heads"])
    monkeypatch.setattr(minigpt_config, "BERT_HEAD", bert["hidden_size"] // bert["num_attention_heads"])
    (tmp_path / "official").mkdir()
    pth, source_files = published(case, tmp_path / "official")
    convert.convert(pth, tmp_path / "ours", to="", source_files=source_files, overwrite=False)
    system = minigpt.restore(case.config()["model_type"], tmp_path / "ours", attention="sdpa")
    found = [*activations(case, system), *generation(case, system)]
    counted(parity_folder, len(found))
    assert not [difference for difference in found if difference.bad]
    config = json.loads((tmp_path / "ours" / "config.json").read_text("utf-8"))
    assert config["connector_type"] == case.config()["connector_type"]
    ours = load_file(tmp_path / "ours" / "model.safetensors")
    theirs = official_to_ours(load_file(parity_folder / "model.safetensors"), case.config())
    assert {name for name in ours if not name.startswith("official.")} == {
        name for name in theirs if not name.startswith("official.")
    }
    assert all(torch.equal(tensor, ours[name]) for name, tensor in theirs.items())

    convert.convert(tmp_path / "ours", tmp_path / "back", to="", source_files=SourceFiles(), overwrite=False)
    again = torch.load(tmp_path / "back" / "checkpoint.pth", weights_only=True)["model"]
    extra = {"ln_vision.weight", "ln_vision.bias"} if source_files.qformer is None else set()
    assert set(again) == {*case.info["official_checkpoint_keys"], *extra}
    whole = load_file(parity_folder / "model.safetensors")
    assert all(t.dtype == whole[name].dtype and torch.equal(t, whole[name]) for name, t in again.items())
    assert any(BUFFER.fullmatch(name) for name in again)
    counted(parity_folder, len(again))
