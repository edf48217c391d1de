"""MMStar: 1,500 questions that cannot be answered without their image, in six abilities of 250, 18 below them.

Chen et al., Are We on the Right Way for Evaluating Large Vision-Language Models?, NeurIPS 2024 (arXiv 2403.20330).
On the hub the options stand in the question's text; VLMEvalKit's table has them in columns. What the answer is worth
depends on the protocol: on answers of LLaVA-NeXT-34B lmms-eval's mean over the 18 abilities alone adds 0.65 points.
"""

from __future__ import annotations

from collections.abc import Sequence

from vlmbench.base.metric import Metric
from vlmbench.base.task import Size
from vlmbench.data.tables import option_texts
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import SITE, ImageTable, columns, table
from vlmbench.families import multiple_choice as protocols
from vlmbench.families import prompts
from vlmbench.families.base import Prompt, Scored, bars_of, macro_of
from vlmbench.families.multiple_choice import SHEETS, ChoiceRules, MultipleChoice
from vlmbench.families.shared_protocols import smolvlm
from vlmbench.parsing.letters import benchmarks, cambrian, lmms_eval

LICENCE = "not stated"
TAGS = {"category": "category", "ability": "l2_category"}
HUB = option_texts.columns(option_texts.mmstar, id="index", tags=TAGS)


def with_request(request: str) -> Prompt:
    """The question with its options, and a request on the next line."""
    return lambda sample: f"{prompts.in_question(sample)}\n{request}"


def over_abilities(scored: Scored) -> Sequence[Metric]:
    """lmms-eval: each of the 18 abilities counts the same, in the whole and in each category."""
    whole = macro_of("average", scored, ("ability",))
    return [whole, *bars_of("category", scored, lambda name, part: macro_of(name, part, ("ability",)))]


MMSTAR = MultipleChoice(
    name="mmstar",
    title="MMStar: multiple choice that needs the image, in six abilities (Chen et al. 2024)",
    about=__doc__,
    sizes={"val": Size(1_500)},
    needs_image=True,
    rules={
        "official": ChoiceRules(
            "MMStar-Benchmark/MMStar eval/vlmeval/evaluate/mmstar.py@88f243ab",
            prompts.in_question,
            benchmarks.mmstar,
            note="only the first character counts, behind one of three openings at most: `dog` is D, `**B**` is wrong",
        ),
        "lmms_eval": protocols.lmms_eval(
            "mmstar/utils.py, _task_utils/mcq_extract.py",
            with_request("Answer with the option's letter from the given choices directly"),
            lmms_eval.a_to_d,
            headline="average",
            figures=over_abilities,
            note="mean over 18 abilities of unequal size; an article at the start is read as A, and behind `answer is` "
            "any capital counts, inside words too: another verdict than the official one in 3 of 10 golden cases",
        ),
        "vlmevalkit": protocols.vlmevalkit(),
        "smolvlm": smolvlm(protocols.vlmevalkit(), "letter"),
        "cambrian": protocols.cambrian(
            "mmstar",
            with_request("Please answer directly with only the letter of the correct option and nothing else."),
            cambrian.mmstar,
            "the first word must be the letter, `(a)` is wrong; theirs dies on an empty answer",
            tokens=128,
        ),
    },
    files=ImageTable(
        {"val": table("MMStar.tsv", SITE, licence=LICENCE)},
        columns(tags=TAGS),
        hub=HubDataset(("Lin-Chen/MMStar",), {"val": "val"}, HUB, licence=LICENCE),
    ),
    answer_files=SHEETS,
    breakdowns=("category", "ability"),
)
