"""The parser of a verb's words: what is wrong comes as our errors do, before any list of options."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from vlmbench.base.errors import UnknownNameError, UsageError


class Parser(argparse.ArgumentParser):
    """argparse's own, whose errors are UsageErrors: one line, and where the options are listed."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError; for a word that is no option, UnknownNameError with the nearest ones."""
        listed = f"`{self.prog} --help` lists the options"
        unknown = re.match(r"unrecognized arguments: (--[^\s=]+)", message)
        if unknown:
            known = [option for option in self._option_string_actions if option.startswith("--")]
            raise UnknownNameError(f"option of {self.prog}", unknown[1], known, listed)
        raise UsageError(f"{self.prog}: {message}", hint=listed)
