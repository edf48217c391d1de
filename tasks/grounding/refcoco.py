"""RefCOCO, RefCOCO+ and RefCOCOg: find the one thing in an image that an expression means, and give its box.

Kazemzadeh et al. 2014 (ReferItGame); Yu et al., Modeling Context in Referring Expressions, ECCV 2016 (arXiv
1608.00272); Mao et al. 2016 (RefCOCOg). RefCOCO+ expressions use no words of place, RefCOCOg's are longer. Files:
MiniGPT-4 eval_scripts/eval_data/*.json@d94738a7, one row per expression; images: COCO train2014.
Rules by protocol: vlmbench.parsing.boxes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from vlmbench.base.samples import Sample
from vlmbench.base.task import DataSource
from vlmbench.data.files import folder_or_hub
from vlmbench.families.base import Scored
from vlmbench.families.grounding import Grounding, GroundingRules, above_half, agreements
from vlmbench.parsing import boxes
from vlmbench.stats.metrics import Metric, mean

from . import refcoco_files

THRESHOLDS = (0.1, 0.3, 0.7, 0.9)


def _lmms_eval_figures(scored: Scored) -> Sequence[Metric]:
    """lmms-eval's other thresholds, and the centres."""
    clusters, found = [sample.cluster for sample, _ in scored], agreements(scored)
    return [
        *(mean(f"accuracy_at_{least}", [float(one.iou >= least) for one in found], clusters) for least in THRESHOLDS),
        mean("centre_accuracy", [float(one.centred) for one in found], clusters),
    ]


_REFER = "[refer] give me the location of {question}"
_REGION = (
    "Bounding box coordinates are specified in the format (top-left x, top-left y, bottom-right x, bottom-right y). "
    "All values are floating point numbers bounded between 0 and 1. "
    "Please provide the bounding box coordinate of the region this sentence describes: {question}"
)
_MINIGPT4 = "Vision-CAIR/MiniGPT-4 eval_scripts/eval_ref.py, minigpt4/common/eval_utils.py@d94738a7"

_minigpt = partial(GroundingRules, tokens=20, hit=above_half)

RULES: Mapping[str, GroundingRules] = {
    "minigpt_v2": _minigpt(
        f"{_MINIGPT4}, without --resample",
        _REFER,
        boxes.agreement(boxes.minigpt_box, boxes.iou_inclusive),
        note="boxes in hundredths, one pixel added to each side; a further number in the answer is a miss",
    ),
    "minigpt_v2_resample": _minigpt(
        f"{_MINIGPT4}, the answers that --resample kept",
        _REFER,
        boxes.agreement(boxes.any_minigpt_box, boxes.iou_inclusive),
        note="for answer files of --resample, which asks malformed ones again up to 20 times, in words that change "
        "('... of ['red car']'), and in the fifth round takes any text: any four whole numbers count; a run asks once",
    ),
    "tinygpt_v": _minigpt(
        "DLYuanGod/TinyGPT-V eval_scripts/eval_ref.py@83f6189b",
        _REFER,
        boxes.agreement(boxes.minigpt_box, boxes.iou_inclusive),
        note="as minigpt_v2; its script looks for refcocog's splits under wrong names",
    ),
    "lmms_eval": GroundingRules(
        "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/refcoco/utils_rec.py@75571cfe",
        _REGION,
        boxes.lmms_eval_agreement,
        1024,
        stop=("ASSISTANT:",),
        beside=_lmms_eval_figures,
        note="the first [a, b, c, d] in shares of the image; its val sets of refcoco and refcocog mix in another "
        "split of 5,000 and are not these",
    ),
    "vlmevalkit": GroundingRules(
        "open-compass/VLMEvalKit vlmeval/dataset/refcoco.py@e8e78f05",
        _REGION,
        boxes.agreement(boxes.vlmevalkit_box, boxes.iou),
        1024,
        note="guesses the scale, so that boxes in hundredths are misread; its own table words the question, here it "
        "is lmms_eval's",
    ),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class RefCoco(Grounding):
    """Boxes; and official folders side by side, of which one has this benchmark's name."""

    def samples(self, data: DataSource, split: str) -> Sequence[Sample]:
        """All expressions of a split. Their file may lie in DIR/refcoco, or in DIR beside a folder of that name."""
        return self.files.samples(folder_or_hub(data), split, self.name)


REFCOCO = RefCoco(
    name="refcoco",
    title="RefCOCO/+/g: the box of what an expression means (Yu et al. 2016, Mao et al. 2016)",
    about=__doc__,
    sizes=refcoco_files.SIZES,
    rules=RULES,
    files=refcoco_files,
    answer_files=refcoco_files.ANSWERS,
)
