"""How many processes answer, and where: the model itself, or a pool of replicas under Ray."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base import settings
from vlmbench.base.errors import UsageError
from vlmbench.cli.options import model as model_options
from vlmbench.plugins import specs as loading

if TYPE_CHECKING:
    from vlmbench.base.model import Model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of scale (docs/scale.md)."""
    add = parser.add_argument
    add("--workers", type=int, metavar="N", help="N replicas of the model, each in a process of its own (needs Ray)")
    add("--ray", metavar="ADDRESS", help="spread the workers over a running Ray cluster: auto, or HOST:PORT")
    add("--worker-timeout", type=float, metavar="SECONDS", help="without an answer, a worker is replaced (default 900)")


@contextmanager
def opened(args: argparse.Namespace) -> Iterator[Model]:
    """The model, here or in workers. Raises UsageError for numbers that mean nothing, and when Ray is not there."""
    if args.workers is None and args.ray is None:
        if args.worker_timeout is not None:
            raise UsageError("--worker-timeout is for workers", hint="name --workers N or --ray ADDRESS too")
        yield model_options.load(args)
        return
    if (args.workers is not None and args.workers < 1) or (
        args.worker_timeout is not None and args.worker_timeout <= 0
    ):
        raise UsageError("--workers and --worker-timeout take numbers above 0", hint="leave them out for the defaults")
    from vlmbench.runs.workers import worker as workers
    from vlmbench.runs.workers.pool import TIMEOUT, Pool

    wanted, threads = args.workers or 0, args.threads or 0
    workers.start(args.ray or "local", wanted * max(threads, 1))
    try:
        shares = workers.share(wanted, threads, gpu=args.device is None or args.device.partition(":")[0] != "cpu")
        # Ray tells of dead workers on stdout, which is the command's own: --json promises nothing else there.
        with (
            redirect_stdout(sys.stderr),
            Pool(_loader(args), shares, timeout=args.worker_timeout or TIMEOUT) as pool,
        ):
            yield pool
    finally:
        workers.stop()


def _loader(args: argparse.Namespace) -> partial[Model]:
    """What loads the model in a worker, whose current folder is another one."""
    spec = loading.parse_model(args.model)
    if spec.checkpoint is not None and (path := Path(spec.checkpoint).expanduser()).exists():
        spec = replace(spec, checkpoint=str(path.resolve()))
    named = settings.load({"plugins": args.plugins}).plugins
    whole = ",".join(str(Path(word).expanduser().resolve()) for word in named.split(",")) if named else ""
    return partial(_load, whole, spec, model_options.settings(args))


def _load(named: str, spec: loading.ModelSpec, options: Mapping[str, Any]) -> Model:
    """In a worker, which knows nothing of plug-ins yet."""
    if named:
        from vlmbench.plugins import loading as plugins

        plugins.load(named)
    return loading.load_model(spec, options)
