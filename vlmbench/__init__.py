"""vlmbench: evaluate vision-language models with numbers that can be trusted and compared with the papers."""

from pathlib import Path as _Path
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

if _TYPE_CHECKING:
    from vlmbench.gate import InconclusiveError, assert_no_regression

__version__ = "0.1.0"

# In a checkout the wings (tasks/ models/ training/ reports/) stand beside this folder; in a wheel they lie inside it.
_root = _Path(__file__).resolve().parent.parent
if (_root / "pyproject.toml").is_file() and (_root / "tasks").is_dir():
    __path__.append(str(_root))

__all__ = ["InconclusiveError", "__version__", "assert_no_regression"]


def __getattr__(name: str) -> _Any:
    """The gate for tests, loaded when it is asked for: `import vlmbench` stays light."""
    if name in ("InconclusiveError", "assert_no_regression"):
        from vlmbench import gate

        return getattr(gate, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
