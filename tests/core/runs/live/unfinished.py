"""A run as it is in the middle: made of a finished one."""

from __future__ import annotations

from pathlib import Path

import orjson

from vlmbench.runs.storage import answer_log
from vlmbench.runs.storage.layout import JUDGEMENTS, LOG, MANIFEST, RECORDS, SCORES


def unfinish(folder: Path, answered: int) -> list[bytes]:
    """Leave the first `answered` answers, by key, in the log alone; returns the lines of the others."""
    kept = answer_log.read_records(folder / RECORDS).answers
    lines = [answer_log.line(key, kept[key]) for key in sorted(kept)]
    (folder / LOG).write_bytes(b"".join(lines[:answered]))
    content = orjson.loads((folder / MANIFEST).read_bytes())
    (folder / MANIFEST).write_bytes(orjson.dumps({**content, "finished": None}))
    for name in (RECORDS, SCORES, JUDGEMENTS):
        (folder / name).unlink(missing_ok=True)
    return lines[answered:]
