"""The metadata of a model card on the Hugging Face hub: scores under `model-index` in README.md.

The entries are huggingface_hub's own (EvalResult). Those that are not of vlmbench, and all other metadata and text of
the card, stay as they are; ours of the same task, split and protocol are replaced.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vlmbench.base.errors import StoreError

from .sent_run import SentRun
from .targets import Target

SOURCE = "vlmbench"
URL = "https://github.com/vlmbench/vlmbench"
INDEX = "model-index"


def write(target: Target, sent: SentRun) -> Path:
    """Add a run's headline scores to a card, which is made if there is none; returns its file.

    Raises StoreError for a card whose metadata cannot be read.
    """
    from huggingface_hub.repocard import metadata_load, metadata_save
    from yaml import YAMLError

    path = Path(target.path).expanduser()
    path = path / "README.md" if path.is_dir() or path.suffix == "" else path
    try:
        data = (metadata_load(path) if path.is_file() else None) or {}
        data[INDEX] = _merged(data.get(INDEX), _entries(sent, target.options.get("name", "")), path)
    except (ValueError, YAMLError) as error:
        hint = "mend the block between the two lines of --- at its top"
        raise StoreError(f"the card's metadata cannot be read: {error}", where=str(path), hint=hint) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".vlmbench-") as folder:  # so that the card is never half
        copy = Path(folder) / "README.md"
        if path.is_file():
            shutil.copy2(path, copy)
        metadata_save(copy, data)
        copy.replace(path)
    return path


def _entries(sent: SentRun, name: str) -> dict[str, Any]:
    """A model-index entry: the model's name, and a result per task."""
    from huggingface_hub import EvalResult
    from huggingface_hub.repocard_data import eval_results_to_model_index

    results = [EvalResult(**fields) for fields in _results(sent)]
    title = name or str(sent.manifest.get("asked", {}).get("model", sent.folder.name))
    entry: dict[str, Any] = eval_results_to_model_index(title, results)[0]
    return entry


def _results(sent: SentRun) -> Iterator[dict[str, Any]]:
    asked = sent.manifest.get("asked", {})
    for key, entry in sent.scores.items():
        metric = entry["headline"]
        found, about = entry[metric], sent.manifest.get("tasks", {}).get(key, {})
        if found["value"] is None:
            continue
        sample = asked.get("data") == "sample"
        title = str(about.get("title", key)).partition(":")[0]
        figures = {"low": found.get("low"), "high": found.get("high"), "level": entry.get("level"), "n": found.get("n")}
        rules = {"protocol": entry.get("protocol"), "task_version": entry.get("version"), "limit": asked.get("limit")}
        more = {"coverage": entry.get("coverage"), "vlmbench": sent.manifest.get("vlmbench")}
        arguments = {name: value for name, value in {**figures, **rules, **more}.items() if value is not None}
        yield {
            "task_type": "image-text-to-text",
            "dataset_type": f"vlmbench/{key}" + ("-sample" if sample else ""),
            "dataset_name": title + (" (embedded sample of vlmbench, not comparable with papers)" if sample else ""),
            "dataset_config": key,
            "dataset_split": entry.get("split"),
            "metric_type": metric,
            "metric_name": metric,
            "metric_value": float(found["value"]),
            "metric_args": arguments,
            "source_name": SOURCE,
            "source_url": URL,
        }


def _merged(index: Any, ours: dict[str, Any], path: Path) -> list[Any]:
    """The card's model-index with our results in the entry of the same model, or the first."""
    index = [] if index is None else index
    if not isinstance(index, list) or not all(isinstance(one, dict) for one in index):
        raise StoreError(f"{INDEX} is no list of models", where=str(path), hint="take it out, or write it as a list")
    if not index:
        return [ours]
    chosen = next((one for one in index if one.get("name") == ours["name"]), index[0])
    replaced = {_place(result) for result in ours["results"]}
    kept = [one for one in chosen.get("results") or [] if not (_is_ours(one) and _place(one) in replaced)]
    return [{**one, "results": [*kept, *ours["results"]]} if one is chosen else one for one in index]


def _is_ours(result: Any) -> bool:
    source = result.get("source") if isinstance(result, Mapping) else None
    return isinstance(source, Mapping) and source.get("name") == SOURCE


def _place(result: Any) -> tuple[Any, ...]:
    dataset = result.get("dataset") or {}
    return dataset.get("type"), dataset.get("config"), dataset.get("split")
