"""CV-Bench: 2,638 questions from labels of vision data sets: counts and relations (2D), depth and distance (3D).

Tong et al., Cambrian-1, NeurIPS 2024 (arXiv 2406.16860). The figure is the mean of 2D and 3D, 2D being the mean of the
accuracies on ADE20K and on COCO. No file of Cambrian's repository computes it: the data set's card does, and a function
of lmms-eval that its yaml does not use. The file has the whole prompt of each question.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from vlmbench.base.metric import Metric
from vlmbench.base.samples import Response, Sample
from vlmbench.base.task import DataFile, Size
from vlmbench.data.tables.columns import Columns, options_of
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.data.tables.image_table import kit_table
from vlmbench.data.tables.layouts import Joined, Layouts
from vlmbench.data.tables.row_files import RowFiles
from vlmbench.families import multiple_choice as protocols
from vlmbench.families import prompts
from vlmbench.families.base import Scored, accuracies, macro_of
from vlmbench.families.multiple_choice import SHEETS, ChoiceRules, MultipleChoice
from vlmbench.parsing.letters import cambrian, lmms_eval

LICENCE = "Apache-2.0"
TAGS = {"type": "type", "source": "source", "task": "task"}
HUB = Columns(id="idx", options="choices", answer_is="bracketed", tags=TAGS, extra={"prompt": "prompt"})
NAMES = ("nyu-visionx/CV-Bench",)
SITE_OF_AUTHORS = f"https://huggingface.co/datasets/{NAMES[0]}/resolve/main"
tsv = partial(kit_table, licence=LICENCE, tags={**TAGS, "type": "split"})


def hub(split: str, place: str) -> HubDataset:
    """A part on the hub."""
    return HubDataset(NAMES, {split: place}, HUB, licence=LICENCE)


def own(part: str) -> RowFiles:
    """The authors' lines of a half, and the images."""
    rows = DataFile(f"test_{part}.jsonl", "questions", f"{SITE_OF_AUTHORS}/test_{part}.jsonl", licence=LICENCE)
    images = DataFile("img", "images", how=f"build_img.py of the hub's {NAMES[0]}", licence=LICENCE)
    return RowFiles({part: (rows, images)}, HUB, "filename", ("img", "."))


def as_given(sample: Sample) -> str:
    """The prompt in the file; LLaVA's words in brackets where it has none."""
    own = f"{sample.question} Select from the following choices.\n{prompts.bracketed(sample)}"
    return str(sample.extra.get("prompt") or own)


def with_note(sample: Sample) -> str:
    """lmms-eval: which letters may be said, and the prompt in the file behind an empty line."""
    return f"{prompts.lmms_eval_letters(sample)}\n\n{as_given(sample)}"


class CVBench(MultipleChoice):
    """Cambrian-1 reads answers about 3D otherwise than those about 2D."""

    def parse(self, sample: Sample, response: Response, rules: ChoiceRules) -> str:
        """The letter that is read."""
        if rules is self.rules["cambrian"] and sample.tags.get("type") == "3D":
            return cambrian.cv_bench_3d(response.text, options_of(sample))
        return super().parse(sample, response, rules)


def figures(scored: Scored, protocol: str) -> Sequence[Metric]:
    """The mean of 2D and 3D; 2D by source; and the plain accuracy, which is lmms-eval's figure."""
    whole, *bars = accuracies(scored, ("type", "source", "task"))
    two = [one for one in scored if one[0].tags["type"] == "2D"]
    mean_2d = [macro_of("mean_2d", two, ("source",))] if two else []
    return [macro_of("cv_bench", scored, ("type", "source")), whole, *mean_2d, *bars]


RULES = {
    "cambrian": protocols.cambrian(
        "{ade,coco,omni}",
        lambda sample: f"{as_given(sample)}\n{prompts.LETTER}",
        cambrian.first_character,
        "any word that begins with a letter names it; in 3D an option of one character may be said instead",
        headline="cv_bench",
    ),
    "lmms_eval": protocols.lmms_eval(
        "cv_bench/utils.py",
        with_note,
        lmms_eval.first_letter,
        "the first letter of the text, so that `The answer is B.` is T; its figure is the plain accuracy",
    ),
    "vlmevalkit": protocols.vlmevalkit(prompt=as_given, headline="cv_bench"),
}
CVBENCH = CVBench(
    name="cvbench",
    title="CV-Bench: multiple choice about counts, relations, depth and distance (Tong et al. 2024)",
    about=__doc__,
    sizes={
        "test": Size(2_638),
        "2d": Size(1_438, note="650 about relations, 788 about counts"),
        "3d": Size(1_200, note="600 about depth, 600 about distance"),
    },
    needs_image=True,
    rules=RULES,
    files=Layouts(
        {
            "test": (hub("test", "test"), Joined({part: own(part) for part in ("2d", "3d")})),
            "2d": (tsv("2d", "CV-Bench-2D.tsv"), own("2d")),
            "3d": (tsv("3d", "CV-Bench-3D.tsv"), own("3d")),
        },
        {"test": hub("test", "test"), "2d": hub("2d", "2D/test"), "3d": hub("3d", "3D/test")},
    ),
    answer_files=SHEETS,
    figures=figures,
)
