"""MuirBench: 2,600 questions on several images in twelve tasks, answerable ones and their unanswerable twins.

Wang et al., MuirBench: A Comprehensive Benchmark for Robust Multi-image Understanding, ICLR 2025 (arXiv 2406.09411).
Images stand where the text or an option has `<image>`. The official reader is MMMU's, random options included; its
repository has no code for the figure, which is the share of right answers.
"""

from __future__ import annotations

from vlmbench.base.samples import Sample
from vlmbench.base.task import Size
from vlmbench.data.images.places import SEQUENTIAL, Placement
from vlmbench.data.tables.columns import Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import kit_table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.families import multiple_choice as protocols
from vlmbench.families import prompts
from vlmbench.families.multiple_choice import SHEETS, ChoiceRules, MultipleChoice
from vlmbench.parsing.letters import lmms_eval, mmmu

LICENCE = "CC BY 4.0 (dataset card)"
AT_MARKS = Placement(at_marks=True, mark="", unmarked="leave out")
HUB = HubDataset(
    ("MUIRBENCH/MUIRBENCH",),
    {"test": "test"},
    Columns("idx", options="options", tags={"task": "task", "relation": "image_relation"}, extra={}),
    ("image_list",),
    licence=LICENCE,
)
KIT = kit_table("test", "MUIRBench.tsv", LICENCE, options="ABCDEF", tags={"task": "category"})


def official(sample: Sample) -> str:
    """The official prompt: options in brackets, a hint, the word Answer."""
    hint = "Hint: Please provide the correct option letter, such as A, B, C, D, directly."
    return f"Question: {sample.question}\nChoices:\n{prompts.bracketed(sample)}\n{hint}\nAnswer:"


def lettered(sample: Sample) -> str:
    """lmms-eval, VLMEvalKit: question, options, the request."""
    return f"{sample.question}\n{prompts.listed(sample)}\n{prompts.LETTER}"


MUIRBENCH = MultipleChoice(
    name="muirbench",
    title="MuirBench: twelve tasks on several images, unanswerable twins (Wang et al. 2025)",
    about=__doc__,
    sizes={"test": Size(2_600)},
    image_mark=SEQUENTIAL,
    needs_image=True,
    rules={
        "official": ChoiceRules(
            "muirbench/MuirBench eval/utils/postprocess.py@840b85fe",
            official,
            mmmu.official,
            guesses=True,
            note="a random option where none is read, in the order of the file",
        ),
        "lmms_eval": protocols.lmms_eval(
            "muirbench/utils.py",
            lettered,
            lmms_eval.muirbench,
            "the letter alone, or a capital and a full stop at the start: `(B)` is wrong; another verdict than the "
            "official reader in 156 of the 338 golden cases that this reads",
            tokens=16,
        ),
        "vlmevalkit": protocols.vlmevalkit(
            "without its judge; another letter than the official reader's in 53 of those 338",
            lettered,
            images=AT_MARKS,
        ),
    },
    files=Layouts({"test": (KIT, HUB)}, {"test": HUB}),
    answer_files=SHEETS,
    breakdowns=("task",),
)
