"""How long `vlmbench import` takes for many samples: CPU seconds of a whole command.

    python -m tests.performance.import_speed [--samples 100000] [--task gqa]

The file is one of lmms-eval 0.7's form, made here: one task, with right answers, so that our protocol scores it too.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

WORDS = ("yes", "no", "left", "right", "red", "blue", "cat", "dog", "table", "two")
FORMS = {"gqa": "exact_match", "pope": "pope_accuracy"}


def write(folder: Path, task: str, count: int) -> None:
    """Results and samples of one task."""
    numbers = random.Random(0)
    words = WORDS[:2] if task == "pope" else WORDS
    right = 0
    with (folder / f"20260101_000000_samples_{task}.jsonl").open("w", encoding="utf-8") as file:
        for index in range(count):
            target, answer = numbers.choice(words), numbers.choice(words)
            score = float(target == answer)
            right += int(score)
            row: dict[str, object] = {"doc_id": index, "target": target, "filtered_resps": answer}
            row["input"] = f"Is there a thing numbered {index} in the image?\nAnswer the question using a single word."
            if task == "pope":
                about = {"question_id": str(index // 3), "score": score, "prediction": answer, "ground_truth": target}
                row |= {name: about for name in ("pope_accuracy", "pope_precision", "pope_recall", "pope_f1_score")}
            else:
                row["exact_match"] = score
            file.write(json.dumps(row) + "\n")
    results = {
        "results": {task: {"alias": task, f"{FORMS[task]},none": right / count}},
        "configs": {task: {"task": task, "doc_to_visual": "<function>"}},
        "n-samples": {task: {"original": count, "effective": count}},
        "higher_is_better": {task: {FORMS[task]: True}},
        "config": {"model": "made", "model_args": "pretrained=made"},
        "lmms_eval_version": "0.7.3",
        "model_name": "made",
    }
    (folder / "20260101_000000_results.json").write_text(json.dumps(results), encoding="utf-8")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--task", choices=tuple(FORMS), default="gqa")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, args.task, args.samples)
        words = [sys.executable, "-m", "vlmbench.cli.main", "import", str(folder), "--output", str(folder / "run")]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(
            f"{args.task}: {args.samples:,} samples: {used.ru_utime + used.ru_stime:.1f} CPU s, "
            f"{used.ru_maxrss / 1024:,.0f} MiB"
        )


if __name__ == "__main__":
    main()
