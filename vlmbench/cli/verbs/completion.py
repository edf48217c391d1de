"""`vlmbench completion bash|zsh|fish`: print the code that lets a shell complete verbs, options and names."""

from __future__ import annotations

import argparse

from vlmbench.base.process import exit_codes

SHELLS = ("bash", "zsh", "fish", "tcsh", "powershell")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which shell."""
    parser.add_argument("shell", choices=SHELLS, help='for bash and zsh: eval "$(vlmbench completion bash)"')


def run(args: argparse.Namespace) -> int:
    """Print shell code that asks `vlmbench` itself whenever TAB is pressed."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["vlmbench"], shell=args.shell))
    return exit_codes.OK
