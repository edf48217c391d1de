"""`vlmbench models`, and a published variant's name given to `run`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vlmbench.base.errors import ModelError, UnknownNameError
from vlmbench.base.process import exit_codes
from vlmbench.cli import main as cli
from vlmbench.cli.verbs import models
from vlmbench.models.systems.tinyllava import NANO
from vlmbench.models.zoo.model_stats import PARTS
from vlmbench.plugins import specs as loading
from vlmbench.plugins import variants as weights


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of its own, and no file that could be taken for a model."""
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def test_the_list_has_every_variant(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models"]) == exit_codes.OK
    out = capsys.readouterr().out
    assert all(name in out for name in ("base-Sig-Phi", "factory-Sig-Gemma-2b-it", "stage4", "vicuna-13b", "minigptv2"))
    assert max(map(len, out.splitlines())) <= 120


def test_the_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["models", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["tinygptv"]["variants"] == ["stage123", "stage4"]
    assert told["echo"]["variants"] == []


def test_a_variant_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["models", "tinyllava:base-Sig-Phi"])
    out = capsys.readouterr().out
    for words in (
        "total               3.217 B",
        "visual tokens           729",
        "never run           30.48 M",
        "2.789 B: connector 9.51 M, language model 2.780 B",
        "bfloat16            6.43 GB",
        "arXiv 2402.14289",
        "stay in bfloat16",
    ):
        assert words in out, words


def test_a_system_as_tables(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["models", "tinygptv"])
    lines = capsys.readouterr().out.splitlines()
    heads = ("visual tokens", "vision tower", "Q-Former", "connector", "language model", "adapters", "total", "int8")
    assert all(head in lines[0] for head in heads)
    assert any(line.split() == ["tinygptv:stage4", "4", "45.27", "M"] for line in lines)


def test_as_json_the_numbers_are_exact(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["models", "tinyllava:base-Sig-Phi", "--json"])
    (sheet,) = json.loads(capsys.readouterr().out)["tinyllava:base-Sig-Phi"]
    assert sheet["total"] == sum(sheet["parts"].values()) == 3_217_417_280
    assert sheet["memory"]["bfloat16"] == 2 * sheet["total"]


def test_a_folder_is_loaded_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", f"tinyllava:{NANO}"]) == exit_codes.OK
    out = capsys.readouterr().out
    assert "fingerprint" in out
    assert "template     phi" in out


def test_a_model_without_variants_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["models", "echo,text=yes"])
    assert "fingerprint" in capsys.readouterr().out


def test_the_parts_are_the_same_everywhere() -> None:
    assert models.PARTS == PARTS


# A variant's name given to run.


def refused(spec: str) -> str:
    with pytest.raises(ModelError) as caught:
        loading.load_model(loading.parse_model(spec), {})
    return str(caught.value)


def test_weights_that_are_not_here_come_with_the_commands(cache: Path) -> None:
    folder = cache / "models" / "tinyllava" / "share-Sig-Phi"
    said = refused("tinyllava:share-Sig-Phi")
    assert "google/siglip-so400m-patch14-384, microsoft/phi-2" in said
    assert f"hf download bczhou/TinyLLaVA-3.1B --local-dir {folder}" in said
    assert "vlmbench run --model tinyllava:share-Sig-Phi" in said


def test_weights_that_nobody_published() -> None:
    said = refused("tinyllava:base-Sig-Phi")
    assert "not known to have published" in said
    assert "share-Sig-Phi" in said


def test_weights_of_one_file_name_what_else_is_needed() -> None:
    said = refused("tinygptv:stage4")
    assert "hf download Tyrannosaurus/TinyGPT-V TinyGPT-V_for_Stage4.pth" in said
    assert "/eva_vit_g.pth" in said
    assert "vlmbench convert TinyGPT-V_for_Stage4.pth" in said
    assert "--llm llm --vit eva_vit_g.pth --qformer blip2_pretrained_flant5xxl.pth" in said
    assert "blip2_pretrained_flant5xxl.pth" not in refused("minigptv2")


def test_a_system_with_one_variant_needs_no_colon() -> None:
    assert "meta-llama/Llama-2-7b-chat-hf" in refused("minigptv2")


def test_a_variant_that_cannot_be_built_says_why() -> None:
    assert "OpenELM" in refused("tinyllava:factory-Sig-OpenELM-450M")


def test_a_near_name_is_offered() -> None:
    with pytest.raises(UnknownNameError, match="did you mean base-Sig-Phi"):
        loading.load_model(loading.parse_model("tinyllava:base-Sig-Phy"), {})


def test_the_folder_of_a_variant_is_used(cache: Path) -> None:
    folder = cache / "models" / "tinyllava" / "base-Sig-Phi"
    folder.parent.mkdir(parents=True)
    folder.symlink_to(NANO, target_is_directory=True)
    assert weights.checkpoint("tinyllava", "base-Sig-Phi") == str(folder)
    assert loading.load_model(loading.parse_model("tinyllava:base-Sig-Phi"), {}).name == "tinyllava"


def test_a_folder_of_that_name_goes_before_the_variant(tmp_path: Path) -> None:
    (tmp_path / "base-Sig-Phi").mkdir()
    assert weights.checkpoint("tinyllava", "base-Sig-Phi") == "base-Sig-Phi"


def test_other_words_are_handed_on() -> None:
    assert weights.checkpoint("tinyllava", None) is None
    with pytest.raises(ModelError, match="some/folder: no such folder"):
        weights.checkpoint("tinyllava", "some/folder")
    assert weights.checkpoint("echo", "anything") == "anything"
