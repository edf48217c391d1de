"""Inspect's logs as their header and samples: .eval archives and JSON.

An archive's members may be packed with Zstandard, which Python's zipfile cannot unpack before 3.14: here they are
unpacked with pyarrow, within the sizes that the archive tells. Other methods are left to Inspect's own reader, where it
is installed.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vlmbench.base.errors import DataError
from vlmbench.base.process.extras import install_command
from vlmbench.runs.imports.readers.files import File, as_list, as_mapping, parsed, words

ZSTANDARD = 93
"""Zstandard's number among the methods of zip archives."""
HEADER, START = "header.json", "_journal/start.json"
SAMPLES = "samples/"
LARGEST, WHOLE = 512 << 20, 16 << 30
"""Bytes of one member, and of all, when unpacked."""
MEMBERS = 2_000_000


@dataclass
class Log:
    """One log: its header, and its samples."""

    file: File
    header: Mapping[str, Any]
    samples: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def eval(self) -> Mapping[str, Any]:
        """What was evaluated."""
        return as_mapping(self.header.get("eval"))

    @property
    def key(self) -> tuple[str, str]:
        """The same in a log and in its dump."""
        return words(self.eval.get("run_id")), words(self.eval.get("task_id") or self.eval.get("eval_id"))


def read_logs(files: Sequence[File]) -> Iterator[Log | tuple[File, DataError]]:
    """The logs among some files; for one that cannot be read, it and why."""
    for file in files:
        if file.is_zip:
            if HEADER.encode() in file.head or START.encode() in file.head or file.path.suffix == ".eval":
                try:
                    log = _archive(file)
                except DataError as error:
                    yield file, error
                    continue
                if log is not None:
                    yield log
        elif b'"eval"' in file.head and b'"status"' in file.head and _is_log(file.top):
            yield Log(file, file.top, [as_mapping(one) for one in as_list(file.top.get("samples"))])


def _is_log(top: Mapping[str, Any]) -> bool:
    return all(name in as_mapping(top.get("eval")) for name in ("task", "model"))


# ------------------------------------------------------------------------------------------------------------- archives


def _archive(file: File) -> Log | None:
    try:
        with zipfile.ZipFile(file.path) as archive, file.path.open("rb") as raw:
            infos = {info.filename: info for info in archive.infolist()}
            if HEADER not in infos and START not in infos:
                return None
            _refuse_bomb(infos, file.path)
            header = as_mapping(parsed(_member(archive, raw, infos[HEADER if HEADER in infos else START], file.path)))
            if HEADER not in infos:  # it was never finished
                header = {"eval": header.get("eval"), "plan": header.get("plan"), "status": "started"}
            names = sorted(name for name in infos if name.startswith(SAMPLES) and name.endswith(".json"))
            samples = [as_mapping(parsed(_member(archive, raw, infos[name], file.path))) for name in names]
            return Log(file, header, samples)
    except _UnknownMethodError as error:
        return _by_inspect(file, str(error))
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, KeyError, NotImplementedError) as error:
        what = f"not a readable log of Inspect: {type(error).__name__}: {error}"
        raise DataError(what[:400], where=str(file.path), hint="the file is cut or damaged: copy it again") from None


class _UnknownMethodError(Exception):
    """A member is packed with a method that neither zipfile nor we unpack."""


def _refuse_bomb(infos: Mapping[str, zipfile.ZipInfo], path: Path) -> None:
    total = sum(info.file_size for info in infos.values())
    largest = max((info.file_size for info in infos.values()), default=0)
    if len(infos) > MEMBERS or total > WHOLE or largest > LARGEST:
        what = f"{len(infos):,} members of {total / 2**20:,.0f} MiB, the largest of {largest / 2**20:,.0f} MiB"
        raise DataError(f"the log is too large: {what}", where=str(path), hint="is it a log of Inspect?")


def _member(archive: zipfile.ZipFile, raw: Any, info: zipfile.ZipInfo, path: Path) -> bytes:
    """The bytes of a member, not more than the archive tells."""
    if info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with archive.open(info) as member:
            content = member.read(info.file_size + 1)
        if len(content) > info.file_size:
            raise ValueError(f"{info.filename} is longer than the archive tells")
        return content
    if info.compress_type != ZSTANDARD:
        raise _UnknownMethodError(f"{info.filename} is packed with method {info.compress_type}")
    import pyarrow as pa

    raw.seek(info.header_offset)
    local = raw.read(30)
    if local[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile(f"{info.filename} is not where the archive tells")
    raw.seek(int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little"), 1)
    packed = raw.read(info.compress_size)
    if not info.file_size:
        return b""
    with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
        content = stream.read(info.file_size + 1)
    if len(content) != info.file_size:
        raise ValueError(f"{info.filename} has another length than the archive tells")
    return bytes(content)


def _by_inspect(file: File, problem: str) -> Log:
    """A log through Inspect's own reader. Raises DataError where it is not installed, or cannot read it either."""
    try:
        from inspect_ai.log import read_eval_log  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        hint = f"{install_command('inspect')}, or import what `inspect log dump FILE > FILE.json` writes"
        raise DataError(problem, where=str(file.path), hint=hint) from None
    try:
        content = as_mapping(parsed(read_eval_log(str(file.path)).model_dump_json()))
    except Exception as error:  # whatever Inspect raises
        raise DataError(f"Inspect cannot read it: {error!s:.300}", where=str(file.path), hint="copy it again") from None
    return Log(file, content, [as_mapping(one) for one in as_list(content.get("samples"))])
