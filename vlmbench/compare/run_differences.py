"""What two runs of a task differ in besides their answers, and whether it makes them incomparable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vlmbench.runs.storage.reload import StoredRun, StoredTask

THOUGHTS = "thoughts before the answers"
"""The difference that lies in one of the runs alone showing any."""
PERTURBATION = "perturbation"
"""The difference that lies in the inputs, and not in the questions."""
SHOWN = 60
"""Characters of a value that a line about a difference shows."""


@dataclass(frozen=True)
class Difference:
    """Something that is not the same in both runs."""

    what: str
    before: str
    after: str
    refuses: bool
    """Whether it makes the runs incomparable."""

    def __str__(self) -> str:
        return f"{self.what}: {self.before} before, {self.after} after"


def differing(before_run: StoredRun, after_run: StoredRun, before: StoredTask, after: StoredTask) -> list[Difference]:
    """What is not the same: first what makes the runs incomparable.

    Prompts are looked at where the questions are the same ones; other questions have other prompts anyway.
    """
    perturbed = [str(run.manifest.get("asked", {}).get("perturb") or "none") for run in (before_run, after_run)]
    installed = str(after.choice.task.version)
    worded = [_hash(task, "prompts") for task in (before, after)]
    judged = [entry.get("judge") or {} for entry in (before.entry, after.entry)]
    facts: list[tuple[str, Any, Any, bool]] = [
        *((name, before.entry.get(name), after.entry.get(name), True) for name in ("split", "protocol", "version")),
        *(
            (f"version of {name} run and installed", task.entry.get("version"), installed, True)
            for name, task in (("the earlier", before), ("the later", after))
        ),
        ("variant", before.choice.variant.label or "none", after.choice.variant.label or "none", True),
        ("plug-in", before.entry.get("plugin"), after.entry.get("plugin"), True),
        ("questions", _questions(before), _questions(after), True),
        (PERTURBATION, perturbed[0], perturbed[1], False),
        *(
            [("prompts", _prompts(before), _prompts(after), False)]
            if worded[0] != worded[1] and _alike(before, after)
            else []
        ),
        ("generation", before.entry.get("generation"), after.entry.get("generation"), False),
        ("judge", judged[0], judged[1], False),
        ("scored by", _scorer(before), _scorer(after), False),
        *(
            [(THOUGHTS, _thoughts(before), _thoughts(after), False)]
            if bool(before.thoughts) != bool(after.thoughts)
            else []
        ),
    ]
    if perturbed[0] == perturbed[1] and before.entry.get("images") and after.entry.get("images"):
        facts.append(("images", _hash(before, "images"), _hash(after, "images"), True))
    differences = [Difference(w, *_shown(a, b), refuses) for w, a, b, refuses in facts if str(a) != str(b)]
    return sorted(differences, key=lambda before_run: not before_run.refuses)


def _alike(before: StoredTask, after: StoredTask) -> bool:
    return _hash(before, "samples") == _hash(after, "samples")


def _hash(task: StoredTask, name: str) -> str:
    return str(task.entry.get("hashes", {}).get(name, "unknown"))


def _questions(task: StoredTask) -> str:
    return f"{task.entry.get('samples', 0):,} (hash {_hash(task, 'samples')})"


def _scorer(task: StoredTask) -> str:
    """The harness whose scores an imported task holds, with its version; its judge too."""
    peer = task.entry.get("peer") or {}
    words = (peer.get("harness"), peer.get("version"), f"judge {peer['judge']}" if peer.get("judge") else "")
    return " ".join(str(word) for word in words if word) or "vlmbench"


def _thoughts(task: StoredTask) -> str:
    return (
        f"in {task.thoughts:,} of {sum(task.scores.get('statuses', {}).values()):,} answers"
        if task.thoughts
        else "none"
    )


def _prompts(task: StoredTask) -> str:
    example = " ".join(str(task.entry.get("prompt_example", "")).split())
    return f"hash {_hash(task, 'prompts')}" + (f", e.g. ...{example[-SHOWN:]!r}" if example else "")


def _shown(before: Any, after: Any) -> tuple[str, str]:
    """Both values, shortened; of mappings what differs alone."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        first, second = (", ".join(f"{n} {str(m.get(n))[:SHOWN]}" for n in names if n in m) for m in (before, after))
        return first or "none", second or "none"
    return str(before), str(after)
