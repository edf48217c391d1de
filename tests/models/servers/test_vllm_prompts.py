"""What vLLM is asked, without vLLM: the ids of transformers' own processor for every kind of template, and refusals."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections import deque
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models.huggingface import tiny_hf
from tests.support import vllm_stand_in
from tests.support.toys import png
from vlmbench.base.errors import ModelError
from vlmbench.base.samples import Generation, ImageRef, Request
from vlmbench.data.images import decoding as images
from vlmbench.models.huggingface import load as hf
from vlmbench.models.servers import vllm, vllm_process, vllm_ranking
from vlmbench.models.servers.vllm_prompts import Conversations, Rendered, open_prompts, refuse_other_choice
from vlmbench.models.servers.vllm_ranking import ranking

pytestmark = pytest.mark.slow

PARTS = tiny_hf.CHAT.replace("IMAGE", "<image>")
CONTENT = (
    "{% for m in messages %}{% if m['role'] == 'user' %}USER: {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>\n{% else %}{{ c['text'] }}{% endif %}{% endfor %} ASSISTANT:"
    "{% else %} {{ m['content'] }}{% endif %}{% endfor %}"
)
"""Prints an answer's content as it comes, as many templates do."""
TEMPLATES = {
    "the tokenizer adds <s>": PARTS,
    "the template writes <s>": "{{ bos_token }}" + PARTS,
    "the template prints contents": CONTENT,
}
PICTURE = ImageRef("1.png", partial(bytes, png((9, 0, 90))))
SHORT = Generation(4)
REQUESTS = (
    Request("one", "Is it red?", (PICTURE,), generation=SHORT),
    Request("text", "Who are you?", (), generation=SHORT),
    Request("two", "Which?", (PICTURE, PICTURE), generation=SHORT),
    Request("talk", "Why?", (PICTURE,), history=(("Is it red?", "yes"), ("Sure?", "quite sure")), generation=SHORT),
    Request("rank", "Is it red?", (PICTURE,), choices=("a", "b"), generation=SHORT),
    Request("words", "Is it red?", (PICTURE,), choices=("no", "no way", "not"), generation=SHORT),
    Request("later", "Why?", (PICTURE,), choices=("x", "yes"), history=(("Is it red?", "yes"),), generation=SHORT),
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_hf.checkpoint("llava", tmp_path_factory.mktemp("llava"))


@pytest.fixture(params=TEMPLATES)
def folder(original: Path, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    copy = Path(shutil.copytree(original, tmp_path / "copy"))
    (copy / "chat_template.jinja").write_text(TEMPLATES[request.param], "utf-8")
    return str(copy)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> vllm_stand_in.Script:
    made = vllm_stand_in.Script()
    monkeypatch.setitem(sys.modules, "vllm", vllm_stand_in.module(made))
    return made


def load(folder: str | Path, **options: Any) -> vllm.InProcess:
    made = vllm.load(str(folder), **options)
    assert isinstance(made, vllm.InProcess)
    return made


def answers(model: Any, requests: Any = REQUESTS) -> dict[str, Any]:
    return {request.sample_id: response for request, response in model.answer([list(requests)])}


def turns(request: Request, answer: str = "") -> list[dict[str, Any]]:
    """A request as transformers' own chat messages, which all three templates take."""
    made: list[dict[str, Any]] = []
    marks = [{"type": "image"}] * len(request.images)
    for question, said in (*request.history, (request.prompt, answer)):
        made.append({"role": "user", "content": [*marks, {"type": "text", "text": question}]})
        made += [{"role": "assistant", "content": said}] if said else []
        marks = []
    return made


def test_prompts_are_those_of_transformers_own_processor(folder: str, script: vllm_stand_in.Script) -> None:
    """Single turns, dialogues and ranked choices: the ids that the engine reads, by the processor's own way."""
    prompts = Rendered(open_prompts(folder, commit="", trusted=False, way=""))
    processor = prompts.prompts.processor
    engine = vllm_stand_in.module(script).LLM(folder)
    for request in REQUESTS:
        pictures = [images.decode(picture.load(), picture.name) for picture in request.images]
        made = prompts.made(request, pictures)
        for choice, prompt, expected in [
            ("", made.open_prompt, made.ids),
            *zip(request.choices, made.choices, made.choice_ids, strict=True),
        ]:
            text = processor.apply_chat_template(
                turns(request, choice),
                add_generation_prompt=not choice,
                continue_final_message=bool(choice),
            )
            bos = text.startswith("<s>")
            own = processor(
                text=[text], images=[pictures] if pictures else None, return_tensors="pt", add_special_tokens=not bos
            )
            ids = tuple(own["input_ids"][0].tolist())
            assert tuple(expected) == ids and ids.count(1) == 1 and ids[0] == 1
            read = engine._expanded(prompt["prompt_token_ids"], len(pictures))
            assert tuple(read) == ids, (request.sample_id, choice)
            assert prompt.get("multi_modal_data", {}).get("image", []) == pictures


@pytest.mark.parametrize("params", [vllm_stand_in.SamplingParams, vllm_stand_in.OldSamplingParams])
def test_answers_and_rankings_are_those_of_hf(folder: str, monkeypatch: pytest.MonkeyPatch, params: type) -> None:
    script = vllm_stand_in.Script()
    monkeypatch.setitem(sys.modules, "vllm", vllm_stand_in.module(script, params=params))
    ours, theirs = answers(load(folder)), answers(hf.load(folder, engine="simple"))
    for name, response in ours.items():
        other = theirs[name]
        assert (response.text, response.finish, response.error) == (other.text, other.finish, other.error)
        assert (response.prompt_tokens, response.new_tokens) == (other.prompt_tokens, other.new_tokens)
        assert response.margin == pytest.approx(other.margin, abs=1e-3)
        assert [(one.choice, one.tokens) for one in response.choices] == [
            (one.choice, one.tokens) for one in other.choices
        ]
        assert [one.logprob for one in response.choices] == pytest.approx(
            [one.logprob for one in other.choices], abs=1e-3
        )
    named = [one for one in script.params if one.logprob_token_ids]
    assert bool(named) == (params is vllm_stand_in.SamplingParams)


def test_choices_of_one_token_cost_one_prompt(original: Path, script: vllm_stand_in.Script) -> None:
    [response] = answers(load(original), [REQUESTS[4]]).values()
    assert [len(call) for call in script.calls] == [1] and len(response.choices) == 2
    answers(load(original), [REQUESTS[5]])
    assert len(script.calls[-1]) == 3, "longer ones in a short prompt: each choice once"


def test_long_prompts_are_ranked_step_by_step(original: Path, script: vllm_stand_in.Script) -> None:
    """Each place once where choices share their beginnings, with all tokens that come next there."""
    long = replace(REQUESTS[5], prompt="Is it red? " * 60)
    [ours], [theirs] = (answers(model, [long]).values() for model in (load(original), hf.load(str(original))))
    steps = [text.rpartition("<end>")[2] for text in script.calls[-1]]
    assert steps == ["", "n", "no", "no ", "no w", "no wa"]  # "not" goes on behind "no", too
    assert [len(one.logprob_token_ids) for one in script.params] == [1, 1, 2, 1, 1, 1]
    assert [one.logprob for one in ours.choices] == pytest.approx([one.logprob for one in theirs.choices], abs=1e-3)
    assert [one.tokens for one in ours.choices] == [2, 6, 3]


def test_more_tokens_than_vllm_tells_of_at_once(original: Path, script: vllm_stand_in.Script) -> None:
    """The tokens of one place in several requests."""
    many = tuple(chr(33 + at) for at in range(94))
    for most, calls in ((128, 1), (40, 3)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(vllm_ranking, "MOST_NAMED", most)
            [ours] = answers(load(original), [replace(REQUESTS[4], choices=many)]).values()
            [theirs] = answers(hf.load(str(original)), [replace(REQUESTS[4], choices=many)]).values()
        assert len(script.calls[-1]) == calls
        assert [one.logprob for one in ours.choices] == pytest.approx([one.logprob for one in theirs.choices], abs=1e-3)


def test_the_clock_stands_still(original: Path, tmp_path: Path, script: vllm_stand_in.Script) -> None:
    copy = Path(shutil.copytree(original, tmp_path / "copy"))
    (copy / "chat_template.jinja").write_text("{{ strftime_now('%d %b %Y %f ') }}" + PARTS, "utf-8")
    model = load(copy)
    answers(model, REQUESTS[:1])
    assert "26 Jul 2024 000000" in script.calls[0][0] and model.settings["template_date"] == "2024-07-26"
    from transformers.utils import chat_template_utils

    assert chat_template_utils.datetime.now().year > 2024


def test_another_prompt_than_the_processors_is_refused(original: Path, script: vllm_stand_in.Script) -> None:
    script.doubled_pictures = True
    found = answers(load(original))
    assert {name for name, response in found.items() if response.finish == "error"} == set(found) - {"text"}
    assert "vLLM reads another prompt (" in found["one"].error
    with pytest.raises(ModelError, match="fails on every question: vLLM reads another prompt"):
        answers(load(original), [replace(REQUESTS[0], sample_id=str(number)) for number in range(30)])


def test_what_hf_refuses_is_refused_in_the_same_words(original: Path, script: vllm_stand_in.Script) -> None:
    odd = (
        Request("mark", "What is <image> here?", (PICTURE,)),
        Request("empty", "Which?", (PICTURE,), choices=("yes", "")),
        Request("gone", "What?", (ImageRef("gone.png", partial(_gone, "gone.png")),)),
    )
    ours, theirs = answers(load(original), odd), answers(hf.load(str(original), engine="simple"), odd)
    assert {name: one.error for name, one in ours.items()} == {name: one.error for name, one in theirs.items()}
    assert "<image>, which this model reads as an image" in ours["mark"].error


def _gone(name: str) -> bytes:
    from vlmbench.base.errors import ImageError

    raise ImageError("no such picture", where=name)


def test_without_a_processor_vllm_words_the_questions(
    folder: str, script: vllm_stand_in.Script, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """<s> once, whoever writes it; answers that a template prints as a list are refused, never scored."""
    expected = answers(hf.load(folder, engine="simple"))

    def none(*_: Any, **__: Any) -> Any:
        raise OSError("no processor")

    monkeypatch.setattr(vllm, "open_prompts", none)
    with caplog.at_level(logging.WARNING):
        model = load(folder)
    assert "vLLM makes the prompts, since transformers cannot: no processor" in caplog.text
    assert model.settings["prompting"] == "vllm"
    found = answers(model)
    lists = any("'type'" in text for call in script.calls for text in call)
    for name, response in found.items():
        if lists:
            assert response.finish == "error" or name in ("one", "text", "two")
        else:
            assert (response.text, response.prompt_tokens) == (expected[name].text, expected[name].prompt_tokens)
            assert [one.logprob for one in response.choices] == pytest.approx(
                [one.logprob for one in expected[name].choices], abs=1e-3
            )
    if lists:
        assert "Python list" in found["talk"].error and "not the choice" in found["words"].error


def test_an_older_vllm_that_loses_the_first_token_is_refused(original: Path, script: vllm_stand_in.Script) -> None:
    from transformers import AutoTokenizer

    conversations = Conversations(AutoTokenizer.from_pretrained(original))
    request = REQUESTS[1]
    whole = conversations.tokenizer(f"<start>{request.prompt}<end>")["input_ids"]
    conversations.check(request, whole, ())
    for read in (whole[1:], [1, *whole]):
        with pytest.raises(ModelError, match=f"begins with {read[:2].count(1)} of the token"):
            conversations.check(request, read, ())
    with pytest.raises(ModelError, match="are not in the prompt"):
        conversations.check(replace(request, prompt="Other words?"), whole, ())


@pytest.mark.parametrize("tail", ["[{'type': 'text', 'text': 'yes'}]", "no", "", "yess"])
def test_only_the_choice_is_scored(original: Path, tail: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(original)

    def ids(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    refuse_other_choice(tokenizer, ids(" yes"), "yes")
    refuse_other_choice(tokenizer, ids("Yes  sir"), " Yes sir")
    with pytest.raises(ModelError, match="not the choice 'yes'"):
        refuse_other_choice(tokenizer, ids(tail), "yes")


def test_a_dead_engine_ends_the_run_at_once(original: Path, script: vllm_stand_in.Script) -> None:
    script.dies_after = 1
    model = load(original, batch_size=1)
    with pytest.raises(ModelError, match="engine died") as failure:
        list(model.answer([[request] for request in REQUESTS]))
    assert "run the same command" in failure.value.hint and len(script.calls) == 1


@pytest.mark.parametrize("known", [True, False])
def test_the_engines_log_goes_to_stderr(
    known: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a vLLM that knows VLLM_LOGGING_STREAM, and in one that does not."""
    for name in ("VLLM_LOGGING_STREAM", "VLLM_LOGGING_LEVEL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    if known:
        monkeypatch.setenv("VLLM_LOGGING_STREAM", "ext://sys.stderr")
    monkeypatch.setitem(sys.modules, "vllm", vllm_stand_in.module(vllm_stand_in.Script(breaks="broken")))
    with pytest.raises(RuntimeError, match="core initialization failed"):
        vllm_process.module().LLM("x")
    told = capsys.readouterr()
    assert not told.out and "Initializing a V1 LLM engine" in told.err
    assert os.environ["VLLM_LOGGING_STREAM"] == "ext://sys.stderr"


def test_sigterm_ends_as_an_exit_while_an_engine_lives() -> None:
    code = """
import atexit, os, signal, time
from vlmbench.models.servers import vllm_process
atexit.register(lambda: print("engine ended", flush=True))
vllm_process.end_with_this_process()
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(20)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 128 + signal.SIGTERM and done.stdout == "engine ended\n"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("(EngineCore pid=7) ERROR 11-29 10:00:00 [core.py:1] ValueError: Available memory 20.5", "Available memory"),
        ("ERROR 11-29 10:00:00 [core.py:1] KeyError: no module 'vision_tower'", "no module 'vision_tower'"),
        ("ValueError: too small", "too small"),
        (
            "(Worker pid=9) ERROR 11-29 10:00:00 [multiproc_executor.py:953] ValueError: no parameter 'x'",
            "no parameter",
        ),
        ("INFO 11-29 all is well", ""),
    ],
)
def test_the_last_reason_of_a_log(line: str, reason: str) -> None:
    elsewhere = "Exception: WorkerProc initialization failed. See stack trace for root cause."
    frames = ["(EngineCore pid=7) ERROR 11-29 [core.py:1]     raise e from None", elsewhere] if reason else []
    found = vllm_process.last_reason(deque(["INFO begun", line, *frames, "INFO 11-29 shutting down"]))
    assert (reason in found and not found.startswith(("ERROR", "("))) if reason else not found


def test_settings_hold_what_decides_answers_alone(original: Path, script: vllm_stand_in.Script) -> None:
    plain = load(original).settings
    assert plain == {"engine": "vllm", "prompting": "chat", "dtype": "auto", "tensor_parallel_size": 1}
    for changes in (
        {"max_model_len": 4096},
        {"gpu_memory_utilization": 0.3},
        {"images_per_prompt": 4},
        {"batch_size": 9},
    ):
        assert load(original, **changes).settings == plain
    assert load(original, dtype="bfloat16").settings != plain
    assert load(original, prompting="user").settings["prompting"] == "user"


def test_a_cpu_gets_a_share_of_memory_that_is_there(
    original: Path, script: vllm_stand_in.Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cpu, share in ((True, 0.3), (False, 0.9)):
        monkeypatch.setattr(vllm_process, "on_cpu", lambda cpu=cpu: cpu)
        answers(load(original), REQUESTS[:1])
        assert script.made_with[-1]["gpu_memory_utilization"] == share
    answers(load(original, gpu_memory_utilization=0.5), REQUESTS[:1])
    assert script.made_with[-1]["gpu_memory_utilization"] == 0.5


def test_nothing_is_left_out_of_the_stand_in(original: Path, script: vllm_stand_in.Script) -> None:
    """A ranked question by hand: what vLLM tells of named tokens is what the network says."""
    prompts = Rendered(open_prompts(str(original), commit="", trusted=False, way=""))
    request = REQUESTS[4]
    pictures = [images.decode(picture.load(), picture.name) for picture in request.images]
    entry = ranking(request, prompts.made(request, pictures), prompts)
    [(prompt, params)] = entry.prompts
    [out] = vllm_stand_in.module(script).LLM(str(original)).generate([prompt], [params], use_tqdm=False)
    told = {token: one.logprob for token, one in out.outputs[0].logprobs[0].items()}
    model = hf.load(str(original), engine="simple").hf.model
    tensors = prompts.prompts.prompt(prompts.prompts.text(request.prompt, 1), pictures)
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([tensors.ids]), **tensors.media.tensors).logits[0, -1].log_softmax(-1)
    for token in params.logprob_token_ids:
        assert told[token] == pytest.approx(float(logits[token]), abs=1e-4)
    assert json.dumps(entry.read([out]).margin)
