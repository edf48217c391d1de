"""Questions about drawn scenes in other languages: agreement, written by hand; what is covered, and what is not."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from vlmbench.base.errors import UsageError
from vlmbench.base.registry import choose_task, tasks
from vlmbench.base.samples import Sample
from vlmbench.data.files import Folder
from vlmbench.perturbations import languages, perturbations
from vlmbench.perturbations.perturbations import Given, parse_one
from vlmbench.scenes.gqa_questions import ask_many
from vlmbench.scenes.languages.translation import LANGUAGES, translated
from vlmbench.scenes.languages.wordings import SLOTS, WORDINGS, read
from vlmbench.scenes.scene import KINDS, Dice, make_scene

GOLDEN = {
    "de": {
        "Is there an hourglass in the image?": "Gibt es auf dem Bild eine Sanduhr?",
        "Is there a heart in the image?": "Gibt es auf dem Bild ein Herz?",
        "Do you see a green arrow?": "Gibt es auf dem Bild einen grünen Pfeil?",
        "Do you see a cyan diamond?": "Gibt es auf dem Bild eine türkisfarbene Raute?",
        "Is there a large square in the image?": "Gibt es auf dem Bild ein großes Quadrat?",
        "What is the white thing?": "Was ist das weiße Ding?",
        "What is to the left of the heart?": "Was ist links von dem Herzen?",
        "Is the house below the hourglass?": "Ist das Haus unter der Sanduhr?",
        "Is the star to the left or to the right of the moon?": "Ist der Stern links oder rechts von dem Mond?",
        "Is the moon on the right?": "Ist der Mond auf der rechten Seite des Bildes?",
        "Which object is striped?": "Welcher Gegenstand ist gestreift?",
        "Do the star and the diamond have the same pattern?": "Haben der Stern und die Raute das gleiche Muster?",
    },
    "es": {
        "Is there an hourglass in the image?": "¿Hay un reloj de arena en la imagen?",
        "Do you see a yellow star?": "¿Hay una estrella amarilla en la imagen?",
        "Is the cross red or white?": "¿La cruz es roja o blanca?",
        "Is the circle red and large?": "¿El círculo es rojo y grande?",
        "What is above the heart?": "¿Qué hay encima del corazón?",
        "What is below the moon?": "¿Qué hay debajo de la luna?",
        "Which figure is dotted?": "¿Qué figura es punteada?",
        "Which symbol is dotted?": "¿Qué símbolo es punteado?",
        "Is the background gray or teal?": "¿El fondo es gris o verde azulado?",
        "Is the arrow at the top or at the bottom of the picture?":
            "¿La flecha está en la parte superior o en la parte inferior de la imagen?",
        "Which is smaller, the house or the ring?": "¿Qué es más pequeño, la casa o el anillo?",
        "Do the moon and the star have different colors?": "¿La luna y la estrella tienen colores distintos?",
    },
    "zh": {
        "Is there a star in the image?": "图中有星星吗？",
        "Do you see a red star?": "图中有红色的星星吗？",
        "Is the moon small or large?": "月亮是小的还是大的？",
        "What color is the square?": "正方形是什么颜色的？",
        "Is the ring to the left of the moon?": "圆环在月亮的左边吗？",
        "Is the cross on the left side of the picture?": "十字在图片的左边吗？",
        "Are there both a heart and an arrow in the image?": "图中既有心形又有箭头吗？",
        "Is the yellow thing a house or a ring?": "黄色的东西是房子还是圆环？",
    },
    "ar": {
        "Is there a star in the image?": "هل توجد نجمة في الصورة؟",
        "Is there a square in the image?": "هل يوجد مربع في الصورة؟",
        "Do you see a red hourglass?": "هل توجد ساعة رملية حمراء في الصورة؟",
        "Is the moon blue?": "هل القمر أزرق؟",
        "Is the circle blue?": "هل الدائرة زرقاء؟",
        "What color is the hourglass?": "ما لون الساعة الرملية؟",
        "Is the star to the left or to the right of the moon?": "هل النجمة على يسار القمر أم على يمينه؟",
        "Is the moon above or below the star?": "هل القمر فوق النجمة أم تحتها؟",
        "What is the white thing?": "ما الشيء الأبيض؟",
        "Is the background black?": "هل الخلفية سوداء؟",
        "On which side of the picture is the ring?": "في أي جانب من الصورة تقع الحلقة؟",
    },
}  # fmt: skip
"""By hand."""
ENDS = {"zh": "请用英语回答。", "de": "Antworte auf Englisch.", "es": "Responde en inglés.", "ar": "أجب بالإنجليزية."}
WHOLLY = {"pope", "gqa", "hallusionbench", "mmvp"}
"""Tasks of whose embedded questions every one is written in each language."""
PARTLY = {
    *("amber_d", "naturalbench", "mmbench", "iconqa", "mmstar", "ai2d", "seedbench", "realworldqa", "cvbench"),
    *("aokvqa", "vstar", "mmt_bench", "mme_realworld_lite", "vqav2", "mmvet", "mmhal"),
}


@pytest.mark.parametrize(("code", "english"), [(code, english) for code, pairs in GOLDEN.items() for english in pairs])
def test_sentences_by_hand(code: str, english: str) -> None:
    assert translated(english, code) == f"{GOLDEN[code][english]} {ENDS[code]}"


def embedded(name: str) -> list[Sample]:
    choice = choose_task(name)
    return list(choice.task.samples(Folder.sample(name), choice.split))


def test_what_is_covered_is_known_by_name() -> None:
    found = {name: [read(sample.question) is not None for sample in embedded(name)] for name in tasks.builtin}
    assert {name for name, known in found.items() if all(known)} == WHOLLY
    assert {name for name, known in found.items() if any(known) and not all(known)} == PARTLY


def test_every_question_of_the_scenes_is_written_in_every_language() -> None:
    seen = set()
    for seed in range(40):
        for question in ask_many(make_scene(seed), Dice(seed), 30):
            for text in question.texts:
                known = read(text)
                assert known is not None, text
                seen.add(known[0])
                for code in LANGUAGES:
                    said = translated(text, code)
                    assert said is not None and "{" not in said and said.endswith(ENDS[code])
    assert seen == set(WORDINGS)


def words() -> Iterator[str]:
    """Every English word that a slot takes."""
    for taken in SLOTS.values():
        yield from taken


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_english_word_is_left(code: str) -> None:
    for seed in range(10):
        for question in ask_many(make_scene(seed), Dice(seed), 30):
            said = translated(question.text, code)
            assert said is not None
            left = set(re.findall(r"[a-z]+", said.lower())) & {*words(), "the", "is", "there", "what", "which"}
            assert left <= {"ring", "orange", "symbol"} and (not left or code == "de"), said
    for kind in KINDS:
        assert LANGUAGES[code].nouns[kind].forms


def test_what_is_no_wording_is_not_translated() -> None:
    for text in (
        "Is there a snowboard in the image?",
        "Is there a star in the image",
        "is there a star in the image?",
        "",
    ):
        assert translated(text, "de") is None


def test_questions_are_asked_and_scored_as_the_benchmark_has_them() -> None:
    choice, every = choose_task("gqa"), embedded("gqa")[:20]
    found = perturbations.apply(choice, every, every, parse_one("language:es"), Given())
    assert [sample for sample, _ in found.requests] == every
    for sample, request in found.requests:
        assert request.prompt.startswith(str(translated(sample.question, "es")))
        assert request.images == sample.images


def test_a_split_in_the_language_is_taken() -> None:
    """MMBench has its own Chinese questions: they are asked, with their options, and paired by id."""
    choice, every = choose_task("mmbench@exact"), embedded("mmbench")
    chinese = {one.id: one for one in choice.task.samples(Folder.sample("mmbench"), "dev_cn")}
    given = Given(None, Folder.sample("mmbench"), None)
    found = perturbations.apply(choice, every, every, parse_one("language:zh"), given)
    assert len(found.requests) == len(every) and not found.skipped
    for sample, request in found.requests:
        assert chinese[sample.id].question in request.prompt and sample.choices == chinese[sample.id].choices
        assert all(option in request.prompt for option in sample.choices) and ENDS["zh"] not in request.prompt
    german = perturbations.apply(choice, every, every, parse_one("language:de"), given)
    assert german.skipped == {languages.NOT_WRITTEN: len(every) - len(german.requests)} and german.requests


def test_tasks_without_the_language_are_refused_by_name() -> None:
    choice = choose_task("docvqa")
    with pytest.raises(UsageError, match="no question of docvqa is written in Arabic"):
        perturbations.check([parse_one("language:ar")], choice, embedded("docvqa"))
    perturbations.check([parse_one("language:zh")], choose_task("mmbench"), [])
