"""Training rows with several images: each goes where its token stands, as it does when the model is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.models import tiny
from vlmbench.base.samples import Conversation
from vlmbench.models.parts.protocols import IMAGE_TOKEN, Turn

RED, BLUE = (Image.new("RGB", (20, 20), color) for color in ("red", "blue"))


def row(*images: Image.Image, independent: bool = False) -> Conversation:
    turns = (("<image>\nWhich is red?", "first"), ("<image>\nWhich is blue?", "second"))
    shown = turns if independent else turns[:1]
    return Conversation(shown, images[0], independent, more=images[1:])


def test_rows_read_as_when_asked(tmp_path: Path) -> None:
    model = tiny.build(tmp_path, tiny.config())
    batch = model.collate([row(RED, BLUE)], "phi")
    assert batch["images"].shape[:3] == (1, 2, 3)
    asked = model.template.prompt([Turn("Which is red?", None, 2)], model.tokenizer)
    ids = batch["input_ids"][0].tolist()
    assert ids[: len(asked)] == asked
    assert ids.count(IMAGE_TOKEN) == 2


@pytest.mark.parametrize("independent", [False, True])
def test_each_image_counts(independent: bool, tmp_path: Path) -> None:
    model = tiny.build(tmp_path, tiny.config())
    with torch.no_grad():
        one, same, without_first, without_second = (
            model.loss(model.collate([row(*images, independent=independent)], "phi")).item()
            for images in ((RED, BLUE), (RED, BLUE), (BLUE, BLUE), (RED, RED))
        )
    assert one == same
    assert len({one, without_first, without_second}) == 3


def test_features_are_each_images_own(tmp_path: Path) -> None:
    model = tiny.build(tmp_path, tiny.config())
    with torch.no_grad():
        several = model.collate([row(RED, BLUE), row(BLUE, BLUE)], "phi")
        layout, inputs = model.network._inputs(several)
        red, blue = (model.network.image_features(model.collate([row(one)], "phi")["images"])[0] for one in (RED, BLUE))
    wanted = ((red, blue), (blue, blue))
    for number, parts in enumerate(wanted):
        assert torch.allclose(inputs[number][layout.ids[number] == IMAGE_TOKEN], torch.cat(parts), atol=1e-5)
