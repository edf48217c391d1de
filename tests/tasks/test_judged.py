"""MM-Vet and LLaVA-Bench: files, words, readers, answer files, hub rows, and what can be wrong in each."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tasks.layouts import write_lines
from vlmbench.base.errors import DataError, PredictionsError, VlmbenchError
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response, Sample, Status, Verdict
from vlmbench.base.task import Exports, Judged
from vlmbench.data.files import Folder, Hub, missing_images
from vlmbench.data.images import decoding as images
from vlmbench.scenes.scene import SAMPLE_SEEDS
from vlmbench.scoring.verdicts import combine
from vlmbench.tasks.judged import llava_bench, mmvet_judge
from vlmbench.tasks.judged.llava_bench import LLAVA_BENCH
from vlmbench.tasks.judged.mmvet import CAPABILITIES, MMVET, THINK
from vlmbench.tasks.samples import build

SAMPLES = Path(__file__).resolve().parents[2] / "tasks" / "samples"
NAMES = ("mmvet", "llava_bench")

Row = dict[str, Any]


def mmvet_rows() -> dict[str, Row]:
    return {
        f"v1_{n}": {
            "imagename": f"v1_{n // 2}.png", "question": f"Q{n}?", "answer": "a<AND>b",
            "capability": ["rec", "ocr"] if n % 2 else ["ocr"], "imagesource": "web",
        }
        for n in range(4)
    }  # fmt: skip


def write_mmvet(root: Path, rows: Mapping[str, Any] | None = None) -> Folder:
    root.mkdir(parents=True, exist_ok=True)
    (root / "mm-vet.json").write_text(json.dumps(mmvet_rows() if rows is None else rows), "utf-8")
    (root / "bard_set.json").write_text('["v1_0", "v1_3", "v1_99"]', "utf-8")
    return Folder(root)


def llava_rows() -> dict[str, list[Row]]:
    kinds = ("conv", "detail", "complex")
    return {
        "questions": [
            {"question_id": n, "image": f"{n // 2}.jpg", "text": f"Q{n}", "category": kinds[n % 3]} for n in range(4)
        ],
        "context": [{"image": "0.jpg", "caption": "one"}, {"image": "1.jpg", "caption": ["a", "b"]}],
        "answers_gpt4": [{"question_id": n, "text": f"R{n}", "answer_id": "x"} for n in (3, 1, 0, 2)],
    }


def write_llava(root: Path, rows: Mapping[str, list[Row]] | None = None) -> Folder:
    for name, lines in (rows or llava_rows()).items():
        write_lines(root / f"{name}.jsonl", lines)
    return Folder(root)


def test_they_have_what_judged_tasks_have() -> None:
    for name in NAMES:
        task = choose_task(name).task
        assert isinstance(task, Judged) and isinstance(task, Exports)
        assert all(protocol.judge and protocol.judge.template for protocol in task.protocols.values())
        assert task.score(Sample("1", "", (), ""), Response("x"), "official").status is Status.JUDGE_FAILED
        assert task.required_files("test")[0].licence and len(SAMPLE_SEEDS[name]) == 500
    assert next(iter(LLAVA_BENCH.protocols)) == "honest" and next(iter(MMVET.protocols)) == "official"


# --------------------------------------------------------------------------------------------------------- samples


@pytest.mark.parametrize("name", NAMES)
def test_embedded_sample(tmp_path: Path, name: str) -> None:
    """The files are what the builder writes; every picture can be read; clusters are pictures."""
    build.BUILDERS[name](tmp_path)
    for path in sorted(tmp_path.rglob("*.json*")):
        assert path.read_bytes() == (SAMPLES / name / path.relative_to(tmp_path)).read_bytes(), path
    task = choose_task(name).task
    data = Folder.sample(name)
    for split in task.splits:
        samples = task.samples(data, split)
        assert len(samples) >= 20 and not missing_images(samples)
        assert len({sample.cluster for sample in samples}) >= 16
        assert pickle.loads(pickle.dumps(samples)) == samples
        for sample in samples:
            images.decode(sample.images[0].load(), sample.images[0].name)


def test_the_samples_cover_every_kind() -> None:
    mmvet = MMVET.samples(Folder.sample("mmvet"), "test")
    assert set().union(*(sample.extra["capabilities"] for sample in mmvet)) == set(CAPABILITIES) - {
        "seq"
    }  # of several images, in v2
    assert any("<AND>" in sample.target for sample in mmvet) and any("<OR>" in sample.target for sample in mmvet)
    llava = LLAVA_BENCH.samples(Folder.sample("llava_bench"), "test")
    assert {sample.tags["category"] for sample in llava} == {"conv", "detail", "complex"}


# ----------------------------------------------------------------------------------------------------------- files


def test_mmvet_files(tmp_path: Path) -> None:
    samples = MMVET.samples(write_mmvet(tmp_path), "test")
    one = samples[1]
    assert (one.id, one.question, one.target, one.cluster) == ("v1_1", "Q1?", "a<AND>b", "v1_0.png")
    assert one.tags == {"integration": "ocr+rec", "integration_as_written": "rec_ocr"}
    assert [sample.id for sample in MMVET.samples(Folder(tmp_path), "bard_set")] == ["v1_0", "v1_3"]
    assert MMVET.build_request(one, "official").prompt == "Q1?"
    assert MMVET.build_request(one, "lmms_eval").prompt == THINK + "Q1?"


def test_llava_files_are_joined_by_key(tmp_path: Path) -> None:
    samples = LLAVA_BENCH.samples(write_llava(tmp_path), "test")
    assert [(s.id, s.target, s.extra["context"]) for s in samples] == [
        ("0", "R0", "one"), ("1", "R1", "one"), ("2", "R2", "a\nb"), ("3", "R3", "a\nb")
    ]  # fmt: skip
    assert LLAVA_BENCH.build_request(samples[0], "honest").prompt == "Q0"


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("question", None, "field 'question'"),
        ("answer", 3, "text was expected"),
        ("capability", ["rec", "smell"], "'smell' is none of rec"),
        ("capability", [], "the list is empty"),
        ("capability", "rec", "a list was expected"),
        ("imagename", "../secret.png", "not the name of an image"),
    ],
)
def test_broken_mmvet_rows(tmp_path: Path, field: str, value: Any, told: str) -> None:
    rows = mmvet_rows()
    rows["v1_2"][field] = value
    with pytest.raises(DataError) as caught:
        MMVET.samples(write_mmvet(tmp_path, rows), "test")
    assert told in str(caught.value) and "key v1_2" in str(caught.value)


@pytest.mark.parametrize(
    ("file", "row", "told"),
    [
        ("questions", {"question_id": 9, "image": "7.jpg", "text": "?", "category": "conv"}, "'7.jpg' has no context"),
        (
            "questions",
            {"question_id": 9, "image": "0.jpg", "text": "?", "category": "conv"},
            "9 has no reference answer",
        ),
        ("questions", {"question_id": 3, "image": "0.jpg", "text": "?", "category": "conv"}, "'3' is there twice"),
        ("questions", {"question_id": 9, "image": "0.jpg", "text": "?", "category": "art"}, "has no reference"),
        ("context", {"id": "1", "image": "1.jpg", "caption": "again"}, "'1.jpg' is there twice"),
        ("answers_gpt4", {"question_id": 1, "text": "again"}, "'1' is there twice"),
    ],
)
def test_broken_llava_rows(tmp_path: Path, file: str, row: Row, told: str) -> None:
    rows = llava_rows()
    rows[file].append(row)
    with pytest.raises(DataError) as caught:
        LLAVA_BENCH.samples(write_llava(tmp_path, rows), "test")
    assert told in str(caught.value) and f"{file}.jsonl, line" in str(caught.value)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"mm-vet\.json"):
        MMVET.samples(Folder(tmp_path), "test")
    with pytest.raises(DataError, match=r"questions\.jsonl"):
        LLAVA_BENCH.samples(Folder(tmp_path), "test")
    write_mmvet(tmp_path)
    (tmp_path / "bard_set.json").write_text('{"v1_0": 1}')
    with pytest.raises(DataError, match="list of ids"):
        MMVET.samples(Folder(tmp_path), "bard_set")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=40)
@given(st.sampled_from(["imagename", "question", "answer", "capability"]), JSON, st.binary(max_size=20))
def test_fuzzed_mmvet(tmp_path_factory: pytest.TempPathFactory, field: str, value: Any, noise: bytes) -> None:
    """Anything in a field, or any bytes as the file: samples, or an error that names the file."""
    root = tmp_path_factory.getbasetemp() / "fuzz"
    rows = mmvet_rows()
    rows["v1_1"][field] = value
    for content in (json.dumps(rows).encode(), noise):
        write_mmvet(root)
        (root / "mm-vet.json").write_bytes(content)
        try:
            assert len(MMVET.samples(Folder(root), "test")) == 4
        except DataError as error:
            assert "mm-vet.json" in str(error)


@settings(max_examples=40)
@given(st.sampled_from(["questions", "context", "answers_gpt4"]), st.integers(0, 3), JSON, st.binary(max_size=20))
def test_fuzzed_llava(tmp_path_factory: pytest.TempPathFactory, name: str, at: int, value: Any, noise: bytes) -> None:
    root = tmp_path_factory.getbasetemp() / "fuzz"
    rows = llava_rows()
    fields = list(rows[name][0])
    rows[name][0][fields[at % len(fields)]] = value
    write_llava(root, rows)
    for change in (None, noise):
        if change is not None:
            (root / f"{name}.jsonl").write_bytes(change)
        try:
            assert len(LLAVA_BENCH.samples(Folder(root), "test")) == 4
        except DataError as error:
            assert ".jsonl" in str(error)


# ------------------------------------------------------------------------------------------------------------- hub


def test_hub_rows(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    picture = [{"bytes": b"x", "path": None}] * 2
    columns = {"question_id": ["v1_0", "v1_1"], "question": ["a", "b"], "answer": ["c", "d"], "image": picture}
    columns |= {"capability": ["rec,ocr", "math"], "image_source": ["web", "web"]}
    path = tmp_path / "lmms-lab/MMVet/data/test-00000.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns), path)
    samples = MMVET.samples(Hub(tmp_path), "test")
    assert samples[0].tags["integration"] == "ocr+rec" and samples[1].images[0].load() == b"x"
    with pytest.raises(DataError, match="test only"):
        MMVET.samples(Hub(tmp_path), "bard_set")
    columns = {"question_id": [0, 1], "question": ["a", "b"], "caption": ["same", "same"], "image": picture}
    columns |= {"gpt_answer": ["c", "d"], "category": ["conv", "detail"]}
    path = tmp_path / "lmms-lab/llava-bench-in-the-wild/data/train-00000.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns), path)
    found = LLAVA_BENCH.samples(Hub(tmp_path), "test")
    assert [(s.id, s.target, s.cluster) for s in found] == [("0", "c", "same"), ("1", "d", "same")]


# --------------------------------------------------------------------------------------------------------- reading


def talked(talk: Iterator[Any], *replies: str) -> tuple[Verdict, int]:
    """A verdict, and how often was asked; the last reply goes on for ever."""
    steps: Any = talk
    asks = 0
    try:
        next(steps)
        while True:
            asks += 1
            steps.send(replies[min(asks, len(replies)) - 1])
    except StopIteration as end:
        return end.value, asks


QUESTION = Sample("1", "q", (), "t")


def test_failure_values_of_the_official_rules() -> None:
    """Six asks, the last never read; each peer's own end."""
    failed = Verdict(0.0, note=mmvet_judge.UNREAD, unread=True)
    assert talked(mmvet_judge.official(QUESTION, "a"), *["N/A"] * 5, "1.0") == (failed, 6)
    assert talked(mmvet_judge.vlmevalkit(QUESTION, "a"), "0.5 because") == (failed, 5)
    verdict, asks = talked(mmvet_judge.lmms_eval(QUESTION, "a"), "7")
    assert verdict.status is Status.JUDGE_FAILED and asks == mmvet_judge.ENDLESS
    assert talked(mmvet_judge.lmms_eval(QUESTION, "a"), "")[0].value == 0.0


def test_honest_and_official_part_on_failures() -> None:
    for review in ("no numbers", "8, 10", "8 nan", "8 11"):
        assert llava_bench.REVIEWS["honest"].verdict(review).status is Status.JUDGE_FAILED
    assert llava_bench.REVIEWS["official"].verdict("8, 10").values == (-1.0, -1.0)
    assert llava_bench.REVIEWS["lmms_eval"].verdict("Assistant 1: 8 Assistant 2: 10").values == (1.0, 8.0)
    assert llava_bench.REVIEWS["honest"].verdict("7,9.5\nbecause") == Verdict(9.5, values=(7.0, 9.5))


def test_braces_in_answers_are_left_alone() -> None:
    text = llava_bench.prompt("c", "q", "{answer}", "{context} {rule}")
    assert "[Assistant 1]\n{answer}\n" in text and "[Assistant 2]\n{context} {rule}\n" in text


# ------------------------------------------------------------------------------------------------- answers, grades


def test_mmvet_answer_forms(tmp_path: Path) -> None:
    samples = MMVET.samples(write_mmvet(tmp_path / "d"), "test")
    right = {f"v1_{n}": f"A{n}" for n in range(4)}
    results = tmp_path / "results.json"
    results.write_text(json.dumps(right))
    lines = write_lines(tmp_path / "llava.jsonl", [{"question_id": n, "text": f"A{n}"} for n in (3, 0, 1, 2)])
    rows = write_lines(tmp_path / "rows.jsonl", [{"id": key, "text": text} for key, text in right.items()])
    exported = tmp_path / "out.json"
    MMVET.export(right, samples, "official", exported)
    for path in (results, lines, rows, exported):
        assert MMVET.read_predictions(path, samples) == right, path
        assert MMVET.read_verdicts(path, samples, "official") is None


def test_llava_answers_and_export(tmp_path: Path) -> None:
    samples = LLAVA_BENCH.samples(write_llava(tmp_path / "d"), "test")
    right = {str(n): f"A{n}\nline" for n in range(4)}
    LLAVA_BENCH.export(right, samples, "honest", tmp_path / "out.jsonl")
    assert LLAVA_BENCH.read_predictions(tmp_path / "out.jsonl", samples) == right
    assert LLAVA_BENCH.read_verdicts(tmp_path / "out.jsonl", samples, "honest") is None


BAD_RESULTS = [
    ('{"v1_0": "a", "v1_0": "b", "v1_1": "c", "v1_2": "d", "v1_3": "e"}', "'v1_0' is answered twice"),
    ('{"v1_0": "a", "v1_1": "c", "v1_2": "d", "v1_9": "e"}', "answers no question of this split: v1_9"),
    ('{"v1_0": "a"}', "3 of 4 questions have no answer: v1_1"),
    ('{"v1_0": 7, "v1_1": "c", "v1_2": "d", "v1_3": "e"}', "key v1_0, field 'text': text was expected"),
    ("", "empty"),
    ('{"v1_0": "a"', "broken JSON"),
]


@pytest.mark.parametrize(("text", "told"), BAD_RESULTS)
def test_bad_results(tmp_path: Path, text: str, told: str) -> None:
    samples = MMVET.samples(write_mmvet(tmp_path / "d"), "test")
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(PredictionsError) as caught:
        MMVET.read_predictions(tmp_path / "r.json", samples)
    assert told in str(caught.value)


def graded(**changes: Any) -> dict[str, Any]:
    """A grade file of two runs."""
    rows = {f"v1_{n}": {"model": ["m", "m"], "content": ["0.5", "x"], "score": [0.5, 0.0]} for n in range(4)}
    rows["v1_2"] |= changes
    return rows


def test_grade_files(tmp_path: Path) -> None:
    samples = MMVET.samples(write_mmvet(tmp_path / "d"), "test")
    path = tmp_path / "m_gpt-4-grade-2runs.json"
    path.write_text(json.dumps(graded(), indent=4))
    found = MMVET.read_verdicts(path, samples, "official")
    assert found is not None and found["v1_0"] == (
        Verdict(0.5, replies=("0.5",), model="m"), Verdict(0.0, replies=("x",), model="m", unread=True)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"score": [0.5, 1.5]}, "a number from 0 to 1"),
        ({"score": [0.5]}, "1 grades, 2 replies, 2 models"),
        ({"score": [0.5], "content": ["x"], "model": ["m"]}, "2 runs, but fewer of v1_2"),
        ({"score": [0.5, "high"]}, "a number from 0 to 1"),
        ({"score": 3}, "a list was expected"),
    ],
)
def test_bad_grade_files(tmp_path: Path, change: Row, told: str) -> None:
    samples = MMVET.samples(write_mmvet(tmp_path / "d"), "test")
    path = tmp_path / "grades.json"
    path.write_text(json.dumps(graded(**change)))
    with pytest.raises(PredictionsError) as caught:
        MMVET.read_verdicts(path, samples, "official")
    assert told in str(caught.value)


def test_review_files(tmp_path: Path) -> None:
    """A folder of reviews is a run each; what cannot be read is missing or -1, by protocol."""
    samples = LLAVA_BENCH.samples(write_llava(tmp_path / "d"), "test")
    for run, first in enumerate(("8 6", "nothing")):
        rows = [{"question_id": n, "content": first if n == 1 else "8 8", "tuple": [8, 8]} for n in range(4)]
        write_lines(tmp_path / f"reviews/{run}.jsonl", rows)
    honest = LLAVA_BENCH.read_verdicts(tmp_path / "reviews", samples, "honest")
    official = LLAVA_BENCH.read_verdicts(tmp_path / "reviews", samples, "official")
    assert honest and official and [verdict.value for verdict in official["1"]] == [6, -1]
    assert combine(honest["1"]).status is Status.JUDGE_FAILED and combine(honest["0"]).value == 8
    write_lines(tmp_path / "reviews/answers.jsonl", [{"question_id": n, "text": "x"} for n in range(4)])
    with pytest.raises(PredictionsError, match="mixed"):
        LLAVA_BENCH.read_verdicts(tmp_path / "reviews", samples, "honest")


@settings(max_examples=40)
@given(JSON, st.binary(max_size=30))
def test_fuzzed_answers(tmp_path_factory: pytest.TempPathFactory, value: Any, noise: bytes) -> None:
    """Any JSON and any bytes as an answer file: an error of ours, never another."""
    root = tmp_path_factory.getbasetemp() / "fuzz"
    path = root / "answers.json"
    for task, data in ((MMVET, write_mmvet(root / "m")), (LLAVA_BENCH, write_llava(root / "l"))):
        samples = task.samples(data, "test")
        for content in (json.dumps(value).encode(), noise, json.dumps(graded(score=value)).encode()):
            path.write_bytes(content)
            for read in (task.read_predictions, lambda p, s, t=task: t.read_verdicts(p, s, "official")):
                try:
                    read(path, samples)
                except VlmbenchError as error:
                    assert isinstance(error, PredictionsError) and "answers.json" in str(error)
