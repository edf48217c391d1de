"""Count the files and functions of ours that one run crosses: `python -m tests.performance.walk [--list]`.

It runs `vlmbench run --model tinyllava --tasks pope --limit 36` with the shipped checkpoint under `sys.setprofile`, in
all threads, and prints how many different functions and files of ours were called. Bodies of modules and classes,
lambdas and comprehensions are not counted.
"""

from __future__ import annotations

import inspect
import sys
import tempfile
import threading
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path.cwd()
ROOMS = ("vlmbench", "tasks", "models", "training", "reports")
COMMAND = ("run", "--model", "tinyllava", "--tasks", "pope", "--limit", "36")


def is_ours(code: CodeType) -> bool:
    """Whether this is a named function of this repository."""
    path = Path(code.co_filename)
    inside = path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in ROOMS
    return inside and bool(code.co_flags & inspect.CO_OPTIMIZED) and not code.co_name.startswith("<")


def walk(words: tuple[str, ...]) -> set[CodeType]:
    """The functions of ours that a command calls."""
    called: set[CodeType] = set()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            called.add(frame.f_code)

    from vlmbench.cli.main import main

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        main(words)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return {code for code in called if is_ours(code)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        functions = walk((*COMMAND, "--output", f"{folder}/run"))
    files = {code.co_filename for code in functions}
    if "--list" in sys.argv:
        for code in sorted(functions, key=lambda code: (code.co_filename, code.co_firstlineno)):
            print(f"{Path(code.co_filename).relative_to(ROOT)}:{code.co_firstlineno} {code.co_qualname}")
    print(f"{len(functions)} functions in {len(files)} files")
