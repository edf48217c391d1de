"""MathVista: problems in mathematics with a figure, of 28 datasets and three new ones.

Lu et al., MathVista: Evaluating Mathematical Reasoning of Foundation Models in Visual Contexts, ICLR 2024 (arXiv
2310.02255). Files: data/testmini.json, data/test.json and images of lupantech/MathVista@53d52587, the hub's
AI4Math/MathVista, or VLMEvalKit's table (mathvista_files.py). The answer is an option, a whole number, a number with
one or two decimal places, or a list; a judge finds it in the response (mathvista_judge.py), then rules compare it
(mathvista_answers.py). Two options of problem 781 are alike: either is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from vlmbench.base.task import Size
from vlmbench.families.base import OwnFiles, Scored, accuracies, mean_of
from vlmbench.families.extraction import Extraction, ExtractionRules
from vlmbench.families.shared_protocols import with_smolvlm
from vlmbench.stats.metrics import Metric

from . import mathvista_answers as answers
from . import mathvista_files as files
from . import mathvista_judge as judge
from . import mathvista_queries as queries

_OFFICIAL = "lupantech/MathVista evaluation/{extract_answer,calculate_score}.py@53d52587"
_LMMS = "EvolvingLMMs-Lab/lmms-eval lmms_eval/tasks/mathvista/@75571cfe"
_official = partial(ExtractionRules, prompt=queries.query, tokens=512, judge=judge.OFFICIAL, talk=judge.official)
_lmms = partial(
    ExtractionRules,
    reader=answers.lmms_eval,
    match=answers.match_stripped,
    tokens=16_384,
    judge=judge.LMMS_EVAL,
    talk=judge.lmms_eval,
)

RULES: Mapping[str, ExtractionRules] = {
    "rules": ExtractionRules(
        f"{_OFFICIAL}, and rules in place of the judge",
        queries.query,
        answers.by_rule,
        tokens=512,
        match=answers.match_said,
        note='no judge: what stands behind the last "answer is", or else the option or the number that is named last; '
        "where none is, the answer is wrong",
    ),
    "official": _official(
        _OFFICIAL,
        reader=answers.official,
        match=answers.match,
        note="a judge finds the answer, and whatever it finds is some option: the one with the least edit distance; "
        "there a judge that fails has found an empty answer, here it gives no verdict",
    ),
    "official_quick": _official(
        f"{_OFFICIAL}, --quick_extract",
        reader=answers.official_quick,
        match=answers.match,
        note='as official; `The answer is "...".` is read without a judge',
    ),
    "official_ignore_empty": _official(
        f"{_OFFICIAL}, --ignore_empty_extractions",
        reader=answers.official,
        match=answers.match_said,
        talk=judge.official_said,
        note="as official; an empty answer is no option",
    ),
    "lmms_eval": _lmms(f"{_LMMS} mathvista_testmini_cot", queries.step_by_step, note="the hint stands last"),
    "lmms_eval_format": _lmms(
        f"{_LMMS} mathvista_testmini_format", queries.format_prompt, note="asks for the answer only"
    ),
    "lmms_eval_solution": _lmms(f"{_LMMS} mathvista_testmini_solution", queries.solution, note="ends with `Solution:`"),
    "vlmevalkit": ExtractionRules(
        "open-compass/VLMEvalKit vlmeval/dataset/utils/mathvista.py@e8e78f05",
        queries.query,
        answers.vlmevalkit,
        tokens=1024,
        match=answers.match_vlmevalkit,
        judge=judge.VLMEVALKIT,
        talk=judge.vlmevalkit,
        note="only right numbers, and options, are read without its judge; numbers are not rounded, and lists are "
        "never right (VLMEvalKit's issue 1679): 29.7 % of the golden cases are right, officially 34.0 %",
    ),
}


def figures(scored: Scored, protocol: str) -> list[Metric]:
    """Accuracy, whole and by everything that the paper's tables have; a problem counts for each of its skills."""
    found = accuracies(scored, files.TAGS)
    for skill in dict.fromkeys(skill for sample, _ in scored for skill in files.skills_of(sample)):
        part = [pair for pair in scored if skill in files.skills_of(pair[0])]
        found.append(mean_of(f"skills_{skill}", part, breakdown="skills", label=skill))
    return found


MATHVISTA = Extraction(
    name="mathvista",
    title="MathVista: mathematical reasoning about figures (Lu et al. 2024)",
    about=__doc__,
    sizes={"testmini": Size(1_000), "test": Size(5_141, answers=False, note="the leaderboard scores it")},
    rules=with_smolvlm(RULES, "mathvista"),
    files=OwnFiles(files.LAYOUTS.required_files, files.samples),
    answer_files=files.ANSWER_FILES,
    verdict_files=files.verdicts,
    example=lambda sample: str(sample.target),
    figures=figures,
)
