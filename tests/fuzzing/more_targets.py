"""A plug-in's tables, images, archives and parquet files as the hub has them."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

from PIL import Image

from tests.fuzzing.mutations import Mutation, mutate
from tests.fuzzing.targets import Target, WrongReadError, check_words, damage, keep_last
from vlmbench import TableTask
from vlmbench.base.errors import VlmbenchError
from vlmbench.data.download import extract
from vlmbench.data.files import Folder, Hub
from vlmbench.data.images import decoding as images

ROWS = 12


class Tables(Target):
    """Tables of a plug-in's task: CSV, TSV, JSON lines, JSON."""

    name, share = "tables", 0.06

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        import json

        Image.new("RGB", (4, 4)).save(self.folder / "a.png")
        rows = [
            {"id": f"r{at}", "image": "a.png", "question": f"What, {at}?", "answer": f"x{at}"} for at in range(ROWS)
        ]
        head = list(rows[0])

        def lines(separator: str) -> str:
            cells = [head, *(['"' + value + '"' for value in row.values()] for row in rows)]
            return "".join(separator.join(row) + "\n" for row in cells)

        texts = {"csv": lines(","), "tsv": lines("\t"), "json": json.dumps(rows, indent=1)}
        texts["jsonl"] = "".join(json.dumps(row) + "\n" for row in rows)
        self.files = {self.folder / f"table.{suffix}": text.encode() for suffix, text in texts.items()}

    def case(self, rng: random.Random) -> tuple[str, Path, bool]:
        """One table is damaged and read."""
        path, original = rng.choice(list(self.files.items()))
        done = damage(path, original, rng)
        keep_last(path, self.folder)
        try:
            task = TableTask("mine", path)
            samples = task.samples(Folder(path.parent), "all")
            ids = {sample.id for sample in samples}
            if len(ids) != len(samples) or len(ids) > ROWS or (len(ids) < ROWS and not done.shorter):
                raise WrongReadError(f"{path.name}, {done.name}: {len(samples)} samples with {len(ids)} ids")
            return f"{path.name}, {done.name}", path, True
        except VlmbenchError as error:
            check_words(error)
            return f"{path.name}, {done.name}", path, False


class Images(Target):
    """Encoded images of four kinds, animated and transparent ones too."""

    name, share = "images", 0.06

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.files: list[tuple[str, bytes]] = []
        noise = Image.effect_noise((40, 30), 80)
        for kind, image in (
            ("PNG", noise.convert("RGBA")),
            ("JPEG", noise),
            ("GIF", noise),
            ("WEBP", noise.convert("RGB")),
        ):
            buffer = io.BytesIO()
            image.save(buffer, kind)
            self.files.append((kind.lower(), buffer.getvalue()))

    def case(self, rng: random.Random) -> tuple[str, Path, bool]:
        """One image is damaged, decoded and made small."""
        kind, original = rng.choice(self.files)
        content, done = mutate(original, f".{kind}", rng)
        path = self.folder / f"last.{kind}"
        path.write_bytes(content)
        try:
            found = images.decode(content, path.name)
            images.thumbnail(found, 64)
            if found.mode != "RGB":
                raise WrongReadError(f"{kind}, {done.name}: mode {found.mode}")
            return f"{kind}, {done.name}", path, True
        except VlmbenchError as error:
            check_words(error)
            return f"{kind}, {done.name}", path, False


class Archives(Target):
    """Zip archives of official data."""

    name, share = "archives", 0.04

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.content = {f"data/file{at}.json": bytes([65 + at]) * 300 + bytes(range(256)) for at in range(4)}
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in self.content.items():
                archive.writestr(name, content)
        self.original = made.getvalue()

    def case(self, rng: random.Random) -> tuple[str, Path, bool]:
        """The archive is damaged and unpacked; what comes out is what went in."""
        import shutil

        path, out = self.folder / "last.zip", self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        content, done = mutate(self.original, ".zip", rng)
        path.write_bytes(content)
        try:
            extract(path, list(self.content), out, progress=False)
            self._compare(out, done)
            return done.name, path, True
        except VlmbenchError as error:
            check_words(error)
            return done.name, path, False

    def _compare(self, out: Path, done: Mutation) -> None:
        for name, content in self.content.items():
            place = out / name
            if place.is_file() and place.read_bytes() != content:
                raise WrongReadError(f"{done.name}: {name} has other bytes")


class HubCopies(Target):
    """A local copy of a hub dataset: parquet."""

    name, share = "hub", 0.03

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        import datasets

        datasets.disable_progress_bars()
        datasets.config.HF_DATASETS_CACHE = self.folder / "cache"
        rows = [
            {
                "id": str(at), "question_id": str(at), "question": f"Is there a thing{at} in the image?",
                "answer": "yes" if at % 2 else "no", "image_source": f"COCO_val2014_{at:012d}",
                "image": {"bytes": b"image", "path": None}, "category": ("random", "popular", "adversarial")[at % 3],
            }
            for at in range(ROWS)
        ]  # fmt: skip
        self.path = self.folder / "lmms-lab/POPE/data/test-00000-of-00001.parquet"
        self.path.parent.mkdir(parents=True)
        datasets.Dataset.from_list(rows).to_parquet(str(self.path))
        self.original = self.path.read_bytes()

    def case(self, rng: random.Random) -> tuple[str, Path, bool]:
        """The file is damaged and read."""
        import shutil

        from vlmbench.base.registry import choose_task

        shutil.rmtree(self.folder / "cache", ignore_errors=True)
        done = damage(self.path, self.original, rng)
        keep_last(self.path, self.folder)
        try:
            samples = choose_task("pope").task.samples(Hub(self.folder), "coco")
            if len(samples) != ROWS:
                raise WrongReadError(f"{done.name}: {len(samples)} samples instead of {ROWS}")
            return done.name, self.path, True
        except VlmbenchError as error:
            check_words(error)
            return done.name, self.path, False
