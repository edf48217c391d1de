"""Plug-ins with images in their text: as MMMU (numbered), MuirBench (one after another), BLINK (first)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import vlmbench
from tests.support.toys import png
from vlmbench import TableProtocol, TableTask
from vlmbench.base.errors import DataError, UsageError
from vlmbench.base.registry import TaskChoice
from vlmbench.base.samples import Request, Response, Sample, in_order
from vlmbench.base.task import Size
from vlmbench.data.files import Folder
from vlmbench.data.images.places import AT_MARKS, FIRST, MARKED_FIRST
from vlmbench.data.tables.columns import Columns
from vlmbench.data.tables.hub_dataset import HubDataset
from vlmbench.families import prompts
from vlmbench.families.multiple_choice import ChoiceRules, MultipleChoice, texts
from vlmbench.parsing import options as readers
from vlmbench.perturbations import perturbations
from vlmbench.perturbations.perturbations import parse_one


def bracketed(sample: Sample) -> str:
    """The options as MMMU's own configuration lists them: `(A) red`."""
    lines = "\n".join(f"({letter}) {text}" for letter, text in zip("ABCD", sample.choices, strict=False))
    return f"{sample.question}\n{lines}\n\n{prompts.LETTER}"


RULES = {
    "official": ChoiceRules("MMMU", bracketed, readers.exact_letter),
    "vlmevalkit": ChoiceRules("VLMEvalKit", prompts.vlmevalkit, readers.vlmevalkit_letter, images=AT_MARKS),
    "lmms_eval": ChoiceRules("lmms-eval", prompts.llava, readers.exact_letter, images=MARKED_FIRST),
    "ranked": ChoiceRules("tests", prompts.llava, readers.exact_letter, choices=texts),
}
COLUMNS = Columns(id="id", options="options", answer="answer")


def benchmark(name: str, mark: str, images: tuple[str, ...]) -> MultipleChoice:
    return MultipleChoice(
        name=name,
        title=name,
        sizes={"val": Size(0)},
        rules=RULES,
        files=HubDataset(("someone/it",), {"val": "val"}, COLUMNS, images),
        image_mark=mark,
    )


DISCIPLINES = benchmark("disciplines", "<image {n}>", ("image_1", "image_2", "image_3", "image_4"))
SEVERAL = benchmark("several", "<image>", ("image_list",))
PERCEPTION = benchmark("perception", "", ("image_1", "image_2"))
NUMBERED_ROWS = [
    {"id": "a", "question": "In <image 1>, what is it?", "options": ["a cat", "a dog"], "answer": "A",
     "image_1": "1.png"},
    {"id": "b", "question": "Which is next after <image 1>?", "options": ["<image 2>", "<image 3>", "<image 4>"],
     "answer": "B", "image_1": "1.png", "image_2": "2.png", "image_3": "3.png", "image_4": "4.png"},
    {"id": "c", "question": "<image 2> and <image 1>, then <image 2>: why?", "options": ["x", "y"], "answer": "A",
     "image_1": "1.png", "image_2": "2.png"},
]  # fmt: skip
SEQUENTIAL_ROWS = [
    {"id": "m", "question": "<image><image> Which one goes on?", "options": ["<image>", "<image>", "none"],
     "answer": "B", "image_list": ["1.png", "2.png", "3.png", "4.png"]},
    {"id": "n", "question": "What is in <image>?", "options": ["a", "b", "c"], "answer": "C", "image_list": ["2.png"]},
]  # fmt: skip
UNMARKED_ROWS = [
    {"id": "p", "question": "Which is nearer?", "options": ["first", "second"], "answer": "A",
     "image_1": "1.png", "image_2": "2.png"},
]  # fmt: skip
ROWS: Mapping[str, tuple[MultipleChoice, Sequence[Mapping[str, object]]]] = {
    "disciplines": (DISCIPLINES, NUMBERED_ROWS),
    "several": (SEVERAL, SEQUENTIAL_ROWS),
    "perception": (PERCEPTION, UNMARKED_ROWS),
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, (task, rows) in ROWS.items():
        (tmp_path / name).mkdir()
        absent = dict.fromkeys(column for column in task.files.images)  # type: ignore[attr-defined]
        lines = [json.dumps({**absent, **row}) for row in rows]
        (tmp_path / name / "val.jsonl").write_text("\n".join(lines), "utf-8")
        for n in (1, 2, 3, 4):
            (tmp_path / name / f"{n}.png").write_bytes(png((n, n, n)))
    return tmp_path


def asked(data: Path, name: str, protocol: str, change: str = "") -> Iterator[tuple[Sample, list[str], Request]]:
    """Each sample with what a model is shown, in order."""
    task = ROWS[name][0]
    choice = TaskChoice(task, "val", protocol)
    samples = task.samples(Folder(data), "val")
    found = perturbations.apply(choice, samples, samples, parse_one(change) if change else None)
    for sample, request in found.requests:
        marks = [f"[{image.name[0]}]" for image in request.images]
        yield sample, in_order(request.prompt, marks, request.image_places), request


def shown(data: Path, name: str, protocol: str, change: str = "") -> dict[str, list[str]]:
    return {sample.id: parts for sample, parts, _ in asked(data, name, protocol, change)}


def test_numbered_marks_in_three_protocols(data: Path) -> None:
    found = shown(data, "disciplines", "official")
    listed = "(A) <image 2>\n(B) <image 3>\n(C) <image 4>"
    assert found["b"] == [
        "[1]", "[2]", "[3]", "[4]", f"Which is next after <image 1>?\n{listed}\n\n{prompts.LETTER}",
    ]  # fmt: skip
    assert found["c"][:2] == ["[1]", "[2]"]
    found = shown(data, "disciplines", "vlmevalkit")
    assert found["a"][:2] == ["Question: In ", "[1]"] and found["a"][2].startswith(", what is it?\nOptions:\nA. a cat")
    assert found["b"][:8] == [
        "Question: Which is next after ", "[1]", "?\nOptions:\nA. ", "[2]", "\nB. ", "[3]", "\nC. ", "[4]",
    ]  # fmt: skip
    assert found["c"][:6] == ["Question: ", "[2]", " and ", "[1]", ", then ", "[2]"], "an image is shown twice"
    assert shown(data, "disciplines", "lmms_eval")["c"][:2] == ["[1]", "[2]"]


def test_marks_one_after_another(data: Path) -> None:
    samples = {sample.id: sample for sample, *_ in asked(data, "several", "official")}
    assert samples["m"].choices == ("<image 3>", "<image 4>", "none")
    official = shown(data, "several", "official")["m"]
    assert official[:4] == ["[1]", "[2]", "[3]", "[4]"] and "<image><image> Which" in official[4]
    assert "(A) <image>\n(B) <image>\n(C) none" in official[4]
    assert shown(data, "several", "vlmevalkit")["m"][:7] == [
        "Question: ", "[1]", "[2]", " Which one goes on?\nOptions:\nA. ", "[3]", "\nB. ", "[4]",
    ]  # fmt: skip


def test_images_without_marks_come_first(data: Path) -> None:
    assert shown(data, "perception", "official")["p"][:2] == ["[1]", "[2]"]
    with pytest.raises(DataError, match=r"perception, sample 'p': image 1 \(.*\) has no mark in the text"):
        shown(data, "perception", "vlmevalkit")


@pytest.mark.parametrize("name", ["disciplines", "several"])
@pytest.mark.parametrize("protocol", ["official", "vlmevalkit", "lmms_eval"])
def test_options_that_are_images_change_places_with_their_images(data: Path, name: str, protocol: str) -> None:
    """Whatever the form: behind the right letter stands the image that was right before."""
    key, right = ("b", "3") if name == "disciplines" else ("m", "4")
    for change in ("", "option-order"):
        ((sample, parts, request),) = [one for one in asked(data, name, protocol, change) if one[0].id == key]
        option = sample.choices["ABC".index(sample.target)]
        assert option == f"<image {right}>" and sample.images[int(right) - 1].name[0] == right
        assert len(request.images) == 4
        if protocol == "vlmevalkit":
            place = next(n for n, part in enumerate(parts) if str(part).endswith(f"{sample.target}. "))
            assert parts[place + 1] == f"[{right}]"
        elif name == "several":  # marks have no numbers: the images' order is all there is
            before = [part for part in sample.choices[: "ABC".index(sample.target)] if "<image" in part]
            assert request.images[2 + len(before)].name[0] == right
        else:
            assert (
                f"{sample.target}) <image {right}>" in request.prompt
                or f"{sample.target}. <image {right}>" in request.prompt
            )
    assert shown(data, name, protocol) != shown(data, name, protocol, "option-order")


def test_other_perturbations_keep_the_places(data: Path) -> None:
    plain = {sample.id: request for sample, _, request in asked(data, "disciplines", "vlmevalkit")}
    for sample, _, request in asked(data, "disciplines", "vlmevalkit", "noise"):
        assert request.image_places == plain[sample.id].image_places
        assert [i.name for i in request.images] == [i.name for i in plain[sample.id].images]
        assert request.images[0].load() != plain[sample.id].images[0].load()
    paraphrased = shown(data, "disciplines", "vlmevalkit", "paraphrase-suffix:1")
    assert [parts[:-1] for parts in paraphrased.values()] == [
        parts[:-1] for parts in shown(data, "disciplines", "vlmevalkit").values()
    ]
    moved = {sample.id: request for sample, _, request in asked(data, "several", "vlmevalkit", "shuffle-image")}
    assert not moved, "no other question has as many images"


def test_marks_and_images_that_do_not_fit(data: Path) -> None:
    samples = DISCIPLINES.samples(Folder(data), "val")
    for broken, message in (
        (replace(samples[0], question="<image 2>?"), "disciplines, sample 'a': the text has <image 2>, and there is 1"),
        (replace(samples[0], question="what?"), r"sample 'a': image 1 \(.*\) has no mark"),
    ):
        with pytest.raises(DataError, match=message):
            DISCIPLINES.build_request(broken, "vlmevalkit")
    with pytest.raises(UsageError, match="disciplines@ranked ranks the texts of options, and some are images"):
        DISCIPLINES.build_request(samples[1], "ranked")
    assert DISCIPLINES.build_request(samples[0], "ranked").choices == ("a cat", "a dog")


def test_a_gap_between_numbered_columns_is_refused(data: Path) -> None:
    row = {"id": "a", "question": "<image 1> <image 2>", "options": ["x", "y"], "answer": "A", "image_4": None}
    line = json.dumps({**row, "image_1": "1.png", "image_2": None, "image_3": "3.png"})
    (data / "disciplines" / "val.jsonl").write_text(line, "utf-8")
    with pytest.raises(DataError, match=r"line 1.*: 'image_2' is empty, and 'image_3' is not: images are counted"):
        DISCIPLINES.samples(Folder(data), "val")


def test_a_run_asks_a_function_with_marks_and_keeps_the_places(data: Path) -> None:
    """All images reach the model; records have one name per image, and where it stood."""
    seen: list[tuple[int, str]] = []

    def look(images: list[object], question: str) -> str:
        seen.append((len(images), question))
        return "A"

    task = replace(DISCIPLINES, bundled_data_dir=data)
    result = vlmbench.evaluate(look, task, data=data)
    assert sorted(count for count, _ in seen) == [1, 2, 4]
    rows = {str(row["sample_id"]): row for row in result.records.to_dict("records")}
    assert [name[0] for name in rows["b"]["images"]] == ["1", "2", "3", "4"]
    assert len(set(rows["b"]["image_hashes"])) == 4
    assert "image_places" not in rows["b"]


def test_a_table_task_with_marks(data: Path) -> None:
    rows = [
        {"id": "1", "question": "<image> Same as <image>?", "image": ["1.png", "2.png"], "answer": "no"},
        {"id": "2", "question": "What is <image>?", "image": "1.png", "answer": "x"},
    ]
    (data / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    for n in (1, 2):
        (data / f"{n}.png").write_bytes(png((n, n, n)))
    protocols = {"places": TableProtocol("Q: {question}", images=AT_MARKS), "first": TableProtocol(images=FIRST)}
    task = TableTask("pairs", data / "pairs.jsonl", protocols=protocols, image_mark="<image>")
    first, second = task.samples(Folder(data), "all")
    request = task.build_request(first, "places")
    assert in_order(request.prompt, ["[1]", "[2]"], request.image_places) == ["Q: ", "[1]", " Same as ", "[2]", "?"]
    assert task.build_request(first, "first").prompt == "<image> Same as <image>?"
    assert task.score(second, Response("x"), "places").value == 1
    with pytest.raises(DataError, match="pairs, sample '1': the text has <image> as number 2, and there is 1 image"):
        task.build_request(replace(first, images=first.images[:1]), "places")
    kept = vlmbench.evaluate("echo,text=x", task).records
    assert [list(places) for places in kept["image_places"]] == [[3, 12], [11]]


def test_a_table_task_draws_from_all_values_of_a_column_alike(tmp_path: Path) -> None:
    rows = [{"id": str(n), "question": "?", "answer": "x", "kind": "many" if n else "one"} for n in range(20)]
    (tmp_path / "kinds.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    task = TableTask("kinds", tmp_path / "kinds.jsonl", columns=(None, "question", "answer"), strata="kind")
    assert len(vlmbench.evaluate("echo,text=x", task, limit=2).records["tags"].unique()) == 2
