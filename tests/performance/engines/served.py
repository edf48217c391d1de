"""What the openai adapter itself costs, with a server that waits: python -m tests.performance.engines.served"""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial

import numpy as np
from PIL import Image

from tests.support.judge_server import JSON, Served, completion, send
from vlmbench.base.samples import ImageRef, Request
from vlmbench.models.servers import openai

PICTURES, EACH, LATENCY = 100, 20, 0.1


class Waiting(Served):
    """Answers everything with yes, after LATENCY."""

    async def serve(self, headers: Mapping[str, str], body: bytes, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(LATENCY)
        await send(writer, (200, JSON, completion("yes")))
        return True


def photograph(number: int) -> bytes:
    """A JPEG of 640 x 480 and about 100 kB."""
    rng = np.random.default_rng(number)
    rough = Image.fromarray(rng.integers(0, 256, (60, 80, 3), np.uint8)).resize((640, 480))
    out = io.BytesIO()
    rough.save(out, "JPEG", quality=93)
    return out.getvalue()


def main() -> None:
    """Print a row for each number of open requests: questions per second, and processor time of each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", action="store_true")
    if parser.parse_args().serve:
        with Waiting() as server:
            print(server.url, flush=True)
            time.sleep(3600)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.performance.engines.served", "--serve"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    pictures = [ImageRef(str(n), partial(bytes, photograph(n))) for n in range(PICTURES)]
    groups = [[Request(f"{p.name}-{n}", f"Is it {n}?", (p,)) for n in range(EACH)] for p in pictures]
    print(f"pictures of {np.mean([len(p.load()) for p in pictures]) / 1e3:.0f} kB, {LATENCY * 1e3:.0f} ms an answer")
    with tempfile.TemporaryDirectory() as cache:
        os.environ["VLMBENCH_CACHE"] = cache
        list(openai.load("warm", base_url=url).answer(groups[:1]))
        for in_flight in (8, 32, 128):
            for again in ("", ", from the cache"):
                model = openai.load(f"t{in_flight}", base_url=url, in_flight=in_flight)
                wall, busy = time.perf_counter(), time.process_time()
                count = sum(response.text == "yes" for _, response in model.answer(groups))
                wall, busy = time.perf_counter() - wall, time.process_time() - busy
                told = f"{count / wall:.0f} questions per second, {busy / count * 1e3:.2f} ms CPU each"
                print(f"{in_flight} open{again}: {told}")
    process.terminate()
    process.wait()


if __name__ == "__main__":
    main()
