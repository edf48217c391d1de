"""`run --perturb pgd` with a model that sees brightness: right answers reach the attack alone, seeds decide."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.support.toys import ToyModel
from vlmbench.base import registry
from vlmbench.base.errors import UsageError
from vlmbench.base.process import exit_codes
from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Request, Response, Sample
from vlmbench.base.variant import Variant
from vlmbench.cli import main as cli
from vlmbench.data.files import Folder
from vlmbench.data.images import decoding as images
from vlmbench.perturbations import perturbations
from vlmbench.perturbations.perturbations import Given, parse_one

if TYPE_CHECKING:
    from vlmbench.base.model import Floats


@dataclass
class Bright(ToyModel):
    """Says yes to bright images. Its loss of `yes` falls with brightness, that of all else rises."""

    name: str = "bright"
    fingerprint: str = "bright"
    image_gradients: str = ""
    told: list[tuple[Request, str]] = field(default_factory=list)
    """What the attack has said."""
    shown: list[Request] = field(default_factory=list)
    """What it was asked."""

    def image_loss(self, request: Request, answer: str, images: Sequence[Floats]) -> tuple[float, Sequence[Floats]]:
        self.told.append((request, answer))
        sign = -1.0 if answer == "yes" else 1.0
        gradients = [(sign + np.cos(np.arange(image.size)) / 2).reshape(image.shape) / image.size for image in images]
        return sign * float(sum(image.mean() for image in images)), [g.astype(np.float32) for g in gradients]

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        for group in groups:
            for request in group:
                self.shown.append(request)
                yield request, Response("yes" if brightness(request) > 70 else "no")


def brightness(request: Request) -> float:
    return float(np.asarray(images.decode(request.images[0].load())).mean())


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bright:
    bright = Bright()
    monkeypatch.setitem(registry.models._extra, "bright", lambda checkpoint: bright)
    monkeypatch.setitem(registry.models._extra, "blind", lambda checkpoint: ToyModel(name="blind"))
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "cache"))
    return bright


def run(folder: Path, changes: str, *words: str, model: str = "bright", tasks: str = "pope", code: int = 0) -> None:
    command = ["run", "--model", model, "--tasks", tasks, "--output", str(folder), "--perturb", changes]
    assert cli.main([*command, "--limit", "20", *words]) == code


def rows(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["sample_id"]: row for row in pq.read_table(folder / "records.parquet").to_pylist()}


def hashes(folder: Path) -> list[Any]:
    return [row["image_hashes"] for row in rows(folder).values()]


def test_answers_fall_and_images_are_near(model: Bright, tmp_path: Path) -> None:
    run(tmp_path / "run", "pgd:eps=4/255+steps=4")
    (found,) = json.loads((tmp_path / "run" / "perturbations.json").read_text())["perturbations"]
    pope = found["tasks"]["pope"]
    assert pope["pairs"] == 20 and pope["gained"] == 0
    plain, attacked = rows(tmp_path / "run"), rows(tmp_path / "run/perturbations/pgd-eps=4_255+steps=4")
    assert list(plain) == list(attacked)
    for name, row in attacked.items():
        assert (row["prompt"], row["target"]) == (plain[name]["prompt"], plain[name]["target"])
        assert row["key"] != plain[name]["key"] and row["image_hashes"] != plain[name]["image_hashes"]
    clean = {sample.id: sample for sample in choose_task("pope").task.samples(Folder.sample("pope"), "coco")}
    shown = [request for request in model.shown if "#" in request.images[0].name]
    assert len(shown) == len({row["key"] for row in attacked.values()}) > 5  # equal questions are asked once
    for request in shown:
        before, after = (
            np.asarray(images.decode(one.load())).astype(int)
            for one in (clean[request.sample_id].images[0], request.images[0])
        )
        assert 0 < np.abs(after - before).max() <= 4
        brighter = after.mean() > before.mean()
        assert brighter == (clean[request.sample_id].target == "no")  # away from the right answer


def test_right_answers_are_told_to_the_attack_alone(model: Bright, tmp_path: Path) -> None:
    run(tmp_path / "run", "pgd:steps=1")
    targets = {name: json.loads(row["target"]) for name, row in rows(tmp_path / "run").items()}
    assert {(request.sample_id, answer) for request, answer in model.told} == {
        (name, answer) for name, answer in targets.items() if name in {request.sample_id for request, _ in model.told}
    }
    assert len({(request.prompt, request.images[0].name) for request, _ in model.told}) > 5
    for request, _ in model.told:
        assert not request.choices and not request.history and "#" not in request.images[0].name
    plain = [request for request in model.shown if "#" not in request.images[0].name]
    shown = [request for request in model.shown if "#" in request.images[0].name]
    said = [[(r.sample_id, r.prompt, r.choices, r.history, r.generation) for r in some] for some in (plain, shown)]
    assert sorted(map(repr, said[0])) == sorted(map(repr, said[1]))


def test_no_eps_is_the_unperturbed_run_bit_for_bit(model: Bright, tmp_path: Path) -> None:
    run(tmp_path / "run", "pgd:eps=0")
    plain, same = rows(tmp_path / "run"), rows(tmp_path / "run/perturbations/pgd-eps=0")
    told = ("key", "image_hashes", "images", "text", "value")
    assert [[row[name] for name in told] for row in plain.values()] == [
        [row[name] for name in told] for row in same.values()
    ]
    assert not model.told


def test_the_same_seed_gives_the_same_images(model: Bright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path / "one", "pgd:steps=1")
    calls = len(model.told)
    run(tmp_path / "two", "pgd:steps=1")
    assert len(model.told) == calls  # from the cache
    monkeypatch.setenv("VLMBENCH_CACHE", str(tmp_path / "other"))
    run(tmp_path / "three", "pgd:steps=1")
    assert len(model.told) == 2 * calls
    run(tmp_path / "four", "pgd:steps=1", "--seed", "1")
    one, two, three, four = (
        hashes(tmp_path / name / "perturbations/pgd-steps=1") for name in ("one", "two", "three", "four")
    )
    assert one == two == three
    ids = [set(rows(tmp_path / name)) for name in ("one", "four")]
    common = ids[0] & ids[1]
    if common:
        assert not {str(h) for h in one} & {str(h) for h in four}


def test_a_targeted_attack_aims_at_a_wrong_answer(model: Bright, tmp_path: Path) -> None:
    run(tmp_path / "run", "pgd:target=wrong+steps=2")
    right = {name: row["target"] for name, row in rows(tmp_path / "run").items()}
    assert model.told and all(answer in ("yes", "no") and answer not in right[r.sample_id] for r, answer in model.told)


def test_letters_are_aimed_at_as_the_protocol_asks(model: Bright, tmp_path: Path) -> None:
    choice = choose_task("mmbench@llava")
    every = choice.task.samples(Folder.sample("mmbench"), choice.split)[:12]
    given = Given(model, None, tmp_path)
    found = perturbations.apply(choice, every, every, parse_one("pgd:target=wrong+steps=1"), given)
    assert len(found.requests) == 12
    for request, answer in model.told:
        (sample,) = [one for one in every if one.id == request.sample_id]
        assert answer in "ABCD"[: len(sample.choices)] and answer != sample.target


@pytest.mark.parametrize(
    ("words", "told", "fix"),
    [
        (("pgd", "blind", "pope"), "pgd cannot attack the images of blind: it gives no gradients", "tinyllava"),
        (("typographic", "bright", "coco_captions"), "typographic: no question of coco_captions has a wrong", "leave"),
        (("pgd:target=wrong", "bright", "mmhal"), "pgd:target=wrong: no question of mmhal has a wrong answer", "leave"),
        (("language:de", "bright", "coco_captions"), "no question of coco_captions is written in German", "leave"),
        (("language:fr", "bright", "pope"), "no language named 'fr'", "Arabic"),
        (("language", "bright", "pope"), "names no language", "language:zh"),
    ],
)
def test_refusals_name_the_fix(
    model: Bright, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, str, str], told: str, fix: str
) -> None:
    change, name, task = words
    run(tmp_path / "run", change, model=name, tasks=task, code=exit_codes.USER_MUST_CHANGE)
    error = capsys.readouterr().err
    assert told in error and fix in error
    assert not (tmp_path / "run" / "scores.json").exists() and not model.shown


def test_a_model_that_rounds_its_weights_says_so(
    model: Bright, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.image_gradients = "quantize int8 computes answers alone"
    run(tmp_path / "run", "pgd", code=exit_codes.USER_MUST_CHANGE)
    assert "images of bright: quantize int8" in capsys.readouterr().err


def test_examples_and_plans_without_a_model_are_refused(model: Bright, tmp_path: Path) -> None:
    choice = choose_task("pope")
    every: Sequence[Sample] = choice.task.samples(Folder.sample("pope"), choice.split)
    with pytest.raises(UsageError, match="needs the model"):
        perturbations.apply(choice, every, every[:1], parse_one("pgd"))
    with pytest.raises(UsageError, match="without examples"):
        shown = choose_task("pope", Variant(shots="2"))
        perturbations.apply(shown, every, every[:1], parse_one("pgd"), Given(model, None, tmp_path))
