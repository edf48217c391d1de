"""The parts TinyLLaVA is made of, one by one: templates, tokenizers, pixels, towers, connectors, rows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tests.models.tiny import END, codegen, config, llama, picture
from vlmbench.base.errors import ModelError
from vlmbench.models.network import splice_images as splice
from vlmbench.models.parts.connector import connector
from vlmbench.models.parts.connector.connector import Connector, Widths
from vlmbench.models.parts.language.tokenizer import CLEANING, Tokenizer, read_tokenizer
from vlmbench.models.parts.prompts import templates
from vlmbench.models.parts.protocols import IGNORE, IMAGE_TOKEN, Turn
from vlmbench.models.parts.vision import preprocess as pixels
from vlmbench.models.parts.vision.preprocess import Preparation, Processor
from vlmbench.models.parts.vision.tower import VisionTower

SYSTEM = templates.SYSTEM
ENDS = {"phi": END, "llama": "</s>", "gemma": "<eos>", "qwen2_base": END, "qwen2_instruct": "<|im_end|>"}


@pytest.fixture(params=["phi", "llama", "legacy"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[templates.Template, Tokenizer]:
    """A template with a tokenizer of its family."""
    if request.param == "phi":
        files, name = codegen(tmp_path), "phi"
    else:
        files, name = llama(tmp_path, legacy=request.param == "legacy"), "llama"
    tokenizer = read_tokenizer(files)
    tokenizer.pad_id = tokenizer.unk_id
    return templates.find(name), tokenizer


# Templates.


@pytest.mark.parametrize("name", ENDS)
def test_the_written_dialogue(name: str) -> None:
    template, end = templates.find(name), ENDS[name]
    turns = [("What?\n<image>", "a cat."), ("Sure?", "yes")]
    expected = f"{SYSTEM}USER: <image>\nWhat? ASSISTANT: a cat.{end}USER: Sure? ASSISTANT: yes{end}"
    assert template.write(turns, image=True) == expected
    assert template.write([("What?", None)], image=True) == f"{SYSTEM}USER: <image>\nWhat? ASSISTANT:"
    assert template.write([("<image>\nWhat?", None)], image=False) == f"{SYSTEM}USER: What? ASSISTANT:"


def test_the_caption_form_throws_the_question_away() -> None:
    template = templates.find("pretrain")
    assert template.write([("Describe it.", "a dog")], image=True) == "<image>a dog\n"
    assert template.write([("Describe it.", "a dog")], image=False) == "a dog\n"


def test_only_answers_and_their_ends_are_learnt(pair: tuple[templates.Template, Tokenizer]) -> None:
    template, tokenizer = pair
    turns = [("What is it?", "a red square"), ("Sure?", "yes"), ("Why?", "no")]
    encoded = template.encode_for_training(turns, tokenizer, image=True, max_length=512)
    assert encoded.mismatch is None
    assert encoded.ids.count(IMAGE_TOKEN) == 1
    learnt = [token for token in encoded.labels if token != IGNORE]
    assert learnt == [token for token, label in zip(encoded.ids, encoded.labels, strict=True) if label != IGNORE]
    assert learnt.count(tokenizer.eos_id) == 3
    assert "".join(tokenizer.decode(learnt).split()) == "aredsquareyesno"


def test_training_goes_on_where_the_prompt_ends(pair: tuple[templates.Template, Tokenizer]) -> None:
    template, tokenizer = pair
    asked = template.prompt([Turn("What is it?", images=1)], tokenizer)
    answered = template.prompt([Turn("What is it?", images=1)], tokenizer, answer="a red square")
    encoded = template.encode_for_training([("What is it?", "a red square")], tokenizer, image=True, max_length=512)
    assert encoded.ids[: len(asked)] == tuple(asked)
    assert set(encoded.labels[: len(asked)]) == {IGNORE}
    assert (*answered, tokenizer.eos_id) == encoded.ids


def test_a_miscount_masks_the_sample_only_below_the_maximal_length(
    pair: tuple[templates.Template, Tokenizer],
) -> None:
    template, tokenizer = pair
    turns = [("Say ASSISTANT: now", "no")]
    short = template.encode_for_training(turns, tokenizer, image=False, max_length=512)
    assert short.mismatch is not None and set(short.labels) == {IGNORE}
    assert template.encode_for_training(turns, tokenizer, image=False, max_length=0).mismatch is None


def test_unknown_template() -> None:
    with pytest.raises(ModelError, match="no prompt template 'plain'"):
        templates.find("plain")


# Tokenizers.


def test_one_bos_in_front_and_none_behind_the_picture(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(llama(tmp_path))
    ids = templates.to_ids("a<image>b<image>", tokenizer)
    assert ids[0] == tokenizer.bos_id
    assert ids.count(int(tokenizer.bos_id or 0)) == 1
    first, last = (i for i, token in enumerate(ids) if token == IMAGE_TOKEN)
    assert (last - first, last) == (len(tokenizer.ids("b")), len(ids) - 1)


@pytest.mark.parametrize(
    ("text", "clean"),
    [("a dog , no ?", "a dog, no?"), ("it is n't 's 've", "it isn't's've"), ("a ' b", "a'b"), ("a  .", "a .")],
)
def test_cleaning(text: str, clean: str) -> None:
    assert CLEANING.sub("", text) == clean


def test_ids_are_remembered_but_cannot_be_spoilt(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(codegen(tmp_path))
    tokenizer.ids("yes the").append(7)
    assert tokenizer.ids("yes the")[-1] != 7
    assert tokenizer.decode(tokenizer.ids("yes the")) == "yes the"


# Pixels.


def test_square_and_pad_by_hand() -> None:
    processor = Processor(height=4, width=4, mean=(0.5, 0.25, 0.0), std=(0.5, 0.5, 0.5))
    image = Image.new("RGB", (4, 2), (255, 255, 255))
    assert np.array_equal(Preparation(processor)(image)[0], np.ones((4, 4)))
    padded = pixels.expand_to_square(image, processor)
    assert padded.size == (4, 4)
    assert [padded.getpixel((0, y)) for y in range(4)] == [(127, 63, 0), *[(255, 255, 255)] * 2, (127, 63, 0)]
    odd = pixels.expand_to_square(Image.new("RGB", (1, 4), (255, 255, 255)), processor)
    assert [odd.getpixel((x, 0)) == (255, 255, 255) for x in range(4)] == [False, True, False, False]


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (28, 28), (3, 90)])
def test_clip_keeps_the_shape_and_crops(size: tuple[int, int]) -> None:
    vision = config(vision="clip_vision_model")["vision_config"]
    processor = Processor.from_config(pixels.default_processor(vision))
    shown = Preparation(processor)(picture(size=size))
    assert shown.shape == (3, 28, 28) == (3, *processor.size)
    assert shown.dtype == torch.float32


def test_sizes_given_as_numbers_are_edges() -> None:
    told = {"size": 32, "crop_size": 28, "do_center_crop": True}
    assert Processor.from_config(told) == Processor(shortest=32, crop=(28, 28))
    with pytest.raises(ModelError, match="larger than the resized"):
        Processor.from_config({**told, "crop_size": 33})


# Vision towers.


@pytest.mark.parametrize("kind", ["siglip_vision_model", "clip_vision_model"])
@pytest.mark.parametrize("layer", [-1, -2, -3, 0, 2])
def test_the_tap_is_bit_equal_and_skips_the_rest(kind: str, layer: int) -> None:
    told = config(vision=kind)["vision_config"]
    tower = VisionTower(told, layer, "cls_patch").eval()
    image = torch.randn(2, 3, 28, 28)
    model = tower._vision_tower.vision_model
    with torch.no_grad():
        whole = model(pixel_values=image, output_hidden_states=True).hidden_states
        wanted = layer % len(whole)
        for after in model.encoder.layers[wanted:]:
            after.forward = None  # not run at all
        assert torch.equal(tower(image), whole[layer])
    assert tower.tokens() == whole[layer].shape[1]


def test_patch_drops_the_first_token_even_without_a_class_token() -> None:
    told = config()["vision_config"]
    tower = VisionTower(told, selection="patch")
    kept = VisionTower(told, selection="cls_patch")
    kept.load_state_dict(tower.state_dict())
    image = torch.randn(1, 3, 28, 28)
    assert (tower.tokens(), kept.tokens()) == (3, 4)
    assert torch.equal(tower(image), kept(image)[:, 1:])


def test_a_tap_that_does_not_exist() -> None:
    with pytest.raises(ModelError, match="vision_feature_layer -9"):
        VisionTower(config()["vision_config"], layer=-9)(torch.zeros(1, 3, 28, 28))


# Connectors.

WIDTHS = Widths(vision=6, language=8, visual_tokens=5, queries=3, layers=2)


@pytest.mark.parametrize(
    ("name", "keys", "tokens"),
    [
        ("linear", ["bias", "weight"], 5),
        ("mlp1x_gelu", ["0.bias", "0.weight"], 5),
        ("mlp3x_gelu", [f"{i}.{kind}" for i in (0, 2, 4) for kind in ("bias", "weight")], 5),
        ("resampler", None, 3),
    ],
)
def test_connectors(name: str, keys: list[str] | None, tokens: int) -> None:
    joined = Connector(name, WIDTHS)
    assert joined(torch.randn(2, 5, 6)).shape == (2, tokens, 8)
    assert joined.tokens == tokens
    if keys is not None:
        assert sorted(joined.state_dict()) == [f"_connector.{key}" for key in keys]


def test_identity_needs_equal_widths() -> None:
    features = torch.randn(1, 5, 8)
    assert torch.equal(Connector("identity", Widths(8, 8, 5))(features), features)
    with pytest.raises(ModelError, match="identity cannot join widths 6 and 8"):
        Connector("identity", WIDTHS)


@pytest.mark.parametrize("name", ["mlp", "mlp0x_gelu", "xmlp2x_gelu", "mlp2x_gelu_", "qformers", "Linear"])
def test_names_are_exact(name: str) -> None:
    with pytest.raises(ModelError, match=rf"no connector '{name}'\n.*linear.*mlpNx_gelu"):
        connector.find(name)


def test_the_resampler_attends_as_written_down() -> None:
    attention = connector.ResamplerAttention(8)
    media, latents = torch.randn(1, 5, 8), torch.randn(1, 3, 8)
    normed = attention.norm_latents(latents)
    keys, values = attention.to_kv(torch.cat([attention.norm_media(media), normed], dim=1)).chunk(2, dim=-1)
    query = attention.to_q(normed)
    heads = []
    for head in range(8):
        part = slice(64 * head, 64 * (head + 1))
        weight = (query[..., part] @ keys[..., part].mT / math.sqrt(64)).softmax(-1)
        heads.append(weight @ values[..., part])
    assert torch.allclose(attention(media, latents), attention.to_out(torch.cat(heads, dim=-1)), atol=1e-6)


def test_exact_gelu() -> None:
    layers = Connector("mlp2x_gelu", WIDTHS)._connector
    assert isinstance(layers, nn.Sequential)
    assert isinstance(layers[1], nn.GELU) and layers[1].approximate == "none"


# Rows.


def laid(**batch: Any) -> splice.Layout:
    return splice.build_layout(
        {name: torch.tensor(rows) for name, rows in batch.items()}, visual_tokens=2, max_length=7
    )


def test_a_picture_takes_its_places_and_hidden_tokens_go() -> None:
    layout = laid(
        input_ids=[[5, IMAGE_TOKEN, 6, 9, 7], [8, 9, 9, 9, 9]],
        labels=[[IGNORE, IGNORE, 6, 9, 7], [8, IGNORE, IGNORE, IGNORE, IGNORE]],
        attention_mask=[[1, 1, 1, 0, 1], [1, 0, 0, 0, 0]],
    )
    assert layout.ids.tolist() == [[5, IMAGE_TOKEN, IMAGE_TOKEN, 6, 7], [8, 0, 0, 0, 0]]
    assert layout.slots.tolist()[0] == [0, 0, 1, 0, 0]
    assert layout.labels.tolist() == [[IGNORE, IGNORE, IGNORE, 6, 7], [8, *[IGNORE] * 4]]
    assert layout.valid.tolist() == [[True] * 5, [True, *[False] * 4]]
    row, source, target = splice.trained_tokens(layout)
    assert (row.tolist(), source.tolist(), target.tolist()) == ([0, 0], [2, 3], [6, 7])


def test_questions_start_again_behind_the_prefix_and_are_cut_alone() -> None:
    layout = laid(
        input_ids=[[5, IMAGE_TOKEN, 11, 12, 21, 22, 23, 24, 25]],
        labels=[[IGNORE, IGNORE, 11, 12, IGNORE, 22, 23, 24, 25]],
        segments=[[0, 0, 1, 1, 2, 2, 2, 2, 2]],
    )
    assert layout.positions.tolist() == [[0, 1, 2, 3, 4, 3, 4, 5, 6]]
    assert layout.ids.tolist() == [[5, IMAGE_TOKEN, IMAGE_TOKEN, 11, 12, 21, 22, 23, 24]]
    _, source, target = splice.trained_tokens(layout)
    assert list(zip(source.tolist(), target.tolist(), strict=True)) == [(2, 11), (3, 12), (5, 22), (6, 23), (7, 24)]
    asked = splice.locate_questions(layout)
    assert asked.row.tolist() == [0, 0]
    assert asked.columns.tolist() == [[3, 4, 0, 0], [5, 6, 7, 8]]
    assert asked.valid.sum(dim=1).tolist() == [2, 4]
