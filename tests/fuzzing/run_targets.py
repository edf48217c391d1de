"""Run folders, baselines and checkpoints: what vlmbench wrote itself, damaged afterwards."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.fuzzing.targets import Target, WrongReadError, check_words, damage, keep_last, quiet_command
from vlmbench.base.errors import VlmbenchError

TASKS = "hateful_memes@minigpt_v2,vizwiz"
ASK = ("run", "--model", "echo,text=yes", "--tasks", TASKS)


def answers(folder: Path) -> list[tuple[str, str, str]]:
    """(task, sample, text) of a finished run's records."""
    table = pq.read_table(folder / "records.parquet", columns=["task", "sample_id", "text"])
    return sorted((row["task"], row["sample_id"], row["text"]) for row in table.to_pylist())


class Runs(Target):
    """A finished run's files and an unfinished run's log, read by every verb that reads runs."""

    name, share = "runs", 0.2

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.good, self.begun, self.work = (self.folder / name for name in ("good", "begun", "work"))
        for place in (self.good, self.begun):
            code, text = quiet_command(*ASK, "--output", str(place))
            assert code == 0, text
        self.baseline = self.folder / "baseline.json"
        quiet_command("baseline", str(self.good), "--output", str(self.baseline))
        quiet_command("check", str(self.good), "--baseline", str(self.baseline))
        self.expected = answers(self.good)
        unfinish(self.begun)
        self.verbs: dict[str, Sequence[str]] = {
            "run": (*ASK, "--output", str(self.work)),
            "score": ("score", str(self.work)),
            "report": ("report", str(self.work), str(self.good), "--output", str(self.folder / "site")),
            "compare": ("compare", str(self.good), str(self.work)),
            "check": ("check", str(self.work), "--baseline", str(self.baseline)),
            "baseline": ("baseline", str(self.work), "--output", str(self.folder / "other.json")),
            "export": ("export", str(self.work), "--task", "vizwiz", "--output", str(self.folder / "export.json")),
        }

    def case(self, rng: random.Random) -> tuple[str, Path, bool]:
        """One file of the folder is damaged, one verb reads it."""
        shutil.rmtree(self.work, ignore_errors=True)
        begun = rng.random() < 0.3
        shutil.copytree(self.begun if begun else self.good, self.work)
        files = [path for path in sorted(self.work.iterdir()) if path.is_file() and path.suffix in SUFFIXES]
        path = rng.choice(files)
        done = damage(path, path.read_bytes(), rng)
        keep_last(path, self.folder)
        verb = "run" if begun else rng.choice(list(self.verbs))
        what = f"{verb}, {'unfinished' if begun else 'finished'}, {path.name}, {done.name}"
        code, text = quiet_command(*self.verbs[verb])
        if code not in (0, 1, 2, 3):
            raise WrongReadError(f"{what}: exit code {code}")
        if code == 2 and len(text) > 6000:
            raise WrongReadError(f"{what}: {len(text):,} characters of error")
        if verb == "run" and code == 0 and answers(self.work) != self.expected:
            raise WrongReadError(f"{what}: the answers are others")
        return what, path, code != 2


SUFFIXES = (".json", ".jsonl", ".parquet")


def unfinish(folder: Path) -> None:
    """Make a finished run one that was killed before it closed: its answers back in the log, no results."""
    from vlmbench.base.samples import Response
    from vlmbench.runs.storage.layout import LOG, MANIFEST, RECORDS
    from vlmbench.runs.storage.store import RunStore

    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
    rows = pq.read_table(folder / RECORDS).to_pylist()
    shutil.rmtree(folder)
    manifest.pop("finished", None)
    with RunStore.open(folder, manifest) as store:
        for row in rows:
            fields = {name: row[name] for name in Response.__dataclass_fields__ if name != "choices" and name in row}
            store.append(row["key"], Response(**fields))
        store.sync()
    assert (folder / LOG).is_file()


class Baselines(Target):
    """A baseline's file."""

    name, share = "baselines", 0.06

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.run, self.path = self.folder / "run", self.folder / "baseline.json"
        quiet_command(*ASK, "--output", str(self.run))
        quiet_command("baseline", str(self.run), "--output", str(self.path))
        self.original = self.path.read_bytes()

    def case(self, rng: random.Random) -> tuple[str, Path, bool]:
        """The file is damaged and a run held against it."""
        done = damage(self.path, self.original, rng)
        code, text = quiet_command("check", str(self.run), "--baseline", str(self.path))
        if code not in (0, 1, 2, 3) or (code == 2 and len(text) > 6000):
            raise WrongReadError(f"{done.name}: exit code {code}, {len(text):,} characters")
        return done.name, self.path, code != 2


class Checkpoints(Target):
    """A small TinyLLaVA's files."""

    name, share = "checkpoints", 0.04

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from tests.models.tiny import build, config

        self.good, self.work = self.folder / "good", self.folder / "work"
        build(self.folder / "tokenizer", config()).save(self.good)

    def case(self, rng: random.Random) -> tuple[str, Path, bool]:
        """One file is damaged and the checkpoint loaded."""
        from vlmbench.models.systems import tinyllava

        shutil.rmtree(self.work, ignore_errors=True)
        shutil.copytree(self.good, self.work)
        path = rng.choice([path for path in sorted(self.work.rglob("*")) if path.is_file()])
        original = path.read_bytes()
        if path.suffix == ".safetensors" and rng.random() < 0.7:  # the header decides; most of the file is numbers
            size = int.from_bytes(original[:8], "little") + 8
            from tests.fuzzing.mutations import mutate

            head, done = mutate(original[:size], ".json", rng)
            path.write_bytes(head + original[size:])
        else:
            done = damage(path, original, rng)
        keep_last(path, self.folder)
        try:
            with contextlib.suppress(MemoryError):
                tinyllava.load(str(self.work))
            return f"{path.name}, {done.name}", path, True
        except VlmbenchError as error:
            check_words(error)
            return f"{path.name}, {done.name}", path, False
