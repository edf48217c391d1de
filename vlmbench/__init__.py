"""vlmbench: evaluate vision-language models with numbers that can be trusted and compared with the papers."""

from pathlib import Path as _Path

__version__ = "0.1.0"

# In a checkout the wings (tasks/ models/ training/ reports/) stand beside this folder; in a wheel they lie inside it.
_root = _Path(__file__).resolve().parent.parent
if (_root / "pyproject.toml").is_file() and (_root / "tasks").is_dir():
    __path__.append(str(_root))
