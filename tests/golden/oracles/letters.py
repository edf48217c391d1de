"""The oracle of readers of option letters that several benchmarks share: letters_wave2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from tests.golden.oracles.reading import Case, Check, Oracle, Readers
from vlmbench.parsing import options as readers
from vlmbench.parsing.letters import benchmarks, cambrian, lmms_eval

Reader = Callable[[str, Mapping[str, str]], str]
Value = TypeVar("Value")

READ: Mapping[str, Reader] = {
    "lmms_extract_mcq_AD": lmms_eval.a_to_d,
    "lmms_extract_mcq_default": lmms_eval.a_to_h,
    "lmms_ai2d_filtered": lambda text, options: lmms_eval.filtered(text),
    "lmms_seed": lambda text, options: lmms_eval.first_character(text),
    "lmms_mmvp": lmms_eval.mmvp,
    "lmms_blink": lmms_eval.first_letter,
    "lmms_cv_bench": lmms_eval.first_letter,
    "lmms_vstar": lmms_eval.vstar,
    "vlmevalkit_can_infer": readers.vlmevalkit_letter,
    "mme_realworld_official": benchmarks.mme_realworld,
}
"""Keys that say what was read; null is nothing."""
RIGHT: Mapping[str, Reader] = {
    "lmms_ai2d_right": lmms_eval.ai2d,
    "lmms_muirbench_right": lmms_eval.muirbench,
    "lmms_realworldqa_right": lmms_eval.realworldqa,
    "lmms_seed_right": lmms_eval.seedbench,
    "llava_seed_right": readers.llava_seed_letter,
    "cambrian_ai2d": cambrian.ai2d,
    "cambrian_realworldqa": cambrian.realworldqa,
    "cambrian_mmstar": cambrian.mmstar,
    "cambrian_seed": cambrian.first_character,
    "cambrian_blink": cambrian.blink,
    "cambrian_mmmu_mc": cambrian.first_character,
    "cambrian_ade": cambrian.first_character,
    "cambrian_omni": cambrian.cv_bench_3d,
    "cambrian_vstar": cambrian.first_character,
}
"""Keys that say whether an answer is right. The name of an exception is a run that died of it: read as nothing."""

OPEN: Mapping[str, Reader] = {
    "lmms_realworldqa_open_right": lmms_eval.realworldqa,
    "cambrian_realworldqa_open": cambrian.realworldqa,
}
"""Of questions without options."""


def read(oracle: Oracle, key: str) -> None:
    """The letter of each answer."""
    letters = compare(
        oracle, key, lambda case, options: READ[key](case["prediction"], options), lambda value: value or ""
    )
    right = [one == case["answer"] for one, case in zip(letters, oracle.cases["cases"], strict=True)]
    if key in oracle.expected["right_totals"]:
        assert sum(right) == oracle.expected["right_totals"][key]
    oracle.count(len(oracle.cases["cases"]))


def right(oracle: Oracle, key: str) -> None:
    """Whether each answer is right."""
    reader = RIGHT[key]
    verdicts(oracle, key, lambda case, options: reader(case["prediction"], options) == case["answer"])


def among(oracle: Oracle, key: str) -> None:
    """Whether the right answer is among those that are named."""
    verdicts(oracle, key, lambda case, options: case["answer"] in cambrian.mmvp(case["prediction"], options))


def opened(oracle: Oracle, key: str) -> None:
    """What is compared of an answer to a question without options; one that is a letter goes to the letter reader."""
    reader = OPEN[key]

    def ours(case: Case, options: Mapping[str, str]) -> bool:
        right = case["open_answer"].strip() if key.startswith("lmms") else case["open_answer"]
        shown = options if right.upper() in ("A", "B", "C", "D") else {}
        return bool(reader(case["open_prediction"], shown).lower() == right.lower())

    verdicts(oracle, key, ours)


def verdicts(oracle: Oracle, key: str, ours: Callable[[Case, Mapping[str, str]], bool]) -> None:
    """Whether each answer is right, how many are, and how many end the run of the peer's script."""
    assert sum(compare(oracle, key, ours, lambda value: value is True)) == oracle.expected["right_totals"][key]
    if key in oracle.expected["cambrian_crashes"]:
        died = sum(isinstance(row[key], str) for row in oracle.expected["per_case"])
        assert died == oracle.expected["cambrian_crashes"][key]


def compare(
    oracle: Oracle,
    key: str,
    ours: Callable[[Case, Mapping[str, str]], Value],
    theirs: Callable[[object], object],
) -> list[Value]:
    """Ours of each case of the set, which is theirs."""
    cases, found = oracle.cases["cases"], []
    for case in cases:
        found.append(ours(case, dict(zip("ABCDEFGH", case["options"], strict=False))))
    known = zip(cases, found, oracle.expected["per_case"], strict=True)
    differ = [(case, one, row[key]) for case, one, row in known if one != theirs(row[key])]
    assert not differ, f"{key}: {len(differ)} of {len(cases)} differ, e.g. {differ[:2]}"
    return found


READERS: dict[str, Readers] = {
    "letters_wave2": (
        Check(read, tuple(READ)),
        Check(right, tuple(RIGHT)),
        Check(among, ("cambrian_mmvp",)),
        Check(opened, tuple(OPEN)),
    ),
}
