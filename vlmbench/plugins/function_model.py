"""A model around a Python function: (images, question) -> text."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import ImageError, ModelError, PluginError
from vlmbench.base.samples import Request, Response, in_order
from vlmbench.data.images import decoding as images

if TYPE_CHECKING:
    from PIL.Image import Image

Answer = Callable[..., str]
"""(images, question) -> text. `images` is a list of RGB images, upright; empty where a question has none.

Where images stand inside the question, `<image 1>`, `<image 2>`, ... mark their places.
"""
PLAIN = (str, int, float, bool, type(None))


class FunctionModel:
    """Asks a function one question at a time. What the function raises is that question's error."""

    ignored_generation = ("temperature", "top_p", "max_new_tokens", "thinking")
    """A function is given images and a question, nothing else."""
    generation_hint = "leave it out, or make it an option of the function: --model NAME,temperature=0.7"

    def __init__(
        self,
        name: str,
        function: Answer,
        *,
        options: Mapping[str, str | int | float | bool] | None = None,
        version: str = "",
    ) -> None:
        refuse_other_signatures(function)
        self.name = name
        self.function = function
        self.options = dict(options or {})
        self.fingerprint = _hash(["version", version]) if version else fingerprint(function)

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Its options, those left at their default too: part of every answer's key."""
        parameters = inspect.signature(self.function).parameters.values()
        options = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY} | self.options
        return {name: value for name, value in options.items() if isinstance(value, str | int | float | bool)}

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """Nothing is known of a function."""
        return {}

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """One call a question; a group's images are decoded once, and each call gets copies of its own."""
        for group in groups:
            decoded: list[Image] = []
            shown: list[Hashable] = []
            for request in group:
                try:
                    sources = [images.source_of(image) for image in request.images]
                    if shown != sources:
                        decoded, shown = [images.decode(image.load(), image.name) for image in request.images], sources
                    yield request, self._one([image.copy() for image in decoded], marked(request))
                except ImageError as error:
                    yield request, Response(finish="error", error=str(error))

    def _one(self, decoded: list[Image], question: str) -> Response:
        try:
            text = self.function(decoded, question, **self.options)
        except Exception as error:  # whatever the function's code raises
            return Response(finish="error", error=f"{type(error).__name__}: {error}")
        if not isinstance(text, str):
            return Response(finish="error", error=f"the function returned {type(text).__name__}, not text")
        return Response(text=text)


def marked(request: Request) -> str:
    """The question, with `<image N>` where an image stands inside it; as it is where all images come first."""
    marks = [f"<image {number}>" for number in range(1, len(request.images) + 1)]
    parts = in_order(request.prompt, marks, request.image_places) if request.image_places else [request.prompt]
    return "".join(parts)


def refuse_other_signatures(function: Answer) -> None:
    """Raise PluginError unless a function can be called as (images, question)."""
    try:
        inspect.signature(function).bind([], "")
    except (TypeError, ValueError) as error:
        name = getattr(function, "__name__", type(function).__name__)
        problem = f"{name} cannot be called as (images, question): {error}"
        raise PluginError(problem, hint="write: def answer(images, question): return TEXT") from None


def fingerprint(function: Answer) -> str:
    """Content hash of the function's compiled code and its file, where there is one.

    Plain values count too that it closes over, or that lie in the object whose method it is. Weights that it loads are
    not seen: then name a version. Raises ModelError for a callable without Python code.
    """
    method: Any = function if inspect.isroutine(function) else type(function).__call__
    code = getattr(method, "__func__", method)
    if not isinstance(code, FunctionType):
        problem = f"{type(function).__name__} has no source that distinguishes it from another model"
        raise ModelError(problem, hint="name a version: vlmbench.FunctionModel(name, function, version='1')")
    owner = getattr(function, "__self__", None if code is function else function)
    held = [_content(cell) for cell in code.__closure__ or ()] + sorted(getattr(owner, "__dict__", {}).items())
    plain = [value for value in held if isinstance(value, PLAIN) or (type(value) is tuple and _all_plain(value))]
    return _hash([_source(code), repr(_compiled(code.__code__)), repr(plain)])


def _all_plain(values: tuple[Any, ...]) -> bool:
    return all(isinstance(value, PLAIN) for value in values)


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return ()


def _source(function: FunctionType) -> str:
    """The whole file, since the function may call others in it; empty for one typed at a prompt or in a notebook."""
    try:
        return Path(function.__code__.co_filename).read_text("utf-8")
    except (OSError, ValueError):
        return ""


def _compiled(code: CodeType) -> list[Any]:
    """What decides a function's doing, without addresses and line numbers."""
    return [code.co_code.hex(), code.co_names, code.co_varnames, [_constant(value) for value in code.co_consts]]


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return _compiled(value)
    return sorted(map(repr, value)) if isinstance(value, frozenset) else repr(value)


def _hash(content: list[str]) -> str:
    return hashlib.sha256("\0".join(content).encode("utf-8", "surrogatepass")).hexdigest()[:16]
