"""`vlmbench models`: list the models."""

from __future__ import annotations

import argparse

from vlmbench import cli, registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which models."""
    parser.add_argument("names", nargs="*", metavar="MODEL[:CHECKPOINT]", help="load these and tell their facts")


def run(args: argparse.Namespace) -> int:
    """Print the names, or load the named ones and print what they are."""
    if not args.names:
        for name, where in registry.MODELS.items():
            print(f"{name:12} {where}")
        for name in registry.models.names()[len(registry.MODELS) :]:
            print(f"{name:12} (plug-in)")
        return cli.OK
    from vlmbench import loading

    for spec in args.names:
        model = loading.load_model(loading.parse_model(spec), {})
        print(f"{spec}\n  fingerprint  {model.fingerprint}")
        for name, value in {**model.settings, **model.facts}.items():
            print(f"  {name:12} {value}")
    return cli.OK
