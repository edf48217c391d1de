"""RealWorldQA: 765 questions about scenes, most from cars; most have options in their text, others ask for a word.

xAI, 2024 (no paper). The question says itself how to answer. Where it lists no options the answer is a word or a
number, compared without regard to letter case.
"""

from __future__ import annotations

from vlmbench.base.samples import Response, Sample, Score, Status
from vlmbench.base.task import Size
from vlmbench.data.tables import option_texts
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import kit_table
from vlmbench.data.tables.layouts import Layouts
from vlmbench.families import multiple_choice as protocols
from vlmbench.families import prompts
from vlmbench.families.multiple_choice import SHEETS, ChoiceRules, MultipleChoice
from vlmbench.parsing.letters import cambrian, lmms_eval

LICENCE = "CC BY-ND 4.0"
HUB = ("lmms-lab/RealWorldQA", "lmms-lab-encoder/RealWorldQA", "xai-org/RealworldQA")


def as_asked(sample: Sample) -> str:
    """The question as its file has it; from VLMEvalKit's table with the options a line each and the usual request."""
    request = "Please answer directly with only the letter of the correct option and nothing else."
    asked: str = sample.extra.get(option_texts.ASKED) or f"{sample.question}\n{prompts.listed(sample)}\n{request}"
    return asked


class RealWorldQA(MultipleChoice):
    """Multiple choice, and questions without options, which VLMEvalKit has no rule for."""

    def rate(self, sample: Sample, response: Response, rules: ChoiceRules) -> Score:
        """Right or wrong; a text where there are no options."""
        score = super().rate(sample, response, rules)
        if sample.choices:
            return score
        if rules is self.rules["vlmevalkit"]:
            return Score(
                None, Status.UNPARSED, note="VLMEvalKit's table has options for all questions; this file has not"
            )
        return Score(score.value, parsed_answer=score.parsed_answer, unread="" if score.parsed_answer else "text")


REALWORLDQA = RealWorldQA(
    name="realworldqa",
    title="RealWorldQA: scenes of the real world, letters or words (xAI 2024)",
    about=__doc__,
    sizes={"test": Size(765)},
    needs_image=True,
    rules={
        "lmms_eval": protocols.lmms_eval(
            "realworldqa/utils.py, _task_utils/mcq_extract.py",
            as_asked,
            lmms_eval.realworldqa,
            "an article at the start is read as A, and behind `answer is` any capital counts, inside words too",
            tokens=16,
        ),
        "vlmevalkit": protocols.vlmevalkit("needs its own table, whose questions all have options"),
        "cambrian": protocols.cambrian(
            "realworldqa", as_asked, cambrian.realworldqa, "the first word counts; theirs dies on an empty answer"
        ),
    },
    files=Layouts(
        {"test": (kit_table("test", "RealWorldQA.tsv", LICENCE),)},
        {"test": HubDataset(HUB, {"test": "test"}, option_texts.columns(option_texts.lines), licence=LICENCE)},
    ),
    answer_files=SHEETS,
)
