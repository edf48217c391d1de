"""`vlmbench run --model hf:…` against lmms-eval's `llava_hf`.

    python -m tests.performance.engines.hf_speed WORKLOAD --peer PY

WORKLOAD is a folder with `model/` (a LLaVA-type checkpoint of transformers) and `pope/data/test-*.parquet` (questions
in the columns of POPE on the hub; question ids unique in a category). PY is the Python of an environment with lmms-eval
and the same torch, transformers and Pillow, without torchvision (both sides then prepare pictures by Pillow).

Whole processes, one thread, float32: seconds of processor time (user and system). Rounds alternate the sides, and the
answers are asserted to be equal, question by question. `--single N` asks one question each of N pictures instead: the
workload's pictures, turned and mirrored. Without --peer the other side is `--engine simple`, which is one question at a
time through transformers' own `generate`.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}


def seconds(command: list[str], log: Path, *, cwd: Path, extra: dict[str, str]) -> tuple[float, float]:
    """(processor seconds, peak resident GiB) of a whole process. Raises SystemExit, with its last words."""
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=cwd, env={**os.environ, **ENVIRONMENT, **extra}, stdout=out, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text()[-3000:]}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20


def single(source: Path, target: Path, count: int) -> None:
    """The workload's first question about each picture, turned and mirrored until there are `count` pictures."""
    from PIL import Image

    first: dict[str, dict[str, Any]] = {}
    for row in pq.read_table(source).to_pylist():
        first.setdefault(row["image_source"], row)
    turns = [None, *Image.Transpose]
    rows = []
    for number in range(min(count, len(first) * len(turns))):
        row = list(first.values())[number % len(first)]
        turn = turns[number // len(first)]
        data = row["image"]["bytes"]
        if turn is not None:
            out = io.BytesIO()
            Image.open(io.BytesIO(data)).transpose(turn).save(out, "JPEG", quality=92)
            data = out.getvalue()
        told = {"id": str(number), "question_id": str(number), "image_source": f"{row['image_source']}-{number}"}
        rows.append({**row, **told, "image": {"bytes": data, "path": None}})
    table = pq.read_table(source)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), target)


def ours(model: Path, data: Path, folder: Path, *more: str) -> tuple[float, float, dict[str, str]]:
    """(seconds, GiB, answers by category/question id)."""
    out = folder / "ours"
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "vlmbench.cli.main", "run", "--model", f"hf:{model}", "--tasks", "pope@lmms_eval"]
    command += ["--data", f"hub:{data}", "--output", str(out), *more]
    spent, peak = seconds(command, folder / "ours.log", cwd=ROOT, extra={})
    table = pq.read_table(out / "records.parquet", columns=["sample_id", "text"]).to_pydict()
    return spent, peak, dict(zip(table["sample_id"], table["text"], strict=True))


def peer_task(python: str, data: Path, folder: Path) -> Path:
    """lmms-eval's own POPE with another name and place of the data."""
    find = "import lmms_eval, pathlib; print(pathlib.Path(lmms_eval.__file__).parent / 'tasks' / 'pope')"
    place = subprocess.run([python, "-c", find], capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    task = folder / "task"
    task.mkdir(exist_ok=True)
    shutil.copy(Path(place) / "utils.py", task)
    lines = (Path(place) / "pope.yaml").read_text("utf-8").splitlines()
    changed = {"dataset_path:": f"dataset_path: {data / 'lmms-lab' / 'POPE'}", "task:": 'task: "pope_local"'}
    dropped = ("dataset_kwargs:", "  token:")
    kept = [changed.get(line.split(" ")[0], line) for line in lines if not line.startswith(dropped)]
    (task / "pope_local.yaml").write_text("\n".join(kept) + "\n", "utf-8")
    return task


def peer(python: str, model: Path, task: Path, folder: Path, names: list[str]) -> tuple[float, float, dict[str, str]]:
    """(seconds, GiB, answers by category/question id)."""
    out = folder / "peer"
    shutil.rmtree(out, ignore_errors=True)
    arguments = f"pretrained={model},dtype=float32,device_map=cpu"
    command = [python, "-m", "lmms_eval", "--model", "llava_hf", "--model_args", arguments, "--device", "cpu"]
    command += ["--tasks", "pope_local", "--include_path", str(task), "--batch_size", "1", "--log_samples"]
    command += ["--output_path", str(out)]
    spent, peak = seconds(command, folder / "peer.log", cwd=folder, extra={"PYTHONPATH": ""})
    found = next(out.rglob("*samples*.jsonl"))
    rows = [json.loads(line) for line in found.read_text("utf-8").splitlines()]
    return spent, peak, {names[row["doc_id"]]: row["resps"].strip() for row in rows}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", type=Path)
    parser.add_argument("--peer", metavar="PYTHON", help="an environment with lmms-eval")
    parser.add_argument("--single", type=int, metavar="N", help="one question each of N pictures")
    parser.add_argument("--linear", metavar="NAME", help="vlmbench's option of that name")
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    model = (told.workload / "model").resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = next((told.workload / "pope" / "data").glob("test-*.parquet"))
        target = folder / "data" / "lmms-lab" / "POPE" / "data" / "test-00000-of-00001.parquet"
        target.parent.mkdir(parents=True)
        if told.single:
            single(source, target, told.single)
        else:
            shutil.copy(source, target)
        rows = pq.read_table(target, columns=["category", "question_id"]).to_pylist()
        names = [f"{row['category']}/{row['question_id']}" for row in rows]
        task = peer_task(told.peer, folder / "data", folder) if told.peer else folder
        linear = ["--linear", told.linear] if told.linear else []
        ratios = []
        for number in range(told.rounds):
            if told.peer:
                other = peer(told.peer, model, task, folder, names)
            else:
                other = ours(model, folder / "data", folder, "--engine", "simple")
            mine = ours(model, folder / "data", folder, *linear)
            equal = sum(mine[2][name] == other[2][name] for name in names)
            ratios.append(other[0] / mine[0])
            sides = ("lmms-eval" if told.peer else "one by one", other), ("vlmbench", mine)
            figures = "; ".join(f"{side} {spent:.1f} s, {peak:.2f} GiB" for side, (spent, peak, _) in sides)
            ratio = f"ratio {ratios[-1]:.2f}; {equal} of {len(names)} answers equal"
            print(f"round {number + 1}: {figures}; {ratio}", flush=True)
            assert equal == len(names)
        print(f"median ratio {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
