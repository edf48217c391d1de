"""The options that make a named variant of the protocols: sampling, length, system prompt, examples, thoughts."""

from __future__ import annotations

import argparse

from vlmbench.base.variant import Variant, chosen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How answers are generated, where not as the protocols say."""
    group = parser.add_argument_group(
        "named variants of a protocol",
        "each has its own row, such as pope@official+temperature=0.7 (docs/evaluate/generation.md)",
    )
    add = group.add_argument
    add("--temperature", type=float, metavar="T", help="sample answers; 0: the likeliest token each time")
    add("--top-p", type=float, metavar="P", help="sample from the likeliest tokens that make up this probability")
    add("--max-new-tokens", type=int, metavar="N", help="maximum length of an answer, in place of the protocol's")
    add("--thinking-budget", type=int, metavar="N", help="tokens for a model's thoughts, beside those of the answer")
    add("--system", metavar="TEXT", help="system prompt, in place of the model's own")
    add("--shots", metavar="K[:SPLIT]", help="show K solved questions of a split before each question")
    add("--samples", type=int, metavar="N", help="draw N answers to each question and score all of them")


def options(args: argparse.Namespace) -> Variant:
    """Raises UsageError for values out of range and for settings that contradict each other."""
    return chosen(
        temperature=args.temperature,
        top_p=args.top_p,
        max_new_tokens=args.max_new_tokens,
        thinking=args.thinking_budget,
        system=args.system,
        shots=args.shots,
        samples=args.samples,
    )
