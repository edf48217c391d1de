"""What the page of a run that is still going shows, and the same as text for a terminal."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import Any

from vlmbench.base.process.terminal import aligned, clean
from vlmbench.base.samples import NOT_YET, Record, Status
from vlmbench.runs.live.snapshot import FINISHED, STOPPED, Live
from vlmbench.runs.storage.run_files import run_again

SHOWN = 12
"""Latest answers."""
FAILURES = 50
"""Failures that are listed; the counts are of all."""
LONGEST = 600
"""Characters of a question or an answer."""
FINE = frozenset({Status.OK, Status.UNLABELED, Status.NOT_ASKED})


def state(live: Live) -> dict[str, Any]:
    """The run at its last look."""
    manifest, now, failures = live.manifest, live.state, _failures(live)
    counts: dict[str, Counter[str]] = {choice.key: Counter() for choice in live.plan.choices}
    for record in live.records:
        counts[record.task][str(record.score.status)] += 1
    return {
        "state": now,
        "model": manifest["model"]["name"],
        "folder": str(live.folder),
        "started": manifest.get("started", ""),
        "finished": manifest.get("finished") or "",
        "looked": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "again": run_again(live.folder, manifest) if now == STOPPED else "",
        "damaged": live.tail.damaged,
        **live.progress(),
        "tasks": [_task(live, key, found) for key, found in counts.items()],
        "failures": [_told(record) for record in failures[:FAILURES]],
        "failure_count": len(failures),
        "latest": [_told(record) for record in _latest(live)],
    }


def _task(live: Live, key: str, counts: Counter[str]) -> dict[str, Any]:
    """A task's progress and its headline so far. `counts`: its questions by status."""
    entry = live.scores.get(key, {})
    bar = entry.get(entry.get("headline", ""), {})
    return {
        "key": key,
        "title": live.plan.tasks[key]["title"],
        "headline": entry.get("headline", live.plan.tasks[key]["headline"]),
        "planned": sum(counts.values()),
        "asked": sum(counts.values()) - counts[str(Status.NOT_ASKED)],
        "statuses": {name: count for name, count in counts.items() if name != str(Status.NOT_ASKED)},
        **{name: bar.get(name) for name in ("value", "low", "high")},
        "reason": bar.get("reason") or bar.get("note") or "",
        "level": entry.get("level"),
        "judged": bool(live.manifest.get("tasks", {}).get(key, {}).get("judge")) and bar.get("value") is None,
    }


def _failures(live: Live) -> list[Record]:
    """Questions that were asked and have no score; a judge's come at the end of a run, and are none until then."""
    waits = {Status.JUDGE_FAILED} if live.state != FINISHED else frozenset()
    return [record for record in live.records if record.score.status not in FINE | waits]


def _latest(live: Live) -> list[Record]:
    """The answers that came last, the newest first."""
    by_key = {record.key: record for record in live.records if record.response.error != NOT_YET}
    newest = (key for key in dict.fromkeys(reversed(live.tail.latest)) if key in by_key)
    return [by_key[key] for key in islice(newest, SHOWN)]


def _told(record: Record) -> dict[str, Any]:
    """One answer, cut to what a page can show."""
    score, response = record.score, record.response
    return {
        "task": record.task,
        "id": record.sample.id,
        "question": _cut(record.sample.question),
        "answer": _cut(
            response.text or (max(response.choices, key=lambda one: one.logprob).choice if response.choices else "")
        ),
        "target": _cut(record.sample.target if isinstance(record.sample.target, str) else ""),
        "status": str(score.status),
        "value": score.value,
        "note": _cut(score.note or response.error),
        "images": list(record.image_hashes[:4]),
    }


def _cut(text: Any) -> str:
    words = str(text)
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"


def as_text(told: Mapping[str, Any]) -> str:
    """A look at a run, for a terminal."""
    left = "" if told["seconds_left"] is None else f", {duration(told['seconds_left'])} left"
    pace = f", {told['per_second']:.3g} per second{left}" if told["per_second"] else ""
    head = f"{clean(told['model'])}, {told['state']}: {told['answered']:,} of {told['planned']:,} questions{pace}"
    rows = [["task", "asked", "of", "metric", "so far", "interval", "no score"]]
    rows += [_row(task) for task in told["tasks"]]
    lines = [head, "", *aligned(rows, right=(1, 2, 4, 6))]
    if told["failures"]:
        lines += ["", f"{told['failure_count']:,} without a score:"]
        lines += [
            f"  {clean(one['task'])} {clean(one['id'])}: {one['status']}: {clean(one['note'])[:160]}"
            for one in told["failures"][:10]
        ]
    if told["again"]:
        lines += ["", f"no process works on it; {told['again']} goes on"]
    return "\n".join(lines)


def _row(task: Mapping[str, Any]) -> list[str]:
    value = "-" if task["value"] is None else f"{task['value']:.1f}"
    interval = "-" if task["low"] is None else f"[{task['low']:.1f}, {task['high']:.1f}]"
    lacking = sum(count for name, count in task["statuses"].items() if name not in {str(one) for one in FINE})
    return [
        task["key"],
        f"{task['asked']:,}",
        f"{task['planned']:,}",
        task["headline"],
        value,
        interval,
        f"{lacking:,}",
    ]


def duration(seconds: float) -> str:
    """`2 h 05 min`, `3 min 20 s`, `12 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
