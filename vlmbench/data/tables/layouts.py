"""Questions that come in several layouts (official files, VLMEvalKit's table, a hub dataset), or in parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from vlmbench.base.errors import DataError
from vlmbench.base.samples import Sample
from vlmbench.base.task import DataFile
from vlmbench.data.files import Folder, Hub, QuestionFiles
from vlmbench.data.reading import is_dir
from vlmbench.data.tables.hub_dataset import HubDataset


@dataclass(frozen=True)
class Layouts:
    """Readers of the same questions. The first whose file of questions, or folder of them, is there reads them."""

    readers: Mapping[str, Sequence[QuestionFiles]]
    """By split, the usual one first: its files are named where none is there."""
    hub: Mapping[str, HubDataset] = field(default_factory=dict)
    """By split, its copy on the hub."""

    def required_files(self, split: str) -> Sequence[DataFile]:
        """The files of the usual layout; those that make up for its first file are named with it."""
        first, *more = self.readers[split][0].required_files(split)
        others = [reader.required_files(split)[0] for reader in self.readers[split][1:]]
        also = (*first.also, *(path for file in others for path in (file.path, *file.also)))
        return [replace(first, also=also), *more]

    def samples(self, data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
        """All questions of a split. Raises DataError naming file, line and field."""
        if isinstance(data, Hub):
            if split not in self.hub:
                raise DataError(f"{task}:{split} has no copy on the hub", hint="use --data DIR with the official files")
            return self.hub[split].samples(data, split, task)
        readers = self.readers[split]
        firsts = [reader.required_files(split)[0] for reader in readers]
        there = [
            reader
            for reader, file in zip(readers, firsts, strict=True)
            if data.find(file.path, *file.also) or is_dir(data.root / file.path)
        ]
        return (there or list(readers))[0].samples(data, split, task)


@dataclass(frozen=True)
class Joined:
    """Readers of parts, which are splits of their own; another split has all of them, one after another."""

    parts: Mapping[str, QuestionFiles]

    def required_files(self, split: str) -> Sequence[DataFile]:
        """The files of one part or of all, each once."""
        files = [file for name in self._of(split) for file in self.parts[name].required_files(name)]
        return list({file.path: file for file in files}.values())

    def samples(self, data: Folder | Hub, split: str, task: str) -> Sequence[Sample]:
        """All questions of one part, or of all parts. Raises DataError naming file, line and field."""
        return [sample for name in self._of(split) for sample in self.parts[name].samples(data, name, task)]

    def _of(self, split: str) -> Sequence[str]:
        return (split,) if split in self.parts else tuple(self.parts)
