"""What is read: question files, answer files, sheets, checkpoints, run folders, baselines, settings."""

from __future__ import annotations

import contextlib
import io
import random
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tests.fuzzing.mutations import Mutation, mutate
from vlmbench.base import registry, settings
from vlmbench.base.errors import VlmbenchError
from vlmbench.base.samples import Sample
from vlmbench.base.task import Exports, Task
from vlmbench.cli import main as cli
from vlmbench.data import notes as data_notes
from vlmbench.data.files import Folder

IMAGES = (".jpg", ".png")
ROWS = (".jsonl", ".tsv", ".csv")
"""Suffixes of files with one row per line: what a line that is there twice doubles is a row."""


class WrongReadError(Exception):
    """A damaged file was read, and rows were dropped, doubled or changed without a word."""


class Target(ABC):
    """One kind of file. `prepare` once, then `case` for each mutated input."""

    name: str
    share: float
    """Of all cases."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / self.name
        self.folder.mkdir(parents=True)

    @abstractmethod
    def case(self, rng: random.Random) -> tuple[str, Path, bool]:
        """Damage one file and read it: what was done, the damaged file, whether it was accepted.

        Raises WrongReadError, or whatever the reader raises that is no VlmbenchError.
        """


def damage(path: Path, original: bytes, rng: random.Random) -> Mutation:
    """Write a damaged copy of a file's bytes in its place. A link is replaced by a file."""
    content, done = mutate(original, path.suffix, rng)
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    if content == original:
        return replace(done, name=f"{done.name} (nothing changed)", doubles=False)
    return done


SIZED = ("screenspot", "screenspot_v2")
"""Benchmarks whose boxes need the sizes of their images as soon as they are read."""


def linked(source: Path, target: Path, *, copies: bool = False) -> list[Path]:
    """A copy of a folder of data whose images are links (which are not read), or `copies`; returns its other files."""
    found = []
    for path in sorted(source.rglob("*")):
        if "__pycache__" in path.parts or path.suffix == ".py" or path.is_dir():
            continue
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in IMAGES and copies:
            shutil.copyfile(path, place)
        elif path.suffix in IMAGES:
            place.symlink_to(path.resolve())
        else:
            shutil.copyfile(path, place)
            found.append(place)
    return found


class Questions(Target):
    """Every task's question files, in the form of its embedded sample."""

    name, share = "questions", 0.3

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.tasks: list[tuple[Task, list[tuple[Path, bytes]], dict[str, int]]] = []
        for name in registry.tasks.builtin:
            task = registry.tasks.get(name)
            files = linked(Folder.sample(name).root, self.folder / name, copies=name in SIZED)
            counts = {}
            for split in task.splits:
                with contextlib.suppress(VlmbenchError):
                    counts[split] = len(task.samples(self._data(task), split))
            self.tasks.append((task, [(path, path.read_bytes()) for path in files], counts))

    def _data(self, task: Task) -> Folder:
        return Folder(self.folder / task.name)

    def case(self, rng: random.Random) -> tuple[str, Path, bool]:
        """One file of one task is damaged, one split is read and every question put into words."""
        task, files, counts = rng.choice(self.tasks)
        path, original = rng.choice(files)
        split = rng.choice(list(counts))
        done = damage(path, original, rng)
        try:
            samples = task.samples(self._data(task), split)
            for sample in samples:
                task.build_request(sample, next(iter(task.protocols)))
            self._judge(task, split, samples, counts[split], done)
            return f"{task.name}:{split} {done.name}", path, True
        except VlmbenchError as error:
            check_words(error)
            return f"{task.name}:{split} {done.name}", path, False
        finally:
            if not (path.is_file() and path.read_bytes() == original):
                keep_last(path, self.folder)
            path.write_bytes(original)

    def _judge(self, task: Task, split: str, samples: Sequence[Sample], before: int, done: Mutation) -> None:
        ids = {sample.id for sample in samples}
        where = f"{task.name}:{split}, {done.name}"
        if len(ids) != len(samples):
            raise WrongReadError(f"{where}: {len(samples)} samples with {len(ids)} ids")
        told = data_notes.notes(task, split, samples, "damaged")
        if len(samples) > before and not any("there twice" in note for note in told):
            raise WrongReadError(f"{where}: {len(samples)} samples instead of {before}")
        if (task.name, done.name) == ("scienceqa", "json_null"):  # null is how its file says that there is no image
            return
        if len(samples) < before and not done.shorter:
            raise WrongReadError(f"{where}: {len(samples)} samples instead of {before}")


def keep_last(path: Path, folder: Path) -> None:
    """Keep the damaged file, so that a failing case can be looked at."""
    if path.is_file():
        shutil.copyfile(path, folder / f"last{path.suffix}")


def check_words(error: VlmbenchError) -> None:
    """An error fits on a screen and says something."""
    if len(str(error)) > 3000 or not error.what.strip():
        raise WrongReadError(f"an error of {len(str(error)):,} characters: {str(error)[:200]!r}")


class Answers(Target):
    """Every task's answer files, in every form that it writes itself, and as sheets and tables."""

    name, share = "answers", 0.25

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.files: list[tuple[Task, Sequence[Sample], Path, bytes, Mapping[str, str]]] = []
        for name in registry.tasks.builtin:
            task: Task = registry.tasks.get(name)
            writer: object = task
            if isinstance(writer, Exports):
                samples = task.samples(Folder.sample(name), task.splits[0])
                for form, suffix in writer.formats.items():
                    for protocol in list(task.protocols)[:2]:
                        self._write(task, samples, protocol, self.folder / f"{name}-{form}-{protocol}{suffix}")

    def _write(self, task: Task, samples: Sequence[Sample], protocol: str, path: Path) -> None:
        said = {
            sample.id: sample.choices[-1] if sample.choices else ("no", "yes")[at % 2]
            for at, sample in enumerate(samples)
        }
        assert isinstance(task, Exports)
        with contextlib.suppress(VlmbenchError):
            task.export(said, samples, protocol, path)
            files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
            for file in files:
                found = dict(task.read_predictions(path, samples))
                self.files.append((task, samples, file, file.read_bytes(), found))

    def case(self, rng: random.Random) -> tuple[str, Path, bool]:
        """One answer file is damaged and read."""
        task, samples, path, original, before = rng.choice(self.files)
        root = self.folder / path.relative_to(self.folder).parts[0]
        done = damage(path, original, rng)
        try:
            found = task.read_predictions(root, samples)
            where = f"{task.name} {path.name}, {done.name}"
            if set(found) != set(before):
                raise WrongReadError(f"{where}: {len(found)} answers instead of {len(before)}")
            if done.doubles and path.suffix in ROWS and len(found) == len(before):
                raise WrongReadError(f"{where}: a row that is there twice was read")
            changed = sum(found[key] != before[key] for key in before)
            if changed > max(5, len(before) // 20):
                raise WrongReadError(f"{where}: {changed} of {len(before)} answers are others")
            return f"{task.name} {done.name}", path, True
        except VlmbenchError as error:
            check_words(error)
            return f"{task.name} {done.name}", path, False
        finally:
            keep_last(path, self.folder)
            path.write_bytes(original)


class Sheets(Target):
    """Excel sheets: bytes of the archive, and bytes inside its members."""

    name, share = "sheets", 0.1

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from openpyxl import Workbook

        self.path = self.folder / "answers.xlsx"
        book = Workbook()
        sheet = book.active
        assert sheet is not None
        sheet.append(["index", "question", "prediction"])
        for at in range(40):
            sheet.append([at, f"question {at}", "yes"])
        book.save(self.path)
        self.original = self.path.read_bytes()

    def case(self, rng: random.Random) -> tuple[str, Path, bool]:
        """The sheet is damaged and read."""
        from vlmbench.data.sheets import read_sheet

        inner = rng.random() < 0.5
        content = self._inside(rng) if inner else mutate(self.original, ".xlsx", rng)[0]
        self.path.write_bytes(content)
        told = "member" if inner else "archive"
        try:
            rows = read_sheet(self.path)
            return f"sheet {told}, {len(rows)} rows", self.path, True
        except VlmbenchError as error:
            check_words(error)
            return f"sheet {told}", self.path, False

    def _inside(self, rng: random.Random) -> bytes:
        """One member is damaged and packed again, so that the archive itself is whole."""
        import zipfile

        made = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(self.original)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
            names = old.namelist()
            chosen = rng.choice(names)
            for name in names:
                content = old.read(name)
                if name == chosen:
                    content, _ = mutate(content, ".txt", rng)
                new.writestr(name, content)
        return made.getvalue()


class Settings(Target):
    """vlmbench.toml."""

    name, share = "settings", 0.05
    TEXT = b'data = "sample"\nruns = "runs"\ncache = "~/.cache/vlmbench"\n'

    def case(self, rng: random.Random) -> tuple[str, Path, bool]:
        """The file is damaged and read."""
        path = self.folder / settings.CONFIG
        done = damage(path, self.TEXT, rng)
        try:
            found = settings.load({}, self.folder)
            found.runs_folder, found.cache_folder  # noqa: B018 - a path that cannot be one is told here
            return done.name, path, True
        except VlmbenchError as error:
            check_words(error)
            return done.name, path, False


def quiet_command(*words: str) -> tuple[int, str]:
    """A command's exit code and what it printed, both streams together."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = cli.main([*words])
    return code, printed.getvalue()
