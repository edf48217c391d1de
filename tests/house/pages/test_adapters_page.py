"""The commands of docs/models/adapters.md run: against a server with eyes, and with a stand-in for vLLM."""

from __future__ import annotations

import inspect
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.huggingface import tiny_hf
from tests.support import vllm_stand_in
from tests.support.toys import png
from tests.support.vision_server import Seeing
from vlmbench.cli import main as cli
from vlmbench.models.servers import openai, vllm
from vlmbench.plugins import specs as loading

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "models" / "adapters.md").read_text("utf-8")
FENCED = [
    line for block in re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()
]
COMMANDS = [line for line in FENCED if line.startswith("vlmbench ")]
SERVER = "http://127.0.0.1:8000/v1"


@pytest.fixture(scope="module")
def server() -> Iterator[Seeing]:
    with Seeing() as made:
        yield made


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_hf.checkpoint("llava", tmp_path_factory.mktemp("llava"))


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_of_the_page(
    line: str,
    server: Seeing,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setitem(sys.modules, "vllm", vllm_stand_in.module(vllm_stand_in.Script()))
    (tmp_path / "picture.jpg").write_bytes(png((200, 0, 0)))
    words = shlex.split(line.replace(SERVER, server.url).replace("FOLDER", str(checkpoint)))[1:]
    spec = loading.parse_model(words[words.index("--model") + 1])
    if spec.name == "openai" and "base_url" not in spec.options:
        assert loading.load_model(spec, {}).name == "openai:gpt-4o-mini"  # it would be asked for money
        return
    assert cli.main(words) == 0, capsys.readouterr().err
    if "--verify-backend" in words:
        told = capsys.readouterr().err
        count = words[words.index("--verify-backend") + 1]
        assert f"--verify-backend: {count} of {count} answers equal those of " in told


def test_the_page_tells_every_option() -> None:
    """And no other: those of both adapters."""
    told = {word for row in re.findall(r"^\| (`[^|]+) \|", PAGE, re.MULTILINE) for word in re.findall(r"`(\w+)`", row)}
    assert told == {
        name
        for load in (openai.load, vllm.load)
        for name, parameter in inspect.signature(load).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
