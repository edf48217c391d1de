"""Questions of benchmarks in training: the tasks' own words, about pictures of the samples' kinds."""

from __future__ import annotations

from collections import Counter

import pytest
from PIL import ImageChops

from vlmbench.base import registry
from vlmbench.data.files import Folder
from vlmbench.scenes.lettering import LETTERS, LEXICON, Board
from vlmbench.scenes.scene import SAMPLE_SEEDS, TRAIN_SEEDS, Dice, Scene, blurred, draw, make_scene
from vlmbench.tasks.samples import hateful_memes, judged, mme, textvqa
from vlmbench.training.loop import patches
from vlmbench.training.scenes import photos, questions
from vlmbench.training.scenes.photos import Photo

WORDY = 24
"""Samples looked at in each task."""


def test_there_is_an_exam_for_each_sample() -> None:
    assert {exam.task for exam in questions.BENCHMARK_QUESTIONS.values()} == set(SAMPLE_SEEDS)


@pytest.mark.parametrize("kind", questions.BENCHMARK_QUESTIONS)
def test_exams_are_different_questions_about_a_scene_of_training(kind: str) -> None:
    dice = Dice(1)
    for _ in range(40):
        photo, asked = questions.questions_about(kind, dice, 3, (1, 6), "official")
        assert photo.scene.seed in TRAIN_SEEDS
        assert 1 <= len(asked) <= 3
        assert len({question for question, _ in asked}) == len(asked)
        assert all(answer for _, answer in asked)
        assert photo.image().size == (96, 96)


def _frame(prompt: str, question: str) -> str:
    return prompt.replace(question, "{}") if question in prompt else ""


@pytest.mark.parametrize("task", ["pope", "gqa", "vqav2", "okvqa", "vizwiz", "vsr", "mme", "hateful_memes", "refcoco"])
def test_words_around_questions_are_the_protocols(task: str) -> None:
    chosen = registry.choose_task(task)
    samples = chosen.task.samples(Folder.sample(task), chosen.split)[:WORDY]
    for protocol in chosen.task.protocols:
        asked = {_frame(chosen.task.build_request(sample, protocol).prompt, sample.question) for sample in samples} - {
            ""
        }
        (item,) = [
            next(
                questions.BENCHMARK_QUESTIONS[task].make(
                    Dice(2), questions.BENCHMARK_QUESTIONS[task].take_photo(Dice(2), 4, 5)
                )
            )
        ]
        prompt, _ = item.worded(task, protocol)
        assert not asked or _frame(prompt, item.question) in {*asked, ""}


def test_answers_score() -> None:
    """What is learnt is what the task's own rules call right."""
    from vlmbench.base.samples import Response, Sample

    dice = Dice(3)
    for name in ("scienceqa", "mmbench", "iconqa", "mme", "vsr", "pope"):
        chosen = registry.choose_task(name)
        exam = questions.BENCHMARK_QUESTIONS[name]
        for _ in range(10):
            photo = exam.take_photo(dice, 4, 5)
            item = next(exam.make(dice, photo))
            answer = item.worded(name, chosen.protocol)[1]
            right = "yes" if answer == "yes" else "no" if answer == "no" else answer
            target = {"True": "true", "False": "false"}.get(right, right)
            sample = Sample("", item.question, (), target, item.choices, item.tags, extra={**item.extra, "partial": 0})
            if chosen.task.build_request(sample, chosen.protocol).choices:
                continue
            assert chosen.task.score(sample, Response(answer), chosen.protocol).value == 1.0, (name, item)


def test_signs_hold_the_samples_words() -> None:
    words = {*textvqa.WORDS, *hateful_memes.THINGS, *hateful_memes.WORDS, *mme.WORDS, *mme.NAMES, *judged.WORDS}
    assert words <= set(LEXICON)


def test_a_tower_is_told_what_signs_say() -> None:
    board = Board("TEA", "yellow", 2, 20, 34)
    dense = patches.targets([Photo(Scene(1, (), "black", "plain"), (board,))], 16)[0]
    kind, color, word, letter = (dense[at].reshape(6, 6) for at in (0, 1, 10, 14))
    there = (kind > 0).nonzero().tolist()
    assert there and all(2 <= row <= 3 and 1 <= column <= 3 for row, column in there)
    assert set(word[kind > 0].tolist()) == {LEXICON.index("TEA") + 1}
    assert len(set(color[kind > 0].tolist())) == 1
    assert set(letter[letter > 0].tolist()) <= {list(LETTERS).index(sign) + 1 for sign in "TEA"}
    number = patches.targets([Photo(Scene(1, (), "black", "plain"), (Board("807", "green", 2, 20, 34),))], 16)[0]
    assert [set(number[11 + at][kind.reshape(-1) > 0].tolist()) for at in range(3)] == [{9}, {1}, {8}]


def test_bad_pictures_look_like_the_samples() -> None:
    """The same blur as VizWiz's sample; a unusable one shows the tower nothing."""
    import numpy as np

    scene = make_scene(TRAIN_SEEDS.start, 1, 1)
    soft = Photo(scene, blur=(14, 3))
    assert (soft.pixel_array() == blurred(np.asarray(draw(scene)).astype(np.int64), 14, 3)).all()
    assert soft.unusable and Photo(scene, light=2).unusable
    assert not Photo(scene, light=45).unusable and not Photo(scene, blur=(1, 1)).unusable
    dense = patches.targets([soft], 16)[0]
    assert not dense[0].any()
    assert ImageChops.difference(Photo(scene).image(), draw(scene)).getbbox() is None


def test_a_tower_sees_everything() -> None:
    dice, seen = Dice(4), Counter[str]()
    for _ in range(400):
        photo = photos.varied_photo(dice, 3, 6)
        seen["sign"] += bool(photo.boards)
        seen["bad"] += photo.light < 100 or photo.blur[0] > 0
        seen["unusable"] += photo.unusable
        seen["one"] += len(photo.scene.things) == 1
        assert photo.caption()
    assert min(seen.values()) >= 5 and seen["sign"] < 250
