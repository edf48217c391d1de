"""A POPE of drawn scenes, as large as wanted, in the official layout: for gates, which need many images.

    python examples/draw_pope.py FOLDER [IMAGES]     (500 images, 9,000 questions: about half a minute)
    vlmbench run --model tinyllava --tasks pope --data FOLDER

The scenes are neither those of the embedded sample nor those that the included models were trained on. Scores are not
comparable with those in papers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from vlmbench.scenes.scene import Scene, make_scene
from vlmbench.tasks.samples.build import pope_splits
from vlmbench.tasks.samples.common import jpeg, write

FIRST_SEED = 5_000_000
"""Far behind the seeds of samples and training."""
KINDS = 3
"""Different things that a scene must show, as POPE asks of its images."""


def scenes(wanted: int) -> Iterator[Scene]:
    """So many scenes with enough different things."""
    seed = FIRST_SEED
    while wanted:
        scene = make_scene(seed)
        if len({thing.kind for thing in scene.things}) >= KINDS:
            yield scene
            wanted -= 1
        seed += 1


def main() -> None:
    """Draw the images and write the questions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("images", type=int, nargs="?", default=500)
    args = parser.parse_args()
    pictures = list(scenes(args.images))
    for split, rows in pope_splits(pictures).items():
        write(args.folder / f"coco_pope_{split}.json", "".join(json.dumps(row) + "\n" for row in rows))
    for number, scene in enumerate(pictures, start=1):
        write(args.folder / "val2014" / f"scene_{number:06d}.jpg", jpeg(scene))
    print(f"{args.folder}: {len(pictures):,} images, {18 * len(pictures):,} questions")


if __name__ == "__main__":
    main()
