"""The command line as one process of several: `python -m tests.training.loop.ranks FOLDER train ...` runs it, then
writes FOLDER/RANK.json with this process's number and how many there are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from vlmbench.cli import main as cli


def main(folder: Path, words: list[str]) -> int:
    """The command's exit code."""
    code = cli.main(words)
    from accelerate.state import PartialState

    state = PartialState()
    told = {
        "rank": state.process_index,
        "world": state.num_processes,
        "distributed": state.distributed_type.name,
    }
    folder.mkdir(exist_ok=True)
    (folder / f"{state.process_index}.json").write_text(json.dumps(told), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
