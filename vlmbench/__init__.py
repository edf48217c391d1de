"""vlmbench: evaluate vision-language models with numbers that can be trusted and compared with the papers."""

from pathlib import Path as _Path
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from vlmbench.base.version import __version__ as __version__

if _TYPE_CHECKING:
    from vlmbench.api import Result, evaluate
    from vlmbench.compare.gates.gate import InconclusiveError, assert_no_regression
    from vlmbench.plugins.api import add_model, add_task, model
    from vlmbench.plugins.batched_model import BatchedModel
    from vlmbench.plugins.function_model import FunctionModel
    from vlmbench.plugins.table_task import TableProtocol, TableTask
    from vlmbench.scoring.suites.suite import Member, Suite, add_suite

# In a checkout the wings (tasks/ models/ training/ reports/) stand beside this folder; in a wheel they lie inside it.
_root = _Path(__file__).resolve().parent.parent
if (_root / "pyproject.toml").is_file() and (_root / "tasks").is_dir():
    __path__.append(str(_root))

__all__ = [
    "BatchedModel",
    "FunctionModel",
    "InconclusiveError",
    "Member",
    "Result",
    "Suite",
    "TableProtocol",
    "TableTask",
    "__version__",
    "add_model",
    "add_suite",
    "add_task",
    "assert_no_regression",
    "evaluate",
    "model",
]

_HOMES = {
    "BatchedModel": "plugins.batched_model",
    "FunctionModel": "plugins.function_model",
    "InconclusiveError": "compare.gates.gate",
    "Member": "scoring.suites.suite",
    "Result": "api",
    "Suite": "scoring.suites.suite",
    "TableProtocol": "plugins.table_task",
    "TableTask": "plugins.table_task",
    "add_model": "plugins.api",
    "add_suite": "scoring.suites.suite",
    "add_task": "plugins.api",
    "assert_no_regression": "compare.gates.gate",
    "evaluate": "api",
    "model": "plugins.api",
}


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)


def __getattr__(name: str) -> _Any:
    """What Python code uses, loaded when it is asked for: `import vlmbench` stays light."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"vlmbench.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
