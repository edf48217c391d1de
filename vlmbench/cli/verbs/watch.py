"""`vlmbench watch`: the pages of a run that is still going, on this machine; or one look at it, as text."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from vlmbench.base.process import exit_codes, terminal

if TYPE_CHECKING:
    from vlmbench.runs.live.snapshot import Live


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and how it is shown."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder that `vlmbench run` writes into")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="of the address (default: a free one)")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument("--once", action="store_true", help="print how far the run is, and end")
    parser.add_argument("--json", action="store_true", help="with --once: print JSON on stdout")
    parser.add_argument("--data", metavar="DIR", help="where the data are now, if not where the run found them")
    parser.add_argument("--ids", type=Path, metavar="FILE", help="the run's own --ids file, if it had one")


def run(args: argparse.Namespace) -> int:
    """Serve the pages until Ctrl-C, or print one look."""
    from vlmbench.base.registry import load_object
    from vlmbench.runs.live.snapshot import Live

    terminal.note(f"reading what {terminal.clean(str(args.run))} asks")
    live = Live(args.run, args.data, args.ids)
    if args.once or args.json:
        return _once(live, as_json=args.json)
    with tempfile.TemporaryDirectory(prefix="vlmbench-watch-") as folder:
        watched = load_object("vlmbench.reports.live.server:Watched")(live, Path(folder))
        try:
            load_object("vlmbench.reports.live.server:serve")(watched, args.port, lambda url: _ready(url, args.open))
        except KeyboardInterrupt:
            return exit_codes.OK
    return exit_codes.OK


def _once(live: Live, *, as_json: bool) -> int:
    import orjson

    from vlmbench.base.registry import load_object

    live.read()
    live.score()
    told = load_object("vlmbench.reports.live.state:state")(live)
    if as_json:
        terminal.result(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
    else:
        print(load_object("vlmbench.reports.live.state:as_text")(told))
    return exit_codes.OK


def _ready(url: str, opened: bool) -> None:
    print(f"watching: {url}", flush=True)
    if opened:
        import webbrowser

        webbrowser.open(url)
