"""The version of vlmbench, where every room can read it without importing the package's door."""

__version__ = "0.1.0"
DISTRIBUTION = "vlmbench-eval"
"""Its name on the package index, as in pyproject.toml."""
