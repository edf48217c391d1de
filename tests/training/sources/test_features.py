"""Features seen once: the losses of seeing them each time, safe against kills and other readers, within its bounds."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.support.paths import ROOT
from tests.training.sources.official import opened, picture, says, write
from vlmbench.base import registry
from vlmbench.base.errors import DataError, ImageError, StoreError, UnknownNameError
from vlmbench.base.samples import Conversation
from vlmbench.training.sources import Entry, Features, Mixture, Part, Rows, fingerprint, pack

LIMIT = 1 << 30
SHIPPED = ROOT / "models" / "weights" / "tinyllava-nano"


@pytest.fixture(scope="module")
def model() -> Any:
    """TinyLLaVA at toy size, untrained, with the shipped tokenizer."""
    config = json.loads((SHIPPED / "config.json").read_text(encoding="utf-8"))
    for part in ("text_config", "vision_config"):
        config[part] |= {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    made = registry.load_object("vlmbench.models.systems.tinyllava:build")(config, preprocessor=None, tokenizer=SHIPPED)
    for module in made.parts().values():
        module.eval()
    return made


def looking(model: Any) -> Callable[[Image.Image], Tensor]:
    """A picture through the tower, alone."""

    def look(image: Image.Image) -> Tensor:
        pixels = model.collate([Conversation((("", "x"),), image)])["images"]
        features: Tensor = model.parts()["vision_tower"](pixels)[0]
        return features

    return look


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """Six rows of one or two turns over three pictures, and text alone."""
    content: list[dict[str, Any]] = []
    for at in range(6):
        name = picture(tmp_path, f"{at % 3}.png", (40, 30 + at % 3)).name
        content.append(
            {"id": str(at), "image": name, "conversations": says(f"<image>\nWhat is {at}?", f"A {'b ' * at}")}
        )
    content.append({"id": "6", "image": "0.png", "conversations": says("<image>\nWhat?", "A star", "Why?", "So")})
    content += [{"id": f"t{at}", "conversations": says(f"Say {at}", f"The {'word ' * at}")} for at in range(3)]
    return opened("llava", write(tmp_path / "rows.json", content), tmp_path)


def losses(model: Any, entries: list[Entry], features: Features) -> tuple[float, float]:
    """With the tower, and with what it saw before."""
    batch = model.collate([entry.conversation() for entry in entries])
    blind = model.collate([entry.with_blank_image() for entry in entries])
    del blind["images"]
    with torch.no_grad():
        return model.loss(batch).item(), model.loss({**blind, "image_features": features.stack(entries)}).item()


@pytest.mark.parametrize(("dtype", "within"), [("float32", 1e-6), ("float16", 1e-4)])
def test_losses_are_those_of_looking_again(model: Any, rows: Rows, tmp_path: Path, dtype: str, within: float) -> None:
    mark = fingerprint(model.parts()["vision_tower"], "square 96")
    features = Features(tmp_path / "cache", mark, looking(model), limit=LIMIT, dtype=dtype)
    entries = [rows.entry(at) for at in range(len(rows))]
    for _ in range(2):
        seen, kept = losses(model, entries, features)
        assert abs(seen - kept) < within
    assert (features.stats.looked, features.stats.stored) == (3, 3)
    again = Features(tmp_path / "cache", mark, looking(model), limit=LIMIT, dtype=dtype)
    first, second = features.stack(entries), again.stack(entries)
    assert first is not None
    assert second is not None
    assert torch.equal(first, second)
    assert again.stats.looked == 0
    assert again.bytes == features.bytes
    assert features.stack(entries[-2:]) is None


def test_what_is_stored_is_what_is_used_at_once(model: Any, rows: Rows, tmp_path: Path) -> None:
    """So a training that goes on after a kill, its cache fuller than before, has the same numbers."""
    for dtype in ("float32", "float16"):
        kept = Features(tmp_path / "a", "m", looking(model), limit=LIMIT, dtype=dtype)
        never = Features(tmp_path / "b", "m", looking(model), limit=0, dtype=dtype)
        for at in (0, 1, 0):
            shown = rows.entry(at).image
            assert shown is not None
            assert torch.equal(kept.of(shown), never.of(shown))
        assert (never.stats.full, never.stats.stored, kept.stats.found) == (3, 0, 1)


def test_another_tower_or_preparation_has_another_name(model: Any) -> None:
    tower = model.parts()["vision_tower"]
    before = fingerprint(tower, "square 96")
    assert before == fingerprint(tower, "square 96")
    assert before != fingerprint(tower, "pad 96")
    weight = next(tower.parameters())
    with torch.no_grad():
        weight.view(-1)[0] += 1
        assert before != fingerprint(tower, "square 96")
        weight.view(-1)[0] -= 1


def constant(image: Image.Image) -> Tensor:
    return torch.full((64, 64), float(image.size[1]))


def test_the_cache_is_bounded(rows: Rows, tmp_path: Path) -> None:
    one = 64 * 64 * 4 + 200
    features = Features(tmp_path / "cache", "m", constant, limit=2 * one)
    entries = [rows.entry(at) for at in range(3)]
    for _ in range(3):
        stacked = features.stack(entries)
        assert stacked is not None
        assert stacked[:, 0, 0].tolist() == [30.0, 31.0, 32.0]
    assert (features.stats.stored, features.stats.looked, features.stats.full) == (2, 5, 3)
    assert sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*") if path.is_file()) <= 2 * one
    # What other towers left behind counts too.
    assert Features(tmp_path / "cache", "other", constant, limit=2 * one).bytes == features.bytes


def test_a_damaged_file_is_made_anew(rows: Rows, tmp_path: Path) -> None:
    features = Features(tmp_path / "cache", "m", constant, limit=LIMIT)
    shown = rows.entry(0).image
    assert shown is not None
    features.of(shown)
    (path,) = (path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    for content in (b"", path.read_bytes()[:-7], b"\xff" * 100):
        path.write_bytes(content)
        assert features.of(shown)[0, 0] == 30.0
        assert features.of(shown)[0, 0] == 30.0
    assert features.stats.looked == 4


def slow(image: Image.Image) -> Tensor:
    time.sleep(0.002)
    return constant(image)


def work(rows: Rows, folder: Path) -> None:
    while True:
        features = Features(folder, "m", slow, limit=LIMIT)
        for at in range(3):
            shown = rows.entry(at).image
            assert shown is not None
            assert features.of(shown)[-1, -1] == 30.0 + at
        for path in (folder / "m-float32").rglob("*"):
            if path.is_file() and not path.name.endswith(".new"):
                path.unlink(missing_ok=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # Python 3.12 and newer
def test_kills_and_other_processes_leave_whole_files(rows: Rows, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for _ in range(3):
        workers = [context.Process(target=work, args=(rows, tmp_path / "cache")) for _ in range(3)]
        for worker in workers:
            worker.start()
        time.sleep(0.2)
        assert all(worker.is_alive() for worker in workers)  # each found what it should, whoever wrote it
        for worker in workers:
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
            worker.join()
        features = Features(tmp_path / "cache", "m", constant, limit=LIMIT)
        stacked = features.stack([rows.entry(at) for at in range(3)])
        assert stacked is not None
        assert stacked[:, -1, -1].tolist() == [30.0, 31.0, 32.0]


def test_what_a_killed_writer_left_is_tidied_up(tmp_path: Path) -> None:
    Features(tmp_path, "m", constant, limit=LIMIT)
    old, young = (tmp_path / "m-float32" / f"{name}.new" for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert Features(tmp_path, "m", constant, limit=LIMIT).bytes == 4
    assert (old.exists(), young.exists()) == (False, True)


def test_errors_say_what(rows: Rows, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="float8"):
        Features(tmp_path / "cache", "m", constant, limit=1, dtype="float8")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot keep features"):
        Features(tmp_path / "file", "m", constant, limit=1)
    shown = rows.entry(0).image
    (tmp_path / "0.png").write_bytes(b"no picture")
    assert shown is not None
    with pytest.raises(ImageError):
        Features(tmp_path / "cache", "m", constant, limit=LIMIT).of(shown)


def test_packed_rows_have_the_loss_of_separate_ones(model: Any, rows: Rows) -> None:
    entries = [rows.entry(at) for at in range(len(rows))]
    packed = pack(entries, room=60)
    assert [entry.id for entry in packed] == ["0+3", "1+4", "2+5", "6", "t0+t1+t2"]
    assert [entry.independent for entry in packed] == [True, True, True, False, True]
    with torch.no_grad():
        one, two = (model.loss(model.collate([entry.conversation() for entry in some])) for some in (entries, packed))
    assert abs(one.item() - two.item()) < 1e-5
    assert [entry.id for entry in pack(entries, room=1)] == [entry.id for entry in entries]


def test_packed_captions(model: Any, rows: Rows) -> None:
    entries = [rows.entry(at) for at in (0, 1, 3)]
    packed = pack(entries, room=60)
    assert len(packed) == 2
    with torch.no_grad():
        one, two = (
            model.loss(model.collate([entry.conversation() for entry in some], "pretrain"))
            for some in (entries, packed)
        )
    assert abs(one.item() - two.item()) < 1e-5


def test_a_batch_of_a_mixture_seen_or_read_packed_or_not(model: Any, rows: Rows, tmp_path: Path) -> None:
    mixture = Mixture([Part("llava", rows, 10)], seed=0)
    features = Features(tmp_path / "cache", "m", looking(model), limit=LIMIT)
    draw = mixture.draw(0)
    found = []
    for room in (0, 60):
        with torch.no_grad():
            found.append(model.loss(model.collate(mixture.rows(draw, room=room))).item())
            blind, seen = mixture.with_features(draw, features, room=room)
            batch = model.collate(blind)
            del batch["images"]
            found.append(model.loss({**batch, "image_features": seen}).item())
    assert len(blind) == 5
    assert max(found) - min(found) < 1e-5


def test_another_row_stands_in_where_a_picture_is_damaged(rows: Rows, tmp_path: Path) -> None:
    content = tmp_path / "rows.json"
    patient = opened("llava", content, tmp_path, max_bad=0.5)
    mixture = Mixture([Part("llava", patient, 10)], seed=0)
    (tmp_path / "0.png").write_bytes(b"no image")
    features = Features(tmp_path / "cache", "m", constant, limit=LIMIT)
    blind, seen = mixture.with_features(mixture.draw(0), features)
    shown = mixture.rows(mixture.draw(0))
    assert [row.id for row in blind] == [row.id for row in shown]
    assert not {"0", "3", "6"} & {row.id for row in shown}
    assert dict(patient.bad) == {"damaged image": 3}
    assert seen is not None
    with pytest.raises(DataError, match="damaged image"):
        Mixture([Part("llava", rows, 10)], seed=0).with_features(mixture.draw(0), features)
