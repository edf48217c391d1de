"""The words of the command line that check a backend against another model before a run."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from vlmbench.base.errors import UsageError

if TYPE_CHECKING:
    from vlmbench.base.model import Model
    from vlmbench.runs.runner import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many questions, and against which model."""
    add = parser.add_argument
    add(
        "--verify-backend",
        type=int,
        metavar="N",
        help="first have another model answer the first N questions too; refused when too many answers differ",
    )
    add("--verify-against", metavar="MODEL", help="that other model (default: hf with the same weights, where known)")


def verified(args: argparse.Namespace, plan: Plan, model: Model) -> dict[str, Any]:
    """What run.json says of the check; empty without one. Raises ModelError when the run is refused."""
    if args.verify_backend is None:
        if args.verify_against:
            raise UsageError("--verify-against needs --verify-backend N", hint="say how many questions: 100, e.g.")
        return {}
    if args.verify_backend < 1:
        raise UsageError(f"--verify-backend {args.verify_backend} compares nothing", hint="give a number above 0")
    from vlmbench.plugins import specs as loading
    from vlmbench.runs import verification as backends

    spec = args.verify_against or (model.reference if isinstance(model, backends.Referring) else "")
    if not spec:
        raise UsageError(f"which model should answer like {model.name}?", hint="name it: --verify-against hf:PATH")
    named = loading.parse_model(spec)
    found = backends.verify(model, lambda: loading.load_model(named, {}), plan.asked, args.verify_backend, spec)
    backends.refuse(found)
    print(f"--verify-backend: {found}", file=sys.stderr)
    return {"verified": found.entry()}
