"""vlmbench inside other people's programs: training loops that evaluate as they go, and where scores are sent.

Belongs here: callbacks of trainers, and what they share. Not here: the evaluation itself (api/), our own training loop
(training/).
In reading order: evaluator (one evaluation of a model in training, from any loop), processes (one process asks, the
others wait), unwrapping (the network inside DataParallel, torch.compile, PEFT), trainer (transformers), lightning.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from .evaluator import Evaluator

if _TYPE_CHECKING:
    from .lightning import LightningHooks as LightningCallback
    from .trainer import TrainerHooks as TrainerCallback

__all__ = ["Evaluator", "LightningCallback", "TrainerCallback"]


def __getattr__(name: str) -> _Any:
    """The callbacks are classes of other libraries: these are imported when a callback is asked for."""
    if name == "TrainerCallback":
        from .trainer import callback_class

        return callback_class()
    if name == "LightningCallback":
        from .lightning import callback_class

        return callback_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
