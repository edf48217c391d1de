"""`vlmbench data status|fetch`: say which official files are there and which are missing, and get them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlmbench.base import registry, settings
from vlmbench.base.errors import DataError, UsageError
from vlmbench.base.process import exit_codes, terminal
from vlmbench.base.registry import TaskChoice
from vlmbench.base.task import DataFile, bundled_data_dir

if TYPE_CHECKING:
    from vlmbench.data.files import Folder

NAMED = 5
"""How many missing images are named."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which benchmarks, and where their files belong."""
    add = parser.add_argument
    add(
        "action",
        choices=("status", "fetch"),
        help="status: list present and missing files; fetch: download the missing ones",
    )
    add("tasks", nargs="*", metavar="TASK[:SPLIT]", help="see `vlmbench tasks` (status: default all)")
    add(
        "--data",
        metavar="DIR",
        help="the folder of official files (default: from the settings, else a data folder in the cache)",
    )
    add("--accept-licence", action="store_true", help="accept the licenses that fetch shows")
    add("--json", action="store_true", help="status as JSON")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 when everything asked about is there, 2 when something is missing."""
    folder = _folder(args)
    if args.action == "fetch":
        if not args.tasks:
            raise UsageError("nothing named to fetch", hint=f"name one of: {', '.join(registry.tasks.names())}")
        for choice in map(registry.choose_task, args.tasks):
            fetch(choice, folder, accepted=args.accept_licence)
    found = [status(choice, folder) for choice in _chosen(args.tasks, folder)]
    if args.json:
        import json

        terminal.result(json.dumps([state.to_json() for state in found], indent=2))
    else:
        print("\n\n".join(state.text() for state in found))
    return exit_codes.OK if all(state.complete for state in found) else exit_codes.USER_MUST_CHANGE


def _folder(args: argparse.Namespace) -> Path:
    told = settings.load({"data": args.data})
    if told.data in ("sample", "hub") or told.data.startswith("hub:"):
        return told.cache_folder / "data"
    return Path(told.data).expanduser()


def _chosen(names: Sequence[str], folder: Path) -> list[TaskChoice]:
    """The splits named; for a bare task its default split, and any other of which a file is there."""
    found: dict[str, TaskChoice] = {}
    for name in names or registry.tasks.names():
        choice = registry.choose_task(name)
        found[choice.key] = choice
        if ":" not in name:
            known = list(choice.task.required_files(choice.split))
            for split in choice.task.splits[1:]:
                other = TaskChoice(choice.task, split, choice.protocol)
                own = [wanted for wanted in choice.task.required_files(split) if wanted not in known]
                known += own  # a part of a split that was listed has no files of its own
                files = [w for w in own if not is_folder(w)]
                if any(place(open_folder(folder, choice), w) for w in files):
                    found[other.key] = other
    return list(found.values())


def open_folder(root: Path, choice: TaskChoice) -> Folder:
    """The data folder as the task sees it; of a task that brings its data, its own unless the folder has them."""
    from vlmbench.data.files import Folder

    folder, own = Folder(root, str(root)).within(choice.task.name), bundled_data_dir(choice.task)
    missing = not any(place(folder, wanted) for wanted in choice.task.required_files(choice.split))
    return Folder(own) if own is not None and missing else folder


def place(folder: Folder, wanted: DataFile) -> Path | None:
    """Where an official file (or folder with something in it) is; None when it is missing."""
    for name in (wanted.path, *wanted.also):
        path = folder.root / name
        if path.is_file() or (name != "." and path.is_dir() and any(path.iterdir())):
            return path
        pattern = any(letter in name for letter in "*?[")
        if pattern and (found := next(iter(sorted(folder.root.glob(name))), None)):
            return found
    return None


def is_folder(wanted: DataFile) -> bool:
    """Whether something wanted is a folder of images: its name has no suffix."""
    return "." not in Path(wanted.path).name


@dataclass(frozen=True)
class State:
    """What is there of one split."""

    choice: TaskChoice
    root: Path
    files: Sequence[tuple[DataFile, Path | None]]
    questions: int | None
    """None while question files are missing or broken; then `problem` says why."""
    pictures: int
    missing: Sequence[str]
    problem: str = ""
    notes: Sequence[str] = ()
    """What will stand beside a score of these data: another number of questions than the official one, repeats."""

    @property
    def complete(self) -> bool:
        """Whether the split can be run."""
        return self.questions is not None and not self.missing

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "task": self.choice.task.name,
            "split": self.choice.split,
            "folder": str(self.root),
            "complete": self.complete,
            "files": [
                {"path": w.path, "what": w.what, "there": p is not None, "url": w.url, "optional": w.optional}
                for w, p in self.files
            ],
            "questions": self.questions,
            "images": self.pictures,
            "images_missing": list(self.missing),
            "problem": self.problem,
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """For people."""
        task, split = self.choice.task, self.choice.split
        lines = [f"{task.name}:{split}  {'complete' if self.complete else 'incomplete'}  in {self.root}"]
        for wanted, path in self.files:
            if not path and self.questions is not None and is_folder(wanted) and not self.missing:
                continue  # its images lie elsewhere
            word = "there  " if path else "absent " if wanted.optional else "missing"
            where = path.relative_to(self.root).as_posix() if path else wanted.path
            lines.append(f"  {word}  {where}  ({wanted.what})")
            if not path:
                lines.append(f"           from {wanted.url}" if wanted.url else f"           {wanted.how}")
        if self.questions is None:
            if all(path for wanted, path in self.files if not wanted.optional and not is_folder(wanted)):
                lines.append(f"  {self.problem}")
            lines.append("  how many images are needed is known once the questions can be read")
        else:
            have = self.pictures - len(self.missing)
            lines.append(f"  {self.questions:,} questions; {have:,} of {self.pictures:,} images are there")
        lines += [f"  note: {note}" for note in self.notes]
        if self.missing:
            more = f" and {len(self.missing) - NAMED:,} more" if len(self.missing) > NAMED else ""
            lines.append(f"  missing images: {', '.join(self.missing[:NAMED])}{more}")
        if not self.complete:
            lines.append(f"  `vlmbench data fetch {task.name}:{split} --data {self.root}` gets what has an address")
        return "\n".join(lines)


def status(choice: TaskChoice, root: Path) -> State:
    """Look at one split: official files by name, questions by reading them, images by the questions' names."""
    from vlmbench.data import notes as data_notes
    from vlmbench.data.files import missing_images, read_samples

    folder = open_folder(root, choice)
    files = [(wanted, place(folder, wanted)) for wanted in choice.task.required_files(choice.split)]
    try:
        samples = read_samples(choice.task, folder, choice.split)
    except DataError as error:
        return State(choice, folder.root, files, None, 0, (), str(error))
    names = {picture.name for sample in samples for picture in sample.images}
    notes = data_notes.notes(choice.task, choice.split, samples, folder.label)
    return State(choice, folder.root, files, len(samples), len(names), missing_images(samples), notes=notes)


def fetch(choice: TaskChoice, root: Path, *, accepted: bool) -> None:
    """Download what is missing of one split. Raises UsageError before anything whose licence was not accepted."""
    from vlmbench.data.download import download, extract

    state = status(choice, root)
    missing = [w for w, path in state.files if path is None or (state.missing and is_folder(w))]
    _check_licences(missing, accepted)
    progress = sys.stderr.isatty()
    for url in dict.fromkeys(wanted.url for wanted in missing if wanted.url):
        items = [wanted for wanted in missing if wanted.url == url]
        name = url.rpartition("/")[2]
        if not name.endswith(".zip") or any(wanted.path.endswith(".zip") for wanted in items):
            for wanted in items:
                download(url, state.root / wanted.path, progress=progress, checksum=wanted.checksum)
            continue
        archive = state.root / ".downloads" / name
        if not archive.is_file():
            checksum = next((wanted.checksum for wanted in items if wanted.checksum), "")
            download(url, archive, progress=progress, checksum=checksum)
        absent = extract(archive, [wanted.path for wanted in items], state.root, progress=progress)
        if absent:
            raise DataError(f"the archive has no {', '.join(absent)}", where=url, hint=f"look into {archive}")
        archive.unlink()
    for wanted in missing:
        if not wanted.url:
            print(f"{wanted.path}: {wanted.how}", file=sys.stderr)


def _check_licences(missing: Sequence[DataFile], accepted: bool) -> None:
    terms = {w.licence: w.what for w in missing if w.url and w.licence}
    if terms and not accepted:
        told = "; ".join(f"{what}: {licence}" for licence, what in terms.items())
        raise UsageError(f"these files come under licences: {told}", hint="add --accept-licence if you accept them")
