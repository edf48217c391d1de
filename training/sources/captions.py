"""Captions and plain text: cc_sbu_align, COCO captions, TextCaps, Flickr30k's grounded ones, Unnatural Instructions.

Sources: MiniGPT-4 minigpt4/datasets/datasets/{cc_sbu_dataset,caption_datasets,text_caps,flickr,unnatural_instruction}
.py@d94738a.
"""

from __future__ import annotations

from pathlib import Path

from vlmbench.data.rows import Row
from vlmbench.scenes.scene import Dice

from .entries import BadRowError, Entry, SkippedRowError, find_image
from .listed import Frame, Reader
from .pools import ALIGNMENT, CAPTION, DETECTION, GROUNDING, ONE_SENTENCE, clean

FORMS = ("minigptv2", "llava")


def filled(text: str, field: str) -> str:
    """The text. Raises BadRowError when there is nothing in it."""
    if not text.strip():
        raise BadRowError("empty turn", f"the {field} is empty")
    return text


class Aligned(Reader):
    """MiniGPT-4's stage 2: filter_cap.json and image/N.jpg in one folder; captions stay as they are."""

    fields = ("annotations",)

    def __init__(self, path: Path, images: Path) -> None:
        """`path`: the folder or its filter_cap.json."""
        file = path / "filter_cap.json" if path.is_dir() else path
        super().__init__(file, images if images.parts else file.parent / "image")

    def entry(self, row: Row, dice: Dice, frame: Frame) -> Entry:
        """See Reader."""
        number = row.key("image_id")
        caption = filled(row.text("caption"), "caption")
        return Entry(((dice.pick(ALIGNMENT), caption),), find_image(self.images, f"{number}.jpg"), number)


class Captions(Reader):
    """A caption, cleaned, asked for in one of MiniGPT-v2's ways; or in LLaVA-1.5's, as it stands."""

    def __init__(self, path: Path, images: Path, *, form: str = "minigptv2") -> None:
        """`form`: `minigptv2` or `llava`."""
        super().__init__(path, images)
        self.llava = FORMS.index(form) == 1

    def turn(self, caption: str, dice: Dice) -> tuple[str, str]:
        """Question and answer."""
        if self.llava:
            return ONE_SENTENCE, filled(caption, "caption")
        return f"{dice.pick(CAPTION)} ", filled(clean(caption), "caption")


class CocoCaptions(Captions):
    """Karpathy's coco_karpathy_train.json; images of the validation set are left out."""

    fields = ("annotations",)

    def entry(self, row: Row, dice: Dice, frame: Frame) -> Entry:
        """See Reader."""
        image = row.text("image")
        if "train" not in image:
            raise SkippedRowError("not a training image")
        image_ref = find_image(self.images, image.rpartition("/")[2])
        return Entry((self.turn(row.text("caption"), dice),), image_ref, row.key("image_id"))


class TextCaps(Captions):
    """TextCaps_0.1_train.json."""

    fields = ("data",)

    def entry(self, row: Row, dice: Dice, frame: Frame) -> Entry:
        """See Reader."""
        number = row.key("image_id")
        return Entry((self.turn(row.text("caption_str"), dice),), find_image(self.images, f"{number}.jpg"), number)


class GroundedCaption(Reader):
    """Flickr30k's groundedcaption.json: phrases of the caption with their boxes."""

    def entry(self, row: Row, dice: Dice, frame: Frame) -> Entry:
        """See Reader."""
        number = row.key("image_id")
        answer = filled(row.text("grounded_caption"), "caption")
        return Entry(((f"{dice.pick(GROUNDING)} ", answer),), find_image(self.images, f"{number}.jpg"), number)


class CaptionToPhrases(Reader):
    """Flickr30k's captiontobbox.json: a caption in, its phrases with boxes out."""

    def entry(self, row: Row, dice: Dice, frame: Frame) -> Entry:
        """See Reader."""
        number = row.key("image_id")
        question = dice.pick(DETECTION).format(filled(row.text("caption"), "caption"))
        turn = (f"{question} ", filled(row.text("output"), "output"))
        return Entry((turn,), find_image(self.images, f"{number}.jpg"), number)


class PhraseToBoxes(Reader):
    """Flickr30k's phrasetobbox.json: a phrase in, the phrase with its boxes out."""

    def entry(self, row: Row, dice: Dice, frame: Frame) -> Entry:
        """See Reader."""
        number = row.key("image_id")
        phrase = filled(row.text("phrase"), "phrase")
        question = dice.pick(DETECTION).format(phrase)
        answer = f"<p>{phrase}</p> {filled(row.text('bbox'), 'box')}"
        return Entry(((f"{question} ", answer),), find_image(self.images, f"{number}.jpg"), number)


class Unnatural(Reader):
    """filtered_unnatural_instruction.json: text alone, cleaned; its first instance with what it asks besides."""

    def entry(self, row: Row, dice: Dice, frame: Frame) -> Entry:
        """See Reader."""
        instances = row.listing("instances")
        if not instances or not isinstance(instances[0], dict):
            raise BadRowError("odd field", "`instances` holds no instance")
        first = Row(instances[0], row.file, f"{row.at}, in 'instances'")
        question, besides = first.text("instruction_with_input"), first.text("constraints", None)
        question = clean(question if besides is None else f"{question} {besides}")
        return Entry(((filled(question, "instruction"), filled(clean(first.text("output")), "output")),))
