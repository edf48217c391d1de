"""What a run asks, planned again from its run.json: without the model, whose name and fingerprint stand there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vlmbench.base import registry, settings
from vlmbench.base.errors import DataError, UsageError
from vlmbench.base.samples import Request, Response
from vlmbench.plugins import specs
from vlmbench.runs.execution import planning, selection
from vlmbench.runs.storage import manifest as pinned

SAME = ("samples", "prompts", "images")
"""The hashes of run.json that say whether the questions are those that the run asks."""


@dataclass
class StoredModel:
    """What run.json tells of a model: enough for the keys of its answers, and it was able to do what it was asked."""

    name: str
    fingerprint: str
    settings: Mapping[str, Any]
    facts: Mapping[str, Any]
    supports_logprobs: bool = True
    supports_multi_turn: bool = True
    supports_system_prompt: bool = True

    def answer(self, groups: Iterable[Sequence[Request]]) -> Iterator[tuple[Request, Response]]:
        """Nothing: the model is in another process."""
        raise NotImplementedError


def model_of(manifest: Mapping[str, Any]) -> StoredModel:
    """The model that a run.json tells of."""
    model = manifest["model"]
    return StoredModel(model["name"], model["fingerprint"], model.get("settings", {}), model.get("facts", {}))


def plan_again(manifest: Mapping[str, Any], where: Path, data: str | None, ids: Path | None) -> planning.Plan:
    """The run's questions with their keys. `data` and `ids` say where the data and the file of --ids are now.

    Raises UsageError where the file of --ids is needed or another one, DataError where the questions are others.
    """
    asked = manifest["asked"]
    choices = [registry.choose_task(key) for key in asked["tasks"]]
    told = settings.load({"data": data or manifest.get("data_folder") or None})
    own = {} if data else asked.get("data_of", {})
    sources = {one.key: specs.open_data(one, replace(told, data=own.get(one.key, told.data))) for one in choices}
    plan = planning.plan(
        choices,
        sources,
        model_of(manifest),
        limit=asked.get("limit"),
        limits=asked.get("limits", {}),
        ids=_ids(asked, choices, where, ids),
        seed=manifest.get("seed", 0),
        perturbation=_perturbation(asked, manifest.get("seed", 0)),
        cache=told.cache_folder,
    )
    for key, entry in plan.tasks.items():
        then = manifest.get("tasks", {}).get(key, {}).get("hashes", {})
        if other := [name for name in SAME if name in then and then[name] != entry["hashes"][name]]:
            what = f"{key}: the {' and '.join(other)} are not those that the run asks about"
            raise DataError(what, where=entry["data"], hint="name the data the run was made with: --data DIR")
    return plan


def _ids(
    asked: Mapping[str, Any], choices: Sequence[registry.TaskChoice], where: Path, path: Path | None
) -> selection.Ids | None:
    if "ids" not in asked:
        return None
    if path is None:
        raise UsageError("the run asks the questions of an --ids file", where=str(where), hint="name it: --ids FILE")
    ids = selection.read_ids(path, choices)
    if pinned.hash_of(selection.listed_ids(ids)) != asked["ids"]:
        raise UsageError("the file lists other questions than the run asks", where=str(path), hint="name the run's own")
    return ids


def _perturbation(asked: Mapping[str, Any], seed: int) -> Any:
    if not asked.get("perturb"):
        return None
    from vlmbench.perturbations import perturbations

    return perturbations.parse_one(asked["perturb"], seed)
