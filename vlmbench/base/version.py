"""The version of vlmbench, where every room can read it without importing the package's door."""

__version__ = "0.1.0"
