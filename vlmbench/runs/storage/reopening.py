"""What a run finds in its folder when it begins or goes on: whose it is, which answers are there, what must be kept.

Nothing is deleted that cannot be made again: damaged files are copied to NAME.damaged before they are replaced, results
of other weights, data or versions to superseded/.
"""

from __future__ import annotations

import filecmp
import logging
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vlmbench.base.errors import StoreError
from vlmbench.base.files import write_atomically
from vlmbench.base.samples import Response
from vlmbench.runs.storage import answer_log as kept_answers
from vlmbench.runs.storage import parts
from vlmbench.runs.storage.layout import (
    CHECK,
    EARLIER_PERTURBATIONS,
    EARLIER_PERTURBED,
    JUDGEMENTS,
    LOG,
    MANIFEST,
    PARTIAL,
    PARTS,
    PERTURBATIONS,
    PERTURBED,
    RECORDS,
    SCORES,
    SUPERSEDED,
    THUMBS,
    TRAINING_LOG,
)
from vlmbench.runs.storage.run_files import DamagedError, read_manifest

LOGGER = logging.getLogger(__name__)
RESULTS = (MANIFEST, RECORDS, SCORES, JUDGEMENTS, CHECK, PERTURBATIONS, EARLIER_PERTURBATIONS)
FOLDERS = (SUPERSEDED, THUMBS, PARTS, PERTURBED, EARLIER_PERTURBED, "export")
TOLD = 5
"""Damaged places of a file that are told one by one."""


def manifest_of(folder: Path) -> dict[str, Any] | None:
    """run.json; None for a new folder, and for a run whose run.json is lost or damaged.

    Answers are found by their keys alone, so such a run can go on. Raises StoreError for a folder of something else.
    """
    path, damaged = folder / MANIFEST, None
    try:
        return read_manifest(folder)
    except DamagedError as error:
        damaged = error
    except StoreError:
        if path.exists():
            raise
    if strange := sorted(one.name for one in folder.iterdir() if not _belongs(one)):
        if damaged is not None:
            raise damaged
        what = f"the folder is not empty and holds no run: {', '.join(strange[:3])}"
        raise StoreError(what, where=str(folder), hint="name another --output")
    if damaged is not None:
        copy = keep_copy(path)
        LOGGER.warning("%s: %s; it is kept as %s and written anew", path, damaged.what, copy.name)
    return None


def _belongs(path: Path) -> bool:
    """Whether a file in a folder without run.json is one that a run writes, by its name and, if it may be, content."""
    plain = path.name.removesuffix(".tmp").partition(".damaged")[0]
    if path.is_dir():
        return path.name in FOLDERS
    if path.name == LOG:
        return path.stat().st_size == 0 or bool(kept_answers.read_log(path).answers)
    if path.name == RECORDS and not (path.parent / MANIFEST).exists():
        return bool(kept_answers.read_records(path).answers)
    return plain in (".lock", LOG, TRAINING_LOG, *RESULTS) or path.match(f"{parts.PATTERN}.damaged")


def read_answers(folder: Path, *, mend: bool = False) -> dict[str, Response]:
    """Every answer a run's folder holds, by key: of its records, of its log, which came later, and of workers' parts.

    Damaged places are warned of. `mend` keeps a copy of a damaged file, takes its damaged lines out of the log, and
    merges the parts into it.
    """
    answers: dict[str, Response] = {}
    records, log = folder / RECORDS, folder / LOG
    if records.is_file():
        kept = kept_answers.read_records(records)
        answers.update(kept.answers)
        if kept.damaged:
            _tell(records, kept.damaged, keep_copy(records) if mend else None)
    if log.is_file():
        kept = kept_answers.read_log(log)
        answers.update(kept.answers)
        if kept.damaged:
            _tell(log, kept.damaged, keep_copy(log) if mend else None)
        if mend:
            _mend_log(log, damaged=bool(kept.damaged), torn=kept.torn)
    answers = {key: response for key, response in answers.items() if response.finish != "error"}
    return (parts.answers(folder) if not mend else parts.merge(folder, answers)) | answers


def _mend_log(log: Path, *, damaged: bool, torn: bool) -> None:
    """Leave whole, good lines alone, so that the next one does not glue to half a line."""
    if damaged:
        write_atomically(log, kept_answers.good_lines(log))
    elif torn:
        content = log.read_bytes()
        with log.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)


def _tell(path: Path, damaged: Mapping[str, str], copy: Path | None) -> None:
    kept = f"; the file as it was is kept as {copy.name}" if copy is not None else ""
    for place, why in list(damaged.items())[:TOLD]:
        LOGGER.warning("%s, %s: damaged (%s): what it answered is asked again%s", path, place, why, kept)
    if len(damaged) > TOLD:
        LOGGER.warning("%s: %d more damaged places", path, len(damaged) - TOLD)


def keep_copy(path: Path) -> Path:
    """A copy of a damaged file beside it, made once."""
    number, copy = 1, path.with_name(f"{path.name}.damaged")
    while copy.exists():
        if filecmp.cmp(path, copy, shallow=False):
            return copy
        number += 1
        copy = path.with_name(f"{path.name}.damaged-{number}")
    temporary = path.with_name(f"{path.name}.damaged.tmp")
    shutil.copyfile(path, temporary)
    temporary.replace(copy)
    return copy


def supersede(folder: Path, *, keep_records: bool) -> None:
    """Put a finished run's results aside: same command, but other weights, data or versions.

    First a whole copy goes to superseded/ (by links where the disk has them), then the old scores go; run.json stays
    until a new one takes its place. A kill in between leaves a finished run, which is put aside only once.
    `keep_records` leaves the answers where they are, for who only scores them anew.
    """
    aside = folder / SUPERSEDED
    if not _is_aside(folder):
        partial = aside / PARTIAL
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name in RESULTS:
            if (folder / name).is_file():
                _link(folder / name, partial / name)
        partial.rename(_free(aside))
    for name in (
        SCORES,
        JUDGEMENTS,
        CHECK,
        PERTURBATIONS,
        EARLIER_PERTURBATIONS,
        *(() if keep_records else (RECORDS,)),
    ):
        (folder / name).unlink(missing_ok=True)


def keep_in_log(folder: Path, answers: Mapping[str, Response]) -> None:
    """Write answers that are about to leave with the records into the log, where there are any."""
    if answers:
        lines = [kept_answers.line(key, response) for key, response in answers.items()]
        write_atomically(folder / LOG, b"".join(lines))


def _is_aside(folder: Path) -> bool:
    """Whether a kill came after these very results were put aside."""
    run = folder / MANIFEST
    found = (folder / SUPERSEDED).glob(f"*/{MANIFEST}")
    return run.is_file() and any(one.parent.name != PARTIAL and filecmp.cmp(run, one, shallow=False) for one in found)


def _free(aside: Path) -> Path:
    path = aside / time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    while path.exists():
        path = path.with_name(path.name + "x")
    return path


def _link(path: Path, copy: Path) -> None:
    with suppress(OSError):
        os.link(path, copy)
        return
    shutil.copyfile(path, copy)
