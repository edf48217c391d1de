"""`vlmbench ask`: questions to a model about one image, as one dialogue; boxes in an answer are drawn."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import ModelError, UsageError, VlmbenchError
from vlmbench.base.process import exit_codes, terminal
from vlmbench.base.samples import Generation, ImageRef, Request, Response
from vlmbench.cli.options import model as model_options
from vlmbench.parsing.thinking import apart

if TYPE_CHECKING:
    from PIL.Image import Image

    from vlmbench.base.model import Model
    from vlmbench.parsing.boxes import Region


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The image, the questions, and how to answer."""
    add = parser.add_argument
    model_options.add_model(parser)
    add("image", type=Path, metavar="IMAGE", help="the image's file")
    several = (
        "several form a dialogue, in which each sees the earlier turns; without any, one per line is read from stdin"
    )
    add("questions", nargs="*", metavar="QUESTION", help=several)
    add("--max-new-tokens", type=int, default=512, metavar="N", help="maximum length of an answer (default 512)")
    add("--temperature", type=float, default=0.0, metavar="T", help="above 0: sample (default 0: greedy)")
    add("--top-p", type=float, metavar="P", help="sample from the likeliest tokens with this total probability")
    add("--seed", type=int, default=0, help="for sampling: the same seed gives the same answer (default 0)")
    model_options.add_settings(parser)
    add(
        "--boxes",
        type=Path,
        metavar="FILE",
        help="draw an answer's boxes here (default: IMAGE's name with -boxes.png, in this folder); a later turn "
        "adds its number",
    )
    add(
        "--padded",
        action="store_true",
        help="boxes as fractions ([0.1, 0.2, 0.3, 0.4]) refer to the image padded to a square (LLaVA-1.5's data)",
    )
    add("--json", action="store_true", help="print one JSON object per turn")


@dataclass
class Dialogue:
    """A image and what was said about it."""

    model: Model
    picture: ImageRef
    generation: Generation
    seed: int = 0
    turns: list[tuple[str, str]] = field(default_factory=list)

    def ask(self, question: str) -> Response:
        """The answer to one more question. Raises ModelError where the model takes one question alone."""
        if self.turns:
            refuse_single(self.model)
        name = f"{self.seed}/{len(self.turns) + 1}"
        asked = Request(name, question, (self.picture,), generation=self.generation, history=tuple(self.turns))
        try:
            answered = [response for _, response in self.model.answer([[asked]])]
        except VlmbenchError:
            raise
        except Exception as error:  # a bug in an adapter or its library
            return Response(finish="error", error=f"{type(error).__name__}: {error}")
        response = apart(answered[0]) if answered else Response(finish="error", error="the model gave no answer")
        if response.finish != "error":
            self.turns.append((question, response.text))
        return response


def refuse_single(model: Model) -> None:
    """Raise ModelError for a model that does not heed earlier turns."""
    from vlmbench.runs.execution.capabilities import supports_multi_turn

    if not supports_multi_turn(model):
        raise ModelError(f"{model.name} takes no dialogue", hint="ask it one question a command")


def run(args: argparse.Namespace) -> int:
    """Ask, print, draw. Exit code 1 when there is no answer."""
    from vlmbench.data.images import decoding as images
    from vlmbench.data.reading import IMAGE_BYTES, read_whole
    from vlmbench.runs.opening import load_model

    generation = _generation(args)
    data = read_whole(args.image, IMAGE_BYTES)
    image = images.decode(data, str(args.image))
    canvas = Canvas(image, args.image, args.boxes, padded=args.padded)
    questions = _questions(args)
    model = load_model(model_options.options(args))
    if len(args.questions) > 1:
        refuse_single(model)
    dialogue = Dialogue(model, ImageRef(args.image.name, partial(bytes, data)), generation, args.seed)
    for number, question in enumerate(questions, 1):
        response = dialogue.ask(question)
        regions = canvas.regions(response.text)
        _show(args, question, response, regions)
        if response.finish == "error":
            return exit_codes.BAD_RESULT
        if regions:
            _tell(f"{len(regions)} box{'es' * (len(regions) > 1)} drawn: {canvas.draw(regions, number)}")
        elif args.boxes is not None:
            _tell("no box in the answer: nothing drawn")
    return exit_codes.OK


def _generation(args: argparse.Namespace) -> Generation:
    """What the options say about generating. Raises UsageError for numbers out of range."""
    if args.max_new_tokens < 1:
        raise UsageError(f"--max-new-tokens {args.max_new_tokens} leaves no answer", hint="give a number above 0")
    if not 0 <= args.temperature < float("inf"):
        raise UsageError(f"--temperature {args.temperature} makes no sense", hint="0, or a number above it")
    if args.top_p is not None and not 0 < args.top_p <= 1:
        raise UsageError(f"--top-p {args.top_p} is no share", hint="give a number above 0 and at most 1")
    if args.top_p is not None and not args.temperature:
        raise UsageError("--top-p changes nothing at temperature 0", hint="give --temperature too, or leave it out")
    return Generation(max_new_tokens=args.max_new_tokens, temperature=args.temperature, top_p=args.top_p or 1.0)


def _questions(args: argparse.Namespace) -> Iterator[str]:
    """The command's questions, or the input's lines; a pipe's first is read at once. Raises UsageError for none."""
    if args.questions:
        questions = [question.strip() for question in args.questions]
        if not all(questions):
            raise UsageError("an empty question", hint='write it in quotes: vlmbench ask ... IMAGE "What is there?"')
        return iter(questions)
    if sys.stdin.isatty():
        return _typed(args.image.name)
    lines = _lines()
    first = list(islice(lines, 1))
    if not first:
        raise UsageError("no question", hint='write it behind IMAGE, in quotes: "What is there?"; or one a line')
    return chain(first, lines)


def _typed(name: str) -> Iterator[str]:
    """Questions from the keyboard, until an empty line or the input's end."""
    _tell(f"ask about {name}; an empty line ends")
    while True:
        print("> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line.strip():
            if not line:
                print(file=sys.stderr)
            return
        yield _utf8(line.strip())


def _lines() -> Iterator[str]:
    """Questions from a pipe or file, as they come; empty lines are passed over."""
    try:
        while line := sys.stdin.readline():
            if line.strip():
                yield _utf8(line.strip())
    except UnicodeDecodeError as error:
        raise UsageError(f"the questions are not UTF-8 text: {error}", hint="save them as UTF-8") from None


def _utf8(question: str) -> str:
    """The question, unless Python has kept bytes in it that are no text. Raises UsageError for those."""
    try:
        question.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"a question is not UTF-8 text: {error}", hint="write it as UTF-8") from None
    return question


def _show(args: argparse.Namespace, question: str, response: Response, regions: tuple[Region, ...]) -> None:
    """The answer on stdout; what else there is to say on stderr."""
    if args.json:
        _print_json(question, response, regions)
    elif response.finish != "error":
        print(response.text, flush=True)
    if response.finish == "error":
        _tell(f"no answer: {response.error}")
    elif response.finish == "length":
        _tell(f"the answer was cut at {args.max_new_tokens} tokens: --max-new-tokens N allows more")


def _print_json(question: str, response: Response, regions: tuple[Region, ...]) -> None:
    import orjson

    turn: dict[str, Any] = {
        "question": question,
        "answer": response.text,
        "finish": response.finish,
        "tokens": response.new_tokens,
        "seconds": round(response.seconds, 3),
        "boxes": [{"box": [round(value, 1) for value in r.box], "phrase": r.phrase} for r in regions],
    }
    if response.reasoning:
        turn |= {"reasoning": response.reasoning, "reasoning_tokens": response.reasoning_tokens}
    if response.finish == "error":
        turn["error"] = response.error
    terminal.result(orjson.dumps(turn).decode())


def _tell(text: str) -> None:
    print(f"vlmbench: {text}", file=sys.stderr, flush=True)


class Canvas:
    """The image that boxes are drawn on, and where the drawn ones go."""

    def __init__(self, image: Image, source: Path, target: Path | None, *, padded: bool) -> None:
        """Raises UsageError for a target that cannot be written."""
        from PIL import Image as Images

        self.image, self.source, self.padded = image, source, padded
        self.target = target or Path(f"{source.stem}-boxes.png")
        known = Images.registered_extensions()
        if known.get(self.target.suffix.lower()) not in Images.SAVE:
            raise UsageError(f"--boxes {self.target}: no image's suffix", hint="end its name with .png or .jpg")
        if not self.target.parent.is_dir():
            raise UsageError(f"--boxes {self.target}: no folder {self.target.parent}", hint="make it first")
        self.path(1)

    def path(self, turn: int) -> Path:
        """The file of a turn's boxes. Raises UsageError where that is the image itself."""
        name = self.target.stem + (f"-{turn}" if turn > 1 else "") + self.target.suffix
        path = self.target.with_name(name)
        if path.exists() and path.samefile(self.source):
            raise UsageError(f"--boxes {path} is the image itself", hint="name another file")
        return path

    def regions(self, text: str) -> tuple[Region, ...]:
        """The boxes of an answer, in this image's pixels."""
        from vlmbench.parsing import boxes

        return boxes.regions(text, *self.image.size, padded=self.padded)

    def draw(self, regions: tuple[Region, ...], turn: int) -> Path:
        """Draw them on a copy and write it; its path. Raises UsageError when it cannot be written."""
        from PIL import Image as Images

        from vlmbench.cli import draw_boxes as drawing

        path, out = self.path(turn), io.BytesIO()
        drawing.draw(self.image, regions).save(out, Images.registered_extensions()[path.suffix.lower()])
        try:
            path.write_bytes(out.getvalue())
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}", hint="name another file: --boxes FILE") from None
        return path
