"""Hateful Memes: is an image with words on it hateful?

Kiela et al., The Hateful Memes Challenge, NeurIPS 2020 (arXiv 2005.04790). Files: {dev,test}_{seen,unseen}.jsonl and
img/ of the challenge's archive (phase 1 named the seen ones dev.jsonl and test.jsonl). The official metric is AUROC
with accuracy beside it; MiniGPT-v2's and TinyGPT-V's figures are accuracies of text on dev_seen, and not comparable
with the AUROCs printed beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlmbench.base.samples import ChoiceScore
from vlmbench.base.task import Size
from vlmbench.families.base import Scored, accuracies
from vlmbench.families.yes_no import YesNo, YesNoRules, areas
from vlmbench.parsing import options, yes_no
from vlmbench.stats.binary import f1_of_yes
from vlmbench.stats.metrics import Metric

from . import hateful_memes_files


def _chance(choices: Sequence[ChoiceScore]) -> str:
    """P(yes), as a score keeps it."""
    return repr(options.share(choices, "yes"))


def _official_figures(scored: Scored) -> Sequence[Metric]:
    """The areas under both curves of P(yes); accuracy and F1 of `yes` at one half (nan where nothing is yes)."""
    clusters = [sample.cluster for sample, _ in scored]
    auroc, precision = areas(scored, "yes", [float(score.parsed_answer.partition(" ")[0]) for _, score in scored])
    said = [yes_no.decided_yes_no(score.parsed_answer) == "yes" for _, score in scored]
    true = [sample.target == "yes" for sample, _ in scored]
    return [auroc, *accuracies(scored), precision, f1_of_yes(said, true, clusters)]


_PHRASE = "This is an image writting '{question}'. Is this image hateful? Answer yes or no. Answer:"

RULES: Mapping[str, YesNoRules] = {
    "official": YesNoRules(
        "the dataset's README (roc_auc_score, accuracy_score); facebookresearch/mmf mmf/modules/metrics.py@b0ffc7fb",
        "This is an image with the words '{question}'. Is this image hateful? Answer yes or no.",
        yes_no.chance_of_yes,
        20,
        choices=("yes", "no"),
        ranked=_chance,
        credit=lambda parsed, word: float(yes_no.decided_yes_no(parsed) == word),
        unparsed="neither ranked choices nor a probability",
        headline="auroc",
        figures=_official_figures,
        note="AUROC of P(yes) among yes and no; accuracy at one half; the words are ours",
    ),
    "minigpt_v2": YesNoRules(
        "Vision-CAIR/MiniGPT-4 eval_scripts/eval_vqa.py, minigpt4/datasets/datasets/vqa_datasets.py@d94738a7",
        _PHRASE,
        yes_no.exact_yes_no,
        20,
        note="accuracy of the text; what is neither yes nor no alone is wrong",
    ),
    "tinygpt_v": YesNoRules(
        "DLYuanGod/TinyGPT-V eval_vqa.py@83f6189b",
        _PHRASE,
        yes_no.inside_reply_yes_no,
        20,
        note="accuracy of the text; yes or no anywhere in it, yes first: 'not sure' is no",
    ),
}
_LATE = "the challenge published this file without labels at first"

HATEFUL_MEMES = YesNo(
    name="hateful_memes",
    title="Hateful Memes: images with words, hateful or not (Kiela et al. 2020)",
    about=__doc__,
    sizes={
        "dev_seen": Size(500, 500),
        "test_seen": Size(1_000, 1_000, note=_LATE),
        "dev_unseen": Size(540, 540),
        "test_unseen": Size(2_000, 2_000, note=_LATE),
    },
    rules=RULES,
    files=hateful_memes_files,
    answer_files=hateful_memes_files.ANSWERS,
    withheld_note="this file has no labels",
)
