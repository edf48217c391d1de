"""What an evaluation changes for its own time, put back afterwards: a caller's model, its processor, global settings.

A training loop that calls `vlmbench.evaluate(model, ...)` goes on as if nothing had happened: the same training flags,
generation settings, hooks, caches and buffers on each module, the same configs, tokenizer and image processor, the same
random numbers, and the same global settings of torch, logging and warnings.
"""

from __future__ import annotations

import logging
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

PARTS = ("tokenizer", "image_processor", "video_processor", "feature_extractor", "qformer_tokenizer")
"""Of a processor."""
LOGGERS = ("", "transformers", "torch", "accelerate", "peft", "vllm")
Undo = Callable[[], object]


@contextmanager
def preserved(model: Any = None, processor: Any = None) -> Iterator[None]:
    """Inside, a torch model and its processor may be changed, and so may the process's state; it all comes back."""
    with warnings.catch_warnings(), ExitStack() as undo:
        for back in (*_process(), *_network(model), *_processor(processor)):
            undo.callback(back)
        yield


def _process() -> Iterator[Undo]:
    """Random numbers, torch's global settings, logging, what SIGTERM does."""
    state = random.getstate()
    yield lambda: random.setstate(state)
    if threading.current_thread() is threading.main_thread():
        handler = signal.getsignal(signal.SIGTERM)
        yield lambda: handler is None or signal.signal(signal.SIGTERM, handler)
    if (numpy := sys.modules.get("numpy")) is not None:
        drawn = numpy.random.get_state()
        yield lambda: numpy.random.set_state(drawn)
    disabled = logging.root.manager.disable
    yield lambda: logging.disable(disabled)
    for logger in [logging.getLogger(name) for name in LOGGERS if not name or name in sys.modules]:
        yield _attributes(logger, {"level": logger.level, "disabled": logger.disabled, "propagate": logger.propagate})
        handlers = list(logger.handlers)
        yield lambda logger=logger, handlers=handlers: logger.handlers.__setitem__(slice(None), handlers)  # type: ignore[misc]
    if (torch := sys.modules.get("torch")) is not None and hasattr(torch, "get_rng_state"):
        yield from _torch(torch)


def _torch(torch: Any) -> Iterator[Undo]:
    state = torch.get_rng_state()
    yield lambda: torch.set_rng_state(state)
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states = torch.cuda.get_rng_state_all()
        yield lambda: torch.cuda.set_rng_state_all(states)
    threads, grad, dtype = torch.get_num_threads(), torch.is_grad_enabled(), torch.get_default_dtype()
    yield lambda: torch.get_num_threads() == threads or torch.set_num_threads(threads)
    yield lambda: torch.set_grad_enabled(grad)
    yield lambda: torch.set_default_dtype(dtype)
    sure, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    yield lambda: torch.use_deterministic_algorithms(sure, warn_only=warns)
    precision = torch.get_float32_matmul_precision()
    yield lambda: torch.get_float32_matmul_precision() == precision or torch.set_float32_matmul_precision(precision)
    cudnn = torch.backends.cudnn
    yield _attributes(cudnn, {name: getattr(cudnn, name) for name in ("benchmark", "deterministic", "enabled")})


def _network(model: Any) -> Iterator[Undo]:
    """Each module's attributes: flags, hooks, buffers, caches, its generation settings; then its config's.

    `model` is a network, or an adapter that holds one.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return
    if not isinstance(model, torch.nn.Module):
        for held in getattr(model, "__dict__", {}).values():
            if isinstance(held, torch.nn.Module):
                yield from _network(held)
        return
    modules = list(model.modules())
    for module in modules:
        yield _whole(module)
    for parameter in model.parameters():
        yield _attributes(parameter, {"requires_grad": parameter.requires_grad})
        yield lambda parameter=parameter, grad=parameter.grad: setattr(parameter, "grad", grad)  # type: ignore[misc]
    held = [getattr(module, name, None) for module in modules for name in ("config", "generation_config")]
    for one in _configs(held):
        yield _whole(one)


def _configs(found: Iterable[Any]) -> list[Any]:
    """Config objects and those inside them, each once."""
    known: dict[int, Any] = {}
    waiting = [one for one in found if one is not None]
    while waiting:
        one = waiting.pop()
        if id(one) in known or not hasattr(one, "to_dict"):
            continue
        known[id(one)] = one
        waiting += vars(one).values()
    return list(known.values())


def _processor(processor: Any) -> Iterator[Undo]:
    """A processor's settings and class, and those of its parts; a fast tokenizer's padding and truncation."""
    if processor is None:
        return
    for part in [processor, *(getattr(processor, name, None) for name in PARTS)]:
        if part is None or not hasattr(part, "__dict__"):
            continue
        yield _whole(part)
        yield _attributes(part, {"__class__": type(part)})
        backend = getattr(part, "backend_tokenizer", None)
        if backend is not None:
            yield lambda backend=backend, told=(backend.padding, backend.truncation): _filled(backend, *told)  # type: ignore[misc]


def _filled(backend: Any, padding: Any, truncation: Any) -> None:
    if backend.padding != padding:
        backend.enable_padding(**padding) if padding else backend.no_padding()
    if backend.truncation != truncation:
        backend.enable_truncation(**truncation) if truncation else backend.no_truncation()


def _attributes(holder: Any, values: dict[str, Any]) -> Undo:
    def back() -> None:
        for name, value in values.items():
            if getattr(holder, name) != value:
                setattr(holder, name, value)

    return back


def _whole(holder: Any) -> Undo:
    """Put back all attributes of an object as they are now, and the content of the containers among them."""
    before = dict(vars(holder))
    contents = {name: _copy(value) for name, value in before.items()}

    def back() -> None:
        now = vars(holder)
        for name in set(now) - set(before):
            del now[name]
        now.update(before)
        for name, content in contents.items():
            _fill(before[name], content)

    return back


def _copy(value: Any) -> Any:
    """What a container holds; None for other values."""
    return value.copy() if isinstance(value, dict | list | set) else None


def _fill(holder: Any, content: Any) -> None:
    if content is None or (type(holder) is type(content) and len(holder) == len(content) and _same(holder, content)):
        return
    holder.clear()
    holder.extend(content) if isinstance(holder, list) else holder.update(content)


def _same(one: Any, other: Any) -> bool:
    """By identity: tensors among the values are not compared number by number."""
    if isinstance(one, dict):
        return all(a == b and one[a] is other[b] for a, b in zip(one, other, strict=True))
    return isinstance(one, list) and all(a is b for a, b in zip(one, other, strict=True))
