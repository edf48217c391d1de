"""A model around any network of PyTorch: questions in batches, texts out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import ImageError
from vlmbench.base.samples import Generation, Request, Response
from vlmbench.data.images import decoding
from vlmbench.plugins.function_model import marked

if TYPE_CHECKING:
    from PIL.Image import Image

Asked = tuple[Request, "list[Image]"]


class BatchedModel:
    """Asks a network in batches. A subclass writes `generate`; what that raises for a lone question is its error.

    The network answers in eval mode and without gradients; `vlmbench.evaluate` puts back the mode of each of its
    modules. `settings` are whatever decides the answers besides weights and code, as numbers and words.
    """

    ignored_generation = ("temperature", "top_p", "thinking")
    """A subclass that samples, or lets the model think, takes these out and reads them from `generation`."""

    def __init__(
        self,
        name: str,
        network: Any,
        *,
        batch_size: int = 8,
        settings: Mapping[str, str | int | float | bool] | None = None,
        version: str = "",
    ) -> None:
        """`network`: a torch.nn.Module. `version`: to be changed with the code of `generate`."""
        self.name, self.network, self.batch_size, self.version = name, network, batch_size, version
        self._settings = dict(settings or {})
        self._known: tuple[Any, str] = (None, "")

    def generate(self, images: list[list[Image]], questions: list[str], generation: Generation) -> list[str]:
        """The answers to a batch of questions, each with its own list of upright RGB images.

        All of a batch share `generation` (`max_new_tokens`, ...). Where images stand inside a question, the text has
        `<image 1>`, `<image 2>`, ... in their places; else they come first.
        """
        raise NotImplementedError(f"{type(self).__name__} has no generate(images, questions, generation)")

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the weights as they are, the class's name and `version`."""
        state = self.network.state_dict()
        now = [(name, tensor.data_ptr(), tensor._version) for name, tensor in state.items()]
        if self._known[0] != now:  # hashing gigabytes takes seconds, and this is asked for several times
            digest = hashlib.sha256(f"{type(self).__qualname__}\0{self.version}\n".encode())
            add_weights(digest, state)
            self._known = now, digest.hexdigest()[:16]
        return self._known[1]

    @property
    def settings(self) -> Mapping[str, str | int | float | bool]:
        """Part of every answer's key: those of the constructor, and the weights' number type."""
        kinds = {str(parameter.dtype).removeprefix("torch.") for parameter in self.network.parameters()}
        return {"dtype": "+".join(sorted(kinds)), "batch_size": self.batch_size, **self._settings}

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """For tables: how many parameters there are, and where they lie."""
        parameters = list(self.network.parameters())
        places = {str(parameter.device) for parameter in parameters}
        return {"parameters": sum(map(_size, parameters)), "device": "+".join(sorted(places))}

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """Answers in batches of up to `batch_size` questions, across groups, in the order of the questions."""
        self.network.eval()
        requests = (request for group in groups for request in group)
        while batch := list(islice(requests, self.batch_size)):
            ready: dict[Generation, list[Asked]] = {}
            for request in batch:
                try:
                    shown = [decoding.decode(image.load(), image.name) for image in request.images]
                    ready.setdefault(request.generation, []).append((request, shown))
                except ImageError as error:
                    yield request, Response(finish="error", error=str(error))
            for generation, asked in ready.items():
                yield from self._answered(asked, generation)

    def _answered(self, asked: list[Asked], generation: Generation) -> Iterator[tuple[Request, Response]]:
        """One batch; where it fails, one question at a time, so that only those that fail alone have an error."""
        import torch

        try:
            with torch.no_grad():
                texts = self.generate(
                    [images for _, images in asked], [marked(request) for request, _ in asked], generation
                )
            _check(texts, len(asked))
        except Exception as error:  # whatever the network's code raises
            if len(asked) > 1:
                for one in asked:
                    yield from self._answered([one], generation)
            else:
                yield asked[0][0], Response(finish="error", error=f"{type(error).__name__}: {error}")
            return
        for (request, _), text in zip(asked, texts, strict=True):
            yield request, Response(text=_until(text, generation.stop))


def _check(texts: Any, expected: int) -> None:
    """Raise TypeError or ValueError for what are not as many texts as there were questions."""
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"generate returned {type(texts).__name__}, not a list of texts")
    if len(texts) != expected:
        raise ValueError(f"generate returned {len(texts)} texts for {expected} questions")


def _until(text: str, stops: Sequence[str]) -> str:
    """A text up to the first of the texts that end an answer."""
    return text[: min([place for stop in stops if (place := text.find(stop)) >= 0], default=len(text))]


def _size(parameter: Any) -> int:
    return int(parameter.numel())


def add_weights(digest: Any, state: Mapping[str, Any]) -> None:
    """Add a state dict's names, shapes and bytes to a digest of hashlib, in the order of the names."""
    import torch

    for name, tensor in sorted(state.items()):
        digest.update(f"{name}\0{tensor.dtype}{tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
