"""The readers of parity folders, on arrays with other batch axes than those of the golden folders.

Each folder is made from a golden one. Samples beyond the stored ones are what our own network gives for another image:
they prove the reader, not the network; and a mistake in one of them, or in one of several arrays, must be seen.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file, save_file

from tests.golden.kinds import kinds
from tests.golden.parity import legacy, minigpt, tinyllava
from tests.golden.parity.arrays import Arrays, Difference, batch, per_sample, seen
from tests.golden.parity.kinds import LEGACY_PROJECTOR
from vlmbench.models.parts.connector.connector import Connector, Widths
from vlmbench.models.parts.vision.preprocess import Preparation

FACTORY, MINIGPT = "tinyllava_siglip_mlp2x_phi", "minigpt4_vicuna0_qformer"
Change = Callable[[dict[str, np.ndarray]], None]


@pytest.fixture
def parity(shared: Path) -> Path:
    """The golden parity folders."""
    return shared / "golden" / "parity"


def rewritten(folder: Path, change: Change) -> None:
    """Change a folder's arrays."""
    with np.load(folder / "tensors.npz") as stored:
        arrays = dict(stored)
    change(arrays)
    np.savez(folder / "tensors.npz", **arrays)


def bad(found: list[Difference]) -> list[Difference]:
    """What is off."""
    return [difference for difference in found if difference.bad]


# ------------------------------------------------------------------------------------------------------------ one array


@pytest.mark.parametrize("lead", [(), (1,), (2,), (3,), (1, 2)])
def test_an_array_is_a_batch_of_samples(lead: tuple[int, ...]) -> None:
    for name, shape in {"eval_logits": (7, 11), "train_input_ids": (7,), "pixel_values_pad": (3, 8, 8)}.items():
        found = batch(name, np.zeros(lead + shape, np.float32))
        assert found.shape == (int(np.prod(lead)), *shape)


def test_an_array_with_too_few_axes_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"eval_logits: an array of shape \(7,\); one sample of it has 2 axes"):
        batch("eval_logits", np.zeros(7))


def test_each_sample_is_compared() -> None:
    ours = torch.arange(6.0).view(3, 1, 2)
    theirs = ours.clone()
    assert not bad([*per_sample("logits", ours, theirs)])
    theirs[2] += 1
    (off,) = bad([*per_sample("logits", ours, theirs)])
    assert off.name == "logits sample 2"
    assert seen("logits", per_sample("logits", ours, theirs))
    assert not seen("log", per_sample("logits", ours, theirs))
    assert [one.name for one in bad([*per_sample("logits", ours[:2], theirs)])] == ["logits samples"]
    assert len([*per_sample("logits", ours, theirs[:1])]) == 1


# ------------------------------------------------------------------------------------------------------------- factory


def without_axis(arrays: dict[str, np.ndarray]) -> None:
    """No array of one sample has a batch axis."""
    for name in [name for name in arrays if not name.startswith("batch_")]:
        arrays[name] = batch(name, arrays[name])[0].numpy()


def times(samples: int) -> Change:
    """Every sample so many times."""

    def change(arrays: dict[str, np.ndarray]) -> None:
        for name in [name for name in arrays if not name.startswith("batch_")]:
            arrays[name] = np.repeat(batch(name, arrays[name])[:1].numpy(), samples, axis=0)

    return change


def factory_checks(folder: Path, at: Path) -> list[Difference]:
    """All but gradients."""
    case = tinyllava.Case.read(folder)
    system = case.load(at)
    return [
        difference
        for name in ("preparation", "activations", "losses")
        for difference in tinyllava.CHECKS[name](case, system)
    ]


@pytest.mark.parametrize("change", [without_axis, times(1), times(3)], ids=["none", "1", "3"])
def test_factory_folders_with_any_batch_axis(parity: Path, tmp_path: Path, change: Change) -> None:
    folder = shutil.copytree(parity / FACTORY, tmp_path / "folder")
    rewritten(folder, change)
    found = factory_checks(folder, tmp_path / "checkpoint")
    assert len(found) >= len(factory_checks(parity / FACTORY, tmp_path / "other"))
    assert not bad(found)


@torch.no_grad()
def second_sample(folder: Path, at: Path) -> None:
    """Add a second image, mirrored, and what our network gives for it; ids stay those of the one question."""
    case = tinyllava.Case.read(folder)
    system = case.load(at)
    mirrored = ImageOps.mirror(case.image())
    case.image().save(folder / "image0.png")
    mirrored.save(folder / "image1.png")
    (folder / "image.png").unlink()
    network = system.network

    def change(arrays: dict[str, np.ndarray]) -> None:
        times(1)(arrays)
        for aspect in ("square", "pad"):
            pixels = Preparation(system.pixels.processor, aspect)(mirrored)[None]
            arrays[f"pixel_values_{aspect}"] = np.concatenate([arrays[f"pixel_values_{aspect}"], pixels])
        square = torch.from_numpy(arrays["pixel_values_square"])[1:]
        own = {"vision_features": network.vision_tower(square), "connector_out": network.image_features(square)}
        for sample in ("eval", "train"):
            own[f"{sample}_logits"] = network({**case.batch(sample), "images": square})
        ids = {**case.batch("eval"), "images": square}
        for _ in range(arrays["greedy_ids"].shape[-1]):
            best = network(ids)[:, -1].argmax(-1, keepdim=True)
            ids["input_ids"] = torch.cat([ids["input_ids"], best], dim=1)
        own["greedy_ids"] = ids["input_ids"][:, -arrays["greedy_ids"].shape[-1] :]
        for name, tensor in own.items():
            arrays[name] = np.concatenate([arrays[name], tensor.numpy()])

    rewritten(folder, change)


def test_each_sample_of_a_factory_folder_is_compared_with_its_own_image(parity: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(parity / FACTORY, tmp_path / "folder")
    second_sample(folder, tmp_path / "first")
    case = tinyllava.Case.read(folder)
    system = case.load(tmp_path / "checkpoint")
    assert not bad([*tinyllava.preparation(case, system), *tinyllava.activations(case, system)])
    for kind in ("shared", "simple"):
        answers = [*tinyllava.answered(case, system, kind)]
        assert len(answers) == 2
        assert all(response.text == theirs for response, theirs in answers)

    def swap(arrays: dict[str, np.ndarray]) -> None:
        arrays["connector_out"] = arrays["connector_out"][::-1]

    rewritten(folder, swap)
    off = bad([*tinyllava.activations(tinyllava.Case.read(folder), system)])
    assert [difference.name for difference in off] == ["connector sample 0", "connector sample 1"]


def test_a_tower_with_several_feature_arrays_is_read_and_a_mistake_has_the_arrays_name(
    parity: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(parity / FACTORY, tmp_path / "folder")

    def several(arrays: dict[str, np.ndarray]) -> None:
        for name in ("vision_features_first", "vision_features_second"):
            arrays[name] = arrays["vision_features"]
        del arrays["vision_features"]

    rewritten(folder, several)
    case = tinyllava.Case.read(folder)
    system = case.load(tmp_path / "checkpoint")
    found = [*tinyllava.activations(case, system)]
    assert {"vision features first", "vision features second"} <= {difference.name for difference in found}
    assert not bad(found)
    system.network.vision_tower.layer += 1
    found = [*tinyllava.activations(case, system)]
    assert seen("vision features", iter(found))
    assert seen("vision features second", iter(found))


@pytest.mark.parametrize("form", ["one", "halves", "stacked", "wide", "interleaved"])
def test_the_features_of_two_towers_are_read_in_every_form(form: str) -> None:
    first, second = torch.arange(24.0).view(2, 1, 3, 4)
    arrays = {
        "one": {"vision_features": torch.cat([first, second], dim=1)},
        "halves": {"vision_features_clip": first, "vision_features_dinov2": second[0]},
        "stacked": {"vision_features": torch.stack([first, second])},
        "wide": {"vision_features": torch.cat([first, second], dim=-1)},
        "interleaved": {"vision_features": torch.stack([first, second], dim=2).flatten(1, 2)},
    }[form]
    case = tinyllava.Case(Path(), {}, Arrays({name: tensor.numpy() for name, tensor in arrays.items()}), ())
    found = [*tinyllava.features(case, torch.cat([first, second], dim=1), mixed=True)]
    assert len(found) >= len(arrays) and not bad(found)
    moved = torch.cat([first, second + 1], dim=1)
    assert seen("vision features", tinyllava.features(case, moved, mixed=True))


# -------------------------------------------------------------------------------------------------------------- legacy


@torch.no_grad()
def legacy_folder(source: Path, target: Path, images: int) -> Path:
    """A folder of TinyLLaVA's first code: a tower, an MLP and a resampler of ours, without a language model."""
    target.mkdir()
    state = load_file(source / "model.safetensors")
    tower, mlp = "vision_tower._vision_tower.", "connector._connector."
    own = {legacy.TOWER + name.removeprefix(tower): t for name, t in state.items() if name.startswith(tower)}
    own |= {LEGACY_PROJECTOR + name.removeprefix(mlp): t for name, t in state.items() if name.startswith(mlp)}
    width = len(state[f"{mlp}0.weight"][0])
    torch.manual_seed(5)
    resampler = Connector("legacy_resampler", Widths(width, 64, 16, 6, 2, inner=48)).state_dict()
    own |= {f"{legacy.VARIANT}mm_projector.{n.removeprefix('_connector.')}": t for n, t in resampler.items()}
    save_file({name: tensor.contiguous() for name, tensor in own.items()}, target / "model.safetensors")
    shutil.copyfile(source / "vision_config.json", target / "vision_config.json")
    (target / "info.json").write_text("{}", "utf-8")
    rng = np.random.default_rng(3)
    Image.fromarray(rng.integers(0, 256, (40, 56, 3), np.uint8)).save(target / "image.png")
    np.savez(target / "tensors.npz", images=rng.normal(size=(images, 3, 56, 56)).astype(np.float32))
    case = legacy.LegacyCase.read(target)
    network = legacy.tower_of(case)
    pixels = torch.from_numpy(case.arrays.raw["images"])
    features = network(pixels)
    mlp_out, resampled = (
        legacy.connector_of(one, network.tokens())(features).numpy() for one in (case, case.resampled())
    )
    tensors = {"images": pixels.numpy(), "features": features.numpy(), "mlp_out": mlp_out, "resampler_out": resampled}
    np.savez(target / "tensors.npz", **tensors)
    return target


@pytest.mark.parametrize("images", [1, 2, 3])
def test_legacy_folders_with_any_number_of_images(parity: Path, tmp_path: Path, images: int) -> None:
    """Three images, so that neither three channels nor three samples are taken for the other."""
    folder = legacy_folder(parity / FACTORY, tmp_path / "folder", images)
    assert kinds(folder) == ["legacy"]

    def found() -> list[Difference]:
        case = legacy.LegacyCase.read(folder)
        tower = legacy.tower_of(case)
        connectors = [legacy.connector_of(one, tower.tokens()) for one in (case, case.resampled())]
        return [*legacy.parts(case, tower, connectors)]

    assert len(found()) == 3 * images
    assert not bad(found())

    def off(arrays: dict[str, np.ndarray]) -> None:
        arrays["resampler_out"][images - 1, 0, 0] += 1

    rewritten(folder, off)
    assert len(bad(found())) == 1


def test_a_legacy_folder_without_a_batch_axis(parity: Path, tmp_path: Path) -> None:
    folder = legacy_folder(parity / FACTORY, tmp_path / "folder", 1)

    def change(arrays: dict[str, np.ndarray]) -> None:
        arrays |= {name: array[0] for name, array in arrays.items()}

    rewritten(folder, change)
    case = legacy.LegacyCase.read(folder)
    tower = legacy.tower_of(case)
    connectors = [legacy.connector_of(one, tower.tokens()) for one in (case, case.resampled())]
    found = [*legacy.parts(case, tower, connectors)]
    assert len(found) == 3 and not bad(found)


# ------------------------------------------------------------------------------------------------------------- minigpt


def minigpt_rows(folder: Path, rows: list[int], axis: bool = True) -> None:
    """Keep these rows of everything that there is per image, without the batches of training."""
    info = json.loads((folder / "info.json").read_text("utf-8"))
    info["batches"] = []
    for name in ("texts", "answers"):
        info["generate"][name] = [info["generate"][name][row] for row in rows]
    (folder / "info.json").write_text(json.dumps(info), "utf-8")
    images = [(folder / f"image{row}.png").read_bytes() for row in rows]
    for path in folder.glob("image*.png"):
        path.unlink()
    for number, image in enumerate(images):
        (folder / f"image{number}.png").write_bytes(image)

    def change(arrays: dict[str, np.ndarray]) -> None:
        for name in list(arrays):
            if name.startswith("b"):
                del arrays[name]
                continue
            kept = [0] * len(rows) if name.startswith("chat_") else rows  # the chat is about the first image
            arrays[name] = arrays[name][kept] if axis else arrays[name][0]

    rewritten(folder, change)


@pytest.mark.parametrize(("rows", "axis"), [([0], False), ([0, 1, 0], True)], ids=["none", "3"])
def test_minigpt_folders_with_any_batch_axis(parity: Path, tmp_path: Path, rows: list[int], axis: bool) -> None:
    folder = shutil.copytree(parity / MINIGPT, tmp_path / "folder")
    minigpt_rows(folder, rows, axis)
    case = minigpt.Case.read(folder)
    system = case.load()
    found = [
        difference
        for check in (minigpt.preparation, minigpt.activations, minigpt.generation)
        for difference in check(case, system)
    ]
    assert not bad(found)

    def off(arrays: dict[str, np.ndarray]) -> None:
        arrays["vit_out"][..., -1, 0] += 1

    rewritten(folder, off)
    names = [difference.name for difference in bad([*minigpt.activations(minigpt.Case.read(folder), system)])]
    assert names == ([f"vit sample {row}" for row in range(3)] if axis else ["vit"])


def test_arrays_are_a_mapping() -> None:
    arrays: Mapping[str, torch.Tensor] = Arrays({"logits": np.zeros((2, 3, 4))})
    assert len(arrays) == 1 and [*arrays] == ["logits"] and "loss" not in arrays
