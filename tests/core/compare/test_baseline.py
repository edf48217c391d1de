"""The baseline file: small, the same bytes for the same run, and as good as the run for comparing."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.gate_runs import ran, script, truths
from vlmbench.base import registry
from vlmbench.base.errors import StoreError, VlmbenchError
from vlmbench.base.process import exit_codes
from vlmbench.base.samples import Sample, Score
from vlmbench.cli import main as cli
from vlmbench.compare import baseline, compare
from vlmbench.compare.gates import gate
from vlmbench.compare.gates.rules import GateRules
from vlmbench.runs.storage import reload

JUDGED = {
    "mmvet": "echo,text=0.5",
    "mmvet_v2": "echo,text=0.5",
    "charxiv": "echo,text=no object: wrong by the rule",
    "llava_bench": "echo,text=7 8",
    "mmhal": "echo,text=Rating: 4",
    "mathverse": "echo,text=1",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of pope and gqa."""
    answers = {**script("pope", 0.1), **script("gqa", 0.1)}
    return ran(tmp_path_factory.mktemp("base") / "run", answers, tasks="pope,gqa")


@pytest.fixture(scope="module")
def made(run: Path) -> bytes:
    """Its baseline."""
    path = run.parent / "b.json"
    assert cli.main(["baseline", str(run), "--output", str(path)]) == exit_codes.OK
    return path.read_bytes()


@pytest.fixture
def file(made: bytes, tmp_path: Path) -> Path:
    """A copy of the baseline, which the test may change."""
    (tmp_path / "b.json").write_bytes(made)
    return tmp_path / "b.json"


def test_the_same_run_gives_the_same_bytes(run: Path, file: Path, tmp_path: Path) -> None:
    again = ran(tmp_path / "again", {**script("pope", 0.1), **script("gqa", 0.1)}, tasks="pope,gqa")
    assert baseline.make(reload.load(run)) == file.read_bytes()
    assert baseline.make(reload.load(again)) == file.read_bytes(), "an equal run, made later elsewhere"


def test_it_compares_as_its_run_does(run: Path, file: Path, tmp_path: Path) -> None:
    later = ran(tmp_path / "later", {**script("pope", 0.2), **script("gqa", 0.2)}, tasks="pope,gqa")
    from_run, from_file = (compare.compare(before, later).to_json()["tasks"] for before in (run, file))
    for one, other in zip(from_run, from_file, strict=True):
        for side in (*one["lost"], *one["gained"], *other["lost"], *other["gained"]):
            side["before"].pop("text")  # the answers' words are not kept
        assert one == other


def test_no_questions_pictures_or_paths_are_in_it(run: Path, file: Path) -> None:
    content = json.loads(file.read_text())
    inside = [zlib.decompress(base64.b64decode(task["items"])).decode() for task in content["tasks"].values()]
    everything = " ".join([file.read_text(), *inside])
    assert "Is there" not in everything and str(run.parent) not in everything and "prompt" not in inside[0]


@pytest.mark.parametrize("name", registry.tasks.builtin)
def test_every_task(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    judge = ["--judge", JUDGED[name], "--judge-runs", "2"] if name in JUDGED else []
    run = ran(tmp_path / "run", dict.fromkeys(truths(name), "yes"), *judge, tasks=name)
    size = baseline.write(reload.load(run), tmp_path / "b.json")
    again = baseline.read(tmp_path / "b.json")
    whole, kept = reload.load(run).tasks[name], again.tasks[name]
    ids = sorted(whole.answered)
    for one, other in zip(whole.metrics(ids), kept.metrics(ids), strict=True):
        assert (one.name, one.breakdown, one.label, list(one.clusters)) == (
            other.name, other.breakdown, other.label, list(other.clusters))  # fmt: skip
        assert one.items.tobytes() == other.items.tobytes()
    assert kept.answers_hash == whole.answers_hash
    assert size < 40 * len(whole.items) + 20_000


def damage(file: Path, change: Any) -> Path:
    """The file with its content changed."""
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return file


def packed(table: Any) -> str:
    return base64.b64encode(zlib.compress(json.dumps(table).encode())).decode()


DAMAGES: dict[str, tuple[Any, str]] = {
    "kind": (lambda file: file.update(kind="something"), "not a baseline file"),
    "format": (lambda file: file.update(format=99), "a baseline of format 99; this vlmbench reads 1, 2, 3"),
    "tasks": (lambda file: file.pop("tasks"), "the baseline is damaged"),
    "base64": (lambda file: file["tasks"]["pope"].update(items="!!"), "the baseline is damaged"),
    "zlib": (lambda file: file["tasks"]["pope"].update(items="AAAA"), "the baseline is damaged"),
    "cut": (lambda file: file["tasks"]["pope"].update(items=file["tasks"]["pope"]["items"][:400]), "is damaged"),
    "digest": (lambda file: file["tasks"]["pope"].update(items=packed({"ids": []})), "not the one that was written"),
    "scores": (lambda file: file["tasks"]["pope"]["scores"]["f1"].update(value=3.0), "the records give f1"),
    "entry": (lambda file: file["tasks"].update(pope=[]), "the baseline is damaged"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_and_foreign_files_are_named(name: str, file: Path) -> None:
    change, words = DAMAGES[name]
    with pytest.raises(StoreError, match=words) as caught:
        baseline.read(damage(file, change))
    assert str(file) in str(caught.value) and "vlmbench baseline RUN" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1, 2]", b'{"records": 1}', b"{"])
def test_other_files_are_no_baseline(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.json").write_bytes(content)
    assert cli.main(["check", str(tmp_path), "--baseline", str(tmp_path / "x.json")]) == exit_codes.USER_MUST_CHANGE
    assert str(tmp_path / "x.json") in capsys.readouterr().err


def test_a_file_that_unpacks_without_end_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "LARGEST", 1000)
    with pytest.raises(StoreError, match="damaged"):
        baseline.read(file)


def test_only_some_tasks(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["baseline", str(run), "--tasks", "gqa", "--output", str(tmp_path / "deep" / "b.json")]
    assert cli.main(command) == exit_codes.OK
    assert "for 900 samples of gqa" in capsys.readouterr().out
    assert set(baseline.read(tmp_path / "deep" / "b.json").tasks) == {"gqa"}


def test_the_size_of_the_whole_of_pope(tmp_path: Path) -> None:
    """The figure of docs/evaluate/gate.md: 9,000 questions about 500 pictures, 86 % right."""
    rng = random.Random(0)
    names = [f"COCO_val2014_{rng.randrange(600_000):012d}.jpg" for _ in range(500)]
    items = []
    for split in ("random", "popular", "adversarial"):
        for number in range(3000):
            name, target = names[number // 6], ("yes", "no")[number % 2]
            read = target if rng.random() < 0.86 else ("yes", "no")[number % 2 == 0]
            picture = reload.image_ref(name)
            sample = Sample(f"{split}/{number + 1}", "?", (picture,), target, tags={"split": split}, cluster=name)
            items.append(reload.Item(sample, Score(float(read == target), parsed_answer=read)))
    task = reload.StoredTask(registry.choose_task("pope"), {}, {"headline": "mean_f1"}, items, "hash")
    size = baseline.write(reload.StoredRun(tmp_path, {}, {"pope": task}), tmp_path / "b.json")
    assert 30_000 < size < 42_000, size


def mutated(content: Any, rng: random.Random) -> Any:
    """The content with something else in one place."""
    if content and isinstance(content, dict | list) and rng.random() < 0.9:
        places: list[Any] = list(content) if isinstance(content, dict) else list(range(len(content)))
        place = rng.choice(places)
        copy = content.copy()
        copy[place] = mutated(content[place], rng)
        return copy
    return rng.choice([None, -1, "", [], {}, "x", 1e9, True])


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_changed_is_refused_or_read_and_never_a_crash(seed: int, run: Path, file: Path) -> None:
    rng, content = random.Random(seed), json.loads(file.read_text())
    if seed % 2:
        task = content["tasks"]["gqa"]
        table = json.dumps(mutated(json.loads(zlib.decompress(base64.b64decode(task["items"]))), rng)).encode()
        task["items"] = base64.b64encode(zlib.compress(table)).decode()
        task["digest"] = hashlib.sha256(table).hexdigest()
        content["tasks"] = {"gqa": task}
    else:
        content = mutated(content, rng)
    file.write_text(json.dumps(content))
    with suppress(VlmbenchError):
        gate.check(run, file, GateRules({}, {}), tasks=["gqa"], force=True)
