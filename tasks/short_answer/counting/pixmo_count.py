"""PixMo-Count: how many there are of something in pictures of the web, by lmms-eval.

Deitke et al., Molmo and PixMo, CVPR 2025 (arXiv 2409.17146). The original data name pictures by address; lmms-eval's
copy has them in its rows. Molmo's own evaluation is no protocol here: the published code takes every answer for 1.
"""

from __future__ import annotations

from vlmbench.base.samples import Sample
from vlmbench.base.task import Size
from vlmbench.data.tables.columns import Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.layouts import Layouts
from vlmbench.families.short_answer import ShortAnswer, ShortAnswerRules
from vlmbench.parsing.matchers import exact
from vlmbench.parsing.numbers import first_digits

HUB = HubDataset(("kcz358/pixmo-count",), {"test": "test"}, Columns(tags={"count": "answer"}), licence="ODC-BY 1.0")


def prompt(sample: Sample) -> str:
    """The question without a mark for the image."""
    return sample.question.replace("<image>", "").strip() + "\nAnswer with a single number."


PIXMO_COUNT = ShortAnswer(
    name="pixmo_count",
    title="PixMo-Count: counts of things in pictures (Deitke et al. 2025)",
    about=__doc__,
    sizes={"test": Size(540, note="of the original; copies lack the pictures that are gone from the web")},
    rules={
        "lmms_eval": ShortAnswerRules(
            "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/pixmo_count/utils.py@75571cfe",
            prompt,
            exact(first_digits, first_digits),
            tokens=32,
            note="the first digits of the answer count, and no words: 2.5 is 2, two is wrong",
        )
    },
    files=Layouts({"test": (HUB,)}, {"test": HUB}),
    breakdowns=("count",),
    needs_image=True,
)
