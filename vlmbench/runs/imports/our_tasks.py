"""Which of our benchmarks a peer's is, and its rows as our samples: what our own protocol needs to score them again.

The protocol is ours that has the peer's own rules, where there is one: a difference then shows a fault of one of them,
or a version of the peer that scored otherwise (WHY).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vlmbench.base import registry
from vlmbench.base.errors import DataError
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import ImageRef, Sample
from vlmbench.runs.imports.joining import joined
from vlmbench.runs.imports.readers.files import words
from vlmbench.runs.imports.readers.nouns import PERCEPTION, PeerRow, PeerTask
from vlmbench.runs.storage.reload import image_ref

Form = Callable[[PeerRow], Any]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
KEPT = ("hint", "has_text", "group", "turns", "place", "answerable", "majority", "balanced", "entailed", "choices")
"""What our samples keep of `extra`: what metrics read."""
CIRCULAR = 1_000_000
"""MMBench's rotated questions have the question's index and so much, or a multiple of it, added."""
PROTOCOLS: Mapping[str, tuple[str, ...]] = {
    "lmms-eval": ("lmms_eval", "official"),
    "vlmevalkit": ("vlmevalkit", "official"),
    "llava": ("llava", "official"),
}
"""By peer: protocols with its own rules, the best first; else a benchmark's default."""


def yes_no(row: PeerRow) -> str | None:
    """`yes` or `no`."""
    word = words(row.target).strip().lower().rstrip(".")
    return word if word in ("yes", "no") else None


def letter(row: PeerRow) -> str | None:
    """The letter of the right option: written so, by its place, or by its text."""
    target = words(row.target).strip()
    bare = target.strip("().").upper()
    if len(bare) == 1 and bare in LETTERS and row.options:
        return bare  # also one that is none of the options in the file: VLMEvalKit drops the fifth
    if row.options.count(target) == 1:
        return LETTERS[row.options.index(target)]
    if target.isdecimal() and int(target) < len(row.options):
        return LETTERS[int(target)]
    return None


def letter_or_text(row: PeerRow) -> Any:
    """The letter of the right option; of a question without options the right answer, or several."""
    if row.options:
        return letter(row)
    return (people(row) if len(row.target) > 1 else word(row)) if isinstance(row.target, tuple | list) else word(row)


def word(row: PeerRow) -> str | None:
    """One right answer."""
    target = row.target
    if isinstance(target, tuple | list) and target:
        target = target[0]
    return words(target) or None


def people(row: PeerRow) -> tuple[str, ...] | None:
    """Answers of several people."""
    several = isinstance(row.target, tuple | list) and len(row.target) > 0
    return tuple(words(one) for one in row.target) if several else None


@dataclass(frozen=True)
class Ours:
    """A benchmark of ours as peers name it."""

    task: str
    names: str
    """Pattern of the peers' names, small and without anything but letters and digits."""
    target: Form
    complete: Callable[[list[Sample], PeerTask], list[Sample]] = lambda samples, task: samples
    """Adds what the benchmark's metrics read besides."""


def _pope(samples: list[Sample], task: PeerTask) -> list[Sample]:
    named = re.search(r"adv|pop(?!e)|random", task.dataset.lower().removeprefix("pope"))
    alone = {"adv": "adversarial", "pop": "popular", "random": "random"}[named[0]] if named else ""
    return [replace(one, tags={"split": one.tags.get("category") or one.tags.get("split") or alone}) for one in samples]


def _mme(samples: list[Sample], task: PeerTask) -> list[Sample]:
    found = []
    for one in samples:
        subtask = one.tags.get("category") or one.tags.get("subtask", "")
        kind = "perception" if subtask in PERCEPTION else "cognition"
        found.append(replace(one, tags={"subtask": subtask, "kind": kind}))
    return found


def _gqa(samples: list[Sample], task: PeerTask) -> list[Sample]:
    return [
        replace(one, tags={"kind": ""}, extra={"balanced": True, "entailed": [], "choices": None, "group": None})
        for one in samples
    ]


def _vizwiz(samples: list[Sample], task: PeerTask) -> list[Sample]:
    found = []
    for one in samples:
        most = Counter(one.target).most_common(1)[0][0] if one.target else ""
        extra = {"answerable": most != "unanswerable", "majority": False}
        found.append(replace(one, tags={}, extra=extra))
    return found


def _scienceqa(samples: list[Sample], task: PeerTask) -> list[Sample]:
    return [
        replace(one, extra={"hint": h, "has_text": bool(h)}) for one in samples for h in [one.extra.get("hint", "")]
    ]


def _mmbench(samples: list[Sample], task: PeerTask) -> list[Sample]:
    indices = [int(words(row.extra.get("index")) or row.id) for row in task.rows]
    turns = Counter(index % CIRCULAR for index in indices)
    language = "cn" if "cn" in task.dataset.lower() else "en"
    found = []
    for one, index, row in zip(samples, indices, task.rows, strict=True):
        group = index % CIRCULAR
        about = {"ability": row.extra.get("l2-category") or row.extra.get("L2-category")}
        about |= {"leaf": row.extra.get("category"), "split": row.extra.get("split")}
        tags = {"language": language, **{name: words(value) for name, value in about.items() if value}}
        extra = {"hint": _given(row.extra.get("hint")), "group": group, "turns": turns[group]}
        found.append(replace(one, id=str(index), tags=tags, cluster=str(group), extra=extra))
    return found


def _given(value: Any) -> str:
    text = words(value)
    return "" if text.lower() == "nan" else text


def _hint(samples: list[Sample], task: PeerTask) -> list[Sample]:
    return [replace(one, extra={"hint": _given(one.extra.get("hint"))}) for one in samples]


def _mmmu(samples: list[Sample], task: PeerTask) -> list[Sample]:
    found = []
    for place, one in enumerate(samples):
        parts = one.id.rpartition("/")[2].split("_")
        subject = "_".join(parts[1:-1]) if len(parts) > 2 else ""
        found.append(replace(one, tags={"subject": subject} if subject else {}, extra={"place": place}))
    return found


OURS: Sequence[Ours] = (
    Ours("pope", r"pope(full|adv|pop|random|adversarial|popular)?", yes_no, _pope),
    Ours("mme", r"mme", yes_no, _mme),
    Ours("gqa", r"gqa|gqatestdevbalanced", word, _gqa),
    Ours("mmbench:dev_en", r"mmbench|mmbenchdeven|mmbenchendev(static|lite)?", letter, _mmbench),
    Ours("mmbench:dev_cn", r"mmbenchdevcn|mmbenchcndev(static|lite)?", letter, _mmbench),
    Ours("mmbench:dev_en_v11", r"mmbenchdevenv11", letter, _mmbench),
    Ours("mmbench:dev_cn_v11", r"mmbenchdevcnv11", letter, _mmbench),
    Ours("mmbench:ccbench", r"ccbench|mmbenchcncc", letter, _mmbench),
    Ours("scienceqa:test", r"scienceqa|scienceqafull", letter, _scienceqa),
    Ours("scienceqa:image", r"scienceqaimg|scienceqatest", letter, _scienceqa),
    Ours("scienceqa:val_image", r"scienceqaval", letter, _scienceqa),
    Ours("vqav2:val", r"vqav2(val)?(lite)?", people),
    Ours("textvqa:val", r"textvqa(val)?(lite)?", people),
    Ours("vizwiz:val", r"vizwiz(vqa)?(val)?(lite)?", people, _vizwiz),
    Ours("okvqa:val", r"okvqa(val2014)?(lite)?", people),
    Ours("chartqa:test", r"chartqa(test)?(lite)?", word),
    Ours("docvqa:val", r"docvqa(val)?(lite)?", people),
    Ours("infovqa:val", r"info(graphic)?vqa(val)?(lite)?", people),
    Ours("mmmu:val", r"mmmu(val|devval)?", letter_or_text, _mmmu),
    Ours("mmstar", r"mmstar", letter, _hint),
    Ours("ai2d:mask", r"ai2d(test)?(lite)?", letter, _hint),
    Ours("ai2d:no_mask", r"ai2d(test)?nomask", letter, _hint),
    Ours("seedbench:image", r"seedbenchimg", letter, _hint),
    Ours("realworldqa", r"realworldqa", letter, _hint),
)
"""What each of our benchmarks is called by peers. Those whose metrics need more than rows hold are left out."""


@dataclass(frozen=True)
class Rescored:
    """A peer's rows as questions of ours."""

    choice: TaskChoice
    pairs: Sequence[tuple[Sample, PeerRow]]
    how: str = ""
    """How they were joined with the benchmark's own questions; empty where the rows' own words are the questions."""


def rescored(peer: str, task: PeerTask, data: str | None = None) -> tuple[Rescored | None, str]:
    """The rows under our own protocol; or None, and why. `data`: where the benchmark's own questions are."""
    name = re.sub(r"[^a-z0-9]", "", task.dataset.lower())
    ours = next((one for one in OURS if re.fullmatch(one.names, name)), None)
    if ours is None:
        return None, "vlmbench has no such benchmark, or its metrics need more than the files hold"
    choice = _choice(peer, ours.task)
    if choice is None:
        return None, "our protocols of it need a judge: answers can be exported and graded, not these rows"
    task = replace(task, rows=task.answers) if task.answers else task
    why_not = ""
    if data is not None:
        try:
            found, how = joined(choice, task.rows, data)
        except DataError as error:
            found, how = None, error.what
        if found is not None:
            return Rescored(choice, list(zip(found, task.rows, strict=True)), how), ""
        why_not = f"; not joined with --data: {how}"
    targets = [ours.target(row) for row in task.rows]
    without = sum(target is None for target, row in zip(targets, task.rows, strict=True) if row.error != "")
    known = [target for target in targets if target is not None]
    if not known:
        hint = why_not or "; --data DIR joins them with the benchmark's own"
        return None, f"the right answers are not in the files{hint}"
    if len(known) + without < len(targets):
        lacking = len(targets) - len(known)
        return None, f"{lacking:,} of {len(targets):,} right answers are not in the files, or in no form that we read"
    whole = ours.complete([_sample(*pair) for pair in zip(task.rows, targets, strict=True)], task)
    samples = [replace(one, extra={name: one.extra[name] for name in KEPT if name in one.extra}) for one in whole]
    return Rescored(choice, list(zip(samples, task.rows, strict=True)), why_not.removeprefix("; ")), ""


def _choice(peer: str, task: str) -> TaskChoice | None:
    plain = registry.choose_task(task)
    known = plain.task.protocols
    name = next((one for one in PROTOCOLS.get(peer, ()) if one in known), next(iter(known)))
    if known[name].judge is not None:
        return None
    return registry.choose_task(f"{task}@{name}")


def _sample(row: PeerRow, target: Any) -> Sample:
    images: tuple[ImageRef, ...] = tuple(image_ref(name) for name in row.images)
    question = row.question or row.prompt
    return Sample(row.id, question, images, target, row.options, row.tags, row.cluster or row.id, row.extra)


WHY: Mapping[tuple[str, str], str] = {
    ("lmms-eval", "vqav2"): "lmms-eval 0.3 normalises an answer only where people disagree, later versions always",
    ("vlmevalkit", "mmbench"): "a judge reads what no rule can, and a question counts once for all its rotations",
    ("vlmevalkit", "scienceqa"): "a judge may have read what no rule can",
    ("vlmevalkit", "pope"): "a judge may have read what says neither yes nor no",
    ("lm-eval", "mmmu"): "an answer without a letter is a random guess, and the guesses are others",
}
"""By peer and our benchmark: why the two may score one answer differently."""


def why(peer: str, choice: TaskChoice) -> str:
    """Why scores may differ: what is known of the peer, else what is peculiar about our protocol."""
    protocol = choice.task.protocols[choice.protocol]
    return WHY.get((peer, choice.task.name), "") or f"here {protocol.note}" * bool(protocol.note)
