"""Reads the folders of finished runs for tables and pages."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from vlmbench.base.errors import StoreError, UsageError, VlmbenchError
from vlmbench.base.registry import is_suite
from vlmbench.base.variant import split_key
from vlmbench.runs.storage.changed_images import INDEX as CHANGED
from vlmbench.runs.storage.layout import JUDGEMENTS, RECORDS, THUMBS, finished_perturbed_runs
from vlmbench.runs.storage.run_files import read_check, read_finished
from vlmbench.scoring import shrunk

if TYPE_CHECKING:
    from vlmbench.compare.labels.estimates import Labelled

SAMPLE_NOTE = "embedded sample: shows that everything works, not comparable with papers"
"""What tables say beside scores on the data that ship with the package."""

LEVEL = 0.95
"""The confidence level of the intervals of runs that do not say theirs."""

LONGEST_OPTION = 38
"""Characters of an option that a label shows."""

LOGGER = logging.getLogger(__name__)

_UNSAFE = re.compile(r"[^0-9A-Za-z]")
"""Characters that an id may not hold, since files are named after it."""


@dataclass(frozen=True)
class Bar:
    """One metric with its interval, as scores.json holds it."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    breakdown: str = ""
    """The breakdown that it is a bar of; empty for a metric of the whole task."""
    label: str = ""
    note: str = ""
    """Why it is undefined, or what is special about it."""
    bounds: tuple[float, float] | None = None
    """What it would be if the questions without a score were all wrong, or all right; None where none are missing."""
    bounds_interval: tuple[float, float] | None = None
    """The interval around both."""
    better: str = "more"
    """What is better: more, less, target or neither."""
    level: float = LEVEL
    """The confidence level of its interval."""
    reason: str = ""
    """Why it has no interval: `too few to tell: one image`."""
    shrunk: Mapping[str, Any] | None = None
    """Of a bar, `value`, `low` and `high` drawn towards its breakdown's mean, or the `reason` why there are none; None
    where nobody asked."""


@dataclass(frozen=True)
class TaskResult:
    """The results of one task of a run."""

    key: str
    entry: Mapping[str, Any]
    """Its entry in run.json: protocol, split, data, hashes, ..."""
    scores: Mapping[str, Any]

    @property
    def is_suite(self) -> bool:
        """Whether these are the results of a suite, whose samples are its members'."""
        return is_suite(self.key)

    @property
    def metrics(self) -> list[Bar]:
        """The metrics of the whole task, the headline first."""
        whole = [bar for bar in self._bars() if not bar.breakdown]
        return sorted(whole, key=lambda bar: bar.name != self.headline)

    @property
    def breakdowns(self) -> dict[str, list[Bar]]:
        """The bars of each breakdown, in the task's own order."""
        by_name: dict[str, list[Bar]] = {}
        for bar in self._bars():
            if bar.breakdown:
                by_name.setdefault(bar.breakdown, []).append(bar)
        return by_name

    @property
    def headline(self) -> str:
        """The name of the metric that the protocol's papers print."""
        return str(self.scores.get("headline") or self.entry.get("headline", ""))

    @property
    def best(self) -> Bar:
        """The headline's bar; an empty one where the task gave none."""
        whole = {bar.name: bar for bar in self.metrics}
        return whole.get(self.headline, Bar(self.headline, None, None, None, 0))

    @property
    def level(self) -> float:
        """The confidence level of its intervals."""
        level = self.scores.get("level")
        return float(level) if isinstance(level, float) and 0 < level < 1 else LEVEL

    @property
    def coverage(self) -> float:
        """Share of the samples whose status is ok."""
        return float(self.scores.get("coverage", 0.0))

    @property
    def statuses(self) -> dict[str, int]:
        """How many samples ended in which status."""
        return {str(name): int(count) for name, count in self.scores.get("statuses", {}).items() if count}

    @property
    def notes(self) -> list[str]:
        """Warnings that stand beside its scores; none in runs of earlier versions."""
        notes = self.scores.get("notes")
        return [str(note) for note in notes] if isinstance(notes, list) else []

    @property
    def protocol(self) -> str:
        """The protocol of its prompts and scores."""
        return str(self.scores.get("protocol") or self.entry.get("protocol", ""))

    @property
    def variant(self) -> str:
        """What the user changed of the protocol, as its key says it; empty for the papers' way."""
        return split_key(self.key)[1]

    @property
    def split(self) -> str:
        """Which version of the benchmark's data."""
        return str(self.scores.get("split") or self.entry.get("split", ""))

    @property
    def data(self) -> str:
        """A label of its data: the folder as the user wrote it, or the embedded sample."""
        return "embedded sample" if self.embedded else self._label

    @property
    def embedded(self) -> bool:
        """Whether the data are those that ship with the package."""
        return self._label == "sample"  # sources.Folder.sample's label; a folder of that name is `./sample`

    @property
    def _label(self) -> str:
        return str(self.scores.get("data") or self.entry.get("data", ""))

    def _bars(self) -> list[Bar]:
        return [
            _bar(name, entry, self.level)
            for name, entry in self.scores.items()
            if isinstance(entry, dict) and "value" in entry
        ]


@dataclass(frozen=True)
class RunResult:
    """One finished run."""

    folder: Path
    id: str
    """Short and stable: part of links into a report."""
    label: str
    """Its name in tables: the model, and what sets it apart from the other runs shown."""
    manifest: Mapping[str, Any]
    tasks: Sequence[TaskResult]
    suites: Sequence[TaskResult] = ()
    """The averages over some of the tasks."""
    labels: Mapping[str, Labelled] = field(default_factory=dict)
    """By task, what people's labels and the judge say together."""

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.manifest.get("model", {}).get("name", "?"))

    @property
    def perturbation(self) -> str:
        """The perturbation of its inputs; empty for none."""
        return perturbation_of(self.manifest)

    @property
    def commit(self) -> str:
        """The start of the commit of the code, with `+` where files were changed; empty if not known."""
        code = self.manifest.get("code") or {}
        return f"{str(code['commit'])[:10]}{'+' if code.get('changed') else ''}" if code.get("commit") else ""

    @property
    def gate(self) -> Mapping[str, Any] | None:
        """The report of `vlmbench check`, where it lies in the run's folder."""
        try:
            return read_check(self.folder)
        except StoreError as error:  # a damaged check.json must not cost the report
            LOGGER.warning("%s; the report leaves it out", error)
            return None

    def records(self) -> Iterator[tuple[str, dict[str, list[Any]]]]:
        """(task, columns of its records), one task after the other, in the order of `tasks`.

        Raises StoreError when records.parquet is missing or broken.
        """
        import pyarrow.compute as pc

        from vlmbench.runs.storage import run_tables

        expected = {task.key: sum(task.statuses.values()) for task in self.tasks}
        needed, later = run_tables.needed(RECORDS), run_tables.LATER[RECORDS]
        table = run_tables.read(self.folder, RECORDS, self.manifest, needed, later, rows=expected)
        for task in self.tasks:
            yield task.key, table.filter(pc.equal(table["task"], task.key)).to_pydict()

    def judgements(self, task: str) -> list[dict[str, Any]]:
        """The judge's verdicts over one task's answers; none where no judge graded."""
        import pyarrow.compute as pc

        if not (self.folder / JUDGEMENTS).is_file():
            return []
        from vlmbench.runs.storage import run_tables

        needed, later = run_tables.needed(JUDGEMENTS), run_tables.LATER[JUDGEMENTS]
        table = run_tables.read(self.folder, JUDGEMENTS, self.manifest, needed, later)
        rows: list[dict[str, Any]] = table.filter(pc.equal(table["task"], task)).to_pylist()
        return rows

    def changed(self) -> list[dict[str, Any]]:
        """A few images before and after the run's perturbation: sheets in thumbs/, with what they show. What is not
        as changed_images.py writes it is left out.
        """
        try:
            told = orjson.loads((self.folder / THUMBS / CHANGED).read_bytes())
        except (OSError, orjson.JSONDecodeError):
            return []
        rows = [row for row in told if isinstance(row, dict)] if isinstance(told, list) else []
        fields: Mapping[str, type] = {"file": str, "task": str, "question": str, "largest": int, "factor": int}
        whole = [row for row in rows if all(isinstance(row.get(name), kind) for name, kind in fields.items())]
        return [
            {name: row[name] for name in fields}
            for row in whole
            if re.fullmatch(r"changed-\d{1,4}\.png", row["file"]) and (self.folder / THUMBS / row["file"]).is_file()
        ]

    def thumbnail(self, digest: str) -> Path:
        """Where the small copy of an image would be."""
        return self.folder / THUMBS / f"{digest[:16]}.jpg"


def perturbation_of(manifest: Mapping[str, Any]) -> str:
    """The perturbation under which a run was made; empty for none."""
    return str(manifest.get("asked", {}).get("perturb") or "")


def level_words(levels: Iterable[float]) -> str:
    """`95 %`; where intervals of several levels stand beside each other, `90 % / 95 %`."""
    return " / ".join(f"{100 * level:.4g} %" for level in sorted(set(levels))) or f"{100 * LEVEL:.4g} %"


def task_results(manifest: Mapping[str, Any], scores: Mapping[str, Any]) -> list[TaskResult]:
    """The tasks of a run, in the order of the run, and its suites."""
    entries = {**manifest.get("tasks", {}), **manifest.get("suites", {})}
    return [TaskResult(key, entries.get(key, {}), content) for key, content in scores.items()]


def load(folders: Sequence[Path]) -> list[RunResult]:
    """Read finished runs.

    Raises UsageError when none is named or one is named twice, StoreError when a folder holds no finished run.
    """
    if not folders:
        raise UsageError("no run named", hint="vlmbench report RUN... takes folders written by `vlmbench run`")
    places = [folder.resolve() for folder in folders]
    for place in places:
        if places.count(place) > 1:
            raise UsageError(f"run named twice: {place}", hint="name each once")
    contents = [read_finished(folder) for folder in folders]
    manifests = [manifest for manifest, _ in contents]
    labels = _labels(folders, manifests)
    ids: list[str] = []
    for manifest in manifests:
        ids.append(_free(_UNSAFE.sub("", str(manifest.get("identity", "")))[:8] or "run", ids))
    runs = []
    for folder, run_id, label, (manifest, scores) in zip(folders, ids, labels, contents, strict=True):
        results = task_results(manifest, scores)
        tasks, suites = ([result for result in results if result.is_suite is kind] for kind in (False, True))
        runs.append(RunResult(folder, run_id, label, manifest, tasks, suites))
    return runs


def with_shrunk(run: RunResult) -> RunResult:
    """The run with shrunk values beside those of its bars; why not, where its records do not give its scores."""
    from vlmbench.runs.storage import reload
    from vlmbench.scoring.score import level_of

    found: dict[str, dict[str, Any]] = {}
    try:
        for key, task in reload.load(run.folder).tasks.items():
            level = level_of([(item.sample, item.score) for item in task.items], task.level)
            found[key] = shrunk.added(task.scores, shrunk.of_metrics(task.metrics(list(task.answered)), level))
    except VlmbenchError as error:
        LOGGER.warning("%s; its bars are not shrunk", error)
        reason = {"reason": "the records cannot be read"}
        for result in run.tasks:
            bars = {bar.name: reason for bars in result.breakdowns.values() for bar in bars}
            found[result.key] = shrunk.added(result.scores, bars)
    return replace(run, tasks=[replace(task, scores=found.get(task.key, task.scores)) for task in run.tasks])


def with_perturbed(folders: Sequence[Path]) -> list[Path]:
    """Folders of runs, each followed by its finished perturbed runs that are not named themselves."""
    named = {folder.resolve() for folder in folders}
    every: list[Path] = []
    for folder in folders:
        every += [folder, *(run for run in finished_perturbed_runs(folder) if run.resolve() not in named)]
    return every


def _bar(name: str, entry: Mapping[str, Any], level: float) -> Bar:
    return Bar(
        name,
        entry["value"],
        entry.get("low"),
        entry.get("high"),
        int(entry.get("n") or 0),
        str(entry.get("breakdown") or ""),
        str(entry.get("label") or ""),
        str(entry.get("note") or ""),
        _bounds(entry.get("bounds")),
        _bounds(entry.get("bounds_interval")),
        str(entry.get("better") or "more"),
        level,
        str(entry.get("reason") or ""),
        entry.get(shrunk.FIELD),
    )


def _bounds(ends: Any) -> tuple[float, float] | None:
    known = isinstance(ends, list) and len(ends) == 2 and all(isinstance(end, int | float) for end in ends)
    return (float(ends[0]), float(ends[1])) if known else None


def _labels(folders: Sequence[Path], manifests: Sequence[Mapping[str, Any]]) -> list[str]:
    """The model's name; where that is not enough, with the options that differ, or the folder's name."""
    names = [_model_name(manifest) for manifest in manifests]
    same = [[at for at, other in enumerate(names) if other == name] for name in names]
    words = [option_words(group.index(at), [manifests[one] for one in group]) for at, group in enumerate(same)]
    labels = [f"{name}, {told}" if told else name for name, told in zip(names, words, strict=True)]
    return [
        f"{label} ({folder.resolve().name})" if labels.count(label) > 1 else label
        for folder, label in zip(folders, labels, strict=True)
    ]


def _model_name(manifest: Mapping[str, Any]) -> str:
    name = str(manifest.get("model", {}).get("name", "?"))
    perturbation = perturbation_of(manifest)
    return f"{name}, {perturbation}" if perturbation else name


def option_words(index: int, manifests: Sequence[Mapping[str, Any]]) -> str:
    """The options that set one run apart from others of its name, as far as they are short enough to show."""
    every = [_options(manifest) for manifest in manifests]
    words = []
    for key, value in every[index].items():
        shown = f"{key} {value}"
        different = any(other.get(key) != value for other in every)
        if different and str(value) not in ("None", "False", "") and len(shown) <= LONGEST_OPTION:
            words.append(shown)
    return ", ".join(words)


def _options(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The options that may set two runs of one model apart."""
    options = manifest.get("asked", {})
    checkpoint = str(options.get("model", "")).partition(",")[0].partition(":")[2]
    return {
        **options.get("settings", {}),
        "checkpoint": Path(checkpoint).name if checkpoint else None,
        "limit": options.get("limit"),
        "questions": "listed only" if options.get("ids") else None,
        "seed": options.get("seed"),
    }


def _free(name: str, taken: Sequence[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free
