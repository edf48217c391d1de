"""What is said when a transformers checkpoint cannot be opened or asked: the reason, and a hint that fits."""

from __future__ import annotations

import json
import re
import shutil
from functools import partial
from pathlib import Path

import pytest

from tests.models.huggingface import tiny_hf
from tests.support.toys import png
from vlmbench.base.errors import ModelError
from vlmbench.base.samples import ImageRef, Request, Response
from vlmbench.models.huggingface import load as hf
from vlmbench.models.huggingface.loading.load_errors import OTHERWISE, PACKAGES, hint_for, short_message

SAID = {
    "PixtralProcessor requires the Torchvision library but it was not found in your environment.": "torchvision",
    "Using a `bitsandbytes` 4-bit quantized model requires bitsandbytes: `pip install -U bitsandbytes`": "bitsandbytes",
    "Loading an AWQ quantized model requires gptqmodel. Please install it": "gptqmodel",
    "Using `compressed_tensors` quantized models requires the compressed-tensors library": "compressed-tensors",
    "No module named 'num2words'": "num2words",
    "TimmWrapperModel requires the timm library but it was not found in your environment.": "timm",
    "FlashAttention2 has been toggled on, but it cannot be used: the package flash_attn is not installed": "flash",
    "LlamaTokenizer requires the SentencePiece library but it was not found in your environment.": "sentencepiece",
}


@pytest.mark.parametrize("said", SAID)
def test_a_package_that_is_missing_is_named(said: str) -> None:
    hint = hint_for(ImportError(said))
    assert hint.startswith("pip install ") and SAID[said] in hint and "vlmbench[" not in hint


def test_every_package_has_its_words() -> None:
    for pattern, package in PACKAGES.items():
        name = re.sub(r"\[-_\]", "-", pattern).partition("|")[0]
        assert hint_for(ImportError(f"this needs {name}, which is not installed")) == f"pip install {package}"


OTHERS = {
    "Unrecognized configuration class <class 'Phi4'> for this kind of AutoModel": "AutoModelForImageTextToText",
    "The checkpoint has model type `new_vl` but Transformers does not recognize this architecture.": "pip install -U",
    "x contains custom code which must be executed. pass the argument `trust_remote_code=True`": "--trust-remote-code",
    "Error no file named model.safetensors found in directory x.": "must be safetensors",
    "Error while deserializing header: incomplete metadata, file not fully covered": "damaged",
    "x is not a local folder and is not a valid model identifier listed on the hub": "spelled there",
    "something nobody has seen": OTHERWISE,
}


@pytest.mark.parametrize("said", OTHERS)
def test_other_reasons_have_their_cures(said: str) -> None:
    assert OTHERS[said] in hint_for(ValueError(said))


def test_long_words_are_shortened_to_a_line() -> None:
    told = short_message(OSError("first\n\n  second\n" + "x" * 5000))
    assert told.startswith("first second xxx") and len(told) < 500 and "\n" not in told
    assert short_message(KeyError()) == "KeyError"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_hf.checkpoint("llava", tmp_path_factory.mktemp("llava"))


def one(model: hf.HfModel, prompt: str, **more: tuple[str, ...]) -> Response:
    picture = ImageRef("1.png", partial(bytes, png((9, 9, 200))))
    [(_, response)] = model.answer([[Request("one", prompt, (picture,), **more)]])  # type: ignore[arg-type]
    return response


def test_marks_of_pictures_in_a_question(folder: Path) -> None:
    model = hf.load(str(folder), engine="simple")
    for said in (one(model, "What is <image>?"), one(model, "Which?", choices=("an <image>", "no"))):
        assert said.finish == "error" and "holds <image>, which this model reads as an image" in said.error
    assert one(model, "What is <images> or < image >?").finish != "error"


def test_tokens_beyond_the_embedding_are_named(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    told = json.loads((copy / "tokenizer.json").read_text("utf-8"))
    last = max(told["model"]["vocab"].values())
    added = {**told["added_tokens"][0], "id": last + 1, "content": "<new>", "special": False}
    told["added_tokens"].append(added)
    (copy / "tokenizer.json").write_text(json.dumps(told), "utf-8")
    model = hf.load(str(copy), engine="simple")
    said = one(model, "What is <new>?")
    assert said.finish == "error" and "(<new>) beyond the" in said.error and "resize_token_embeddings" in said.error
    assert one(model, "What is new?").finish != "error"


def test_a_template_without_words_names_the_option(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "chat_template.jinja").write_text("nothing", "utf-8")
    with pytest.raises(ModelError) as failure:
        hf.load(str(copy), engine="simple")
    assert "prompting=plain" in failure.value.hint
    assert hf.load(f"{copy}", engine="simple", prompting="plain").settings["prompting"] == "plain"


def test_the_date_in_a_template_is_always_the_same(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    template = (copy / "chat_template.jinja").read_text("utf-8")
    clock = "{%- set date_string = strftime_now('%d %b %Y %H:%M:%S.%f') %}{{ date_string }} "
    (copy / "chat_template.jinja").write_text(clock + template, "utf-8")
    model = hf.load(str(copy), engine="simple")
    assert model.hf.prompts.text("Why?", 0).startswith("26 Jul 2024 12:00:00.000000 ")
    assert model.settings["template_date"] == "2024-07-26"
    assert "template_date" not in hf.load(str(folder), engine="simple").settings
