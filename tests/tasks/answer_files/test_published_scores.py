"""`vlmbench score` gives the published figures from the answer files of multiple-choice benchmarks' own repositories.

The repositories, as `git clone` makes them, are in ../shared/real/predictions or in the folder $VLMBENCH_ANSWERS.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.published import questions as published_questions
from tests.support.published.scores import repository, scores

pytestmark = pytest.mark.slow

SUGARCREPE = {
    "add_att": (604, 666, 692), "add_obj": (1859, 1918, 2062), "replace_att": (734, 740, 788),
    "replace_obj": (1578, 1604, 1652), "replace_rel": (1240, 1298, 1406), "swap_att": (607, 593, 666),
    "swap_obj": (210, 197, 245),
}  # fmt: skip
"""GPT-4V's right answers by file, with the right caption first and last: those of gpt-4v-results/readme.md.

For swap_obj it has 211 and 198 of 246: the question that the data no longer have was right in both.
"""

MMMU_PRO = {
    "standard_10_direct": (694, 0), "standard_10_cot": (952, 0), "vision_direct": (725, 1), "vision_cot": (866, 1)
}  # fmt: skip
"""GPT-4o's right answers by split and prompt, without draws; and one more where it answers validation_Accounting_29.

That question's options are a list in a list: the official code sees one option, A, and B is right.
"""

BLINK = {
    "GPT4Turbo": 54.61, "GPT4V": 51.09, "GPT4o": 60.04, "GeminiProVision": 45.16, "MiniGPT-4-v2": 34.23,
    "OPUS": 44.05, "QwenVLMax": 40.28, "Yi_VL_34B": 41.68, "Yi_VL_6B": 38.72, "cogvlm-chat": 41.54,
    "flamingov2": 39.18, "instructblip_13b": 42.24, "instructblip_7b": 39.72, "llava-internlm2-7b": 37.71,
    "llava-v1.5-13b-xtuner": 42.00, "llava-v1.5-7b-xtuner": 39.36, "llava-v1.6-34b": 46.80, "llava_v1.5_13b": 42.66,
    "llava_v1.5_7b": 37.13,
}  # fmt: skip
"""What eval/evaluate.py prints; with one decimal it is the column Val of the README (Opus: 44.05 is 44.1 there)."""
NO_JUDGE = ("instructblip_7b", "instructblip_13b", "llava-v1.6-34b")
"""Models whose whole answers the rule reads alone."""


def questions(name: str, repository: Path, folder: Path) -> Path:
    """The question files that are made of the answer files."""
    published_questions.BENCHMARKS[name](repository.parent, folder)
    return folder


@pytest.mark.parametrize("place", [0, 1])
def test_sugarcrepe_gpt4v(capsys: pytest.CaptureFixture[str], place: int) -> None:
    root, order = repository("sugar-crepe"), ("positive", "negative")[place]
    values = scores(capsys, f"sugarcrepe@{order}_first", root / "gpt-4v-results" / f"{order}-first", root)
    shares = {name: counts[place] / counts[2] for name, counts in SUGARCREPE.items()}
    assert {name: values[f"file_{name}"] / 100 for name in SUGARCREPE} == pytest.approx(shares)


def test_mmstar_llava_next(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The official 781 of 1,500; lmms-eval's mean over abilities is another figure of the same answers."""
    root = repository("MMStar")
    data, answers = questions("mmstar", root, tmp_path), root / "eval" / "submits" / "llava_next_yi_34b_MMStar.xlsx"
    official = scores(capsys, "mmstar", answers, data)
    assert official["accuracy"] == pytest.approx(100 * 781 / 1500)
    categories = [round(value / 100, 3) for name, value in official.items() if name.startswith("category_")]
    assert sorted(categories) == [0.332, 0.460, 0.520, 0.532, 0.624, 0.656]
    assert round(scores(capsys, "mmstar@lmms_eval", answers, data)["average"], 2) == 52.72


def test_seedbench_gpt4v(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Of the eight questions that are answered twice the first answer counts: two of these are right, no second one."""
    root = repository("SEED-Bench")
    data = questions("seedbench", root, tmp_path)
    answers = root / "evaluate_result" / "SEED-Bench-1" / "GPT-4V.json"
    assert scores(capsys, "seedbench@llava", answers, data)["accuracy"] == pytest.approx(100 * 9832 / 14232)
    every = scores(capsys, "seedbench:all@llava", answers, data)
    assert every["data_type_image"] == pytest.approx(100 * 9832 / 14232)
    assert every["data_type_video"] == pytest.approx(100 * 2273 / 3757)


@pytest.mark.parametrize(("model", "right", "luck"), [("llava1.5_13b", 330, 1), ("qwen_vl", 325, 16)])
def test_mmmu(capsys: pytest.CaptureFixture[str], tmp_path: Path, model: str, right: int, luck: int) -> None:
    """From the responses, with the official random options; and from the letters that were read of them."""
    root = repository("MMMU")
    data, answers = questions("mmmu", root, tmp_path), root / "mmmu" / "example_outputs" / model
    responses = scores(capsys, "mmmu", answers, data)
    assert responses["accuracy"] == pytest.approx(right / 9)
    assert responses["accuracy_without_guesses"] == pytest.approx((right - luck) / 9)
    assert scores(capsys, "mmmu", answers / "total_val_output.json", data)["accuracy"] == pytest.approx(right / 9)


@pytest.mark.parametrize("name", MMMU_PRO)
def test_mmmu_pro_gpt4o(capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str) -> None:
    root = repository("MMMU")
    data, (split, _, prompt) = questions("mmmu_pro", root, tmp_path) / name, name.rpartition("_")
    spec = f"mmmu_pro:{split}@official{'_cot' if prompt == 'cot' else ''}"
    answers = root / "mmmu-pro" / "output" / published_questions.MMMU_PRO[name]
    values = scores(capsys, spec, answers, data)
    assert values["accuracy_without_guesses"] == pytest.approx(sum(MMMU_PRO[name]) / 17.3)
    assert 0 <= values["accuracy"] - values["accuracy_without_guesses"] <= values["guessed"]


@pytest.mark.parametrize("model", BLINK)
def test_blink(capsys: pytest.CaptureFixture[str], tmp_path: Path, model: str) -> None:
    """From the stored letters; and from the whole answers where all are read without a judge."""
    root = repository("BLINK_Benchmark")
    data, evaluation = questions("blink", root, tmp_path), root / "eval"
    values = scores(capsys, "blink@official", evaluation / "saved_val_predictions" / f"{model}.json", data)
    assert round(values["average"], 2) == BLINK[model]
    if model in NO_JUDGE:
        whole = scores(capsys, "blink@official_rule", evaluation / "saved_outputs" / model, data)
        assert whole["average"] == pytest.approx(values["average"])
