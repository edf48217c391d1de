"""Changes of samples and requests: each against its definition, over every task that it fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.core.perturbations.test_corruptions import picture
from tests.support.toys import ToyTask, gone, keep, png
from vlmbench.base.errors import UnknownNameError, UsageError, VlmbenchError
from vlmbench.base.registry import TaskChoice, choose_task, tasks
from vlmbench.base.samples import ImageRef, Request, Response, Sample
from vlmbench.data.files import Folder
from vlmbench.data.images import decoding as images
from vlmbench.parsing.boxes import cropped
from vlmbench.perturbations import option_order, paraphrases, perturbations, shuffled_images
from vlmbench.perturbations.perturbations import Perturbed, parse, parse_one


@lru_cache
def samples(key: str) -> tuple[TaskChoice, Sequence[Sample]]:
    """A task's embedded questions."""
    choice = choose_task(key)
    return choice, choice.task.samples(Folder.sample(choice.task.name), choice.split)


def put(key: str, label: str, seed: int = 0, few: slice = slice(None)) -> Perturbed:
    """A task's questions under a change."""
    choice, every = samples(key)
    return perturbations.apply(choice, every, every[few], parse_one(label, seed))


def everything() -> Iterator[str]:
    """Every protocol of every task on its default split."""
    for name in tasks.builtin:
        for protocol in choose_task(name).task.protocols:
            yield f"{name}@{protocol}"


# ---------------------------------------------------------------------------------------------------------- the words


def test_words_of_the_command_line() -> None:
    assert [one.label for one in parse("blind, noise:2,crop,paraphrase-suffix")] == [
        "blind",
        "noise:2",
        "crop:3",
        "paraphrase-suffix:1",
    ]
    assert parse("") == []
    for words, error, told in (
        ("blnd", UnknownNameError, "did you mean blind"),
        ("noise:6", UsageError, "noise:1 to noise:5"),
        ("noise:", UsageError, "no severity"),
        ("noise:²", UsageError, "no severity"),
        ("blind:1", UsageError, "has no severities"),
        ("noise,noise:3", UsageError, "named twice: noise:3"),
        (",", UsageError, "names no perturbation"),
    ):
        with pytest.raises(error, match=told):
            parse(words)


@pytest.mark.parametrize(
    "label", [{"language": "language:de"}.get(name, name) for name in perturbations.names() if name != "pgd"]
)
@pytest.mark.parametrize("name", tasks.builtin)
def test_every_question_is_asked_or_left_out_with_a_reason(name: str, label: str) -> None:
    _, every = samples(name)
    found = put(name, label)
    assert len(found.requests) + sum(found.skipped.values()) == len(every)
    assert all(found.skipped) and found.samples == every
    known = {sample.id: sample for sample in every}
    for sample, request in found.requests:
        assert request.sample_id == sample.id and sample.question == known[sample.id].question
        assert (sample.cluster, sample.tags, sample.extra) == (
            known[sample.id].cluster,
            known[sample.id].tags,
            known[sample.id].extra,
        )


# ------------------------------------------------------------------------------------------------------------- shuffle


def holds_shuffle(choice: TaskChoice, every: Sequence[Sample], found: Perturbed) -> None:
    """Another picture each time: no equal bytes, no common cluster, one and the same for one picture."""
    known = {sample.id: sample for sample in every}
    cluster_of: dict[str, set[str]] = {}
    for sample in every:
        for one in sample.images:
            cluster_of.setdefault(one.name, set()).add(sample.cluster)
    stands_for: dict[tuple[str, ...], tuple[str, ...]] = {}
    for sample, request in found.requests:
        own = choice.task.build_request(known[sample.id], choice.protocol)
        assert request.prompt == own.prompt and len(request.images) == len(own.images)
        for mine, other in zip(own.images, request.images, strict=True):
            assert images.fingerprint(mine.load()) != images.fingerprint(other.load())
            if len(sample.images) == 1:
                assert sample.cluster not in cluster_of[other.name]
        names = tuple(one.name for one in own.images)
        shown = tuple(one.name for one in request.images)
        assert stands_for.setdefault(names, shown) == shown


@pytest.mark.parametrize("key", ["pope", "mme", "mmbench", "iconqa", "iconqa@lmms_eval", "vsr", "scienceqa:test"])
def test_shuffled_pictures_are_others(key: str) -> None:
    choice, every = samples(key)
    holds_shuffle(choice, every, put(key, "shuffle-image"))


def test_shuffling_depends_on_seed_and_pictures_not_on_order_or_limit() -> None:
    choice, every = samples("gqa")

    def shown(found: Perturbed) -> dict[str, str]:
        return {sample.id: request.images[0].name for sample, request in found.requests}

    change = parse_one("shuffle-image")
    whole = shown(put("gqa", "shuffle-image"))
    assert shown(perturbations.apply(choice, every[::-1], every[::-1], change)) == whole
    few = shown(put("gqa", "shuffle-image", few=slice(100, 160)))
    assert few.items() <= whole.items() and len(few) == 60
    assert shown(put("gqa", "shuffle-image", seed=1)) != whole
    assert len(set(whole.values())) == len({sample.images[0].name for sample in every})  # each shown once


def test_equal_bytes_under_other_names_are_no_other_picture() -> None:
    twins = [ImageRef(name, partial(keep, png((1, 1, 1)))) for name in ("a", "b")]
    lost = ImageRef("lost", partial(gone, "lost"))
    third = ImageRef("c", partial(keep, png((2, 2, 2))))
    choice = TaskChoice(ToyTask(), "test", "official")

    def shown(*pictures: ImageRef) -> list[str]:
        every = [Sample(str(n), "?", (one,), "yes", cluster=one.name) for n, one in enumerate(pictures)]
        found = perturbations.apply(choice, every, every, parse_one("shuffle-image"))
        told = [request.images[0].name for _, request in found.requests]
        return told or list(found.skipped)

    assert shown(*twins) == shown(third) == ["the task has no other image to show"]
    assert shown(*twins, third)[:2] == ["c", "c"]
    assert shown(third, lost) == ["lost", "c"]  # what cannot be read becomes an error of its sample, later


def test_the_check_of_shuffling_finds_planted_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    choice, every = samples("pope")
    for mistake in (
        lambda self, sample: sample.images,  # the own picture
        lambda self, sample: every[(int(sample.id.split("/")[1]) * 7) % 90].images,  # sometimes of the same cluster
    ):
        monkeypatch.setattr(shuffled_images.Donors, "of", mistake)
        with pytest.raises(AssertionError):
            holds_shuffle(choice, every, put("pope", "shuffle-image"))


# ------------------------------------------------------------------------------------------------------------ options


def holds_options(key: str, seed: int = 0) -> int:
    """The right option is the same thing under its new letter, in the sample, in the words, and for the score."""
    choice, every = samples(key)
    known = {sample.id: sample for sample in every}
    found = put(key, "option-order", seed)
    for sample, request in found.requests:
        old = known[sample.id]
        at, was = ord(sample.target) - 65, ord(old.target) - 65
        assert sample.choices[at] == old.choices[was] and sorted(sample.choices) == sorted(old.choices)
        assert sample.choices != old.choices or len(set(old.choices)) < len(old.choices)
        if len(sample.images) > 1:
            assert sample.images[0] == old.images[0] and sample.images[1 + at] == old.images[1 + was]
        else:
            places = [request.prompt.rfind(option) for option in sample.choices]
            assert -1 not in places
        right = Response(sample.target, choices=())
        if not request.choices:
            assert choice.task.score(sample, right, choice.protocol).value == 1
    return len(found.requests)


@pytest.mark.parametrize("key", ["mmbench@exact", "scienceqa@llava", "scienceqa@qwen_vl", "iconqa"])
def test_the_right_option_keeps_being_right(key: str) -> None:
    assert holds_options(key) > 10 and holds_options(key, seed=5) > 10


def test_a_reader_of_the_shown_options_scores_the_same() -> None:
    """It knows the right option's text and reads its letter off the prompt: the order is nothing to it."""
    choice, every = samples("mmbench@exact")
    texts = {sample.id: sample.choices[ord(sample.target) - 65] for sample in every}
    found = put("mmbench@exact", "option-order")
    for sample, request in found.requests:
        (letter,) = [line[0] for line in request.prompt.splitlines() if line[1:] == f". {texts[sample.id]}"]
        assert choice.task.score(sample, Response(letter), "exact").value == 1


def test_circular_questions_stay_circular() -> None:
    """Every rotation of a question moves alike: the right option still stands once at each letter, in new orders."""
    _, every = samples("mmbench")
    before: dict[int, set[tuple[str, ...]]] = {}
    after: dict[int, set[tuple[str, ...]]] = {}
    letters: dict[int, list[str]] = {}
    for sample in every:
        before.setdefault(sample.extra["group"], set()).add(sample.choices)
    for sample, _ in put("mmbench", "option-order").requests:
        after.setdefault(sample.extra["group"], set()).add(sample.choices)
        letters.setdefault(sample.extra["group"], []).append(sample.target)
    for group, orders in before.items():
        count = len(next(iter(orders)))
        assert len(after[group]) == len(orders) == len(set(letters[group])) == count
        assert (after[group] & orders == set()) == (count > 2)


def test_places_texts_and_doubtful_targets() -> None:
    def asked(*pairs: tuple[tuple[str, ...], object]) -> option_order.Naming | None:
        return option_order.naming(
            [Sample(str(n), "?", (), target, options) for n, (options, target) in enumerate(pairs)]
        )

    options = ("cat", "dog", "cow")
    order = [2, 0, 1]
    for pairs, target, expected in (
        ([(options, 2), (options, 0)], 2, 0),
        ([(options, "C"), (options, "A")], "C", "A"),
        ([(options, "dog"), (options, "cow")], "dog", "dog"),
    ):
        named = asked(*pairs)
        sample = Sample("1", "?", (), target, options)
        assert named is not None
        assert option_order.reordered(sample, order, named, image_options=False).target == expected
    assert asked((options, "D")) is None and asked((("B", "A"), "A")) is None and asked((options, 1.0)) is None
    assert asked((options, True)) is None
    withheld = option_order.reordered(
        Sample("1", "?", (), None, options), order, option_order._NAMINGS["letter"], image_options=False
    )
    assert withheld.target is None and withheld.choices == ("cow", "cat", "dog")


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("pope", "no options to choose from"),
        ("vsr@official", "no options to choose from"),
        ("iconqa:choose_txt_val@minigpt_v2", "the prompt does not show the options"),
    ],
)
def test_where_an_order_makes_no_sense_it_is_said(key: str, why: str) -> None:
    found = put(key, "option-order")
    assert not found.requests and set(found.skipped) == {why}


def test_the_check_of_options_finds_an_unmapped_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def unmapped(sample: Sample, *arguments: Any, **settings: Any) -> Sample:
        return replace(reordered(sample, *arguments, **settings), target=sample.target)

    reordered = option_order.reordered
    monkeypatch.setattr(option_order, "reordered", unmapped)
    for key in ("mmbench@exact", "scienceqa@llava", "iconqa"):
        with pytest.raises(AssertionError):
            holds_options(key)


# -------------------------------------------------------------------------------------------------------------- boxes


def test_a_crop_takes_the_box_along() -> None:
    """The box is painted, the picture cropped: what is left of the paint is the right answer."""
    rng = np.random.default_rng(0)
    kept = 0
    for number in range(40):
        width, height = (int(side) for side in rng.integers(60, 90, 2))
        x, y = (int(side) for side in rng.integers(2, 30, 2))
        w, h = (int(side) for side in rng.integers(8, 28, 2))
        planes = np.full((height, width, 3), (0, 0, number), np.uint8)
        planes[y : y + h, x : x + w] = 255
        target = {"bbox": [2 * x, 2 * y, 2 * w, 2 * h], "width": 2 * width, "height": 2 * height}  # annotated at twice
        sample = Sample(str(number), "the white one", (picture(Image.fromarray(planes)),), target)
        choice = choose_task("refcoco")
        found = perturbations.apply(choice, [sample], [sample], parse_one("crop:3"))
        change = perturbations.perturbed_image(sample.images[0], parse_one("crop:3"))
        part = np.asarray(images.decode(change.load()))
        rows, columns = np.nonzero((part == 255).all(-1))
        if len(rows) < w * h / 2:
            assert list(found.skipped) == ["the crop leaves less than 50% of what the box holds"]
            continue
        kept += 1
        ((moved, request),) = found.requests
        left, top = int(columns.min()), int(rows.min())
        box = [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]
        assert [round(side / 2) for side in moved.target["bbox"]] == box
        assert (moved.target["width"], moved.target["height"]) == (2 * part.shape[1], 2 * part.shape[0])
        assert request.images[0].load() == change.load()
    assert 10 < kept < 40


def test_a_box_is_not_turned_but_all_else_is() -> None:
    assert set(put("refcoco", "rotate").skipped) == {
        "a box has no right answer in a turned image: it is no longer upright"
    }
    assert not put("pope", "rotate").skipped
    noisy = put("refcoco", "noise")
    assert [sample.target for sample, _ in noisy.requests] == [sample.target for sample in samples("refcoco")[1]]


def test_a_box_out_of_the_window_is_none() -> None:
    target = {"bbox": [0, 0, 10, 10], "width": 100, "height": 100}
    assert cropped(target, (50, 50, 100, 100), (100, 100), 0.5) is None
    moved = cropped(target, (5, 0, 55, 50), (100, 100), 0.5)
    assert moved == {"bbox": [0, 0, 5, 10], "width": 50, "height": 50}


# ------------------------------------------------------------------------------------------------------------ wordings

FORMS = (
    "word or",
    "letter",
    "yes or no",
    "True",
    "rue or false",
    "option",
    "short answer",
    "briefly",
    "few words",
    "字母",
)


@pytest.mark.parametrize("number", range(1, paraphrases.COUNT + 1))
def test_only_the_request_for_the_form_changes(number: int) -> None:
    told = []
    for key in everything():
        try:
            found = put(key, f"paraphrase-suffix:{number}")
        except VlmbenchError:
            continue  # a protocol need not know every kind of question
        choice, every = samples(key)
        asked = {sample.id: choice.task.build_request(sample, choice.protocol) for sample in every}
        for sample, request in found.requests:
            own = asked[sample.id]
            (sentence,) = {
                old
                for old, new in paraphrases.PARAPHRASES.items()
                if own.prompt.replace(old, new[number - 1]) == request.prompt and old in own.prompt
            } or {""}
            assert sentence, (own.prompt, request.prompt)
            assert replace(request, prompt="") == replace(own, prompt="") and request.prompt != own.prompt
        told += [key] if found.requests else []
    assert {"pope@llava", "mme@official", "mmbench@official", "vsr@official", "gqa@minigpt_v2"} <= set(told)
    assert not {"pope@official", "gqa@lavis", "refcoco@lmms_eval", "mmvet@official"} & set(told)


def test_wordings_are_other_words_for_the_same_form() -> None:
    for sentence, others in paraphrases.PARAPHRASES.items():
        assert len({sentence, *others}) == 1 + paraphrases.COUNT
        for one in others:
            assert any(form in sentence and (form in one or form == "short answer") for form in FORMS), (sentence, one)
            assert any(form in one for form in FORMS) and sentence[-1] in ".:?。" and one[-1] in ".:?。"


def test_the_last_and_longest_sentence_is_taken() -> None:
    asked = "Please answer yes or no. Is it?\nPlease answer yes or no."
    assert paraphrases.paraphrased(asked, 1) == "Please answer yes or no. Is it?\nPlease reply with yes or no."
    assert paraphrases.paraphrased("What is it?", 1) is None


def test_no_picture_no_change() -> None:
    for label in ("blind", "noise", "shuffle-image"):
        found = put("scienceqa:test", label)
        with_picture = [sample.id for sample in samples("scienceqa:test")[1] if sample.images]
        assert [sample.id for sample, _ in found.requests] == with_picture and list(found.skipped) == ["no image"]


def test_requests_are_as_they_are_without_a_change() -> None:
    choice, every = samples("pope")
    found = perturbations.apply(choice, every, every[:5], None)
    assert found.requests == [(sample, choice.task.build_request(sample, "official")) for sample in every[:5]]
    assert isinstance(found.requests[0][1], Request) and not found.skipped
