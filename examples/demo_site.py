"""A leaderboard site of the included models on all embedded samples, with and without images, and of a script.

    python examples/demo_site.py FOLDER                      (make demo-site: half a minute)
    python examples/demo_site.py FOLDER --tasks pope,gqa     (make demo)

FOLDER gets one folder per run, and the site in FOLDER/site. Finished runs are not repeated. The models also answer
with grey images (FOLDER/tinyllava/perturbations/blind), which shows how much of a score needs the image; the script,
which says yes to everything, is a trivial baseline. Other options are passed to each run.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from pathlib import Path

from vlmbench.base.registry import tasks
from vlmbench.cli.main import main as vlmbench

RUNS = {
    "tinyllava": ["--model", "tinyllava", "--perturb", "blind"],
    "tinygptv": ["--model", "tinygptv", "--perturb", "blind"],
    "echo-yes": ["--model", "echo,text=yes"],
}
"""Folder to the arguments of its run: the models with included weights, and one without any."""


def run(words: list[str], folder: Path, *, quiet: bool) -> None:
    """One run, with or without its table. Judged tasks have no judge here, so their coverage is 0."""
    with contextlib.redirect_stdout(io.StringIO() if quiet else sys.stdout):
        code = vlmbench(["run", *words, "--min-coverage", "0", "--output", str(folder)])
    if code:
        sys.exit(code)


def main() -> int:
    """Run the tasks, then write the site."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tasks", default=",".join(tasks.builtin), help="default: all")
    options, more = parser.parse_known_args()
    folders = [options.folder / name for name in RUNS]
    for folder, words in zip(folders, RUNS.values(), strict=True):
        whole = [*words, "--tasks", options.tasks, *more]
        print("vlmbench run", *whole, flush=True)
        run(whole, folder, quiet=folder is not folders[0])
    return vlmbench(["report", *map(str, folders), "--output", str(options.folder / "site")])


if __name__ == "__main__":
    sys.exit(main())
