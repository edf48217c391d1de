"""Runs a transformers model's own `generate` so that its logits are observed at every step.

Most classes pass logits processors and stopping criteria on to the loop. One that does not (Janus) is noticed the first
time: its tokens are then compared with those of the library's common loop, which takes its place where they are equal.
Where they are not, the class' `generate` answers with plain arguments, and choices cannot be ranked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from vlmbench.base.errors import ModelError

from ..engine.decoding import ScoreCheck, check_scores
from ..engine.memory import out_of_memory

LOGGER = logging.getLogger(__name__)
OWN, COMMON, PLAIN = "own", "common", "plain"
"""Ways to generate: the class' method, GenerationMixin's on the same class, and the class' without watchers."""
TRIED = 4
"""Tokens that the class' method and the common one must have in common."""


class GenerationWatcher(Protocol):
    """Observes generation: logits before each token, ids after it."""

    @property
    def called(self) -> bool:
        """Whether it was called."""

    @property
    def done(self) -> bool | None:
        """Whether all rows are finished; None: nobody knows but the device."""

    least: int
    """Tokens before which no end token counts: `generate` has to see to it where the watcher is not called."""

    def before(self, ids: Tensor, scores: Tensor) -> Tensor:
        """The logits processor."""

    def after(self, ids: Tensor, scores: Any) -> Tensor:
        """The stopping criterion: (rows,) bool."""


class Listener:
    """A watcher that only notes whether it is called."""

    called = False
    done = None
    least = 0

    def before(self, ids: Tensor, scores: Tensor) -> Tensor:
        """Changes nothing."""
        self.called = True
        return scores

    def after(self, ids: Tensor, scores: Any) -> Tensor:
        """Nothing is stopped here."""
        return torch.zeros(ids.shape[0], dtype=torch.bool, device=ids.device)


class Checker(Listener):
    """For sampling and beams: it notes whether scores are finite."""

    def __init__(self) -> None:
        self._scores = ScoreCheck()
        self.check = self._scores.check
        """Raises ModelError for scores that no token could be drawn from."""

    def before(self, ids: Tensor, scores: Tensor) -> Tensor:
        """See ScoreCheck."""
        return self._scores(ids, super().before(ids, scores))


@contextmanager
def _told_when_done(watch: GenerationWatcher) -> Iterator[None]:
    """After each token transformers waits for the device to say whether all rows are finished: a watcher may know."""
    from transformers.generation import utils

    check = getattr(utils, "StopCheck", None)  # before 5.23 the loop itself looks
    if check is None:
        yield
        return
    looks = check.__call__

    def told(self: Any, *given: Any) -> bool:
        return bool(looks(self, *given) if watch.done is None else watch.done)

    check.__call__ = told
    try:
        yield
    finally:
        check.__call__ = looks


W = TypeVar("W", bound=GenerationWatcher)


class TokenGenerator:
    """Runs a model's `generate` by a way in which watchers are called."""

    def __init__(self, model: Any) -> None:
        self.model, self.way, self.reason = model, OWN, ""

    def __call__(
        self, batch: Mapping[str, Any], config: Any, make: Callable[[], W], *, raw: bool = False
    ) -> tuple[Any, W]:
        """What `generate` returns, and the watcher (a fresh one of `make` for each try). `raw`: its logits are needed.

        Raises ModelError when the logits are needed and cannot be had.
        """
        if self.way == OWN:
            watch = make()
            try:
                output = self._run(self.model.generate, batch, config, watch)
            except (TypeError, ValueError) as error:  # how generate refuses arguments, too: only a trial tells
                if out_of_memory(error) or not self._choose(batch, type(error).__name__):
                    raise
            else:
                if watch.called and (not raw or getattr(output, "logits", None) is not None):
                    return output, watch
                self._choose(batch, "they were not called")
        watch = make()
        if self.way == COMMON:
            return self._run(self._common, batch, config, watch), watch
        if raw:
            hint = "take protocols that read text"
            raise ModelError("its own `generate` shows no logits, so that choices cannot be ranked", hint=hint)
        if watch.least:
            config.min_new_tokens = watch.least
        with self._checked_head():
            return self.model.generate(**batch, generation_config=config), watch

    def _run(
        self, generate: Callable[..., Any], batch: Mapping[str, Any], config: Any, watch: GenerationWatcher
    ) -> Any:
        with _told_when_done(watch):
            return generate(
                **batch, generation_config=config, logits_processor=[watch.before], stopping_criteria=[watch.after]
            )

    def _common(self, **arguments: Any) -> Any:
        from transformers import GenerationMixin

        return GenerationMixin.generate(self.model, **arguments)

    def _choose(self, batch: Mapping[str, Any], why: str) -> bool:
        """Settle another way by a trial on this batch. Returns whether there is one: not where plain arguments fail."""
        from transformers import GenerationConfig

        plain = GenerationConfig(max_new_tokens=TRIED, do_sample=False, num_beams=1, pad_token_id=0)
        try:
            own = self.model.generate(**batch, generation_config=plain)
        except Exception as error:  # it fails on these inputs whatever it is given: nothing is trained on them
            if out_of_memory(error):
                raise
            return False
        try:
            output = self._run(self._common, batch, plain, watch := Listener())
            same = watch.called and own.shape == output.shape and torch.equal(own, output)
            self.reason = "" if same else "the common loop gives other tokens"
        except Exception as error:  # an architecture says in its own way that this is not for it
            if out_of_memory(error):
                raise
            self.reason = f"the common loop fails ({type(error).__name__})"
        self.way = PLAIN if self.reason else COMMON
        name = type(self.model).__name__
        then = (
            f"{self.reason}, so it answers without them, and cannot rank" if self.reason else "the common loop is used"
        )
        LOGGER.warning("%s.generate takes no logits processors and stopping criteria (%s): %s", name, why, then)
        return True

    @contextmanager
    def _checked_head(self) -> Iterator[None]:
        """Without processors logits are checked where they leave the network's head."""

        def check(_module: Any, _given: Any, logits: Tensor) -> None:
            check_scores(logits, logits[:, -1].float())

        head = self.model.get_output_embeddings()
        if head is None:
            yield
            return
        hook = head.register_forward_hook(check)
        try:
            yield
        finally:
            hook.remove()
