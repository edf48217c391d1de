"""RefCOCO, RefCOCO+ and RefCOCOg the other way round: words for the thing in a box (referring expression generation).

Yu et al., Modeling Context in Referring Expressions, ECCV 2016 (arXiv 1608.00272); Mao et al. 2016 (RefCOCOg). One
question per thing, with its box in the text of the question; the references are all its expressions. Figures are those
of captions: CIDEr, BLEU, ROUGE-L. Published figures often have METEOR as well, which is left out with its Java program.
Files: those of refcoco. lmms-eval's tasks of this kind draw the box into the image instead, and are no protocol here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vlmbench.base.samples import Sample
from vlmbench.base.task import DataSource, Size
from vlmbench.data.files import Folder, Hub, folder_or_hub
from vlmbench.families import captions as protocols
from vlmbench.families.base import OwnFiles
from vlmbench.families.captions import CaptionRules, Captions
from vlmbench.parsing.boxes import Box, from_size, in_cut_hundredths, in_padded_shares

from . import refcoco

MOST_TOKENS = 64


def _asked(text: str, form: Callable[[Box, float, float], str]) -> Callable[[Sample], str]:
    """A question with the box of its thing in the words of one model."""

    def prompt(sample: Sample) -> str:
        region = sample.extra["region"]
        return text.format(form(from_size(region["bbox"]), region["width"], region["height"]))

    return prompt


RULES: Mapping[str, CaptionRules] = {
    "minigpt_v2": CaptionRules(
        "Vision-CAIR/MiniGPT-4 demo_v2.py@0eba23ce; pycocoevalcap 1.2: PTBTokenizer, Cider, Bleu(4), Rouge",
        _asked("[identify] what is this {}", in_cut_hundredths),
        tokens=MOST_TOKENS,
        note="the demo's words; the repository has no script that measures them",
    ),
    "llava": CaptionRules(
        "LLaVA-1.5, arXiv 2310.03744, table 7: its training's words; pycocoevalcap 1.2",
        _asked("Please provide a short description for this region: {}.", in_padded_shares),
        tokens=MOST_TOKENS,
        note="boxes in shares of the image padded to a square; the paper measures no such answers",
    ),
}
SIZES = {
    split: Size(things, images)
    for split, things, images in (
        ("refcoco_val", 3_811, 1_500),
        ("refcoco_testA", 1_975, 750),
        ("refcoco_testB", 1_810, 750),
        ("refcoco+_val", 3_805, 1_500),
        ("refcoco+_testA", 1_975, 750),
        ("refcoco+_testB", 1_798, 750),
        ("refcocog_val", 2_573, 1_300),
        ("refcocog_test", 5_023, 2_600),
    )
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Identify(Captions):
    """Captions of things; and official folders side by side, as refcoco has them."""

    def samples(self, data: DataSource, split: str) -> Sequence[Sample]:
        """All things of a split."""
        return self.files.samples(folder_or_hub(data), split, "refcoco")


def samples(data: Folder | Hub, split: str, task: str) -> list[Sample]:
    """All things of a split in the order of their first expressions; ids are img_ids."""
    expressions: dict[str, list[Sample]] = {}
    for sample in refcoco.samples(data, split, task):
        expressions.setdefault(sample.extra["img_id"], []).append(sample)
    return [
        Sample(
            key,
            "What is this?",
            told[0].images,
            tuple(sample.question for sample in told),
            cluster=told[0].cluster,
            extra={"region": told[0].target},
        )
        for key, told in expressions.items()
    ]


REFCOCO_REG = Identify(
    name="refcoco_reg",
    title="RefCOCO/+/g, referring expression generation: words for the thing in a box (Yu et al. 2016)",
    about=__doc__,
    sizes=SIZES,
    rules=RULES,
    files=OwnFiles(refcoco.required_files, samples),
    answer_files=protocols.results(numbers=False),
)
