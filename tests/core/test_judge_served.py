"""The judge against a server that is not ours: `transformers serve` with a tiny random model, and faults in front."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.judge_server import FaultProxy, Judging
from tests.judge_toys import chosen, judge_all
from vlmbench.judge import open_judge
from vlmbench.nouns import Status

NEEDED = ("accelerate", "fastapi", "uvicorn", "multipart")
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"


def make_model(folder: Path) -> None:
    """A Llama of two layers that knows nothing, and a tokenizer of bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bare = Tokenizer(models.BPE())
    bare.pre_tokenizer, bare.decoder = letters, decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>", "</s>"], initial_alphabet=letters.alphabet(), show_progress=False
    )
    bare.train_from_iterator(["grade 0.5 0.1"], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bare, bos_token="<s>", eos_token="</s>", pad_token="</s>")
    tokenizer.chat_template = TEMPLATE
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = LlamaConfig(vocab_size=len(tokenizer), bos_token_id=0, eos_token_id=1, **sizes)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Name and port of a served model; a skip where the server's packages are not installed."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        pytest.skip(f"`transformers serve` needs {', '.join(missing)}: pip install 'vlmbench[test]'")
    folder, port = tmp_path_factory.mktemp("tiny"), free_port()
    make_model(folder)
    words = [str(Path(sys.executable).with_name("transformers")), "serve", "--device", "cpu", "--port", str(port)]
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*words, "--host", "127.0.0.1"], stdout=log, stderr=log, env=env)
        try:
            wait_for(f"http://127.0.0.1:{port}/health", process, folder / "log")
            yield str(folder), port
        finally:
            process.terminate()
            process.wait(20)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the server answers."""
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


def test_a_real_server_behind_faults(served: tuple[str, int], tmp_path: Path) -> None:
    """Every ask gets the model's own reply, cut at three tokens; a rerun asks nothing.

    What a random model says is no grade: each verdict is judge_failed, with both replies kept.
    """
    name, port = served
    upstream = Judging()
    upstream.port = port
    with FaultProxy(upstream, hang=0.1) as proxy:
        limits = "rpm=60000,timeout=60,deadline=90,attempts=40,backoff=0.01,in_flight=4"
        spec = f"openai:{name},base_url={proxy.url},{limits}"
        for calls in (True, False):
            with open_judge(spec, tmp_path) as judge:
                scores = judge_all(judge, chosen(20))
                facts = judge.facts()
            assert facts["replies"] == (40 if calls else 0) and facts["cached"] == (0 if calls else 40)
    verdicts = [score.verdicts[0] for score in scores.values()]
    assert {verdict.status for verdict in verdicts} == {Status.JUDGE_FAILED}
    assert {verdict.note for verdict in verdicts} == {"no number"} and all(len(v.replies) == 2 for v in verdicts)
    assert all(name in verdict.model for verdict in verdicts)
    assert sum(proxy.played.values()) > 3 and set(proxy.delivered.values()) == {2}


def test_it_tells_its_tokens(served: tuple[str, int], tmp_path: Path) -> None:
    name, port = served
    with open_judge(f"openai:{name},base_url=http://127.0.0.1:{port}/v1,timeout=60,deadline=90", tmp_path) as judge:
        judge_all(judge, chosen(2))
        facts = judge.facts()
    assert facts["completion_tokens"] <= 4 * 3 and 4 * 5 < facts["prompt_tokens"] < 4 * 40
