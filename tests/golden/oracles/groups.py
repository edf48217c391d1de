"""Oracles of benchmarks whose questions stand in groups: HallusionBench, MMVP, NaturalBench; SugarCrepe."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from tests.golden.oracles.judged import figures, script, talk
from tests.golden.oracles.reading import EXACT, Case, Check, Oracle, Readers, Scored, percent, write_json, write_lines
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import ChoiceScore, Response, Sample, Score, Status, Verdict
from vlmbench.base.task import ComparesAnswers
from vlmbench.data.files import Folder
from vlmbench.scoring.verdicts import combine
from vlmbench.tasks.yes_no import hallusionbench_causes, hallusionbench_judge

# ------------------------------------------------------------------------------------------------------ HallusionBench

PROTOCOLS = {
    "official": "official",
    "official_image_rows_only": "official",
    "lmms_eval": "lmms_eval",
    "lmms_eval_with_failures": "lmms_eval",
    "lmms_eval_intern": "lmms_eval_intern",
    "vlmevalkit_exact": "vlmevalkit",
    "vlmevalkit_judge": "vlmevalkit_judge",
}
VERDICTS = {
    "official": "official_verdict",
    "official_image_rows_only": "official_verdict",
    "lmms_eval": "lmms_eval_verdict",
    "lmms_eval_with_failures": "lmms_eval_verdict_with_failures",
}
PRINTED = ("leaderboard", "consistency", "causes", "lmms_eval", "lmms_eval_with_failures")
"""Tables with figures as the scripts print them."""
CAUSES = {"LH": "language_hallucination", "VI": "visual_illusion", "Mixed": "mixed_cause"}
ROUNDED = 5.01e-5
"""Half of the last of the four places that the scripts round to."""
TRIES = 3
"""Calls that lmms-eval makes before it goes on without a reply."""
LEADERBOARD = {
    "qAcc": "q_acc", "fAcc": "f_acc", "aAcc": "a_acc", "easy_aAcc": "easy_a_acc", "hard_aAcc": "hard_a_acc",
}  # fmt: skip


def hallusion_samples(oracle: Oracle, split: str) -> Sequence[Sample]:
    """The cases as HallusionBench.json."""
    rows = [
        {**case, "filename": None if case["visual_input"] == "0" else f"./{case['category']}/{case['id']}.png"}
        for case in oracle.cases["cases"]
    ]
    write_json(oracle.scratch / "HallusionBench.json", rows)
    return choose_task("hallusionbench").task.samples(Folder(oracle.scratch), split)


def place(case: Case) -> str:
    """A case's sample id."""
    names = ("category", "subcategory", "visual_input", "set_id", "figure_id", "question_id")
    return "_".join(case[name] for name in names)


def replies(case: Case, variant: str) -> Iterator[str]:
    """What the judge says to a case."""
    if variant == "vlmevalkit_judge":
        return script(case["kit_replies"])
    return script([case["judge_reply"]])


def hallusion_scored(oracle: Oracle, variant: str) -> list[tuple[Case, Case, Sample, Score]]:
    """(case, its row of expected values, sample, score) of the questions that a variant asks."""
    protocol, split = PROTOCOLS[variant], "all" if variant == "official" else "image"
    task = choose_task("hallusionbench").task
    samples = {sample.id: sample for sample in hallusion_samples(oracle, split)}
    found, answers = [], {place(case): case["model_prediction"] for case in oracle.cases["cases"]}
    for case, row in zip(oracle.cases["cases"], oracle.expected["per_case"], strict=True):
        if (sample := samples.pop(place(case), None)) is None:
            continue
        score = task.score(sample, Response(case["model_prediction"]), protocol)
        failed = variant == "lmms_eval_with_failures" and case["judge_failures"] >= TRIES
        if score.status is Status.JUDGE_FAILED and not failed and task.protocols[protocol].judge is not None:
            verdict, _ = talk(task, sample, case["model_prediction"], protocol, replies(case, variant))
            if isinstance(task, ComparesAnswers) and (other := task.compared_with(sample, protocol)):
                verdict = compared(verdict, case, answers[other])
            score = combine([verdict])
        found.append((case, row, sample, score))
    assert not samples
    return found


def compared(verdict: Verdict, case: Case, other: str) -> Verdict:
    """The verdict once the judge has said whether the answer and another one agree, where it is asked that."""
    steps = hallusionbench_causes.compare(verdict, case["model_prediction"], other)
    try:
        ask = next(steps)
        assert f"response1:{case['model_prediction']}\nresponse2: {other}\n" in ask.texts[-1]
        steps.send(case["same_reply"])
    except StopIteration as end:
        both: Verdict = end.value
        return both
    raise AssertionError("a third question")


def hallusion_agrees(variant: str, case: Case, row: Case, score: Score) -> bool:
    """Whether a score agrees with the official verdict, or with the word that VLMEvalKit reads."""
    if variant.startswith("vlmevalkit"):
        return score.value == float(row[variant] == {"1": "Yes", "0": "No"}[case["gt_answer"]])
    if variant == "lmms_eval_intern" or score.status is Status.JUDGE_FAILED:
        return True  # no column of its own; a judge that failed gives no verdict here, whatever lmms-eval takes for one
    said, *same = score.verdicts[0].values
    if same and same != [float(row["official_same"])]:
        return False
    return said == float(row[VERDICTS[variant]]) and (variant != "official" or score.value == row["official_correct"])


def hallusionbench(oracle: Oracle, variant: str) -> None:
    """Every verdict, and every figure."""
    found = hallusion_scored(oracle, variant)
    differ = [(case, score) for case, row, _, score in found if not hallusion_agrees(variant, case, row, score)]
    assert not differ, f"{len(differ)} of {len(found)} differ, e.g. {differ[:2]}"
    scored: Scored = [(sample, score) for _, _, sample, score in found]
    if variant == "lmms_eval_with_failures":  # figures of its own verdicts, made-up ones among them
        verdicts = [(sample, row[VERDICTS[variant]]) for _, row, sample, _ in found]
        scored = [(sample, combine([hallusionbench_judge.verdict_of(sample, int(v))])) for sample, v in verdicts]
        lost = [score for *_, score in found if score.status is Status.JUDGE_FAILED]
        assert len(lost) == sum(case["judge_failures"] >= TRIES for case, *_ in found)
    values = figures("hallusionbench", scored, PROTOCOLS[variant])
    for name, table in hallusion_tables(oracle.expected[variant], variant).items():
        oracle.figures(values, table, name, ROUNDED if name in PRINTED else EXACT)
    if variant == "official":
        for part, details in oracle.expected["official"]["details"].items():
            hallusion_details([pair for pair in scored if part in ("Overall", pair[0].tags["category"])], details)
    if variant == "official_image_rows_only":
        theirs, groups = oracle.expected[variant], (("pairs", "question_with_figures"), ("figures", "figure"))
        assert len(scored) == theirs["n"]
        assert all(len({s.extra[kind] for s, _ in scored if s.extra[kind]}) == theirs[name] for name, kind in groups)
    oracle.count(len(found))


def hallusion_tables(expected: Mapping[str, Any], variant: str) -> Mapping[str, Mapping[str, Any]]:
    """The figures of a variant under our names, in percent."""
    if variant == "official":
        stats = expected["stats"]
        bias = {"yes_bias": percent(stats["pct_diff"]), "false_yes_ratio": percent(stats["fp_ratio"])}
        wrong = {"figures_all_wrong": stats["consistency_wrong"], "f_acc": stats["consistency_correct"]}
        assert sum(stats[f"consistency_{part}"] for part in ("wrong", "correct", "inconsistent")) == pytest.approx(
            100, abs=3 * ROUNDED
        )
        return {
            "leaderboard": {LEADERBOARD[n.replace(" ", "_")]: v for n, v in expected["leaderboard"].items()},
            "bias": bias,
            "consistency": wrong,
            "causes": {name: stats[theirs] for theirs, name in CAUSES.items()},
        }
    if variant.startswith("vlmevalkit"):
        prefixed = {
            f"{'' if part == 'Overall' else f'{part}_'}{LEADERBOARD[name]}": value
            for part, row in expected.items()
            for name, value in row.items()
        }
        return {variant: prefixed}
    scale = 100 if variant == "lmms_eval_intern" else 1
    return {variant: {LEADERBOARD[name]: scale * expected[name] for name in ("aAcc", "qAcc", "fAcc")}}


def hallusion_details(scored: Scored, details: Mapping[str, Any]) -> None:
    """The counts of all questions or of a category: of questions, groups, figures, and causes of wrong answers.

    Not here: what the script counts and never prints: causes by question and by group, and its score of figures.
    """
    metrics = {one.name: one for one in choose_task("hallusionbench").task.summarise(scored, "official")}
    for table, name in DETAILS.items():
        right = round(metrics[name].value() / 100 * len(metrics[name].items))
        wrong = len(metrics[name].items) - right
        ours = {"total": right + wrong, "correct": right, "wrong": wrong}
        if table == "per_figure":  # as the script says it: wrong is what has nothing right
            ours["wrong"] = round(metrics["figures_all_wrong"].value() / 100 * ours["total"])
            ours["inconsistent"] = wrong - ours["wrong"]
        if table in ASKED:
            ours["total_q"] = sum(ASKED[table](sample) for sample, _ in scored)
        assert ours == {key: details[table][key] for key in ours}, table
    for theirs, name in CAUSES.items():
        counted = details["per_pair"][f"{theirs[:3]}_cg"]
        assert metrics[name].items.sum(axis=0)[0] == counted, theirs


DETAILS = {
    "per_question": "a_acc", "per_pair": "q_acc", "easy": "easy_a_acc", "hard": "hard_a_acc", "per_figure": "f_acc",
}  # fmt: skip
ASKED: Mapping[str, Callable[[Sample], bool]] = {
    "per_pair": lambda sample: True,
    "easy": lambda sample: sample.tags["visual_input"] != "2",
    "hard": lambda sample: sample.tags["visual_input"] == "2",
}
"""By table: which questions are in its groups."""


# ---------------------------------------------------------------------------------------------------------------- MMVP

MMVP_RIGHT = {
    "vlmevalkit": "vlmevalkit_correct", "official": "official_judge", "lmms_eval": "lmms_eval_correct",
    "cambrian": "cambrian",
}  # fmt: skip
MMVP_READ = ("vlmevalkit", "lmms_eval")
"""Protocols whose letters are known too; null is nothing, and so is VLMEvalKit's Z."""


def mmvp(oracle: Oracle, protocol: str) -> None:
    """Every answer, and both accuracies."""
    task = choose_task("mmvp").task
    with (oracle.scratch / "Questions.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("lndex", "Question", "Options", "Correct Answer"))
        table.writerows([case[name] for name in ("Index", "Question", "Options", "answer")] for case in given(oracle))
    samples = task.samples(Folder(oracle.scratch), "test")
    scored: Scored = []
    for sample, case, row in zip(samples, given(oracle), oracle.expected["per_case"], strict=True):
        assert list(sample.choices) == case["options"], case
        score = task.score(sample, Response(case["prediction"]), protocol)
        if score.status is Status.JUDGE_FAILED:
            verdict, ((ask, _),) = talk(task, sample, case["prediction"], protocol, script([case["judge_reply"]]))
            assert (
                f"question {case['Question']} {case['Options']}, the correct answer is {case['answer']}."
                in (ask.messages[1][1])
            )
            score = combine([verdict])
        assert score.value == float(row[MMVP_RIGHT[protocol]]), (case, score)
        if protocol in MMVP_READ:
            assert (score.parsed_answer or "Z") == (row[protocol] or "Z"), (case, score)
        scored.append((sample, score))
    values = figures("mmvp", scored, protocol)
    oracle.figures(values, mmvp_figures(oracle.expected, protocol), protocol)
    oracle.count(len(scored))


def given(oracle: Oracle) -> Sequence[Case]:
    """The cases of an oracle."""
    cases: Sequence[Case] = oracle.cases["cases"]
    return cases


def mmvp_figures(expected: Mapping[str, Any], protocol: str) -> Mapping[str, float]:
    """The printed figures under our names. Cambrian-1's accuracy is that of pairs: it counts two for each."""
    pairs = expected["official_pairs"]
    right = {
        "official": {"pair_accuracy": 100 * expected["official_pairs_right"] / pairs},
        "lmms_eval": {
            "accuracy": 100 * expected["lmms_eval_accuracy"],
            "pair_accuracy": 100 * expected["lmms_eval_pair"],
        },
        "vlmevalkit": {
            "accuracy": 100 * expected["vlmevalkit"]["Average"],
            "pair_accuracy": 100 * expected["vlmevalkit"]["Overall"],
        },
        "cambrian": {"pair_accuracy": expected["cambrian"]["accuracy"]},
    }
    assert expected["official_line"] == f"The accuracy is {expected['official_pairs_right'] / pairs}"
    assert expected["cambrian"]["accuracy"] == 100 * expected["cambrian"]["correct"] / expected["cambrian"]["total"]
    return right[protocol]


# -------------------------------------------------------------------------------------------------------- NaturalBench

NATURAL = {"Q_Acc": "q_acc", "I_Acc": "i_acc", "Acc": "acc", "G_Acc": "g_acc"}


def naturalbench(oracle: Oracle, protocol: str) -> None:
    """Every answer, what each group adds to every figure, and the figures by type. Both peers gave the same."""
    groups = [given(oracle)[at : at + 4] for at in range(0, len(given(oracle)), 4)]
    rows = [
        {f"Image_{case['slot'][-1]}_Question_{case['slot'][1]}": case["answer"] for case in group}
        | {"Index": group[0]["group"], "Question_Type": group[0]["Question_Type"], "Question_0": "?", "Question_1": "!"}
        | {"Image_0": f"{at}_0.jpg", "Image_1": f"{at}_1.jpg"}
        for at, group in enumerate(groups)
    ]
    write_lines(oracle.scratch / "test.jsonl", rows)
    task = choose_task("naturalbench").task
    samples = task.samples(Folder(oracle.scratch), "test")
    words = {"yes": 1, "A": 1, "no": 0, "B": 0, "": -1}
    scored: Scored = []
    for sample, case, row in zip(samples, given(oracle), oracle.expected["per_case"], strict=True):
        score = task.score(sample, Response(case["prediction"]), protocol)
        assert words[score.parsed_answer] == row["official"], (case, score)
        scored.append((sample, score))
    for at, row in enumerate(oracle.expected["per_group"]):
        values = figures("naturalbench", scored[4 * at : 4 * at + 4], protocol)
        for name, ours in NATURAL.items():
            most = {"Acc": 4, "G_Acc": 1}.get(name, 2)
            assert values[ours] == pytest.approx(100 * row[name] / most), (row, name)
    values = figures("naturalbench", scored, protocol)
    oracle.figures(values, {ours: percent(oracle.expected["official"][name]) for name, ours in NATURAL.items()}, "")
    for kind, table in oracle.expected["official_by_type"].items():
        oracle.figures(values, {f"{kind}_{ours}": percent(table[name]) for name, ours in NATURAL.items()}, kind)
    oracle.count(len(scored))


# ---------------------------------------------------------------------------------------------------------- SugarCrepe


def sugarcrepe(oracle: Oracle, _: str) -> None:
    """Both captions by their scores, ties and all; one figure a file."""
    task = choose_task("sugarcrepe").task
    files: dict[str, dict[str, dict[str, str]]] = {}
    for case in given(oracle):
        row = {"filename": f"{case['id']}.jpg", **{name: case[name] for name in ("caption", "negative_caption")}}
        files.setdefault(case["file"], {})[case["key"]] = row
    for name, rows in files.items():
        write_json(oracle.scratch / f"{name}.json", rows)
    samples = {sample.id: sample for sample in task.samples(Folder(oracle.scratch), "all")}
    scored: Scored = []
    for case, row in zip(given(oracle), oracle.expected["per_case"], strict=True):
        sample = samples[f"{case['file']}/{case['key']}"]
        likely = {name: float(case[f"{name}_score"]) for name in ("negative", "positive")}
        choices = task.build_request(sample, "official").choices
        ranked = tuple(ChoiceScore(text, value, 1) for text, value in zip(choices, likely.values(), strict=True))
        score = task.score(sample, Response(choices=ranked), "official")
        assert score.value == row["official"], (case, score)
        scored.append((sample, score))
    values = figures("sugarcrepe", scored, "official")
    oracle.figures(values, {f"file_{n}": percent(share) for n, share in oracle.expected["official"].items()}, "files")
    oracle.count(len(scored))


READERS: dict[str, Readers] = {
    "hallusionbench": (Check(hallusionbench, tuple(PROTOCOLS)),),
    "mmvp": (Check(mmvp, tuple(MMVP_RIGHT)),),
    "sugarcrepe": (Check(sugarcrepe),),
    "naturalbench": (Check(naturalbench, ("official", "lmms_eval", "vlmevalkit")),),
}
