"""Damaged files of a run's folder: every verb tells which, in one line with a hint that works, and nothing is lost."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from vlmbench.base.errors import StoreError
from vlmbench.base.process import exit_codes
from vlmbench.base.samples import ChoiceScore, Response
from vlmbench.cli import main as cli
from vlmbench.runs.storage import answer_log as kept_answers
from vlmbench.runs.storage import reload as stored
from vlmbench.runs.storage import run_tables
from vlmbench.runs.storage.layout import CHECK, JUDGEMENTS, LOG, MANIFEST, RECORDS, SCORES
from vlmbench.runs.storage.reopening import read_answers
from vlmbench.runs.storage.run_files import read_check, read_finished
from vlmbench.runs.storage.store import RunStore

JSON_FILES = (MANIFEST, SCORES, CHECK)
ANSWER = Response(text="ja – è\n", choices=(ChoiceScore("a", -1.5, 2),), margin=0.25, seconds=0.1, new_tokens=3)


def _flip(content: bytes, at: float) -> bytes:
    """One bit flipped; in JSON one of a quotation mark: a file without a checksum cannot tell a changed text."""
    place = int(len(content) * at)
    if content.startswith(b"{"):
        place = content.index(b'"', place)
    return content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]


DAMAGE: Mapping[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "flipped in front": lambda content: _flip(content, 0.2),
    "flipped behind": lambda content: _flip(content, 0.8),
    "zeros": lambda content: bytes(len(content)),
    "another kind of file": lambda content: b'["what", "is", "this"]',
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judged run, checked against its own baseline, made by a command that run.json tells. Read only."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("VLMBENCH_CACHE", str(folder / "cache"))
        words = command(folder / "run")
        patched.setattr("sys.argv", ["vlmbench", *words])
        assert cli.main(words) == exit_codes.OK
        assert cli.main(["baseline", str(folder / "run"), "--output", str(folder / "base.json")]) == exit_codes.OK
        assert cli.main(["check", str(folder / "run"), "--baseline", str(folder / "base.json")]) in (0, 3)
    return folder


def command(run: Path) -> list[str]:
    words = ["run", "--model", "echo,text=yes", "--tasks", "pope,mmvet", "--limit", "6", "--judge", "echo,text=0.5"]
    return [*words, "--output", str(run)]


VERBS: Mapping[str, Callable[[Path], list[str]]] = {
    "run": lambda folder: command(folder / "run"),
    "score": lambda folder: ["score", str(folder / "run"), "--min-coverage", "0"],
    "report": lambda folder: ["report", str(folder / "run"), "--output", str(folder / "site")],
    "compare": lambda folder: ["compare", str(folder / "base.json"), str(folder / "run")],
    "check": lambda folder: ["check", str(folder / "run"), "--baseline", str(folder / "base.json")],
    "baseline": lambda folder: ["baseline", str(folder / "run"), "--output", str(folder / "new.json")],
    "export": lambda folder: ["export", str(folder / "run"), "--task", "pope", "--output", str(folder / "p.jsonl")],
}


def damaged(whole: Path, folder: Path, name: str, how: str) -> Path:
    """The folder again, with one file damaged; its paths end in run.json, so that is told anew."""
    shutil.copytree(whole, folder, dirs_exist_ok=True)
    manifest = folder / "run" / MANIFEST
    manifest.write_text(manifest.read_text().replace(str(whole), str(folder)))
    path = folder / "run" / name
    path.write_bytes(DAMAGE[how](path.read_bytes()))
    return folder


def cases() -> list[tuple[str, str, str]]:
    """Every (file, damage) with two verbs, every (file, verb) with a damage or two."""
    verbs, found, turn = list(VERBS), [], 0
    for name in (MANIFEST, SCORES, CHECK, RECORDS, JUDGEMENTS):
        for how in DAMAGE:
            found += [(name, how, verbs[(turn + step) % len(verbs)]) for step in (0, 1)]
            turn += 2
    return found


@pytest.mark.parametrize(("name", "how", "verb"), cases())
def test_every_verb_names_the_damaged_file_or_does_without_it(
    whole: Path, tmp_path: Path, name: str, how: str, verb: str,
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    folder = damaged(whole, tmp_path, name, how)
    before = (folder / "run" / name).read_bytes()
    code = cli.main(VERBS[verb](folder))
    told = capsys.readouterr().err + caplog.text
    assert "Traceback" not in told
    if code == exit_codes.USER_MUST_CHANGE:
        assert name in told, told
        assert (folder / "run" / name).read_bytes() == before, "a refused file is left as it is"
    elif verb == "run":  # makes the file anew, and says so where it was read
        assert stored.load(folder / "run").tasks.keys() == {"pope", "mmvet"}
        assert name not in (MANIFEST, RECORDS) or name in told


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("name", [MANIFEST, SCORES, RECORDS, JUDGEMENTS])
def test_the_cure_works(
    whole: Path, tmp_path: Path, name: str, how: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    folder = damaged(whole, tmp_path, name, how)
    assert cli.main(VERBS["baseline"](folder)) == exit_codes.USER_MUST_CHANGE
    told = capsys.readouterr().err
    assert told.startswith(f"vlmbench: {folder / 'run' / name}: it ") and told.count("\n") == 2
    hint = re.search(r"`vlmbench ([^`]+)`", told)
    words = shlex.split(hint[1]) if hint else command(folder / "run")  # "the command that made it"
    assert cli.main(words) == exit_codes.OK
    assert cli.main(VERBS["baseline"](folder)) == exit_codes.OK
    assert (folder / "new.json").read_bytes() == (folder / "base.json").read_bytes()


def test_records_that_are_partly_damaged_give_the_answers_that_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows lie in groups, and a flipped byte takes one group with it."""
    monkeypatch.setattr(kept_answers, "ROWS", 10)
    words = ["run", "--model", "echo,text=yes", "--tasks", "pope", "--limit", "60", "--output", str(tmp_path / "run")]
    assert cli.main(words) == exit_codes.OK
    path = tmp_path / "run" / RECORDS
    calm, content = pq.read_table(path).drop(["seconds"]), path.read_bytes()
    everything = read_answers(tmp_path / "run")
    group = pq.ParquetFile(path).metadata.row_group(2)
    column = next(group.column(at) for at in range(group.num_columns) if group.column(at).path_in_schema == "key")
    path.write_bytes(_flip(content, (column.data_page_offset + column.total_compressed_size - 20) / len(content)))
    kept = read_answers(tmp_path / "run")
    assert 0 < len(kept) < len(everything) and all(everything[key] == answer for key, answer in kept.items())
    assert cli.main(words) == exit_codes.OK
    assert pq.read_table(path).drop(["seconds"]).equals(calm)
    assert (tmp_path / "run" / f"{RECORDS}.damaged").is_file() and f"{RECORDS}, rows" in caplog.text


@pytest.mark.slow
def test_no_flipped_byte_of_records_or_log_is_served_as_an_answer(tmp_path: Path) -> None:
    """Every byte of a log's line, and of the records of some answers."""
    asked: dict[str, Any] = {"asked": {}, "identity": "i", "finished": None, "model": {}}
    with RunStore.open(tmp_path / "run", asked) as store:
        store.append("k1", ANSWER)
        store.append("k2", Response("no", new_tokens=1))
        log = (tmp_path / "run" / LOG).read_bytes()
        right = dict(store.answers)
    for place in range(len(log)):
        (tmp_path / LOG).write_bytes(log[:place] + bytes([log[place] ^ (1 << place % 8)]) + log[place + 1 :])
        kept = kept_answers.read_log(tmp_path / LOG)
        assert all(right.get(key) == answer for key, answer in kept.answers.items()), place
        assert kept.damaged or kept.torn
    words = ["run", "--model", "echo,text=yes", "--tasks", "pope", "--limit", "3", "--output", str(tmp_path / "pope")]
    assert cli.main(words) == exit_codes.OK
    path = tmp_path / "pope" / RECORDS
    content, right = path.read_bytes(), read_answers(tmp_path / "pope")
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ (1 << place % 8)]) + content[place + 1 :])
        for key, answer in kept_answers.read_records(path).answers.items():
            assert right[key].text == answer.text and right[key].finish == answer.finish, place


LINES: Mapping[str, bytes] = {
    "a stray carriage return": b'{"key":"k","response":{"text":"a\rb","choices":[],"finish":"stop"}}',
    "a finish nobody knows": b'{"key":"k","response":{"text":"a","choices":[],"finish":"zzz"}}',
    "a text that is a number": b'{"key":"k","response":{"text":7,"choices":[],"finish":"stop"}}',
    "a number that is a text": b'{"key":"k","response":{"text":"a","choices":[],"finish":"stop","seconds":"1"}}',
    "no key": b'{"response":{"text":"a","choices":[],"finish":"stop"}}',
    "null": b"null",
    "a choice without its number": b'{"key":"k","response":{"text":"a","choices":[{"choice":"a"}],"finish":"stop"}}',
    "a choice without a likelihood": b'{"key":"k","response":{"text":"a","choices":[{"choice":"a","logprob":null,'
    b'"tokens":1}],"finish":"stop"}}',
    "a field more": b'{"key":"k","response":{"text":"a","choices":[],"finish":"stop"},"crc33":"00000000"}',
    "no UTF-8": b'{"key":"k","response":{"text":"\xff","choices":[],"finish":"stop"}}',
    "deep": b"[" * 100_000,
    "empty": b"",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_damaged_line_costs_that_line_alone(tmp_path: Path, line: bytes, caplog: pytest.LogCaptureFixture) -> None:
    asked: dict[str, Any] = {"asked": {}, "identity": "i", "finished": None, "model": {}}
    with RunStore.open(tmp_path / "run", dict(asked)) as store:
        store.append("k1", ANSWER)
    log = tmp_path / "run" / LOG
    old = b'{"key":"k2","response":{"text":"old","choices":[],"finish":"stop"}}\n'  # of a version without checksums
    log.write_bytes(log.read_bytes() + line + b"\n" + old)
    damaged_log = log.read_bytes()
    with RunStore.open(tmp_path / "run", dict(asked)) as store:
        assert store.answers == {"k1": ANSWER, "k2": Response("old")}
    assert f"{LOG}, line 2: damaged" in caplog.text
    assert (tmp_path / "run" / f"{LOG}.damaged").read_bytes() == damaged_log
    caplog.clear()
    with RunStore.open(tmp_path / "run", dict(asked)) as store:
        assert set(store.answers) == {"k1", "k2"} and not caplog.text, "it is told once"


@pytest.mark.parametrize("content", [b"", b"{", b"null", b'{"asked": null, "identity": "i"}', b"{}"])
def test_an_unfinished_run_goes_on_without_its_manifest(tmp_path: Path, content: bytes) -> None:
    asked: dict[str, Any] = {"asked": {"model": "toy"}, "identity": "i", "finished": None, "model": {}}
    with RunStore.open(tmp_path / "run", dict(asked)) as store:
        store.append("k1", ANSWER)
    (tmp_path / "run" / MANIFEST).write_bytes(content)
    with RunStore.open(tmp_path / "run", dict(asked)) as store:
        assert store.answers == {"k1": ANSWER}
    assert (tmp_path / "run" / f"{MANIFEST}.damaged").read_bytes() == content
    assert json.loads((tmp_path / "run" / MANIFEST).read_text())["identity"] == "i"


SPECIAL: Mapping[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("name", [MANIFEST, LOG, RECORDS, SCORES])
@pytest.mark.parametrize("kind", SPECIAL)
def test_special_files_are_refused_unread(whole: Path, tmp_path: Path, name: str, kind: str) -> None:
    shutil.copytree(whole / "run", tmp_path / "run")
    path = tmp_path / "run" / name
    path.unlink(missing_ok=True)
    SPECIAL[kind](path)
    with pytest.raises(StoreError, match=r"regular file"):
        RunStore.open(tmp_path / "run", json.loads((whole / "run" / MANIFEST).read_text()))
    if name != LOG:
        with pytest.raises(StoreError, match=r"regular file|Is a directory"):
            stored.load(tmp_path / "run")


@pytest.mark.parametrize("name", [MANIFEST, CHECK, "base.json"])
def test_a_later_format_is_told_as_that_and_left_alone(
    whole: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    path = tmp_path / name if name == "base.json" else tmp_path / "run" / name
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    content, refused = path.read_bytes(), 0
    for verb, words in VERBS.items():
        if verb in ("run", "score", "check") and name == CHECK:
            continue  # which write it anew, or put it aside
        code = cli.main(words(tmp_path))
        told = capsys.readouterr().err + caplog.text
        caplog.clear()
        refused += "format 99" in told
        assert "Traceback" not in told and (code != 2 or ("format 99" in told and name in told))
        assert path.read_bytes() == content
    assert refused == {MANIFEST: len(VERBS), CHECK: 1, "base.json": 2}[name]


def test_every_column_that_a_run_writes_is_one_that_readers_know(whole: Path) -> None:
    """A new one needs its kind in run_tables.py: columns that are not named there are not read."""
    for name in (RECORDS, JUDGEMENTS):
        assert set(pq.read_schema(whole / "run" / name).names) <= set(run_tables.KINDS[name])


def test_a_name_that_is_there_twice_is_told(whole: Path, tmp_path: Path) -> None:
    """Of two values a parser would take the last, without a word."""
    shutil.copytree(whole / "run", tmp_path / "run")
    path = tmp_path / "run" / SCORES
    path.write_text(path.read_text().replace('"coverage": 1.0', '"coverage": 0.5, "coverage": 1.0', 1))
    with pytest.raises(StoreError, match="field 'coverage': it is there twice"):
        stored.load(tmp_path / "run")


def test_a_row_that_is_there_twice_or_not_at_all_is_told(whole: Path, tmp_path: Path) -> None:
    """Doubled rows leave means as they are: only counting tells."""
    import pyarrow as pa

    shutil.copytree(whole / "run", tmp_path / "run")
    path = tmp_path / "run" / RECORDS
    table = pq.read_table(path)
    pq.write_table(pa.concat_tables([table, table]), path)
    with pytest.raises(StoreError, match=r"records.parquet: it is damaged: 12 rows are there twice"):
        stored.load(tmp_path / "run")
    pq.write_table(table.slice(1), path)
    with pytest.raises(StoreError, match=r"it has 5 rows of pope, scores.json tells of 6"):
        stored.load(tmp_path / "run")


def _leaves(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [path, *(leaf for key, value in inner for leaf in _leaves(value, (*path, key)))]


def _put(content: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        content = content[key]
    content[path[-1]] = value


@pytest.mark.parametrize("name", JSON_FILES)
@pytest.mark.parametrize("value", [None, [], "x", {}, -1, True], ids=repr)
def test_a_field_of_another_type_is_named_or_harmless(
    whole: Path, tmp_path: Path, name: str, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every field of the file, one after the other: an error that names it, or a result; no traceback."""
    shutil.copytree(whole / "run", tmp_path / "run")
    path = tmp_path / "run" / name
    content = path.read_text()
    for place in _leaves(json.loads(content))[1:]:
        changed = json.loads(content)
        _put(changed, place, value)
        path.write_text(json.dumps(changed))
        try:
            if name == CHECK:
                read_check(tmp_path / "run")
            elif value is None or value == {}:
                assert stored.load(tmp_path / "run").describe()
            else:  # faster
                read_finished(tmp_path / "run")
        except StoreError as error:
            assert error.where and error.hint and len(str(error)) < 1500
