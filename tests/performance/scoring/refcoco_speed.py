"""How long RefCOCO takes to read and score: `python -m tests.performance.scoring.refcoco_speed [EXPRESSIONS]`.

Processor time of one core: question file, answer file, every box read and scored, the figure with its interval.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path

from vlmbench.base.registry import choose_task
from vlmbench.base.samples import Response
from vlmbench.data.files import Folder
from vlmbench.scoring.score import score_responses, summarise

EXPRESSIONS = 57_000
"""All of RefCOCO, RefCOCO+ and RefCOCOg that papers report."""
PER_OBJECT = 3


def write(folder: Path, expressions: int) -> Path:
    """A question file in the official layout and MiniGPT-4's answers to it; returns the answers."""
    dice = random.Random(0)
    rows, answers = [], []
    for number in range(expressions):
        place = number // PER_OBJECT
        x, y = dice.uniform(0, 400), dice.uniform(0, 300)
        image = f"COCO_train2014_{place // 7:012d}_{place % 7}"
        box = [round(edge, 2) for edge in (x, y, dice.uniform(20, 200), dice.uniform(20, 150))]
        said = f"the thing number {number}"
        rows.append({"img_id": image, "sents": said, "bbox": box, "height": 480, "width": 640})
        corners = (box[0] / 6.4, box[1] / 4.8, (box[0] + box[2]) / 6.4, (box[1] + box[3]) / 4.8)
        text = "{" + "".join(f"<{int(edge) + dice.randrange(6)}>" for edge in corners) + "}"
        answers.append({"img_id": image, "sents": said, "answer": text})
    (folder / "refcoco_val.json").write_text(json.dumps(rows), encoding="utf-8")
    (folder / "answers.json").write_text(json.dumps(answers), encoding="utf-8")
    return folder / "answers.json"


def main() -> None:
    """Measure and print."""
    choice = choose_task("refcoco:refcoco_val")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = write(folder, int(sys.argv[1]) if len(sys.argv) > 1 else EXPRESSIONS)
        began = time.process_time()
        samples = choice.task.samples(Folder(folder), choice.split)
        texts = choice.task.read_predictions(path, samples)
        read = time.process_time()
        pairs = [(sample, Response(texts[sample.id])) for sample in samples]
        entry = summarise(choice, score_responses(choice.task, choice.protocol, pairs))
        done = time.process_time()
    print(f"{len(samples):,} expressions: read {read - began:.2f} s, scored with intervals {done - read:.2f} s")
    print(f"in all {done - began:.2f} s; accuracy {entry['accuracy']['value']:.1f}")


if __name__ == "__main__":
    main()
