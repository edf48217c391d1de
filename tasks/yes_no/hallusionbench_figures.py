"""HallusionBench's figures: shares of right answers, and of groups of questions that are right as a whole.

Source: tianyi-lab/HallusionBench utils.py, evaluation.py@744007c2. A group of q_acc has the same question on all its
figures, and without a figure where it is asked so; lmms-eval and VLMEvalKit leave the latter out, which makes their
q_acc easier: `q_acc_with_figures` (34.9 where the official one is 30.6, on the same verdicts). f_acc is of figures with
all their questions. easy_a_acc and hard_a_acc are of groups too: unedited figures (or none), and edited ones.
"""

from __future__ import annotations

from dataclasses import replace

from vlmbench.families.base import Scored, mean_of, metrics_by
from vlmbench.families.groups import members, whole_groups
from vlmbench.stats.figures.question_groups import all_wrong
from vlmbench.stats.metrics import TARGET, Metric, average, mean, share

GROUPS = ("figure", "question", "question_with_figures", "easy", "hard")
"""Kinds of groups, as samples name theirs in `extra`."""
OF_GROUPS = {"q_acc": "question", "f_acc": "figure"}


def figures(scored: Scored) -> list[Metric]:
    """The leaderboards' three and their mean, those of a part of the questions, bias, and bars by category."""
    three = _three(scored)
    found = [average("average", three), *three]
    found += [whole_groups(f"{kind}_a_acc", scored, kind) for kind in ("easy", "hard")]
    shown = [pair for pair in scored if pair[0].tags["visual_input"] != "0"]
    if len(shown) < len(scored):
        found += [mean_of("a_acc_with_figures", shown)]
        found += [whole_groups("q_acc_with_figures", scored, "question_with_figures")]
    found += [all_wrong("figures_all_wrong", members(scored, "figure")), *_bias(scored)]
    for tag in ("category", "subcategory"):
        found += metrics_by(tag, scored, lambda _, part: _three(part))
    return found


def _three(scored: Scored) -> list[Metric]:
    groups = (whole_groups(name, scored, kind) for name, kind in OF_GROUPS.items())
    return [mean_of("a_acc", scored), *groups]


def _bias(scored: Scored) -> list[Metric]:
    """How many more answers are yes than should be, and the share of wrong answers that are a yes: best 0, and half.

    A wrong answer counts as the other word, whatever it says, as the script has it.
    """
    clusters = [sample.cluster for sample, _ in scored]
    wrong = [1 - (score.value or 0.0) for _, score in scored]
    false_yes = [lost * (sample.target == "no") for lost, (sample, _) in zip(wrong, scored, strict=True)]
    more = [2 * yes - lost for yes, lost in zip(false_yes, wrong, strict=True)]
    difference = replace(mean("yes_bias", more, clusters), proportion=False, limits=(-100.0, 100.0))
    ratio = share("false_yes_ratio", false_yes, wrong, clusters)
    return [replace(difference, better=TARGET, target=0.0, guard=True), replace(ratio, better=TARGET, target=50.0)]
