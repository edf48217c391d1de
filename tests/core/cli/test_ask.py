"""`vlmbench ask`: the answer alone on stdout, dialogues, boxes drawn, and what cannot be asked."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.toys import ToyModel, png
from vlmbench.base import registry
from vlmbench.base.errors import UsageError
from vlmbench.base.samples import Generation, ImageRef, Request, Response
from vlmbench.cli.main import main, parser
from vlmbench.cli.options import model as model_options
from vlmbench.data.files import Folder
from vlmbench.plugins import specs as loading
from vlmbench.runs import opening

BOXED = "echo,text=<p>the star</p> {<10><20><50><60>}"


class Parrot(ToyModel):
    """Answers with all that it was told, and remembers the requests."""

    supports_multi_turn = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        for group in groups:
            for request in group:
                self.requests.append(request)
                text = " / ".join([*(question for question, _ in request.history), request.prompt])
                fails = Response(finish="error", error="planted") if request.prompt == "fail" else None
                if request.prompt == "raise":
                    raise RuntimeError("a bug")
                if request.prompt != "nothing":
                    yield request, fails or Response(text=text, new_tokens=3, seconds=0.1234567)


class Forgetful(Parrot):
    """Takes single questions only."""

    supports_multi_turn = False


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A picture's path; the current folder is another, empty one."""
    (tmp_path / "here").mkdir()
    (tmp_path / "cat.png").write_bytes(png((200, 30, 30)))
    monkeypatch.chdir(tmp_path / "here")
    return str(tmp_path / "cat.png")


@pytest.fixture
def parrot(monkeypatch: pytest.MonkeyPatch) -> Parrot:
    model = Parrot()
    monkeypatch.setattr(registry, "models", registry.Registry("model", dict(registry.MODELS), "none"))
    registry.models.add("parrot", lambda checkpoint: model)
    registry.models.add("forgetful", lambda checkpoint: Forgetful())
    return model


class Keyboard(io.StringIO):
    """Lines typed at a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_answer_alone_is_on_stdout(image: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "--model", "echo,text=a cat", image, "What is it?"]) == 0
    assert capsys.readouterr() == ("a cat\n", "")
    assert list(Path().iterdir()) == []


def test_later_questions_see_the_earlier_turns(image: str, parrot: Parrot, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", image, "one", "--model", "parrot", "two", " three "]) == 0  # in any order
    assert capsys.readouterr().out == "one\none / two\none / two / three\n"
    assert parrot.requests[2].history == (("one", "one"), ("two", "one / two"))
    assert parrot.requests[0].generation == Generation(max_new_tokens=512)
    assert [picture.name for picture in parrot.requests[2].images] == ["cat.png"]


def test_how_to_generate(image: str, parrot: Parrot) -> None:
    words = ["ask", "--model", "parrot", image, "one", "--temperature", "0.2", "--top-p", "0.9"]
    assert main([*words, "--max-new-tokens", "7"]) == 0 and main([*words, "--seed", "5"]) == 0
    first, second = parrot.requests
    assert first.generation == Generation(7, temperature=0.2, top_p=0.9)
    assert first.sample_id != second.sample_id  # what a sampled answer's seed comes from


def test_json_is_one_object_a_turn(image: str, parrot: Parrot, capsys: pytest.CaptureFixture[str]) -> None:
    box = "{<25><0><75><50>}"
    assert main(["ask", "--model", "parrot", image, "one", f"two <p>a dog</p> {box}", "--json"]) == 0
    out, err = capsys.readouterr()
    one, two = map(json.loads, out.splitlines())
    assert one == {"question": "one", "answer": "one", "finish": "stop", "tokens": 3, "seconds": 0.123, "boxes": []}
    assert two["boxes"] == [{"box": [2, 0, 6, 4], "phrase": "a dog"}]
    assert err == "vlmbench: 1 box drawn: cat-boxes-2.png\n"


@pytest.mark.parametrize(
    ("typed", "out"), [("one\n\nlost\n", "one\n"), ("one\ntwo\n", "one\none / two\n"), ("", ""), ("\n", "")]
)
def test_at_a_terminal_until_an_empty_line(
    typed: str,
    out: str,
    image: str,
    parrot: Parrot,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", Keyboard(typed))
    assert main(["ask", "--model", "parrot", image]) == 0
    printed = capsys.readouterr()
    assert printed.out == out
    assert printed.err.startswith("vlmbench: ask about cat.png; an empty line ends\n> ")


def test_a_pipe_has_one_question_a_line(
    image: str, parrot: Parrot, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\none\n  \ntwo"))
    assert main(["ask", "--model", "parrot", image]) == 0
    assert capsys.readouterr() == ("one\none / two\n", "")


def test_boxes_are_drawn_on_a_copy(image: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    before = Path(image).read_bytes()
    assert main(["ask", "--model", BOXED, image, "Where?"]) == 0
    assert capsys.readouterr().err == "vlmbench: 1 box drawn: cat-boxes.png\n"
    with Image.open("cat-boxes.png") as drawn:
        assert drawn.size == (320, 320)
        assert tuple(np.asarray(drawn)[100, 33]) == (255, 64, 64)
    assert main(["ask", "--model", BOXED, image, "Where?", "Again?", "--boxes", str(tmp_path / "out.jpg")]) == 0
    with Image.open(tmp_path / "out.jpg") as first, Image.open(tmp_path / "out-2.jpg") as second:
        assert (first.format, second.size) == ("JPEG", (320, 320))
    assert Path(image).read_bytes() == before
    assert main(["ask", "--model", "echo,text=no", image, "Where?", "--boxes", "none.png"]) == 0
    assert "no box in the answer: nothing drawn" in capsys.readouterr().err and not Path("none.png").exists()


def test_the_picture_is_never_written_over(image: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("link.png").symlink_to(image)
    before = Path(image).read_bytes()
    for target in (image, "link.png", "../here/link.png"):
        assert main(["ask", "--model", BOXED, image, "Where?", "--boxes", target]) == 2
        assert "is the image itself" in capsys.readouterr().err
    copy = Path("cat-boxes-2.png")  # the picture has the name that the second turn's boxes would get
    copy.write_bytes(before)
    assert main(["ask", "--model", BOXED, str(copy), "Where?", "Again?", "--boxes", "cat-boxes.png"]) == 2
    assert Path(image).read_bytes() == copy.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.jpg", "What?"], "nowhere.jpg: no such file\n  check the path"),
        (["..", "What?"], "cannot read it: a folder"),
        (["IMAGE", "  "], "an empty question"),
        (["IMAGE", "What?", ""], "an empty question"),
        (["IMAGE", "What\udcff?"], "is not UTF-8 text"),
        (["IMAGE"], "no question\n  write it behind IMAGE"),
        (["IMAGE", "What?", "--model", "tinylava"], "did you mean tinyllava"),
        (["IMAGE", "What?", "--model", "tinyllava:/nowhere"], "nowhere"),
        (["IMAGE", "What?", "--device", "cpu"], "model echo has no --device"),
        (["IMAGE", "What?", "--quantize", "int8"], "model echo has no --quantize"),
        (["IMAGE", "What?", "--max-new-tokens", "0"], "leaves no answer"),
        (["IMAGE", "What?", "--temperature", "-1"], "--temperature -1.0 makes no sense"),
        (["IMAGE", "What?", "--temperature", "nan"], "--temperature nan makes no sense"),
        (["IMAGE", "What?", "--temperature", "1", "--top-p", "1.5"], "--top-p 1.5 is no share"),
        (["IMAGE", "What?", "--top-p", "0.9"], "--top-p changes nothing at temperature 0"),
        (["IMAGE", "What?", "--boxes", "x.txt"], "no image's suffix"),
        (["IMAGE", "What?", "--boxes", "nowhere/x.png"], "no folder nowhere"),
        (["IMAGE", "What?", "Why?", "--model", "forgetful"], "takes no dialogue\n  ask it one question a command"),
    ],
)
def test_what_cannot_be_asked(
    words: list[str],
    told: str,
    image: str,
    parrot: Parrot,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(["ask", "--model", "echo,text=a cat", *[image if word == "IMAGE" else word for word in words]]) == 2
    out, err = capsys.readouterr()
    assert told in err and (out, "Traceback" in err) == ("", False)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"not an image", png((1, 2, 3))[:40]])
def test_a_file_that_is_no_picture(content: bytes, image: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.png").write_bytes(content)
    assert main(["ask", "--model", "echo,text=a cat", "bad.png", "What?"]) == 2
    out, err = capsys.readouterr()
    assert "bad.png: " in err and not out


def test_one_question_alone_is_fine_for_a_forgetful_model(
    image: str, parrot: Parrot, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["ask", "--model", "forgetful", image, "one"]) == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\ntwo\n"))
    assert main(["ask", "--model", "forgetful", image]) == 2
    out, err = capsys.readouterr()
    assert out == "one\none\n" and "takes no dialogue" in err


@pytest.mark.parametrize(
    ("question", "reason"),
    [("fail", "planted"), ("raise", "RuntimeError: a bug"), ("nothing", "the model gave no answer")],
)
def test_no_answer_exits_with_one(
    question: str, reason: str, image: str, parrot: Parrot, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ask", "--model", "parrot", image, question, "never asked"]) == 1
    assert capsys.readouterr() == ("", f"vlmbench: no answer: {reason}\n")
    assert main(["ask", "--model", "parrot", image, question, "never asked", "--json"]) == 1
    (turn,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (turn["finish"], turn["error"]) == ("error", reason)


def test_questions_that_are_not_text(
    image: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe?\n"), "utf-8"))
    assert main(["ask", "--model", "echo", image]) == 2
    assert "not UTF-8 text" in capsys.readouterr().err


def test_the_model_that_ships_looks_and_answers(capsys: pytest.CaptureFixture[str]) -> None:

    picture = Folder.sample("gqa").root / "images"
    path = sorted(picture.glob("*.jpg"))[0]
    questions = ["Is there a circle in the image?", "What color is the background?"]
    assert main(["ask", "--model", "tinyllava", str(path), *questions, "--json", "--max-new-tokens", "5"]) == 0
    turns = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert turns[0]["answer"] in ("yes", "no") and turns[1]["finish"] in ("stop", "length")
    assert all(turn["tokens"] > 0 and turn["seconds"] > 0 for turn in turns)
    model = loading.load_model(loading.parse_model("tinyllava"), {})
    history = ((questions[0], turns[0]["answer"]),)
    shown = (ImageRef(path.name, path.read_bytes),)
    asked = Request("1", questions[1], shown, generation=Generation(max_new_tokens=5), history=history)
    ((_, response),) = model.answer([[asked]])
    assert response.text == turns[1]["answer"]
    for words in (["--engine", "simple"], ["--temperature", "0.5", "--top-p", "0.9", "--seed", "3"]):
        assert main(["ask", "--model", "tinyllava", str(path), *questions, *words, "--max-new-tokens", "5"]) == 0
        answers = capsys.readouterr().out.splitlines()
        assert len(answers) == 2 and (words[0] != "--engine" or answers == [turn["answer"] for turn in turns])


def test_a_missing_package_is_told_before_the_model_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlmbench.base.process.extras.find_spec", lambda name: None)
    monkeypatch.setattr("vlmbench.plugins.specs.registry.models.get", lambda *args: pytest.fail("the model was loaded"))
    args = parser("run").parse_args(["--model", "tinyllava", "--tasks", "pope", "--quantize", "int8"])
    with pytest.raises(UsageError, match="--quantize needs torchao, which is not installed\n  pip install"):
        opening.load_model(model_options.options(args))
