"""Opening transformers checkpoints: options, fingerprints, what is refused, and the main job over one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models.huggingface import tiny_hf
from tests.models.huggingface.asking import noisy, questions
from vlmbench.base.errors import ModelError, UnknownNameError, UsageError
from vlmbench.base.model import SupportsLogprobs, SupportsMultiTurn
from vlmbench.base.samples import Generation, Request
from vlmbench.cli import main as cli
from vlmbench.models.checkpoints import fingerprints
from vlmbench.models.engine.quantize import Int4Linear
from vlmbench.models.huggingface import load as hf
from vlmbench.models.huggingface.batching import BatchQueue, BatchSize
from vlmbench.plugins import specs as loading


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_hf.checkpoint("llava", tmp_path_factory.mktemp("llava"))


def opened(folder: Path, **options: Any) -> Any:
    return loading.load_model(loading.parse_model(f"hf:{folder}"), options)


@pytest.mark.parametrize("kind", ["llava", "llava_next", "idefics3", "gemma3", "blip2", "mllama"])
def test_a_saved_checkpoint_answers_as_the_model_itself(tmp_path: Path, kind: str) -> None:
    from tests.models.huggingface.asking import ask, system

    model = opened(tiny_hf.checkpoint(kind, tmp_path))
    groups = questions(2, 3)
    said = {request.sample_id: response.text for request, response in model.answer(groups)}
    assert said == ask(system(kind), groups).texts
    assert model.facts["parameters"] == sum(one.numel() for one in model.hf.model.parameters())


def test_what_it_tells_of_itself(folder: Path) -> None:
    model = opened(folder)
    assert model.name == "hf"
    assert (isinstance(model, SupportsLogprobs), isinstance(model, SupportsMultiTurn)) == (True, True)
    assert (model.supports_logprobs, model.supports_multi_turn) == (True, True)
    expected = {"engine": "shared", "exact": False, "device": "cpu", "prompting": "chat", "dtype": "float32"}
    assert model.settings == expected
    assert (model.facts["sharing"], model.facts["visual_tokens"]) == ("yes", 4)
    assert not opened(folder, prompting="plain").supports_multi_turn
    quantized = opened(folder, quantize="int4", engine="simple")
    assert quantized.settings["quantize"] == "int4"
    layers = [module for module in quantized.hf.model.modules() if isinstance(module, Int4Linear)]
    assert layers
    assert all(
        isinstance(one, torch.nn.Linear)
        for one in quantized.hf.model.model.multi_modal_projector.children()
        if hasattr(one, "weight")
    )
    assert quantized.facts["weight_bytes"] < model.facts["weight_bytes"]


def test_options_reach_the_network(folder: Path) -> None:
    assert opened(folder, dtype="bfloat16").hf.model.dtype == torch.bfloat16
    eager = opened(folder, attention="eager")
    assert eager.hf.model.get_decoder().config._attn_implementation == "eager"
    assert eager.settings["attention"] == "eager"
    assert opened(folder, batch_size="7").facts["batch"] == 7
    half = opened(folder, dtype="bfloat16")
    assert half.settings["engine"] == "shared"
    said = dict(half.answer(questions(1, 3)))
    assert all(response.finish != "error" for response in said.values())


def test_the_fingerprint_is_of_the_content(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "another-name"))
    assert fingerprints.of_folder(copy) == fingerprints.of_folder(folder)
    (copy / "README.md").write_text("words", "utf-8")
    assert fingerprints.of_folder(copy) == fingerprints.of_folder(folder)
    template = copy / "chat_template.jinja"
    template.write_text(template.read_text("utf-8") + " ", "utf-8")
    assert fingerprints.of_folder(copy) != fingerprints.of_folder(folder)


def test_generation_settings_of_the_checkpoint_do_not_rule(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    told = json.loads((copy / "generation_config.json").read_text("utf-8"))
    loud = {**told, "do_sample": True, "temperature": 3.0, "repetition_penalty": 5.0, "eos_token_id": [2, 7]}
    (copy / "generation_config.json").write_text(json.dumps(loud), "utf-8")
    groups = questions(2, 3)
    plain, own = opened(folder), opened(copy)
    assert own.hf.end_ids == frozenset({2, 7})
    texts = [{one.sample_id: two.text for one, two in model.answer(groups)} for model in (plain, own)]
    assert texts[0] == texts[1]


def test_what_cannot_be_opened(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="which model"):
        hf.load(None)
    with pytest.raises(ModelError, match="not a folder"):
        opened(folder / "config.json")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="cannot open it"):
        opened(tmp_path / "empty")
    with pytest.raises(UnknownNameError, match="dtype"):
        opened(folder, dtype="float8")
    with pytest.raises(UsageError, match="threads"):
        opened(folder, threads=-1)
    with pytest.raises(UsageError, match="has no --batch-size"):
        loading.load_model(loading.parse_model("echo"), {"batch_size": "4"})


def test_pickled_weights_are_not_opened(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "model.safetensors").unlink()
    torch.save({}, copy / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot open it"):
        opened(copy)


def test_code_of_a_checkpoint_runs_only_when_told(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "own.py").write_text("raise SystemExit('the code of the checkpoint ran')\n", "utf-8")
    told = json.loads((copy / "config.json").read_text("utf-8"))
    told |= {
        "model_type": "own",
        "auto_map": {name: "own.Own" for name in ("AutoConfig", "AutoModelForImageTextToText")},
    }
    (copy / "config.json").write_text(json.dumps(told), "utf-8")
    with pytest.raises(ModelError, match="--trust-remote-code") as failure:
        opened(copy)
    assert "the code of the checkpoint ran" not in str(failure.value)
    with pytest.raises(SystemExit, match="the code of the checkpoint ran"):
        opened(copy, trust_remote_code=True)


def test_the_main_job_over_a_transformers_model(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--model", f"hf:{folder}", "--tasks", "pope@lmms_eval", "--limit", "12", "--batch-size", "4"]
    assert cli.main([*words, "--output", str(tmp_path / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pope@lmms_eval"]["statuses"] == {"ok": 12}
    manifest = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert manifest["model"]["facts"]["sharing"] == "yes"
    assert manifest["model"]["facts"]["engine_packed"] > 0


def test_a_gpus_batch_grows_while_memory_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    size, shares = BatchSize("auto", torch.device("cuda")), iter([0.1, 0.3, 0.5, 0.5])
    monkeypatch.setattr(BatchSize, "_share", lambda self: next(shares))
    seen = []
    for _ in range(4):
        size.worked(size.now, size.now)
        seen.append(size.now)
    assert seen == [8, 16, 16, 16]
    size.worked(16, 4)
    size.worked(4, 4)
    assert (size.now, size.grows) == (4, False)
    assert (BatchSize("auto", torch.device("cpu")).now, BatchSize("6", torch.device("cuda")).now) == (1, 6)


def test_questions_wait_for_others_of_their_kind(folder: Path) -> None:
    system = opened(folder).hf
    from vlmbench.data.images import decoding as images

    picture = images.decode(noisy(0).load())
    shown = [(noisy(0),) * (at % 2) for at in range(5)]
    asked = [Request(str(at), "what?", pictures, (), Generation(2)) for at, pictures in enumerate(shown)]
    made = [system.question(request, [picture] * len(request.images)) for request in asked]
    waiting = BatchQueue(BatchSize("2", torch.device("cpu")))
    batches = [[one.requests[0].sample_id for one in batch] for question in made for batch in waiting.add(question)]
    rest = [[one.requests[0].sample_id for one in batch] for batch in waiting.rest()]
    assert (batches, rest) == ([["0", "2"], ["1", "3"]], [["4"]])


@pytest.mark.slow
def test_a_model_in_memory_answers_through_the_api(folder: Path, tmp_path: Path) -> None:
    """As the same weights by path do; other weights have another fingerprint."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    import vlmbench

    model = AutoModelForImageTextToText.from_pretrained(folder)
    processor = AutoProcessor.from_pretrained(folder, backend="pil")
    by_object = vlmbench.evaluate(model, "pope", processor=processor, limit=8, output=tmp_path / "object")
    by_path = vlmbench.evaluate(f"hf:{folder}", "pope", limit=8, output=tmp_path / "path")
    assert list(by_object.records["text"]) == list(by_path.records["text"])
    mark = hf.object_fingerprint(model, processor)
    assert mark == hf.object_fingerprint(model, processor)
    with torch.no_grad():
        next(model.parameters()).add_(1)
    assert hf.object_fingerprint(model, processor) != mark
