"""Small result files in the forms that the peers write, for tests that change one thing in them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

WORDS = ("yes", "no", "no", "yes", "red", "cat", "two", "left")
"""Right answers; every third answer is wrong."""
FAILED = "[LMMS_EVAL_REQUEST_FAILED after 3 retries] timeout"


def answer_to(index: int) -> str:
    """What the made model says."""
    return WORDS[index % len(WORDS)] if index % 3 else "nothing"


def right(index: int) -> float:
    """Its score."""
    return float(index % 3 > 0)


def lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def lmms_rows(count: int = 12) -> list[dict[str, Any]]:
    """Rows of lmms-eval 0.7's gqa."""
    return [
        {
            "doc_id": index,
            "target": WORDS[index % len(WORDS)],
            "filtered_resps": answer_to(index),
            "exact_match": right(index),
            "input": f"What is number {index}?\nAnswer the question using a single word or phrase.",
        }
        for index in range(count)
    ]


def lmms_eval(folder: Path, model: str = "made", count: int = 12, stamp: str = "20260101_000000") -> Path:
    """A run of lmms-eval; returns the file of samples."""
    value = sum(map(right, range(count))) / count
    results = {
        "results": {"gqa": {"alias": "gqa", "exact_match,none": value, "exact_match_stderr,none": "N/A"}},
        "configs": {"gqa": {"task": "gqa", "doc_to_visual": "<function>"}},
        "n-samples": {"gqa": {"original": count, "effective": count}},
        "config": {"model": "made", "model_args": f"pretrained={model},api_key=sk-very-secret"},
        "lmms_eval_version": "0.7.3",
        "model_name": model,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{stamp}_results.json").write_text(json.dumps(results), encoding="utf-8")
    return lines(folder / f"{stamp}_samples_gqa.jsonl", lmms_rows(count))


def lm_eval(folder: Path, count: int = 6) -> Path:
    """A run of lm-eval with two filters of which the strict one finds nothing in the first answer."""
    rows = []
    for filtered in ("strict", "loose"):
        for index in range(count):
            lost = filtered == "strict" and index == 1
            rows.append(
                {
                    "doc_id": index,
                    "doc": {"question": f"Question {index}?", "answer": "yes"},
                    "target": "yes",
                    "arguments": {"gen_args_0": {"arg_0": f"USER: Question {index}?", "arg_1": {}}},
                    "resps": [[answer_to(index)]],
                    "filtered_resps": ["[invalid]" if lost else answer_to(index)],
                    "filter": filtered,
                    "metrics": ["exact_match"],
                    "exact_match": 0.0 if lost else right(index),
                }
            )
    loose = sum(map(right, range(count)))
    stated = {"alias": "asked", "exact_match,strict": (loose - 1) / count, "exact_match,loose": loose / count}
    results = {
        "results": {"asked": stated},
        "configs": {"asked": {"task": "asked"}},
        "config": {"model_args": {"pretrained": "made"}},
        "lm_eval_version": "0.4.13",
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results_2026-01-01T00-00-00.000000.json").write_text(json.dumps(results), encoding="utf-8")
    return lines(folder / "samples_asked_2026-01-01T00-00-00.000000.jsonl", rows)


def evalscope(folder: Path, count: int = 6) -> Path:
    """A run of evalscope, without a report."""
    rows = [
        {
            "index": index,
            "target": ["YES"],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": f"Question {index}?"}]},
                {"role": "assistant", "content": answer_to(index), "model": "made"},
            ],
            "sample_score": {
                "score": {"value": {"acc": right(index)}, "prediction": answer_to(index), "status": "success"},
                "generation_index": 0,
            },
        }
        for index in reversed(range(count))
    ]
    return lines(folder / "reviews" / "made" / "asked_first.jsonl", rows)


def inspect_log(path: Path, count: int = 4, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A log of Inspect whose last sample has an error."""
    header: dict[str, Any] = {
        "version": 2,
        "status": "success",
        "eval": {"task": "asked", "model": "made/model", "run_id": "r", "task_id": "t", "packages": {}},
    }
    good = count - 1
    value = sum(map(right, range(good))) / good
    score = {"name": "match", "scorer": "match", "metrics": {"accuracy": {"name": "accuracy", "value": value}}}
    header["results"] = {"scores": [score]}
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("header.json", json.dumps(header))
        for index in range(count):
            said = [{"message": {"role": "assistant", "content": answer_to(index)}}]
            sample: dict[str, Any] = {"id": index, "epoch": 1, "input": f"Question {index}?", "target": "yes"}
            sample["output"] = {"choices": said}
            if index < good:
                sample["scores"] = {"match": {"value": "C" if right(index) else "I", "answer": answer_to(index)}}
            else:
                sample["error"] = {"message": "it broke"}
            archive.writestr(f"samples/{index}_epoch_1.json", json.dumps(sample))
    return path
