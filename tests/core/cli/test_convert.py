"""`vlmbench convert` from the outside: what it prints, writes and refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models import tiny
from tests.models.checkpoints.official import KINDS, make
from vlmbench.cli.main import main


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = make(tmp_path / "official", kind)
    ours, back = tmp_path / "ours", tmp_path / "back"
    assert main(["convert", str(files.pth), str(ours), "--system", files.system, *files.cli_options()]) == 0
    said = capsys.readouterr()
    assert said.out == f"{ours}\n"
    assert f"{files.system}: minigpt-pth to vlmbench" in said.err
    for file in (files.pth, files.vit, files.llm):
        assert str(file) in said.err
    assert f"not used of {files.vit}: mask_token, norm.weight, norm.bias" in said.err
    assert main(["convert", str(ours), str(back)]) == 0
    assert f"{files.system}: vlmbench to minigpt-pth" in capsys.readouterr().err
    assert (back / "checkpoint.pth").is_file()


def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = make(tmp_path / "official", "minigptv2")
    ours = tmp_path / "ours"
    words = ["convert", str(files.pth), str(ours)]
    for more, said in (
        ([], "eva_vit_g.pth is needed too"),
        (["--system", "tinyllava", *files.cli_options()], "holds what MiniGPT-v2 trains"),
        (["--to", "legacy", *files.cli_options()], "minigptv2 cannot be written as legacy"),
        (["--to", "nonsense"], "no checkpoint format named 'nonsense'"),
    ):
        assert main([*words, *more]) == 2
        assert said in capsys.readouterr().err
    assert not ours.exists()
    assert main([*words, *files.cli_options()]) == 0
    assert main([*words, *files.cli_options()]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main([*words, *files.cli_options(), "--overwrite"]) == 0
    (tmp_path / "page.html").write_text("<html>", "utf-8")
    assert main(["convert", str(tmp_path / "page.html"), str(tmp_path / "x")]) == 2
    assert "no checkpoint" in capsys.readouterr().err
    assert main(["convert", str(tmp_path / "nowhere"), str(tmp_path / "x")]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["official", "ours", "page.html"]


def test_tinyllava(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.build(tmp_path / "words", tiny.config()).save(tmp_path / "factory")
    source, stages, ours, again = (str(tmp_path / name) for name in ("factory", "stages", "ours", "again"))
    assert main(["convert", source, stages]) == 2
    assert "is in our format already" in capsys.readouterr().err
    assert main(["convert", source, stages, "--to", "factory_stages"]) == 0
    assert "tinyllava: factory to factory_stages" in capsys.readouterr().err
    assert main(["convert", stages, ours]) == 0
    assert "tinyllava: factory_stages to factory" in capsys.readouterr().err
    assert main(["convert", ours, again]) == 0  # back to what it came from
    assert "tinyllava: factory to factory_stages" in capsys.readouterr().err
    assert main(["convert", source, str(tmp_path / "x"), "--system", "minigpt4"]) == 2
    assert "is of tinyllava, not minigpt4" in capsys.readouterr().err
