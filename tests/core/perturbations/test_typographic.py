"""Words in images: never the right answer, at the same place as the control's, readable, and reproducible."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from PIL import Image

from tests.core.perturbations.test_perturbations import put, samples
from tests.support.toys import keep, png_of
from vlmbench.base.errors import UsageError
from vlmbench.base.registry import choose_task, tasks
from vlmbench.base.samples import ImageRef, Request, Response, Sample
from vlmbench.data.files import Folder
from vlmbench.data.images import decoding as images
from vlmbench.perturbations import perturbations, typographic
from vlmbench.perturbations.perturbations import parse_one
from vlmbench.perturbations.wrong_answers import WrongAnswers, right_answer
from vlmbench.scenes.canvas import POINTS, print_width


def picture(width: int, height: int) -> Image.Image:
    """Noise, in which a board stands out."""
    values = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


WITH_WORDS = ("pope", "gqa", "mmbench", "mmbench@exact", "vqav2", "tallyqa", "scienceqa", "mathvista")


def text_of(image: ImageRef) -> str:
    return image.name.rpartition("#")[2].rpartition(" ")[0]


def holds_wrong(key: str) -> int:
    """What is written is an answer that the benchmark's own rules find wrong, and none of its right answers."""
    choice, _ = samples(key)
    found = put(key, "typographic:2")
    for sample, request in found.requests:
        text = text_of(request.images[0])
        assert text != typographic.written(right_answer(choice, sample))
        if sample.choices:
            right = ord(str(sample.target)) - 65
            assert text in {typographic.written(one) for one in sample.choices}
            assert text != typographic.written(sample.choices[right])
        else:
            score = choice.task.score(sample, Response(text.lower()), choice.protocol)
            assert score.value in (0, None)
    return len(found.requests)


@pytest.mark.parametrize("key", WITH_WORDS)
def test_the_word_is_never_the_right_answer(key: str) -> None:
    assert holds_wrong(key) > 5


def test_the_check_finds_right_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def right(self: WrongAnswers, sample: Sample, fits: object) -> str:
        return sample.choices[ord(sample.target) - 65] if sample.choices else right_answer(self.choice, sample)

    monkeypatch.setattr(WrongAnswers, "of", right)
    for key in ("pope", "gqa", "mmbench"):
        with pytest.raises(AssertionError):
            holds_wrong(key)


def test_open_questions_get_answers_of_their_kind() -> None:
    """A question about a color is answered with another color."""
    colors = {"RED", "ORANGE", "YELLOW", "GREEN", "CYAN", "BLUE", "PURPLE", "WHITE", "BLACK", "GRAY", "BROWN", "TEAL"}
    found = [text_of(r.images[0]) for s, r in put("gqa", "typographic").requests if s.question.startswith("What color")]
    assert len(found) > 50 and set(found) <= colors


@pytest.mark.parametrize("name", tasks.builtin)
def test_the_control_is_no_answer_at_the_same_place(name: str) -> None:
    """Under the control the same pixels change, and no others; its word is no option and no right answer."""
    choice, _ = samples(name)
    few = slice(0, 40, 7)
    attacks, controls = (put(name, f"{label}:2", few=few).requests for label in ("typographic", "typographic-control"))
    assert [sample.id for sample, _ in attacks] == [sample.id for sample, _ in controls]
    for (sample, attack), (_, control) in zip(attacks, controls, strict=True):
        text = text_of(control.images[0])
        assert text not in {typographic.written(one) for one in (*sample.choices, right_answer(choice, sample))}
        assert text != text_of(attack.images[0]) and len(text) <= len(text_of(attack.images[0]))
        clean, one, other = (
            np.asarray(images.decode(image.load())).astype(int)
            for image in (choice.build_request(sample).images[0], attack.images[0], control.images[0])
        )
        assert one.shape == clean.shape and attack.images[1:] == choice.build_request(sample).images[1:]
        boxes = [box(np.abs(changed - clean).sum(2)) for changed in (one, other)]
        assert max(abs(a - b) for a, b in zip(*boxes, strict=True)) <= 1  # a grey board may hide in a grey image
        assert {*np.unique(one[boxes[0][0] : boxes[0][2], boxes[0][1] : boxes[0][3]])} != {0}


def box(change: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(change.any(1)), np.flatnonzero(change.any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def test_the_text_can_be_read_back() -> None:
    """The points of the letters, at a whole number of pixels each."""
    rng = np.random.default_rng(3)
    for level in range(1, 6):
        pixels = np.asarray(typographic.draw(picture(300, 200), "NO", "NO", level, rng)).astype(int)
        top, left, bottom, right = box(np.abs(pixels - np.asarray(picture(300, 200)).astype(int)).sum(2))
        board = pixels[top:bottom, left:right, 0]
        scale = (bottom - top) // (7 + 2 * typographic.MARGIN)
        points = board[scale // 2 :: scale, scale // 2 :: scale]
        ink = points != points[0, 0]
        want = np.array([[c == "#" for c in ".".join(POINTS[x][row] for x in "NO")] for row in range(7)])
        assert (ink[2:-2, 2:-2] == want).all()
        height = 7 * scale / 200
        low, high = typographic.SPREAD
        assert low * typographic.HEIGHTS[level - 1] - 0.02 <= height <= high * typographic.HEIGHTS[level - 1] + 0.02


def test_it_reproduces_and_depends_on_the_seed() -> None:
    def bytes_of(seed: int) -> list[bytes]:
        return [request.images[0].load() for _, request in put("gqa", "typographic", seed, few=slice(20)).requests]

    assert bytes_of(0) == bytes_of(0) != bytes_of(1)


def test_rotations_of_a_question_get_one_word() -> None:
    found: dict[str, set[str]] = {}
    for sample, request in put("mmbench", "typographic").requests:
        found.setdefault(sample.extra["group"], set()).add(text_of(request.images[0]))
    assert found and all(len(texts) == 1 for texts in found.values())


def small(size: int, *answers: str) -> list[tuple[Sample, Request]]:
    """A question with these options about a small image; the first is right."""
    image = ImageRef("small", partial(keep, png_of(picture(size, size))))
    sample = Sample("1", "?", (image,), "A", answers, tags={"language": "en"}, cluster="small")
    return perturbations.apply(choose_task("mmbench@exact"), [sample], [sample], parse_one("typographic")).requests


def test_only_what_fits_is_written() -> None:
    assert not small(10, "A", "NO")
    assert small(16, "CAT", "NO")
    assert not small(40, "CAT", "a very long answer indeed")
    assert not small(40, "CAT", "狗", "don't")
    assert print_width("NO") + 2 * typographic.MARGIN == 15


def test_tasks_without_wrong_answers_are_refused() -> None:
    choice, _ = samples("vqav2")
    unlabeled = choose_task("vqav2:test-dev")
    every = unlabeled.task.samples(Folder.sample("vqav2"), "test-dev")
    with pytest.raises(UsageError, match="has a wrong answer") as error:
        perturbations.check([parse_one("typographic")], unlabeled, every)
    assert "needs options" in error.value.hint
    perturbations.check([parse_one("typographic"), parse_one("noise")], choice, samples("vqav2")[1])
