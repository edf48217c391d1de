"""`vlmbench VERB ...`: the verbs as a table. Each lives in vlmbench/cli/verbs/ and is imported only when asked for."""

from __future__ import annotations

import argparse
import importlib
import keyword
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from types import ModuleType

from vlmbench.base.errors import UnknownNameError, UsageError, VlmbenchError
from vlmbench.base.files import unicode_problem
from vlmbench.base.process import exit_codes, teardown, terminal
from vlmbench.base.process import signals as ending
from vlmbench.base.renamed_options import as_flag, refuse_old_names
from vlmbench.base.version import __version__
from vlmbench.cli.defaults import with_defaults
from vlmbench.cli.parsing import Parser

VERBS: Mapping[str, str] = {
    "ask": "ask a model about one image, and draw the boxes in its answer",
    "compress-study": "run a model in many forms: number types, int8 and int4, pruned, students; score against cost",
    "latency": "measure how long a model takes to its first token and for each further one, by part",
    "run": "run a model on benchmarks and score its answers",
    "score": "score existing answers in the benchmark's own file format",
    "import": "make runs of what other harnesses wrote: their scores, and ours beside them",
    "export": "write a run's answers in the format of a test server or official script",
    "tasks": "list the benchmarks, their splits and protocols",
    "suites": "list the suites: benchmarks that are run together, and the formula of their average",
    "models": "list the models",
    "data": "list which official files are missing, and download them",
    "compare": "compare two runs sample by sample: differences and changed answers",
    "check": "check a run against a baseline: pass, fail, or inconclusive",
    "watch": "show a run that is still going: progress, scores so far, failures",
    "history": "show runs of one model over time, and test them for a drift",
    "baseline": "write a small file of a run, to check later runs against",
    "power": "compute which difference a benchmark can detect, and how many questions that takes",
    "judge": "draw a run's answers for people to grade, beside the judge's grades",
    "report": "write the HTML leaderboard of runs",
    "convert": "convert a published checkpoint to our format, or ours to the published one",
    "train": "train a recipe, or one of its stages",
    "new": "write a starter file for your own task or model, with its test",
    "doctor": "tell what is installed, which devices there are, and where data, cache and runs lie",
    "completion": "print a script with which your shell completes verbs, options and names",
}
PROGRAM = "vlmbench"
"""The console script's name."""
NAMELESS = ("convert", "new", "doctor", "completion")
"""Verbs that take no name of a task, a model or a recipe, and so no plug-ins."""


def overview() -> str:
    """The text of `vlmbench --help`."""
    verbs = "\n".join(f"  {name:14} {text}" for name, text in VERBS.items())
    return (
        "usage: vlmbench VERB [options]\n\n"
        "Evaluate vision-language models: official scores, with confidence intervals and counted failures.\n\n"
        f"{verbs}\n\n"
        "vlmbench VERB --help lists a verb's options. --traceback shows where an error comes from.\n"
        "Exit codes: 0 done, 1 the result is bad, 2 you must change something, 3 inconclusive, 130 interrupted,\n"
        "143 ended by SIGTERM (as with Ctrl-C, the same command resumes)."
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    if "_ARGCOMPLETE" in os.environ:  # the shell asks what may follow
        from vlmbench.cli import completion

        completion.answer(VERBS, parser)
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(overview())
        return exit_codes.OK
    if words[0] == "--version":
        print(__version__)
        return exit_codes.OK
    traceback = "--traceback" in words
    if not (traceback or sys.warnoptions):  # what libraries warn about is for developers: errors are told apart from it
        warnings.simplefilter("ignore")
    words = [word for word in words if word != "--traceback"]
    if argv is None:  # the process does nothing else afterwards
        teardown.skip(whole=Path(sys.argv[0]).stem == PROGRAM)
    with terminal.guarded(), ending.as_interrupts():
        exit_codes.Exit.code = _told(words, traceback=traceback, own=argv is None)
    exit_codes.Exit.earned = True
    return exit_codes.Exit.code


def _told(words: Sequence[str], *, traceback: bool, own: bool) -> int:
    """Run a command; errors that a user can fix in words. `own`: the process does nothing else afterwards."""
    try:
        return _run(words, own=own)
    except VlmbenchError as error:
        if traceback:
            raise
        print(f"vlmbench: {error}", file=sys.stderr)
        return exit_codes.USER_MUST_CHANGE
    except KeyboardInterrupt as stop:
        print(f"\nvlmbench: {'ended by ' + str(stop) if str(stop) else 'interrupted'}", file=sys.stderr)
        return ending.code_of(stop)
    except BrokenPipeError:  # the reader of a pipe has seen enough (`| head`)
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.OK
    except OSError as error:  # what nobody expected of the disk: a name too long, a folder that may not be read
        if traceback or error.errno is None:
            raise
        where = f"{error.filename!s:.200}: " if error.filename else ""
        hint = "fix that, then run the same command again; --traceback shows where it comes from"
        print(f"vlmbench: {where}{error.strerror}\n  {hint}", file=sys.stderr)
        return exit_codes.USER_MUST_CHANGE


def _run(words: Sequence[str], *, own: bool) -> int:
    verb = words[0]
    if verb not in VERBS:
        raise UnknownNameError("verb", verb, VERBS)
    for word in words:  # bytes of another encoding, as Python keeps them
        if what := unicode_problem(word):
            raise UsageError(f"{word!a} is not UTF-8 text: {what}", hint="write it, and name files, in UTF-8")
    refuse_old_names((word[2:].partition("=")[0].replace("-", "_") for word in words if word[:2] == "--"), as_flag)
    made = parser(verb)
    args = made.parse_intermixed_args(with_defaults(made, verb, VERBS, words[1:]))
    with terminal.only_json(for_good=own) if getattr(args, "json", None) in (True, "-") else nullcontext():
        if verb not in NAMELESS:
            from vlmbench.plugins.loading import load_configured

            load_configured(args.plugins)
        try:
            code: int = module_of(verb).run(args)
        except SystemExit as stop:  # its code is no verdict of ours: least of all 0
            if isinstance(stop.code, int) and stop.code > exit_codes.SIGNAL_BASE:
                raise
            what = f"a model, a plug-in or a library ended the command: SystemExit({stop.code!r:.200})"
            hint = "--traceback shows where; what was answered is kept, and the same command resumes"
            raise VlmbenchError(what, hint=hint) from stop
    return code


def module_of(verb: str) -> ModuleType:
    """The module of a verb; one whose name is a word of Python's own has an underscore behind it."""
    return importlib.import_module(f"vlmbench.cli.verbs.{verb.replace('-', '_')}{'_' * keyword.iskeyword(verb)}")


def parser(verb: str, kind: Callable[..., argparse.ArgumentParser] = Parser) -> argparse.ArgumentParser:
    """A verb's words: its own, and --plugins where it takes names."""
    made = kind(prog=f"vlmbench {verb}", description=VERBS[verb])
    module_of(verb).add_arguments(made)
    if verb not in NAMELESS:
        made.add_argument("--plugins", metavar="FILE|DIR,...", help="files with your own tasks and models")
    return made


if __name__ == "__main__":
    sys.exit(main())
